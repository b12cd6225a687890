/* secret.h - memory for secrets: wiped, compared in constant time, and, where it lives long, locked and
 * undumped.
 *
 * Short-lived secrets live on the stack under HK_WIPE_AT_EXIT; long-lived ones come from hk_secret_new, whose
 * pages are locked into memory, left out of core dumps, wiped on fork and guarded on both sides. */
#ifndef HALFKEY_CRYPTO_SECRET_H
#define HALFKEY_CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* Overwrites `size` bytes with zeros; the compiler cannot leave it out. `memory` may be NULL if size is 0. */
void hk_wipe(void *memory, size_t size);

/* Says that a variable holds nothing secret any more, though it was computed from secrets: a point or a proof
 * that is about to be sent, the verdict of a check. It documents that, and `make ctcheck`, which looks for
 * branches and addresses that depend on secrets, believes it. Nothing at all in a release build. */
#ifdef HK_TEST_SEAMS
void hk_test_public(const void *memory, size_t size);
#define HK_PUBLIC_BYTES(memory, size) hk_test_public(memory, size)
#else
#define HK_PUBLIC_BYTES(memory, size) ((void)0)
#endif
#define HK_PUBLIC(variable) HK_PUBLIC_BYTES(&(variable), sizeof(variable))

/* True if both hold the same `size` bytes; constant time, and the verdict is public. */
bool hk_equal(const void *a, const void *b, size_t size) HK_CHECK;

/* True if all `size` bytes are zero; constant time, and the verdict is public. */
bool hk_is_zero(const void *memory, size_t size) HK_CHECK;

/* Memory of `size` bytes, zeroed, locked, excluded from core dumps and wiped in a forked child.
 * Returns NULL if there is none to be had (see `ulimit -l`). Freed, and wiped first, by hk_secret_free. */
void *hk_secret_new(size_t size) HK_CHECK;

/* Wipes and frees what hk_secret_new gave; NULL is allowed. */
void hk_secret_free(void *memory);

/* How many bytes this process may lock in all (RLIMIT_MEMLOCK), SIZE_MAX without a limit: who could do with
 * less takes a part of it. */
size_t hk_secret_limit(void) HK_CHECK;

/* Fixed-size secret byte strings: keys, seeds, hashes of secrets. Never printed, never compared with memcmp.
 */
struct hk_secret32 {
    uint8_t bytes[32];
};
struct hk_secret64 {
    uint8_t bytes[64];
};

/* Secrets of a group's field, see group.h. */
#define HK_SCALAR_BYTES_MAX 64
struct hk_scalar {
    uint8_t bytes[HK_SCALAR_BYTES_MAX];
};

/* Wipes a local variable (array, structure) whenever its scope is left, whatever the path:
 *     struct hk_scalar nonce;
 *     HK_WIPE_AT_EXIT(nonce); */
struct hk_wipe_span {
    void *memory;
    size_t size;
};
void hk_wipe_span(struct hk_wipe_span *span);
#define HK_WIPE_AT_EXIT(variable)                                                                            \
    __attribute__((cleanup(hk_wipe_span), unused)) struct hk_wipe_span hk_wipe_##variable = {                \
        &(variable), sizeof(variable)}

#endif
