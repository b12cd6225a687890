#include "tests/support/refresh_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET_MAX 3

enum kind { NONE, USE, REFRESH, CONFIRM, ANSWER_REFRESH, ANSWER_CONFIRM };
enum outcome { DONE = 1, UNKNOWN_TAG, STALE };
enum who { DEVICE, COPY };

struct frame {
    uint8_t kind, who, session;
    uint8_t version; /* the tag in the request's ref; an answer's outcome */
    uint8_t seed;
    uint8_t next; /* tag' */
};

/* Device or copy. Durable: active, seed, next. 0 is none. */
struct holder {
    uint8_t present, active, seed, next;
    uint8_t waiting;  /* kind of request */
    uint8_t session;  /* newest open one */
    uint8_t stale;    /* was told so: goes no further */
    uint8_t unsynced; /* (broken protocol) next is not on the disk yet */
};

struct state {
    struct holder holders[2];
    uint8_t active, pending, pending_seed; /* the service's, durable */
    uint8_t open_from;                     /* sessions before this one are closed */
    struct frame net[NET_MAX];
};

struct model {
    enum refresh_fault fault;
    bool with_copy;
    size_t net_max;
};

static bool fits(const struct state *state, enum who who)
{
    const struct holder *holder = &state->holders[who];
    return holder->present && (holder->active == state->active || holder->next == state->active);
}

/* -- canonical form -- */

/* Gives `*label` its new name: the order of first appearance, or a given order. */
static void rename_label(uint8_t *label, uint8_t map[256], uint8_t *used)
{
    if (*label != 0) {
        if (map[*label] == 0) {
            map[*label] = ++*used;
        }
        *label = map[*label];
    }
}

static int compare_frames(const void *a, const void *b)
{
    return memcmp(b, a, sizeof(struct frame));
}

/* Frames that nobody will ever look at are the same as lost ones. */
static void drop_dead_frames(struct state *state)
{
    for (size_t i = 0; i < NET_MAX; i++) {
        struct frame *frame = &state->net[i];
        const struct holder *holder = &state->holders[frame->who];
        bool answer = frame->kind >= ANSWER_REFRESH;
        if (answer ? holder->waiting == NONE || frame->session != holder->session
                   : frame->session < state->open_from) {
            memset(frame, 0, sizeof(*frame));
        }
    }
    for (int who = DEVICE; who <= COPY; who++) {
        struct holder *holder = &state->holders[who];
        if (holder->waiting == NONE && holder->session < state->open_from) {
            holder->session = 0;
        }
    }
}

/* Sessions keep their order. */
static void rename_sessions(struct state *state)
{
    uint8_t map[256] = {0}, used = 0;
    map[state->open_from] = 1;
    for (int who = DEVICE; who <= COPY; who++) {
        map[state->holders[who].session] = 1;
    }
    for (size_t i = 0; i < NET_MAX; i++) {
        map[state->net[i].session] = 1;
    }
    map[0] = 0;
    for (size_t i = 1; i < 256; i++) {
        if (map[i] != 0) {
            map[i] = ++used;
        }
    }
    state->open_from = map[state->open_from];
    for (int who = DEVICE; who <= COPY; who++) {
        state->holders[who].session = map[state->holders[who].session];
    }
    for (size_t i = 0; i < NET_MAX; i++) {
        state->net[i].session = map[state->net[i].session];
    }
}

static void canonicalise(struct state *state)
{
    uint8_t versions[256] = {0}, seeds[256] = {0}, version_count = 0, seed_count = 0;
    drop_dead_frames(state);
    rename_sessions(state);
    qsort(state->net, NET_MAX, sizeof(state->net[0]), compare_frames);
    rename_label(&state->active, versions, &version_count);
    rename_label(&state->pending, versions, &version_count);
    rename_label(&state->pending_seed, seeds, &seed_count);
    for (int who = DEVICE; who <= COPY; who++) {
        rename_label(&state->holders[who].active, versions, &version_count);
        rename_label(&state->holders[who].next, versions, &version_count);
        rename_label(&state->holders[who].seed, seeds, &seed_count);
    }
    for (size_t i = 0; i < NET_MAX; i++) {
        struct frame *frame = &state->net[i];
        if (frame->kind < ANSWER_REFRESH) {
            rename_label(&frame->version, versions, &version_count);
        }
        rename_label(&frame->next, versions, &version_count);
        rename_label(&frame->seed, seeds, &seed_count);
    }
    qsort(state->net, NET_MAX, sizeof(state->net[0]), compare_frames);
}

/* The name of a new version or seed until the next renaming: no state has that many. */
#define FRESH 255

static uint8_t new_session(const struct state *state)
{
    uint8_t last = state->open_from;
    for (int who = DEVICE; who <= COPY; who++) {
        last = state->holders[who].session > last ? state->holders[who].session : last;
    }
    for (size_t i = 0; i < NET_MAX; i++) {
        last = state->net[i].session > last ? state->net[i].session : last;
    }
    return (uint8_t)(last + 1);
}

/* A frame for which there is no room is lost. */
static void send(const struct model *model, struct state *state, struct frame frame)
{
    for (size_t i = 0; i < model->net_max; i++) {
        if (state->net[i].kind == NONE) {
            state->net[i] = frame;
            return;
        }
    }
}

static void offer(struct hk_space *space, struct state *state, const char *step, bool recovering,
                  const char *broken)
{
    canonicalise(state);
    hk_space_offer(space, state, step, recovering, broken);
}

/* -- the service -- */

static void crash_service(struct state *state)
{
    state->open_from = new_session(state);
}

static enum outcome confirm(const struct model *model, struct state *state, const struct frame *frame)
{
    if (state->active == frame->version && state->pending == frame->next) {
        state->active = frame->next;
        state->pending = state->pending_seed = 0;
        return DONE;
    }
    if (state->active == frame->next) {
        return model->fault == REFRESH_NEVER_ALREADY ? STALE : DONE;
    }
    return state->active == frame->version ? UNKNOWN_TAG : STALE;
}

/* What a device must never hear. */
static const char *judge_stale(const struct state *state, const struct frame *frame)
{
    bool wronged = frame->who == DEVICE && fits(state, DEVICE);
    return wronged ? "an honest device is refused as stale" : NULL;
}

static void serve(struct hk_space *space, const struct model *model, const struct state *before,
                  const struct frame *frame, const char *step, bool recovering)
{
    struct state after = *before, torn;
    struct frame answer = {.who = frame->who, .session = frame->session};
    const char *broken = NULL;
    if (frame->session < before->open_from) {
        return; /* dropped unread */
    }
    if (frame->kind != USE && model->fault != REFRESH_LATE_FRAMES_JUDGED) {
        after.open_from = frame->session;
    }
    if (frame->kind == CONFIRM) {
        answer.kind = ANSWER_CONFIRM;
        answer.version = (uint8_t)confirm(model, &after, frame);
        broken = answer.version == STALE ? judge_stale(before, frame) : NULL;
    } else if (frame->version != before->active) {
        answer.kind = frame->kind == USE ? NONE : ANSWER_CONFIRM;
        answer.version = STALE;
        broken = judge_stale(before, frame);
    } else if (frame->kind == REFRESH) {
        if (after.pending == 0 || after.pending_seed != frame->seed) {
            after.pending = FRESH;
            after.pending_seed = frame->seed;
        }
        answer.kind = ANSWER_REFRESH;
        answer.seed = frame->seed;
        answer.next = after.pending;
    }
    torn = after;
    crash_service(&torn);
    offer(space, &torn, "service crashes before it answers", false, broken);
    if (model->fault == REFRESH_ANSWERS_BEFORE_STORED && answer.kind == ANSWER_CONFIRM) {
        torn = *before;
        send(model, &torn, answer);
        crash_service(&torn);
        offer(space, &torn, "service answers, crashes, and the write is lost", false, NULL);
    }
    if (answer.kind != NONE) {
        send(model, &after, answer);
    }
    offer(space, &after, step, recovering, broken);
}

/* -- device and copy -- */

static void crash_holder(struct holder *holder)
{
    holder->waiting = holder->session = 0;
    if (holder->unsynced) {
        holder->next = holder->unsynced = 0;
    }
}

static void take_answer(struct hk_space *space, const struct model *model, const struct state *before,
                        const struct frame *frame, bool recovering)
{
    struct state after = *before;
    struct holder *holder = &after.holders[frame->who];
    holder->waiting = NONE;
    if (frame->kind == ANSWER_REFRESH) {
        if (holder->seed != frame->seed) {
            return;
        }
        holder->next = frame->next;
        if (model->fault == REFRESH_ERASES_BEFORE_ANSWER) {
            holder->active = frame->next;
        }
        holder->unsynced = model->fault == REFRESH_CONFIRMS_BEFORE_STORED;
    } else if (frame->version == DONE) {
        holder->active = holder->next;
        holder->next = holder->seed = holder->unsynced = 0;
    } else if (frame->version == UNKNOWN_TAG && model->fault == REFRESH_IGNORES_UNKNOWN_TAG) {
        holder->session = 0;
    } else if (frame->version == UNKNOWN_TAG) {
        if (model->fault == REFRESH_DROPS_WRONG_HALF) {
            holder->active = holder->next;
        }
        holder->next = holder->seed = holder->unsynced = 0;
    } else {
        holder->stale = 1;
    }
    struct state torn = after;
    crash_holder(&torn.holders[frame->who]);
    offer(space, &torn, "holder stores what an answer brought, and crashes", false, NULL);
    offer(space, &after, frame->who == DEVICE ? "device takes an answer" : "copy takes an answer", recovering,
          NULL);
}

static void ask(struct hk_space *space, const struct model *model, const struct state *before, enum who who,
                enum kind kind, bool on_new_session)
{
    static const char *const names[2][4] = {
        {"", "device uses", "device sends refresh", "device sends confirm"},
        {"", "copy uses", "copy sends refresh", "copy sends confirm"}};
    struct state after = *before;
    struct holder *holder = &after.holders[who];
    if (on_new_session) {
        holder->session = new_session(before);
    }
    struct frame frame = {.kind = (uint8_t)kind, .who = (uint8_t)who, .session = holder->session};
    frame.version = holder->active;
    if (kind != USE) {
        holder->waiting = (uint8_t)kind;
    }
    frame.seed = kind == REFRESH ? holder->seed : 0;
    frame.next = kind == CONFIRM ? holder->next : 0;
    send(model, &after, frame);
    offer(space, &after, names[who][kind], who == DEVICE, NULL);
}

static void act(struct hk_space *space, const struct model *model, const struct state *before, enum who who)
{
    const struct holder *holder = &before->holders[who];
    struct state after = *before;
    if (!holder->present) {
        return;
    }
    crash_holder(&after.holders[who]);
    offer(space, &after, "holder crashes", false, NULL);
    if (holder->stale) {
        return;
    }
    if (holder->next != 0) {
        ask(space, model, before, who, CONFIRM, true);
        return; /* holding both epochs it sends nothing else */
    }
    ask(space, model, before, who, USE, true);
    if (holder->session != 0) {
        ask(space, model, before, who, USE, false);
    }
    if (holder->seed != 0) {
        ask(space, model, before, who, REFRESH, true);
        return;
    }
    after = *before;
    after.holders[who].seed = FRESH;
    offer(space, &after, "holder stores a new seed", who == DEVICE, NULL);
}

/* -- the space -- */

static void deliver(struct hk_space *space, const struct model *model, const struct state *before, size_t i)
{
    struct state after = *before;
    struct frame frame = before->net[i];
    memset(&after.net[i], 0, sizeof(after.net[i]));
    struct state lost = after;
    offer(space, &lost, "a frame is lost", true, NULL);
    if (frame.kind >= ANSWER_REFRESH) {
        take_answer(space, model, &after, &frame, frame.who == DEVICE);
        return;
    }
    serve(space, model, &after, &frame, "service serves", frame.who == DEVICE);
    serve(space, model, before, &frame, "service serves, and the frame stays to come again", false);
}

static void expand(struct hk_space *space, const void *bytes, void *context)
{
    const struct model *model = context;
    const struct state *before = bytes;
    act(space, model, before, DEVICE);
    act(space, model, before, COPY);
    for (size_t i = 0; i < NET_MAX; i++) {
        if (before->net[i].kind != NONE) {
            deliver(space, model, before, i);
        }
    }
    struct state after = *before;
    crash_service(&after);
    offer(space, &after, "service crashes", false, NULL);
    if (before->pending != 0) {
        after = *before;
        after.pending = after.pending_seed = 0;
        offer(space, &after, "a day goes by: the pending epoch is dropped", false, NULL);
    }
    if (model->with_copy && !before->holders[COPY].present) {
        after = *before;
        after.holders[COPY] = before->holders[DEVICE];
        crash_holder(&after.holders[COPY]);
        after.holders[COPY].stale = 0;
        offer(space, &after, "the device's file is copied", false, NULL);
    }
}

static const char *violated(const void *bytes, void *context)
{
    const struct state *state = bytes;
    (void)context;
    if (!fits(state, DEVICE) && !fits(state, COPY)) {
        return "the only half that fits is gone";
    }
    if (state->holders[DEVICE].stale && !state->holders[COPY].present) {
        return "an honest device is refused as stale";
    }
    return NULL;
}

static bool is_goal(const void *bytes, void *context)
{
    const struct state *state = bytes;
    const struct holder *device = &state->holders[DEVICE];
    (void)context;
    return device->active == state->active && device->next == 0 && device->seed == 0 && !device->stale;
}

static bool must_recover(const void *bytes, void *context)
{
    (void)context;
    return fits(bytes, DEVICE);
}

struct hk_space_result refresh_model_explore(enum refresh_fault fault, bool with_copy, size_t net_max)
{
    struct model model = {fault, with_copy, net_max};
    struct hk_space_model space = {sizeof(struct state), expand, violated, is_goal, must_recover, &model};
    struct state first = {.active = 1};
    struct hk_space_result result;
    first.holders[DEVICE].present = 1;
    first.holders[DEVICE].active = 1;
    hk_space_explore(&result, &space, &first, 4000000);
    printf("%zu states, %zu steps: %s\n", result.states, result.steps,
           result.violation != NULL ? result.violation : "sound");
    return result;
}
