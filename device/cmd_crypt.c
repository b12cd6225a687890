/* Files: decrypt and encrypt, in the format of age. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/age.h"
#include "device/cmd.h"
#include "device/json.h"
#include "device/key_format.h"

/* ---- what both have ---- */

/* A file being read and one being made, with a count for the eyes. */
struct files {
    const char *in_path;
    int in;
    struct hk_output out;
    bool show;
    uint64_t written;
    time_t shown;
};

static void show_progress(struct files *files)
{
    time_t now = time(NULL);
    if (now == files->shown)
        return;
    files->shown = now;
    fprintf(stderr, "\r%llu MiB ", (unsigned long long)(files->written >> 20));
}

static enum hk_error write_out(void *context, const uint8_t *data, size_t size)
{
    struct files *files = context;
    files->written += size;
    if (files->show)
        show_progress(files);
    return hk_output_write(&files->out, data, size);
}

static int open_files(struct files *files, const struct hk_call *call)
{
    const char *out = hk_call_option(call, "output");
    *files = (struct files){.in_path = call->count > 0 ? call->arguments[0] : "-", .shown = time(NULL)};
    bool standard = strcmp(files->in_path, "-") == 0;
    files->in = standard ? STDIN_FILENO : open(files->in_path, O_RDONLY | O_CLOEXEC);
    if (files->in < 0)
        return hk_fail_file(files->in_path);
    if (hk_output_open(&files->out, out))
        return hk_fail_file(out);
    files->show = isatty(STDERR_FILENO) && !isatty(files->out.fd);
    return 0;
}

/* Leaves the new file in place if all went well, and nothing otherwise. */
static int close_files(struct files *files, int status)
{
    if (files->show && files->written >> 26)
        fputs("\r              \r", stderr);
    if (files->in > STDIN_FILENO)
        close(files->in);
    if (status == 0)
        return hk_output_commit(&files->out) ? hk_fail_file("the new file") : 0;
    hk_output_discard(&files->out);
    return status;
}

/* ---- decrypt ---- */

struct keyring {
    struct hk_console *console;
    size_t count;
    char names[HK_KEYS_MAX][HK_NAME_MAX + 1];
    uint8_t recipients[HK_KEYS_MAX][32];
    enum hk_error refusal; /* the agent's last word, if it was no */
};

/* Every x25519 key of which there is a half here, or the one that was named. */
static int load_keys(struct keyring *ring, const char *only)
{
    hk_agent_set_u64(hk_console_request(ring->console, HK_AGENT_KEY_LIST), HK_A_ONLINE, 2);
    int status = hk_console_ask(ring->console);
    if (status)
        return status;
    const struct hk_value *rows = &hk_console_answer(ring->console)->value[HK_A_ROWS];
    for (size_t i = 0; i < rows->count && ring->count < HK_KEYS_MAX; i++) {
        struct hk_agent_key_row row;
        if (hk_agent_key_row_decode(&row, rows->items[i]) || row.suite != HK_SUITE_X25519)
            continue;
        if (only ? strcmp(row.name, only) != 0 : !row.here)
            continue;
        memcpy(ring->names[ring->count], row.name, sizeof row.name);
        memcpy(ring->recipients[ring->count++], row.public_key, 32);
    }
    if (ring->count > 0)
        return 0;
    if (only)
        return hk_fail_text(HK_EXIT_FAILED, "there is no x25519 key '%s'; see 'halfkey key list'", only);
    return hk_fail_text(HK_EXIT_FAILED,
                        "there is no x25519 key yet; 'halfkey key create NAME --suite x25519'");
}

static enum hk_error agree(void *context, size_t key, const uint8_t (*points)[32], size_t count, bool prove,
                           uint8_t (*shared)[32])
{
    struct keyring *ring = context;
    struct hk_agent_message *request = hk_console_request(ring->console, HK_AGENT_AGREE);
    hk_agent_set_text(request, HK_A_KEY, ring->names[key]);
    if (prove)
        hk_agent_set_u64(request, HK_A_PROVE, 1);
    for (size_t i = 0; i < count; i++)
        if (!hk_agent_add(request, HK_A_POINTS, points[i], 32))
            return HK_TOO_LARGE;
    ring->refusal = hk_console_try(ring->console);
    if (ring->refusal)
        return ring->refusal;
    const struct hk_value *results = &hk_console_answer(ring->console)->value[HK_A_RESULTS];
    if (results->count != count)
        return HK_BAD_PEER;
    memset(shared, 0, count * 32);
    for (size_t i = 0; i < count; i++)
        if (results->items[i].size == 32)
            memcpy(shared[i], results->items[i].data, 32);
    return HK_OK;
}

/* One line, or with --json a map: on standard output, unless that is where the plaintext goes. */
static void report(const struct hk_call *call, const struct files *files, enum hk_age_outcome outcome,
                   enum hk_error error, const char *sentence)
{
    struct hk_json json;
    if (!call->json) {
        if (outcome != HK_AGE_SUCCESS)
            fprintf(stderr, "halfkey: %s: %s\n", files->in_path, sentence);
        return;
    }
    hk_json_start(&json, files->out.fd == STDOUT_FILENO ? stderr : stdout);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "outcome", hk_age_outcome_name(outcome));
    hk_json_text(&json, "error", outcome == HK_AGE_OTHER_FAILURE ? hk_error_name(error) : NULL);
    hk_json_text(&json, "sentence", sentence);
    hk_json_number(&json, "bytes", files->written);
    hk_json_end_map(&json);
}

static int decrypt(struct keyring *ring, const struct hk_call *call)
{
    struct files files;
    int status = open_files(&files, call);
    if (status)
        return status;
    struct hk_source source = {hk_fd_read, &files.in};
    struct hk_sink sink = {write_out, &files};
    struct hk_age_keys keys = {ring->count, (const uint8_t(*)[32])ring->recipients, agree, ring};
    enum hk_error error = HK_OK;
    errno = 0;
    enum hk_age_outcome outcome = hk_age_decrypt(&source, &sink, &keys, &error);
    const char *sentence = hk_age_outcome_sentence(outcome);
    if (outcome == HK_AGE_OTHER_FAILURE) {
        bool own = error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE;
        sentence = ring->refusal && !own     ? hk_agent_sentence(ring->console->client)
                   : error == HK_IO && errno ? strerror(errno)
                   : error == HK_BAD_PEER ? "the service gave a wrong answer first and a right one when it "
                                            "had to prove it: do not trust it"
                                          : hk_strerror(error);
    }
    if (outcome != HK_AGE_SUCCESS)
        status = outcome == HK_AGE_OTHER_FAILURE ? hk_exit_status(error) : HK_EXIT_FAILED;
    report(call, &files, outcome, error, sentence);
    return close_files(&files, status);
}

int hk_cmd_decrypt(const struct hk_call *call)
{
    struct hk_console console;
    struct keyring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return hk_fail(HK_NO_MEMORY, NULL);
    ring->console = &console;
    int status = hk_console_open(&console, call);
    if (!status)
        status = load_keys(ring, hk_call_setting(call, "key"));
    if (!status)
        status = decrypt(ring, call);
    hk_console_close(&console);
    free(ring);
    return status;
}

/* ---- encrypt ---- */

#define RECIPIENTS_MAX HK_VALUES_MAX

/* The recipients that are named by their keys, and those that are named by keys of this account. */
static int find_recipients(const struct hk_call *call, uint8_t (*recipients)[32], size_t *count)
{
    const char *text;
    for (size_t i = 0; (text = hk_call_repeated(call, "recipient", i)) != NULL; i++)
        if (hk_age_recipient_decode(recipients[(*count)++], text, strlen(text)))
            return hk_fail_text(HK_EXIT_USAGE, "'%.100s' is not a recipient (age1...)", text);
    if (!hk_call_repeated(call, "key", 0))
        return 0;
    struct hk_console console;
    int status = hk_console_open(&console, call);
    for (size_t i = 0; !status && (text = hk_call_repeated(call, "key", i)) != NULL; i++) {
        struct hk_agent_key_row row;
        status = hk_find_key(&console, text, &row);
        if (!status && row.suite != HK_SUITE_X25519)
            status = hk_fail_text(HK_EXIT_FAILED, "'%s' is a key to sign with; it cannot decrypt", text);
        if (!status)
            memcpy(recipients[(*count)++], row.public_key, 32);
    }
    hk_console_close(&console);
    return status;
}

int hk_cmd_encrypt(const struct hk_call *call)
{
    uint8_t recipients[RECIPIENTS_MAX][32];
    struct files files;
    size_t count = 0;
    bool armored = hk_call_option(call, "armor") != NULL;
    int status = find_recipients(call, recipients, &count);
    if (!status && count == 0)
        return hk_fail_text(HK_EXIT_USAGE, "for whom? give --recipient age1... or --key NAME");
    if (!status)
        status = open_files(&files, call);
    if (status)
        return status;
    if (!armored && isatty(files.out.fd))
        return close_files(&files,
                           hk_fail_text(HK_EXIT_USAGE, "this is binary: give -o FILE, or -a for text"));
    struct hk_source source = {hk_fd_read, &files.in};
    struct hk_sink sink = {write_out, &files};
    errno = 0;
    enum hk_error error = hk_age_encrypt(&source, &sink, (const uint8_t(*)[32])recipients, count, armored);
    if (error == HK_IO && errno)
        status = hk_fail_file(files.in_path);
    else if (error)
        status = hk_fail(error, files.in_path);
    return close_files(&files, status);
}
