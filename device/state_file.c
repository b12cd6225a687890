/* The sealed file. Its head: magic ‖ version ‖ form ‖ u64be operations ‖ u64be memory ‖ salt ‖ nonce; the
 * head is the associated data. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"
#include "device/state.h"
#include "protocol/aead.h"
#include "protocol/encoding.h"
#include "protocol/seam.h"

#define MAGIC "halfkey share\r\n\x1a"
#define MAGIC_BYTES 16
#define NONCE_AT (MAGIC_BYTES + 2 + 8 + 8 + 16)
#define HEAD_BYTES (NONCE_AT + HK_AEAD_X_NONCE_BYTES)
#define VERSION 1
enum { FORM_OPEN = 0, FORM_ARGON2ID = 1 };

/* Argon2id: 64 MiB, three passes. Bounds for what a file may ask of us. */
#define OPERATIONS 3
#define MEMORY (UINT64_C(64) << 20)
#define OPERATIONS_MAX 64
#define MEMORY_MAX (UINT64_C(4) << 30)

#define UNNAMED "0000000000000000.share"

/* ---- the seal ---- */

static enum hk_error derive(struct hk_state_seal *seal, const void *passphrase, size_t size)
{
    if (!seal->has_passphrase) {
        hk_hash_name(seal->key.bytes, "state/open", 1, (struct hk_bytes[]){HK_BYTES(seal->salt, 16)});
        return HK_OK;
    }
    assert(passphrase != NULL);
    int failed = crypto_pwhash(seal->key.bytes, sizeof(seal->key.bytes), passphrase, size, seal->salt,
                               seal->operations, (size_t)seal->memory, crypto_pwhash_ALG_ARGON2ID13);
    return failed ? HK_NO_MEMORY : HK_OK;
}

enum hk_error hk_state_seal_make(struct hk_state_seal *seal, const void *passphrase, size_t size)
{
    hk_wipe(seal, sizeof(*seal));
    seal->has_passphrase = passphrase != NULL;
    seal->operations = passphrase != NULL ? OPERATIONS : 0;
    seal->memory = passphrase != NULL ? MEMORY : 0;
    hk_random(seal->salt, sizeof(seal->salt));
    return derive(seal, passphrase, size);
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

static void write_head(uint8_t head[HEAD_BYTES], const struct hk_state_seal *seal)
{
    memcpy(head, MAGIC, MAGIC_BYTES);
    head[MAGIC_BYTES] = VERSION;
    head[MAGIC_BYTES + 1] = seal->has_passphrase ? FORM_ARGON2ID : FORM_OPEN;
    put_u64(head + MAGIC_BYTES + 2, seal->operations);
    put_u64(head + MAGIC_BYTES + 10, seal->memory);
    memcpy(head + MAGIC_BYTES + 18, seal->salt, sizeof(seal->salt));
    hk_random(head + NONCE_AT, HK_AEAD_X_NONCE_BYTES);
}

static enum hk_error read_head(struct hk_state_seal *seal, const uint8_t *head, size_t size)
{
    if (size < HEAD_BYTES || memcmp(head, MAGIC, MAGIC_BYTES) != 0) {
        return HK_BAD_ENCODING;
    }
    uint8_t form = head[MAGIC_BYTES + 1];
    uint64_t operations = get_u64(head + MAGIC_BYTES + 2), memory = get_u64(head + MAGIC_BYTES + 10);
    bool open = form == FORM_OPEN && operations == 0 && memory == 0;
    bool sealed = form == FORM_ARGON2ID && operations >= 1 && operations <= OPERATIONS_MAX &&
                  memory >= crypto_pwhash_MEMLIMIT_MIN && memory <= MEMORY_MAX;
    if (head[MAGIC_BYTES] != VERSION) {
        return HK_UNSUPPORTED;
    }
    if (!open && !sealed) {
        return HK_BAD_ENCODING;
    }
    seal->has_passphrase = sealed;
    seal->operations = operations;
    seal->memory = memory;
    memcpy(seal->salt, head + MAGIC_BYTES + 18, sizeof(seal->salt));
    return HK_OK;
}

/* ---- which file ---- */

static bool is_share(const char *name)
{
    size_t length = strlen(name);
    return length == strlen(UNNAMED) && strcmp(name + length - 6, ".share") == 0 &&
           strspn(name, "0123456789abcdef") == 16;
}

/* A file that has a name of its own comes before the one that had none yet: a crash left both. */
static enum hk_error find(char name[32], const struct hk_home *home, char reason[256])
{
    DIR *folder = opendir(home->path);
    if (folder == NULL) {
        snprintf(reason, 256, "%.180s: %s", home->path, strerror(errno));
        return HK_IO;
    }
    int named = 0;
    name[0] = '\0';
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (is_share(entry->d_name) && (named == 0 || strcmp(entry->d_name, UNNAMED) != 0)) {
            snprintf(name, 32, "%s", entry->d_name);
            named += strcmp(entry->d_name, UNNAMED) != 0;
        }
    }
    closedir(folder);
    if (named > 1) {
        snprintf(reason, 256, "%.160s holds several accounts; keep each in a folder of its own", home->path);
        return HK_CONFLICT;
    }
    return name[0] != '\0' ? HK_OK : HK_NO_ACCOUNT;
}

static enum hk_error open_share(int *fd, const struct hk_home *home, char reason[256])
{
    char name[32], path[HK_HOME_PATH_MAX + 40];
    enum hk_error error = find(name, home, reason);
    if (error != HK_OK) {
        return error;
    }
    snprintf(path, sizeof(path), "%s/%s", home->path, name);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        snprintf(reason, 256, "%.180s: %s", path, strerror(errno));
        return HK_IO;
    }
    error = hk_home_check_file(file, path, reason);
    if (error != HK_OK) {
        close(file);
        return error;
    }
    *fd = file;
    return HK_OK;
}

static enum hk_error read_all(int fd, uint8_t *out, size_t max, size_t *size)
{
    size_t have = 0;
    ssize_t got = 1;
    while (got > 0 && have < max) {
        got = read(fd, out + have, max - have);
        have += got > 0 ? (size_t)got : 0;
    }
    *size = have;
    return got < 0 || have == max ? HK_IO : HK_OK;
}

/* ---- reading ---- */

enum hk_error hk_state_look(const struct hk_home *home, bool *has_passphrase, char reason[256])
{
    int fd;
    uint8_t head[HEAD_BYTES + 1];
    size_t size;
    struct hk_state_seal seal = {0};
    enum hk_error error = open_share(&fd, home, reason);
    if (error != HK_OK) {
        return error;
    }
    (void)read_all(fd, head, sizeof(head), &size); /* a file that goes on is what it should be */
    error = size == sizeof(head) ? read_head(&seal, head, size) : HK_BAD_ENCODING;
    close(fd);
    if (error != HK_OK) {
        snprintf(reason, 256, "the state file is damaged or of another version");
        return HK_IO;
    }
    *has_passphrase = seal.has_passphrase;
    return HK_OK;
}

static enum hk_error unseal(struct hk_state *state, struct hk_state_seal *seal, uint8_t *file, size_t size,
                            const void *passphrase, size_t passphrase_size)
{
    enum hk_error error = read_head(seal, file, size);
    if (error == HK_OK && seal->has_passphrase && passphrase == NULL) {
        error = HK_AGENT_LOCKED;
    }
    if (error == HK_OK) {
        error = derive(seal, passphrase, passphrase_size);
    }
    if (error == HK_OK) {
        error = hk_aead_x_open(file + HEAD_BYTES, &seal->key, file + NONCE_AT, file, HEAD_BYTES,
                               file + HEAD_BYTES, size - HEAD_BYTES);
        error = error == HK_AUTH ? HK_BAD_PASSPHRASE : error;
    }
    if (error == HK_OK) {
        error = hk_state_decode(state, file + HEAD_BYTES, size - HEAD_BYTES - HK_AEAD_TAG_BYTES);
    }
    return error;
}

enum hk_error hk_state_read(struct hk_state **out, struct hk_state_seal *seal, const struct hk_home *home,
                            const void *passphrase, size_t size, char reason[256])
{
    int fd;
    enum hk_error error = open_share(&fd, home, reason);
    if (error != HK_OK) {
        return error;
    }
    struct hk_state *state = NULL;
    size_t file_size = 0;
    uint8_t *file = hk_secret_new(HK_STATE_FILE_MAX);
    error = file == NULL ? HK_NO_MEMORY : hk_state_new(&state);
    if (error == HK_OK) {
        error = read_all(fd, file, HK_STATE_FILE_MAX, &file_size);
    }
    close(fd);
    if (error == HK_OK) {
        error = unseal(state, seal, file, file_size, passphrase, size);
    }
    hk_secret_free(file);
    if (error != HK_OK) {
        hk_state_free(state);
        hk_wipe(&seal->key, sizeof(seal->key));
        snprintf(reason, 256, "%s",
                 error == HK_BAD_ENCODING ? "the state file is damaged" : hk_strerror(error));
        return error;
    }
    *out = state;
    return HK_OK;
}

/* ---- writing ---- */

static enum hk_error write_new(const char *path, const uint8_t *data, size_t size)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return HK_IO;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return HK_IO;
    }
    bool good = fchmod(fd, 0600) == 0;
    while (good && size != 0) {
        ssize_t written = write(fd, data, size);
        good = written > 0 || (written < 0 && errno == EINTR);
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    good = good && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good ? HK_OK : HK_IO;
}

static enum hk_error sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good ? HK_OK : HK_IO;
}

static enum hk_error replace(const struct hk_state *state, const struct hk_home *home, const uint8_t *data,
                             size_t size)
{
    char hex[HK_HEX_SIZE(8)], path[HK_HOME_PATH_MAX + 40], new_path[HK_HOME_PATH_MAX + 40];
    hk_hex_encode(hex, state->account, 8);
    snprintf(path, sizeof(path), "%s/%s.share", home->path, hex);
    snprintf(new_path, sizeof(new_path), "%s/%s.new", home->path, hex);
    enum hk_error error = write_new(new_path, data, size);
    if (error == HK_OK && rename(new_path, path) != 0) {
        error = HK_IO;
    }
    if (error == HK_OK) {
        error = sync_folder(home->path);
    }
    if (error != HK_OK) {
        unlink(new_path);
        return error;
    }
    if (!hk_is_zero(state->account, sizeof(state->account))) {
        snprintf(path, sizeof(path), "%s/%s", home->path, UNNAMED);
        unlink(path);
    }
    return HK_OK;
}

enum hk_error hk_state_write(const struct hk_state *state, const struct hk_state_seal *seal,
                             const struct hk_home *home, const char *seam)
{
    char before[96], after[96];
    snprintf(before, sizeof(before), "%s/before", seam);
    snprintf(after, sizeof(after), "%s/after", seam);
    uint8_t *file = hk_secret_new(HK_STATE_FILE_MAX);
    size_t size;
    if (file == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = hk_state_encode(state, file + HEAD_BYTES,
                                          HK_STATE_FILE_MAX - HEAD_BYTES - HK_AEAD_TAG_BYTES - 1, &size);
    if (error == HK_OK) {
        write_head(file, seal);
        hk_aead_x_seal(file + HEAD_BYTES, &seal->key, file + NONCE_AT, file, HEAD_BYTES, file + HEAD_BYTES,
                       size);
        HK_SEAM(before);
        error = replace(state, home, file, HEAD_BYTES + size + HK_AEAD_TAG_BYTES);
        HK_SEAM(after);
    }
    hk_secret_free(file);
    return error;
}

enum hk_error hk_state_remove(const struct hk_home *home)
{
    char name[32], path[HK_HOME_PATH_MAX + 40], reason[256];
    enum hk_error error = find(name, home, reason);
    if (error != HK_OK) {
        return error == HK_NO_ACCOUNT ? HK_OK : error;
    }
    snprintf(path, sizeof(path), "%s/%s", home->path, name);
    return unlink(path) == 0 ? sync_folder(home->path) : HK_IO;
}
