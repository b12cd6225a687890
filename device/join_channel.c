#include "device/join_channel.h"

#include <string.h>

#include "protocol/object_fields.h"

#define PATTERN "Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b"
#define PROLOGUE "halfkey/v1/join"

/* Both handshake messages have empty payloads: message 1 of IK can be repeated by whoever has seen it. */
static enum hk_error start(struct hk_join *join, const struct hk_invitation *invitation,
                           const struct hk_secret32 *static_key, enum hk_noise_role role)
{
    if (join->state != HK_JOIN_UNUSED) {
        return HK_CONFLICT;
    }
    join->state = HK_JOIN_OVER;
    struct hk_invitation_keys keys;
    HK_WIPE_AT_EXIT(keys);
    hk_invitation_derive(&keys, invitation);
    uint8_t prologue[sizeof(PROLOGUE) - 1 + HK_ACCOUNT_BYTES + 32];
    memcpy(prologue, PROLOGUE, sizeof(PROLOGUE) - 1);
    memcpy(prologue + sizeof(PROLOGUE) - 1, invitation->account, HK_ACCOUNT_BYTES);
    memcpy(prologue + sizeof(PROLOGUE) - 1 + HK_ACCOUNT_BYTES, keys.gate_hash, 32);
    struct hk_noise_setup setup = {
        .prologue = prologue, .prologue_size = sizeof(prologue), .static_key = static_key, .psk = &keys.psk};
    if (role == HK_NOISE_INITIATOR) {
        setup.remote_static = invitation->administrator;
    }
    return hk_noise_init(&join->noise, PATTERN, role, &setup);
}

static enum hk_error end(struct hk_join *join, enum hk_error error)
{
    hk_join_wipe(join);
    join->state = HK_JOIN_OVER;
    return error;
}

enum hk_error hk_join_begin(struct hk_join *join, const struct hk_invitation *invitation,
                            const struct hk_secret32 *static_key, uint8_t *out, size_t *size)
{
    enum hk_error error = start(join, invitation, static_key, HK_NOISE_INITIATOR);
    if (error == HK_CONFLICT) {
        return error;
    }
    if (error == HK_OK) {
        error = hk_noise_write(&join->noise, NULL, 0, out, HK_JOIN_HANDSHAKE_MAX, size);
    }
    if (error != HK_OK) {
        return end(join, error);
    }
    join->state = HK_JOIN_WAITING;
    return HK_OK;
}

static enum hk_error establish(struct hk_join *join)
{
    enum hk_error error = hk_noise_split(&join->noise, &join->channel);
    if (error != HK_OK) {
        return end(join, error);
    }
    join->state = HK_JOIN_ESTABLISHED;
    return HK_OK;
}

/* Reads a handshake message, whose payload must be empty. */
static enum hk_error read_empty(struct hk_join *join, const void *message, size_t size)
{
    uint8_t payload[HK_JOIN_HANDSHAKE_MAX];
    size_t payload_size = 0;
    if (size > HK_JOIN_HANDSHAKE_MAX ||
        hk_noise_read(&join->noise, message, size, payload, sizeof(payload), &payload_size) != HK_OK ||
        payload_size != 0) {
        return HK_BAD_PEER;
    }
    return HK_OK;
}

enum hk_error hk_join_answer(struct hk_join *join, const struct hk_invitation *invitation,
                             const struct hk_secret32 *static_key, const void *message, size_t size,
                             uint8_t *out, size_t *out_size)
{
    enum hk_error error = start(join, invitation, static_key, HK_NOISE_RESPONDER);
    if (error == HK_CONFLICT) {
        return error;
    }
    if (error == HK_OK) {
        error = read_empty(join, message, size);
    }
    if (error == HK_OK) {
        error = hk_noise_write(&join->noise, NULL, 0, out, HK_JOIN_HANDSHAKE_MAX, out_size);
    }
    return error == HK_OK ? establish(join) : end(join, error);
}

enum hk_error hk_join_finish(struct hk_join *join, const void *message, size_t size)
{
    if (join->state != HK_JOIN_WAITING) {
        return HK_CONFLICT;
    }
    enum hk_error error = read_empty(join, message, size);
    return error == HK_OK ? establish(join) : end(join, error);
}

enum hk_error hk_join_words(const struct hk_join *join, char out[HK_FINGERPRINT_TEXT_BYTES])
{
    if (join->state != HK_JOIN_ESTABLISHED) {
        return HK_CONFLICT;
    }
    hk_words_fingerprint(out, join->channel.hash);
    return HK_OK;
}

enum hk_error hk_join_peer(const struct hk_join *join, uint8_t static_key[HK_NOISE_KEY_BYTES])
{
    if (join->state != HK_JOIN_ESTABLISHED || !join->channel.has_remote_static) {
        return HK_CONFLICT;
    }
    memcpy(static_key, join->channel.remote_static, HK_NOISE_KEY_BYTES);
    return HK_OK;
}

enum hk_error hk_join_seal(struct hk_join *join, enum hk_join_step step, const void *plaintext, size_t size,
                           uint8_t *out, size_t max, size_t *out_size)
{
    if (join->state != HK_JOIN_ESTABLISHED) {
        return HK_CONFLICT;
    }
    if (size > HK_JOIN_RELAY_MAX - HK_JOIN_SEAL_BYTES || max < size + HK_JOIN_SEAL_BYTES) {
        return HK_TOO_LARGE;
    }
    uint8_t number = (uint8_t)step;
    enum hk_error error = hk_cipher_seal(&join->channel.send, out, &number, 1, plaintext, size);
    if (error == HK_OK) {
        *out_size = size + HK_JOIN_SEAL_BYTES;
    }
    return error;
}

enum hk_error hk_join_open(struct hk_join *join, enum hk_join_step step, const void *sealed, size_t size,
                           uint8_t *out, size_t max, size_t *out_size)
{
    if (join->state != HK_JOIN_ESTABLISHED) {
        return HK_CONFLICT;
    }
    if (size < HK_JOIN_SEAL_BYTES || max < size - HK_JOIN_SEAL_BYTES) {
        return end(join, HK_BAD_PEER);
    }
    uint8_t number = (uint8_t)step;
    if (hk_cipher_open(&join->channel.receive, out, &number, 1, sealed, size) != HK_OK) {
        return end(join, HK_BAD_PEER);
    }
    *out_size = size - HK_JOIN_SEAL_BYTES;
    return HK_OK;
}

void hk_join_wipe(struct hk_join *join)
{
    hk_wipe(join, sizeof(*join));
}
