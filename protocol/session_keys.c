#include "protocol/session_keys.h"

#include <stdlib.h>

#define KEYS_A_CHUNK 200 /* about four pages */

struct hk_key_chunk {
    struct hk_key_chunk *next;
    struct hk_session_keys *keys;
};

void hk_key_pool_init(struct hk_key_pool *pool)
{
    *pool = (struct hk_key_pool){0};
    pthread_mutex_init(&pool->lock, NULL);
}

/* The stack of free keys has room for all there are, so that giving back never fails. */
static bool grow_locked(struct hk_key_pool *pool)
{
    size_t max = pool->free_max + KEYS_A_CHUNK;
    struct hk_session_keys **larger = realloc(pool->free, max * sizeof(struct hk_session_keys *));
    if (larger == NULL) {
        return false;
    }
    pool->free = larger;
    struct hk_key_chunk *chunk = malloc(sizeof(*chunk));
    struct hk_session_keys *keys = hk_secret_new(KEYS_A_CHUNK * sizeof(*keys));
    if (chunk == NULL || keys == NULL) {
        free(chunk);
        hk_secret_free(keys);
        return false;
    }
    *chunk = (struct hk_key_chunk){pool->chunks, keys};
    pool->chunks = chunk;
    pool->free_max = max;
    for (size_t i = 0; i < KEYS_A_CHUNK; i++) {
        pool->free[pool->free_count++] = &keys[i];
    }
    return true;
}

struct hk_session_keys *hk_key_pool_take(struct hk_key_pool *pool)
{
    struct hk_session_keys *keys = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->free_count != 0 || grow_locked(pool)) {
        keys = pool->free[--pool->free_count];
    }
    pthread_mutex_unlock(&pool->lock);
    return keys;
}

void hk_key_pool_give(struct hk_key_pool *pool, struct hk_session_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->free[pool->free_count++] = keys;
    pthread_mutex_unlock(&pool->lock);
}

void hk_key_pool_wipe(struct hk_key_pool *pool)
{
    while (pool->chunks != NULL) {
        struct hk_key_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        hk_secret_free(chunk->keys);
        free(chunk);
    }
    free(pool->free);
    pthread_mutex_destroy(&pool->lock);
}
