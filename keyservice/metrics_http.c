#include "keyservice/metrics_http.h"

#include <nng/nng.h>
#include <nng/supplemental/http/http.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* nng's handlers have no argument that fits, and there is one service a process. */
static struct {
    pthread_mutex_t lock;
    const struct hk_server *server; /* NULL: none, or none any more */
} operator_side = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer(nng_aio *aio, uint16_t status, const char *type, const char *text, size_t size)
{
    nng_http_res *response = NULL;
    int failed = nng_http_res_alloc(&response);
    if (failed == 0) {
        failed = nng_http_res_set_status(response, status);
    }
    if (failed == 0) {
        failed = nng_http_res_set_header(response, "Content-Type", type);
    }
    if (failed == 0) {
        failed = nng_http_res_copy_data(response, text, size);
    }
    if (failed != 0) {
        nng_http_res_free(response);
        nng_aio_finish(aio, failed);
        return;
    }
    nng_aio_set_output(aio, 0, response);
    nng_aio_finish(aio, 0);
}

static void on_metrics(nng_aio *aio)
{
    static char text[HK_METRICS_TEXT_MAX]; /* under the lock */
    (void)pthread_mutex_lock(&operator_side.lock);
    if (operator_side.server != NULL) {
        size_t size = hk_metrics_print(operator_side.server, text);
        answer(aio, NNG_HTTP_STATUS_OK, "text/plain; version=0.0.4", text, size);
    } else {
        answer(aio, NNG_HTTP_STATUS_SERVICE_UNAVAILABLE, "text/plain", "stopping\n", 9);
    }
    (void)pthread_mutex_unlock(&operator_side.lock);
}

/* Healthy is who can use halves: not in quarantine, not stopping, and the last commit did not fail. */
static void on_health(nng_aio *aio)
{
    const char *said = "stopping\n";
    size_t size = 9;
    bool good = false;
    (void)pthread_mutex_lock(&operator_side.lock);
    const struct hk_server *server = operator_side.server;
    if (server != NULL && server->quarantined) {
        said = "quarantine\n";
        size = 11;
    } else if (server != NULL && hk_writer_is_failing(server->writer)) {
        said = "commits fail\n";
        size = 13;
    } else if (server != NULL) {
        good = true;
        said = "ok\n";
        size = 3;
    }
    (void)pthread_mutex_unlock(&operator_side.lock);
    answer(aio, good ? NNG_HTTP_STATUS_OK : NNG_HTTP_STATUS_SERVICE_UNAVAILABLE, "text/plain", said, size);
}

static int add(nng_http_server *http, const char *path, void (*handle)(nng_aio *aio))
{
    nng_http_handler *handler;
    int failed = nng_http_handler_alloc(&handler, path, handle);
    if (failed == 0 && (failed = nng_http_server_add_handler(http, handler)) != 0) {
        nng_http_handler_free(handler);
    }
    return failed;
}

enum hk_error hk_metrics_http_start(struct hk_server *server, const char *url, char reason[256])
{
    nng_url *parsed;
    nng_http_server *http = NULL;
    int failed = nng_url_parse(&parsed, url);
    if (failed == 0) {
        failed = nng_http_server_hold(&http, parsed);
        nng_url_free(parsed);
    }
    if (failed == 0) {
        failed = add(http, "/metrics", on_metrics);
    }
    if (failed == 0) {
        failed = add(http, "/healthz", on_health);
    }
    if (failed == 0) {
        (void)pthread_mutex_lock(&operator_side.lock);
        operator_side.server = server;
        (void)pthread_mutex_unlock(&operator_side.lock);
        failed = nng_http_server_start(http);
    }
    if (failed != 0) {
        hk_metrics_http_close();
        (void)snprintf(reason, 256, "%.120s: %.100s", url, nng_strerror(failed));
        return HK_IO;
    }
    return HK_OK;
}

void hk_metrics_http_close(void)
{
    (void)pthread_mutex_lock(&operator_side.lock);
    operator_side.server = NULL;
    (void)pthread_mutex_unlock(&operator_side.lock);
}
