#include "tests/support/state_space.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    uint32_t from, to;
};

struct hk_space {
    const struct hk_space_model *model;
    uint8_t *states;
    uint32_t *parents;
    const char **steps; /* how each state was reached first */
    uint32_t *table;    /* open addressing: index + 1 */
    size_t count, limit, table_size;
    struct edge *edges; /* recovering ones */
    size_t edge_count, edge_room, step_count;
    uint32_t current;
    const char *violation, *last_step;
};

static const void *state_at(const struct hk_space *space, size_t index)
{
    return space->states + index * space->model->state_bytes;
}

static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 29;
}

/* The state's index; it is added if it is new. */
static uint32_t find(struct hk_space *space, const void *state, const char *step)
{
    size_t size = space->model->state_bytes, slot = hash_of(state, size) % space->table_size;
    while (space->table[slot] != 0) {
        uint32_t index = space->table[slot] - 1;
        if (memcmp(state_at(space, index), state, size) == 0) {
            return index;
        }
        slot = (slot + 1) % space->table_size;
    }
    if (space->count == space->limit) {
        space->violation = "too many states";
        return 0;
    }
    uint32_t index = (uint32_t)space->count++;
    memcpy(space->states + index * size, state, size);
    space->parents[index] = space->current;
    space->steps[index] = step;
    space->table[slot] = index + 1;
    return index;
}

void hk_space_offer(struct hk_space *space, const void *state, const char *step, bool recovering,
                    const char *broken)
{
    if (space->violation != NULL) {
        return;
    }
    space->step_count++;
    if (broken != NULL) {
        space->violation = broken;
        space->last_step = step;
        return;
    }
    uint32_t to = find(space, state, step);
    if (!recovering) {
        return;
    }
    if (space->edge_count == space->edge_room) {
        space->edge_room = space->edge_room == 0 ? 1024 : 2 * space->edge_room;
        space->edges = realloc(space->edges, space->edge_room * sizeof(*space->edges));
        assert(space->edges != NULL);
    }
    space->edges[space->edge_count++] = (struct edge){space->current, to};
}

static void write_trace(struct hk_space_result *result, const struct hk_space *space, uint32_t index,
                        const char *last)
{
    uint32_t path[256];
    size_t length = 0, used = 0;
    for (; index != 0 && length < 256; index = space->parents[index]) {
        path[length++] = index;
    }
    result->trace[0] = '\0';
    while (length-- > 0 && used < sizeof(result->trace) - 200) {
        used += (size_t)snprintf(result->trace + used, sizeof(result->trace) - used, "%s\n",
                                 space->steps[path[length]]);
    }
    if (last != NULL) {
        snprintf(result->trace + used, sizeof(result->trace) - used, "%s\n", last);
    }
}

/* Walks recovering edges backwards from all goals; the first state left out that should not be, or
 * UINT32_MAX. */
static uint32_t find_stuck(const struct hk_space *space)
{
    const struct hk_space_model *model = space->model;
    uint32_t *start = calloc(space->count + 2, sizeof(*start)), stuck = UINT32_MAX;
    uint32_t *from = malloc((space->edge_count + 1) * sizeof(*from));
    uint32_t *queue = malloc((space->count + 1) * sizeof(*queue));
    bool *reached = calloc(space->count + 1, sizeof(*reached));
    assert(start != NULL && from != NULL && queue != NULL && reached != NULL);
    for (size_t i = 0; i < space->edge_count; i++) {
        start[space->edges[i].to + 2]++;
    }
    for (size_t i = 2; i < space->count + 2; i++) {
        start[i] += start[i - 1];
    }
    for (size_t i = 0; i < space->edge_count; i++) {
        from[start[space->edges[i].to + 1]++] = space->edges[i].from;
    }
    size_t head = 0, tail = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        if (model->is_goal(state_at(space, i), model->context)) {
            reached[i] = true;
            queue[tail++] = i;
        }
    }
    while (head < tail) {
        uint32_t to = queue[head++];
        for (uint32_t i = start[to]; i < start[to + 1]; i++) {
            if (!reached[from[i]]) {
                reached[from[i]] = true;
                queue[tail++] = from[i];
            }
        }
    }
    for (uint32_t i = 0; i < space->count && stuck == UINT32_MAX; i++) {
        if (!reached[i] && model->must_recover(state_at(space, i), model->context)) {
            stuck = i;
        }
    }
    free(start);
    free(from);
    free(queue);
    free(reached);
    return stuck;
}

void hk_space_explore(struct hk_space_result *result, const struct hk_space_model *model, const void *first,
                      size_t limit)
{
    struct hk_space space = {.model = model, .limit = limit, .table_size = 2 * limit + 1};
    memset(result, 0, sizeof(*result));
    space.states = malloc(limit * model->state_bytes);
    space.parents = malloc(limit * sizeof(*space.parents));
    space.steps = malloc(limit * sizeof(*space.steps));
    space.table = calloc(space.table_size, sizeof(*space.table));
    assert(space.states != NULL && space.parents != NULL && space.steps != NULL && space.table != NULL);
    find(&space, first, "");
    for (size_t i = 0; i < space.count && space.violation == NULL; i++) {
        space.current = (uint32_t)i;
        space.violation = model->violated(state_at(&space, i), model->context);
        if (space.violation == NULL) {
            model->expand(&space, state_at(&space, i), model->context);
        }
    }
    if (space.violation == NULL && (space.current = find_stuck(&space)) != UINT32_MAX) {
        space.violation = "no way back";
    }
    if (space.violation != NULL) {
        write_trace(result, &space, space.current, space.last_step);
    }
    result->states = space.count;
    result->steps = space.step_count;
    result->violation = space.violation;
    free(space.states);
    free(space.parents);
    free(space.steps);
    free(space.table);
    free(space.edges);
}
