/* age_stanza.h - the paragraphs of age: one line of arguments, then a body in base64 lines.
 *
 * The header of an age file and the conversation between age and its plugins are made of them. Reading is
 * strict: arguments of visible ASCII with one space between, canonical raw base64 in lines of 64, ended by a
 * shorter, possibly empty line. */
#ifndef HALFKEY_DEVICE_AGE_STANZA_H
#define HALFKEY_DEVICE_AGE_STANZA_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"

#define HK_STANZA_ARGUMENTS 8   /* more are counted, not kept */
#define HK_STANZA_TEXT_MAX 4096 /* of the arguments that are kept */
#define HK_STANZA_BODY_MAX 8192 /* what is kept of the body; a longer one is read, counted and not kept */
#define HK_STANZA_COLUMNS 64

/* A stanza; wipe it, since a plugin is given file keys in one. Not kept: arguments over the limits are empty.
 */
struct hk_stanza {
    size_t count; /* of arguments, the type included */
    const char *argument[HK_STANZA_ARGUMENTS];
    char text[HK_STANZA_TEXT_MAX];
    uint8_t body[HK_STANZA_BODY_MAX];
    size_t body_size; /* may be larger than HK_STANZA_BODY_MAX */
};

/* Takes the bytes of each line as it was read, with its '\n'; for the MAC over a header. NULL: nobody. */
struct hk_line_tap {
    enum hk_error (*take)(void *context, const char *line, size_t size);
    void *context;
};

/* Parses "-> type arguments"; the body stays empty. HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_stanza_open(struct hk_stanza *stanza, const char *line, size_t size);
/* Reads the body that follows the line just parsed. HK_BAD_ENCODING, HK_IO or an error of the source or tap.
 */
HK_CHECK enum hk_error hk_stanza_body(struct hk_stanza *stanza, struct hk_lines *lines,
                                      const struct hk_line_tap *tap);
/* Both, from the next line. HK_NOT_FOUND if the source has ended. */
HK_CHECK enum hk_error hk_stanza_read(struct hk_stanza *stanza, struct hk_lines *lines);

/* Writes "-> arguments" (a text of words with one space between) and the body. */
HK_CHECK enum hk_error hk_stanza_write(const struct hk_sink *sink, const char *arguments, const void *body,
                                       size_t size);

#endif
