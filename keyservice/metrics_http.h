/* metrics_http.h - the service's second address, for its operator: GET /metrics and GET /healthz.
 *
 * nng's own HTTP server. It answers whoever reaches the address, so that is a loopback one unless the
 * operator insists (keyservice/options.h). One of it a process. */
#ifndef HALFKEY_KEYSERVICE_METRICS_HTTP_H
#define HALFKEY_KEYSERVICE_METRICS_HTTP_H

#include "keyservice/server.h"

/* Starts it at `url` (http://HOST:PORT). It lives as long as the process; hk_metrics_http_close makes it
 * answer 503 from then on. HK_IO with a sentence in reason[256]. */
HK_CHECK enum hk_error hk_metrics_http_start(struct hk_server *server, const char *url, char reason[256]);
/* Before the server is freed; returns when no answer is being made any more. */
void hk_metrics_http_close(void);

#endif
