/* console.h - what every command does: talk to the agent, ask for the passphrase if it is locked, say what
 * went wrong.
 *
 * Functions that return an int return an exit status, 0 for success, and have printed the one line on
 * standard error otherwise. */
#ifndef HALFKEY_DEVICE_CONSOLE_H
#define HALFKEY_DEVICE_CONSOLE_H

#include "device/agent_client.h"
#include "device/command.h"

struct hk_console {
    const struct hk_call *call;
    struct hk_agent_client *client;
};

/* Connects to the agent, starting it if need be. */
HK_CHECK int hk_console_open(struct hk_console *console, const struct hk_call *call);
void hk_console_close(struct hk_console *console);

/* A new request to fill. What it points to must live until it is asked. */
struct hk_agent_message *hk_console_request(struct hk_console *console, enum hk_agent_op op) HK_CHECK;
/* Asks it. If the agent is locked the passphrase is asked for, once, and the request repeated. */
HK_CHECK int hk_console_ask(struct hk_console *console);
/* The same without a word; the error is the agent's. */
HK_CHECK enum hk_error hk_console_try(struct hk_console *console);
/* Prints the agent's sentence about an error of hk_console_try; the exit status. */
HK_CHECK int hk_console_fail(const struct hk_console *console, enum hk_error error);
const struct hk_agent_message *hk_console_answer(const struct hk_console *console) HK_CHECK;

/* Asks for a passphrase as the command line says (--passphrase-fd, terminal, pinentry). `out` is for
 * HK_PASSPHRASE_MAX bytes of hk_secret_new. */
HK_CHECK enum hk_error hk_console_passphrase(const struct hk_call *call, char *out, const char *prompt,
                                             bool twice);
/* Opens a device's sealed state. */
HK_CHECK enum hk_error hk_console_unlock(const struct hk_call *call);

/* "2026-01-31 12:00" in local time, or "never" for 0. */
#define HK_TIME_TEXT 24
void hk_time_text(char out[HK_TIME_TEXT], uint64_t seconds);

/* A line on standard error after a second of waiting, if that is a terminal; ends with hk_waiting_end. */
void hk_waiting_begin(void);
void hk_waiting_end(void);

#endif
