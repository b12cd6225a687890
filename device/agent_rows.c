/* Rows of lists, as agent_protocol.h describes them. */

#include <string.h>

#include "device/agent_protocol.h"
#include "protocol/object_fields.h"

enum hk_error hk_agent_key_row_encode(const struct hk_agent_key_row *row, uint8_t *out, size_t max,
                                      size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, row->policy_size != 0 ? 8 : 7);
    hk_put_bytes_field(&writer, 1, row->id, HK_ID_BYTES);
    hk_put_uint_field(&writer, 2, row->suite);
    hk_put_name_field(&writer, 3, row->name, HK_NAME_MAX);
    hk_put_uint_field(&writer, 4, row->created);
    hk_put_bytes_field(&writer, 5, row->public_key, row->public_size);
    hk_put_uint_field(&writer, 6, row->imported);
    hk_put_uint_field(&writer, 7, row->here);
    if (row->policy_size != 0) {
        hk_put_bytes_field(&writer, 8, row->policy, row->policy_size);
    }
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_agent_key_row_decode(struct hk_agent_key_row *out, struct hk_bytes encoded)
{
    struct hk_cbor_reader reader;
    struct hk_agent_key_row row = {0};
    hk_cbor_reader_init(&reader, encoded.data, encoded.size);
    struct hk_fields fields = hk_fields_begin(&reader, 8);
    hk_fields_fixed(&fields, 1, row.id, HK_ID_BYTES);
    row.suite = hk_fields_uint(&fields, 2, UINT64_MAX);
    hk_fields_name(&fields, 3, row.name, HK_NAME_MAX);
    row.created = hk_fields_uint(&fields, 4, UINT64_MAX);
    hk_fields_need(&fields, 5);
    struct hk_bytes public_key = hk_cbor_get_bytes(&reader, 32, HK_FORM_BYTES_MAX);
    if (public_key.data != NULL) {
        memcpy(row.public_key, public_key.data, public_key.size);
        row.public_size = public_key.size;
    }
    row.imported = hk_fields_uint(&fields, 6, 1) != 0;
    row.here = hk_fields_uint(&fields, 7, 1) != 0;
    if (hk_fields_has(&fields, 8)) {
        hk_fields_need(&fields, 8);
        struct hk_bytes policy = hk_cbor_get_bytes(&reader, 1, sizeof(row.policy));
        if (policy.data != NULL) {
            memcpy(row.policy, policy.data, policy.size);
            row.policy_size = policy.size;
        }
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = row;
    }
    return error;
}

enum hk_error hk_agent_device_row_encode(const struct hk_agent_device_row *row, uint8_t *out, size_t max,
                                         size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 11);
    hk_put_bytes_field(&writer, 1, row->serial, HK_ID_BYTES);
    hk_put_name_field(&writer, 2, row->name, HK_NAME_MAX);
    hk_put_uint_field(&writer, 3, (uint64_t)row->role);
    hk_put_uint_field(&writer, 4, row->is_this);
    hk_put_uint_field(&writer, 5, row->in_profile);
    hk_put_uint_field(&writer, 6, (uint64_t)row->status);
    hk_put_uint_field(&writer, 7, row->epoch);
    hk_put_uint_field(&writer, 8, row->last_use);
    hk_put_uint_field(&writer, 9, row->uses);
    hk_put_uint_field(&writer, 10, row->stale_copy_seen);
    hk_put_uint_field(&writer, 11, row->reported);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_agent_device_row_decode(struct hk_agent_device_row *out, struct hk_bytes encoded)
{
    struct hk_cbor_reader reader;
    struct hk_agent_device_row row = {0};
    hk_cbor_reader_init(&reader, encoded.data, encoded.size);
    struct hk_fields fields = hk_fields_begin(&reader, 11);
    hk_fields_fixed(&fields, 1, row.serial, HK_ID_BYTES);
    hk_fields_name(&fields, 2, row.name, HK_NAME_MAX);
    row.role = (enum hk_role)hk_fields_uint(&fields, 3, HK_ROLE_ADMIN);
    row.is_this = hk_fields_uint(&fields, 4, 1) != 0;
    row.in_profile = hk_fields_uint(&fields, 5, 1) != 0;
    row.status = (enum hk_device_status)hk_fields_uint(&fields, 6, HK_STATUS_ENROLLING);
    row.epoch = hk_fields_uint(&fields, 7, UINT64_MAX);
    row.last_use = hk_fields_uint(&fields, 8, UINT64_MAX);
    row.uses = hk_fields_uint(&fields, 9, UINT64_MAX);
    row.stale_copy_seen = hk_fields_uint(&fields, 10, UINT64_MAX);
    row.reported = hk_fields_uint(&fields, 11, UINT64_MAX);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = row;
    }
    return error;
}

enum hk_error hk_agent_change_row_encode(const struct hk_agent_change_row *row, uint8_t *out, size_t max,
                                         size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, 4);
    hk_put_uint_field(&writer, 1, row->kind);
    hk_put_name_field(&writer, 2, row->device, HK_NAME_MAX);
    hk_put_name_field(&writer, 3, row->asker, HK_NAME_MAX);
    hk_put_uint_field(&writer, 4, row->due);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_agent_change_row_decode(struct hk_agent_change_row *out, struct hk_bytes encoded)
{
    struct hk_cbor_reader reader;
    struct hk_agent_change_row row = {.due = 0};
    hk_cbor_reader_init(&reader, encoded.data, encoded.size);
    struct hk_fields fields = hk_fields_begin(&reader, 4);
    row.kind = (enum hk_change_kind)hk_fields_uint(&fields, 1, HK_CHANGE_RECOVERY);
    hk_fields_name(&fields, 2, row.device, HK_NAME_MAX);
    hk_fields_name(&fields, 3, row.asker, HK_NAME_MAX);
    row.due = hk_fields_uint(&fields, 4, UINT64_MAX);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = row;
    }
    return error;
}
