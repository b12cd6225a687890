#include "device/gpg_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "device/cmd.h"
#include "device/run.h"

#define OUTPUT_MAX 16384

/* Runs one of GnuPG's programs on this folder; prints what it said if it fails. */
static int run(const char *home, const char *input, size_t size, const char *const *arguments)
{
    const char *argv[16] = {arguments[0], "--homedir", home};
    char *output = malloc(OUTPUT_MAX);
    int status = 127;
    for (size_t i = 1; arguments[i]; i++)
        argv[2 + i] = arguments[i];
    if (!output)
        return hk_fail(HK_NO_MEMORY, NULL);
    enum hk_error error = hk_run(argv, input, size, output, OUTPUT_MAX, &status);
    /* gpg-connect-agent ends well after an ERR */
    bool refused = !error && (strncmp(output, "ERR ", 4) == 0 || strstr(output, "\nERR "));
    int result = 0;
    if (error || status == 127)
        result = hk_fail_text(HK_EXIT_FAILED, "%s could not be run; is GnuPG installed?", arguments[0]);
    else if (status || refused)
        result = hk_fail_text(HK_EXIT_FAILED, "%s: %.2000s", arguments[0], output);
    free(output);
    return result;
}
#define RUN(home, input, size, ...) run(home, input, size, (const char *const[]){__VA_ARGS__, NULL})

/* The same where it does not matter how it ends. */
static bool succeeds(const char *home, const char *const *arguments)
{
    const char *argv[16] = {arguments[0], "--homedir", home};
    char output[1024];
    int status = 127;
    for (size_t i = 1; arguments[i]; i++)
        argv[2 + i] = arguments[i];
    return hk_run(argv, NULL, 0, output, sizeof output, &status) == HK_OK && status == 0;
}
#define SUCCEEDS(home, ...) succeeds(home, (const char *const[]){__VA_ARGS__, NULL})

/* ---- files ---- */

static int fail_path(const char *home, const char *name)
{
    char path[HK_GPG_PATH_MAX + 80];
    int why = errno;
    snprintf(path, sizeof path, "%s/%s", home, name);
    errno = why;
    return hk_fail_file(path);
}

/* halfkey-scd beside this program; it is the same one under another name. */
static int find_program(char path[HK_GPG_PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, HK_GPG_PATH_MAX - 16);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    if (!slash)
        return hk_fail_text(HK_EXIT_FAILED, "this program's own path cannot be told");
    strcpy(slash + 1, "halfkey-scd");
    return access(path, X_OK) == 0 ? 0 : hk_fail_file(path);
}

/* Replaces gpg-agent.conf if it changes; *changed says so. An empty one is no file. */
static int change_conf(const char *home, const char *program, char before[HK_GPG_PATH_MAX], bool *changed)
{
    char path[HK_GPG_PATH_MAX + 32], *old = malloc(HK_GPG_CONF_MAX), *new = malloc(HK_GPG_CONF_MAX);
    size_t size = 0;
    snprintf(path, sizeof path, "%s/gpg-agent.conf", home);
    enum hk_error error = old && new ? hk_read_file(path, old, HK_GPG_CONF_MAX, &size) : HK_NO_MEMORY;
    if (error == HK_IO && errno == ENOENT) {
        *old = 0;
        error = HK_OK;
    }
    *before = 0;
    if (!error)
        error = program ? hk_gpg_conf_add(new, HK_GPG_CONF_MAX, before, old, program)
                        : hk_gpg_conf_take(new, HK_GPG_CONF_MAX, old);
    *changed = !error && strcmp(old, new) != 0;
    if (*changed)
        error = *new ? hk_write_file(path, new, strlen(new)) : unlink(path) == 0 ? HK_OK : HK_IO;
    free(old);
    free(new);
    return !error ? 0 : error == HK_IO ? hk_fail_file(path) : hk_fail(error, path);
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What halfkey-scd has to know beforehand. */
static int write_settings(const char *home, const char *serial, const char *before,
                          struct hk_gpg_settings *settings)
{
    const char *state = getenv("HALFKEY_HOME");
    char *real = state && *state ? realpath(state, NULL) : NULL;
    snprintf(settings->home, sizeof settings->home, "%s", real ? real : "");
    free(real);
    snprintf(settings->serial, sizeof settings->serial, "%s", serial);
    if (*before == '/' && strcmp(base(before), "halfkey-scd") != 0)
        snprintf(settings->scdaemon, sizeof settings->scdaemon, "%s", before);
    return hk_gpg_settings_write(settings, home) ? fail_path(home, "halfkey-scd.conf") : 0;
}

bool hk_gpg_has_whole(char path[HK_GPG_PATH_MAX + 80], const char *home, const char *grip)
{
    char text[8192];
    size_t size = 0;
    HK_WIPE_AT_EXIT(text);
    snprintf(path, HK_GPG_PATH_MAX + 80, "%s/private-keys-v1.d/%s.key", home, grip);
    if (hk_read_file(path, text, sizeof text, &size))
        return false;
    return !memmem(text, size, "shadowed-private-key", 20);
}

/* ---- what setup does, step by step ---- */

/* Into the keyring; those that were not there are written down first, for the way back. */
static int import_certificates(const char *home, const struct hk_gpg_certificates *certificates,
                               struct hk_gpg_settings *settings)
{
    int status = 0;
    for (size_t i = 0; i < certificates->count && !status; i++) {
        char fingerprint[HK_FINGERPRINT_TEXT], trust[64];
        hk_fingerprint_text(fingerprint, certificates->list[i].read.fingerprint);
        size_t length = strlen(settings->imported);
        if (!strstr(settings->imported, fingerprint) && length + 50 < sizeof settings->imported &&
            !SUCCEEDS(home, "gpg", "--batch", "--list-keys", fingerprint)) {
            snprintf(settings->imported + length, sizeof settings->imported - length, "%s%s",
                     length ? " " : "", fingerprint);
            if (hk_gpg_settings_write(settings, home))
                return fail_path(home, "halfkey-scd.conf");
        }
        status = RUN(home, (const char *)certificates->list[i].bytes, certificates->list[i].size, "gpg",
                     "--batch", "--quiet", "--import");
        snprintf(trust, sizeof trust, "%s:6:\n", fingerprint);
        if (!status)
            status = RUN(home, trust, strlen(trust), "gpg", "--batch", "--quiet", "--import-ownertrust");
    }
    return status;
}

int hk_gpg_set(const char *home, const char *serial, const struct hk_gpg_certificates *certificates)
{
    char program[HK_GPG_PATH_MAX], before[HK_GPG_PATH_MAX], select[96];
    struct hk_gpg_settings settings = {.serial = ""};
    bool changed = false;
    int status = find_program(program);
    enum hk_error error = hk_gpg_settings_read(&settings, home);
    if (!status && error && error != HK_NOT_FOUND)
        status = hk_fail_text(HK_EXIT_FAILED,
                              "%s/halfkey-scd.conf is not what 'halfkey gpg setup' wrote; delete it", home);
    if (!status)
        status = change_conf(home, program, before, &changed);
    if (!status)
        status = write_settings(home, serial, before, &settings);
    if (!status) /* a running one has read neither file */
        status = RUN(home, NULL, 0, "gpgconf", "--kill", "gpg-agent");
    if (!status)
        status = import_certificates(home, certificates, &settings);
    snprintf(select, sizeof select, "SCD SERIALNO --demand=%s", serial);
    if (!status)
        status = RUN(home, NULL, 0, "gpg-connect-agent", select, "LEARN", "/bye");
    return status;
}

static int delete_imported(const char *home, char *fingerprints)
{
    int status = 0;
    for (char *word; !status && (word = hk_assuan_word(&fingerprints));)
        if (SUCCEEDS(home, "gpg", "--batch", "--list-keys", word))
            status = RUN(home, NULL, 0, "gpg", "--batch", "--yes", "--delete-keys", word);
    return status;
}

int hk_gpg_unset(const char *home, char (*grips)[41], size_t count)
{
    struct hk_gpg_settings settings = {.serial = ""};
    char before[HK_GPG_PATH_MAX];
    bool changed = false;
    enum hk_error error = hk_gpg_settings_read(&settings, home);
    if (error == HK_NOT_FOUND)
        return hk_fail_text(HK_EXIT_FAILED, "%s was not set up for halfkey", home);
    if (error)
        return fail_path(home, "halfkey-scd.conf");
    int status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        char command[80], path[HK_GPG_PATH_MAX + 80];
        snprintf(path, sizeof path, "%s/private-keys-v1.d/%s.key", home, grips[i]);
        snprintf(command, sizeof command, "DELETE_KEY --stub-only %s", grips[i]);
        char whole[sizeof path];
        if (access(path, F_OK) == 0 && !hk_gpg_has_whole(whole, home, grips[i]))
            status = RUN(home, NULL, 0, "gpg-connect-agent", command, "/bye");
    }
    if (!status)
        status = delete_imported(home, settings.imported);
    if (!status)
        status = change_conf(home, NULL, before, &changed);
    if (!status && hk_gpg_settings_remove(home))
        status = fail_path(home, "halfkey-scd.conf");
    if (!status)
        status = RUN(home, NULL, 0, "gpgconf", "--kill", "gpg-agent");
    return status;
}
