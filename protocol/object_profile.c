#include <string.h>

#include "crypto/suite.h"
#include "protocol/cbor.h"
#include "protocol/object_fields.h"

/* ---- attachments ---- */

/* Deterministic order of text keys: the shorter first, then bytewise. */
static int attachment_order(const struct hk_attachment *a, const struct hk_attachment *b)
{
    if (a->name.size != b->name.size) {
        return a->name.size < b->name.size ? -1 : 1;
    }
    return memcmp(a->name.data, b->name.data, a->name.size);
}

static void sort_attachments(struct hk_attachment *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct hk_attachment moved = list[i];
        size_t at = i;
        for (; at > 0 && attachment_order(&moved, &list[at - 1]) < 0; at--) {
            list[at] = list[at - 1];
        }
        list[at] = moved;
    }
}

enum hk_error hk_attachments_encode(struct hk_attachment *list, size_t count, uint8_t *out, size_t max,
                                    size_t *size)
{
    struct hk_cbor_writer writer;
    if (count < 1 || count > HK_ATTACHMENTS) {
        return HK_BAD_ENCODING;
    }
    sort_attachments(list, count);
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, count);
    for (size_t i = 0; i < count; i++) {
        const struct hk_bytes *name = &list[i].name;
        if (name->size < 1 || name->size > HK_NAME_MAX || !hk_text_is_printable(name->data, name->size) ||
            list[i].data.size > HK_ATTACHMENT_MAX ||
            (i > 0 && attachment_order(&list[i - 1], &list[i]) == 0)) {
            return HK_BAD_ENCODING;
        }
        hk_cbor_put_text(&writer, name->data, name->size);
        hk_cbor_put_bytes(&writer, list[i].data.data, list[i].data.size);
    }
    return hk_cbor_writer_finish(&writer, size);
}

/* Reads a map of attachments; `list` has room for HK_ATTACHMENTS. Returns how many. */
static size_t read_attachments(struct hk_cbor_reader *reader, struct hk_attachment *list)
{
    struct hk_cbor_map map;
    struct hk_cbor_item name;
    size_t count = 0;
    hk_cbor_get_map(reader, &map, HK_ATTACHMENTS);
    if (map.left == 0) { /* an empty one is left out */
        hk_cbor_fail(reader);
    }
    while (hk_cbor_map_next(reader, &map, &name)) {
        if (name.major != HK_CBOR_TEXT || name.size < 1 || name.size > HK_NAME_MAX ||
            !hk_text_is_printable(name.data, name.size)) {
            hk_cbor_fail(reader);
            break;
        }
        list[count].name = HK_BYTES(name.data, name.size);
        list[count++].data = hk_cbor_get_bytes(reader, 0, HK_ATTACHMENT_MAX);
    }
    return count;
}

enum hk_error hk_attachments_decode(struct hk_attachment *list, size_t *count, struct hk_bytes encoded)
{
    struct hk_cbor_reader reader;
    struct hk_attachment read[HK_ATTACHMENTS];
    if (encoded.size == 0) {
        *count = 0;
        return HK_OK;
    }
    hk_cbor_reader_init(&reader, encoded.data, encoded.size);
    size_t found = read_attachments(&reader, read);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        memcpy(list, read, found * sizeof(*list));
        *count = found;
    }
    return error;
}

/* ---- what holds between the parts of a profile ---- */

static bool device_is_fit(const struct hk_profile *profile, size_t i)
{
    const struct hk_profile_device *device = &profile->devices[i];
    return (unsigned)device->role <= HK_ROLE_ADMIN &&
           (i == 0 || memcmp(profile->devices[i - 1].serial, device->serial, HK_ID_BYTES) < 0);
}

static bool key_is_fit(const struct hk_profile *profile, size_t i)
{
    const struct hk_profile_key *key = &profile->keys[i];
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    if (suite == NULL || key->purpose != suite->purpose || key->public_size != suite->group->point_bytes ||
        (key->in_set && profile->recovery.count == 0) ||
        (i > 0 && memcmp(profile->keys[i - 1].id, key->id, HK_ID_BYTES) >= 0)) {
        return false;
    }
    for (size_t other = 0; other < i; other++) {
        if (strcmp(profile->keys[other].name, key->name) == 0) {
            return false;
        }
    }
    return true;
}

static bool set_is_fit(const struct hk_profile *profile)
{
    const struct hk_recovery_set *set = &profile->recovery;
    if (set->count == 0) {
        return true;
    }
    if (set->count > HK_RECOVERY_HOLDERS || set->threshold < 2 || set->threshold > set->count) {
        return false;
    }
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (memcmp(set->holders[i].key, set->holders[j].key, 32) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool is_fit(const struct hk_profile *profile)
{
    static const uint8_t none[32];
    if (profile->version == 0 ||
        (profile->version == 1 && memcmp(profile->previous, none, sizeof(none)) != 0) ||
        profile->device_count > HK_DEVICES || profile->key_count > HK_KEYS_MAX) {
        return false;
    }
    for (size_t i = 0; i < profile->device_count; i++) {
        if (!device_is_fit(profile, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < profile->key_count; i++) {
        if (!key_is_fit(profile, i)) {
            return false;
        }
    }
    return set_is_fit(profile);
}

/* ---- encoding ---- */

static void put_device(struct hk_cbor_writer *writer, const struct hk_profile_device *device)
{
    hk_cbor_put_map(writer, 6);
    hk_put_bytes_field(writer, 1, device->serial, HK_ID_BYTES);
    hk_put_bytes_field(writer, 2, device->static_key, 32);
    hk_put_name_field(writer, 3, device->name, HK_NAME_MAX);
    hk_put_bytes_field(writer, 4, device->report_key, 32);
    hk_put_uint_field(writer, 5, device->role);
    hk_put_bytes_field(writer, 6, device->code_hash, 32);
}

static void put_key(struct hk_cbor_writer *writer, const struct hk_profile_key *key)
{
    struct hk_attachment list[HK_ATTACHMENTS];
    size_t count;
    hk_cbor_put_map(writer, (key->attachments.size == 0 ? 7u : 8u) + (key->in_set ? 1u : 0u));
    hk_put_bytes_field(writer, 1, key->id, HK_ID_BYTES);
    hk_put_uint_field(writer, 2, key->suite);
    hk_put_uint_field(writer, 3, key->purpose);
    hk_put_bytes_field(writer, 4, key->public_key, key->public_size);
    hk_put_uint_field(writer, 5, key->created);
    hk_put_name_field(writer, 6, key->name, HK_NAME_MAX);
    hk_put_uint_field(writer, 7, key->imported ? 1 : 0);
    if (hk_attachments_decode(list, &count, key->attachments) != HK_OK) {
        writer->error = HK_BAD_ENCODING;
    } else if (key->attachments.size != 0) {
        hk_cbor_put_uint(writer, 8);
        hk_cbor_put_raw(writer, key->attachments.data, key->attachments.size);
    }
    if (key->in_set) {
        hk_put_bytes_field(writer, 9, key->set_transcript, 32);
    }
}

static void put_set(struct hk_cbor_writer *writer, const struct hk_recovery_set *set)
{
    hk_cbor_put_map(writer, 5);
    hk_put_bytes_field(writer, 1, set->id, HK_ID_BYTES);
    hk_put_uint_field(writer, 2, set->created);
    hk_put_uint_field(writer, 3, set->threshold);
    hk_cbor_put_uint(writer, 4);
    hk_cbor_put_array(writer, set->count);
    for (size_t i = 0; i < set->count; i++) {
        hk_cbor_put_map(writer, 2);
        hk_put_bytes_field(writer, 1, set->holders[i].key, 32);
        hk_put_name_field(writer, 2, set->holders[i].name, HK_NAME_MAX);
    }
    hk_put_bytes_field(writer, 5, set->account_transcript, 32);
}

enum hk_error hk_profile_encode(const struct hk_profile *profile, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    if (!is_fit(profile)) {
        return HK_BAD_ENCODING;
    }
    hk_cbor_writer_init(&writer, out, max < HK_PAYLOAD_MAX ? max : HK_PAYLOAD_MAX);
    hk_cbor_put_map(&writer, (profile->version == 1 ? 7u : 8u) + (profile->recovery.count != 0 ? 1u : 0u));
    hk_put_bytes_field(&writer, 1, profile->account, HK_ACCOUNT_BYTES);
    hk_put_uint_field(&writer, 2, profile->version);
    if (profile->version != 1) {
        hk_put_bytes_field(&writer, 3, profile->previous, 32);
    }
    hk_put_uint_field(&writer, 4, profile->time);
    hk_put_bytes_field(&writer, 5, profile->account_key, 32);
    hk_cbor_put_uint(&writer, 6);
    hk_cbor_put_map(&writer, 3);
    hk_put_bytes_field(&writer, 1, profile->service_key, 32);
    hk_put_bytes_field(&writer, 2, profile->identity_key, 32);
    hk_put_name_field(&writer, 3, profile->address, HK_ADDRESS_MAX);
    hk_cbor_put_uint(&writer, 7);
    hk_cbor_put_array(&writer, profile->device_count);
    for (size_t i = 0; i < profile->device_count; i++) {
        put_device(&writer, &profile->devices[i]);
    }
    hk_cbor_put_uint(&writer, 8);
    hk_cbor_put_array(&writer, profile->key_count);
    for (size_t i = 0; i < profile->key_count; i++) {
        put_key(&writer, &profile->keys[i]);
    }
    if (profile->recovery.count != 0) {
        hk_cbor_put_uint(&writer, 9);
        put_set(&writer, &profile->recovery);
    }
    return hk_cbor_writer_finish(&writer, size);
}

/* ---- decoding ---- */

static void get_device(struct hk_cbor_reader *reader, struct hk_profile_device *device)
{
    struct hk_fields fields = hk_fields_begin(reader, 6);
    hk_fields_fixed(&fields, 1, device->serial, HK_ID_BYTES);
    hk_fields_fixed(&fields, 2, device->static_key, 32);
    hk_fields_name(&fields, 3, device->name, HK_NAME_MAX);
    hk_fields_fixed(&fields, 4, device->report_key, 32);
    device->role = (enum hk_role)hk_fields_uint(&fields, 5, HK_ROLE_ADMIN);
    hk_fields_fixed(&fields, 6, device->code_hash, 32);
    hk_fields_end(&fields);
}

static void get_key(struct hk_cbor_reader *reader, struct hk_profile_key *key)
{
    struct hk_attachment list[HK_ATTACHMENTS];
    struct hk_fields fields = hk_fields_begin(reader, 9);
    hk_fields_fixed(&fields, 1, key->id, HK_ID_BYTES);
    key->suite = hk_fields_uint(&fields, 2, UINT64_MAX);
    key->purpose = hk_fields_uint(&fields, 3, UINT64_MAX);
    hk_fields_need(&fields, 4);
    struct hk_bytes public_key = hk_cbor_get_bytes(reader, 32, HK_PUBLIC_MAX);
    if (public_key.data != NULL) {
        memcpy(key->public_key, public_key.data, public_key.size);
    }
    key->public_size = public_key.size;
    key->created = hk_fields_uint(&fields, 5, UINT64_MAX);
    hk_fields_name(&fields, 6, key->name, HK_NAME_MAX);
    key->imported = hk_fields_uint(&fields, 7, 1) == 1;
    if (hk_fields_has(&fields, 8)) {
        hk_fields_need(&fields, 8);
        const uint8_t *start = reader->at;
        (void)read_attachments(reader, list);
        key->attachments = HK_BYTES(start, (size_t)(reader->at - start));
    }
    key->in_set = hk_fields_has(&fields, 9);
    if (key->in_set) {
        hk_fields_fixed(&fields, 9, key->set_transcript, 32);
    }
    hk_fields_end(&fields);
}

static void get_set(struct hk_cbor_reader *reader, struct hk_recovery_set *set)
{
    struct hk_fields fields = hk_fields_begin(reader, 5);
    hk_fields_fixed(&fields, 1, set->id, HK_ID_BYTES);
    set->created = hk_fields_uint(&fields, 2, UINT64_MAX);
    set->threshold = (size_t)hk_fields_uint(&fields, 3, HK_RECOVERY_HOLDERS);
    hk_fields_need(&fields, 4);
    set->count = (size_t)hk_cbor_get_array(reader, HK_RECOVERY_HOLDERS);
    if (set->count == 0) { /* none is left out */
        hk_cbor_fail(reader);
    }
    for (size_t i = 0; i < set->count; i++) {
        struct hk_fields holder = hk_fields_begin(reader, 2);
        hk_fields_fixed(&holder, 1, set->holders[i].key, 32);
        hk_fields_name(&holder, 2, set->holders[i].name, HK_NAME_MAX);
        hk_fields_end(&holder);
    }
    hk_fields_fixed(&fields, 5, set->account_transcript, 32);
    hk_fields_end(&fields);
}

/* Fields 1 to 5. */
static void get_front(struct hk_fields *fields, struct hk_profile_names *names, uint64_t *version,
                      uint8_t previous[32], uint64_t *time)
{
    hk_fields_fixed(fields, 1, names->account, HK_ACCOUNT_BYTES);
    *version = hk_fields_uint(fields, 2, UINT64_MAX);
    memset(previous, 0, 32);
    if (*version != 1) {
        hk_fields_fixed(fields, 3, previous, 32);
    }
    *time = hk_fields_uint(fields, 4, UINT64_MAX);
    hk_fields_fixed(fields, 5, names->account_key, 32);
}

enum hk_error hk_profile_names(struct hk_profile_names *out, const void *payload, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_profile_names names;
    uint64_t version, time;
    uint8_t previous[32];
    hk_cbor_reader_init(&reader, payload, size);
    struct hk_fields fields = hk_fields_begin(&reader, 9);
    get_front(&fields, &names, &version, previous, &time);
    if (reader.error == HK_OK) {
        *out = names;
    }
    return reader.error;
}

enum hk_error hk_profile_decode(struct hk_profile *out, const void *payload, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_profile_names names = {.account = {0}};
    memset(out, 0, sizeof(*out));
    hk_cbor_reader_init(&reader, payload, size);
    struct hk_fields fields = hk_fields_begin(&reader, 9);
    get_front(&fields, &names, &out->version, out->previous, &out->time);
    memcpy(out->account, names.account, sizeof(out->account));
    memcpy(out->account_key, names.account_key, sizeof(out->account_key));
    hk_fields_need(&fields, 6);
    struct hk_fields service = hk_fields_begin(&reader, 3);
    hk_fields_fixed(&service, 1, out->service_key, 32);
    hk_fields_fixed(&service, 2, out->identity_key, 32);
    hk_fields_name(&service, 3, out->address, HK_ADDRESS_MAX);
    hk_fields_end(&service);
    hk_fields_need(&fields, 7);
    out->device_count = (size_t)hk_cbor_get_array(&reader, HK_DEVICES);
    for (size_t i = 0; i < out->device_count; i++) {
        get_device(&reader, &out->devices[i]);
    }
    hk_fields_need(&fields, 8);
    out->key_count = (size_t)hk_cbor_get_array(&reader, HK_KEYS_MAX);
    for (size_t i = 0; i < out->key_count; i++) {
        get_key(&reader, &out->keys[i]);
    }
    if (hk_fields_has(&fields, 9)) {
        hk_fields_need(&fields, 9);
        get_set(&reader, &out->recovery);
    }
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK && (size > HK_PAYLOAD_MAX || !is_fit(out))) {
        error = HK_BAD_ENCODING;
    }
    if (error != HK_OK) {
        memset(out, 0, sizeof(*out));
    }
    return error;
}
