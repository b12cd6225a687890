#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/home.h"
#include "device/key_format.h"
#include "device/prompt.h"
#include "device/stream.h"

enum hk_error hk_read_file(const char *path, void *out, size_t max, size_t *size)
{
    uint8_t *bytes = out;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return HK_IO;
    struct hk_source source = {hk_fd_read, &fd};
    enum hk_error error = hk_read_all(&source, bytes, max, size);
    if (fd != STDIN_FILENO)
        close(fd);
    if (!error && *size == max)
        error = HK_TOO_LARGE;
    if (!error)
        bytes[*size] = 0;
    return error;
}

enum hk_error hk_write_file(const char *path, const void *data, size_t size)
{
    struct hk_output output;
    enum hk_error error = hk_output_open(&output, path);
    if (!error)
        error = hk_fd_write(&output.fd, data, size);
    if (error) {
        hk_output_discard(&output);
        return error;
    }
    return hk_output_commit(&output);
}

int hk_fail_file(const char *path)
{
    return hk_fail_text(HK_EXIT_FAILED, "%s: %s", path, strerror(errno));
}

int hk_new_passphrase(const struct hk_call *call, struct hk_agent_message *message, char *memory)
{
    if (hk_call_option(call, "no-passphrase"))
        return 0;
    enum hk_error error = hk_console_passphrase(call, memory, "New passphrase for this device", true);
    if (error || !*memory)
        return hk_fail_text(HK_EXIT_LOCKED, "a passphrase is needed: run this on a terminal, or give "
                                            "--passphrase-fd N or --no-passphrase");
    hk_agent_set_bytes(message, HK_A_PASSPHRASE, memory, strlen(memory));
    return 0;
}

/* ---- revocation certificates ---- */

/* A file's name from a device's, which may hold anything. */
static void certificate_path(char path[2048], const char *folder, const char *device, const char *ending)
{
    char name[HK_NAME_MAX + 1];
    size_t n = 0;
    for (; device[n] && n < HK_NAME_MAX; n++)
        name[n] = isalnum((unsigned char)device[n]) || strchr("-_", device[n]) ? device[n] : '_';
    name[n] = 0;
    snprintf(path, 2048, "%s/revoke-%s.%s", folder, name, ending);
}

static enum hk_error write_code(const char *path, const char *device, const char *words)
{
    char text[1024];
    int n = snprintf(
        text, sizeof text,
        "Revocation code of the device '%s'.\n\n    %s\n\n"
        "Whoever has these words can lock that device out, and nothing more. Print this, put it away\n"
        "and delete this file. From any machine, without the device:\n\n"
        "    halfkey revoke --code \"WORDS\" --service ADDRESS\n",
        device, words);
    return hk_write_file(path, text, (size_t)n);
}

int hk_keep_certificate(const char *device, const struct hk_agent_message *answer, bool quiet)
{
    struct hk_home home;
    char reason[256], certificate[2048], code[2048], words[128];
    if (hk_home_find(&home, true, reason))
        return hk_fail_text(HK_EXIT_FAILED, "%s", reason);
    const struct hk_value *bytes = &answer->value[HK_A_CERTIFICATE];
    hk_agent_text(answer, HK_A_WORDS, words, sizeof words);
    certificate_path(certificate, home.path, device, "cert");
    certificate_path(code, home.path, device, "txt");
    mode_t before = umask(077);
    enum hk_error error =
        hk_agent_has(answer, HK_A_CERTIFICATE) ? hk_write_file(certificate, bytes->data, bytes->size) : HK_OK;
    if (!error && *words)
        error = write_code(code, device, words);
    umask(before);
    if (error)
        return hk_fail_file(certificate);
    if (quiet)
        return 0;
    printf("Revocation certificate of %s: %s\n", device, certificate);
    printf("Its printed form, to be kept on paper: %s\n", code);
    printf("    %s\n", words);
    return 0;
}

/* ---- keys ---- */

/* Looks at the service too only for a key that is not here: it may have been made a moment ago. */
int hk_find_key(struct hk_console *console, const char *name, struct hk_agent_key_row *row)
{
    for (uint64_t online = 0; online <= 2; online += 2) {
        hk_agent_set_u64(hk_console_request(console, HK_AGENT_KEY_LIST), HK_A_ONLINE, online);
        int status = hk_console_ask(console);
        if (status)
            return status;
        const struct hk_value *rows = &hk_console_answer(console)->value[HK_A_ROWS];
        for (size_t i = 0; i < rows->count; i++)
            if (hk_agent_key_row_decode(row, rows->items[i]) == HK_OK && strcmp(row->name, name) == 0)
                return 0;
    }
    enum hk_error asked = (enum hk_error)hk_agent_u64(hk_console_answer(console), HK_A_CHECK);
    if (asked)
        return hk_fail_text(hk_exit_status(asked),
                            "there is no key '%s' here, and the service says no more: %s", name,
                            hk_strerror(asked));
    return hk_fail_text(HK_EXIT_FAILED, "there is no key '%s'; see 'halfkey key list'", name);
}

int hk_find_account(struct hk_console *console, uint8_t account[HK_ACCOUNT_BYTES])
{
    /* A locked agent tells its state, but not whose it is: ask for something that needs it unlocked. */
    (void)!hk_console_request(console, HK_AGENT_KEY_LIST);
    int status = hk_console_ask(console);
    if (status)
        return status;
    (void)!hk_console_request(console, HK_AGENT_STATUS);
    status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_agent_message *answer = hk_console_answer(console);
    if (!hk_agent_has(answer, HK_A_ACCOUNT))
        return hk_fail(HK_NO_ACCOUNT, NULL);
    memcpy(account, answer->value[HK_A_ACCOUNT].data, HK_ACCOUNT_BYTES);
    return 0;
}

void hk_print_identity(FILE *file, const uint8_t account[HK_ACCOUNT_BYTES],
                       const struct hk_agent_key_row *row)
{
    struct hk_plugin_identity identity = {.all = false};
    char text[HK_KEY_TEXT_MAX], recipient[HK_KEY_TEXT_MAX], created[HK_TIME_TEXT];
    memcpy(identity.account, account, sizeof identity.account);
    memcpy(identity.key, row->id, sizeof identity.key);
    hk_plugin_identity_encode(text, &identity);
    hk_age_recipient_encode(recipient, row->public_key);
    hk_time_text(created, row->created);
    fprintf(file, "#      Name: %s\n#   Created: %s\n# Recipient: %s\n%s\n", row->name, created, recipient,
            text);
}

int hk_make_key(struct hk_console *console, const char *name, uint64_t suite)
{
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_KEY_CREATE);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_u64(request, HK_A_SUITE, suite);
    return hk_console_ask(console);
}
