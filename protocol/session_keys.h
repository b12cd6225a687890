/* session_keys.h - locked memory for the keys of many sessions.
 *
 * A part of session_table.h. Keys share locked pages, since pages for each session would cost a hundred times
 * as much of what may be locked. Memory grows with the largest number of sessions there ever was and is kept.
 */
#ifndef HALFKEY_PROTOCOL_SESSION_KEYS_H
#define HALFKEY_PROTOCOL_SESSION_KEYS_H

#include "protocol/session.h"

struct hk_key_chunk;
struct hk_key_pool {
    pthread_mutex_t lock;
    struct hk_key_chunk *chunks;
    struct hk_session_keys **free; /* a stack */
    size_t free_count, free_max;
};

void hk_key_pool_init(struct hk_key_pool *pool);
/* Keys that nobody else has; NULL if no more memory may be locked. */
struct hk_session_keys *hk_key_pool_take(struct hk_key_pool *pool) HK_CHECK;
/* Gives back keys that are wiped already; NULL is allowed. Never fails. */
void hk_key_pool_give(struct hk_key_pool *pool, struct hk_session_keys *keys);
/* When all are given back. */
void hk_key_pool_wipe(struct hk_key_pool *pool);

#endif
