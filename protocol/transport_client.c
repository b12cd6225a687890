#include "protocol/transport_client.h"

#include <stdlib.h>
#include <string.h>

struct hk_endpoint {
    struct hk_socket_endpoint *socket; /* one of the two */
    struct hk_nng_endpoint *nng;
};

enum hk_error hk_endpoint_new(struct hk_endpoint **out, const char *url)
{
    struct hk_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    if (endpoint == NULL) {
        return HK_NO_MEMORY;
    }
    bool direct = strncmp(url, "tcp://", 6) == 0 || strncmp(url, "ipc://", 6) == 0;
    enum hk_error error =
        direct ? hk_socket_endpoint_new(&endpoint->socket, url) : hk_nng_endpoint_new(&endpoint->nng, url);
    if (error != HK_OK) {
        free(endpoint);
        return error;
    }
    *out = endpoint;
    return HK_OK;
}

enum hk_error hk_endpoint_call_meanwhile(struct hk_endpoint *endpoint, const void *request, size_t size,
                                         uint8_t *answer, size_t max, size_t *answer_size, int timeout_ms,
                                         const struct hk_meanwhile *meanwhile)
{
    struct hk_call call = {.request = request,
                           .size = size,
                           .answer = answer,
                           .max = max,
                           .answer_size = answer_size,
                           .timeout_ms = timeout_ms > 0 ? timeout_ms : HK_TIMEOUT_MS,
                           .meanwhile = meanwhile};
    if (size > HK_FRAME_MAX) {
        return HK_TOO_LARGE;
    }
    return endpoint->socket != NULL ? hk_socket_endpoint_call(endpoint->socket, &call)
                                    : hk_nng_endpoint_call(endpoint->nng, &call);
}

enum hk_error hk_endpoint_call(struct hk_endpoint *endpoint, const void *request, size_t size,
                               uint8_t *answer, size_t max, size_t *answer_size, int timeout_ms)
{
    return hk_endpoint_call_meanwhile(endpoint, request, size, answer, max, answer_size, timeout_ms, NULL);
}

void hk_endpoint_free(struct hk_endpoint *endpoint)
{
    if (endpoint != NULL) {
        hk_socket_endpoint_free(endpoint->socket);
        hk_nng_endpoint_free(endpoint->nng);
        free(endpoint);
    }
}
