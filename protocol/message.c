#include "protocol/message.h"

#include <assert.h>
#include <string.h>

#include "protocol/cbor.h"

struct field_row {
    enum hk_field_type type;
    size_t min, max;
};

static const struct field_row fields[] = {
#define ROW(id, number, name, type, min, max) [id] = {type, min, max},
    HK_FIELDS(ROW)
#undef ROW
};
static_assert(sizeof(fields) / sizeof(*fields) == HK_FIELD_COUNT, "fields are numbered without gaps");
static_assert(HK_FIELD_COUNT <= 128, "a set of fields is 128 bits");

#define OF_DEVICE_REQUIRED (HK_BIT(HK_F_ACCOUNT) | HK_BIT(HK_F_EPOCH) | HK_BIT(HK_F_TAG))
#define OF_DEVICE_OPTIONAL (HK_BIT(HK_F_REPORT) | HK_BIT(HK_F_REVOCATIONS))
#define OF_ANSWER (HK_BIT(HK_F_REQUEST) | HK_BIT(HK_F_ERROR))

/* Only where every caller is a device are the device's own fields required by the row; where strangers may
 * ask too they are optional in it, and hk_message_check_request decides by the caller. */
#define ALL_DEVICES(callers) (((callers) & ~(unsigned)HK_ANY_DEVICE) == 0)
#define SOME_DEVICES(callers) (((callers) & (unsigned)HK_ANY_DEVICE) != 0)

static const struct hk_op_row ops[] = {
#define B HK_BIT
#define ROW(id, number, name, callers, request, optional, answer, answer_optional)                           \
    {id,                                                                                                     \
     name,                                                                                                   \
     (callers),                                                                                              \
     B(HK_F_OP) | B(HK_F_REQUEST) | (request) | (ALL_DEVICES(callers) ? OF_DEVICE_REQUIRED : 0),             \
     (optional) | (SOME_DEVICES(callers) ? OF_DEVICE_OPTIONAL : 0) |                                         \
         (SOME_DEVICES(callers) && !ALL_DEVICES(callers) ? OF_DEVICE_REQUIRED & ~(hk_field_set)(request)     \
                                                         : 0),                                               \
     OF_ANSWER | (answer),                                                                                   \
     (answer_optional) | (SOME_DEVICES(callers) ? B(HK_F_WARNING) : 0)},
    HK_OPS(ROW)
#undef ROW
#undef B
};

const struct hk_op_row *hk_op_row(uint64_t op)
{
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
        if (ops[i].op == op) {
            return &ops[i];
        }
    }
    return NULL;
}

/* ---- building ---- */

void hk_message_init(struct hk_message *message)
{
    message->present = 0;
    message->pooled = 0;
    memset(message->value, 0, sizeof(message->value));
}

static struct hk_value *set(struct hk_message *message, enum hk_field field, enum hk_field_type type)
{
    assert((unsigned)field < HK_FIELD_COUNT);
    assert(fields[field].type == type);
    (void)type;
    message->present |= HK_BIT(field);
    message->value[field] = (struct hk_value){.number = 0};
    return &message->value[field];
}

void hk_message_set_u64(struct hk_message *message, enum hk_field field, uint64_t number)
{
    set(message, field, HK_U64)->number = number;
}

void hk_message_set_bytes(struct hk_message *message, enum hk_field field, const void *data, size_t size)
{
    struct hk_value *value = set(message, field, HK_BSTR);
    value->data = data;
    value->size = size;
}

void hk_message_set_text(struct hk_message *message, enum hk_field field, const char *text)
{
    struct hk_value *value = set(message, field, HK_TSTR);
    value->data = (const uint8_t *)text;
    value->size = strlen(text);
}

void hk_message_set_list(struct hk_message *message, enum hk_field field, const struct hk_bytes *items,
                         size_t count)
{
    struct hk_value *value = set(message, field, HK_LIST);
    value->items = items;
    value->count = count;
}

void hk_message_set_array(struct hk_message *message, enum hk_field field, const void *elements, size_t size,
                          size_t count)
{
    struct hk_value *value = set(message, field, HK_LIST);
    value->items = message->pool + message->pooled;
    value->count = count;
    if (count > HK_ITEMS_MAX - message->pooled) {
        value->count = HK_ITEMS_MAX + 1; /* refused when it is encoded */
        return;
    }
    for (size_t i = 0; i < count; i++) {
        message->pool[message->pooled++] = HK_BYTES((const uint8_t *)elements + i * size, size);
    }
}

void hk_message_append(struct hk_message *message, enum hk_field field, const void *data, size_t size)
{
    struct hk_value *value = &message->value[field];
    assert(hk_message_has(message, field) && fields[field].type == HK_LIST);
    if (value->count == 0) {
        value->items = message->pool + message->pooled;
    }
    if (message->pooled == HK_ITEMS_MAX) {
        value->count = HK_ITEMS_MAX + 1; /* refused when it is encoded */
        return;
    }
    assert(value->items + value->count == message->pool + message->pooled);
    message->pool[message->pooled++] = HK_BYTES(data, size);
    value->count++;
}

bool hk_message_has(const struct hk_message *message, enum hk_field field)
{
    return (message->present & HK_BIT(field)) != 0;
}

/* ---- encoding ---- */

static bool fits(const struct field_row *row, size_t size)
{
    return size >= row->min && size <= row->max;
}

static enum hk_error put_value(struct hk_cbor_writer *writer, const struct field_row *row,
                               const struct hk_value *value)
{
    switch (row->type) {
    case HK_U64:
        hk_cbor_put_uint(writer, value->number);
        return HK_OK;
    case HK_BSTR:
        hk_cbor_put_bytes(writer, value->data, value->size);
        return fits(row, value->size) ? HK_OK : HK_BAD_ENCODING;
    case HK_TSTR:
        hk_cbor_put_text(writer, value->data, value->size);
        return fits(row, value->size) && hk_text_is_printable(value->data, value->size) ? HK_OK
                                                                                        : HK_BAD_ENCODING;
    case HK_LIST:
        if (value->count > HK_ITEMS_MAX) {
            return HK_TOO_LARGE;
        }
        hk_cbor_put_array(writer, value->count);
        for (size_t i = 0; i < value->count; i++) {
            if (!fits(row, value->items[i].size)) {
                return HK_BAD_ENCODING;
            }
            hk_cbor_put_bytes(writer, value->items[i].data, value->items[i].size);
        }
        return HK_OK;
    }
    return HK_BAD_ENCODING;
}

static uint64_t count_fields(hk_field_set set)
{
    return (uint64_t)(__builtin_popcountll((uint64_t)set) + __builtin_popcountll((uint64_t)(set >> 64)));
}

enum hk_error hk_message_encode(const struct hk_message *message, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    size_t items = 0;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, count_fields(message->present));
    for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
        if ((message->present & HK_BIT(field)) == 0) {
            continue;
        }
        hk_cbor_put_uint(&writer, field);
        enum hk_error error = put_value(&writer, &fields[field], &message->value[field]);
        items += message->value[field].count;
        if (error != HK_OK || items > HK_ITEMS_MAX) {
            return error != HK_OK ? error : HK_TOO_LARGE;
        }
    }
    return hk_cbor_writer_finish(&writer, size);
}

/* ---- decoding ---- */

static void get_list(struct hk_cbor_reader *reader, const struct field_row *row, struct hk_message *message,
                     struct hk_value *value)
{
    value->items = message->pool + message->pooled;
    value->count = (size_t)hk_cbor_get_array(reader, HK_ITEMS_MAX - message->pooled);
    for (size_t i = 0; i < value->count; i++) {
        message->pool[message->pooled++] = hk_cbor_get_bytes(reader, row->min, row->max);
    }
}

static void get_value(struct hk_cbor_reader *reader, const struct field_row *row, struct hk_message *message,
                      struct hk_value *value)
{
    struct hk_bytes bytes = {NULL, 0};
    switch (row->type) {
    case HK_U64:
        value->number = hk_cbor_get_uint(reader);
        break;
    case HK_BSTR:
        bytes = hk_cbor_get_bytes(reader, row->min, row->max);
        break;
    case HK_TSTR:
        bytes = hk_cbor_get_text(reader, row->min, row->max);
        if (!hk_text_is_printable(bytes.data, bytes.size)) {
            hk_cbor_fail(reader);
        }
        break;
    case HK_LIST:
        get_list(reader, row, message, value);
        break;
    }
    value->data = bytes.data;
    value->size = bytes.size;
}

enum hk_error hk_message_decode(struct hk_message *message, const uint8_t *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    uint64_t field;
    hk_message_init(message);
    hk_cbor_reader_init(&reader, data, size);
    hk_cbor_get_map(&reader, &map, HK_FIELD_COUNT);
    while (hk_cbor_map_next_uint(&reader, &map, &field)) {
        if (field >= HK_FIELD_COUNT) {
            hk_cbor_fail(&reader);
            break;
        }
        message->present |= HK_BIT(field);
        get_value(&reader, &fields[field], message, &message->value[field]);
    }
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error != HK_OK) {
        hk_message_init(message);
    }
    return error;
}

/* ---- holding a message against its operation ---- */

static bool has_exactly(const struct hk_message *message, hk_field_set required, hk_field_set optional)
{
    return (required & ~message->present) == 0 && (message->present & ~(required | optional)) == 0;
}

enum hk_error hk_message_check_request(const struct hk_message *message, enum hk_caller caller,
                                       const struct hk_op_row **row)
{
    if (!hk_message_has(message, HK_F_OP)) {
        return HK_BAD_ENCODING;
    }
    const struct hk_op_row *found = hk_op_row(message->value[HK_F_OP].number);
    if (found == NULL) {
        return HK_UNKNOWN_OP;
    }
    if ((found->callers & (unsigned)caller) == 0) {
        return HK_NOT_ALLOWED;
    }
    hk_field_set required = found->request, optional = found->request_optional;
    if (((unsigned)caller & (unsigned)HK_ANY_DEVICE) != 0) {
        required |= OF_DEVICE_REQUIRED;
        optional |= OF_DEVICE_OPTIONAL;
    } else {
        optional &= ~(OF_DEVICE_REQUIRED | OF_DEVICE_OPTIONAL);
    }
    if (!has_exactly(message, required, optional)) {
        return HK_BAD_ENCODING;
    }
    *row = found;
    return HK_OK;
}

/* Errors that travel; what the device says to itself does not. */
static bool is_wire_error(uint64_t number)
{
#define KNOWN(id, value, name, sentence)                                                                     \
    if ((value) < 40 && number == (value)) {                                                                 \
        return true;                                                                                         \
    }
    HK_ERRORS(KNOWN)
#undef KNOWN
    return false;
}

enum hk_error hk_message_check_answer(const struct hk_message *message, const struct hk_op_row *row,
                                      const uint8_t request_id[HK_ID_BYTES])
{
    uint64_t error = message->value[HK_F_ERROR].number;
    hk_field_set required = error == 0 ? row->answer : OF_ANSWER;
    hk_field_set optional = error == 0 ? row->answer_optional : row->answer_optional & HK_BIT(HK_F_WARNING);
    if (!has_exactly(message, required, optional) || !is_wire_error(error) ||
        memcmp(message->value[HK_F_REQUEST].data, request_id, HK_ID_BYTES) != 0) {
        return HK_BAD_PEER;
    }
    return (enum hk_error)error;
}
