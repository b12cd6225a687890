/* console.h - what the service tells its operator: structured lines on standard error.
 *
 * One line is one event: level=info event=started address=... Values are written by the caller; no secret, no
 * request's content and no tag is ever among them. */
#ifndef HALFKEY_KEYSERVICE_CONSOLE_H
#define HALFKEY_KEYSERVICE_CONSOLE_H

enum hk_level { HK_LEVEL_INFO, HK_LEVEL_WARNING, HK_LEVEL_ERROR };

/* Writes one line; `event` is a word, `format` gives " name=value" pairs or is "". */
void hk_console(enum hk_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
