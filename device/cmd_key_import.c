/* key import: private keys that exist, in the forms of other programs; what is whole becomes two halves. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "device/cmd_key.h"
#include "device/key_format.h"
#include "device/openssh_key.h"
#include "device/prompt.h"
#include "device/wif.h"

#define SUITE(name) (1U << HK_SUITE_##name)
#define EVERY_SUITE ~0U
#define TRIES 3

/* A file with a private key, its passphrase, and the key, in locked memory. */
struct import {
    char text[HK_KEY_FILE_MAX], passphrase[HK_PASSPHRASE_MAX];
    bool has_passphrase;
    struct hk_secret32 key;
    struct hk_openssh_work openssh;
};

static enum hk_error read_age(struct import *import, size_t size)
{
    return hk_age_identity_decode(&import->key, import->text, size);
}

static enum hk_error read_raw(struct import *import, size_t size)
{
    return hk_raw_key_decode(&import->key, (const uint8_t *)import->text, size);
}

static enum hk_error read_wif(struct import *import, size_t size)
{
    return hk_wif_decode(&import->key, import->text, size);
}

static enum hk_error read_ssh(struct import *import, size_t size)
{
    return hk_openssh_key_decode(&import->key, &import->openssh, import->text, size,
                                 import->has_passphrase ? import->passphrase : NULL);
}

static const struct import_format {
    const char *name;
    unsigned suites;
    uint64_t usual; /* suite if none is named; 0: one must be */
    enum hk_error (*read)(struct import *import, size_t size);
    const char *wanted;
} import_formats[] = {
    {"age-identity", SUITE(X25519), HK_SUITE_X25519, read_age, "a file with exactly one AGE-SECRET-KEY-1..."},
    {"raw", EVERY_SUITE, HK_SUITE_X25519, read_raw, "a private key: 32 bytes, or 64 hexadecimal digits"},
    {"wif", SUITE(SECP256K1_SCHNORR) | SUITE(SECP256K1_ECDH) | SUITE(SECP256K1_ECDSA), 0, read_wif,
     "a private key in Wallet Import Format"},
    {"ssh", SUITE(ED25519), HK_SUITE_ED25519, read_ssh, "a private key as ssh-keygen writes it"},
};
#define IMPORT_FORMATS (sizeof import_formats / sizeof *import_formats)

/* A sealed file: its passphrase is asked for; a person has three tries, a script one. */
static enum hk_error open_file(const struct hk_call *call, struct import *import, size_t size,
                               const char *path, const struct import_format *format)
{
    char prompt[256];
    int tries = hk_call_setting(call, "passphrase-fd") ? 1 : TRIES;
    snprintf(prompt, sizeof prompt, "Passphrase of %.200s", strcmp(path, "-") ? path : "the key");
    enum hk_error error = format->read(import, size);
    if (error != HK_AGENT_LOCKED)
        return error;
    import->has_passphrase = true;
    for (int i = 0; i < tries && (error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE); i++) {
        if (hk_console_passphrase(call, import->passphrase, prompt, false))
            return error;
        error = format->read(import, size);
    }
    return error;
}

static int read_import(const struct hk_call *call, struct import *import, const char *path,
                       const struct import_format *format)
{
    size_t size = 0;
    enum hk_error error = hk_read_file(path, import->text, sizeof import->text, &size);
    if (error == HK_IO)
        return hk_fail_file(path);
    if (!error)
        error = open_file(call, import, size, path, format);
    hk_wipe(import->text, sizeof import->text);
    hk_wipe(import->passphrase, sizeof import->passphrase);
    switch (error) {
    case HK_OK:
        return 0;
    case HK_AUTH:
        return hk_fail_text(HK_EXIT_FAILED,
                            "%s: the key's checksum is wrong: a character was changed or lost", path);
    case HK_AGENT_LOCKED:
        return hk_fail_text(
            HK_EXIT_LOCKED,
            "%s is sealed with a passphrase: run this on a terminal, or give --passphrase-fd N", path);
    case HK_BAD_PASSPHRASE:
        return hk_fail_text(HK_EXIT_FAILED, "%s: that is not its passphrase", path);
    case HK_UNSUPPORTED:
        return hk_fail_text(
            HK_EXIT_FAILED,
            "%s: keys for SSH are ed25519 here, one a file, sealed with AES in CTR or CBC mode; "
            "'ssh-keygen -p -Z aes256-ctr -f FILE' seals one anew",
            path);
    default:
        return hk_fail_text(HK_EXIT_FAILED, "%s: not %s", path, format->wanted);
    }
}

/* A file that is split is as whole as before until somebody destroys it. */
static void say_where_it_is_whole(const char *path, const struct import_format *format)
{
    char *absolute = strcmp(path, "-") ? realpath(path, NULL) : NULL;
    fflush(stdout);
    fprintf(stderr,
            "This key was whole before it came: every copy of the original is still the whole key. Destroy "
            "them.\n");
    if (absolute)
        fprintf(stderr, "One lies in %s (shred -u).%s\n", absolute,
                format->read == read_ssh ? " An ssh-agent that holds it forgets it with 'ssh-add -d'." : "");
    free(absolute);
}

static int import_key(struct hk_console *console, struct import *import, uint64_t suite,
                      const struct import_format *format)
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
    hk_print_made(console, name, suite);
    say_where_it_is_whole(console->call->arguments[1], format);
    return 0;
}

static int fail_format(void)
{
    char list[128] = "";
    for (size_t i = 0; i < IMPORT_FORMATS; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s",
                 i == 0                    ? ""
                 : i + 1 == IMPORT_FORMATS ? " or "
                                           : ", ",
                 import_formats[i].name);
    }
    return hk_fail_text(HK_EXIT_USAGE, "--format is %s", list);
}

int hk_cmd_key_import(const struct hk_call *call)
{
    struct hk_console console;
    const char *name = hk_call_setting(call, "format"), *chosen = hk_call_option(call, "suite");
    const struct import_format *format = NULL;
    for (size_t i = 0; i < IMPORT_FORMATS; i++)
        if (strcmp(name, import_formats[i].name) == 0)
            format = &import_formats[i];
    if (!format)
        return fail_format();
    const struct hk_suite *suite = chosen ? hk_find_suite(chosen) : hk_suite_by_id(format->usual);
    if (chosen && !suite)
        return hk_fail_suite();
    if (!suite)
        return hk_fail_text(HK_EXIT_USAGE, "--suite: a key has one purpose for good; which is it?");
    if (!(format->suites >> suite->id & 1))
        return hk_fail_text(HK_EXIT_USAGE, "--format %s holds no key of suite %s", format->name, suite->name);
    struct import *import = hk_secret_new(sizeof *import);
    if (!import)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = read_import(call, import, call->arguments[1], format);
    if (!status)
        status = import_key(&console, import, suite->id, format);
    hk_console_close(&console);
    hk_secret_free(import);
    return status;
}
