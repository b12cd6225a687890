#include "device/age.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "device/age_armor.h"
#include "device/age_payload.h"
#include "protocol/encoding.h"

const char *hk_age_outcome_name(enum hk_age_outcome outcome)
{
#define NAME(id, name, sentence) name,
    static const char *const names[] = {HK_AGE_OUTCOMES(NAME)};
#undef NAME
    return names[outcome];
}

const char *hk_age_outcome_sentence(enum hk_age_outcome outcome)
{
#define SENTENCE(id, name, sentence) sentence,
    static const char *const sentences[] = {HK_AGE_OUTCOMES(SENTENCE)};
#undef SENTENCE
    return sentences[outcome];
}

/* ---- the header ---- */

struct header {
    uint8_t *bytes; /* as read, up to and including "---" */
    size_t size, room;
    struct hk_age_wrap *wraps;
    size_t wrap_count, wrap_room;
    size_t stanzas;
    bool has_scrypt;
    uint8_t mac[HK_AGE_MAC_BYTES];
    struct hk_stanza stanza;
};

static void header_free(struct header *header)
{
    if (!header)
        return;
    free(header->bytes);
    free(header->wraps);
    free(header);
}

static enum hk_error keep_line(void *context, const char *line, size_t size)
{
    struct header *header = context;
    if (size > HK_AGE_HEADER_MAX - header->size)
        return HK_BAD_ENCODING;
    if (header->size + size > header->room) {
        size_t room = header->room ? 2 * header->room : 4096;
        while (room < header->size + size)
            room *= 2;
        uint8_t *bytes = realloc(header->bytes, room);
        if (!bytes)
            return HK_NO_MEMORY;
        header->bytes = bytes;
        header->room = room;
    }
    memcpy(header->bytes + header->size, line, size);
    header->size += size;
    return HK_OK;
}

static enum hk_error keep_wrap(struct header *header)
{
    if (header->wrap_count == header->wrap_room) {
        size_t room = header->wrap_room ? 2 * header->wrap_room : 16;
        struct hk_age_wrap *wraps = realloc(header->wraps, room * sizeof *wraps);
        if (!wraps)
            return HK_NO_MEMORY;
        header->wraps = wraps;
        header->wrap_room = room;
    }
    enum hk_error error = hk_age_parse_wrap(&header->wraps[header->wrap_count], &header->stanza);
    if (error)
        return HK_BAD_ENCODING;
    header->wrap_count++;
    return HK_OK;
}

/* "--- " and the MAC. */
static enum hk_error read_mac(struct header *header, const char *line, size_t size)
{
    size_t n = 0;
    if (size < 4 || memcmp(line, "--- ", 4) != 0)
        return HK_BAD_ENCODING;
    if (hk_base64_decode(header->mac, sizeof header->mac, &n, line + 4, size - 4, HK_BASE64_RAW) ||
        n != sizeof header->mac)
        return HK_BAD_ENCODING;
    return keep_line(header, line, 3);
}

static enum hk_error read_stanza(struct header *header, struct hk_lines *lines, const char *line, size_t size)
{
    struct hk_line_tap tap = {keep_line, header};
    enum hk_error error = keep_line(header, line, size + 1);
    if (!error)
        error = hk_stanza_open(&header->stanza, line, size);
    if (!error)
        error = hk_stanza_body(&header->stanza, lines, &tap);
    if (error)
        return error;
    header->stanzas++;
    if (strcmp(header->stanza.argument[0], "scrypt") == 0)
        header->has_scrypt = true;
    return hk_age_is_native(&header->stanza) ? keep_wrap(header) : HK_OK;
}

/* A line with its '\n', as every line of a header has one. */
static enum hk_error next_line(struct hk_lines *lines, const char **line, size_t *size)
{
    bool whole = false;
    enum hk_error error = hk_lines_next(lines, line, size, &whole);
    if (error == HK_TOO_LARGE || (!error && !whole))
        return HK_BAD_ENCODING;
    return error;
}

static enum hk_error read_header(struct header *header, struct hk_lines *lines)
{
    const char *line;
    size_t size;
    enum hk_error error = next_line(lines, &line, &size);
    if (error)
        return error;
    if (size != strlen(HK_AGE_INTRO) || memcmp(line, HK_AGE_INTRO, size) != 0)
        return HK_BAD_ENCODING;
    error = keep_line(header, line, size + 1);
    while (!error) {
        error = next_line(lines, &line, &size);
        if (error)
            return error;
        if (size >= 3 && memcmp(line, "---", 3) == 0) {
            error = read_mac(header, line, size);
            break;
        }
        error = read_stanza(header, lines, line, size);
    }
    if (error)
        return error;
    /* A passphrase stands alone, or somebody who knows only it could have made the file for others. */
    bool alone = !header->has_scrypt || header->stanzas == 1;
    return header->stanzas > 0 && alone ? HK_OK : HK_BAD_ENCODING;
}

/* ---- reading a file ---- */

/* Remembers whether it was the armor that failed, so that the layers above need not know of it. */
struct input {
    struct hk_armor_reader armor;
    struct hk_lines raw, lines;
    bool armored, armor_failed;
};

static enum hk_error read_input(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct input *input = context;
    if (!input->armored)
        return hk_lines_read(&input->raw, out, max, got);
    enum hk_error error = hk_armor_read(&input->armor, out, max, got);
    if (error == HK_BAD_ENCODING)
        input->armor_failed = true;
    return error;
}

static enum hk_error open_input(struct input *input, const struct hk_source *source)
{
    const uint8_t *start;
    size_t size;
    hk_lines_init(&input->raw, *source);
    hk_lines_init(&input->lines, (struct hk_source){read_input, input});
    hk_armor_reader_init(&input->armor, &input->raw);
    input->armor_failed = false;
    enum hk_error error = hk_lines_peek(&input->raw, 1200, &start, &size);
    input->armored = !error && hk_armor_looks_like(start, size);
    return error;
}

static enum hk_age_outcome fail(const struct input *input, enum hk_error happened,
                                enum hk_age_outcome outcome, enum hk_error *error)
{
    if (input->armor_failed)
        return HK_AGE_ARMOR_FAILURE;
    if (happened == HK_BAD_ENCODING || happened == HK_AUTH)
        return outcome;
    *error = happened;
    return HK_AGE_OTHER_FAILURE;
}

static enum hk_age_outcome decrypt(struct input *input, struct header *header, const struct hk_sink *sink,
                                   const struct hk_age_keys *keys, uint8_t (*file_key)[HK_AGE_FILE_KEY_BYTES],
                                   enum hk_error *error)
{
    struct hk_source rest = {hk_lines_read, &input->lines};
    uint8_t mac[HK_AGE_MAC_BYTES], nonce[HK_AGE_NONCE_BYTES], key[32];
    HK_WIPE_AT_EXIT(key);
    bool opened = false;
    size_t got = 0;
    enum hk_error happened = read_header(header, &input->lines);
    if (happened)
        return fail(input, happened, HK_AGE_HEADER_FAILURE, error);
    if (header->wrap_count > 0)
        happened = hk_age_unwrap(keys, header->wraps, header->wrap_count, file_key, &opened);
    if (happened) {
        *error = happened;
        return HK_AGE_OTHER_FAILURE;
    }
    if (!opened)
        return HK_AGE_NO_MATCH;
    hk_age_header_mac(mac, *file_key, header->bytes, header->size);
    if (!hk_equal(mac, header->mac, sizeof mac))
        return HK_AGE_HMAC_FAILURE;
    happened = hk_read_all(&rest, nonce, sizeof nonce, &got);
    if (happened || got < sizeof nonce)
        return fail(input, happened ? happened : HK_BAD_ENCODING, HK_AGE_HEADER_FAILURE, error);
    hk_age_payload_key(key, *file_key, nonce);
    happened = hk_age_payload_open(key, &rest, sink);
    return happened ? fail(input, happened, HK_AGE_PAYLOAD_FAILURE, error) : HK_AGE_SUCCESS;
}

enum hk_age_outcome hk_age_decrypt(const struct hk_source *source, const struct hk_sink *sink,
                                   const struct hk_age_keys *keys, enum hk_error *error)
{
    struct input *input = malloc(sizeof *input);
    struct header *header = calloc(1, sizeof *header);
    uint8_t(*file_key)[HK_AGE_FILE_KEY_BYTES] = hk_secret_new(HK_AGE_FILE_KEY_BYTES);
    enum hk_age_outcome outcome = HK_AGE_OTHER_FAILURE;
    *error = HK_NO_MEMORY;
    if (input && header && file_key && (*error = open_input(input, source)) == HK_OK)
        outcome = decrypt(input, header, sink, keys, file_key, error);
    hk_secret_free(file_key);
    header_free(header);
    free(input);
    return outcome;
}

/* ---- writing a file ---- */

/* The header grows in memory, since its MAC goes over all of it. */
static enum hk_error keep_bytes(void *context, const uint8_t *data, size_t size)
{
    return keep_line(context, (const char *)data, size);
}

static enum hk_error make_header(struct header *header, const uint8_t (*recipients)[32], size_t count,
                                 const uint8_t file_key[HK_AGE_FILE_KEY_BYTES])
{
    struct hk_sink sink = {keep_bytes, header};
    enum hk_error error = keep_line(header, HK_AGE_INTRO "\n", sizeof HK_AGE_INTRO);
    for (size_t i = 0; !error && i < count; i++) {
        char arguments[HK_AGE_STANZA_TEXT];
        uint8_t body[HK_AGE_BODY_BYTES];
        error = hk_age_wrap_one(arguments, body, file_key, recipients[i]);
        if (!error)
            error = hk_stanza_write(&sink, arguments, body, sizeof body);
    }
    if (!error)
        error = keep_line(header, "---", 3);
    if (error)
        return error;
    uint8_t mac[HK_AGE_MAC_BYTES];
    char line[1 + HK_BASE64_SIZE(HK_AGE_MAC_BYTES) + 1] = " ";
    hk_age_header_mac(mac, file_key, header->bytes, header->size);
    hk_base64_encode(line + 1, mac, sizeof mac, HK_BASE64_RAW);
    strcat(line, "\n");
    return keep_line(header, line, strlen(line));
}

static enum hk_error encrypt(struct header *header, const struct hk_source *source,
                             const struct hk_sink *sink, const uint8_t (*recipients)[32], size_t count)
{
    uint8_t file_key[HK_AGE_FILE_KEY_BYTES], nonce[HK_AGE_NONCE_BYTES], key[32];
    HK_WIPE_AT_EXIT(file_key);
    HK_WIPE_AT_EXIT(key);
    hk_random(file_key, sizeof file_key);
    hk_random(nonce, sizeof nonce);
    enum hk_error error = make_header(header, recipients, count, file_key);
    if (!error)
        error = sink->write(sink->context, header->bytes, header->size);
    if (!error)
        error = sink->write(sink->context, nonce, sizeof nonce);
    if (error)
        return error;
    hk_age_payload_key(key, file_key, nonce);
    return hk_age_payload_seal(key, source, sink);
}

enum hk_error hk_age_encrypt(const struct hk_source *source, const struct hk_sink *sink,
                             const uint8_t (*recipients)[32], size_t count, bool armored)
{
    struct header *header = calloc(1, sizeof *header);
    if (!header)
        return HK_NO_MEMORY;
    struct hk_armor_writer armor;
    hk_armor_writer_init(&armor, *sink);
    struct hk_sink inner = armored ? (struct hk_sink){hk_armor_write, &armor} : *sink;
    enum hk_error error = encrypt(header, source, &inner, recipients, count);
    if (!error && armored)
        error = hk_armor_finish(&armor);
    header_free(header);
    return error;
}
