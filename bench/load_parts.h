/* load_parts.h - the inside of the load generator, for bench/load*.c alone. */
#ifndef HALFKEY_BENCH_LOAD_PARTS_H
#define HALFKEY_BENCH_LOAD_PARTS_H

#include "bench/load.h"
#include "crypto/cosign.h"
#include "protocol/address.h"
#include "protocol/session.h"

#define POINT 32
#define POINTS_MAX 256
#define SIGN_BYTES 100
#define WIRE_HEADER 12 /* length u64be, request id u32be */

/* A session, used by one connection or, where a device has more than its four, by several. */
struct bench_session {
    struct hk_session session;
    struct hk_session_keys keys;
};

struct connection {
    int fd;
    const struct bench_member *member;
    struct bench_session *session;
    uint8_t expected[POINT]; /* the member's share for the first point, if it is known */
    /* the request under way */
    bool busy;
    enum hk_op op;
    uint32_t request;
    uint64_t counter;
    uint8_t id[HK_ID_BYTES];
    double due;
    bool verifies; /* this signature is finished and verified */
    struct hk_frost_nonces nonces;
    uint8_t commitments[64];
    /* the answer so far */
    size_t have, room;
    uint8_t *in;
};

struct bench_load {
    struct hk_address address;
    struct connection *connections;
    struct bench_session *sessions;
    size_t count, session_count;
    int epoll;
    uint8_t points[POINTS_MAX][POINT];
    uint8_t message[SIGN_BYTES];
    uint64_t asked; /* requests so far */
};

/* load_connect.c: a socket to the service with its handshakes done; -1, having said why. */
int bench_connect(const struct hk_address *address, size_t number);
/* Opens a session of a member over a fresh connection's socket. */
bool bench_session_open(struct bench_session *session, int fd, const struct hk_address *address,
                        const struct bench_member *member);
/* Whole blocking messages, for the handshakes. */
bool bench_wire_send(int fd, uint32_t request, const uint8_t *body, size_t size);

/* load_ask.c: sends the next request of a mix; reads a whole answer and checks it (*refused: answered with an
 * error that is no fault of anybody's). False, having said why. */
bool bench_ask(struct bench_load *load, struct connection *connection, const struct bench_mix *mix,
               double due);
bool bench_check(struct bench_load *load, struct connection *connection, const struct bench_mix *mix,
                 const uint8_t *frame, size_t size, bool *refused);

#endif
