/* raw_peer.h - a peer on a bare socket: it speaks nng's greeting and framing by hand, so that it can stop
 * anywhere, come from any loopback address, and be ten thousand.
 *
 * A connection is a descriptor. Everything fails by return value, since being cut off is often the point. */
#ifndef HALFKEY_TESTS_RAW_PEER_H
#define HALFKEY_TESTS_RAW_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAW_CLOSED (-1)
#define RAW_NOTHING 0 /* nothing came in time */
#define RAW_HEAD_BYTES 12
#define RAW_GREETING_BYTES 8

/* The port of "tcp://host:port". */
uint16_t raw_port(const char *url);
/* Connects from a loopback address, 127.(n >> 16).(n >> 8).n; -1 if it cannot. */
int raw_connect(uint32_t source, uint16_t port);
/* The address of the n-th stranger, far from the devices' own. */
#define RAW_STRANGER(n) (0x020000U + (uint32_t)(n))
void raw_nap(long ms);
/* Both greetings of REQ and REP. */
bool raw_greet(int fd);
/* One message: its head, then the frame. */
void raw_head(uint8_t head[RAW_HEAD_BYTES], uint64_t frame_size);
bool raw_send(int fd, const void *frame, size_t size);
/* The next message's frame to `out`: its length, RAW_CLOSED or RAW_NOTHING. */
long raw_receive(int fd, uint8_t *out, size_t max, int timeout_ms);
/* True if the other side closes it in this time, whatever else it sends. */
bool raw_is_closed(int fd, int timeout_ms);

#endif
