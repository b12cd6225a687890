#include "protocol/transport_pipes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct entry {
    uint32_t id;
    struct hk_peer peer;
    unsigned sending, marks;
    uint8_t mark[HK_PIPE_MARKS][32];
    bool taken;
    struct entry *next;
};

struct hk_pipes {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
};

struct hk_pipes *hk_pipes_new(void)
{
    struct hk_pipes *pipes = calloc(1, sizeof(*pipes));
    if (pipes != NULL) {
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

bool hk_pipes_add(struct hk_pipes *pipes, uint32_t id, const struct hk_peer *peer)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return false;
    }
    entry->id = id;
    entry->peer = *peer;
    pthread_mutex_lock(&pipes->lock);
    entry->next = pipes->buckets[id % BUCKETS];
    pipes->buckets[id % BUCKETS] = entry;
    pthread_mutex_unlock(&pipes->lock);
    return true;
}

void hk_pipes_remove(struct hk_pipes *pipes, uint32_t id)
{
    pthread_mutex_lock(&pipes->lock);
    struct entry **at = find_locked(pipes, id), *entry = *at;
    if (entry != NULL) {
        *at = entry->next;
        free(entry);
    }
    pthread_mutex_unlock(&pipes->lock);
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

void hk_pipes_mark(struct hk_pipes *pipes, uint32_t id, const uint8_t key[32])
{
    pthread_mutex_lock(&pipes->lock);
    struct entry *entry = *find_locked(pipes, id);
    if (entry != NULL && !is_marked(entry, key)) {
        if (entry->marks < HK_PIPE_MARKS) {
            memcpy(entry->mark[entry->marks], key, 32);
        }
        entry->marks++;
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
