/* assuan.h - lines of the Assuan protocol, as gpg-agent, scdaemon and pinentry speak it.
 *
 * A line has at most HK_ASSUAN_LINE_MAX bytes and no zero byte; a longer one ends the connection, since
 * nothing behind it can be told from its rest. Data goes in D lines, where %, CR, LF are escaped. Passphrases
 * and shared secrets pass here: a connection lives in memory from hk_secret_new, and what was read is wiped
 * with it. */
#ifndef HALFKEY_DEVICE_ASSUAN_H
#define HALFKEY_DEVICE_ASSUAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"

#define HK_ASSUAN_LINE_MAX 1000 /* without the line's end */

struct hk_assuan {
    struct hk_source source;
    struct hk_sink sink;
    size_t begin, end;
    uint8_t buffer[HK_ASSUAN_LINE_MAX + 2];
};
void hk_assuan_init(struct hk_assuan *assuan, struct hk_source source, struct hk_sink sink);

/* The next line without its end (LF, or CR LF), at most HK_ASSUAN_LINE_MAX bytes, a final zero behind; its
 * length to *size. HK_NOT_FOUND at the end of the connection, also in the middle of a line; HK_TOO_LARGE,
 * HK_BAD_ENCODING (a zero byte outside a D line), HK_IO. */
HK_CHECK enum hk_error hk_assuan_read(struct hk_assuan *assuan, char line[HK_ASSUAN_LINE_MAX + 1],
                                      size_t *size);

/* Writes a line as hk_assuan_read gave it. */
HK_CHECK enum hk_error hk_assuan_pass(struct hk_assuan *assuan, const char *line, size_t size);
/* Writes a line, formatted; what does not fit a line is cut. Line ends within are made spaces. */
HK_CHECK enum hk_error hk_assuan_write(struct hk_assuan *assuan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes data as D lines, as many as it needs; none for no data. */
HK_CHECK enum hk_error hk_assuan_write_data(struct hk_assuan *assuan, const void *data, size_t size);

/* Undoes the escapes of a D line's text of `length` bytes: at most `max` bytes to `out`, the number to
 * *size. HK_BAD_ENCODING for a % without two digits, HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_assuan_unescape(uint8_t *out, size_t max, size_t *size, const char *text,
                                          size_t length);

/* If the line is this command, "PKSIGN" for example, in either case: what follows it, without spaces before
 * and behind; else NULL. */
char *hk_assuan_is(char *line, const char *command) HK_CHECK;
/* Takes the next word off *rest; NULL at the end. */
char *hk_assuan_word(char **rest) HK_CHECK;
/* If *word is the option `name`, as "--hash=sha256": what follows the =, "" if nothing does; else NULL. */
const char *hk_assuan_option(const char *word, const char *name) HK_CHECK;

#endif
