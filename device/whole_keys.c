#include "device/whole_keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/openssh_key.h"

/* What the search works in; files may hold secrets, so it is locked memory. */
struct search {
    const struct hk_value *rows;
    char path[4096], text[HK_KEY_FILE_MAX];
    struct hk_openssh_work work;
};

static size_t read_key_file(struct search *search)
{
    struct stat status;
    int fd = open(search->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return 0;
    bool plain = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
                 status.st_size < HK_KEY_FILE_MAX;
    ssize_t size = plain ? read(fd, search->text, sizeof search->text) : 0;
    close(fd);
    return size > 0 ? (size_t)size : 0;
}

static void compare(struct search *search, const uint8_t key[32], hk_whole_key_fn found, void *context)
{
    struct hk_agent_key_row row;
    for (size_t i = 0; i < search->rows->count; i++)
        if (hk_agent_key_row_decode(&row, search->rows->items[i]) == HK_OK && row.imported &&
            row.suite == HK_SUITE_ED25519 && memcmp(row.public_key, key, 32) == 0)
            found(context, search->path, &row);
}

static bool any_imported(const struct hk_value *rows)
{
    struct hk_agent_key_row row;
    for (size_t i = 0; i < rows->count; i++)
        if (hk_agent_key_row_decode(&row, rows->items[i]) == HK_OK && row.imported &&
            row.suite == HK_SUITE_ED25519)
            return true;
    return false;
}

void hk_whole_keys_find(const struct hk_value *rows, hk_whole_key_fn found, void *context)
{
    char folder[3072];
    uint8_t key[32];
    const char *home = getenv("HOME");
    if (!home || *home != '/' || !any_imported(rows))
        return;
    snprintf(folder, sizeof folder, "%.3000s/.ssh", home);
    DIR *directory = opendir(folder);
    struct search *search = directory ? hk_secret_new(sizeof *search) : NULL;
    if (search)
        search->rows = rows;
    for (struct dirent *entry; search && (entry = readdir(directory)) != NULL;) {
        snprintf(search->path, sizeof search->path, "%s/%s", folder, entry->d_name);
        size_t size = read_key_file(search);
        if (size != 0 && hk_openssh_key_public(key, &search->work, search->text, size) == HK_OK)
            compare(search, key, found, context);
        hk_wipe(search->text, sizeof search->text);
    }
    hk_secret_free(search);
    if (directory)
        closedir(directory);
}
