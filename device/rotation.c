#include "device/rotation.h"

#include <stdio.h>
#include <string.h>

#include "protocol/encoding.h"
#include "protocol/object_fields.h"

bool hk_rotation_can_sign(const struct hk_suite *suite)
{
    return suite->purpose == HK_PURPOSE_SIGN;
}

size_t hk_rotation_text(char out[HK_ROTATION_TEXT_MAX], const struct hk_rotation *rotation,
                        const uint8_t account[HK_ACCOUNT_BYTES], const struct hk_profile_key *new_key)
{
    char who[HK_HEX_SIZE(HK_ACCOUNT_BYTES)], before[HK_HEX_SIZE(HK_FORM_BYTES_MAX)],
        after[HK_HEX_SIZE(HK_FORM_BYTES_MAX)];
    uint8_t form[HK_FORM_BYTES_MAX];
    const struct hk_suite *suite = hk_suite_by_id(new_key->suite);
    suite->form(form, new_key->public_key);
    hk_hex_encode(who, account, HK_ACCOUNT_BYTES);
    hk_hex_encode(before, rotation->old_public, rotation->old_suite->form_bytes);
    hk_hex_encode(after, form, suite->form_bytes);
    int size = snprintf(
        out, HK_ROTATION_TEXT_MAX, "halfkey rotation v1\naccount %s\nold %s %s\nnew %s %s\ntime %llu\n", who,
        rotation->old_suite->name, before, suite->name, after, (unsigned long long)new_key->created);
    return (size_t)size;
}

enum hk_error hk_rotation_encode(const struct hk_rotation *rotation, uint8_t out[HK_ROTATION_ENCODED_MAX],
                                 size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, HK_ROTATION_ENCODED_MAX);
    hk_cbor_put_map(&writer, rotation->is_signed ? 4 : 3);
    hk_put_bytes_field(&writer, 1, rotation->old_id, HK_ID_BYTES);
    hk_put_uint_field(&writer, 2, (uint64_t)rotation->old_suite->id);
    hk_put_bytes_field(&writer, 3, rotation->old_public, rotation->old_suite->form_bytes);
    if (rotation->is_signed) {
        hk_put_bytes_field(&writer, 4, rotation->signature, sizeof(rotation->signature));
    }
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_rotation_decode(struct hk_rotation *out, struct hk_bytes encoded)
{
    struct hk_cbor_reader reader;
    struct hk_rotation read = {0};
    hk_cbor_reader_init(&reader, encoded.data, encoded.size);
    struct hk_fields fields = hk_fields_begin(&reader, 4);
    hk_fields_fixed(&fields, 1, read.old_id, HK_ID_BYTES);
    read.old_suite = hk_suite_by_id(hk_fields_uint(&fields, 2, UINT64_MAX));
    if (read.old_suite == NULL || read.old_suite->purpose == HK_PURPOSE_ACCOUNT) {
        return HK_BAD_ENCODING;
    }
    hk_fields_fixed(&fields, 3, read.old_public, read.old_suite->form_bytes);
    read.is_signed = hk_fields_has(&fields, 4);
    if (read.is_signed) {
        hk_fields_fixed(&fields, 4, read.signature, sizeof(read.signature));
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK && read.is_signed != hk_rotation_can_sign(read.old_suite)) {
        error = HK_BAD_ENCODING;
    }
    if (error == HK_OK) {
        *out = read;
    }
    return error;
}

enum hk_error hk_rotation_of(struct hk_rotation *out, const struct hk_profile_key *key)
{
    struct hk_attachment list[HK_ATTACHMENTS];
    size_t count;
    if (key->attachments.size == 0) {
        return HK_NOT_FOUND;
    }
    enum hk_error error = hk_attachments_decode(list, &count, key->attachments);
    for (size_t i = 0; error == HK_OK && i < count; i++) {
        if (list[i].name.size == strlen(HK_ROTATION_ATTACHMENT) &&
            memcmp(list[i].name.data, HK_ROTATION_ATTACHMENT, list[i].name.size) == 0) {
            return hk_rotation_decode(out, list[i].data);
        }
    }
    return error == HK_OK ? HK_NOT_FOUND : error;
}
