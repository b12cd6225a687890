#include "tests/support/impostor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "crypto/random.h"
#include "keyservice/log.h"
#include "protocol/encoding.h"
#include "tests/support/home.h"

static enum hk_error admit(void *argument, const uint8_t static_key[32], unsigned *caller)
{
    (void)argument;
    (void)static_key;
    *caller = HK_ADMIN;
    return HK_OK;
}

static _Thread_local uint8_t signed_root[32], head_signature[64]; /* the answer borrows from them */

bool hk_impostor_head(struct hk_impostor *impostor, const struct hk_message *request,
                      struct hk_message *answer)
{
    struct hk_signed_head signed_head;
    if (request->value[HK_F_OP].number != HK_OP_LOG_HEAD) {
        return false;
    }
    hk_log_sign(&signed_head, &impostor->head, impostor->account, impostor->keys, (uint64_t)time(NULL));
    memcpy(signed_root, signed_head.head.root, sizeof(signed_root));
    memcpy(head_signature, signed_head.signature, sizeof(head_signature));
    hk_message_set_u64(answer, HK_F_GENERATION, signed_head.head.generation);
    hk_message_set_u64(answer, HK_F_SIZE, signed_head.head.size);
    hk_message_set_bytes(answer, HK_F_ROOT, signed_root, sizeof(signed_root));
    hk_message_set_u64(answer, HK_F_TIME, signed_head.head.time);
    hk_message_set_bytes(answer, HK_F_SIGNATURE, head_signature, sizeof(head_signature));
    return true;
}

struct later {
    struct hk_reply *reply;
    int ms;
    size_t size;
    uint8_t frame[HK_FRAME_MAX];
};

static void *send_later(void *argument)
{
    struct later *later = argument;
    (void)nanosleep(&(struct timespec){later->ms / 1000, later->ms % 1000 * 1000000L}, NULL);
    hk_reply_send(later->reply, later->frame, later->size);
    free(later);
    return NULL;
}

static void hand_over(struct hk_impostor *impostor, struct hk_reply *reply, const uint8_t *frame, size_t size,
                      bool late)
{
    struct later *later = late ? malloc(sizeof(*later)) : NULL;
    pthread_t thread;
    if (later == NULL) {
        hk_reply_send(reply, frame, size);
        return;
    }
    later->reply = reply;
    later->ms = impostor->late_ms;
    later->size = size;
    memcpy(later->frame, frame, size);
    if (pthread_create(&thread, NULL, send_later, later) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

/* The bytes to seal: the test's answer, or garbage. */
static size_t make_plain(enum hk_lie lie, const struct hk_message *answer, uint8_t *plain)
{
    size_t size = 0;
    if (lie == HK_LIE_GARBAGE || hk_message_encode(answer, plain, HK_PLAINTEXT_MAX, &size) != HK_OK) {
        size = 200;
        hk_random(plain, size);
    }
    return size;
}

static void answer_sealed(struct hk_impostor *impostor, struct hk_session *session, uint64_t counter,
                          struct hk_reply *reply, enum hk_lie lie, const struct hk_message *answer)
{
    uint8_t *plain = malloc(2 * HK_FRAME_MAX), *frame = plain + HK_FRAME_MAX;
    size_t size;
    if (plain == NULL) {
        abort();
    }
    if (lie == HK_LIE_UNSEALED) {
        size = 300;
        hk_random(frame, size);
        hk_reply_send(reply, frame, size);
        free(plain);
        return;
    }
    size = make_plain(lie, answer, plain);
    if (hk_session_seal_answer(session, counter + (lie == HK_LIE_SWAPPED), plain, size, frame, HK_FRAME_MAX,
                               &size) != HK_OK) {
        hk_reply_drop(reply);
        free(plain);
        return;
    }
    (void)pthread_mutex_lock(&impostor->lock);
    if (lie == HK_LIE_PREVIOUS && impostor->previous_size != 0) {
        size = impostor->previous_size;
        memcpy(frame, impostor->previous, size);
    } else {
        impostor->previous_size = size;
        memcpy(impostor->previous, frame, size);
    }
    (void)pthread_mutex_unlock(&impostor->lock);
    hand_over(impostor, reply, frame, size, lie == HK_LIE_LATE);
    free(plain);
}

static void on_opened(struct hk_impostor *impostor, struct hk_session *session, uint64_t counter,
                      struct hk_reply *reply, const uint8_t *plain, size_t size)
{
    struct hk_message *request = calloc(2, sizeof(*request)), *answer = request + 1;
    if (request == NULL || hk_message_decode(request, plain, size) != HK_OK) {
        abort();
    }
    hk_message_init(answer);
    hk_message_set_bytes(answer, HK_F_REQUEST, request->value[HK_F_REQUEST].data, HK_ID_BYTES);
    hk_message_set_u64(answer, HK_F_ERROR, 0);
    impostor->requests++;
    impostor->ops[request->value[HK_F_OP].number % 64]++;
    enum hk_lie lie = impostor->answer(impostor, request, answer);
    if (lie == HK_LIE_SILENCE) {
        /* the reply is never sent; it is dropped so that the listener can be stopped */
        hk_reply_drop(reply);
    } else if (lie == HK_LIE_HINT) {
        uint8_t hint[HK_FRAME_HINT_BYTES];
        hk_frame_hint(hint, session->id, impostor->hint);
        hk_reply_send(reply, hint, sizeof(hint));
    } else {
        answer_sealed(impostor, session, counter, reply, lie, answer);
    }
    free(request);
}

static void on_frame(void *argument, struct hk_reply *reply, uint8_t *bytes, size_t size)
{
    struct hk_impostor *impostor = argument;
    struct hk_frame frame;
    uint8_t answer[HK_HANDSHAKE_BYTES_MAX];
    if (hk_frame_parse(&frame, bytes, size) != HK_OK) {
        hk_reply_drop(reply);
        return;
    }
    if (frame.type != HK_FRAME_REQUEST) {
        impostor->handshakes++;
        if (hk_session_table_accept(impostor->table, &frame, answer, &size) != HK_OK) {
            hk_random(answer, size = 90); /* something, at least */
        }
        hk_reply_send(reply, answer, size);
        return;
    }
    impostor->frames++;
    struct hk_session *session;
    enum hk_opened what;
    uint8_t *plain = malloc(HK_FRAME_MAX);
    if (plain == NULL) {
        abort();
    }
    enum hk_error error = hk_session_table_open(impostor->table, &frame, &session, &what, plain, &size);
    if (error != HK_OK) {
        uint8_t hint[HK_FRAME_HINT_BYTES];
        hk_frame_hint(hint, frame.session, HK_NOT_FOUND);
        hk_reply_send(reply, hint, sizeof(hint));
    } else {
        if (what == HK_OPENED_NEW) {
            on_opened(impostor, session, frame.counter, reply, plain, size);
        } else {
            hk_reply_drop(reply);
        }
        hk_session_table_release(impostor->table, session);
    }
    free(plain);
}

void hk_impostor_start(struct hk_impostor *impostor, const struct hk_test_service *service, bool substituted)
{
    char data[128], reason[256] = "";
    const char *url = service->address.url, *why = NULL;
    struct hk_secret32 *master;
    (void)snprintf(data, sizeof(data), "%s/data", service->directory);
    if (hk_master_key_load(&master, data, false, reason) != HK_OK ||
        hk_service_keys_load(&impostor->keys, data, master, false, reason) != HK_OK) {
        fail_msg("%s", reason);
    }
    hk_secret_free(master);
    (void)pthread_mutex_init(&impostor->lock, NULL);
    hk_noise_keypair(&impostor->own_key, impostor->own_public);
    if (!substituted) {
        impostor->own_key = impostor->keys->static_secret;
        memcpy(impostor->own_public, impostor->keys->static_public, 32);
    }
    struct hk_session_table_setup table = {
        .service = {.static_key = &impostor->own_key, .admit = admit, .argument = impostor}};
    memcpy(table.service.static_public, impostor->own_public, 32);
    struct hk_listener_setup listener = {
        .urls = &url, .url_count = 1, .contexts = 64, .request = on_frame, .argument = impostor};
    assert_int_equal(hk_session_table_new(&impostor->table, &table), HK_OK);
    if (hk_listener_new(&impostor->listener, &listener, &why) != HK_OK) {
        fail_msg("%s", why);
    }
}

void hk_impostor_stop(struct hk_impostor *impostor)
{
    assert_int_equal(hk_listener_stop(impostor->listener, 10000), HK_OK);
    hk_listener_free(impostor->listener);
    hk_session_table_free(impostor->table);
    hk_secret_free(impostor->keys);
    (void)pthread_mutex_destroy(&impostor->lock);
}

/* The number behind "name": in what a command has printed as JSON. */
static uint64_t json_number(const char *text, const char *name)
{
    char member[64];
    (void)snprintf(member, sizeof(member), "\"%s\": ", name);
    const char *found = strstr(text, member);
    assert_non_null(found);
    return strtoull(found + strlen(member), NULL, 10);
}

static void learn_account(struct hk_impostor *impostor, const struct hk_test_service *service)
{
    char path[128];
    sqlite3 *store;
    sqlite3_stmt *row;
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service->directory);
    assert_int_equal(sqlite3_open_v2(path, &store, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(store, "SELECT id FROM accounts", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(row, 0), HK_ACCOUNT_BYTES);
    memcpy(impostor->account, sqlite3_column_blob(row, 0), HK_ACCOUNT_BYTES);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(store);
}

void hk_impostor_learn(struct hk_impostor *impostor, const struct hk_test_service *service,
                       const struct hk_test_home *home)
{
    static struct hk_test_output output;
    hk_test_agent_kill(home);
    assert_int_equal(HK_RUN(home, &output, "log", "--verify", "--json"), 0);
    hk_test_agent_kill(home); /* with the report that it would send next */
    impostor->head.generation = json_number(output.out, "generation");
    impostor->head.size = json_number(output.out, "size");
    const char *root = strstr(output.out, "\"root\": \"");
    assert_non_null(root);
    assert_int_equal(hk_hex_decode(impostor->head.root, 32, root + strlen("\"root\": \""), 64), HK_OK);
    learn_account(impostor, service);
}
