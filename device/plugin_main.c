/* age-plugin-halfkey: the two conversations with age, and what sister plugins offer to people. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/agent_backend.h"
#include "device/cmd.h"
#include "device/key_format.h"
#include "device/plugin.h"

/* The agent behind the plugin. Names and ids of keys are kept from the list, since the agent is asked by
 * name. */
static enum hk_error list_keys(void *context, uint8_t account[HK_ACCOUNT_BYTES], struct hk_plugin_key *keys,
                               size_t *count)
{
    struct hk_agent_backend *backend = context;
    enum hk_error error = hk_agent_backend_open(backend);
    if (error)
        return error;
    hk_agent_set_u64(hk_agent_request(backend->client, HK_AGENT_KEY_LIST), HK_A_ONLINE, 2);
    error = hk_agent_backend_call(backend);
    if (error)
        return error;
    const struct hk_value *rows = &hk_agent_answer(backend->client)->value[HK_A_ROWS];
    backend->count = 0;
    for (size_t i = 0; i < rows->count && backend->count < HK_KEYS_MAX; i++) {
        struct hk_agent_key_row *row = &backend->rows[backend->count];
        if (hk_agent_key_row_decode(row, rows->items[i]) || row->suite != HK_SUITE_X25519 || !row->here)
            continue;
        memcpy(keys[backend->count].id, row->id, sizeof row->id);
        memcpy(keys[backend->count++].recipient, row->public_key, 32);
    }
    *count = backend->count;
    return hk_agent_backend_account(backend, account);
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t (*points)[32],
                           size_t count, bool prove, uint8_t (*shared)[32])
{
    struct hk_agent_backend *backend = context;
    size_t k = 0;
    while (k < backend->count && memcmp(backend->rows[k].id, key, HK_ID_BYTES) != 0)
        k++;
    if (k == backend->count)
        return HK_UNKNOWN_KEY;
    struct hk_agent_message *request = hk_agent_request(backend->client, HK_AGENT_AGREE);
    hk_agent_set_text(request, HK_A_KEY, backend->rows[k].name);
    if (prove)
        hk_agent_set_u64(request, HK_A_PROVE, 1);
    for (size_t i = 0; i < count; i++)
        if (!hk_agent_add(request, HK_A_POINTS, points[i], 32))
            return HK_TOO_LARGE;
    enum hk_error error = hk_agent_backend_call(backend);
    if (error)
        return error;
    const struct hk_value *results = &hk_agent_answer(backend->client)->value[HK_A_RESULTS];
    if (results->count != count)
        return HK_BAD_PEER;
    memset(shared, 0, count * 32);
    for (size_t i = 0; i < count; i++)
        if (results->items[i].size == 32)
            memcpy(shared[i], results->items[i].data, 32);
    return HK_OK;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    return hk_agent_backend_unlock(context, passphrase);
}

static const char *sentence(void *context, enum hk_error error)
{
    return hk_agent_backend_sentence(context, error);
}

static int converse(bool recipient)
{
    struct hk_agent_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return HK_EXIT_FAILED;
    int in = STDIN_FILENO, out = STDOUT_FILENO;
    struct hk_source source = {hk_fd_read, &in};
    struct hk_sink sink = {hk_fd_write, &out};
    struct hk_plugin_agent agent = {list_keys, agree, unlock, sentence, backend};
    enum hk_error error = recipient ? hk_plugin_recipient_v1(source, sink, &agent)
                                    : hk_plugin_identity_v1(source, sink, &agent);
    hk_agent_client_free(backend->client);
    free(backend);
    return hk_exit_status(error);
}

/* ---- for people ---- */

static const struct hk_command plugin_command = {.words = "",
                                                 .arguments = "",
                                                 .help =
                                                     "age plugin for keys of which half is at a key service",
                                                 .agent = true};

/* Prints identities or recipients of all x25519 keys. */
static int print_keys(struct hk_console *console, bool identities)
{
    uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_agent_key_row row;
    int status = hk_find_account(console, account);
    if (status)
        return status;
    (void)!hk_console_request(console, HK_AGENT_KEY_LIST);
    status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_value *rows = &hk_console_answer(console)->value[HK_A_ROWS];
    size_t printed = 0;
    for (size_t i = 0; i < rows->count; i++) {
        char recipient[HK_KEY_TEXT_MAX], created[HK_TIME_TEXT];
        if (hk_agent_key_row_decode(&row, rows->items[i]) || row.suite != HK_SUITE_X25519 ||
            (identities && !row.here))
            continue;
        if (printed++ > 0)
            putchar('\n');
        hk_age_recipient_encode(recipient, row.public_key);
        hk_time_text(created, row.created);
        if (identities)
            hk_print_identity(stdout, account, &row);
        else
            printf("#      Name: %s\n#   Created: %s\n%s\n", row.name, created, recipient);
    }
    return printed > 0
               ? 0
               : hk_fail_text(HK_EXIT_FAILED, "no x25519 key yet; 'age-plugin-halfkey --generate' makes one");
}

static int generate(struct hk_console *console, const char *name)
{
    uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_agent_key_row row;
    int status = hk_make_key(console, name, HK_SUITE_X25519);
    if (!status)
        status = hk_find_account(console, account);
    if (!status)
        status = hk_find_key(console, name, &row);
    if (!status)
        hk_print_identity(stdout, account, &row);
    return status;
}

static int usage(FILE *file, int status)
{
    fputs("usage: age-plugin-halfkey --generate [--name NAME]   make a key and print its identity\n"
          "       age-plugin-halfkey --list                     print the recipients of all x25519 keys\n"
          "       age-plugin-halfkey --identity                 print the identities of all x25519 keys\n"
          "\n'halfkey init' comes first. age itself starts this program with --age-plugin=STATE.\n",
          file);
    return status;
}

int hk_plugin_main(int argc, char **argv)
{
    struct hk_call call = {.command = &plugin_command};
    struct hk_console console;
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "--age-plugin=identity-v1") == 0 && argc == 2)
        return converse(false);
    if (strcmp(what, "--age-plugin=recipient-v1") == 0 && argc == 2)
        return converse(true);
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0)
        return usage(stdout, 0);
    bool make = strcmp(what, "--generate") == 0, list = strcmp(what, "--list") == 0;
    bool named = make && argc == 4 && strcmp(argv[2], "--name") == 0;
    if (!make && !list && strcmp(what, "--identity") != 0)
        return usage(stderr, HK_EXIT_USAGE);
    if (argc != 2 && !named)
        return usage(stderr, HK_EXIT_USAGE);
    int status = hk_console_open(&console, &call);
    if (!status)
        status = make ? generate(&console, named ? argv[3] : "age") : print_keys(&console, !list);
    hk_console_close(&console);
    return status;
}
