/* transport_shut.h - ends connections from below, by their sockets.
 *
 * A part of transport.h and used by nothing else. nng 1.5.2 never finishes with a connection that it is told
 * to close between the head of a message and its body, and from then on none that ends is given back. A
 * connection whose socket is shut down ends by the error that its next read or write gets, which nng handles
 * in order; and nothing that is still queued for it reaches the kernel. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_SHUT_H
#define HALFKEY_PROTOCOL_TRANSPORT_SHUT_H

#include "protocol/transport.h"

/* Shuts down every socket of this process, below the descriptor `end`, that is connected to one of the peers
 * (at most 64); looks at each descriptor once. Bit n of the result is set if peer n was found. */
uint64_t hk_shut_down(const struct hk_peer *peers, size_t count, int end) HK_CHECK;

#endif
