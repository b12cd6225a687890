#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "keyservice/store_sql.h"

/* One place for each hash: what comes later takes it over. Static keys and key ids are chosen by devices, so
 * one that wants to can only push out others' entries, which then are read from the database as before. */
#define PLACES_MOST 2048
#define PLACES_LEAST 16

struct entry {
    bool used;
    uint8_t static_key[32];
    struct hk_pair pair;
};

struct hk_pair_cache {
    pthread_mutex_t lock;
    uint64_t mark;         /* how often it was emptied */
    size_t places;         /* a power of two; 0: no locked memory was to be had */
    struct entry *entries; /* from hk_secret_new */
};

enum hk_error hk_store_pairs_open(struct hk_store *store)
{
    struct hk_pair_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_init(&cache->lock, NULL);
    size_t most = PLACES_MOST; /* a quarter of what may be locked: others need some too */
    while (most > PLACES_LEAST && most * sizeof *cache->entries > hk_secret_limit() / 4) {
        most /= 2;
    }
    for (size_t places = most; places >= PLACES_LEAST && cache->entries == NULL; places /= 2) {
        cache->entries = hk_secret_new(places * sizeof *cache->entries);
        cache->places = cache->entries != NULL ? places : 0;
    }
    store->pairs = cache;
    return HK_OK;
}

void hk_store_pairs_close(struct hk_store *store)
{
    if (store->pairs != NULL) {
        hk_secret_free(store->pairs->entries);
        pthread_mutex_destroy(&store->pairs->lock);
        free(store->pairs);
        store->pairs = NULL;
    }
}

static struct entry *place_of(const struct hk_pair_cache *cache, const uint8_t *static_key,
                              const uint8_t *key)
{
    uint64_t a, b;
    memcpy(&a, static_key, sizeof a);
    memcpy(&b, key, sizeof b);
    return cache->places == 0 ? NULL : &cache->entries[(a ^ b) % cache->places];
}

bool hk_store_pair_find(struct hk_store *store, const uint8_t *static_key, const uint8_t *key,
                        struct hk_pair *out)
{
    struct hk_pair_cache *cache = store->pairs;
    bool found = false;
    pthread_mutex_lock(&cache->lock);
    const struct entry *entry = place_of(cache, static_key, key);
    if (entry != NULL && entry->used && memcmp(entry->static_key, static_key, 32) == 0 &&
        memcmp(entry->pair.key.id, key, HK_ID_BYTES) == 0) {
        *out = entry->pair;
        found = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

uint64_t hk_store_pair_mark(struct hk_store *store)
{
    pthread_mutex_lock(&store->pairs->lock);
    uint64_t mark = store->pairs->mark;
    pthread_mutex_unlock(&store->pairs->lock);
    return mark;
}

void hk_store_pair_keep(struct hk_store *store, uint64_t mark, const struct hk_pair *pair)
{
    struct hk_pair_cache *cache = store->pairs;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = place_of(cache, pair->device.static_key, pair->key.id);
    if (entry != NULL && mark == cache->mark) {
        memcpy(entry->static_key, pair->device.static_key, 32);
        entry->pair = *pair;
        entry->used = true;
    }
    pthread_mutex_unlock(&cache->lock);
}

void hk_store_pairs_forget(struct hk_store *store)
{
    struct hk_pair_cache *cache = store->pairs;
    pthread_mutex_lock(&cache->lock);
    cache->mark++;
    for (size_t i = 0; i < cache->places; i++) {
        if (cache->entries[i].used) {
            hk_wipe(&cache->entries[i], sizeof cache->entries[i]);
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

bool hk_store_changed_devices(const struct hk_txn *txn)
{
    return txn->erased || txn->changed_devices;
}
