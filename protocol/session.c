#include "protocol/session.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"

/* An answer that is being made (frame empty) or has left. */
struct hk_session_answer {
    uint64_t counter; /* of the request */
    uint64_t time;
    uint8_t request[16]; /* hash of the request's frame */
    bool pending;
    size_t size;
    uint8_t frame[];
};

/* What was accepted within the hour may still be answered in this time. */
#define GRACE_SECONDS 60
#define NS UINT64_C(1000000000)
/* The clocks with and without suspend cannot be read at once; this much apart is no suspend. */
#define SUSPEND_NS (NS / 2)

#ifdef HK_TEST_SEAMS
static _Atomic uint64_t test_passed, test_suspended;
void hk_test_session_clock(uint64_t passed, uint64_t suspended)
{
    test_passed = passed;
    test_suspended = suspended;
}
#endif

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* Time including suspend, and how much of it was suspend. Reads again if the thread lost the processor
 * between the clocks. */
static uint64_t read_clocks(uint64_t *suspended)
{
    uint64_t before, boot, after;
    do {
        before = read_clock(CLOCK_MONOTONIC);
        boot = read_clock(CLOCK_BOOTTIME);
        after = read_clock(CLOCK_MONOTONIC);
    } while (after - before > SUSPEND_NS / 4);
    *suspended = boot > before ? boot - before : 0;
#ifdef HK_TEST_SEAMS
    boot += test_passed;
    *suspended += test_suspended;
#endif
    return boot;
}

/* Everything below that says "locked" runs under session->lock. */
static bool is_usable_locked(const struct hk_session *session, uint64_t seconds)
{
    if (session->keys == NULL || session->keys->alive != HK_SESSION_ALIVE ||
        session->next_counter >= HK_SESSION_FRAMES) {
        return false;
    }
    uint64_t suspended, now = read_clocks(&suspended);
    return now - session->started < seconds * NS && suspended < session->suspended + SUSPEND_NS;
}

bool hk_session_is_over(struct hk_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool usable = is_usable_locked(session, HK_SESSION_SECONDS);
    pthread_mutex_unlock(&session->lock);
    return !usable;
}

bool hk_session_is_old(struct hk_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool fresh = is_usable_locked(session, HK_SESSION_SECONDS / 10 * 9) &&
                 session->next_counter < HK_SESSION_FRAMES / 10 * 9;
    pthread_mutex_unlock(&session->lock);
    return !fresh;
}

bool hk_session_is_older(struct hk_session *session, uint64_t seconds)
{
    uint64_t suspended;
    return read_clocks(&suspended) - session->started > seconds * NS;
}

/* ---- the window ---- */
enum seen { NEW, SEEN, BELOW };

static enum seen window_look_locked(const struct hk_session *session, uint64_t counter)
{
    if (!session->any_received || counter > session->highest) {
        return NEW;
    }
    if (session->highest - counter >= HK_SESSION_WINDOW) {
        return BELOW;
    }
    uint64_t bit = counter % HK_SESSION_WINDOW;
    return (session->window[bit / 64] >> (bit % 64) & 1) != 0 ? SEEN : NEW;
}

static void window_mark_locked(struct hk_session *session, uint64_t counter)
{
    if (!session->any_received) {
        session->any_received = true;
        session->highest = counter;
    }
    if (counter > session->highest + HK_SESSION_WINDOW) {
        memset(session->window, 0, sizeof(session->window));
        session->highest = counter;
    }
    while (session->highest < counter) {
        uint64_t bit = ++session->highest % HK_SESSION_WINDOW;
        session->window[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
    }
    uint64_t bit = counter % HK_SESSION_WINDOW;
    session->window[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* ---- answers that are kept: a ring, oldest first; a hole where one was forgotten ---- */
static struct hk_session_answer **answer_slot_locked(struct hk_session *session, uint64_t counter)
{
    for (size_t i = 0; i < session->answers_count; i++) {
        struct hk_session_answer **slot =
            &session->answers[(session->answers_first + i) % HK_SESSION_ANSWERS];
        if (*slot != NULL && (*slot)->counter == counter) {
            return slot;
        }
    }
    return NULL;
}

static void answer_free_locked(struct hk_session *session, struct hk_session_answer **slot)
{
    if (*slot != NULL) {
        session->answers_bytes -= (*slot)->size;
        free(*slot);
        *slot = NULL;
    }
}

static void answer_evict_locked(struct hk_session *session)
{
    answer_free_locked(session, &session->answers[session->answers_first]);
    session->answers_first = (session->answers_first + 1) % HK_SESSION_ANSWERS;
    session->answers_count--;
}

static void hash_frame(uint8_t out[16], const struct hk_frame *frame)
{
    crypto_generichash(out, 16, frame->bytes, frame->size, NULL, 0);
}

/* Without memory for it the answer is simply not kept. */
static void answer_expect_locked(struct hk_session *session, const struct hk_frame *frame)
{
    struct hk_session_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) {
        return;
    }
    if (session->answers_count == HK_SESSION_ANSWERS) {
        answer_evict_locked(session);
    }
    answer->counter = frame->counter;
    answer->pending = true;
    hash_frame(answer->request, frame);
    session->answers[(session->answers_first + session->answers_count) % HK_SESSION_ANSWERS] = answer;
    session->answers_count++;
}

void hk_session_keep(struct hk_session *session, uint64_t request_counter, const uint8_t *frame, size_t size)
{
    pthread_mutex_lock(&session->lock);
    struct hk_session_answer **slot = answer_slot_locked(session, request_counter);
    struct hk_session_answer *larger = NULL;
    if (session->keys != NULL && slot != NULL && (*slot)->pending && size <= HK_SESSION_ANSWER_BYTES) {
        larger = realloc(*slot, sizeof(*larger) + size);
    }
    if (larger != NULL) {
        uint64_t suspended;
        *slot = larger;
        larger->pending = false;
        larger->time = read_clocks(&suspended);
        larger->size = size;
        memcpy(larger->frame, frame, size);
        session->answers_bytes += size;
        while (session->answers_bytes > HK_SESSION_ANSWER_BYTES) {
            answer_evict_locked(session);
        }
    }
    pthread_mutex_unlock(&session->lock);
}

void hk_session_forget(struct hk_session *session, uint64_t request_counter)
{
    pthread_mutex_lock(&session->lock);
    struct hk_session_answer **slot = answer_slot_locked(session, request_counter);
    if (slot != NULL) {
        answer_free_locked(session, slot);
    }
    pthread_mutex_unlock(&session->lock);
}

void hk_session_trim(struct hk_session *session)
{
    uint64_t suspended, now = read_clocks(&suspended);
    pthread_mutex_lock(&session->lock);
    while (session->answers_count != 0) {
        const struct hk_session_answer *oldest = session->answers[session->answers_first];
        if (oldest != NULL && (oldest->pending || now - oldest->time < HK_SESSION_ANSWER_SECONDS * NS)) {
            break;
        }
        answer_evict_locked(session);
    }
    pthread_mutex_unlock(&session->lock);
}

/* ---- sealing and opening ---- */
static enum hk_error seal_locked(struct hk_session *session, enum hk_frame_type type, const uint8_t *prefix,
                                 size_t prefix_size, const void *plaintext, size_t size, uint8_t *out,
                                 size_t *out_size, uint64_t *counter)
{
    uint8_t nonce[HK_AEAD_NONCE_BYTES], *body = out + HK_FRAME_HEADER_BYTES;
    *counter = session->next_counter++;
    hk_frame_header(out, type, session->id, *counter);
    hk_aead_counter_nonce(nonce, *counter);
    if (size != 0) {
        memmove(body + prefix_size, plaintext, size);
    }
    if (prefix_size != 0) {
        memcpy(body, prefix, prefix_size);
    }
    hk_aead_seal(body, &session->keys->send, nonce, out, HK_FRAME_HEADER_BYTES, body, prefix_size + size);
    *out_size = HK_FRAME_OVERHEAD + prefix_size + size;
    return HK_OK;
}

enum hk_error hk_session_seal_request(struct hk_session *session, const void *plaintext, size_t size,
                                      uint8_t *out, size_t max, size_t *out_size, uint64_t *counter)
{
    if (size > HK_PLAINTEXT_MAX || size + HK_FRAME_OVERHEAD > max) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = HK_NOT_FOUND;
    pthread_mutex_lock(&session->lock);
    if (is_usable_locked(session, HK_SESSION_SECONDS)) {
        error = seal_locked(session, HK_FRAME_REQUEST, NULL, 0, plaintext, size, out, out_size, counter);
    }
    pthread_mutex_unlock(&session->lock);
    return error;
}

enum hk_error hk_session_seal_answer(struct hk_session *session, uint64_t request_counter,
                                     const void *plaintext, size_t size, uint8_t *out, size_t max,
                                     size_t *out_size)
{
    if (size > HK_PLAINTEXT_MAX || size + 8 + HK_FRAME_OVERHEAD > max) {
        return HK_TOO_LARGE;
    }
    uint8_t prefix[8];
    uint64_t counter;
    hk_put_u64(prefix, request_counter);
    enum hk_error error = HK_NOT_FOUND;
    pthread_mutex_lock(&session->lock);
    if (is_usable_locked(session, HK_SESSION_SECONDS + GRACE_SECONDS)) {
        error = seal_locked(session, HK_FRAME_ANSWER, prefix, sizeof(prefix), plaintext, size, out, out_size,
                            &counter);
    }
    pthread_mutex_unlock(&session->lock);
    return error;
}

/* Checks the frame's form and tag; the plaintext goes to `out`, which has room for it. */
static enum hk_error open_locked(struct hk_session *session, const struct hk_frame *frame,
                                 enum hk_frame_type type, uint64_t seconds, uint8_t *out)
{
    uint8_t nonce[HK_AEAD_NONCE_BYTES];
    if (!is_usable_locked(session, seconds)) {
        return HK_NOT_FOUND;
    }
    if (frame->type != type || frame->counter >= HK_SESSION_FRAMES ||
        memcmp(frame->session, session->id, sizeof(session->id)) != 0) {
        return HK_AUTH;
    }
    hk_aead_counter_nonce(nonce, frame->counter);
    enum hk_error error = hk_aead_open(out, &session->keys->receive, nonce, frame->bytes,
                                       HK_FRAME_HEADER_BYTES, frame->body, frame->body_size);
    if (error == HK_OK) {
        session->confirmed = true;
    }
    return error;
}

static void open_repeat_locked(struct hk_session *session, const struct hk_frame *frame, enum hk_opened *what,
                               uint8_t *out, size_t *out_size)
{
    uint8_t request[16];
    struct hk_session_answer **slot = answer_slot_locked(session, frame->counter);
    *what = HK_OPENED_TOO_OLD;
    if (slot == NULL) {
        return;
    }
    hash_frame(request, frame);
    if (memcmp(request, (*slot)->request, sizeof(request)) != 0) {
        return;
    }
    *what = HK_OPENED_PENDING;
    if (!(*slot)->pending) {
        *what = HK_OPENED_REPEAT;
        hk_wipe(out, *out_size);
        memcpy(out, (*slot)->frame, (*slot)->size);
        *out_size = (*slot)->size;
    }
}

enum hk_error hk_session_open_request(struct hk_session *session, const struct hk_frame *frame,
                                      enum hk_opened *what, uint8_t *out, size_t *out_size)
{
    pthread_mutex_lock(&session->lock);
    enum hk_error error = open_locked(session, frame, HK_FRAME_REQUEST, HK_SESSION_SECONDS, out);
    if (error == HK_OK) {
        *out_size = frame->body_size - HK_AEAD_TAG_BYTES;
        if (window_look_locked(session, frame->counter) == NEW) {
            window_mark_locked(session, frame->counter);
            answer_expect_locked(session, frame);
            *what = HK_OPENED_NEW;
        } else {
            open_repeat_locked(session, frame, what, out, out_size);
        }
    }
    pthread_mutex_unlock(&session->lock);
    return error;
}

enum hk_error hk_session_open_answer(struct hk_session *session, const struct hk_frame *frame,
                                     uint64_t counter, uint8_t *out, size_t max, size_t *out_size)
{
    size_t overhead = 8 + HK_AEAD_TAG_BYTES;
    if (frame->body_size < overhead) {
        return HK_AUTH;
    }
    if (frame->body_size - overhead > max) {
        return HK_TOO_LARGE;
    }
    uint8_t *plaintext = malloc(frame->body_size);
    if (plaintext == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_lock(&session->lock);
    enum hk_error error =
        open_locked(session, frame, HK_FRAME_ANSWER, HK_SESSION_SECONDS + GRACE_SECONDS, plaintext);
    if (error == HK_OK) {
        if (window_look_locked(session, frame->counter) != NEW) {
            error = HK_TOO_OLD;
        } else {
            window_mark_locked(session, frame->counter);
            HK_PUBLIC_BYTES(plaintext, 8); /* a counter as in a frame's head */
            error = hk_get_u64(plaintext) == counter ? HK_OK : HK_BAD_PEER;
        }
    }
    pthread_mutex_unlock(&session->lock);
    if (error == HK_OK) {
        *out_size = frame->body_size - overhead;
        memcpy(out, plaintext + 8, *out_size);
    }
    hk_wipe(plaintext, frame->body_size);
    free(plaintext);
    return error;
}

/* ---- the beginning and the end ---- */
void hk_session_start(struct hk_session *session, struct hk_session_keys *keys, bool is_service,
                      const uint8_t id[HK_SESSION_ID_BYTES], const struct hk_noise_result *result)
{
    memset(session, 0, sizeof(*session));
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_init(&session->user_lock, NULL);
    memcpy(session->id, id, sizeof(session->id));
    memcpy(session->handshake_hash, result->hash, sizeof(session->handshake_hash));
    session->has_remote_static = result->has_remote_static;
    memcpy(session->remote_static, result->remote_static, sizeof(session->remote_static));
    session->is_service = is_service;
    session->started = read_clocks(&session->suspended);
    keys->send = result->send.key;
    keys->receive = result->receive.key;
    keys->alive = HK_SESSION_ALIVE;
    session->keys = keys;
}

struct hk_session_keys *hk_session_close(struct hk_session *session)
{
    pthread_mutex_lock(&session->lock);
    struct hk_session_keys *keys = session->keys;
    session->keys = NULL;
    if (keys != NULL) {
        hk_wipe(keys, sizeof(*keys));
    }
    while (session->answers_count != 0) {
        answer_evict_locked(session);
    }
    pthread_mutex_unlock(&session->lock);
    return keys;
}

void hk_session_wipe(struct hk_session *session)
{
    pthread_mutex_destroy(&session->lock);
    pthread_mutex_destroy(&session->user_lock);
    hk_wipe(session, sizeof(*session));
}
