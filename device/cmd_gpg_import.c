/* gpg import: a secret key that gpg has exported becomes two halves, under the fingerprint that it has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/gpg_secret.h"
#include "device/gpg_setup.h"
#include "device/key_format.h"

#define NAME_ROOM (HK_NAME_MAX + 24) /* with any number behind it */

#define TRIES 3

/* In memory from hk_secret_new. */
struct import {
    struct hk_gpg_export export;
    char passphrase[HK_PASSPHRASE_MAX];
    uint8_t file[HK_GPG_EXPORT_MAX];
};

static enum hk_error open_file(const struct hk_call *call, struct import *import, size_t size,
                               const char *path)
{
    char prompt[256];
    int tries = hk_call_setting(call, "passphrase-fd") ? 1 : TRIES;
    snprintf(prompt, sizeof prompt, "Passphrase of %.200s", strcmp(path, "-") ? path : "the key");
    enum hk_error error = hk_gpg_export_read(&import->export, import->file, size, NULL);
    for (int i = 0; i < tries && (error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE); i++) {
        if (hk_console_passphrase(call, import->passphrase, prompt, false))
            return error;
        error = hk_gpg_export_read(&import->export, import->file, size, import->passphrase);
    }
    return error;
}

static int read_file(const struct hk_call *call, struct import *import, const char *path)
{
    size_t size = 0;
    enum hk_error error = hk_read_file(path, import->file, sizeof import->file, &size);
    if (error == HK_IO)
        return hk_fail_file(path);
    if (!error)
        error = open_file(call, import, size, path);
    hk_wipe(import->file, sizeof import->file);
    hk_wipe(import->passphrase, sizeof import->passphrase);
    switch (error) {
    case HK_OK:
        return 0;
    case HK_AGENT_LOCKED:
        return hk_fail_text(
            HK_EXIT_LOCKED,
            "%s is sealed with a passphrase: run this on a terminal, or give --passphrase-fd N", path);
    case HK_BAD_PASSPHRASE:
        return hk_fail_text(HK_EXIT_FAILED, "%s: that is not its passphrase", path);
    case HK_NOT_FOUND:
        return hk_fail_text(HK_EXIT_FAILED, "%s: no user id in it has a valid signature of the key", path);
    case HK_UNSUPPORTED:
        return hk_fail_text(
            HK_EXIT_FAILED,
            "%s: one key a file, with its secret primary key, ed25519 and not revoked, as 'gpg "
            "--export-secret-keys FINGERPRINT' writes it",
            path);
    default:
        return hk_fail_text(HK_EXIT_FAILED, "%s: not what 'gpg --export-secret-keys' writes", path);
    }
}

/* The primary key has the name that was given, the others -2, -3 and so on behind it. */
static int name_key(char name[NAME_ROOM], const char *given, size_t i)
{
    if (i == 0)
        snprintf(name, NAME_ROOM, "%s", given);
    else
        snprintf(name, NAME_ROOM, "%.*s-%zu", HK_NAME_MAX, given, i + 1);
    return strlen(name) > HK_NAME_MAX || strlen(given) > HK_NAME_MAX
               ? hk_fail_text(HK_EXIT_USAGE, "'%.80s' is too long a name", given)
               : 0;
}

/* A key that an earlier run, which was cut short, has imported already. */
static bool is_there(struct hk_console *console, const char *name, const struct hk_openpgp_key *key)
{
    struct hk_agent_key_row row;
    (void)!hk_console_request(console, HK_AGENT_KEY_LIST);
    if (hk_console_try(console))
        return false;
    const struct hk_value *rows = &hk_console_answer(console)->value[HK_A_ROWS];
    for (size_t i = 0; i < rows->count; i++)
        if (hk_agent_key_row_decode(&row, rows->items[i]) == HK_OK && strcmp(row.name, name) == 0)
            return memcmp(row.public_key, key->point, sizeof key->point) == 0 && row.created == key->created;
    return false;
}

static int split(struct hk_console *console, const char *name, const struct hk_openpgp_key *key,
                 const struct hk_secret32 *secret)
{
    bool signs = key->algorithm == HK_OPENPGP_EDDSA;
    if (is_there(console, name, key))
        return 0;
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_KEY_IMPORT);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_u64(request, HK_A_SUITE, signs ? HK_SUITE_ED25519 : HK_SUITE_X25519);
    hk_agent_set_u64(request, HK_A_CREATED, key->created);
    hk_agent_set_bytes(request, HK_A_SECRET, secret->bytes, sizeof secret->bytes);
    int status = hk_console_ask(console);
    if (!status)
        printf("%-20s %s\n", name, signs ? "ed25519" : "x25519");
    return status;
}

static int attach(struct hk_console *console, const char *name, const struct hk_gpg_export *export)
{
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_ATTACH);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_text(request, HK_A_NAME, HK_CERTIFICATE_ATTACHMENT);
    hk_agent_set_bytes(request, HK_A_ATTACHMENT, export->certificate, export->certificate_size);
    return hk_console_ask(console);
}

/* A key that is split is as whole as before until somebody destroys the copies. */
static void say_where_it_is_whole(const char *path, const struct hk_gpg_export *export)
{
    char home[HK_GPG_PATH_MAX], place[HK_GPG_PATH_MAX + 80], fingerprint[HK_FINGERPRINT_TEXT];
    uint8_t name[HK_OPENPGP_KEYGRIP_BYTES];
    char *absolute = strcmp(path, "-") ? realpath(path, NULL) : NULL;
    bool in_gpg = false;
    fprintf(stderr, "This key was whole before it came: every copy of the original is still the whole key. "
                    "Destroy them.\n");
    if (absolute)
        fprintf(stderr, "One lies in %s (shred -u).\n", absolute);
    free(absolute);
    for (size_t i = 0; i < export->count && hk_gpg_home(home, NULL, false) == HK_OK; i++) {
        char grip[HK_FINGERPRINT_TEXT];
        hk_openpgp_keygrip(name, export->keys[i].key.algorithm, export->keys[i].key.point);
        hk_fingerprint_text(grip, name);
        if (!hk_gpg_has_whole(place, home, grip))
            continue;
        fprintf(stderr, "One lies in %s\n", place);
        in_gpg = true;
    }
    hk_openpgp_fingerprint(name, &export->keys[0].key);
    hk_fingerprint_text(fingerprint, name);
    if (in_gpg)
        fprintf(stderr,
                "As long as it does gpg uses that one. 'gpg --delete-secret-keys %s' deletes it; then run "
                "'halfkey gpg "
                "setup'.\n",
                fingerprint);
}

static int import_all(struct hk_console *console, const struct hk_gpg_export *export)
{
    char name[NAME_ROOM], fingerprint[HK_FINGERPRINT_TEXT];
    struct hk_certificate certificate;
    const char *given = console->call->arguments[0];
    int status = 0;
    if (hk_certificate_read(&certificate, HK_BYTES(export->certificate, export->certificate_size)))
        return hk_fail_text(HK_EXIT_FAILED, "the certificate in it is not valid");
    for (size_t i = 0; i < export->count && !status; i++)
        status = name_key(name, given, i);
    for (size_t i = 0; i < export->count && !status; i++) {
        status = name_key(name, given, i);
        if (!status)
            status = split(console, name, &export->keys[i].key, &export->keys[i].secret);
    }
    if (!status)
        status = attach(console, given, export);
    if (status)
        return status;
    hk_fingerprint_text(fingerprint, certificate.fingerprint);
    printf("%s  %s\n", fingerprint, certificate.user_id);
    if (export->left > 0)
        printf("%u user ids, subkeys or signatures stayed behind: old ones, of other people, or of other "
               "kinds.\n",
               export->left);
    return 0;
}

int hk_cmd_gpg_import(const struct hk_call *call)
{
    struct hk_console console;
    struct import *import = hk_secret_new(sizeof *import);
    if (!import)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = read_file(call, import, call->arguments[1]);
    if (!status)
        status = import_all(&console, &import->export);
    if (!status)
        say_where_it_is_whole(call->arguments[1], &import->export);
    hk_console_close(&console);
    hk_secret_free(import);
    return status;
}
