#include "keyservice/slots.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"
#include "keyservice/file.h"
#include "keyservice/masterkey.h"
#include "keyservice/seal.h"
#include "protocol/seam.h"

#define HEADER_BYTES 4096 /* a page of its own, so that a torn header never touches a record */
#define RECORD_BYTES 128
#define GROW_RECORDS 512
#define SEALED_KEY (32 + HK_SEAL_OVERHEAD)
#define CHECKED 32 /* bytes of header under the checksum */

static const uint8_t magic[16] = "halfkey slots 1";
static const uint8_t live_mark[8] = "slotlive";

/* A record: live mark 8 ‖ number u64be ‖ serial 16 ‖ sealed wrapping key 72 ‖ zeros. All zeros: erased. */
struct record {
    uint8_t bytes[RECORD_BYTES];
};

struct hk_slots {
    int fd[2];
    struct hk_secret32 *sealing;
    uint64_t count;        /* records in both files */
    uint8_t *used;         /* one byte a record; the writer's */
    uint64_t first_unused; /* no erased record below it */
    bool dirty;
    char path[2][HK_PATH_MAX];
};

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

static void header_encode(uint8_t out[CHECKED + 32], uint64_t generation, uint64_t next)
{
    memcpy(out, magic, sizeof magic);
    put_u64(out + 16, generation);
    put_u64(out + 24, next);
    crypto_hash_sha256(out + CHECKED, out, CHECKED);
}

static enum hk_error header_read(int fd, struct hk_slots_header *header)
{
    uint8_t found[CHECKED + 32], sum[32];
    enum hk_error error = hk_file_read_at(fd, found, sizeof found, 0);
    if (error != HK_OK) {
        return error;
    }
    crypto_hash_sha256(sum, found, CHECKED);
    header->valid = memcmp(sum, found + CHECKED, 32) == 0 && memcmp(found, magic, sizeof magic) == 0;
    header->generation = get_u64(found + 16);
    header->next = get_u64(found + 24);
    return HK_OK;
}

static uint64_t record_offset(uint64_t slot)
{
    return HEADER_BYTES + slot * RECORD_BYTES;
}

static bool record_is_live(const struct record *record)
{
    return memcmp(record->bytes, live_mark, sizeof live_mark) == 0;
}

/* No secret: that a record is erased is what a revocation says. A start asks it of a million records. */
static bool record_is_erased(const struct record *record)
{
    static const struct record zeros;
    return memcmp(record, &zeros, sizeof zeros) == 0;
}

static enum hk_error record_open(const struct hk_slots *slots, const struct record *record, uint64_t slot,
                                 const uint8_t *serial, struct hk_secret32 *key)
{
    uint8_t number[8];
    put_u64(number, slot);
    return hk_unseal(key->bytes, record->bytes + 32, SEALED_KEY, slots->sealing, "slot", 2,
                     (struct hk_bytes[]){HK_BYTES(number, 8), HK_BYTES(serial, HK_ID_BYTES)});
}

/* -- opening -- */

/* A copy appears under its name only when it is whole. */
static enum hk_error create_copy(const char *path)
{
    uint8_t *content = calloc(1, HEADER_BYTES);
    if (content == NULL) {
        return HK_NO_MEMORY;
    }
    header_encode(content, 1, 0);
    HK_SEAM("slots.create.before");
    enum hk_error error = hk_file_replace(path, content, HEADER_BYTES);
    HK_SEAM("slots.create.after");
    free(content);
    return error;
}

static enum hk_error open_copy(struct hk_slots *slots, int copy, const char *path, bool create, char *reason)
{
    if (strlen(path) >= HK_PATH_MAX) {
        hk_reason(reason, "the path of a slot file is too long");
        return HK_IO;
    }
    strcpy(slots->path[copy], path);
    if (create && !hk_file_exists(path)) {
        enum hk_error error = create_copy(path);
        if (error != HK_OK) {
            hk_reason(reason, "cannot write %.180s", path);
            return error;
        }
    }
    enum hk_error error = hk_file_open_private(&slots->fd[copy], path, true, reason);
    if (error != HK_OK) {
        return error;
    }
    struct stat found;
    if (fstat(slots->fd[copy], &found) != 0 || found.st_size < HEADER_BYTES) {
        hk_reason(reason, "%.180s is not a slot file", path);
        return HK_IO;
    }
    /* A crash while the file grew can leave a part of a record, which is an erased one. */
    uint64_t records = ((uint64_t)found.st_size - HEADER_BYTES + RECORD_BYTES - 1) / RECORD_BYTES;
    if (records > slots->count) {
        slots->count = records;
    }
    return HK_OK;
}

/* Both copies get the same length; what is added is zeros, that is erased records. */
static enum hk_error grow(struct hk_slots *slots, uint64_t count)
{
    uint8_t *used = realloc(slots->used, count + 1);
    if (used == NULL) {
        return HK_NO_MEMORY;
    }
    slots->used = used;
    for (int copy = 0; copy < 2; copy++) {
        struct stat found;
        off_t wanted = (off_t)record_offset(count);
        if (fstat(slots->fd[copy], &found) != 0 ||
            (found.st_size < wanted && ftruncate(slots->fd[copy], wanted) != 0)) {
            return HK_IO;
        }
    }
    memset(used + slots->count, 0, count - slots->count);
    slots->count = count;
    return HK_OK;
}

static enum hk_error read_record(const struct hk_slots *slots, int copy, uint64_t slot, struct record *record)
{
    return hk_file_read_at(slots->fd[copy], record->bytes, RECORD_BYTES, record_offset(slot));
}

/* Records read at once where all are looked at; a file of a million takes thousands of reads, not millions.
 */
#define CHUNK 1024
struct chunk {
    struct record record[2][CHUNK];
    uint64_t first, count;
};

/* The chunk that begins at `first`; none beyond the end. */
static enum hk_error read_chunk(const struct hk_slots *slots, struct chunk *chunk, uint64_t first)
{
    chunk->first = first;
    chunk->count = slots->count - first < CHUNK ? slots->count - first : CHUNK;
    for (int copy = 0; copy < 2; copy++) {
        enum hk_error error = hk_file_read_at(slots->fd[copy], chunk->record[copy],
                                              chunk->count * RECORD_BYTES, record_offset(first));
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

static enum hk_error read_used(struct hk_slots *slots)
{
    struct chunk *chunk = malloc(sizeof *chunk);
    enum hk_error error = chunk == NULL ? HK_NO_MEMORY : HK_OK;
    for (uint64_t first = 0; first < slots->count && error == HK_OK; first += CHUNK) {
        error = read_chunk(slots, chunk, first);
        for (uint64_t i = 0; i < chunk->count && error == HK_OK; i++) {
            slots->used[first + i] =
                !record_is_erased(&chunk->record[0][i]) && !record_is_erased(&chunk->record[1][i]);
        }
    }
    free(chunk);
    return error;
}

enum hk_error hk_slots_open(struct hk_slots **out, const char *path_a, const char *path_b,
                            const struct hk_secret32 *master, bool create, char reason[256])
{
    struct hk_slots *slots = calloc(1, sizeof *slots);
    if (slots == NULL) {
        return HK_NO_MEMORY;
    }
    slots->fd[0] = slots->fd[1] = -1;
    slots->sealing = hk_secret_new(sizeof *slots->sealing);
    enum hk_error error = HK_NO_MEMORY;
    if (slots->sealing == NULL) {
        hk_reason(reason, "no locked memory to be had (ulimit -l)");
        goto done;
    }
    hk_master_subkey(slots->sealing, master, "slots");
    if (strcmp(path_a, path_b) == 0) {
        hk_reason(reason, "the two copies of the slot file cannot be the same file");
        error = HK_USAGE;
        goto done;
    }
    error = open_copy(slots, 0, path_a, create, reason);
    if (error == HK_OK) {
        error = open_copy(slots, 1, path_b, create, reason);
    }
    if (error != HK_OK) {
        goto done;
    }
    uint64_t count = slots->count;
    slots->count = 0;
    error = grow(slots, count);
    if (error == HK_OK) {
        error = read_used(slots);
    }
    if (error != HK_OK) {
        hk_reason(reason, "cannot read %.180s", path_a);
    }
done:
    if (error != HK_OK) {
        hk_slots_close(slots);
        return error;
    }
    *out = slots;
    return HK_OK;
}

void hk_slots_close(struct hk_slots *slots)
{
    if (slots == NULL) {
        return;
    }
    for (int copy = 0; copy < 2; copy++) {
        if (slots->fd[copy] >= 0) {
            close(slots->fd[copy]);
        }
    }
    hk_secret_free(slots->sealing);
    free(slots->used);
    free(slots);
}

void hk_slots_headers(const struct hk_slots *slots, struct hk_slots_header headers[2])
{
    for (int copy = 0; copy < 2; copy++) {
        headers[copy] = (struct hk_slots_header){0};
        if (header_read(slots->fd[copy], &headers[copy]) != HK_OK) {
            headers[copy].valid = false;
        }
    }
}

bool hk_slots_on_one_disk(const struct hk_slots *slots)
{
    struct stat a, b;
    return fstat(slots->fd[0], &a) != 0 || fstat(slots->fd[1], &b) != 0 || a.st_dev == b.st_dev;
}

/* -- records -- */

static enum hk_error write_both(struct hk_slots *slots, uint64_t slot, const struct record *record)
{
    slots->dirty = true;
    for (int copy = 0; copy < 2; copy++) {
        enum hk_error error =
            hk_file_write_at(slots->fd[copy], record->bytes, RECORD_BYTES, record_offset(slot));
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

static bool record_is_whole(const struct hk_slots *slots, const struct record *record, uint64_t slot)
{
    struct hk_secret32 key;
    HK_WIPE_AT_EXIT(key);
    return record_is_live(record) && record_open(slots, record, slot, record->bytes + 16, &key) == HK_OK;
}

/* One slot whose two records differ. */
static enum hk_error merge_one(struct hk_slots *slots, uint64_t slot, const struct record *a,
                               const struct record *b)
{
    if (record_is_erased(a) || record_is_erased(b)) {
        return hk_slots_erase(slots, slot);
    }
    if (record_is_whole(slots, a, slot)) {
        return write_both(slots, slot, a);
    }
    return record_is_whole(slots, b, slot) ? write_both(slots, slot, b) : hk_slots_erase(slots, slot);
}

enum hk_error hk_slots_merge(struct hk_slots *slots)
{
    struct chunk *chunk = malloc(sizeof *chunk);
    enum hk_error error = chunk == NULL ? HK_NO_MEMORY : HK_OK;
    for (uint64_t first = 0; first < slots->count && error == HK_OK; first += CHUNK) {
        error = read_chunk(slots, chunk, first);
        for (uint64_t i = 0; i < chunk->count && error == HK_OK; i++) {
            const struct record *a = &chunk->record[0][i], *b = &chunk->record[1][i];
            error = memcmp(a, b, sizeof *a) == 0 ? HK_OK : merge_one(slots, first + i, a, b);
        }
    }
    free(chunk);
    return error;
}

bool hk_slots_differ(const struct hk_slots *slots, uint64_t slot)
{
    struct record record[2];
    if (slot == HK_SLOTS_HEADER) {
        struct hk_slots_header header[2];
        hk_slots_headers(slots, header);
        return header[0].valid != header[1].valid || header[0].generation != header[1].generation ||
               header[0].next != header[1].next;
    }
    return read_record(slots, 0, slot, &record[0]) != HK_OK ||
           read_record(slots, 1, slot, &record[1]) != HK_OK ||
           memcmp(&record[0], &record[1], sizeof record[0]) != 0;
}

uint64_t hk_slots_count(const struct hk_slots *slots)
{
    return slots->count;
}

bool hk_slots_is_live(const struct hk_slots *slots, uint64_t slot)
{
    return slot < slots->count && slots->used[slot] != 0;
}

enum hk_error hk_slots_allocate(struct hk_slots *slots, const uint8_t *serial, uint64_t *slot,
                                struct hk_secret32 *key)
{
    uint64_t free_slot = slots->first_unused;
    while (free_slot < slots->count && slots->used[free_slot] != 0) {
        free_slot++;
    }
    if (free_slot == slots->count) {
        enum hk_error error = grow(slots, slots->count + GROW_RECORDS);
        if (error != HK_OK) {
            return error;
        }
    }
    struct record record = {{0}};
    memcpy(record.bytes, live_mark, sizeof live_mark);
    put_u64(record.bytes + 8, free_slot);
    memcpy(record.bytes + 16, serial, HK_ID_BYTES);
    hk_random(key->bytes, sizeof key->bytes);
    hk_seal(record.bytes + 32, key->bytes, sizeof key->bytes, slots->sealing, "slot", 2,
            (struct hk_bytes[]){HK_BYTES(record.bytes + 8, 8), HK_BYTES(serial, HK_ID_BYTES)});
    slots->used[free_slot] = 1;
    slots->first_unused = free_slot + 1;
    HK_SEAM("slots.alloc.before");
    enum hk_error error = write_both(slots, free_slot, &record);
    HK_SEAM("slots.alloc.after");
    if (error != HK_OK) {
        return error; /* stays used: perhaps half written, so the next start erases it */
    }
    *slot = free_slot;
    return HK_OK;
}

enum hk_error hk_slots_erase(struct hk_slots *slots, uint64_t slot)
{
    if (slot >= slots->count) {
        return HK_OK;
    }
    struct record zeros = {{0}};
    HK_SEAM("slots.erase.before");
    enum hk_error error = write_both(slots, slot, &zeros);
    HK_SEAM("slots.erase.after");
    if (error != HK_OK) {
        return error;
    }
    slots->used[slot] = 0;
    if (slot < slots->first_unused) {
        slots->first_unused = slot;
    }
    return HK_OK;
}

enum hk_error hk_slots_key(const struct hk_slots *slots, uint64_t slot, const uint8_t *serial,
                           struct hk_secret32 *key)
{
    struct record record = {{0}};
    if (read_record(slots, 0, slot, &record) != HK_OK && read_record(slots, 1, slot, &record) != HK_OK) {
        return HK_INTERNAL;
    }
    if (record_is_erased(&record)) {
        return HK_REVOKED;
    }
    if (!record_is_live(&record)) {
        return HK_AUTH;
    }
    return record_open(slots, &record, slot, serial, key);
}

/* -- header and durability -- */

enum hk_error hk_slots_set_header(struct hk_slots *slots, uint64_t generation, uint64_t next)
{
    uint8_t header[CHECKED + 32];
    header_encode(header, generation, next);
    slots->dirty = true;
    for (int copy = 0; copy < 2; copy++) {
        HK_SEAM("slots.header.before");
        enum hk_error error = hk_file_write_at(slots->fd[copy], header, sizeof header, 0);
        HK_SEAM("slots.header.after");
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

enum hk_error hk_slots_sync(struct hk_slots *slots)
{
    if (!slots->dirty) {
        return HK_OK;
    }
    for (int copy = 0; copy < 2; copy++) {
        HK_SEAM("slots.sync.before");
        enum hk_error error = hk_file_sync(slots->fd[copy]);
        HK_SEAM("slots.sync.after");
        if (error != HK_OK) {
            return error;
        }
    }
    slots->dirty = false;
    return HK_OK;
}
