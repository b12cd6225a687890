#include "protocol/recovery.h"

#include <string.h>

#include "crypto/suite.h"
#include "protocol/cbor.h"
#include "protocol/noise.h"
#include "protocol/object_fields.h"

/* ---- packets ---- */

static void put_commitments(struct hk_cbor_writer *writer, uint64_t field, const struct hk_dealing *dealing,
                            size_t point_bytes)
{
    hk_cbor_put_uint(writer, field);
    hk_cbor_put_array(writer, dealing->count);
    for (size_t i = 0; i < dealing->count; i++) {
        hk_cbor_put_bytes(writer, dealing->commitments[i], point_bytes);
    }
}

static void get_commitments(struct hk_fields *fields, uint64_t field, struct hk_dealing *dealing,
                            size_t point_bytes)
{
    hk_fields_need(fields, field);
    dealing->count = (size_t)hk_cbor_get_array(fields->reader, HK_HOLDERS_MAX);
    for (size_t i = 0; i < dealing->count; i++) {
        hk_cbor_get_fixed(fields->reader, dealing->commitments[i], point_bytes);
    }
}

enum hk_error hk_recovery_packet_encode(const struct hk_recovery_packet *packet, uint8_t *out, size_t max,
                                        size_t *size)
{
    struct hk_cbor_writer writer;
    const struct hk_suite *suite = hk_suite_by_id(packet->suite);
    if (suite == NULL || packet->holders < 1 || packet->holders > HK_RECOVERY_HOLDERS) {
        return HK_BAD_ENCODING;
    }
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 11);
    hk_put_bytes_field(&writer, 1, packet->set, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 2, packet->key, HK_ID_BYTES);
    hk_put_uint_field(&writer, 3, packet->suite);
    hk_put_bytes_field(&writer, 4, packet->public_key, suite->group->point_bytes);
    hk_put_bytes_field(&writer, 5, packet->device, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 6, packet->service_key, 32);
    hk_put_uint_field(&writer, 7, packet->epoch);
    for (unsigned side = 0; side < 2; side++) {
        put_commitments(&writer, 8 + side, &packet->dealings[side], suite->group->point_bytes);
    }
    for (unsigned side = 0; side < 2; side++) {
        hk_cbor_put_uint(&writer, 10 + side);
        hk_cbor_put_array(&writer, packet->holders);
        for (size_t i = 0; i < packet->holders; i++) {
            hk_cbor_put_bytes(&writer, packet->sealed[side][i], HK_SEALED_SHARE_BYTES);
        }
    }
    return hk_cbor_writer_finish(&writer, size);
}

static void get_sealed(struct hk_fields *fields, struct hk_recovery_packet *packet, unsigned side)
{
    hk_fields_need(fields, 10 + side);
    size_t count = (size_t)hk_cbor_get_array(fields->reader, HK_RECOVERY_HOLDERS);
    if (count == 0 || (side != 0 && count != packet->holders)) {
        hk_cbor_fail(fields->reader);
    }
    packet->holders = count;
    for (size_t i = 0; i < count; i++) {
        hk_cbor_get_fixed(fields->reader, packet->sealed[side][i], HK_SEALED_SHARE_BYTES);
    }
}

enum hk_error hk_recovery_packet_decode(struct hk_recovery_packet *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    memset(out, 0, sizeof(*out));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 11);
    hk_fields_fixed(&fields, 1, out->set, HK_ID_BYTES);
    hk_fields_fixed(&fields, 2, out->key, HK_ID_BYTES);
    out->suite = hk_fields_uint(&fields, 3, UINT64_MAX);
    const struct hk_suite *suite = hk_suite_by_id(out->suite);
    if (suite == NULL) {
        return HK_BAD_ENCODING;
    }
    hk_fields_fixed(&fields, 4, out->public_key, suite->group->point_bytes);
    hk_fields_fixed(&fields, 5, out->device, HK_ID_BYTES);
    hk_fields_fixed(&fields, 6, out->service_key, 32);
    out->epoch = hk_fields_uint(&fields, 7, UINT64_MAX);
    for (unsigned side = 0; side < 2; side++) {
        get_commitments(&fields, 8 + side, &out->dealings[side], suite->group->point_bytes);
    }
    for (unsigned side = 0; side < 2; side++) {
        get_sealed(&fields, out, side);
    }
    hk_fields_end(&fields);
    return hk_cbor_reader_finish(&reader);
}

enum hk_error hk_recovery_packet_key(struct hk_recovery_key *key, uint8_t (*holders)[32],
                                     const struct hk_recovery_packet *packet,
                                     const struct hk_recovery_set *set)
{
    if (set->count == 0 || packet->holders != set->count || memcmp(packet->set, set->id, HK_ID_BYTES) != 0) {
        return HK_BAD_ENCODING;
    }
    for (size_t i = 0; i < set->count; i++) {
        memcpy(holders[i], set->holders[i].key, 32);
    }
    *key = (struct hk_recovery_key){.id = packet->key,
                                    .suite = hk_suite_by_id(packet->suite),
                                    .public_key = packet->public_key,
                                    .set = packet->set,
                                    .device = packet->device,
                                    .service_key = packet->service_key,
                                    .epoch = packet->epoch,
                                    .threshold = set->threshold,
                                    .count = set->count,
                                    .holders = (const uint8_t(*)[32])holders};
    return key->suite != NULL ? HK_OK : HK_BAD_ENCODING;
}

enum hk_error hk_recovery_packet_check(const struct hk_recovery_packet *packet,
                                       const struct hk_profile *profile)
{
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32], transcript[HK_NAME_BYTES];
    const uint8_t *public_key = NULL, *expected = NULL;
    uint64_t suite = HK_SUITE_ACCOUNT;
    for (size_t i = 0; i < profile->key_count && public_key == NULL; i++) {
        const struct hk_profile_key *listed = &profile->keys[i];
        if (listed->in_set && memcmp(listed->id, packet->key, HK_ID_BYTES) == 0) {
            public_key = listed->public_key;
            expected = listed->set_transcript;
            suite = listed->suite;
        }
    }
    if (public_key == NULL && packet->suite == HK_SUITE_ACCOUNT) {
        public_key = profile->account_key;
        expected = profile->recovery.account_transcript;
    }
    if (public_key == NULL || profile->recovery.count == 0) {
        return HK_NOT_FOUND;
    }
    enum hk_error error = hk_recovery_packet_key(&key, holders, packet, &profile->recovery);
    if (error == HK_OK) {
        error = hk_recovery_transcript(transcript, &key, packet->dealings);
    }
    if (error != HK_OK) {
        return HK_BAD_PROOF;
    }
    bool fits = packet->suite == suite &&
                memcmp(packet->public_key, public_key, key.suite->group->point_bytes) == 0 &&
                memcmp(transcript, expected, sizeof(transcript)) == 0;
    return fits ? HK_OK : HK_BAD_PROOF;
}

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

void hk_recovery_seal_context(uint8_t out[HK_NAME_BYTES], const struct hk_recovery_key *key,
                              enum hk_recovery_side side, uint64_t index)
{
    uint8_t numbers[2][8];
    put_u64(numbers[0], (uint64_t)side);
    put_u64(numbers[1], index);
    hk_hash_name(out, "recovery/seal", 5,
                 (struct hk_bytes[]){HK_BYTES(key->set, HK_ID_BYTES), HK_BYTES(key->id, HK_ID_BYTES),
                                     HK_BYTES(key->public_key, key->suite->group->point_bytes),
                                     HK_BYTES(numbers[0], 8), HK_BYTES(numbers[1], 8)});
}

void hk_recovery_holder_key(struct hk_secret32 *key, uint8_t public_key[32], const uint8_t code[16])
{
    hk_hash_name(key->bytes, "recovery/holder", 1, (struct hk_bytes[]){HK_BYTES(code, 16)});
    hk_noise_public(public_key, key);
}

/* ---- the file ---- */

enum hk_error hk_recovery_file_encode(const struct hk_recovery_file *file, uint8_t *out, size_t max,
                                      size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 2);
    hk_put_bytes_field(&writer, 1, file->profile.data, file->profile.size);
    hk_cbor_put_uint(&writer, 2);
    hk_cbor_put_array(&writer, file->count);
    for (size_t i = 0; i < file->count; i++) {
        hk_cbor_put_bytes(&writer, file->packets[i].data, file->packets[i].size);
    }
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_recovery_file_decode(struct hk_recovery_file *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    memset(out, 0, sizeof(*out));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 2);
    hk_fields_need(&fields, 1);
    out->profile = hk_cbor_get_bytes(&reader, 1, HK_PAYLOAD_MAX + 512);
    hk_fields_need(&fields, 2);
    out->count = (size_t)hk_cbor_get_array(&reader, HK_KEYS_MAX);
    for (size_t i = 0; i < out->count; i++) {
        out->packets[i] = hk_cbor_get_bytes(&reader, 1, HK_RECOVERY_PACKET_MAX);
    }
    hk_fields_end(&fields);
    return hk_cbor_reader_finish(&reader);
}
