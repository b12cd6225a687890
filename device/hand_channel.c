#include "device/hand_channel.h"

#include <string.h>

#include "protocol/object_fields.h"

enum { PROFILE_VERSION = 1, EPOCH, TRANSCRIPT, KEYS, BUNDLE_FIELDS = KEYS };

enum hk_error hk_hand_bundle_encode(const struct hk_hand_bundle *bundle, uint8_t *out, size_t max,
                                    size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, BUNDLE_FIELDS);
    hk_put_uint_field(&writer, PROFILE_VERSION, bundle->profile_version);
    hk_put_uint_field(&writer, EPOCH, bundle->epoch);
    hk_put_bytes_field(&writer, TRANSCRIPT, bundle->transcript, HK_NAME_BYTES);
    hk_cbor_put_uint(&writer, KEYS);
    hk_join_put_keys(&writer, bundle->keys, bundle->key_count);
    bool good = bundle->key_count > 0 && bundle->key_count <= HK_KEYS_MAX;
    return good ? hk_cbor_writer_finish(&writer, size) : HK_BAD_ENCODING;
}

enum hk_error hk_hand_bundle_decode(struct hk_hand_bundle *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, data, size);
    memset(out, 0, sizeof(*out));
    struct hk_fields fields = hk_fields_begin(&reader, BUNDLE_FIELDS);
    out->profile_version = hk_fields_uint(&fields, PROFILE_VERSION, UINT64_MAX);
    out->epoch = hk_fields_uint(&fields, EPOCH, UINT64_MAX);
    hk_fields_fixed(&fields, TRANSCRIPT, out->transcript, HK_NAME_BYTES);
    hk_fields_need(&fields, KEYS);
    out->key_count = hk_join_get_keys(&reader, out->keys);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK && out->key_count == 0) {
        error = HK_BAD_ENCODING;
    }
    if (error != HK_OK) {
        hk_wipe(out, sizeof(*out));
    }
    return error;
}

/* ---- the two messages ---- */

static enum hk_error begin(struct hk_noise *noise, enum hk_noise_role role,
                           const struct hk_hand_parties *parties, const struct hk_secret32 *static_key,
                           const uint8_t *remote, const struct hk_secret32 *ephemeral)
{
    uint8_t prologue[HK_HAND_PROLOGUE_BYTES];
    hk_hand_prologue(prologue, parties);
    struct hk_noise_setup setup = {.prologue = prologue,
                                   .prologue_size = sizeof(prologue),
                                   .static_key = static_key,
                                   .remote_static = remote,
                                   .ephemeral = ephemeral};
    return hk_noise_init(noise, HK_HAND_PATTERN, role, &setup);
}

/* The device's side up to message 1, the same for the same keys. */
static enum hk_error make(struct hk_noise *noise, uint8_t message[HK_HAND_MESSAGE_1_BYTES],
                          const struct hk_hand_parties *parties, const struct hk_secret32 *static_key,
                          const uint8_t administrator_key[32], const struct hk_secret32 *ephemeral)
{
    size_t size;
    enum hk_error error = begin(noise, HK_NOISE_INITIATOR, parties, static_key, administrator_key, ephemeral);
    return error == HK_OK ? hk_noise_write(noise, NULL, 0, message, HK_HAND_MESSAGE_1_BYTES, &size) : error;
}

enum hk_error hk_hand_make(uint8_t *out, const struct hk_hand_parties *parties,
                           const struct hk_secret32 *static_key, const uint8_t administrator_key[32],
                           const struct hk_secret32 *ephemeral)
{
    struct hk_noise noise;
    HK_WIPE_AT_EXIT(noise);
    uint8_t message[HK_HAND_MESSAGE_1_BYTES];
    enum hk_error error = make(&noise, message, parties, static_key, administrator_key, ephemeral);
    if (error == HK_OK) {
        memcpy(out, message, sizeof(message));
    }
    return error;
}

enum hk_error hk_hand_answer(uint8_t *out, size_t *out_size, const struct hk_hand_parties *parties,
                             const struct hk_secret32 *static_key, const uint8_t device_key[32],
                             const uint8_t *message, const void *bundle, size_t size)
{
    struct hk_noise noise;
    HK_WIPE_AT_EXIT(noise);
    uint8_t payload[HK_HAND_MESSAGE_1_BYTES];
    size_t payload_size = 0;
    enum hk_error error = begin(&noise, HK_NOISE_RESPONDER, parties, static_key, NULL, NULL);
    if (error != HK_OK) {
        return error;
    }
    error = hk_noise_read(&noise, message, HK_HAND_MESSAGE_1_BYTES, payload, sizeof(payload), &payload_size);
    bool fits = error == HK_OK && payload_size == 0 && memcmp(noise.remote_static, device_key, 32) == 0;
    return fits ? hk_noise_write(&noise, bundle, size, out, size + HK_HAND_SEAL_BYTES, out_size)
                : HK_BAD_PEER;
}

enum hk_error hk_hand_read(uint8_t *out, size_t *out_size, const struct hk_hand_parties *parties,
                           const struct hk_secret32 *static_key, const uint8_t administrator_key[32],
                           const struct hk_secret32 *ephemeral, const void *answer, size_t size)
{
    struct hk_noise noise;
    HK_WIPE_AT_EXIT(noise);
    uint8_t message[HK_HAND_MESSAGE_1_BYTES];
    if (size < HK_HAND_SEAL_BYTES) {
        return HK_BAD_PEER;
    }
    enum hk_error error = make(&noise, message, parties, static_key, administrator_key, ephemeral);
    if (error != HK_OK) {
        return error;
    }
    return hk_noise_read(&noise, answer, size, out, size - HK_HAND_SEAL_BYTES, out_size) == HK_OK
               ? HK_OK
               : HK_BAD_PEER;
}
