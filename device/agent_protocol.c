#include "device/agent_protocol.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/cbor.h"

struct field_row {
    bool known; /* numbers may have gaps */
    enum hk_field_type type;
    size_t min, max;
};
static const struct field_row rows[HK_AGENT_FIELD_COUNT] = {
#define ROW(id, number, type, min, max) [number] = {true, type, min, max},
    HK_AGENT_FIELDS(ROW)
#undef ROW
};

void hk_agent_message_init(struct hk_agent_message *message)
{
    message->present = 0;
    message->pooled = 0;
}

void hk_agent_set_u64(struct hk_agent_message *message, enum hk_agent_field field, uint64_t number)
{
    message->value[field] = (struct hk_value){.number = number};
    message->present |= HK_BIT(field);
}

void hk_agent_set_bytes(struct hk_agent_message *message, enum hk_agent_field field, const void *data,
                        size_t size)
{
    message->value[field] = (struct hk_value){.data = data, .size = size};
    message->present |= HK_BIT(field);
}

void hk_agent_set_text(struct hk_agent_message *message, enum hk_agent_field field, const char *text)
{
    hk_agent_set_bytes(message, field, text, strlen(text));
}

bool hk_agent_add(struct hk_agent_message *message, enum hk_agent_field field, const void *data, size_t size)
{
    struct hk_value *value = &message->value[field];
    if (message->pooled == HK_AGENT_ITEMS_MAX) {
        return false;
    }
    if (!hk_agent_has(message, field)) {
        *value = (struct hk_value){.items = &message->pool[message->pooled]};
        message->present |= HK_BIT(field);
    }
    message->pool[message->pooled++] = HK_BYTES(data, size);
    value->count++;
    return true;
}

bool hk_agent_has(const struct hk_agent_message *message, enum hk_agent_field field)
{
    return (message->present & HK_BIT(field)) != 0;
}

uint64_t hk_agent_u64(const struct hk_agent_message *message, enum hk_agent_field field)
{
    return hk_agent_has(message, field) ? message->value[field].number : 0;
}

void hk_agent_text(const struct hk_agent_message *message, enum hk_agent_field field, char *out, size_t max)
{
    const struct hk_value *value = &message->value[field];
    size_t size = hk_agent_has(message, field) && value->size < max ? value->size : 0;
    if (size != 0) {
        memcpy(out, value->data, size);
    }
    out[size] = '\0';
}

static bool fits(const struct field_row *row, size_t size)
{
    return size >= row->min && size <= row->max;
}

static bool put_value(struct hk_cbor_writer *writer, const struct field_row *row,
                      const struct hk_value *value)
{
    bool good = true;
    switch (row->type) {
    case HK_U64:
        hk_cbor_put_uint(writer, value->number);
        break;
    case HK_BSTR:
        hk_cbor_put_bytes(writer, value->data, value->size);
        good = fits(row, value->size);
        break;
    case HK_TSTR:
        hk_cbor_put_text(writer, value->data, value->size);
        good = fits(row, value->size) && hk_text_is_printable(value->data, value->size);
        break;
    case HK_LIST:
        hk_cbor_put_array(writer, value->count);
        for (size_t i = 0; i < value->count; i++) {
            hk_cbor_put_bytes(writer, value->items[i].data, value->items[i].size);
            good = good && fits(row, value->items[i].size);
        }
        break;
    }
    return good;
}

enum hk_error hk_agent_encode(const struct hk_agent_message *message, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_map(&writer, (uint64_t)(__builtin_popcountll((uint64_t)message->present) +
                                        __builtin_popcountll((uint64_t)(message->present >> 64))));
    for (unsigned field = 0; field < HK_AGENT_FIELD_COUNT; field++) {
        if ((message->present & HK_BIT(field)) != 0) {
            hk_cbor_put_uint(&writer, field);
            if (!put_value(&writer, &rows[field], &message->value[field])) {
                return HK_BAD_ENCODING;
            }
        }
    }
    return hk_cbor_writer_finish(&writer, size);
}

static void get_value(struct hk_cbor_reader *reader, const struct field_row *row,
                      struct hk_agent_message *message, struct hk_value *value)
{
    struct hk_bytes span = {NULL, 0};
    switch (row->type) {
    case HK_U64:
        value->number = hk_cbor_get_uint(reader);
        return;
    case HK_BSTR:
        span = hk_cbor_get_bytes(reader, row->min, row->max);
        break;
    case HK_TSTR:
        span = hk_cbor_get_text(reader, row->min, row->max);
        if (!hk_text_is_printable(span.data, span.size)) {
            hk_cbor_fail(reader);
        }
        break;
    case HK_LIST:
        value->count = (size_t)hk_cbor_get_array(reader, HK_AGENT_ITEMS_MAX - message->pooled);
        value->items = &message->pool[message->pooled];
        for (size_t i = 0; i < value->count && reader->error == HK_OK; i++) {
            message->pool[message->pooled++] = hk_cbor_get_bytes(reader, row->min, row->max);
        }
        return;
    }
    value->data = span.data;
    value->size = span.size;
}

enum hk_error hk_agent_decode(struct hk_agent_message *message, const uint8_t *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    uint64_t field;
    hk_agent_message_init(message);
    hk_cbor_reader_init(&reader, data, size);
    hk_cbor_get_map(&reader, &map, HK_AGENT_FIELD_COUNT);
    while (hk_cbor_map_next_uint(&reader, &map, &field)) {
        if (field >= HK_AGENT_FIELD_COUNT || !rows[field].known) {
            hk_cbor_fail(&reader);
            break;
        }
        message->value[field] = (struct hk_value){0};
        get_value(&reader, &rows[field], message, &message->value[field]);
        message->present |= HK_BIT(field);
    }
    return hk_cbor_reader_finish(&reader);
}

/* ---- frames ---- */

/* Head and body leave together: who waits is woken once. */
enum hk_error hk_agent_send(int fd, const uint8_t *data, size_t size)
{
    uint8_t head[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    struct iovec parts[2] = {{head, sizeof(head)}, {(void *)(uintptr_t)data, size}};
    if (size > HK_AGENT_FRAME_MAX) {
        return HK_TOO_LARGE;
    }
    size_t done = 0, whole = sizeof(head) + size;
    while (done < whole) {
        size_t first = done < sizeof(head) ? 0 : 1, skip = first == 0 ? done : done - sizeof(head);
        struct iovec left[2] = {parts[first], parts[1]};
        left[0].iov_base = (uint8_t *)left[0].iov_base + skip;
        left[0].iov_len -= skip;
        struct msghdr message = {.msg_iov = left, .msg_iovlen = 2 - first};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return HK_IO;
        }
        done += (size_t)sent;
    }
    return HK_OK;
}

/* HK_NOT_FOUND at an end before the first byte. */
static enum hk_error receive_all(int fd, uint8_t *out, size_t size, int timeout_ms)
{
    size_t have = 0;
    while (have < size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = timeout_ms > 0 ? poll(&wait, 1, timeout_ms) : 1;
        ssize_t got = ready > 0 ? recv(fd, out + have, size - have, 0) : -1;
        if (ready == 0) {
            return HK_TIMEOUT;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 && have == 0 ? HK_NOT_FOUND : HK_IO;
        }
        have += (size_t)got;
    }
    return HK_OK;
}

enum hk_error hk_agent_receive(int fd, uint8_t *out, size_t max, size_t *size, int timeout_ms)
{
    uint8_t head[4];
    enum hk_error error = receive_all(fd, head, sizeof(head), timeout_ms);
    if (error != HK_OK) {
        return error;
    }
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (length > max || length > HK_AGENT_FRAME_MAX) {
        return HK_TOO_LARGE;
    }
    error = receive_all(fd, out, length, timeout_ms);
    if (error == HK_OK) {
        *size = length;
    }
    return error == HK_NOT_FOUND ? HK_IO : error;
}
