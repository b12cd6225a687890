#include "protocol/transport_pipes.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"

#define BUCKETS 4096
#define PLACES 4096 /* addresses that share one share an allowance */

/* Silent ones have carried no authentic frame yet; a device's are in no list. Both lists are ordered by age
 * of the last authentic frame, or of the connection. */
enum kind { SILENT, STRANGER, DEVICE };

struct entry {
    uint32_t id;
    struct hk_peer peer;
    unsigned sending, marks;
    uint8_t mark[HK_PIPE_MARKS][32];
    bool taken, warned;
    enum kind kind;
    size_t place;
    time_t since;
    struct entry *next, *older, *newer;
};

struct list {
    struct entry *oldest, *newest;
};

struct hk_pipes {
    pthread_mutex_t lock;
    struct hk_pipe_limits limits;
    size_t count;
    struct list lists[DEVICE];
    uint32_t at_place[PLACES];
    uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose whose place to share */
    struct entry *buckets[BUCKETS];
};

struct hk_pipes *hk_pipes_new(const struct hk_pipe_limits *limits)
{
    struct hk_pipes *pipes = calloc(1, sizeof(*pipes));
    if (pipes != NULL) {
        pipes->limits = *limits;
        hk_random(pipes->key, sizeof(pipes->key));
        pthread_mutex_init(&pipes->lock, NULL);
    }
    return pipes;
}

void hk_pipes_free(struct hk_pipes *pipes)
{
    if (pipes == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (pipes->buckets[i] != NULL) {
            struct entry *entry = pipes->buckets[i];
            pipes->buckets[i] = entry->next;
            free(entry);
        }
    }
    pthread_mutex_destroy(&pipes->lock);
    free(pipes);
}

/* nng counts connections up from a random number, so the low bits spread them evenly. */
static struct entry **find_locked(struct hk_pipes *pipes, uint32_t id)
{
    struct entry **at = &pipes->buckets[id % BUCKETS];
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

/* ---- who counts against whom ---- */
static time_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static size_t place_of(const struct hk_pipes *pipes, const struct hk_peer *peer)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, peer->address, sizeof(peer->address), pipes->key);
    return (hash[0] | (size_t)hash[1] << 8) % PLACES;
}

static void leave_list_locked(struct hk_pipes *pipes, struct entry *entry)
{
    if (entry->kind == DEVICE) {
        return;
    }
    struct list *list = &pipes->lists[entry->kind];
    *(entry->newer != NULL ? &entry->newer->older : &list->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &list->oldest) = entry->newer;
    pipes->at_place[entry->place]--;
}

static void enter_list_locked(struct hk_pipes *pipes, struct entry *entry, enum kind kind)
{
    entry->kind = kind;
    entry->since = now_seconds();
    if (kind == DEVICE) {
        return;
    }
    struct list *list = &pipes->lists[kind];
    entry->newer = NULL;
    entry->older = list->newest;
    *(list->newest != NULL ? &list->newest->newer : &list->oldest) = entry;
    list->newest = entry;
    pipes->at_place[entry->place]++;
}

/* The one that has waited longest, silent ones first; it is out of the lists from then on. */
static uint32_t take_oldest_locked(struct hk_pipes *pipes)
{
    struct entry *entry =
        pipes->lists[SILENT].oldest != NULL ? pipes->lists[SILENT].oldest : pipes->lists[STRANGER].oldest;
    if (entry == NULL) {
        return 0;
    }
    leave_list_locked(pipes, entry);
    entry->kind = DEVICE; /* nothing further is asked of it: it is being closed */
    return entry->id;
}

static size_t evict_locked(struct hk_pipes *pipes, uint32_t evicted[HK_PIPE_EVICTED])
{
    size_t count = 0;
    uint32_t id = take_oldest_locked(pipes);
    time_t before = now_seconds() - 1;
    while (id != 0) {
        evicted[count++] = id;
        const struct entry *next = pipes->lists[SILENT].oldest;
        bool more = count < HK_PIPE_EVICTED && next != NULL && next->since < before;
        id = more ? take_oldest_locked(pipes) : 0;
    }
    return count;
}

bool hk_pipes_add(struct hk_pipes *pipes, uint32_t id, const struct hk_peer *peer,
                  uint32_t evicted[HK_PIPE_EVICTED], size_t *count)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return false;
    }
    entry->id = id;
    entry->peer = *peer;
    entry->place = place_of(pipes, peer);
    *count = 0;
    pthread_mutex_lock(&pipes->lock);
    size_t per_address = peer->is_local ? 0 : pipes->limits.per_address, total = pipes->limits.total;
    bool room = per_address == 0 || pipes->at_place[entry->place] < per_address;
    if (room && total != 0 && pipes->count >= total) {
        *count = evict_locked(pipes, evicted);
        room = *count != 0;
    }
    if (room) {
        entry->next = pipes->buckets[id % BUCKETS];
        pipes->buckets[id % BUCKETS] = entry;
        enter_list_locked(pipes, entry, SILENT);
        pipes->count++;
    }
    pthread_mutex_unlock(&pipes->lock);
    if (!room) {
        free(entry);
    }
    return room;
}

void hk_pipes_remove(struct hk_pipes *pipes, uint32_t id)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry **at = find_locked(pipes, id), *entry = *at;
    if (entry != NULL) {
        *at = entry->next;
        leave_list_locked(pipes, entry);
        pipes->count--;
        free(entry);
    }
    pthread_mutex_unlock(&pipes->lock);
}

bool hk_pipes_warn(struct hk_pipes *pipes, uint32_t id)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry *entry = *find_locked(pipes, id);
    bool again = entry != NULL && entry->warned && entry->marks == 0;
    if (entry != NULL) {
        entry->warned = true;
    }
    pthread_mutex_unlock(&pipes->lock);
    return again;
}

size_t hk_pipes_take_silent(struct hk_pipes *pipes, uint32_t *out, size_t max)
{
    static const time_t seconds[] = {[SILENT] = HK_PIPE_SILENT, [STRANGER] = HK_PIPE_STRANGER};
    size_t count = 0;
    time_t now = now_seconds();
    pthread_mutex_lock(&pipes->lock);
    for (int kind = SILENT; kind < DEVICE; kind++) {
        struct entry *entry;
        while (count < max && (entry = pipes->lists[kind].oldest) != NULL &&
               now - entry->since >= seconds[kind]) {
            leave_list_locked(pipes, entry);
            entry->kind = DEVICE; /* as above */
            out[count++] = entry->id;
        }
    }
    pthread_mutex_unlock(&pipes->lock);
    return count;
}

size_t hk_pipes_count(struct hk_pipes *pipes)
{
    pthread_mutex_lock(&pipes->lock);
    size_t count = pipes->count;
    pthread_mutex_unlock(&pipes->lock);
    return count;
}

bool hk_pipes_sending(struct hk_pipes *pipes, uint32_t id)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry *entry = *find_locked(pipes, id);
    bool few = entry == NULL || ++entry->sending <= HK_PIPE_SENDING_MAX;
    pthread_mutex_unlock(&pipes->lock);
    return few;
}

void hk_pipes_sent(struct hk_pipes *pipes, uint32_t id)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry *entry = *find_locked(pipes, id);
    if (entry != NULL && entry->sending > 0) {
        entry->sending--;
    }
    pthread_mutex_unlock(&pipes->lock);
}

void hk_pipes_peer(struct hk_pipes *pipes, uint32_t id, struct hk_peer *out)
{
    pthread_mutex_lock(&pipes->lock);
    const struct entry *entry = *find_locked(pipes, id);
    *out = entry != NULL ? entry->peer : (struct hk_peer){.is_local = true};
    pthread_mutex_unlock(&pipes->lock);
}

static bool is_marked(const struct entry *entry, const uint8_t key[32])
{
    for (unsigned i = 0; i < entry->marks && i < HK_PIPE_MARKS; i++) {
        if (memcmp(entry->mark[i], key, 32) == 0) {
            return true;
        }
    }
    return entry->marks > HK_PIPE_MARKS;
}

void hk_pipes_mark(struct hk_pipes *pipes, uint32_t id, const uint8_t *key)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry *entry = *find_locked(pipes, id);
    if (entry != NULL && key != NULL && !is_marked(entry, key)) {
        if (entry->marks < HK_PIPE_MARKS) {
            memcpy(entry->mark[entry->marks], key, 32);
        }
        entry->marks++;
    }
    if (entry != NULL && entry->kind != DEVICE) {
        leave_list_locked(pipes, entry);
        enter_list_locked(pipes, entry, key != NULL ? DEVICE : STRANGER);
    }
    pthread_mutex_unlock(&pipes->lock);
}

size_t hk_pipes_take_marked(struct hk_pipes *pipes, const uint8_t key[32], uint32_t *out, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&pipes->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry = pipes->buckets[i]; entry != NULL && count < max; entry = entry->next) {
            if (!entry->taken && is_marked(entry, key)) {
                entry->taken = true;
                out[count++] = entry->id;
            }
        }
    }
    pthread_mutex_unlock(&pipes->lock);
    return count;
}
