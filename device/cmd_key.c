/* Keys: create, list, export, import. */
#include <stdlib.h>
#include <string.h>

#include "crypto/bip340.h"
#include "crypto/group_secp256k1.h"
#include "crypto/secret.h"
#include "crypto/suite.h"
#include "device/cmd_key.h"
#include "device/json.h"
#include "device/key_format.h"

const char *hk_suite_text(uint64_t id)
{
    const struct hk_suite *suite = hk_suite_by_id(id);
    return suite ? suite->name : "unknown";
}

/* What other people are given, and what that is called with --json. */
static const char *public_text(char out[HK_KEY_TEXT_MAX], uint64_t suite, const uint8_t *key,
                               const char *name)
{
    char comment[HK_NAME_MAX + 16];
    switch (suite) {
    case HK_SUITE_X25519:
        hk_age_recipient_encode(out, key);
        return "recipient";
    case HK_SUITE_ED25519:
        snprintf(comment, sizeof comment, "halfkey:%s", name);
        hk_ssh_public_encode(out, key, comment);
        return "ssh";
    case HK_SUITE_SECP256K1_SCHNORR: /* BIP-340 knows x alone */
        hk_hex_encode(out, key + 1, HK_BIP340_KEY_BYTES);
        return "xonly";
    default:
        hk_hex_encode(out, key, HK_SECP256K1_POINT_BYTES);
        return "point";
    }
}

void hk_print_made(const struct hk_console *console, const char *name, uint64_t suite)
{
    const struct hk_agent_message *answer = hk_console_answer(console);
    const uint8_t *public = answer->value[HK_A_PUBLIC].data;
    char text[HK_KEY_TEXT_MAX];
    const char *kind = public_text(text, suite, public, name);
    if (!console->call->json) {
        puts(text);
        return;
    }
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "name", name);
    hk_json_text(&json, "suite", hk_suite_text(suite));
    hk_json_hex(&json, "public_key", public, answer->value[HK_A_PUBLIC].size);
    hk_json_text(&json, kind, text);
    hk_json_time(&json, "created", hk_agent_u64(answer, HK_A_CREATED));
    hk_json_end_map(&json);
}

/* A suite that a user can ask for; the account's own is made at `init` alone. */
const struct hk_suite *hk_find_suite(const char *name)
{
    const struct hk_suite *suite = hk_suite_by_name(name);
    return suite && suite->id != HK_SUITE_ACCOUNT ? suite : NULL;
}

/* Says which suites there are, from their table. */
int hk_fail_suite(void)
{
    char list[256] = "";
    for (size_t i = 0; hk_suite_at(i); i++) {
        const struct hk_suite *suite = hk_suite_at(i);
        size_t length = strlen(list);
        if (suite->id != HK_SUITE_ACCOUNT)
            snprintf(list + length, sizeof list - length, "%s%s (to %s)", length ? ", " : "", suite->name,
                     suite->purpose == HK_PURPOSE_SIGN ? "sign" : "decrypt");
    }
    return hk_fail_text(HK_EXIT_USAGE, "--suite is one of %s", list);
}

int hk_cmd_key_create(const struct hk_call *call)
{
    struct hk_console console;
    const char *name = call->arguments[0];
    const struct hk_suite *suite = hk_find_suite(hk_call_setting(call, "suite"));
    if (!suite)
        return hk_fail_suite();
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_make_key(&console, name, suite->id);
    if (!status)
        hk_print_made(&console, name, suite->id);
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
        const char *kind = public_text(text, row.suite, row.public_key, row.name);
        hk_json_map(&json, NULL);
        hk_json_text(&json, "name", row.name);
        hk_json_hex(&json, "id", row.id, sizeof row.id);
        hk_json_text(&json, "suite", hk_suite_text(row.suite));
        hk_json_time(&json, "created", row.created);
        hk_json_hex(&json, "public_key", row.public_key, row.public_size);
        hk_json_text(&json, kind, text);
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
        printf("%-20s %-18s %s%s%s\n    %s\n", row.name, hk_suite_text(row.suite), created,
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
        hk_agent_set_u64(hk_console_request(&console, HK_AGENT_KEY_LIST), HK_A_ONLINE, 1);
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

#define SUITE(name) (1U << HK_SUITE_##name)
#define EVERY_SUITE ~0U

static int export_age(struct hk_console *console, const struct hk_agent_key_row *row)
{
    char text[HK_KEY_TEXT_MAX];
    (void)console;
    (void)public_text(text, row->suite, row->public_key, row->name);
    puts(text);
    return 0;
}

static int export_identity(struct hk_console *console, const struct hk_agent_key_row *row)
{
    uint8_t account[HK_ACCOUNT_BYTES];
    int status = hk_find_account(console, account);
    if (!status)
        hk_print_identity(stdout, account, row);
    return status;
}

static int export_raw(struct hk_console *console, const struct hk_agent_key_row *row)
{
    char text[HK_HEX_SIZE(HK_FORM_BYTES_MAX)];
    (void)console;
    hk_hex_encode(text, row->public_key, row->public_size);
    puts(text);
    return 0;
}

static int export_pem(struct hk_console *console, const struct hk_agent_key_row *row)
{
    char text[HK_KEY_TEXT_MAX];
    (void)console;
    if (hk_pem_public_encode(text, row->suite, row->public_key))
        return hk_fail(HK_UNSUPPORTED, row->name);
    fputs(text, stdout);
    return 0;
}

static const struct export_format {
    const char *name;
    unsigned suites;
    int (*print)(struct hk_console *console, const struct hk_agent_key_row *row);
} export_formats[] = {
    {"age", SUITE(X25519), export_age},  {"age-identity", SUITE(X25519), export_identity},
    {"ssh", SUITE(ED25519), export_age}, {"xonly", SUITE(SECP256K1_SCHNORR), export_age},
    {"raw", EVERY_SUITE, export_raw},    {"pem", EVERY_SUITE, export_pem},
};
#define EXPORT_FORMATS (sizeof export_formats / sizeof *export_formats)

/* "age, raw or pem": the formats for one of these suites. */
static void list_formats(char out[128], unsigned suites)
{
    *out = '\0';
    for (size_t i = 0; i < EXPORT_FORMATS; i++) {
        size_t length = strlen(out);
        if (export_formats[i].suites & suites)
            snprintf(out + length, 128 - length, "%s%s",
                     !length                   ? ""
                     : i + 1 == EXPORT_FORMATS ? " or "
                                               : ", ",
                     export_formats[i].name);
    }
}

static int export_row(struct hk_console *console, const struct hk_agent_key_row *row,
                      const struct export_format *format)
{
    char list[128];
    if (format->suites >> row->suite & 1)
        return format->print(console, row);
    list_formats(list, 1U << row->suite);
    return hk_fail_text(HK_EXIT_FAILED, "'%s' is a key of suite %s: use --format %s", row->name,
                        hk_suite_text(row->suite), list);
}

int hk_cmd_key_export(const struct hk_call *call)
{
    struct hk_console console;
    struct hk_agent_key_row row;
    const char *name = hk_call_setting(call, "format");
    const struct export_format *format = NULL;
    char list[128];
    for (size_t i = 0; i < EXPORT_FORMATS; i++)
        if (strcmp(name, export_formats[i].name) == 0)
            format = &export_formats[i];
    list_formats(list, EVERY_SUITE);
    if (!format)
        return hk_fail_text(HK_EXIT_USAGE, "--format is %s", list);
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_find_key(&console, call->arguments[0], &row);
    if (!status)
        status = export_row(&console, &row, format);
    hk_console_close(&console);
    return status;
}
