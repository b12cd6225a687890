/* An explicit-state model of refresh: a device, the service, perhaps a copy of the device, and a network that
 * loses, delays, reorders and repeats; both sides crash anywhere. Every state within a bound is visited.
 *
 * A tag stands for an epoch and for the halves that go with it: a device's and the service's half fit exactly
 * if they have the same tag. What is checked in each state: the service's half fits one that the device still
 * has; without a copy and without a restored store nobody is called stale; and once the network behaves, the
 * pair finds together again. Broken variants of the protocol must be found broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TAGS 6 /* epochs that may come into being */
#define WIRE 3 /* messages under way at once, each direction */
#define SESSIONS 9
#define NONE 0xff

enum kind { EMPTY, OPERATION, REFRESH, CONFIRM };
enum verdict { FINE, DONE, ALREADY, UNKNOWN_TAG, STALE, ROLLED_BACK };

/* Each message on a session of its own; a session's number is the order in which they were opened. */
struct message {
    uint8_t kind, from, session, tag, seed, next, verdict;
};

struct device { /* durable, except `waits` */
    uint8_t exists, tag, seed, next;
    uint8_t waits; /* session whose answer it is waiting for */
};

struct state {
    struct device device[2];                  /* the second is a copy of the first */
    uint8_t tag, pending, pending_seed;       /* the service, durable */
    uint8_t closed;                           /* sessions up to this one are closed; lost with the process */
    uint8_t snapshot_tag, lost_tag, restored; /* a backup of the store, and what was there before it came */
    uint8_t number[TAGS], tags;               /* epoch number of each tag */
    uint8_t seeds, sessions, crashes, expiries;
    uint8_t stale_seen, accused; /* recorded by the service; told to an honest device */
    struct message request[WIRE], answer[WIRE];
};

/* What may happen, and what is left out of the protocol on purpose. */
struct world {
    bool clone, restore;
    bool erases_early;         /* the device forgets d_e when it stores d' */
    bool service_erases_early; /* the service makes e+1 active when it is asked for it */
    bool sessions_stay_open;   /* refresh and confirm do not close older sessions */
    bool stays_after_unknown;  /* the device does not drop an epoch that the service does not know */
    int depth;
};

static bool put(struct message wire[WIRE], struct message message)
{
    for (int i = 0; i < WIRE; i++) {
        if (wire[i].kind == EMPTY) {
            wire[i] = message;
            return true;
        }
    }
    return false;
}

/* --- the service --- */

static uint8_t judge(struct state *s, const struct message *m)
{
    if (m->tag == s->tag) {
        return FINE;
    }
    if (s->number[m->tag] > s->number[s->tag]) {
        return ROLLED_BACK;
    }
    s->stale_seen = 1;
    return STALE;
}

static bool serve_refresh(const struct world *world, struct state *s, const struct message *m,
                          struct message *answer)
{
    answer->verdict = judge(s, m);
    if (answer->verdict != FINE) {
        return true;
    }
    if (s->pending == NONE || s->pending_seed != m->seed) {
        if (s->tags == TAGS) {
            return false;
        }
        s->number[s->tags] = (uint8_t)(s->number[s->tag] + 1);
        s->pending = s->tags++;
        s->pending_seed = m->seed;
    }
    answer->next = s->pending;
    if (world->service_erases_early) {
        s->tag = s->pending;
        s->pending = NONE;
    }
    return true;
}

static void serve_confirm(struct state *s, const struct message *m, struct message *answer)
{
    if (s->pending != NONE && s->pending == m->next && s->tag == m->tag) {
        s->tag = s->pending;
        s->pending = NONE;
        answer->verdict = DONE;
    } else if (s->tag == m->next) {
        answer->verdict = ALREADY;
    } else if (s->tag == m->tag) {
        answer->verdict = UNKNOWN_TAG;
    } else {
        answer->verdict = judge(s, m);
    }
}

/* False where the bound of the model is reached. */
static bool serve(const struct world *world, struct state *s, const struct message *m)
{
    if (m->session <= s->closed) {
        return true; /* of a closed session: dropped unread */
    }
    struct message answer = *m;
    if (m->kind == OPERATION) {
        answer.verdict = judge(s, m);
    } else {
        if (!world->sessions_stay_open) {
            s->closed = m->session;
        }
        if (m->kind == CONFIRM) {
            serve_confirm(s, m, &answer);
        } else if (!serve_refresh(world, s, m, &answer)) {
            return false;
        }
    }
    if (answer.verdict == STALE && !s->device[1].exists && !s->restored) {
        s->accused = 1;
    }
    (void)put(s->answer, answer); /* no room: the answer is lost */
    return true;
}

/* --- the device --- */

static bool send(struct state *s, uint8_t who, uint8_t kind)
{
    struct device *d = &s->device[who];
    struct message m = {kind, who, s->sessions, d->tag, d->seed, d->next, FINE};
    if (s->sessions == SESSIONS || !put(s->request, m)) {
        return false;
    }
    d->waits = s->sessions++;
    return true;
}

static void receive(const struct world *world, struct state *s, const struct message *m)
{
    struct device *d = &s->device[m->from];
    if (m->session != d->waits) {
        return; /* an answer that nobody waits for any more */
    }
    d->waits = NONE;
    if (m->kind == REFRESH && m->verdict == FINE && d->seed == m->seed && d->tag == m->tag &&
        d->next == NONE) {
        d->next = m->next;
        if (world->erases_early) {
            d->tag = d->next;
        }
    } else if (m->kind == CONFIRM && d->next == m->next) {
        if (m->verdict == DONE || m->verdict == ALREADY) {
            d->tag = d->next;
            d->next = d->seed = NONE;
        } else if (m->verdict == UNKNOWN_TAG && !world->stays_after_unknown) {
            d->next = d->seed = NONE;
        }
    }
}

/* --- what may happen next: move number `move`; false if it cannot happen --- */

static bool device_moves(struct state *s, int move)
{
    uint8_t who = (uint8_t)(move / 5);
    struct device *d = &s->device[who];
    if (!d->exists) {
        return false;
    }
    switch (move % 5) {
    case 0: /* decides to refresh: the seed is durable before anything is sent */
        if (d->seed != NONE || d->next != NONE || s->seeds == 4) {
            return false;
        }
        d->seed = s->seeds++;
        return true;
    case 1:
        return d->seed != NONE && d->next == NONE && send(s, who, REFRESH);
    case 2:
        return d->next != NONE && send(s, who, CONFIRM);
    case 3: /* while it holds both epochs it sends nothing but the confirm */
        return d->next == NONE && send(s, who, OPERATION);
    default: /* crash: what it waited for is forgotten */
        if (d->waits == NONE || s->crashes == 0) {
            return false;
        }
        d->waits = NONE;
        s->crashes--;
        return true;
    }
}

static bool network_moves(const struct world *world, struct state *s, int move)
{
    struct message *request = &s->request[move / 3 % WIRE], copy = *request;
    struct message *answer = &s->answer[move / 3 % WIRE], answer_copy = *answer;
    if (move < 3 * WIRE) {
        if (copy.kind == EMPTY) {
            return false;
        }
        if (move % 3 != 1) { /* 0 delivers, 1 delivers and may come again, 2 loses */
            *request = (struct message){0};
        }
        return move % 3 == 2 || serve(world, s, &copy);
    }
    if (answer_copy.kind == EMPTY || move % 3 == 1) {
        return false;
    }
    *answer = (struct message){0};
    if (move % 3 == 0) {
        receive(world, s, &answer_copy);
    }
    return true;
}

static bool other_moves(const struct world *world, struct state *s, int move)
{
    switch (move) {
    case 0: /* the service crashes: its sessions are gone */
        if (s->crashes == 0) {
            return false;
        }
        s->crashes--;
        s->closed = s->sessions == 0 ? 0 : (uint8_t)(s->sessions - 1);
        return true;
    case 1: /* a pending epoch is older than a day */
        if (s->pending == NONE || s->expiries == 0) {
            return false;
        }
        s->expiries--;
        s->pending = NONE;
        return true;
    case 2:
        if (!world->clone || s->device[1].exists) {
            return false;
        }
        s->device[1] = s->device[0];
        s->device[1].waits = NONE;
        return true;
    default: /* the store is put back to what it was at the start */
        if (!world->restore || s->restored || s->tag == s->snapshot_tag) {
            return false;
        }
        s->restored = 1;
        s->lost_tag = s->tag;
        s->tag = s->snapshot_tag;
        s->pending = NONE;
        s->closed = (uint8_t)(s->sessions - 1);
        return true;
    }
}

#define DEVICE_MOVES 10
#define NETWORK_MOVES (6 * WIRE)
#define MOVES (DEVICE_MOVES + NETWORK_MOVES + 4)

static bool step(const struct world *world, struct state *s, int move)
{
    if (move < DEVICE_MOVES) {
        return device_moves(s, move);
    }
    move -= DEVICE_MOVES;
    return move < NETWORK_MOVES ? network_moves(world, s, move) : other_moves(world, s, move - NETWORK_MOVES);
}

/* --- what must hold --- */

static bool fits(const struct state *s, int who)
{
    const struct device *d = &s->device[who];
    return d->exists && (d->tag == s->tag || d->next == s->tag);
}

/* From here on the network behaves: everything under way is lost and the device tries again. */
static bool settles(const struct world *world, struct state s, uint8_t who)
{
    memset(s.request, 0, sizeof(s.request));
    memset(s.answer, 0, sizeof(s.answer));
    s.closed = (uint8_t)(s.sessions == 0 ? 0 : s.sessions - 1);
    for (int i = 0; i < 4; i++) {
        s.sessions = (uint8_t)(s.closed + 1); /* numbers may start over: nothing is under way */
        struct device *d = &s.device[who];
        uint8_t kind = d->next != NONE ? CONFIRM : OPERATION;
        if (!send(&s, who, kind)) {
            s.sessions = 1;
            s.closed = 0;
            if (!send(&s, who, kind)) {
                return false;
            }
        }
        struct message m = s.request[0];
        s.request[0] = (struct message){0};
        if (!serve(world, &s, &m) || s.answer[0].kind == EMPTY) {
            return false;
        }
        m = s.answer[0];
        s.answer[0] = (struct message){0};
        receive(world, &s, &m);
        if (kind == OPERATION && m.verdict == FINE && s.device[who].tag == s.tag) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct world *world, const struct state *s)
{
    if (s->accused) {
        return false;
    }
    if (s->restored) { /* the old store serves it, or the device still has what fits the lost one */
        return fits(s, 0) || s->device[0].tag == s->lost_tag || s->device[0].next == s->lost_tag;
    }
    if (!fits(s, 0) && !fits(s, 1)) {
        return false;
    }
    /* One of them goes on. With a copy about, the other one is told that it is stale, never both. */
    return (fits(s, 0) && settles(world, *s, 0)) || (fits(s, 1) && settles(world, *s, 1));
}

/* --- every state, breadth first --- */

struct set {
    struct state *states;
    uint32_t *table;
    size_t count, capacity, slots;
};

static uint64_t hash_of(const struct state *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    const uint8_t *bytes = (const uint8_t *)s;
    for (size_t i = 0; i < sizeof(*s); i++) {
        h = (h ^ bytes[i]) * 0x100000001b3u;
    }
    return h ^ h >> 29;
}

static bool add(struct set *set, const struct state *s)
{
    size_t slot = hash_of(s) % set->slots;
    while (set->table[slot] != 0) {
        if (memcmp(&set->states[set->table[slot] - 1], s, sizeof(*s)) == 0) {
            return true;
        }
        slot = (slot + 1) % set->slots;
    }
    if (set->count == set->capacity) {
        return false;
    }
    set->states[set->count++] = *s;
    set->table[slot] = (uint32_t)set->count;
    return true;
}

/* Visits all states within world->depth moves; the number of them, or 0 if one does not hold. */
static size_t explore(const struct world *world)
{
    struct set set = {.capacity = 6000000, .slots = 12000017};
    set.states = malloc(set.capacity * sizeof(*set.states));
    set.table = calloc(set.slots, sizeof(*set.table));
    assert_non_null(set.states);
    assert_non_null(set.table);
    struct state start;
    memset(&start, 0, sizeof(start));
    start.device[0] = (struct device){1, 0, NONE, NONE, NONE};
    start.device[1] = (struct device){0, NONE, NONE, NONE, NONE};
    start.pending = start.pending_seed = NONE;
    start.number[0] = 1;
    start.tags = start.sessions = 1;
    start.crashes = 2;
    start.expiries = 1;
    bool fine = add(&set, &start) && holds(world, &start);
    size_t from = 0, until = 1;
    for (int depth = 0; fine && depth < world->depth; depth++) {
        for (; fine && from < until; from++) {
            for (int move = 0; fine && move < MOVES; move++) {
                struct state next = set.states[from];
                if (step(world, &next, move)) {
                    fine = holds(world, &next);
                    assert_true(add(&set, &next));
                }
            }
        }
        until = set.count;
    }
    size_t count = fine ? set.count : 0;
    free(set.states);
    free(set.table);
    return count;
}

static void refresh_never_separates_a_pair_or_accuses_its_device(void **unused)
{
    (void)unused;
    size_t states = explore(&(struct world){.depth = 11});
    print_message("%zu states\n", states);
    assert_true(states > 10000);
}

static void refresh_with_a_copy_about_leaves_one_that_works(void **unused)
{
    (void)unused;
    size_t states = explore(&(struct world){.depth = 9, .clone = true});
    print_message("%zu states\n", states);
    assert_true(states > 10000);
}

static void refresh_with_a_restored_store_leaves_the_device_its_half(void **unused)
{
    (void)unused;
    assert_true(explore(&(struct world){.depth = 10, .restore = true}) > 10000);
}

static void model_finds_a_device_that_erases_its_old_half_too_early(void **unused)
{
    (void)unused;
    assert_int_equal(explore(&(struct world){.depth = 9, .erases_early = true}), 0);
}

static void model_finds_a_service_that_erases_its_old_half_too_early(void **unused)
{
    (void)unused;
    assert_int_equal(explore(&(struct world){.depth = 9, .service_erases_early = true}), 0);
}

static void model_finds_late_frames_of_sessions_that_stay_open(void **unused)
{
    (void)unused;
    assert_int_equal(explore(&(struct world){.depth = 9, .sessions_stay_open = true}), 0);
}

static void model_finds_a_device_stuck_at_an_epoch_that_was_dropped(void **unused)
{
    (void)unused;
    assert_int_equal(explore(&(struct world){.depth = 9, .stays_after_unknown = true}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refresh_never_separates_a_pair_or_accuses_its_device),
        cmocka_unit_test(refresh_with_a_copy_about_leaves_one_that_works),
        cmocka_unit_test(refresh_with_a_restored_store_leaves_the_device_its_half),
        cmocka_unit_test(model_finds_a_device_that_erases_its_old_half_too_early),
        cmocka_unit_test(model_finds_a_service_that_erases_its_old_half_too_early),
        cmocka_unit_test(model_finds_late_frames_of_sessions_that_stay_open),
        cmocka_unit_test(model_finds_a_device_stuck_at_an_epoch_that_was_dropped),
    };
    return cmocka_run_group_tests_name("refresh_model", tests, NULL, NULL);
}
