#include "device/home.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "protocol/encoding.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The user's home folder; NULL if there is none. `room` holds the password file's strings. */
static const char *user_home(char *room, size_t size)
{
    const char *home = variable("HOME");
    struct passwd entry, *found = NULL;
    if (home == NULL && getpwuid_r(getuid(), &entry, room, size, &found) == 0 && found != NULL &&
        found->pw_dir != NULL && found->pw_dir[0] == '/') {
        home = found->pw_dir;
    }
    return home != NULL && home[0] == '/' ? home : NULL;
}

static enum hk_error choose(char path[HK_HOME_PATH_MAX], char reason[256])
{
    char room[4096];
    const char *given = variable("HALFKEY_HOME"), *data = variable("XDG_DATA_HOME"), *home;
    int length;
    if (given != NULL && given[0] == '/') {
        length = snprintf(path, HK_HOME_PATH_MAX, "%s", given);
    } else if (given != NULL) {
        char here[HK_HOME_PATH_MAX];
        if (getcwd(here, sizeof(here)) == NULL) {
            snprintf(reason, 256, "HALFKEY_HOME is relative, and there is no current folder");
            return HK_IO;
        }
        length = snprintf(path, HK_HOME_PATH_MAX, "%s/%s", here, given);
    } else if (data != NULL && data[0] == '/') {
        length = snprintf(path, HK_HOME_PATH_MAX, "%s/halfkey", data);
    } else if ((home = user_home(room, sizeof(room))) != NULL) {
        length = snprintf(path, HK_HOME_PATH_MAX, "%s/.local/share/halfkey", home);
    } else {
        snprintf(reason, 256, "there is no home folder; set HALFKEY_HOME");
        return HK_IO;
    }
    if (length >= HK_HOME_PATH_MAX) {
        snprintf(reason, 256, "the path of the state folder is too long");
        return HK_IO;
    }
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    return HK_OK;
}

static bool is_ours_alone(const struct stat *status)
{
    return status->st_uid == geteuid() && (status->st_mode & 077) == 0;
}

static enum hk_error make_all(const char *path, char reason[256])
{
    char part[HK_HOME_PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            snprintf(reason, 256, "%.180s: %s", part, strerror(errno));
            return HK_IO;
        }
        *slash = '/';
    }
    if (mkdir(part, 0700) != 0 && errno != EEXIST) {
        snprintf(reason, 256, "%.180s: %s", part, strerror(errno));
        return HK_IO;
    }
    return HK_OK;
}

#define SSH_ENDING ".ssh"
#define ROOM (HK_HOME_SOCKET_MAX - (int)sizeof(SSH_ENDING))

/* The socket's name comes from the folder's real path, so that two folders never share an agent. */
static enum hk_error name_socket(struct hk_home *home, char reason[256])
{
    uint8_t hash[HK_NAME_BYTES];
    char hex[HK_HEX_SIZE(8)];
    struct stat status;
    hk_hash_name(hash, "agent/socket", 1, (struct hk_bytes[]){HK_TEXT(home->path)});
    hk_hex_encode(hex, hash, 8);
    const char *runtime = variable("XDG_RUNTIME_DIR");
    int length = ROOM;
    if (runtime != NULL && runtime[0] == '/' && stat(runtime, &status) == 0 && is_ours_alone(&status) &&
        access(runtime, W_OK) == 0) {
        length = snprintf(home->socket, sizeof(home->socket), "%s/halfkey-%s", runtime, hex);
    }
    if (length >= ROOM) {
        length = snprintf(home->socket, sizeof(home->socket), "%s/agent-%s", home->path, hex);
    }
    if (length >= ROOM) {
        snprintf(reason, 256,
                 "the path of the state folder is too long for a socket; set XDG_RUNTIME_DIR or a "
                 "shorter HALFKEY_HOME");
        return HK_IO;
    }
    memcpy(home->ssh_socket, home->socket, (size_t)length);
    memcpy(home->ssh_socket + length, SSH_ENDING, sizeof(SSH_ENDING));
    return HK_OK;
}

enum hk_error hk_home_find(struct hk_home *out, bool make, char reason[256])
{
    struct hk_home home;
    struct stat status;
    enum hk_error error = choose(home.path, reason);
    if (error == HK_OK && make) {
        error = make_all(home.path, reason);
    }
    if (error != HK_OK) {
        return error;
    }
    if (stat(home.path, &status) != 0) {
        snprintf(reason, 256, "%.180s: %s", home.path, strerror(errno));
        return errno == ENOENT ? HK_NOT_FOUND : HK_IO;
    }
    if (!S_ISDIR(status.st_mode) || !is_ours_alone(&status)) {
        snprintf(reason, 256,
                 "%.90s: must be a folder of yours that nobody else can use; run: chmod 700 %.90s", home.path,
                 home.path);
        return HK_IO;
    }
    char *real = realpath(home.path, NULL);
    if (real == NULL || strlen(real) >= sizeof(home.path)) {
        free(real);
        snprintf(reason, 256, "%.180s: cannot be resolved", home.path);
        return HK_IO;
    }
    snprintf(home.path, sizeof(home.path), "%s", real);
    free(real);
    error = name_socket(&home, reason);
    if (error == HK_OK) {
        *out = home;
    }
    return error;
}

enum hk_error hk_home_check_file(int fd, const char *path, char reason[256])
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        snprintf(reason, 256, "%.180s: %s", path, strerror(errno));
        return HK_IO;
    }
    if (!S_ISREG(status.st_mode) || !is_ours_alone(&status)) {
        snprintf(reason, 256,
                 "%.90s: must be a file of yours that nobody else can read; run: chmod 600 %.90s", path,
                 path);
        return HK_IO;
    }
    return HK_OK;
}
