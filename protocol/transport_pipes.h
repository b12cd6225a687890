/* transport_pipes.h - the connections of a listener: whom they come from and which devices use them.
 *
 * A part of transport.h and used by nothing else. A connection is marked with the static key of every device
 * whose authentic frames came over it, so that a revocation can close all of them; one that more than four
 * devices use counts as marked with every key. One that carries no authentic frame within HK_PIPE_SILENT
 * seconds, or as a stranger's none for HK_PIPE_STRANGER seconds, is to be closed; so is the oldest of those
 * when there is room for no further one. A device's may be idle for ever. All functions may be called from
 * any thread. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_PIPES_H
#define HALFKEY_PROTOCOL_TRANSPORT_PIPES_H

#include "protocol/transport.h"

#define HK_PIPE_MARKS 4
#define HK_PIPE_SENDING_MAX 64 /* answers that wait for one peer to read */

#define HK_PIPE_SILENT 10
#define HK_PIPE_STRANGER 120

struct hk_pipes;
struct hk_pipes *hk_pipes_new(const struct hk_pipe_limits *limits) HK_CHECK;
void hk_pipes_free(struct hk_pipes *pipes);

/* False if there is no room for it. The `count` of `evicted` are others, to be closed in its favour: when it
 * is full, the oldest, and what else has been silent for more than a second, so that a crowd at the door is
 * not closed one by one. */
#define HK_PIPE_EVICTED 32
bool hk_pipes_add(struct hk_pipes *pipes, uint32_t id, const struct hk_peer *peer,
                  uint32_t evicted[HK_PIPE_EVICTED], size_t *count) HK_CHECK;
void hk_pipes_remove(struct hk_pipes *pipes, uint32_t id);

/* An answer begins, and ends, to be sent. False if too many wait already. */
bool hk_pipes_sending(struct hk_pipes *pipes, uint32_t id) HK_CHECK;
void hk_pipes_sent(struct hk_pipes *pipes, uint32_t id);

/* All zero and local if the connection is gone. */
void hk_pipes_peer(struct hk_pipes *pipes, uint32_t id, struct hk_peer *out);
/* An authentic frame came over it, of the device with this key; NULL: of a stranger. */
void hk_pipes_mark(struct hk_pipes *pipes, uint32_t id, const uint8_t *key);
/* True if it was asked before and no device uses it: then it is not worth an answer. */
bool hk_pipes_warn(struct hk_pipes *pipes, uint32_t id) HK_CHECK;
/* Up to `max` connections that have been silent for too long; their number. */
size_t hk_pipes_take_silent(struct hk_pipes *pipes, uint32_t *out, size_t max) HK_CHECK;
size_t hk_pipes_count(struct hk_pipes *pipes) HK_CHECK;
/* Up to `max` connections that are marked with this key and were not given out before; their number. */
size_t hk_pipes_take_marked(struct hk_pipes *pipes, const uint8_t key[32], uint32_t *out,
                            size_t max) HK_CHECK;

#endif
