#include "keyservice/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "crypto/secret.h"
#include "keyservice/console.h"

/* Blocks of a few sizes, cut from the piece once and kept in a list each. */
static const size_t sizes[] = {256, 1024, 4096, 16384, 66560}; /* the last holds any frame */
#define SIZES (sizeof(sizes) / sizeof(*sizes))

struct block {
    struct block *next;
};

struct hk_arena {
    pthread_mutex_t lock;
    uint8_t *piece;
    size_t cut; /* bytes that have been cut so far */
    struct block *unused[SIZES];
    struct hk_arena_figures figures;
    bool told;
};

/* The largest piece that may be locked, or the least one as it is. */
static bool take_piece(struct hk_arena *arena, size_t most)
{
    size_t start = most, limit = hk_secret_limit();
    while (start > HK_ARENA_LEAST && (start > limit / 2 || start + HK_ARENA_LEFT > limit)) {
        start /= 2;
    }
    for (size_t size = start;; size /= 2) {
        void *piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool locked = piece != MAP_FAILED && mlock(piece, size) == 0;
        if (locked || (piece != MAP_FAILED && size <= HK_ARENA_LEAST)) {
            (void)madvise(piece, size, MADV_DONTDUMP);
            (void)madvise(piece, size, MADV_WIPEONFORK);
            arena->piece = piece;
            arena->figures.bytes = size;
            arena->figures.locked = locked ? size : 0;
            return true;
        }
        if (piece == MAP_FAILED) {
            return false;
        }
        (void)munmap(piece, size);
    }
}

enum hk_error hk_arena_new(struct hk_arena **out, size_t most)
{
    struct hk_arena *arena = calloc(1, sizeof(*arena));
    size_t wanted = most != 0 ? most : HK_ARENA_BYTES;
    if (arena == NULL || !take_piece(arena, wanted)) {
        free(arena);
        return HK_NO_MEMORY;
    }
    (void)pthread_mutex_init(&arena->lock, NULL);
    if (arena->figures.locked < wanted) {
        hk_console(HK_LEVEL_WARNING, "locked-memory-short",
                   " wanted=%zu locked=%zu advice=\"raise the limit (ulimit -l)\"", wanted,
                   arena->figures.locked);
    }
    *out = arena;
    return HK_OK;
}

void hk_arena_free(struct hk_arena *arena)
{
    if (arena != NULL) {
        hk_wipe(arena->piece, arena->figures.bytes);
        (void)munmap(arena->piece, arena->figures.bytes);
        (void)pthread_mutex_destroy(&arena->lock);
    }
    free(arena);
}

static size_t class_of(size_t size)
{
    size_t n = 0;
    while (n < SIZES && sizes[n] < size) {
        n++;
    }
    return n;
}

static void *take_locked(struct hk_arena *arena, size_t n)
{
    struct block *block = arena->unused[n];
    if (block != NULL) {
        arena->unused[n] = block->next;
    } else if (arena->figures.bytes - arena->cut >= sizes[n]) {
        block = (struct block *)(void *)(arena->piece + arena->cut);
        arena->cut += sizes[n];
    }
    return block;
}

void *hk_arena_take(struct hk_arena *arena, size_t size)
{
    size_t n = class_of(size);
    bool tell = false;
    (void)pthread_mutex_lock(&arena->lock);
    void *memory = n < SIZES ? take_locked(arena, n) : NULL;
    bool heap = memory == NULL;
    if (heap) {
        tell = !arena->told;
        arena->told = true;
        arena->figures.overflows++;
    }
    arena->figures.out++;
    (void)pthread_mutex_unlock(&arena->lock);
    if (tell) {
        hk_console(HK_LEVEL_WARNING, "locked-memory-full", " bytes=%zu", arena->figures.bytes);
    }
    if (heap && (memory = malloc(size)) == NULL) {
        (void)pthread_mutex_lock(&arena->lock);
        arena->figures.out--;
        (void)pthread_mutex_unlock(&arena->lock);
    }
    return memory;
}

void hk_arena_give(struct hk_arena *arena, void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    hk_wipe(memory, size);
    uintptr_t at = (uintptr_t)memory, piece = (uintptr_t)arena->piece;
    bool ours = at >= piece && at < piece + arena->figures.bytes;
    (void)pthread_mutex_lock(&arena->lock);
    arena->figures.out--;
    if (ours) {
        struct block *block = memory;
        size_t n = class_of(size);
        block->next = arena->unused[n];
        arena->unused[n] = block;
    }
    (void)pthread_mutex_unlock(&arena->lock);
    if (!ours) {
        free(memory);
    }
}

void hk_arena_figures(struct hk_arena *arena, struct hk_arena_figures *figures)
{
    (void)pthread_mutex_lock(&arena->lock);
    *figures = arena->figures;
    (void)pthread_mutex_unlock(&arena->lock);
}
