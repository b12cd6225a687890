#include "device/age_payload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "protocol/aead.h"

#define CHUNK HK_AGE_CHUNK_BYTES
#define SEALED (CHUNK + HK_AGE_TAG_BYTES)
#define BATCH                                                                                                \
    2 /* chunks that are read and written at once: both sides stay in the processor's second cache */

struct payload {
    struct hk_secret32 key;
    uint8_t nonce[12]; /* 11 bytes of counter, then 1 in the last chunk */
    uint8_t *sealed;   /* BATCH * SEALED and one byte more, by which the last chunk is known */
    uint8_t *plain;    /* BATCH * CHUNK and one byte more */
};

static void payload_free(struct payload *payload)
{
    if (payload->plain)
        hk_wipe(payload->plain, BATCH * CHUNK + 1);
    free(payload->plain);
    free(payload->sealed);
    hk_wipe(payload, sizeof *payload);
}

static enum hk_error payload_new(struct payload *payload, const uint8_t key[32])
{
    uint8_t *sealed = malloc(BATCH * SEALED + 1), *plain = malloc(BATCH * CHUNK + 1);
    if (!sealed || !plain) {
        free(sealed);
        free(plain);
        return HK_NO_MEMORY;
    }
    *payload = (struct payload){.sealed = sealed, .plain = plain};
    memcpy(payload->key.bytes, key, sizeof payload->key.bytes);
    return HK_OK; /* NOLINT(clang-analyzer-unix.Malloc): the payload has them, payload_free frees them */
}

static void next_chunk(struct payload *payload)
{
    for (int i = 10; i >= 0 && ++payload->nonce[i] == 0; i--)
        ;
}

/* Opens one chunk of `size` bytes, tag included, to `out`. */
static bool open_chunk(struct payload *payload, uint8_t *out, const uint8_t *sealed, size_t size, bool last)
{
    payload->nonce[11] = last;
    return hk_aead_open(out, &payload->key, payload->nonce, NULL, 0, sealed, size) == HK_OK;
}

static void seal_chunk(struct payload *payload, uint8_t *out, const uint8_t *plain, size_t size, bool last)
{
    payload->nonce[11] = last;
    hk_aead_seal(out, &payload->key, payload->nonce, NULL, 0, plain, size);
}

/* The chunk at which the source ends. A whole one may have been made as a middle chunk of a file that was cut
 * off: then it is good, and the file is not. */
static enum hk_error open_last(struct payload *payload, uint8_t *out, const uint8_t *sealed, size_t size,
                               bool first, size_t *released)
{
    if (size < HK_AGE_TAG_BYTES || (size == HK_AGE_TAG_BYTES && !first))
        return HK_AUTH;
    if (open_chunk(payload, out, sealed, size, true)) {
        *released = size - HK_AGE_TAG_BYTES;
        return HK_OK;
    }
    if (size == SEALED && open_chunk(payload, out, sealed, size, false))
        *released = CHUNK;
    return HK_AUTH;
}

/* A chunk that is not at the end. If it was made as the last one, it is good, and what follows is not of this
 * file. */
static enum hk_error open_middle(struct payload *payload, uint8_t *out, const uint8_t *sealed,
                                 size_t *released)
{
    bool middle = open_chunk(payload, out, sealed, SEALED, false);
    if (middle || open_chunk(payload, out, sealed, SEALED, true))
        *released = CHUNK;
    return middle ? HK_OK : HK_AUTH;
}

/* Opens the `have` bytes that were read; *ready counts plaintext, *used what was taken. */
static enum hk_error open_batch(struct payload *payload, size_t have, bool end, bool *first, size_t *used,
                                size_t *ready)
{
    enum hk_error error = HK_OK;
    *used = *ready = 0;
    while (!error) {
        size_t left = have - *used, released = 0;
        uint8_t *sealed = payload->sealed + *used, *out = payload->plain + *ready;
        if (left > SEALED)
            error = open_middle(payload, out, sealed, &released);
        else if (end)
            error = open_last(payload, out, sealed, left, *first, &released);
        else
            break;
        *first = false;
        *ready += released;
        *used += left > SEALED ? SEALED : left;
        next_chunk(payload);
        if (left <= SEALED)
            break;
    }
    return error;
}

enum hk_error hk_age_payload_open(const uint8_t key[32], const struct hk_source *source,
                                  const struct hk_sink *sink)
{
    struct payload payload;
    enum hk_error error = payload_new(&payload, key);
    if (error)
        return error;
    size_t have = 0;
    bool first = true, end = false;
    while (!error && !end) {
        size_t got = 0, used = 0, ready = 0;
        error = hk_read_all(source, payload.sealed + have, BATCH * SEALED + 1 - have, &got);
        if (error)
            break;
        have += got;
        end = have < BATCH * SEALED + 1;
        error = open_batch(&payload, have, end, &first, &used, &ready);
        enum hk_error written = ready > 0 ? sink->write(sink->context, payload.plain, ready) : HK_OK;
        if (!error)
            error = written;
        have -= used;
        memmove(payload.sealed, payload.sealed + used, have);
    }
    payload_free(&payload);
    return error;
}

enum hk_error hk_age_payload_seal(const uint8_t key[32], const struct hk_source *source,
                                  const struct hk_sink *sink)
{
    struct payload payload;
    enum hk_error error = payload_new(&payload, key);
    if (error)
        return error;
    size_t have = 0;
    bool end = false;
    while (!error && !end) {
        size_t got = 0, used = 0, ready = 0;
        error = hk_read_all(source, payload.plain + have, BATCH * CHUNK + 1 - have, &got);
        if (error)
            break;
        have += got;
        end = have < BATCH * CHUNK + 1;
        do {
            size_t left = have - used, n = left > CHUNK ? CHUNK : left;
            bool last = end && left <= CHUNK;
            if (left <= CHUNK && !last)
                break;
            seal_chunk(&payload, payload.sealed + ready, payload.plain + used, n, last);
            next_chunk(&payload);
            used += n;
            ready += n + HK_AGE_TAG_BYTES;
        } while (used < have);
        error = sink->write(sink->context, payload.sealed, ready);
        have -= used;
        memmove(payload.plain, payload.plain + used, have);
    }
    payload_free(&payload);
    return error;
}
