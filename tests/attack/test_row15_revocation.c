/* Row 15: a revocation in the middle of share operations from 64 connections, over and over. What the service
 * commits is read in its log, what it hands to its transport in notes that it makes beside that; and a peer
 * that never reads holds nothing up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/scale.h"
#include "tests/support/store_view.h"

#define CONNECTIONS 64
#define SESSIONS 4 /* of one device; a frame of each may come over any connection */
#define ROUNDS 5

static struct hk_test_service service;
static struct hk_test_device laptop, phone;
static struct hk_test_enrolment enrolment;
static char notes[128];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    (void)hk_test_service_stop(&service);
    (void)snprintf(notes, sizeof(notes), "%s/notes", service.directory);
    service.notes = notes;
    service.options[0] = "--quota";
    service.options[1] = "0";
    hk_test_service_restart(&service);
    hk_test_device_init(&laptop, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

static enum hk_error end_phone(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    return hk_test_call(&laptop, &request, &answer);
}

/* An encoded agreement of the phone over so many points. */
static size_t make_request(uint8_t *plain, size_t points, uint8_t id[HK_ID_BYTES])
{
    static _Thread_local struct hk_message request; /* large */
    uint8_t list[HK_AGREE_POINTS_MAX * 32];
    size_t size;
    hk_test_request(&request, HK_OP_AGREE, &phone);
    memcpy(id, request.value[HK_F_REQUEST].data, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, phone.key[0].id, HK_ID_BYTES);
    for (size_t i = 0; i < points; i++) {
        memcpy(list + 32 * i, phone.key[0].public_key, 32); /* any point will do */
    }
    hk_message_set_array(&request, HK_F_POINTS, list, 32, points);
    assert_int_equal(hk_message_encode(&request, plain, HK_PLAINTEXT_MAX, &size), HK_OK);
    return size;
}

/* ---- the race ---- */

static struct hk_channel *channel[SESSIONS];
static atomic_uint served, late, others;
static atomic_bool acknowledged;

struct line {
    size_t number;
    struct hk_endpoint *endpoint; /* a connection of its own */
};

static enum hk_error agree_over(struct line *line)
{
    uint8_t plain[4096], frame[4096 + HK_FRAME_OVERHEAD + 8], id[HK_ID_BYTES];
    static _Thread_local struct hk_message message;
    struct hk_frame parsed;
    uint64_t counter;
    size_t size = make_request(plain, 1, id);
    struct hk_session *session = hk_channel_session(channel[line->number % SESSIONS]);
    enum hk_error error =
        hk_session_seal_request(session, plain, size, frame, sizeof(frame), &size, &counter);
    if (error == HK_OK) {
        error = hk_endpoint_call(line->endpoint, frame, size, frame, sizeof(frame), &size, 10000);
    }
    if (error == HK_OK && (error = hk_frame_parse(&parsed, frame, size)) == HK_OK) {
        error = parsed.type == HK_FRAME_HINT
                    ? hk_frame_hinted(&parsed)
                    : hk_session_open_answer(session, &parsed, counter, plain, sizeof(plain), &size);
    }
    if (error == HK_OK) {
        error = hk_message_decode(&message, plain, size);
    }
    return error == HK_OK ? hk_message_check_answer(&message, hk_op_row(HK_OP_AGREE), id) : error;
}

static void *use(void *argument)
{
    struct line *line = argument;
    enum hk_error error = HK_OK;
    while (error == HK_OK) {
        bool after = atomic_load(&acknowledged);
        error = agree_over(line);
        if (error == HK_OK) {
            (void)atomic_fetch_add(&served, 1);
            (void)atomic_fetch_add(&late, after);
        }
    }
    /* revoked, or its session or connection is gone; nothing else */
    bool expected =
        error == HK_REVOKED || error == HK_NOT_FOUND || error == HK_UNREACHABLE || error == HK_TIMEOUT;
    (void)atomic_fetch_add(&others, !expected);
    return NULL;
}

/* What the service noted: nothing was handed over to the phone once the acknowledgement was on its way. */
static void check_notes(void)
{
    char line[128], about[64], serial[9];
    bool over = false;
    unsigned before = 0;
    (void)snprintf(serial, sizeof(serial), "%02x%02x%02x%02x", phone.serial[0], phone.serial[1],
                   phone.serial[2], phone.serial[3]);
    FILE *file = fopen(notes, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned long long op, outcome;
        char name[16];
        assert_int_equal(sscanf(line, "%15s %llu %llu %63s", name, &op, &outcome, about), 4);
        if (op == HK_OP_REVOKE && outcome == 0 && strcmp(name, "sending") == 0) {
            over = true;
        }
        if (strcmp(about, serial) == 0 && op == HK_OP_AGREE && outcome == 0) {
            assert_false(over);
            before++;
        }
    }
    (void)fclose(file);
    assert_true(over);
    assert_true(before >= 2 * atomic_load(&served)); /* the notes are there: sending and sent */
    assert_int_equal(unlink(notes), 0);
}

struct count {
    bool marked;
    unsigned before, after;
};

static void count_leaf(void *argument, const struct hk_leaf *leaf)
{
    struct count *count = argument;
    if (leaf->op == HK_OP_REVOKE && leaf->outcome == 0 &&
        memcmp(leaf->subject, phone.serial, HK_ID_BYTES) == 0) {
        count->marked = true;
    } else if (leaf->has_who && memcmp(leaf->who, phone.serial, HK_ID_BYTES) == 0 && leaf->outcome == 0 &&
               leaf->op == HK_OP_AGREE) {
        *(count->marked ? &count->after : &count->before) += 1;
    }
}

static void race(unsigned operations)
{
    static struct line line[CONNECTIONS];
    pthread_t thread[CONNECTIONS];
    struct count count = {false, 0, 0};
    hk_test_device_init(&phone, &service);
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    atomic_store(&acknowledged, false);
    atomic_store(&served, 0);
    for (size_t i = 0; i < SESSIONS; i++) {
        assert_int_equal(hk_channel_open(&channel[i], phone.endpoint, &phone.static_key, NULL,
                                         service.address.service_key, 10000),
                         HK_OK);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        line[i].number = i;
        assert_int_equal(hk_endpoint_new(&line[i].endpoint, service.address.url), HK_OK);
        assert_int_equal(pthread_create(&thread[i], NULL, use, &line[i]), 0);
    }
    while (atomic_load(&served) < operations) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    assert_int_equal(end_phone(), HK_OK);
    atomic_store(&acknowledged, true);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        hk_endpoint_free(line[i].endpoint);
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        hk_channel_free(channel[i]);
    }
    assert_int_equal(atomic_load(&late), 0);
    assert_int_equal(atomic_load(&others), 0);
    hk_view_each_leaf(&service, laptop.account, count_leaf, &count);
    assert_true(count.marked);
    assert_int_equal(count.after, 0);
    assert_true(count.before >= atomic_load(&served));
    check_notes();
    hk_test_device_end(&phone);
}

static void row15_nothing_commits_after_the_mark_and_nothing_is_sent_after_the_acknowledgement(void **state)
{
    (void)state;
    unsigned operations = (unsigned)hk_scaled(100000) / ROUNDS;
    atomic_store(&late, 0);
    atomic_store(&others, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        race(operations + i * 37); /* not always at the same place of a batch */
        hk_tried("operations from 64 connections, round %u", i);
    }
}

/* ---- a peer that does not read ---- */

static void write_all(int fd, const void *data, size_t size, bool *full)
{
    const uint8_t *at = data;
    while (size > 0 && !*full) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        *full = sent < 0; /* its buffers are full, as ours are: it waits for us */
        at += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
}

/* A message of nng's REQ over TCP, by hand: length, request number, frame. */
static void send_frame(int fd, uint32_t number, const uint8_t *frame, size_t size, bool *full)
{
    uint8_t head[12];
    hk_put_u64(head, size + 4);
    uint32_t wire = htonl(number | 0x80000000U);
    memcpy(head + 8, &wire, 4);
    write_all(fd, head, sizeof(head), full);
    write_all(fd, frame, size, full);
}

static int connect_by_hand(void)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t theirs[8];
    bool full = false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    const char *port = strrchr(service.address.url, ':');
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port + 1))};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_usec = 300000},
                     sizeof(struct timeval));
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
    write_all(fd, hello, sizeof(hello), &full);
    assert_int_equal(recv(fd, theirs, sizeof(theirs), MSG_WAITALL), 8);
    return fd;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void row15_a_peer_that_does_not_read_delays_no_revocation(void **state)
{
    (void)state;
    static uint8_t plain[HK_PLAINTEXT_MAX], frame[HK_FRAME_MAX];
    uint8_t id[HK_ID_BYTES];
    uint32_t number = 1;
    struct hk_channel *session;
    for (int variant = 0; variant < 3; variant++) {
        bool full = false;
        hk_test_device_init(&phone, &service);
        assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
        assert_int_equal(hk_channel_open(&session, phone.endpoint, &phone.static_key, NULL,
                                         service.address.service_key, 10000),
                         HK_OK);
        int fds[8] = {0};
        int lines = variant == 0 ? 1 : 8;
        for (int i = 0; i < lines; i++) {
            fds[i] = connect_by_hand();
            full = false;
            for (int j = 0; j < 400 && !full; j++) {
                uint64_t counter;
                size_t size = make_request(plain, variant == 2 ? 1 : HK_AGREE_POINTS_MAX, id);
                assert_int_equal(hk_session_seal_request(hk_channel_session(session), plain, size, frame,
                                                         sizeof(frame), &size, &counter),
                                 HK_OK);
                send_frame(fds[i], number++, frame, size, &full);
            }
        }
        double before = seconds();
        assert_int_equal(end_phone(), HK_OK);
        double took = seconds() - before;
        if (took > 3) {
            fail_msg("the revocation took %.1f seconds", took);
        }
        for (int i = 0; i < lines; i++) {
            (void)close(fds[i]);
        }
        hk_channel_free(session);
        hk_test_device_end(&phone);
        hk_tried("%d connections full of %s answers", lines, variant == 2 ? "small" : "large");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row15_nothing_commits_after_the_mark_and_nothing_is_sent_after_the_acknowledgement),
        TEST(row15_a_peer_that_does_not_read_delays_no_revocation),
    };
    return HK_ATTACK_ROW(15, tests);
}
