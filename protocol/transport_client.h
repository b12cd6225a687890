/* transport_client.h - the two ways in which an endpoint reaches its service.
 *
 * A part of transport.h and used by nothing else. tcp:// and ipc:// go over a socket of ours, in nng's wire
 * form (transport_sockets.h says which), which the thread that calls writes and reads itself: nng's own REQ
 * would hand the answer through three threads. ws:// and tls+tcp:// are nng's. Functions are as in
 * transport.h. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_CLIENT_H
#define HALFKEY_PROTOCOL_TRANSPORT_CLIENT_H

#include <stdatomic.h>

#include "protocol/transport.h"

/* One call: what goes, where the answer's place is, until when. */
struct hk_call {
    const void *request;
    size_t size;
    uint8_t *answer;
    size_t max, *answer_size;
    int timeout_ms;
    const struct hk_meanwhile *meanwhile; /* or NULL */
};

struct hk_nng_endpoint;
HK_CHECK enum hk_error hk_nng_endpoint_new(struct hk_nng_endpoint **out, const char *url);
HK_CHECK enum hk_error hk_nng_endpoint_call(struct hk_nng_endpoint *endpoint, const struct hk_call *call);
void hk_nng_endpoint_free(struct hk_nng_endpoint *endpoint);

struct hk_socket_endpoint;
HK_CHECK enum hk_error hk_socket_endpoint_new(struct hk_socket_endpoint **out, const char *url);
HK_CHECK enum hk_error hk_socket_endpoint_call(struct hk_socket_endpoint *endpoint,
                                               const struct hk_call *call);
void hk_socket_endpoint_free(struct hk_socket_endpoint *endpoint);

/* Connects to tcp:// or ipc:// and exchanges greetings, within HK_TIMEOUT_MS for each address that the host
 * has, and gives up early when *ending becomes true. The descriptor, which does not block; -1: nobody is
 * there. */
int hk_dial(const char *url, const atomic_bool *ending) HK_CHECK;

#endif
