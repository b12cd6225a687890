/* arena.h - the locked memory in which requests and what is made of them live.
 *
 * One piece of bounded size, taken at start: locked, left out of dumps, wiped in a forked child. What does
 * not fit is taken from the heap, so a flood of large requests is not refused; it is only less well kept, and
 * the operator is told once. Everything is wiped when it is given back. Any thread. */
#ifndef HALFKEY_KEYSERVICE_ARENA_H
#define HALFKEY_KEYSERVICE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* Halved until it is at most half of what may be locked, leaves HK_ARENA_LEFT for the rest of the process,
 * and the system allows it. */
#define HK_ARENA_BYTES (UINT64_C(4) << 20)
#define HK_ARENA_LEFT (UINT64_C(512) << 10)
#define HK_ARENA_LEAST (UINT64_C(64) << 10)

struct hk_arena;

/* Makes one of at most `most` bytes (0: HK_ARENA_BYTES). HK_NO_MEMORY; where not even HK_ARENA_LEAST may be
 * locked it is made of that size, not locked, and says so. */
HK_CHECK enum hk_error hk_arena_new(struct hk_arena **out, size_t most);
void hk_arena_free(struct hk_arena *arena); /* when nothing is out; NULL is allowed */

/* `size` bytes, aligned for anything, not zeroed; NULL without memory. */
void *hk_arena_take(struct hk_arena *arena, size_t size) HK_CHECK;
/* Wipes and gives back what hk_arena_take gave for this size; NULL is allowed. */
void hk_arena_give(struct hk_arena *arena, void *memory, size_t size);

struct hk_arena_figures {
    size_t bytes, locked; /* of the piece */
    size_t out;           /* blocks that are taken, on the heap or not */
    uint64_t overflows;   /* taken from the heap so far */
};
void hk_arena_figures(struct hk_arena *arena, struct hk_arena_figures *figures);

#endif
