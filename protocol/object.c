#include "protocol/object.h"

#include <string.h>

#include "crypto/suite.h"
#include "protocol/cbor.h"
#include "protocol/cose.h"
#include "protocol/object_fields.h"
#include "protocol/udf.h"

/* ---- device records ---- */

enum hk_error hk_record_encode(const struct hk_device_record *record, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, record->has_gate ? 9 : 8);
    hk_put_bytes_field(&writer, 1, record->account, HK_ACCOUNT_BYTES);
    hk_put_bytes_field(&writer, 2, record->serial, HK_ID_BYTES);
    hk_put_bytes_field(&writer, 3, record->static_key, 32);
    hk_put_name_field(&writer, 4, record->name, HK_NAME_MAX);
    hk_put_bytes_field(&writer, 5, record->report_key, 32);
    hk_put_uint_field(&writer, 6, record->role);
    hk_put_bytes_field(&writer, 7, record->code_hash, 32);
    hk_put_uint_field(&writer, 8, record->created);
    if (record->has_gate) {
        hk_put_bytes_field(&writer, 9, record->gate_hash, 32);
    }
    if ((unsigned)record->role > HK_ROLE_ADMIN) {
        return HK_BAD_ENCODING;
    }
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_record_decode(struct hk_device_record *out, const void *payload, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_device_record record;
    memset(&record, 0, sizeof(record));
    hk_cbor_reader_init(&reader, payload, size);
    struct hk_fields fields = hk_fields_begin(&reader, 9);
    hk_fields_fixed(&fields, 1, record.account, HK_ACCOUNT_BYTES);
    hk_fields_fixed(&fields, 2, record.serial, HK_ID_BYTES);
    hk_fields_fixed(&fields, 3, record.static_key, 32);
    hk_fields_name(&fields, 4, record.name, HK_NAME_MAX);
    hk_fields_fixed(&fields, 5, record.report_key, 32);
    record.role = (enum hk_role)hk_fields_uint(&fields, 6, HK_ROLE_ADMIN);
    hk_fields_fixed(&fields, 7, record.code_hash, 32);
    record.created = hk_fields_uint(&fields, 8, UINT64_MAX);
    record.has_gate = hk_fields_has(&fields, 9);
    if (record.has_gate) {
        hk_fields_fixed(&fields, 9, record.gate_hash, 32);
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = record;
    }
    return error;
}

/* ---- revocations ---- */

enum hk_error hk_revocation_encode(const struct hk_revocation *revocation, uint8_t *out, size_t max,
                                   size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 3);
    hk_put_bytes_field(&writer, 1, revocation->account, HK_ACCOUNT_BYTES);
    hk_put_bytes_field(&writer, 2, revocation->serial, HK_ID_BYTES);
    hk_put_uint_field(&writer, 3, revocation->created);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_revocation_decode(struct hk_revocation *out, const void *payload, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_revocation revocation;
    memset(&revocation, 0, sizeof(revocation));
    hk_cbor_reader_init(&reader, payload, size);
    struct hk_fields fields = hk_fields_begin(&reader, 3);
    hk_fields_fixed(&fields, 1, revocation.account, HK_ACCOUNT_BYTES);
    hk_fields_fixed(&fields, 2, revocation.serial, HK_ID_BYTES);
    revocation.created = hk_fields_uint(&fields, 3, UINT64_MAX);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = revocation;
    }
    return error;
}

/* ---- the signature around them ---- */

/* Verifies, and checks that the kid is the account of this key. */
static enum hk_error open_object(struct hk_cose *cose, const void *signed_object, size_t size,
                                 const char *type, const uint8_t account_key[32])
{
    uint8_t account[HK_ACCOUNT_BYTES];
    enum hk_error error = hk_cose_verify(cose, signed_object, size, type, account_key);
    if (error != HK_OK) {
        return error;
    }
    hk_account_name(account, account_key);
    return memcmp(account, cose->account, sizeof(account)) == 0 ? HK_OK : HK_BAD_SIGNATURE;
}

static enum hk_error same_account(const uint8_t *kid, const uint8_t *account)
{
    return memcmp(kid, account, HK_ACCOUNT_BYTES) == 0 ? HK_OK : HK_BAD_SIGNATURE;
}

enum hk_error hk_record_open(struct hk_device_record *out, const void *signed_object, size_t size,
                             const uint8_t account_key[32])
{
    struct hk_cose cose;
    struct hk_device_record record;
    enum hk_error error = open_object(&cose, signed_object, size, HK_TYPE_RECORD, account_key);
    if (error == HK_OK) {
        error = hk_record_decode(&record, cose.payload.data, cose.payload.size);
    }
    if (error == HK_OK) {
        error = same_account(cose.account, record.account);
    }
    if (error == HK_OK) {
        *out = record;
    }
    return error;
}

enum hk_error hk_revocation_open(struct hk_revocation *out, const void *signed_object, size_t size,
                                 const uint8_t account_key[32])
{
    struct hk_cose cose;
    struct hk_revocation revocation;
    enum hk_error error = open_object(&cose, signed_object, size, HK_TYPE_REVOCATION, account_key);
    if (error == HK_OK) {
        error = hk_revocation_decode(&revocation, cose.payload.data, cose.payload.size);
    }
    if (error == HK_OK) {
        error = same_account(cose.account, revocation.account);
    }
    if (error == HK_OK) {
        *out = revocation;
    }
    return error;
}

const struct hk_profile_key *hk_profile_key_by_id(const struct hk_profile *profile, const uint8_t *id)
{
    for (size_t i = 0; i < profile->key_count; i++) {
        if (memcmp(profile->keys[i].id, id, HK_ID_BYTES) == 0) {
            return &profile->keys[i];
        }
    }
    return NULL;
}

enum hk_error hk_profile_open(struct hk_profile *out, const void *signed_object, size_t size,
                              const uint8_t account_key[32])
{
    struct hk_cose cose;
    struct hk_profile_names names;
    enum hk_error error = open_object(&cose, signed_object, size, HK_TYPE_PROFILE, account_key);
    if (error == HK_OK) {
        error = hk_profile_names(&names, cose.payload.data, cose.payload.size);
    }
    if (error == HK_OK) {
        error = same_account(cose.account, names.account);
    }
    if (error == HK_OK) {
        error = memcmp(names.account_key, account_key, 32) == 0 ? HK_OK : HK_BAD_SIGNATURE;
    }
    return error == HK_OK ? hk_profile_decode(out, cose.payload.data, cose.payload.size) : error;
}

enum hk_error hk_profile_open_named(struct hk_profile *out, const void *signed_object, size_t size,
                                    const uint8_t account[HK_ACCOUNT_BYTES])
{
    struct hk_cose cose;
    struct hk_profile_names names;
    uint8_t named[HK_ACCOUNT_BYTES];
    enum hk_error error = hk_cose_parse(&cose, signed_object, size);
    if (error == HK_OK) {
        error = hk_profile_names(&names, cose.payload.data, cose.payload.size);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_account_name(named, names.account_key);
    error = same_account(named, account);
    return error == HK_OK ? hk_profile_open(out, signed_object, size, names.account_key) : error;
}

/* ---- names of things ---- */

void hk_object_hash(uint8_t out[32], const void *signed_object, size_t size)
{
    hk_hash_name(out, "object", 1, &HK_BYTES(signed_object, size));
}

void hk_code_hash(uint8_t out[32], const uint8_t code[16])
{
    hk_hash_name(out, "revoke/code", 1, &HK_BYTES(code, 16));
}

void hk_gate_hash(uint8_t out[32], const uint8_t gate[32])
{
    hk_hash_name(out, "join/gate-hash", 1, &HK_BYTES(gate, 32));
}
