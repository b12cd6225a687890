#include "device/scd_tell.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/gpg_home.h"
#include "device/ssh_tell.h"

#define TEXT_MAX 65536

/* A file of /proc/PID: strings, each with its zero, and one more at the end. */
static size_t read_proc(char *out, size_t max, long pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t got = 1;
    while (fd >= 0 && have < max - 2 && (got = read(fd, out + have, max - 2 - have)) > 0)
        have += (size_t)got;
    if (fd >= 0)
        close(fd);
    out[have] = out[have + 1] = 0;
    return have;
}

static bool is_called(long pid, const char *name)
{
    char text[64];
    size_t size = read_proc(text, sizeof text, pid, "comm");
    return size > 0 && strncmp(text, name, size - 1) == 0 && strlen(name) == size - 1;
}

static bool is_mine(long pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%ld", pid);
    return stat(path, &status) == 0 && status.st_uid == geteuid();
}

/* The value behind `name` among the strings: "GNUPGHOME=" in an environment; or the string behind it. */
static const char *find_value(const char *strings, size_t size, const char *name, bool in_next)
{
    for (const char *at = strings; at < strings + size; at += strlen(at) + 1) {
        if (in_next && strcmp(at, name) == 0)
            return at + strlen(at) + 1;
        if (!in_next && strncmp(at, name, strlen(name)) == 0)
            return at + strlen(name);
    }
    return NULL;
}

/* Its folder as gpg finds it: the option, the variable, the one at home. */
static bool works_on(long pid, const char *home, char *text)
{
    char path[HK_GPG_PATH_MAX] = "", real[HK_GPG_PATH_MAX];
    size_t size = read_proc(text, TEXT_MAX, pid, "cmdline");
    const char *value = find_value(text, size, "--homedir", true);
    if (value) {
        snprintf(path, sizeof path, "%s", value);
    } else {
        size = read_proc(text, TEXT_MAX, pid, "environ");
        value = find_value(text, size, "GNUPGHOME=", false);
        const char *user = find_value(text, size, "HOME=", false);
        if (value && *value)
            snprintf(path, sizeof path, "%s", value);
        else
            snprintf(path, sizeof path, "%s/.gnupg", user ? user : "");
    }
    return hk_gpg_home(real, path, false) == HK_OK && strcmp(real, home) == 0;
}

static long parent_of(long pid)
{
    char text[512];
    size_t size = read_proc(text, sizeof text, pid, "stat");
    const char *behind = size > 0 ? strrchr(text, ')') : NULL;              /* a name may hold anything */
    return behind && strlen(behind) > 4 ? strtol(behind + 4, NULL, 10) : 0; /* ") S PARENT" */
}

void hk_scd_tell(const char *home, const char *sentence)
{
    char *text = malloc(TEXT_MAX);
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    while (text && processes && (entry = readdir(processes))) {
        long pid = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;
        if (pid <= 0 || !is_mine(pid) || !is_called(pid, "gpg") || !works_on(pid, home, text))
            continue;
        long parent = parent_of(pid);
        hk_ssh_tell((pid_t)pid, sentence);
        if (parent > 0 && is_mine(parent) && is_called(parent, "git"))
            hk_ssh_tell((pid_t)parent, sentence);
    }
    if (processes)
        closedir(processes);
    free(text);
    hk_ssh_notify(sentence);
}
