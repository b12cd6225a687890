/* Signatures: raw, in OpenSSH's format, or BIP-340's. */
#include <stdlib.h>
#include <string.h>

#include "crypto/suite.h"
#include "device/cmd_signature.h"
#include "device/key_format.h"
#include "device/sshsig.h"

/* For ssh what is signed is a text with the file's hash. */
static int make_message(const struct hk_call *call, const struct hk_signature_format *format,
                        struct hk_signature_message *message)
{
    if (format->kind != HK_SIGN_SSHSIG)
        return hk_signature_message(message, call);
    uint8_t digest[64];
    if (call->count != 1 || hk_call_option(call, "digest"))
        return hk_fail_text(HK_EXIT_USAGE, "--format ssh hashes FILE itself: give that, and no --digest");
    if (hk_signature_digest_file(call->arguments[0], digest))
        return hk_fail_file(call->arguments[0]);
    if (hk_sshsig_preimage(message->bytes, &message->size, hk_signature_namespace(call), HK_SSHSIG_SHA512,
                           digest))
        return hk_fail_text(HK_EXIT_USAGE, "--namespace has 1 to %d bytes", HK_SSHSIG_NAMESPACE_MAX);
    return 0;
}

static int ask_signature(struct hk_console *console, const struct hk_signature_format *format,
                         struct hk_signature_message *message)
{
    const struct hk_call *call = console->call;
    const char *name = hk_call_setting(call, "key");
    struct hk_agent_key_row row = {0};
    uint8_t root[HK_BIP341_ROOT_BYTES];
    size_t root_size = 0;
    bool has_root = false;
    int status = hk_signature_root(root, &root_size, &has_root, call);
    if (!status)
        status = hk_find_key(console, name, &row);
    if (!status)
        status = hk_signature_check(call, format, &row);
    if (status)
        return status;
    if (row.suite == HK_SUITE_SECP256K1_ECDSA)
        hk_signature_to_digest(message, call);
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_SIGN);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_u64(request, HK_A_KIND, (uint64_t)format->kind);
    hk_agent_set_bytes(request, HK_A_MESSAGE, message->bytes, message->size);
    if (format->kind == HK_SIGN_SSHSIG)
        hk_agent_set_text(request, HK_A_NAMESPACE, hk_signature_namespace(call));
    if (has_root)
        hk_agent_set_bytes(request, HK_A_TWEAK_ROOT, root, root_size);
    return hk_console_ask(console);
}

static int put_ssh(const struct hk_console *console)
{
    const struct hk_call *call = console->call;
    const struct hk_agent_message *answer = hk_console_answer(console);
    const char *path = call->arguments[0], *out = hk_call_option(call, "output");
    char text[HK_SSHSIG_TEXT_MAX], beside[4096];
    struct hk_sshsig signature = {.hash = HK_SSHSIG_SHA512};
    memcpy(signature.public_key, answer->value[HK_A_PUBLIC].data, 32);
    memcpy(signature.signature, answer->value[HK_A_SIGNATURE].data, 64);
    snprintf(signature.namespace, sizeof signature.namespace, "%s", hk_signature_namespace(call));
    hk_sshsig_encode(text, &signature);
    if (!out && strcmp(path, "-") != 0) {
        snprintf(beside, sizeof beside, "%s.sig", path);
        out = beside;
    }
    return hk_write_file(out ? out : "-", text, strlen(text)) ? hk_fail_file(out) : 0;
}

/* ssh: FILE.sig, or standard output for what came from standard input. Others: bytes to -o, digits to the
 * screen. */
static int put_signature(const struct hk_console *console, const struct hk_signature_format *format)
{
    const char *out = hk_call_option(console->call, "output");
    const struct hk_agent_message *answer = hk_console_answer(console);
    char text[HK_HEX_SIZE(HK_SIGNATURE_BYTES_MAX)];
    uint8_t bytes[HK_SIGNATURE_BYTES_MAX];
    if (format->kind == HK_SIGN_SSHSIG)
        return put_ssh(console);
    size_t size = hk_signature_form(bytes, format, answer->value[HK_A_SIGNATURE].data,
                                    hk_agent_u64(answer, HK_A_RECOVERY));
    if (out && strcmp(out, "-") != 0)
        return hk_write_file(out, bytes, size) ? hk_fail_file(out) : 0;
    hk_hex_encode(text, bytes, size);
    puts(text);
    return 0;
}

int hk_cmd_sign(const struct hk_call *call)
{
    struct hk_console console;
    const struct hk_signature_format *format;
    int status = hk_signature_format(&format, call);
    if (status)
        return status;
    struct hk_signature_message *message = calloc(1, sizeof *message);
    if (!message)
        return hk_fail(HK_NO_MEMORY, NULL);
    status = make_message(call, format, message);
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
