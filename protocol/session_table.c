#include "protocol/session_table.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "protocol/session_keys.h"

#define RING 1024
#define BUCKETS_FIRST 256

/* Where a session is. Unconfirmed and strangers' are lists, newest first; a device's hang on its entry. */
enum place { GONE, UNCONFIRMED, STRANGER, DEVICE };

/* The confirmed sessions of one static key, oldest first. */
struct device {
    uint8_t key[HK_NOISE_KEY_BYTES];
    struct hk_session *sessions[HK_SESSIONS_A_DEVICE];
    size_t count;
    struct device *next;
};

struct list {
    struct hk_session *newest, *oldest;
    size_t count, max;
};

struct hk_session_table {
    struct hk_session_table_setup setup;
    pthread_mutex_t lock;
    struct list unconfirmed, strangers;
    struct hk_session **by_id;
    struct device **by_key;
    size_t id_buckets, key_buckets, total, devices, confirmed;
    uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* static keys are chosen by others */
    struct hk_key_pool keys;                     /* has a lock of its own */
};

/* ---- lookup ---- */
static struct hk_session **find_id_locked(const struct hk_session_table *table,
                                          const uint8_t id[HK_SESSION_ID_BYTES])
{
    /* Ids are drawn by us: eight bytes of one are as good as a hash. */
    struct hk_session **at = &table->by_id[hk_get_u64(id) % table->id_buckets];
    while (*at != NULL && memcmp((*at)->id, id, HK_SESSION_ID_BYTES) != 0) {
        at = &(*at)->next_by_id;
    }
    return at;
}

static struct device **key_bucket_locked(const struct hk_session_table *table, const uint8_t *key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, key, HK_NOISE_KEY_BYTES, table->hash_key);
    return &table->by_key[hk_get_u64(hash) % table->key_buckets];
}

static struct device **find_key_locked(const struct hk_session_table *table, const uint8_t *key)
{
    struct device **at = key_bucket_locked(table, key);
    while (*at != NULL && memcmp((*at)->key, key, HK_NOISE_KEY_BYTES) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* Doubles the buckets when there are as many sessions; without memory the chains only get longer. */
static void grow_ids_locked(struct hk_session_table *table)
{
    size_t old = table->id_buckets, buckets = 2 * old;
    struct hk_session **larger = calloc(buckets, sizeof(struct hk_session *));
    if (larger == NULL) {
        return;
    }
    for (size_t i = 0; i < old; i++) {
        for (struct hk_session *session = table->by_id[i], *next; session != NULL; session = next) {
            next = session->next_by_id;
            struct hk_session **at = &larger[hk_get_u64(session->id) % buckets];
            session->next_by_id = *at;
            *at = session;
        }
    }
    free(table->by_id);
    table->by_id = larger;
    table->id_buckets = buckets;
}

static void grow_keys_locked(struct hk_session_table *table)
{
    size_t old = table->key_buckets;
    struct device **smaller = table->by_key, **larger = calloc(2 * old, sizeof(struct device *));
    if (larger == NULL) {
        return;
    }
    table->by_key = larger;
    table->key_buckets = 2 * old;
    for (size_t i = 0; i < old; i++) {
        for (struct device *device = smaller[i], *next; device != NULL; device = next) {
            next = device->next;
            struct device **at = key_bucket_locked(table, device->key);
            device->next = *at;
            *at = device;
        }
    }
    free(smaller);
}

/* ---- lists ---- */
static void list_add(struct list *list, struct hk_session *session)
{
    session->newer = NULL;
    session->older = list->newest;
    if (list->newest != NULL) {
        list->newest->newer = session;
    } else {
        list->oldest = session;
    }
    list->newest = session;
    list->count++;
}

static void list_remove(struct list *list, struct hk_session *session)
{
    *(session->newer != NULL ? &session->newer->older : &list->newest) = session->older;
    *(session->older != NULL ? &session->older->newer : &list->oldest) = session->newer;
    session->newer = session->older = NULL;
    list->count--;
}

static void device_remove_locked(struct hk_session_table *table, struct hk_session *session)
{
    struct device **at = find_key_locked(table, session->remote_static), *device = *at;
    for (size_t i = 0; device != NULL && i < device->count; i++) {
        if (device->sessions[i] == session) {
            device->count--;
            memmove(&device->sessions[i], &device->sessions[i + 1],
                    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
                    (device->count - i) * sizeof(device->sessions[0]));
            table->confirmed--;
            break;
        }
    }
    if (device != NULL && device->count == 0) {
        *at = device->next;
        free(device);
        table->devices--;
    }
}

/* ---- users of a session ---- */
void hk_session_borrow(struct hk_session *session)
{
    atomic_fetch_add(&session->references, 1);
}

void hk_session_table_release(struct hk_session_table *table, struct hk_session *session)
{
    if (session == NULL || atomic_fetch_sub(&session->references, 1) != 1) {
        return;
    }
    if (table->setup.user_free != NULL && session->user != NULL) {
        table->setup.user_free(session->user);
    }
    hk_session_wipe(session);
    free(session);
}

/* Takes a session out of the table and wipes its keys; the table's own reference is for the caller to release
 * when the lock is let go. */
static void close_locked(struct hk_session_table *table, struct hk_session *session)
{
    if (session->place == UNCONFIRMED) {
        list_remove(&table->unconfirmed, session);
    } else if (session->place == STRANGER) {
        list_remove(&table->strangers, session);
    } else if (session->place == DEVICE) {
        device_remove_locked(table, session);
    }
    session->place = GONE;
    struct hk_session **at = find_id_locked(table, session->id);
    *at = session->next_by_id;
    table->total--;
    hk_key_pool_give(&table->keys, hk_session_close(session));
}

/* ---- the table ---- */
enum hk_error hk_session_table_new(struct hk_session_table **out, const struct hk_session_table_setup *setup)
{
    struct hk_session_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return HK_NO_MEMORY;
    }
    table->setup = *setup;
    table->id_buckets = table->key_buckets = BUCKETS_FIRST;
    table->by_id = calloc(BUCKETS_FIRST, sizeof(struct hk_session *));
    table->by_key = calloc(BUCKETS_FIRST, sizeof(struct device *));
    if (table->by_id == NULL || table->by_key == NULL) {
        free(table->by_id);
        free(table->by_key);
        free(table);
        return HK_NO_MEMORY;
    }
    table->unconfirmed.max = setup->unconfirmed != 0 ? setup->unconfirmed : RING;
    table->strangers.max = setup->strangers != 0 ? setup->strangers : RING;
    hk_random(table->hash_key, sizeof(table->hash_key));
    pthread_mutex_init(&table->lock, NULL);
    hk_key_pool_init(&table->keys);
    *out = table;
    return HK_OK;
}

void hk_session_table_free(struct hk_session_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->id_buckets; i++) {
        while (table->by_id[i] != NULL) {
            hk_session_table_close(table, table->by_id[i]);
        }
    }
    hk_key_pool_wipe(&table->keys);
    free(table->by_id);
    free(table->by_key);
    pthread_mutex_destroy(&table->lock);
    hk_wipe(table, sizeof(*table));
    free(table);
}

enum hk_error hk_session_table_accept(struct hk_session_table *table, const struct hk_frame *frame,
                                      uint8_t out[HK_HANDSHAKE_BYTES_MAX], size_t *size)
{
    struct hk_session *session = calloc(1, sizeof(*session)), *evicted = NULL;
    struct hk_session_keys *keys = hk_key_pool_take(&table->keys);
    enum hk_error error = session == NULL || keys == NULL ? HK_BUSY : HK_OK;
    if (error == HK_OK) {
        error = hk_session_accept(session, keys, &table->setup.service, frame, out, size);
    }
    pthread_mutex_lock(&table->lock);
    if (error != HK_OK) {
        hk_key_pool_give(&table->keys, keys);
    } else {
        if (table->unconfirmed.count == table->unconfirmed.max) {
            evicted = table->unconfirmed.oldest;
            close_locked(table, evicted);
        }
        if (table->total >= table->id_buckets) {
            grow_ids_locked(table);
        }
        session->references = 1;
        session->place = UNCONFIRMED;
        list_add(&table->unconfirmed, session);
        struct hk_session **at = find_id_locked(table, session->id);
        *at = session;
        table->total++;
    }
    pthread_mutex_unlock(&table->lock);
    if (error != HK_OK) {
        free(session);
    }
    hk_session_table_release(table, evicted);
    return error;
}

/* Gives a session that was just confirmed its place among the device's, or the strangers'. Returns the
 * session that had to go for it. HK_NO_MEMORY leaves it unconfirmed. */
static struct hk_session *confirm_device_locked(struct hk_session_table *table, struct hk_session *session)
{
    struct hk_session *evicted = NULL;
    struct device *device = *find_key_locked(table, session->remote_static);
    if (device == NULL) {
        device = calloc(1, sizeof(*device));
        if (device == NULL) {
            return NULL;
        }
        if (table->devices >= table->key_buckets) {
            grow_keys_locked(table);
        }
        memcpy(device->key, session->remote_static, sizeof(device->key));
        struct device **at = key_bucket_locked(table, device->key);
        device->next = *at;
        *at = device;
        table->devices++;
    } else if (device->count == HK_SESSIONS_A_DEVICE) {
        evicted = device->sessions[0];
        close_locked(table, evicted);
    }
    list_remove(&table->unconfirmed, session);
    session->place = DEVICE;
    device->sessions[device->count++] = session;
    table->confirmed++;
    return evicted;
}

static struct hk_session *confirm_locked(struct hk_session_table *table, struct hk_session *session)
{
    struct hk_session *evicted = NULL;
    if (session->place != UNCONFIRMED) {
        return NULL;
    }
    if (session->has_remote_static) {
        return confirm_device_locked(table, session);
    }
    if (table->strangers.count == table->strangers.max) {
        evicted = table->strangers.oldest;
        close_locked(table, evicted);
    }
    list_remove(&table->unconfirmed, session);
    session->place = STRANGER;
    list_add(&table->strangers, session);
    return evicted;
}

enum hk_error hk_session_table_open(struct hk_session_table *table, const struct hk_frame *frame,
                                    struct hk_session **out, enum hk_opened *what, uint8_t *plaintext,
                                    size_t *size)
{
    pthread_mutex_lock(&table->lock);
    struct hk_session *session = *find_id_locked(table, frame->session), *evicted = NULL;
    bool settled = session != NULL && session->place != UNCONFIRMED;
    if (session != NULL) {
        hk_session_borrow(session);
    }
    pthread_mutex_unlock(&table->lock);
    if (session == NULL) {
        return HK_NOT_FOUND;
    }
    enum hk_error error = hk_session_open_request(session, frame, what, plaintext, size);
    if (error == HK_OK && !settled) {
        pthread_mutex_lock(&table->lock);
        evicted = confirm_locked(table, session);
        pthread_mutex_unlock(&table->lock);
        hk_session_table_release(table, evicted);
    }
    if (error != HK_OK) {
        hk_session_table_release(table, session);
        return error;
    }
    *out = session;
    return HK_OK;
}

void hk_session_table_close(struct hk_session_table *table, struct hk_session *session)
{
    pthread_mutex_lock(&table->lock);
    bool present = session->place != GONE;
    if (present) {
        close_locked(table, session);
    }
    pthread_mutex_unlock(&table->lock);
    if (present) {
        hk_session_table_release(table, session);
    }
}

static bool is_of(const struct hk_session *session, const uint8_t *key)
{
    return session->has_remote_static && memcmp(session->remote_static, key, HK_NOISE_KEY_BYTES) == 0;
}

/* One session of the device other than `keep`, with its place in the table given up; NULL if there is none.
 */
static struct hk_session *close_one_locked(struct hk_session_table *table, const uint8_t *key,
                                           const struct hk_session *keep)
{
    struct hk_session *found = NULL;
    const struct device *device = *find_key_locked(table, key);
    for (size_t i = 0; device != NULL && found == NULL && i < device->count; i++) {
        found = device->sessions[i] != keep ? device->sessions[i] : NULL;
    }
    struct hk_session *at = table->unconfirmed.newest;
    for (; found == NULL && at != NULL; at = at->older) {
        found = is_of(at, key) && at != keep ? at : NULL;
    }
    if (found != NULL) {
        close_locked(table, found);
    }
    return found;
}

size_t hk_session_table_close_device(struct hk_session_table *table,
                                     const uint8_t static_key[HK_NOISE_KEY_BYTES], struct hk_session *keep)
{
    for (size_t closed = 0;; closed++) {
        pthread_mutex_lock(&table->lock);
        struct hk_session *session = close_one_locked(table, static_key, keep);
        pthread_mutex_unlock(&table->lock);
        if (session == NULL) {
            return closed;
        }
        hk_session_table_release(table, session);
    }
}

/* A few buckets at a time, so that no request waits for a long walk. Trims the sessions that it passes;
 * returns one that had to go. */
#define SWEEP_BUCKETS 64
static struct hk_session *sweep_some_locked(struct hk_session_table *table, size_t *bucket)
{
    size_t end = *bucket + SWEEP_BUCKETS;
    for (; *bucket < table->id_buckets && *bucket < end; ++*bucket) {
        struct hk_session *session = table->by_id[*bucket];
        for (; session != NULL; session = session->next_by_id) {
            bool idle = session->place == UNCONFIRMED && hk_session_is_older(session, HK_HANDSHAKE_SECONDS);
            if (idle || hk_session_is_over(session)) {
                close_locked(table, session);
                return session;
            }
            hk_session_trim(session);
        }
    }
    return NULL;
}

void hk_session_table_sweep(struct hk_session_table *table)
{
    bool more = true;
    for (size_t bucket = 0; more;) {
        pthread_mutex_lock(&table->lock);
        struct hk_session *session = sweep_some_locked(table, &bucket);
        more = bucket < table->id_buckets;
        pthread_mutex_unlock(&table->lock);
        hk_session_table_release(table, session);
    }
}

void hk_session_table_count(struct hk_session_table *table, struct hk_session_counts *out)
{
    pthread_mutex_lock(&table->lock);
    *out = (struct hk_session_counts){table->unconfirmed.count, table->strangers.count, table->devices,
                                      table->confirmed};
    pthread_mutex_unlock(&table->lock);
}
