#include <sodium.h>
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/object_fields.h"

/* ---- heads ---- */

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

void hk_head_encode(uint8_t out[HK_HEAD_BYTES], const struct hk_log_head *head)
{
    put_u64(out, head->generation);
    put_u64(out + 8, head->size);
    memcpy(out + 16, head->root, 32);
    put_u64(out + 48, head->time);
}

void hk_head_decode(struct hk_log_head *out, const uint8_t in[HK_HEAD_BYTES])
{
    out->generation = get_u64(in);
    out->size = get_u64(in + 8);
    memcpy(out->root, in + 16, 32);
    out->time = get_u64(in + 48);
}

void hk_head_statement(uint8_t out[HK_HASH_BYTES], enum hk_head_use use,
                       const uint8_t account[HK_ACCOUNT_BYTES], const struct hk_log_head *head)
{
    struct hk_hash hash;
    hk_hash_init(&hash, use == HK_HEAD_OF_SERVICE ? "log/head" : "log/report", 5);
    hk_hash_add(&hash, account, HK_ACCOUNT_BYTES);
    hk_hash_add_u64(&hash, head->generation);
    hk_hash_add_u64(&hash, head->size);
    hk_hash_add(&hash, head->root, sizeof(head->root));
    hk_hash_add_u64(&hash, head->time);
    hk_hash_final(&hash, out);
}

enum hk_error hk_head_verify(enum hk_head_use use, const uint8_t account[HK_ACCOUNT_BYTES],
                             const struct hk_log_head *head, const uint8_t signature[64],
                             const uint8_t public_key[32])
{
    uint8_t statement[HK_HASH_BYTES];
    hk_head_statement(statement, use, account, head);
    return crypto_sign_verify_detached(signature, statement, sizeof(statement), public_key) == 0
               ? HK_OK
               : HK_BAD_SIGNATURE;
}

/* ---- leaves ---- */

enum hk_error hk_leaf_encode(const struct hk_leaf *leaf, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 6u + leaf->has_who + leaf->has_key + leaf->has_namespace + leaf->has_report +
                                 leaf->has_subject + leaf->has_previous);
    if (leaf->has_who) {
        hk_put_bytes_field(&writer, 1, leaf->who, HK_ID_BYTES);
    }
    hk_put_uint_field(&writer, 2, leaf->op);
    if (leaf->has_key) {
        hk_put_bytes_field(&writer, 3, leaf->key, HK_ID_BYTES);
    }
    hk_put_uint_field(&writer, 4, leaf->kind);
    if (leaf->has_namespace) {
        hk_put_name_field(&writer, 5, leaf->namespace, HK_NAMESPACE_MAX);
    }
    hk_put_uint_field(&writer, 6, leaf->count);
    hk_put_uint_field(&writer, 7, leaf->time);
    hk_put_uint_field(&writer, 8, leaf->outcome);
    hk_put_bytes_field(&writer, 9, leaf->digest, 32);
    if (leaf->has_report) {
        hk_put_bytes_field(&writer, 10, leaf->report, HK_REPORT_BYTES);
    }
    if (leaf->has_subject) {
        hk_put_bytes_field(&writer, 11, leaf->subject, HK_ID_BYTES);
    }
    if (leaf->has_previous) {
        hk_put_bytes_field(&writer, 12, leaf->previous, HK_HEAD_BYTES);
    }
    return hk_cbor_writer_finish(&writer, size);
}

/* A field that may be absent. */
static bool optional_fixed(struct hk_fields *fields, uint64_t key, uint8_t *out, size_t size)
{
    if (!hk_fields_has(fields, key)) {
        return false;
    }
    hk_fields_fixed(fields, key, out, size);
    return true;
}

enum hk_error hk_leaf_decode(struct hk_leaf *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_leaf leaf;
    memset(&leaf, 0, sizeof(leaf));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 12);
    leaf.has_who = optional_fixed(&fields, 1, leaf.who, HK_ID_BYTES);
    leaf.op = hk_fields_uint(&fields, 2, UINT64_MAX);
    leaf.has_key = optional_fixed(&fields, 3, leaf.key, HK_ID_BYTES);
    leaf.kind = hk_fields_uint(&fields, 4, UINT64_MAX);
    leaf.has_namespace = hk_fields_has(&fields, 5);
    if (leaf.has_namespace) {
        hk_fields_name(&fields, 5, leaf.namespace, HK_NAMESPACE_MAX);
    }
    leaf.count = hk_fields_uint(&fields, 6, UINT64_MAX);
    leaf.time = hk_fields_uint(&fields, 7, UINT64_MAX);
    leaf.outcome = hk_fields_uint(&fields, 8, UINT64_MAX);
    hk_fields_fixed(&fields, 9, leaf.digest, 32);
    leaf.has_report = optional_fixed(&fields, 10, leaf.report, HK_REPORT_BYTES);
    leaf.has_subject = optional_fixed(&fields, 11, leaf.subject, HK_ID_BYTES);
    leaf.has_previous = optional_fixed(&fields, 12, leaf.previous, HK_HEAD_BYTES);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = leaf;
    }
    return error;
}

void hk_request_digest(uint8_t out[32], const uint8_t request_id[HK_ID_BYTES], const void *request,
                       size_t size)
{
    hk_hash_name(out, "log/request", 2,
                 (struct hk_bytes[]){HK_BYTES(request_id, HK_ID_BYTES), HK_BYTES(request, size)});
}

/* ---- rows of the status answer ---- */

enum hk_error hk_row_encode(const struct hk_device_row *row, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    if ((unsigned)row->status < HK_STATUS_ACTIVE || (unsigned)row->status > HK_STATUS_ENROLLING ||
        (unsigned)row->role > HK_ROLE_ADMIN) {
        return HK_BAD_ENCODING;
    }
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 8);
    hk_put_bytes_field(&writer, 1, row->serial, HK_ID_BYTES);
    hk_put_uint_field(&writer, 2, row->status);
    hk_put_uint_field(&writer, 3, row->role);
    hk_put_uint_field(&writer, 4, row->epoch);
    hk_put_uint_field(&writer, 5, row->last_use);
    hk_put_uint_field(&writer, 6, row->uses);
    hk_put_uint_field(&writer, 7, row->stale_copy_seen);
    hk_put_uint_field(&writer, 8, row->must_refresh ? 1 : 0);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_row_decode(struct hk_device_row *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_device_row row;
    memset(&row, 0, sizeof(row));
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 8);
    hk_fields_fixed(&fields, 1, row.serial, HK_ID_BYTES);
    row.status = (enum hk_device_status)hk_fields_uint(&fields, 2, HK_STATUS_ENROLLING);
    row.role = (enum hk_role)hk_fields_uint(&fields, 3, HK_ROLE_ADMIN);
    row.epoch = hk_fields_uint(&fields, 4, UINT64_MAX);
    row.last_use = hk_fields_uint(&fields, 5, UINT64_MAX);
    row.uses = hk_fields_uint(&fields, 6, UINT64_MAX);
    row.stale_copy_seen = hk_fields_uint(&fields, 7, UINT64_MAX);
    row.must_refresh = hk_fields_uint(&fields, 8, 1) == 1;
    hk_fields_end(&fields);
    if ((unsigned)row.status < HK_STATUS_ACTIVE) {
        hk_cbor_fail(&reader);
    }
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = row;
    }
    return error;
}

/* ---- changes that wait ---- */

enum hk_error hk_change_encode(const struct hk_change *change, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 5);
    hk_put_uint_field(&writer, 1, change->kind);
    hk_put_bytes_field(&writer, 2, change->subject, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 3, change->asker, HK_ID_BYTES);
    hk_put_uint_field(&writer, 4, change->asked);
    hk_put_uint_field(&writer, 5, change->due);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_change_decode(struct hk_change *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_change read = {.asked = 0};
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 5);
    read.kind = (enum hk_change_kind)hk_fields_uint(&fields, 1, HK_CHANGE_RECOVERY);
    hk_fields_fixed(&fields, 2, read.subject, HK_ID_BYTES);
    hk_fields_fixed(&fields, 3, read.asker, HK_ID_BYTES);
    read.asked = hk_fields_uint(&fields, 4, UINT64_MAX);
    read.due = hk_fields_uint(&fields, 5, UINT64_MAX);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK && (unsigned)read.kind < HK_CHANGE_PROMOTE) {
        error = HK_BAD_ENCODING;
    }
    if (error == HK_OK) {
        *out = read;
    }
    return error;
}
