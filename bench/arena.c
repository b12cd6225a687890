#include "bench/arena.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/state.h"

static bool take_key(struct bench_member *member, struct hk_state *state, const char *name,
                     enum bench_key which)
{
    const struct hk_state_key *key = hk_state_key_by_name(state, name);
    if (key == NULL) {
        return false;
    }
    memcpy(member->key[which].id, key->id, HK_ID_BYTES);
    memcpy(member->key[which].public_key, key->public_key, 32);
    member->key[which].device = key->half;
    return true;
}

/* What `halfkey init` left in its folder is all that the device knows. */
static bool take_member(struct bench_member *member)
{
    struct hk_home home;
    struct hk_state *state = NULL;
    struct hk_state_seal seal;
    char reason[256] = "";
    memset(member, 0, sizeof(*member));
    if (hk_home_find(&home, false, reason) != HK_OK ||
        hk_state_read(&state, &seal, &home, NULL, 0, reason) != HK_OK) {
        fprintf(stderr, "halfkey-bench: %s\n", reason);
        return false;
    }
    member->static_key = state->static_key;
    memcpy(member->static_public, state->static_public, 32);
    memcpy(member->serial, state->serial, HK_ID_BYTES);
    memcpy(member->account, state->account, HK_ACCOUNT_BYTES);
    memcpy(member->tag, state->tag, HK_TAG_BYTES);
    member->epoch = state->epoch;
    bool fine = take_key(member, state, "files", BENCH_AGREE) && take_key(member, state, "git", BENCH_SIGN);
    hk_state_free(state);
    return fine;
}

static bool open_elsewhere(struct bench_arena *arena, const struct bench_settings *settings)
{
    if (!bench_world_start(&arena->world, settings)) {
        return false;
    }
    snprintf(arena->address, sizeof(arena->address), "%s", arena->world.address);
    arena->members = calloc(1, sizeof(*arena->members));
    arena->member_count = 1;
    return arena->members != NULL && take_member(arena->members);
}

/* A service is not started in the wake of a million accounts that still are on their way to the disk. */
static bool to_disk(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool fine = fd >= 0 && syncfs(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return fine;
}

static bool open_own(struct bench_arena *arena, const struct bench_settings *settings, size_t accounts,
                     size_t members)
{
    char programs[BENCH_PATH_MAX];
    bench_find_programs(programs, settings->programs);
    if (!bench_folder_make(arena->folder, settings->directory)) {
        return false;
    }
    snprintf(arena->data, sizeof(arena->data), "%s/data", arena->folder);
    arena->members = calloc(members, sizeof(*arena->members));
    arena->member_count = members;
    for (size_t i = 0; arena->members != NULL && i < members; i++) {
        bench_member_make(&arena->members[i], BENCH_SEED,
                          i * (accounts / members)); /* spread over the store */
    }
    bool fine = arena->members != NULL &&
                bench_fleet_write(arena->data, BENCH_SEED, 0, accounts, settings->talk && accounts >= 1000) &&
                to_disk(arena->data) && bench_service_start(&arena->service, programs, arena->data);
    snprintf(arena->address, sizeof(arena->address), "%s", arena->service.address);
    return fine;
}

bool bench_arena_open(struct bench_arena *arena, const struct bench_settings *settings, size_t accounts,
                      size_t members)
{
    memset(arena, 0, sizeof(*arena));
    bool fine = settings->service != NULL ? open_elsewhere(arena, settings)
                                          : open_own(arena, settings, accounts, members);
    if (!fine) {
        bench_arena_close(arena);
    }
    return fine;
}

void bench_arena_close(struct bench_arena *arena)
{
    bench_service_stop(&arena->service);
    if (arena->world.directory[0] != '\0') {
        bench_world_stop(&arena->world);
    }
    bench_folder_remove(arena->folder);
    free(arena->members);
    memset(arena, 0, sizeof(*arena));
}
