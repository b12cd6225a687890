/* Keys: create, list, export, import; and the bare key agreement. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/json.h"
#include "device/key_format.h"

static const char *suite_name(uint64_t id)
{
    const struct hk_suite *suite = hk_suite_by_id(id);
    return suite ? suite->name : "unknown";
}

/* What other people are given: age's recipient or OpenSSH's line. */
static void public_text(char out[HK_KEY_TEXT_MAX], uint64_t suite, const uint8_t key[32], const char *name)
{
    char comment[HK_NAME_MAX + 16];
    snprintf(comment, sizeof comment, "halfkey:%s", name);
    if (suite == HK_SUITE_X25519)
        hk_age_recipient_encode(out, key);
    else
        hk_ssh_public_encode(out, key, comment);
}

static void print_made(const struct hk_console *console, const char *name, uint64_t suite)
{
    const struct hk_agent_message *answer = hk_console_answer(console);
    const uint8_t *public = answer->value[HK_A_PUBLIC].data;
    char text[HK_KEY_TEXT_MAX];
    public_text(text, suite, public, name);
    if (!console->call->json) {
        puts(text);
        return;
    }
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "name", name);
    hk_json_text(&json, "suite", suite_name(suite));
    hk_json_hex(&json, "public_key", public, 32);
    hk_json_text(&json, suite == HK_SUITE_X25519 ? "recipient" : "ssh", text);
    hk_json_time(&json, "created", hk_agent_u64(answer, HK_A_CREATED));
    hk_json_end_map(&json);
}

/* A suite that a user can ask for; the account's own is made at `init` alone. */
static const struct hk_suite *find_suite(const char *name)
{
    const struct hk_suite *suite = hk_suite_by_name(name);
    return suite && suite->id != HK_SUITE_ACCOUNT ? suite : NULL;
}

int hk_cmd_key_create(const struct hk_call *call)
{
    struct hk_console console;
    const char *name = call->arguments[0];
    const struct hk_suite *suite = find_suite(hk_call_setting(call, "suite"));
    if (!suite)
        return hk_fail_text(HK_EXIT_USAGE, "--suite is x25519 (to decrypt) or ed25519 (to sign)");
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_make_key(&console, name, suite->id);
    if (!status)
        print_made(&console, name, suite->id);
    hk_console_close(&console);
    return status;
}

/* ---- list ---- */

static void list_json(const struct hk_value *rows)
{
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_list(&json, NULL);
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_key_row row;
        char text[HK_KEY_TEXT_MAX];
        if (hk_agent_key_row_decode(&row, rows->items[i]))
            continue;
        public_text(text, row.suite, row.public_key, row.name);
        hk_json_map(&json, NULL);
        hk_json_text(&json, "name", row.name);
        hk_json_hex(&json, "id", row.id, sizeof row.id);
        hk_json_text(&json, "suite", suite_name(row.suite));
        hk_json_time(&json, "created", row.created);
        hk_json_hex(&json, "public_key", row.public_key, sizeof row.public_key);
        hk_json_text(&json, row.suite == HK_SUITE_X25519 ? "recipient" : "ssh", text);
        hk_json_bool(&json, "was_whole", row.imported);
        hk_json_bool(&json, "here", row.here);
        hk_json_end_map(&json);
    }
    hk_json_end_list(&json);
}

static void list_text(const struct hk_value *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_key_row row;
        char text[HK_KEY_TEXT_MAX], created[HK_TIME_TEXT];
        if (hk_agent_key_row_decode(&row, rows->items[i]))
            continue;
        public_text(text, row.suite, row.public_key, row.name);
        hk_time_text(created, row.created);
        printf("%-20s %-8s %s%s%s\n    %s\n", row.name, suite_name(row.suite), created,
               row.imported ? "  was whole before" : "", row.here ? "" : "  no half here", text);
    }
    if (rows->count == 0)
        puts("No keys yet: 'halfkey key create NAME --suite x25519' makes one.");
}

int hk_cmd_key_list(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_KEY_LIST);
        status = hk_console_ask(&console);
    }
    if (!status && call->json)
        list_json(&hk_console_answer(&console)->value[HK_A_ROWS]);
    else if (!status)
        list_text(&hk_console_answer(&console)->value[HK_A_ROWS]);
    hk_console_close(&console);
    return status;
}

/* ---- export ---- */

static int export_row(struct hk_console *console, const struct hk_agent_key_row *row, const char *format)
{
    char text[HK_KEY_TEXT_MAX];
    uint8_t account[HK_ACCOUNT_BYTES];
    bool x25519 = row->suite == HK_SUITE_X25519;
    bool for_age = strcmp(format, "age") == 0 || strcmp(format, "age-identity") == 0;
    if (strcmp(format, "raw") == 0) {
        hk_hex_encode(text, row->public_key, sizeof row->public_key);
        puts(text);
        return 0;
    }
    if (for_age != x25519)
        return hk_fail_text(HK_EXIT_FAILED, "'%s' is a key of suite %s: use --format %s", row->name,
                            suite_name(row->suite), x25519 ? "age, age-identity or raw" : "ssh or raw");
    if (strcmp(format, "age-identity") == 0) {
        int status = hk_find_account(console, account);
        if (!status)
            hk_print_identity(stdout, account, row);
        return status;
    }
    public_text(text, row->suite, row->public_key, row->name);
    puts(text);
    return 0;
}

int hk_cmd_key_export(const struct hk_call *call)
{
    static const char *const formats[] = {"age", "age-identity", "ssh", "raw"};
    struct hk_console console;
    struct hk_agent_key_row row;
    const char *format = hk_call_setting(call, "format");
    bool known = false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known |= strcmp(format, formats[i]) == 0;
    if (!known)
        return hk_fail_text(HK_EXIT_USAGE, "--format is age, age-identity, ssh or raw");
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_find_key(&console, call->arguments[0], &row);
    if (!status)
        status = export_row(&console, &row, format);
    hk_console_close(&console);
    return status;
}

/* ---- import ---- */

/* A file with a private key, and the key, in locked memory. */
struct import {
    char text[HK_KEY_FILE_MAX];
    struct hk_secret32 key;
};

static int read_import(struct import *import, const char *path, const char *format)
{
    size_t size = 0;
    enum hk_error error = hk_read_file(path, import->text, sizeof import->text, &size);
    if (error == HK_IO)
        return hk_fail_file(path);
    bool identity = strcmp(format, "age-identity") == 0;
    if (!error && identity)
        error = hk_age_identity_decode(&import->key, import->text, size);
    else if (!error)
        error = hk_raw_key_decode(&import->key, (const uint8_t *)import->text, size);
    hk_wipe(import->text, sizeof import->text);
    if (!error)
        return 0;
    return hk_fail_text(HK_EXIT_FAILED, "%s: not %s", path,
                        identity ? "a file with exactly one AGE-SECRET-KEY-1..."
                                 : "a private key: 32 bytes, or 64 hexadecimal digits");
}

static int import_key(struct hk_console *console, struct import *import, uint64_t suite)
{
    const char *name = console->call->arguments[0];
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_KEY_IMPORT);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_u64(request, HK_A_SUITE, suite);
    hk_agent_set_bytes(request, HK_A_SECRET, import->key.bytes, sizeof import->key.bytes);
    int status = hk_console_ask(console);
    hk_wipe(&import->key, sizeof import->key);
    if (status)
        return status;
    print_made(console, name, suite);
    fprintf(stderr,
            "This key was whole before it came: every copy of the original is still the whole key. Destroy "
            "them.\n");
    return 0;
}

int hk_cmd_key_import(const struct hk_call *call)
{
    struct hk_console console;
    const char *format = hk_call_setting(call, "format"), *chosen = hk_call_option(call, "suite");
    const struct hk_suite *suite = find_suite(chosen ? chosen : "x25519");
    bool identity = strcmp(format, "age-identity") == 0;
    if (!identity && strcmp(format, "raw") != 0)
        return hk_fail_text(HK_EXIT_USAGE, "--format is age-identity or raw");
    if (!suite || (identity && suite->id != HK_SUITE_X25519))
        return hk_fail_text(HK_EXIT_USAGE, "--suite is x25519, or with --format raw ed25519");
    struct import *import = hk_secret_new(sizeof *import);
    if (!import)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = read_import(import, call->arguments[1], format);
    if (!status)
        status = import_key(&console, import, suite->id);
    hk_console_close(&console);
    hk_secret_free(import);
    return status;
}

/* ---- agree ---- */

static void print_agreed(const struct hk_console *console, const struct hk_value *results)
{
    char text[HK_HEX_SIZE(32)];
    HK_WIPE_AT_EXIT(text);
    struct hk_json json;
    hk_json_start(&json, stdout);
    if (console->call->json)
        hk_json_list(&json, NULL);
    for (size_t i = 0; i < results->count; i++) {
        bool refused = results->items[i].size != 32;
        if (!refused)
            hk_hex_encode(text, results->items[i].data, 32);
        if (console->call->json)
            hk_json_text(&json, NULL, refused ? NULL : text);
        else
            puts(refused ? "bad-point" : text);
    }
    if (console->call->json)
        hk_json_end_list(&json);
}

static int agree(struct hk_console *console, struct hk_agent_message *request, const uint8_t (*points)[32])
{
    const struct hk_call *call = console->call;
    hk_agent_set_text(request, HK_A_KEY, hk_call_setting(call, "key"));
    if (hk_call_option(call, "prove"))
        hk_agent_set_u64(request, HK_A_PROVE, 1);
    for (int i = 0; i < call->count; i++)
        if (!hk_agent_add(request, HK_A_POINTS, points[i], 32))
            return hk_fail(HK_TOO_LARGE, "agree");
    int status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_value *results = &hk_console_answer(console)->value[HK_A_RESULTS];
    print_agreed(console, results);
    for (size_t i = 0; i < results->count; i++)
        if (results->items[i].size != 32)
            return hk_fail_text(HK_EXIT_FAILED, "point %zu is not an honest public key", i + 1);
    return 0;
}

int hk_cmd_agree(const struct hk_call *call)
{
    struct hk_console console;
    uint8_t points[HK_AGREE_POINTS_MAX][32];
    for (int i = 0; i < call->count; i++)
        if (hk_hex_decode(points[i], 32, call->arguments[i], strlen(call->arguments[i])))
            return hk_fail_text(HK_EXIT_USAGE, "'%.80s' is not 64 hexadecimal digits", call->arguments[i]);
    int status = hk_console_open(&console, call);
    if (!status)
        status = agree(&console, hk_console_request(&console, HK_AGENT_AGREE), (const uint8_t(*)[32])points);
    hk_console_close(&console);
    return status;
}
