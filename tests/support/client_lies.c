/* What an attacker's client does to its own messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/cbor.h"
#include "tests/support/client.h"
#include "tests/support/client_lies.h"

static _Thread_local void (*change_request)(struct hk_message *request, void *argument);
static _Thread_local void *change_argument;
static _Thread_local bool is_paused;
_Thread_local struct hk_test_keygen_lie hk_test_keygen_lie;

void hk_test_change_requests(void (*change)(struct hk_message *request, void *argument), void *argument)
{
    change_request = change;
    change_argument = argument;
}

void hk_test_pause_changes(bool pause)
{
    is_paused = pause;
}

void hk_test_lie_in_keygen(void (*draw)(struct hk_keygen_device *run, void *argument),
                           void (*open)(struct hk_keygen_device *run, const uint8_t *service_point,
                                        const uint8_t *service_proof, void *argument),
                           void *argument)
{
    hk_test_keygen_lie = (struct hk_test_keygen_lie){.draw = draw, .open = open, .argument = argument};
}

const struct hk_keygen_names *hk_test_keygen_names(void)
{
    return hk_test_keygen_lie.names;
}

bool hk_test_lies_in_keygen(void)
{
    return hk_test_keygen_lie.draw != NULL || hk_test_keygen_lie.open != NULL;
}

void hk_test_recommit(struct hk_keygen_device *run)
{
    size_t point = run->group->point_bytes, proof = point + run->group->scalar_bytes;
    hk_hash_name(run->commitment, "dkg/commit", 4,
                 (struct hk_bytes[]){HK_BYTES(run->sid, 32), HK_BYTES(run->point, point),
                                     HK_BYTES(run->proof, proof), HK_BYTES(run->opening, 32)});
}

static void put_value(struct hk_cbor_writer *writer, enum hk_field field, const struct hk_value *value)
{
    static const enum hk_field_type types[] = {
#define TYPE(id, number, name, type, min, max) [number] = type,
        HK_FIELDS(TYPE)
#undef TYPE
    };
    hk_cbor_put_uint(writer, field);
    switch (types[field]) {
    case HK_U64:
        hk_cbor_put_uint(writer, value->number);
        break;
    case HK_BSTR:
        hk_cbor_put_bytes(writer, value->data, value->size);
        break;
    case HK_TSTR:
        hk_cbor_put_text(writer, value->data, value->size);
        break;
    case HK_LIST:
        hk_cbor_put_array(writer, value->count);
        for (size_t i = 0; i < value->count; i++) {
            hk_cbor_put_bytes(writer, value->items[i].data, value->items[i].size);
        }
        break;
    }
}

size_t hk_test_encode(const struct hk_message *message, uint8_t *out, size_t max)
{
    struct hk_cbor_writer writer;
    size_t size = 0;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, (uint64_t)(__builtin_popcountll((uint64_t)message->present) +
                                        __builtin_popcountll((uint64_t)(message->present >> 64))));
    for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
        if ((message->present & HK_BIT(field)) != 0) {
            put_value(&writer, (enum hk_field)field, &message->value[field]);
        }
    }
    assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
    return size;
}

enum hk_error hk_test_encode_changed(const struct hk_message *request, uint8_t *out, size_t max, size_t *size)
{
    static _Thread_local struct hk_message changed;
    if (change_request == NULL || is_paused) {
        return hk_message_encode(request, out, max, size);
    }
    changed = *request;
    change_request(&changed, change_argument);
    *size = hk_test_encode(&changed, out, max);
    return HK_OK;
}

enum hk_error hk_test_import(struct hk_test_device *device, enum hk_suite_id suite, const char *name,
                             const uint8_t whole[32])
{
    struct hk_message request, answer;
    struct hk_keygen_result result;
    struct hk_scalar x;
    uint8_t sid[32], scalar[32], proof[HK_SCHNORR_BYTES_MAX];
    struct hk_test_key key = {.suite = hk_suite_by_id((uint64_t)suite), .imported = true};
    hk_random(key.id, sizeof(key.id));
    strncpy(key.name, name, sizeof(key.name) - 1);
    enum hk_error error = hk_test_open(device);
    if (error != HK_OK) {
        return error;
    }
    hk_test_request(&request, HK_OP_KEY_IMPORT, device);
    struct hk_keygen_names names = {
        .handshake = HK_BYTES(hk_channel_session(device->channel)->handshake_hash, HK_HASH_BYTES),
        .request_id = request.value[HK_F_REQUEST].data,
        .account = HK_BYTES(device->account, HK_ACCOUNT_BYTES),
        .suite = key.suite,
        .key_id = key.id,
        .device_key = device->static_public,
        .service_key = device->service->address.service_key};
    hk_keygen_sid(sid, &names);
    memset(&x, 0, sizeof(x));
    assert_int_equal(key.suite->group->scalar_decode(&x, whole), HK_OK);
    assert_int_equal(hk_import_split(&result, scalar, proof, key.suite->group, sid, &x), HK_OK);
    hk_message_set_bytes(&request, HK_F_KEY, key.id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_SUITE, (uint64_t)suite);
    hk_message_set_u64(&request, HK_F_PURPOSE, (uint64_t)key.suite->purpose);
    hk_message_set_text(&request, HK_F_NAME, key.name);
    hk_message_set_u64(&request, HK_F_CREATED, (uint64_t)time(NULL));
    hk_message_set_bytes(&request, HK_F_SCALAR, scalar, 32);
    hk_message_set_bytes(&request, HK_F_POINT, result.device_point, key.suite->group->point_bytes);
    hk_message_set_bytes(&request, HK_F_PROOF, proof, hk_suite_proof_bytes((uint64_t)suite));
    error = hk_test_call(device, &request, &answer);
    if (error == HK_OK) {
        key.half = result.half;
        memcpy(key.device_point, result.device_point, sizeof(key.device_point));
        memcpy(key.service_point, result.service_point, sizeof(key.service_point));
        memcpy(key.public_key, result.public_key, sizeof(key.public_key));
        hk_test_insert_key(device, &key);
    }
    return error;
}
