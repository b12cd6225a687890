/* Devices come and go: invite, join, approve, list, rename, revoke; and revoking from anywhere. */
#include <ctype.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "device/cmd.h"
#include "device/invitation.h"
#include "device/json.h"
#include "device/prompt.h"
#include "device/revoke_stranger.h"
#include "protocol/address.h"
#include "protocol/udf.h"
#include "protocol/words.h"

/* ---- invite ---- */

/* A QR code of half blocks, dark on light, so that it can be read from any terminal. */
static void print_qr(const char *text)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code)
        return;
    for (int y = -2; y < code->width + 2; y += 2) {
        fputs("\x1b[40;97m", stdout);
        for (int x = -2; x < code->width + 2; x++) {
            bool light[2];
            for (int k = 0; k < 2; k++) {
                bool inside = x >= 0 && x < code->width && y + k >= 0 && y + k < code->width;
                light[k] = !inside || !(code->data[(y + k) * code->width + x] & 1);
            }
            fputs(light[0] ? (light[1] ? "█" : "▀") : (light[1] ? "▄" : " "), stdout);
        }
        puts("\x1b[0m");
    }
    QRcode_free(code);
}

static void print_invitation(const struct hk_call *call, const struct hk_agent_message *answer)
{
    char code[1025], when[HK_TIME_TEXT];
    hk_agent_text(answer, HK_A_CODE, code, sizeof code);
    uint64_t expires = hk_agent_u64(answer, HK_A_EXPIRES);
    if (call->json) {
        struct hk_json json;
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_text(&json, "code", code);
        hk_json_time(&json, "expires", expires);
        hk_json_end_map(&json);
        return;
    }
    puts(code);
    if (isatty(STDOUT_FILENO))
        print_qr(code);
    hk_time_text(when, expires);
    printf("\nOnce, until %s. On the new device:\n    halfkey device join CODE --device NAME\n"
           "and here:\n    halfkey device approve\n",
           when);
}

int hk_cmd_device_invite(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_INVITE);
        status = hk_console_ask(&console);
    }
    if (!status)
        print_invitation(call, hk_console_answer(&console));
    hk_console_close(&console);
    return status;
}

/* What is left of an enrolment for its device's owner: the certificate in its files, and with --json the
 * rest. */
static int keep_enrolled(const struct hk_call *call, const char *device,
                         const struct hk_agent_message *answer, const char *account)
{
    char words[128];
    int status = hk_keep_certificate(device, answer, call->json);
    if (status || !call->json)
        return status;
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    if (account)
        hk_json_text(&json, "account", account);
    hk_json_text(&json, "device", device);
    hk_agent_text(answer, HK_A_WORDS, words, sizeof words);
    hk_json_text(&json, "code", words);
    hk_json_end_map(&json);
    return 0;
}

/* ---- join ---- */

static int join_begin(struct hk_console *console, char *passphrase)
{
    const struct hk_call *call = console->call;
    char words[129];
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_JOIN_BEGIN);
    hk_agent_set_text(request, HK_A_CODE, call->arguments[0]);
    hk_agent_set_text(request, HK_A_DEVICE, hk_call_setting(call, "device"));
    int status = hk_new_passphrase(call, request, passphrase);
    if (!status)
        status = hk_console_ask(console);
    if (status)
        return status;
    hk_agent_text(hk_console_answer(console), HK_A_WORDS, words, sizeof words);
    fprintf(call->json ? stderr : stdout, "words: %s\n", words);
    fflush(stdout);
    fputs("Say yes on the other device only if it shows the same words. Waiting for it ...\n", stderr);
    return 0;
}

static int join_finish(struct hk_console *console)
{
    const char *device = hk_call_setting(console->call, "device");
    char account[HK_ACCOUNT_TEXT_BYTES];
    (void)!hk_console_request(console, HK_AGENT_JOIN_FINISH);
    enum hk_error error = hk_agent_call(console->client, 0);
    if (error)
        return hk_console_fail(console, error);
    const struct hk_agent_message *answer = hk_console_answer(console);
    hk_account_text(account, answer->value[HK_A_ACCOUNT].data);
    if (!console->call->json)
        printf("Device %s of account %s\n", device, account);
    return keep_enrolled(console->call, device, answer, account);
}

/* This device, enrolled with this very code: only the answer was lost. */
static bool is_joined(const struct hk_call *call, const struct hk_agent_message *answer)
{
    struct hk_invitation invitation;
    HK_WIPE_AT_EXIT(invitation);
    char device[HK_NAME_MAX + 1];
    const char *reason;
    hk_agent_text(answer, HK_A_DEVICE, device, sizeof device);
    return hk_agent_u64(answer, HK_A_STATE) == HK_AGENT_UNLOCKED && hk_agent_has(answer, HK_A_ACCOUNT) &&
           hk_invitation_parse(&invitation, call->arguments[0], &reason) == HK_OK &&
           memcmp(invitation.account, answer->value[HK_A_ACCOUNT].data, HK_ACCOUNT_BYTES) == 0 &&
           strcmp(device, hk_call_setting(call, "device")) == 0;
}

/* The agent's state, unlocked if there is one: a join that a crash cut short is in the sealed file. */
static enum hk_error ask_state(struct hk_console *console)
{
    (void)!hk_console_request(console, HK_AGENT_STATUS);
    enum hk_error error = hk_agent_call(console->client, 0);
    if (error || hk_agent_u64(hk_console_answer(console), HK_A_STATE) != HK_AGENT_SEALED)
        return error;
    (void)!hk_console_request(console, HK_AGENT_UNLOCK);
    error = hk_console_try(console);
    if (error)
        return error;
    (void)!hk_console_request(console, HK_AGENT_STATUS);
    return hk_agent_call(console->client, 0);
}

static int join(struct hk_console *console, char *passphrase)
{
    enum hk_error error = ask_state(console);
    if (error)
        return hk_console_fail(console, error);
    /* A join that was cut off goes on where it was; its code is used up. */
    const struct hk_agent_message *answer = hk_console_answer(console);
    bool goes_on =
        hk_agent_u64(answer, HK_A_STATE) == HK_AGENT_UNFINISHED || is_joined(console->call, answer);
    int status = goes_on ? 0 : join_begin(console, passphrase);
    return status ? status : join_finish(console);
}

int hk_cmd_device_join(const struct hk_call *call)
{
    struct hk_console console;
    char *passphrase = hk_secret_new(HK_PASSPHRASE_MAX);
    if (!passphrase)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = join(&console, passphrase);
    hk_console_close(&console);
    hk_secret_free(passphrase);
    return status;
}

/* ---- approve ---- */

/* The same words, however they are written: only letters count, and where a word ends. */
static void plain_words(char out[160], const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < 160; text++) {
        if (isalpha((unsigned char)*text))
            out[n++] = (char)tolower((unsigned char)*text);
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

static bool same_words(const char *a, const char *b)
{
    char x[160], y[160];
    plain_words(x, a);
    plain_words(y, b);
    return strcmp(x, y) == 0;
}

static bool user_agrees(const struct hk_call *call, const char *device, const char *words)
{
    const char *given = hk_call_option(call, "words");
    if (given)
        return same_words(given, words);
    char question[512];
    snprintf(question, sizeof question, "'%s' wants to be enrolled. Does it show these words?\n\n    %s\n\n",
             device, words);
    return hk_prompt_confirm(question);
}

static int approve(struct hk_console *console)
{
    const struct hk_call *call = console->call;
    char device[HK_NAME_MAX + 1], words[129];
    (void)!hk_console_request(console, HK_AGENT_APPROVE_BEGIN);
    int status = hk_console_ask(console);
    if (status)
        return status;
    hk_agent_text(hk_console_answer(console), HK_A_DEVICE, device, sizeof device);
    hk_agent_text(hk_console_answer(console), HK_A_WORDS, words, sizeof words);
    bool yes = user_agrees(call, device, words);
    hk_agent_set_u64(hk_console_request(console, HK_AGENT_APPROVE_CONFIRM), HK_A_APPROVE, yes);
    enum hk_error error = hk_agent_call(console->client, 0);
    if (!yes)
        return hk_fail_text(HK_EXIT_FAILED, "not the same words: '%s' was refused; invite it again", device);
    if (error)
        return hk_console_fail(console, error);
    if (!call->json)
        printf("'%s' is enrolled.\n", device);
    return keep_enrolled(call, device, hk_console_answer(console), NULL);
}

int hk_cmd_device_approve(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status)
        status = approve(&console);
    hk_console_close(&console);
    return status;
}

/* ---- list, rename, revoke, suspend, resume ---- */

static const char *status_name(const struct hk_agent_device_row *row)
{
    switch (row->status) {
    case HK_STATUS_ACTIVE:
        return "active";
    case HK_STATUS_SUSPENDED:
        return "suspended";
    case HK_STATUS_REVOKED:
        return "revoked";
    case HK_STATUS_ENROLLING:
        return "enrolling";
    }
    return "unknown";
}

static void list_json(const struct hk_value *rows)
{
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_list(&json, NULL);
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_device_row row;
        if (hk_agent_device_row_decode(&row, rows->items[i]))
            continue;
        hk_json_map(&json, NULL);
        hk_json_text(&json, "name", row.name);
        hk_json_hex(&json, "serial", row.serial, sizeof row.serial);
        hk_json_bool(&json, "administrator", row.role == HK_ROLE_ADMIN);
        hk_json_bool(&json, "this_device", row.is_this);
        hk_json_text(&json, "status", status_name(&row));
        hk_json_number(&json, "epoch", row.epoch);
        hk_json_time(&json, "last_use", row.last_use);
        hk_json_number(&json, "uses", row.uses);
        hk_json_time(&json, "stale_copy_seen", row.stale_copy_seen);
        hk_json_time(&json, "log_report", row.reported);
        hk_json_end_map(&json);
    }
    hk_json_end_list(&json);
}

static void list_text(const struct hk_value *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_device_row row;
        char last[HK_TIME_TEXT], reported[HK_TIME_TEXT];
        if (hk_agent_device_row_decode(&row, rows->items[i]))
            continue;
        hk_time_text(last, row.last_use);
        hk_time_text(reported, row.reported);
        printf("%-20s %-10s %-13s %llu uses, last %s, saw the log %s%s%s\n", row.name, status_name(&row),
               row.role == HK_ROLE_ADMIN ? "administrator" : "ordinary", (unsigned long long)row.uses, last,
               reported, row.is_this ? "  (this device)" : "",
               row.stale_copy_seen ? "  AN OLD COPY WAS USED" : "");
    }
}

int hk_cmd_device_list(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_DEVICE_LIST);
        status = hk_console_ask(&console);
    }
    if (!status && call->json)
        list_json(&hk_console_answer(&console)->value[HK_A_ROWS]);
    else if (!status)
        list_text(&hk_console_answer(&console)->value[HK_A_ROWS]);
    hk_console_close(&console);
    return status;
}

int hk_cmd_device_rename(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        struct hk_agent_message *request = hk_console_request(&console, HK_AGENT_DEVICE_RENAME);
        hk_agent_set_text(request, HK_A_DEVICE, call->arguments[0]);
        hk_agent_set_text(request, HK_A_NAME, call->arguments[1]);
        status = hk_console_ask(&console);
    }
    hk_console_close(&console);
    return status;
}

static int ask_about(const struct hk_call *call, enum hk_agent_op op)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        hk_agent_set_text(hk_console_request(&console, op), HK_A_DEVICE, call->arguments[0]);
        status = hk_console_ask(&console);
    }
    hk_console_close(&console);
    return status;
}

int hk_cmd_device_revoke(const struct hk_call *call)
{
    int status = ask_about(call, HK_AGENT_DEVICE_REVOKE);
    if (!status)
        printf("'%s' is revoked: what it holds is of no use any more.\n", call->arguments[0]);
    return status;
}

int hk_cmd_device_suspend(const struct hk_call *call)
{
    int status = ask_about(call, HK_AGENT_DEVICE_SUSPEND);
    if (!status)
        printf("'%s' is suspended until 'halfkey device resume'. Lost for good? 'halfkey device revoke'.\n",
               call->arguments[0]);
    return status;
}

int hk_cmd_device_resume(const struct hk_call *call)
{
    int status = ask_about(call, HK_AGENT_DEVICE_RESUME);
    if (!status)
        printf("'%s' goes on.\n", call->arguments[0]);
    return status;
}

int hk_cmd_device_update(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        hk_agent_set_text(hk_console_request(&console, HK_AGENT_DEVICE_UPDATE), HK_A_DEVICE,
                          call->arguments[0]);
        status = hk_console_ask(&console);
    }
    unsigned long long keys = status ? 0 : hk_agent_u64(hk_console_answer(&console), HK_A_COUNT);
    if (!status && call->json) {
        struct hk_json json;
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_text(&json, "device", call->arguments[0]);
        hk_json_number(&json, "waiting", keys);
        hk_json_end_map(&json);
    } else if (!status && keys == 0)
        printf("'%s' has all keys.\n", call->arguments[0]);
    else if (!status)
        printf("%llu key%s wait%s for '%s': it gets what waits with its next command.\n", keys,
               keys == 1 ? "" : "s", keys == 1 ? "s" : "", call->arguments[0]);
    hk_console_close(&console);
    return status;
}

/* ---- revoke, from any machine ---- */

int hk_cmd_revoke(const struct hk_call *call)
{
    const char *path = hk_call_option(call, "certificate"), *words = hk_call_option(call, "code");
    uint8_t certificate[4097], code[HK_CODE_BYTES];
    size_t size = 0;
    unsigned wrong = 0;
    if (!path == !words)
        return hk_fail_text(HK_EXIT_USAGE, "give either --certificate FILE or --code \"TWELVE WORDS\"");
    enum hk_error error = path ? hk_read_file(path, certificate, sizeof certificate, &size)
                               : hk_words_to_code(code, words, &wrong);
    if (error && path)
        return error == HK_IO ? hk_fail_file(path) : hk_fail(error, path);
    if (error == HK_AUTH)
        return hk_fail_text(HK_EXIT_USAGE,
                            "these are words of ours, but not a code: one is another, or the order is");
    if (error && wrong > 0)
        return hk_fail_text(HK_EXIT_USAGE, "word %u is none of a code", wrong);
    if (error)
        return hk_fail_text(HK_EXIT_USAGE, "a code has %d words", HK_CODE_WORDS);
    struct hk_address address;
    const char *reason;
    if (hk_address_parse(&address, hk_call_setting(call, "service"), &reason))
        return hk_fail_text(HK_EXIT_USAGE, "--service is an address such as 'halfkeyd address' prints");
    hk_waiting_begin();
    error = hk_revoke_as_stranger(hk_call_setting(call, "service"), path ? certificate : NULL, size,
                                  path ? NULL : code, 0);
    hk_waiting_end();
    if (error == HK_BAD_ENCODING && path)
        return hk_fail_text(HK_EXIT_FAILED, "%s: this is not a revocation certificate", path);
    if (error)
        return hk_fail(error, "revoke");
    puts("The device is revoked.");
    return 0;
}
