/* state_space.h - explicit-state exploration: every state that can be reached, every step between them.
 *
 * A model gives its first state and a function that offers all successors of a state. States are plain bytes
 * and must be canonical: two that mean the same must be equal. Steps are either ones that an honest run may
 * take on its own (recovering) or ones that only misfortune or an attacker takes; from every state that wants
 * it, a goal must be reachable by recovering steps alone. */
#ifndef HALFKEY_TESTS_SUPPORT_STATE_SPACE_H
#define HALFKEY_TESTS_SUPPORT_STATE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hk_space;

struct hk_space_model {
    size_t state_bytes;
    /* Offers every successor of `state` through hk_space_offer. */
    void (*expand)(struct hk_space *space, const void *state, void *context);
    /* NULL, or a sentence that says which promise this state breaks. */
    const char *(*violated)(const void *state, void *context);
    bool (*is_goal)(const void *state, void *context);
    /* True if a goal must be reachable from here. */
    bool (*must_recover)(const void *state, void *context);
    void *context;
};

struct hk_space_result {
    size_t states, steps;
    const char *violation; /* NULL if none; "no way back" if a goal cannot be reached */
    char trace[4096];      /* the shortest way to it, one step a line */
};

/* To be called from expand: `state` can be reached by `step` (a literal). `broken` is NULL, or a sentence
 * that says which promise the step itself breaks. */
void hk_space_offer(struct hk_space *space, const void *state, const char *step, bool recovering,
                    const char *broken);

/* Explores everything from `first`. Stops at the first violation, or when there are more than `limit` states
 * (violation "too many states"). */
void hk_space_explore(struct hk_space_result *result, const struct hk_space_model *model, const void *first,
                      size_t limit);

#endif
