#include <string.h>

#include "device/state_codec.h"
#include "protocol/object_fields.h"

enum { STAGE = 1, ADMINISTRATOR, EPHEMERAL, DEPOSIT, TRANSCRIPT, KEYS, HAND_FIELDS = KEYS };
enum { ID = 1, SUITE, HALF, SERVICE_POINT, KEY_FIELDS = SERVICE_POINT };

static void put_key(struct hk_cbor_writer *writer, const struct hk_state_handed *key)
{
    hk_cbor_put_map(writer, KEY_FIELDS);
    hk_put_bytes_field(writer, ID, key->id, HK_ID_BYTES);
    hk_put_uint_field(writer, SUITE, key->suite);
    hk_put_bytes_field(writer, HALF, key->half.bytes, hk_suite_scalar_bytes(key->suite));
    hk_put_bytes_field(writer, SERVICE_POINT, key->service_point, hk_suite_point_bytes(key->suite));
}

void hk_state_put_hand(struct hk_cbor_writer *writer, const struct hk_state_hand *hand)
{
    hk_cbor_put_map(writer, HAND_FIELDS);
    hk_put_uint_field(writer, STAGE, hand->stage);
    hk_put_bytes_field(writer, ADMINISTRATOR, hand->administrator, HK_ID_BYTES);
    hk_put_bytes_field(writer, EPHEMERAL, hand->ephemeral.bytes, 32);
    hk_put_bytes_field(writer, DEPOSIT, hand->deposit, hand->deposit_size);
    hk_put_bytes_field(writer, TRANSCRIPT, hand->transcript, HK_NAME_BYTES);
    hk_cbor_put_uint(writer, KEYS);
    hk_cbor_put_array(writer, hand->count);
    for (size_t i = 0; i < hand->count; i++) {
        put_key(writer, &hand->key[i]);
    }
}

static void get_key(struct hk_cbor_reader *reader, struct hk_state_handed *key)
{
    struct hk_scalar checked;
    HK_WIPE_AT_EXIT(checked);
    struct hk_fields fields = hk_fields_begin(reader, KEY_FIELDS);
    hk_fields_fixed(&fields, ID, key->id, HK_ID_BYTES);
    key->suite = hk_fields_uint(&fields, SUITE, UINT64_MAX);
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    if (reader->error != HK_OK || suite == NULL) {
        hk_cbor_fail(reader);
        return;
    }
    hk_fields_fixed(&fields, HALF, key->half.bytes, suite->group->scalar_bytes);
    hk_fields_fixed(&fields, SERVICE_POINT, key->service_point, suite->group->point_bytes);
    hk_fields_end(&fields);
    if (reader->error == HK_OK &&
        hk_scalar_decode_nonzero(suite->group, &checked, key->half.bytes) != HK_OK) {
        hk_cbor_fail(reader);
    }
}

void hk_state_get_hand(struct hk_cbor_reader *reader, struct hk_state_hand *out)
{
    struct hk_fields fields = hk_fields_begin(reader, HAND_FIELDS);
    out->stage = (enum hk_hand_stage)hk_fields_uint(&fields, STAGE, HK_HAND_STORED);
    hk_fields_fixed(&fields, ADMINISTRATOR, out->administrator, HK_ID_BYTES);
    hk_fields_fixed(&fields, EPHEMERAL, out->ephemeral.bytes, 32);
    hk_fields_need(&fields, DEPOSIT);
    struct hk_bytes deposit = hk_cbor_get_bytes(reader, 1, sizeof(out->deposit));
    if (reader->error == HK_OK) {
        memcpy(out->deposit, deposit.data, deposit.size);
        out->deposit_size = deposit.size;
    }
    hk_fields_fixed(&fields, TRANSCRIPT, out->transcript, HK_NAME_BYTES);
    hk_fields_need(&fields, KEYS);
    out->count = (size_t)hk_cbor_get_array(reader, HK_KEYS_MAX);
    for (size_t i = 0; i < out->count && reader->error == HK_OK; i++) {
        get_key(reader, &out->key[i]);
        if (i > 0 && memcmp(out->key[i - 1].id, out->key[i].id, HK_ID_BYTES) >= 0) {
            hk_cbor_fail(reader);
        }
    }
    hk_fields_end(&fields);
    if (out->stage == HK_HAND_NONE || (out->count != 0) != (out->stage == HK_HAND_STORED)) {
        hk_cbor_fail(reader);
    }
}

void hk_state_put_holders(struct hk_cbor_writer *writer, const struct hk_state *state)
{
    hk_cbor_put_array(writer, state->holder_count);
    for (size_t i = 0; i < state->holder_count; i++) {
        hk_cbor_put_bytes(writer, state->holder[i], HK_ID_BYTES);
    }
}

void hk_state_get_holders(struct hk_cbor_reader *reader, struct hk_state *out)
{
    out->holder_count = (size_t)hk_cbor_get_array(reader, HK_DEVICES);
    for (size_t i = 0; i < out->holder_count && reader->error == HK_OK; i++) {
        hk_cbor_get_fixed(reader, out->holder[i], HK_ID_BYTES);
    }
}
