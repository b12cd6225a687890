/* What is sealed in an enrolment: the confirming frame and the bundle, as strict CBOR maps. */
#include <string.h>

#include "crypto/suite.h"
#include "device/join_channel.h"
#include "protocol/object_fields.h"

/* The hello. */
enum { SERIAL = 1, NAME = 2, REPORT_KEY = 3, HELLO_FIELDS = 3 };
/* The bundle. */
enum {
    PROFILE = 1,
    RECORD = 2,
    CERTIFICATE = 3,
    CODE = 4,
    HEAD = 5,
    TRANSCRIPT = 6,
    ADMINISTRATOR = 7,
    EPOCH = 8,
    KEYS = 9,
    BUNDLE_FIELDS = 9
};
/* One key of it. */
enum { ID = 1, DEVICE_POINT = 2, COMMITMENT = 3, PASSED = 4, KEPT = 5, SUITE = 6, KEY_FIELDS = 6 };

enum hk_error hk_join_hello_encode(const struct hk_join_hello *hello, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, HELLO_FIELDS);
    hk_put_bytes_field(&writer, SERIAL, hello->serial, HK_ID_BYTES);
    hk_put_name_field(&writer, NAME, hello->name, HK_NAME_MAX);
    hk_put_bytes_field(&writer, REPORT_KEY, hello->report_key, 32);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_join_hello_decode(struct hk_join_hello *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, data, size);
    struct hk_join_hello found;
    memset(&found, 0, sizeof(found));
    struct hk_fields fields = hk_fields_begin(&reader, HELLO_FIELDS);
    hk_fields_fixed(&fields, SERIAL, found.serial, HK_ID_BYTES);
    hk_fields_name(&fields, NAME, found.name, HK_NAME_MAX);
    hk_fields_fixed(&fields, REPORT_KEY, found.report_key, 32);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = found;
    }
    return error;
}

void hk_join_put_keys(struct hk_cbor_writer *writer, const struct hk_join_key *keys, size_t count)
{
    hk_cbor_put_array(writer, count);
    for (size_t i = 0; i < count && i < HK_KEYS_MAX; i++) {
        const struct hk_join_key *key = &keys[i];
        hk_cbor_put_map(writer, KEY_FIELDS);
        hk_put_bytes_field(writer, ID, key->id, HK_ID_BYTES);
        hk_put_bytes_field(writer, DEVICE_POINT, key->device_point, hk_suite_point_bytes(key->suite));
        hk_put_bytes_field(writer, COMMITMENT, key->commitment, hk_suite_point_bytes(key->suite));
        hk_put_bytes_field(writer, PASSED, key->passed, hk_suite_point_bytes(key->suite));
        hk_put_bytes_field(writer, KEPT, key->kept, hk_suite_scalar_bytes(key->suite));
        hk_put_uint_field(writer, SUITE, key->suite);
    }
}

enum hk_error hk_join_bundle_encode(const struct hk_join_bundle *bundle, uint8_t *out, size_t max,
                                    size_t *size)
{
    uint8_t head[HK_HEAD_BYTES];
    hk_head_encode(head, &bundle->head);
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, BUNDLE_FIELDS);
    hk_put_bytes_field(&writer, PROFILE, bundle->profile.data, bundle->profile.size);
    hk_put_bytes_field(&writer, RECORD, bundle->record.data, bundle->record.size);
    hk_put_bytes_field(&writer, CERTIFICATE, bundle->certificate.data, bundle->certificate.size);
    hk_put_bytes_field(&writer, CODE, bundle->code, sizeof(bundle->code));
    hk_put_bytes_field(&writer, HEAD, head, sizeof(head));
    hk_put_bytes_field(&writer, TRANSCRIPT, bundle->transcript, 32);
    hk_put_bytes_field(&writer, ADMINISTRATOR, bundle->administrator, HK_ID_BYTES);
    hk_put_uint_field(&writer, EPOCH, bundle->epoch);
    hk_cbor_put_uint(&writer, KEYS);
    hk_join_put_keys(&writer, bundle->keys, bundle->key_count);
    return bundle->key_count > HK_KEYS_MAX ? HK_BAD_ENCODING : hk_cbor_writer_finish(&writer, size);
}

static struct hk_bytes get_object(struct hk_fields *fields, uint64_t key, size_t max)
{
    hk_fields_need(fields, key);
    return hk_cbor_get_bytes(fields->reader, 1, max);
}

/* A point or scalar, of a length that the suite decides. */
static struct hk_bytes get_span(struct hk_fields *fields, uint64_t key)
{
    hk_fields_need(fields, key);
    return hk_cbor_get_bytes(fields->reader, 1, HK_POINT_BYTES_MAX);
}

static void get_key(struct hk_cbor_reader *reader, struct hk_join_key *key)
{
    struct hk_fields fields = hk_fields_begin(reader, KEY_FIELDS);
    hk_fields_fixed(&fields, ID, key->id, HK_ID_BYTES);
    struct hk_bytes point = get_span(&fields, DEVICE_POINT), commitment = get_span(&fields, COMMITMENT),
                    passed = get_span(&fields, PASSED), kept = get_span(&fields, KEPT);
    key->suite = hk_fields_uint(&fields, SUITE, UINT64_MAX);
    hk_fields_end(&fields);
    size_t point_bytes = hk_suite_point_bytes(key->suite), scalar_bytes = hk_suite_scalar_bytes(key->suite);
    if (reader->error != HK_OK || point_bytes == 0 || point.size != point_bytes ||
        commitment.size != point_bytes || passed.size != point_bytes || kept.size != scalar_bytes) {
        hk_cbor_fail(reader);
        return;
    }
    memcpy(key->device_point, point.data, point_bytes);
    memcpy(key->commitment, commitment.data, point_bytes);
    memcpy(key->passed, passed.data, point_bytes);
    memcpy(key->kept, kept.data, scalar_bytes);
}

size_t hk_join_get_keys(struct hk_cbor_reader *reader, struct hk_join_key *keys)
{
    size_t count = (size_t)hk_cbor_get_array(reader, HK_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        get_key(reader, &keys[i]);
        if (i > 0 && memcmp(keys[i - 1].id, keys[i].id, HK_ID_BYTES) >= 0) {
            hk_cbor_fail(reader);
        }
    }
    return count;
}

enum hk_error hk_join_bundle_decode(struct hk_join_bundle *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, data, size);
    memset(out, 0, sizeof(*out));
    uint8_t head[HK_HEAD_BYTES] = {0};
    struct hk_fields fields = hk_fields_begin(&reader, BUNDLE_FIELDS);
    out->profile = get_object(&fields, PROFILE, HK_JOIN_RELAY_MAX);
    out->record = get_object(&fields, RECORD, HK_SMALL_OBJECT_MAX);
    out->certificate = get_object(&fields, CERTIFICATE, HK_SMALL_OBJECT_MAX);
    hk_fields_fixed(&fields, CODE, out->code, sizeof(out->code));
    hk_fields_fixed(&fields, HEAD, head, sizeof(head));
    hk_fields_fixed(&fields, TRANSCRIPT, out->transcript, 32);
    hk_fields_fixed(&fields, ADMINISTRATOR, out->administrator, HK_ID_BYTES);
    out->epoch = hk_fields_uint(&fields, EPOCH, UINT64_MAX);
    hk_fields_need(&fields, KEYS);
    out->key_count = hk_join_get_keys(&reader, out->keys);
    hk_fields_end(&fields);
    hk_head_decode(&out->head, head);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error != HK_OK) {
        hk_wipe(out, sizeof(*out));
    }
    return error;
}
