/* Signatures: sign and verify, raw Ed25519 or in OpenSSH's format. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/json.h"
#include "device/key_format.h"
#include "device/sshsig.h"

enum format { FORMAT_RAW, FORMAT_SSH, FORMAT_UNKNOWN };

static enum format format_of(const struct hk_call *call)
{
    const char *text = hk_call_setting(call, "format");
    return strcmp(text, "raw") == 0 ? FORMAT_RAW : strcmp(text, "ssh") == 0 ? FORMAT_SSH : FORMAT_UNKNOWN;
}

static const char *namespace_of(const struct hk_call *call)
{
    const char *text = hk_call_option(call, "namespace");
    return text ? text : "file";
}

/* Hashes a file ("-": standard input). */
static enum hk_error digest_file(const char *path, uint8_t digest[64])
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return HK_IO;
    struct hk_source source = {hk_fd_read, &fd};
    enum hk_error error = hk_sshsig_digest(digest, HK_SSHSIG_SHA512, &source);
    if (fd != STDIN_FILENO)
        close(fd);
    return error;
}

/* ---- sign ---- */

/* What goes to the agent: the file itself, or for ssh the text with its hash. */
struct message {
    uint8_t bytes[HK_SIGN_MESSAGE_MAX + 1];
    size_t size;
};

static int make_message(const struct hk_call *call, enum format format, struct message *message)
{
    const char *path = call->arguments[0];
    if (format == FORMAT_RAW) {
        enum hk_error error = hk_read_file(path, message->bytes, sizeof message->bytes, &message->size);
        return error == HK_IO ? hk_fail_file(path) : error ? hk_fail(error, path) : 0;
    }
    uint8_t digest[64];
    if (digest_file(path, digest))
        return hk_fail_file(path);
    if (hk_sshsig_preimage(message->bytes, &message->size, namespace_of(call), HK_SSHSIG_SHA512, digest))
        return hk_fail_text(HK_EXIT_USAGE, "--namespace has 1 to %d bytes", HK_SSHSIG_NAMESPACE_MAX);
    return 0;
}

static int ask_signature(struct hk_console *console, enum format format, const struct message *message)
{
    const struct hk_call *call = console->call;
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_SIGN);
    hk_agent_set_text(request, HK_A_KEY, hk_call_setting(call, "key"));
    hk_agent_set_u64(request, HK_A_KIND, format == FORMAT_SSH ? HK_SIGN_SSHSIG : HK_SIGN_RAW);
    hk_agent_set_bytes(request, HK_A_MESSAGE, message->bytes, message->size);
    if (format == FORMAT_SSH)
        hk_agent_set_text(request, HK_A_NAMESPACE, namespace_of(call));
    return hk_console_ask(console);
}

/* ssh: FILE.sig, or standard output for what came from standard input. raw: 64 bytes to -o, digits to the
 * screen. */
static int put_signature(const struct hk_console *console, enum format format)
{
    const struct hk_call *call = console->call;
    const struct hk_agent_message *answer = hk_console_answer(console);
    const char *path = call->arguments[0], *out = hk_call_option(call, "output");
    const uint8_t *bytes = answer->value[HK_A_SIGNATURE].data;
    char text[HK_SSHSIG_TEXT_MAX], beside[4096];
    if (format == FORMAT_RAW) {
        hk_hex_encode(text, bytes, 64);
        if (out && strcmp(out, "-") != 0)
            return hk_write_file(out, bytes, 64) ? hk_fail_file(out) : 0;
        puts(text);
        return 0;
    }
    struct hk_sshsig signature = {.hash = HK_SSHSIG_SHA512};
    memcpy(signature.public_key, answer->value[HK_A_PUBLIC].data, 32);
    memcpy(signature.signature, bytes, 64);
    snprintf(signature.namespace, sizeof signature.namespace, "%s", namespace_of(call));
    hk_sshsig_encode(text, &signature);
    if (!out && strcmp(path, "-") != 0) {
        snprintf(beside, sizeof beside, "%s.sig", path);
        out = beside;
    }
    return hk_write_file(out ? out : "-", text, strlen(text)) ? hk_fail_file(out) : 0;
}

int hk_cmd_sign(const struct hk_call *call)
{
    struct hk_console console;
    enum format format = format_of(call);
    if (format == FORMAT_UNKNOWN)
        return hk_fail_text(HK_EXIT_USAGE, "--format is raw or ssh");
    struct message *message = malloc(sizeof *message);
    if (!message)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = make_message(call, format, message);
    if (!status) {
        status = hk_console_open(&console, call);
        if (!status)
            status = ask_signature(&console, format, message);
        if (!status)
            status = put_signature(&console, format);
        hk_console_close(&console);
    }
    free(message);
    return status;
}

/* ---- verify ---- */

/* A public key as text: the line of a .pub file, or 64 hexadecimal digits. */
static bool parse_public(uint8_t key[32], const char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    return hk_ssh_public_decode(key, text, size) == HK_OK || hk_hex_decode(key, 32, text, size) == HK_OK;
}

/* Whose signature it must be: --public (a file or the text itself), or --key, a key of this account. */
static int find_public(const struct hk_call *call, uint8_t key[32])
{
    const char *public = hk_call_option(call, "public"), *name = hk_call_setting(call, "key");
    char text[4096];
    size_t size = 0;
    if (public) {
        if (parse_public(key, public, strlen(public)))
            return 0;
        if (hk_read_file(public, text, sizeof text, &size))
            return hk_fail_file(public);
        return parse_public(key, text, size)
                   ? 0
                   : hk_fail_text(HK_EXIT_FAILED, "%s: no Ed25519 public key", public);
    }
    if (!name)
        return hk_fail_text(HK_EXIT_USAGE, "whose signature? give --public FILE or --key NAME");
    struct hk_console console;
    struct hk_agent_key_row row;
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_find_key(&console, name, &row);
    if (!status && row.suite != HK_SUITE_ED25519)
        status = hk_fail_text(HK_EXIT_FAILED, "'%s' is a key to decrypt with; it cannot sign", name);
    if (!status)
        memcpy(key, row.public_key, 32);
    hk_console_close(&console);
    return status;
}

static enum hk_error verify_raw(const char *text, size_t size, const uint8_t key[32], const char *path)
{
    uint8_t signature[64];
    size_t length = size, message_size = 0;
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    if (size == 64)
        memcpy(signature, text, 64);
    else if (hk_hex_decode(signature, 64, text, length))
        return HK_BAD_ENCODING;
    uint8_t *message = malloc(HK_SIGN_MESSAGE_MAX + 1);
    if (!message)
        return HK_NO_MEMORY;
    enum hk_error error = hk_read_file(path, message, HK_SIGN_MESSAGE_MAX + 1, &message_size);
    if (!error && crypto_sign_verify_detached(signature, message, message_size, key) != 0)
        error = HK_BAD_SIGNATURE;
    free(message);
    return error;
}

static enum hk_error verify_ssh(const char *text, size_t size, const uint8_t key[32], const char *namespace,
                                const char *path)
{
    struct hk_sshsig signature;
    enum hk_error error = hk_sshsig_decode(&signature, text, size);
    if (error)
        return error;
    if (memcmp(signature.public_key, key, 32) != 0 || strcmp(signature.namespace, namespace) != 0)
        return HK_BAD_SIGNATURE;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return HK_IO;
    struct hk_source source = {hk_fd_read, &fd};
    error = hk_sshsig_verify(&signature, &source);
    if (fd != STDIN_FILENO)
        close(fd);
    return error;
}

int hk_cmd_verify(const struct hk_call *call)
{
    const char *path = call->arguments[0], *given = hk_call_option(call, "signature");
    char beside[4096], text[8192];
    size_t size = 0;
    uint8_t key[32];
    enum format format = format_of(call);
    if (format == FORMAT_UNKNOWN)
        return hk_fail_text(HK_EXIT_USAGE, "--format is raw or ssh");
    if (!given && strcmp(path, "-") == 0)
        return hk_fail_text(HK_EXIT_USAGE, "--signature FILE is needed for what comes from standard input");
    snprintf(beside, sizeof beside, "%s.sig", path);
    int status = find_public(call, key);
    if (status)
        return status;
    if (hk_read_file(given ? given : beside, text, sizeof text, &size))
        return hk_fail_file(given ? given : beside);
    enum hk_error error = format == FORMAT_RAW ? verify_raw(text, size, key, path)
                                               : verify_ssh(text, size, key, namespace_of(call), path);
    if (error == HK_IO)
        return hk_fail_file(path);
    if (call->json) {
        struct hk_json json;
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_bool(&json, "valid", !error);
        hk_json_text(&json, "error", error ? hk_error_name(error) : NULL);
        hk_json_end_map(&json);
    } else if (!error) {
        printf("good signature of %s\n", path);
    }
    return error ? hk_fail(error, path) : 0;
}
