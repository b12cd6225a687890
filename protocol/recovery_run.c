/* The request of a new device and the contributions of holders. */
#include <string.h>

#include "crypto/suite.h"
#include "protocol/cbor.h"
#include "protocol/object_fields.h"
#include "protocol/recovery.h"

static bool request_is_fit(const struct hk_recovery_request *request)
{
    if (request->count < 1 || request->count > HK_RECOVERY_HOLDERS) {
        return false;
    }
    for (size_t i = 0; i < request->count; i++) {
        if (request->index[i] < 1 || request->index[i] > HK_RECOVERY_HOLDERS ||
            (i > 0 && request->index[i] <= request->index[i - 1])) {
            return false;
        }
    }
    return true;
}

enum hk_error hk_recovery_request_encode(const struct hk_recovery_request *request, uint8_t *out, size_t max,
                                         size_t *size)
{
    struct hk_cbor_writer writer;
    if (!request_is_fit(request)) {
        return HK_BAD_ENCODING;
    }
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 10);
    hk_put_bytes_field(&writer, 1, request->account, HK_ACCOUNT_BYTES);
    hk_put_bytes_field(&writer, 2, request->set, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 3, request->serial, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 4, request->device_key, 32);
    hk_put_name_field(&writer, 5, request->device, HK_NAME_MAX);
    hk_put_bytes_field(&writer, 6, request->service_key, 32);
    hk_put_name_field(&writer, 7, request->address, HK_ADDRESS_MAX);
    hk_put_bytes_field(&writer, 8, request->profile_hash, 32);
    hk_put_bytes_field(&writer, 9, request->random, sizeof(request->random));
    hk_cbor_put_uint(&writer, 10);
    hk_cbor_put_array(&writer, request->count);
    for (size_t i = 0; i < request->count; i++) {
        hk_cbor_put_uint(&writer, request->index[i]);
    }
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_recovery_request_decode(struct hk_recovery_request *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    memset(out, 0, sizeof(*out));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 10);
    hk_fields_fixed(&fields, 1, out->account, HK_ACCOUNT_BYTES);
    hk_fields_fixed(&fields, 2, out->set, HK_ID_BYTES);
    hk_fields_fixed(&fields, 3, out->serial, HK_ID_BYTES);
    hk_fields_fixed(&fields, 4, out->device_key, 32);
    hk_fields_name(&fields, 5, out->device, HK_NAME_MAX);
    hk_fields_fixed(&fields, 6, out->service_key, 32);
    hk_fields_name(&fields, 7, out->address, HK_ADDRESS_MAX);
    hk_fields_fixed(&fields, 8, out->profile_hash, 32);
    hk_fields_fixed(&fields, 9, out->random, sizeof(out->random));
    hk_fields_need(&fields, 10);
    out->count = (size_t)hk_cbor_get_array(&reader, HK_RECOVERY_HOLDERS);
    for (size_t i = 0; i < out->count; i++) {
        out->index[i] = hk_cbor_get_uint(&reader);
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    return error == HK_OK && !request_is_fit(out) ? HK_BAD_ENCODING : error;
}

void hk_recovery_request_hash(uint8_t out[32], const void *encoded, size_t size)
{
    hk_hash_name(out, "recover/request", 1, (struct hk_bytes[]){HK_BYTES(encoded, size)});
}

void hk_recovery_request_run(struct hk_recover_run *run, const struct hk_recovery_request *request,
                             const uint8_t *hash)
{
    *run = (struct hk_recover_run){.request = hash,
                                   .device = request->serial,
                                   .service_key = request->service_key,
                                   .count = request->count};
    memcpy(run->index, request->index, sizeof(run->index));
}

/* ---- contributions ---- */

enum hk_error hk_recovery_contribution_encode(const struct hk_recovery_contribution *contribution,
                                              uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 3);
    hk_put_bytes_field(&writer, 1, contribution->request, 32);
    hk_put_uint_field(&writer, 2, contribution->index);
    hk_cbor_put_uint(&writer, 3);
    hk_cbor_put_array(&writer, contribution->count);
    for (size_t i = 0; i < contribution->count; i++) {
        const struct hk_recovery_part *part = &contribution->parts[i];
        hk_cbor_put_map(&writer, 5);
        hk_put_bytes_field(&writer, 1, part->key, HK_ID_BYTES);
        for (unsigned side = 0; side < 2; side++) {
            hk_put_bytes_field(&writer, 2 + side, part->dealing.commitments[side], part->point_bytes);
        }
        for (unsigned side = 0; side < 2; side++) {
            hk_put_bytes_field(&writer, 4 + side, part->sealed[side], HK_SEALED_SHARE_BYTES);
        }
    }
    return hk_cbor_writer_finish(&writer, size);
}

static void get_part(struct hk_cbor_reader *reader, struct hk_recovery_part *part)
{
    struct hk_fields fields = hk_fields_begin(reader, 5);
    hk_fields_fixed(&fields, 1, part->key, HK_ID_BYTES);
    for (unsigned side = 0; side < 2; side++) {
        hk_fields_need(&fields, 2 + side);
        struct hk_bytes point = hk_cbor_get_bytes(reader, 32, 33);
        if (point.data == NULL || (side != 0 && point.size != part->point_bytes)) {
            hk_cbor_fail(reader);
            return;
        }
        part->point_bytes = point.size;
        memcpy(part->dealing.commitments[side], point.data, point.size);
    }
    part->dealing.count = 2;
    for (unsigned side = 0; side < 2; side++) {
        hk_fields_fixed(&fields, 4 + side, part->sealed[side], HK_SEALED_SHARE_BYTES);
    }
    hk_fields_end(&fields);
}

enum hk_error hk_recovery_contribution_decode(struct hk_recovery_contribution *out, const void *data,
                                              size_t size)
{
    struct hk_cbor_reader reader;
    memset(out, 0, sizeof(*out));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 3);
    hk_fields_fixed(&fields, 1, out->request, 32);
    out->index = hk_fields_uint(&fields, 2, HK_RECOVERY_HOLDERS);
    hk_fields_need(&fields, 3);
    out->count = (size_t)hk_cbor_get_array(&reader, HK_KEYS_MAX + 1);
    for (size_t i = 0; i < out->count && reader.error == HK_OK; i++) {
        get_part(&reader, &out->parts[i]);
        if (i > 0 && memcmp(out->parts[i - 1].key, out->parts[i].key, HK_ID_BYTES) >= 0) {
            hk_cbor_fail(&reader);
        }
    }
    hk_fields_end(&fields);
    return hk_cbor_reader_finish(&reader);
}

void hk_recover_seal_context(uint8_t out[HK_NAME_BYTES], const uint8_t request[32],
                             const uint8_t key[HK_ID_BYTES], uint64_t index, enum hk_recovery_side side)
{
    uint8_t numbers[2][8] = {{0}};
    numbers[0][7] = (uint8_t)index;
    numbers[1][7] = (uint8_t)side;
    hk_hash_name(out, "recover/seal", 4,
                 (struct hk_bytes[]){HK_BYTES(request, 32), HK_BYTES(key, HK_ID_BYTES),
                                     HK_BYTES(numbers[0], 8), HK_BYTES(numbers[1], 8)});
}

void hk_recover_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t request[32],
                           const uint8_t profile_hash[32], const uint8_t report_key[32],
                           const uint8_t (*transcripts)[HK_NAME_BYTES], size_t count)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "recover", (uint32_t)(4 + count));
    hk_hash_add(&hash, request, 32);
    hk_hash_add(&hash, profile_hash, 32);
    hk_hash_add(&hash, report_key, 32);
    hk_hash_add_u64(&hash, count);
    for (size_t i = 0; i < count; i++) {
        hk_hash_add(&hash, transcripts[i], HK_NAME_BYTES);
    }
    hk_hash_final(&hash, digest);
    memcpy(out, digest, HK_NAME_BYTES);
}
