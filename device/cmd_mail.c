/* mail setup: Thunderbird's preferences point an identity at a key that gpg has. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/cmd.h"
#include "device/gpg_setup.h"
#include "device/mail_prefs.h"

#define PREFS_MAX 8

struct work {
    struct hk_gpg_certificates certificates;
    char grips[HK_KEYS_MAX][41];
    size_t grip_count;
    char prefs[PATH_MAX], backup[PATH_MAX]; /* paths */
    char text[HK_PREFS_MAX], changed[HK_PREFS_MAX];
    struct hk_pref list[PREFS_MAX];
    size_t count;
};

/* ---- the profile ---- */

/* Thunderbird holds a lock on .parentlock, or `lock` names its process. */
static bool is_running(const char *profile)
{
    char path[PATH_MAX], target[256];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s/.parentlock", profile);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    snprintf(path, sizeof path, "%s/lock", profile);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return held;
    target[length] = 0;
    const char *plus = strrchr(target, '+'); /* ADDRESS:+PID */
    long pid = plus ? strtol(plus + 1, NULL, 10) : 0;
    return held || (pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM));
}

static int read_text(const char *path, char *text)
{
    size_t size = 0;
    enum hk_error error = hk_read_file(path, text, HK_PREFS_MAX, &size);
    if (error == HK_IO)
        return hk_fail_file(path);
    return error || strlen(text) != size ? hk_fail_text(HK_EXIT_FAILED, "%s: not a file of preferences", path)
                                         : 0;
}

static int open_profile(struct work *work, const char *profile)
{
    if (strlen(profile) > PATH_MAX - 32)
        return hk_fail_text(HK_EXIT_USAGE, "--profile: too long");
    snprintf(work->prefs, sizeof work->prefs, "%s/prefs.js", profile);
    snprintf(work->backup, sizeof work->backup, "%s/prefs.halfkey", profile);
    if (is_running(profile))
        return hk_fail_text(
            HK_EXIT_FAILED,
            "Thunderbird is running with this profile, and would write over what is changed: end "
            "it first");
    return read_text(work->prefs, work->text);
}

/* Puts the preferences as they were before into `text`; `found` says whether there was anything to put back.
 */
static int put_back(struct work *work, bool *found)
{
    struct hk_pref before[PREFS_MAX];
    size_t count = 0;
    *found = access(work->backup, F_OK) == 0;
    if (!*found)
        return 0;
    int status = read_text(work->backup, work->changed);
    if (!status && hk_prefs_recall(before, PREFS_MAX, &count, work->changed))
        status = hk_fail_text(HK_EXIT_FAILED, "%s: not what 'halfkey mail setup' wrote", work->backup);
    if (!status && hk_prefs_set(work->changed, HK_PREFS_MAX, work->text, before, count))
        status = hk_fail(HK_TOO_LARGE, work->prefs);
    if (!status)
        strcpy(work->text, work->changed);
    return status;
}

/* ---- what is set ---- */

static void add_pref(struct work *work, const char *name, const char *value)
{
    struct hk_pref *pref = &work->list[work->count++];
    snprintf(pref->name, sizeof pref->name, "%s", name);
    snprintf(pref->value, sizeof pref->value, "%s", value);
}

/* The identity with the certificate's address, and the preferences that name the key to it. */
static int fill_prefs(struct work *work, const struct hk_certificate *certificate,
                      char id[HK_PREF_IDENTITY_MAX])
{
    static const char *const of_identity[] = {"openpgp_key_id", "last_entered_external_gnupg_key_id",
                                              "is_gnupg_key_id"};
    char fingerprint[HK_FINGERPRINT_TEXT], quoted[HK_PREF_VALUE_MAX], name[HK_PREF_NAME_MAX], address[256];
    const char *open = strrchr(certificate->user_id, '<');
    snprintf(address, sizeof address, "%s", open ? open + 1 : certificate->user_id);
    address[strcspn(address, ">")] = 0;
    if (hk_prefs_identity(id, work->text, address))
        return hk_fail_text(HK_EXIT_FAILED, "no identity of this profile has the address %s", address);
    hk_fingerprint_text(fingerprint, certificate->fingerprint);
    if (hk_prefs_quote(quoted, fingerprint))
        return hk_fail(HK_INTERNAL, NULL);
    add_pref(work, "mail.openpgp.allow_external_gnupg", "true");
    add_pref(work, "mail.openpgp.fetch_pubkeys_from_gnupg", "true");
    for (size_t i = 0; i < sizeof of_identity / sizeof *of_identity; i++) {
        snprintf(name, sizeof name, "mail.identity.%s.%s", id, of_identity[i]);
        add_pref(work, name, i < 2 ? quoted : "true");
    }
    return 0;
}

/* What was there first, then what is there now: a crash in between leaves a backup that changes nothing. */
static int write_prefs(struct work *work)
{
    struct hk_pref before[PREFS_MAX];
    char backup[PREFS_MAX * (HK_PREF_NAME_MAX + HK_PREF_VALUE_MAX)];
    for (size_t i = 0; i < work->count; i++) {
        before[i] = work->list[i];
        if (hk_prefs_get(before[i].value, work->text, work->list[i].name))
            return hk_fail(HK_TOO_LARGE, work->prefs);
    }
    if (hk_prefs_remember(backup, sizeof backup, before, work->count) ||
        hk_prefs_set(work->changed, HK_PREFS_MAX, work->text, work->list, work->count))
        return hk_fail(HK_TOO_LARGE, work->prefs);
    if (hk_write_file(work->backup, backup, strlen(backup)))
        return hk_fail_file(work->backup);
    return hk_write_file(work->prefs, work->changed, strlen(work->changed)) ? hk_fail_file(work->prefs) : 0;
}

static int set_up(const struct hk_call *call, struct work *work)
{
    struct hk_console console;
    char id[HK_PREF_IDENTITY_MAX], fingerprint[HK_FINGERPRINT_TEXT];
    size_t at = 0;
    bool again;
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_gpg_list(&console, &work->certificates, work->grips, &work->grip_count);
    if (!status)
        status = hk_gpg_choose(&work->certificates, hk_call_setting(call, "key"), &at);
    if (!status)
        status = put_back(work, &again);
    if (!status)
        status = fill_prefs(work, &work->certificates.list[at].read, id);
    if (!status)
        status = write_prefs(work);
    hk_console_close(&console);
    if (status)
        return status;
    hk_fingerprint_text(fingerprint, work->certificates.list[at].read.fingerprint);
    printf("The identity %s of Thunderbird uses %s through gpg.\n", id, fingerprint);
    return 0;
}

static int undo(struct work *work, const char *profile)
{
    bool found;
    int status = put_back(work, &found);
    if (!status && !found)
        status = hk_fail_text(HK_EXIT_FAILED, "%s was not set up for halfkey", profile);
    if (!status && hk_write_file(work->prefs, work->text, strlen(work->text)))
        status = hk_fail_file(work->prefs);
    if (!status && unlink(work->backup) != 0)
        status = hk_fail_file(work->backup);
    return status;
}

int hk_cmd_mail_setup(const struct hk_call *call)
{
    const char *profile = hk_call_option(call, "profile");
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = open_profile(work, profile);
    if (!status)
        status = hk_call_option(call, "remove") ? undo(work, profile) : set_up(call, work);
    free(work);
    return status;
}
