#include "keyservice/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyservice/console.h"

static void raise_limit(__rlimit_resource_t what)
{
    struct rlimit limit;
    if (getrlimit(what, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(what, &limit);
    }
}

static void forbid_dumps(void)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void hk_process_harden(void)
{
    forbid_dumps();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    raise_limit(RLIMIT_NOFILE);
    raise_limit(RLIMIT_MEMLOCK);
    (void)umask(077);
}

/* ---- another user ---- */

static enum hk_error find_user(const char *name, struct passwd *entry, char *room, size_t size, bool *found,
                               char reason[256])
{
    struct passwd *result = NULL;
    int failed = getpwnam_r(name, entry, room, size, &result);
    *found = result != NULL;
    if (failed != 0) {
        (void)snprintf(reason, 256, "the account %.80s cannot be looked up: %s", name, strerror(failed));
        return HK_IO;
    }
    return HK_OK;
}

/* What root once made, its new user could not open; to give it away unasked could hand over another's files.
 */
static enum hk_error give_folder(const char *data, const struct passwd *entry, char reason[256])
{
    struct stat found;
    if (mkdir(data, 0700) == 0) {
        if (chown(data, entry->pw_uid, entry->pw_gid) == 0) {
            return HK_OK;
        }
        (void)snprintf(reason, 256, "%.150s: cannot be given to %.60s", data, entry->pw_name);
        return HK_IO;
    }
    if (errno != EEXIST || stat(data, &found) != 0) {
        (void)snprintf(reason, 256, "cannot make %.150s: %s", data, strerror(errno));
        return HK_IO;
    }
    if (found.st_uid != entry->pw_uid) {
        (void)snprintf(reason, 256,
                       "%.90s is not %.30s's, whom halfkeyd becomes: chown -R %.30s it, or say --user root",
                       data, entry->pw_name, entry->pw_name);
        return HK_IO;
    }
    return HK_OK;
}

static enum hk_error leave_root(const struct passwd *entry, char reason[256])
{
    bool left = initgroups(entry->pw_name, entry->pw_gid) == 0 &&
                setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
                setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0;
    if (!left || setuid(0) == 0) { /* the way back must be gone */
        (void)snprintf(reason, 256, "cannot become %.80s: %s", entry->pw_name, strerror(errno));
        return HK_IO;
    }
    forbid_dumps(); /* the kernel resets it when the user changes */
    (void)setenv("HOME", entry->pw_dir, 1);
    return HK_OK;
}

static enum hk_error stay_as(const char *user, const struct passwd *entry, bool found, char reason[256])
{
    if (user[0] == '\0' || (found && entry->pw_uid == geteuid())) {
        return HK_OK;
    }
    (void)snprintf(reason, 256, "only root can become %.80s: start halfkeyd as root or as that user", user);
    return HK_USAGE;
}

enum hk_error hk_process_become(const char *user, const char *data, char reason[256])
{
    struct passwd entry;
    char room[4096];
    bool found, root = geteuid() == 0;
    const char *name = user[0] != '\0' ? user : HK_PROCESS_USER;
    enum hk_error error = find_user(name, &entry, room, sizeof(room), &found, reason);
    if (error != HK_OK) {
        return error;
    }
    if (!root) {
        return stay_as(user, &entry, found, reason);
    }
    if (!found && user[0] == '\0') {
        hk_console(HK_LEVEL_WARNING, "runs-as-root",
                   " advice=\"there is no account %s: useradd --system %s, or say --user\"", name, name);
        return HK_OK;
    }
    if (!found) {
        (void)snprintf(reason, 256, "there is no account %.80s: useradd --system %.80s", name, name);
        return HK_USAGE;
    }
    if (entry.pw_uid == 0) {
        return HK_OK;
    }
    error = give_folder(data, &entry, reason);
    return error == HK_OK ? leave_root(&entry, reason) : error;
}

void hk_process_lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        hk_console(HK_LEVEL_WARNING, "memory-not-locked", " advice=\"raise the limit (ulimit -l)\"");
    }
}
