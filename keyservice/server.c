#include "keyservice/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "keyservice/admission.h"
#include "keyservice/console.h"
#include "keyservice/dispatch.h"
#include "keyservice/housekeeping.h"
#include "keyservice/metrics_http.h"
#include "protocol/seam.h"

#define STOP_MS 10000
#define LOCKED_BYTES (512U << 10)  /* with less it may not start */
#define DESCRIPTORS_KEPT 128       /* for files and for connections that still greet */
#define CONNECTIONS_AN_ADDRESS 256 /* that no device has used */

/* ---- frames ---- */

/* What nobody has proved to have sent is answered out of its address's allowance. */
static void send_hint(struct hk_server *server, struct hk_reply *reply, const struct hk_frame *frame,
                      enum hk_error error)
{
    uint8_t hint[HK_FRAME_HINT_BYTES];
    struct hk_peer peer;
    hk_reply_peer(reply, &peer);
    enum hk_error allowed = hk_policy_spend(server->policy, &peer, HK_COST_HINT);
    hk_frame_hint(hint, frame != NULL ? frame->session : NULL, allowed == HK_OK ? error : allowed);
    if (allowed == HK_OK) {
        hk_reply_send(reply, hint, sizeof(hint));
    } else {
        hk_reply_refuse(reply, hint, sizeof(hint));
    }
}

static void on_handshake(struct hk_server *server, struct hk_reply *reply, const struct hk_frame *frame)
{
    uint8_t out[HK_HANDSHAKE_BYTES_MAX];
    size_t size;
    struct hk_peer peer;
    hk_reply_peer(reply, &peer);
    enum hk_error error = hk_policy_spend(server->policy, &peer, HK_COST_HANDSHAKE);
    if (error != HK_OK) { /* before anything is computed */
        uint8_t hint[HK_FRAME_HINT_BYTES];
        hk_frame_hint(hint, NULL, error);
        hk_reply_refuse(reply, hint, sizeof(hint));
        return;
    }
    error = hk_session_table_accept(server->sessions, frame, out, &size);
    (void)atomic_fetch_add(&server->metrics.handshakes, 1);
    if (error != HK_OK) {
        (void)atomic_fetch_add(&server->metrics.handshakes_refused, 1);
    }
    if (error == HK_OK) {
        hk_reply_send(reply, out, size);
    } else {
        send_hint(server, reply, frame, error == HK_AUTH ? HK_UNKNOWN_DEVICE : hk_wire_error(error));
    }
}

static void on_request(struct hk_server *server, struct hk_reply *reply, const struct hk_frame *frame)
{
    uint8_t plain[HK_FRAME_MAX];
    size_t size;
    struct hk_session *session;
    enum hk_opened what;
    enum hk_error error = hk_session_table_open(server->sessions, frame, &session, &what, plain, &size);
    if (error == HK_NOT_FOUND) {
        send_hint(server, reply, frame, error);
        return;
    }
    if (error != HK_OK) { /* not authentic: not even worth an answer */
        hk_reply_drop(reply);
        return;
    }
    hk_reply_mark(reply, session->has_remote_static ? session->remote_static : NULL);
    if (what == HK_OPENED_REPEAT) {
        hk_reply_send(reply, plain, size);
    } else if (what == HK_OPENED_PENDING) {
        hk_reply_drop(reply);
    }
    if (what == HK_OPENED_REPEAT || what == HK_OPENED_PENDING) {
        hk_session_table_release(server->sessions, session);
        return;
    }
    struct hk_job *job = hk_job_new(server, reply, session, frame->counter, plain, size);
    hk_wipe(plain, size);
    if (job == NULL) {
        return;
    }
    if (what == HK_OPENED_TOO_OLD) {
        if (hk_message_decode(&job->message, job->request, job->request_size) != HK_OK) {
            hk_message_init(&job->message);
        }
        hk_job_answer(job, HK_TOO_OLD);
        return;
    }
    HK_SEAM("service/request");
    HK_TRAFFIC('q', job->request, job->request_size);
    if (server->writer != NULL) {
        hk_writer_expect(server->writer);
    }
    hk_dispatch(job);
    if (server->writer != NULL) {
        hk_writer_expect_no_more(server->writer);
    }
}

static void on_frame(void *argument, struct hk_reply *reply, uint8_t *bytes, size_t size)
{
    struct hk_server *server = argument;
    struct hk_frame frame;
    enum hk_error error = hk_frame_parse(&frame, bytes, size);
    if (error != HK_OK) {
        send_hint(server, reply, NULL, hk_wire_error(error));
    } else if (frame.type == HK_FRAME_HANDSHAKE_IK || frame.type == HK_FRAME_HANDSHAKE_NK) {
        on_handshake(server, reply, &frame);
    } else if (frame.type == HK_FRAME_REQUEST) {
        on_request(server, reply, &frame);
    } else {
        send_hint(server, reply, NULL, HK_BAD_ENCODING);
    }
}

/* ---- start and end ---- */

static enum hk_error open_parts(struct hk_server *server, const struct hk_options *options, char reason[256])
{
    struct hk_vault_options where = {.data = options->data};
    if (options->slots_count == 2) {
        where.slots_a = options->slots[0];
        where.slots_b = options->slots[1];
    }
    enum hk_error error = hk_vault_open(&server->vault, &where, reason);
    if (error != HK_OK) {
        return error;
    }
    if (!hk_vault_is_quarantined(server->vault)) {
        reason[0] = '\0'; /* what was missing at a first start has been made */
    }
    server->store = hk_vault_store(server->vault);
    server->keys = hk_vault_keys(server->vault);
    server->quarantined = hk_vault_is_quarantined(server->vault);
    if (server->quarantined) {
        hk_console(HK_LEVEL_ERROR, "quarantine", " reason=\"%s\"", reason);
    }
    server->policy = hk_policy_new();
    server->devices = hk_device_states_new();
    server->runs = hk_runs_new();
    server->invitations = hk_invitations_new();
    server->enrolments = hk_enrolments_new();
    server->hands = hk_enrolments_new();
    server->recoveries = hk_recoveries_new();
    server->refusals = hk_refusals_new();
    server->ecdsa_keys = hk_ecdsa_keys_new(
        &server->keys->identity_secret, options->paillier_longer ? HK_PAILLIER_BITS_MAX : HK_PAILLIER_BITS);
    server->prepares_ecdsa = !options->prepared_off;
    server->ecdsa_slots = hk_ecdsa_slots_new();
    if (server->policy == NULL || server->devices == NULL || server->runs == NULL ||
        server->invitations == NULL || server->enrolments == NULL || server->hands == NULL ||
        server->recoveries == NULL || server->refusals == NULL || server->ecdsa_keys == NULL ||
        server->ecdsa_slots == NULL) {
        return HK_NO_MEMORY;
    }
    error = hk_arena_new(&server->arena, 0);
    if (error != HK_OK) {
        return error;
    }
    hk_policy_set(server->policy, options);
    server->logs_requests = options->log_requests;
    struct hk_session_table_setup setup = {.service = {.static_key = &server->keys->static_secret,
                                                       .admit = hk_admission_of_key,
                                                       .argument = server},
                                           .user_free = hk_run_user_free};
    memcpy(setup.service.static_public, server->keys->static_public, 32);
    error = hk_session_table_new(&server->sessions, &setup);
    if (error == HK_OK && !server->quarantined) {
        error = hk_writer_start(&server->writer, server->vault);
        if (error == HK_OK) {
            hk_writer_measure(server->writer, &server->metrics.commit);
        }
    }
    return error;
}

/* nng accepts nothing for a while when the limit of descriptors is reached, so that is left alone. */
static size_t connections_max(void)
{
    struct rlimit files;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
    return !known                                  ? 0
           : files.rlim_cur > 4 * DESCRIPTORS_KEPT ? files.rlim_cur - DESCRIPTORS_KEPT
                                                   : files.rlim_cur / 2;
}

static bool on_connection(void *argument, const struct hk_peer *peer)
{
    const struct hk_server *server = argument;
    return hk_policy_has_left(server->policy, peer);
}

static enum hk_error listen_on(struct hk_server *server, const struct hk_options *options, char reason[256])
{
    const char *urls[HK_LISTEN_URLS], *why = NULL;
    for (size_t i = 0; i < options->listen_count; i++) {
        urls[i] = options->listen[i];
    }
    struct hk_listener_setup setup = {.urls = urls,
                                      .url_count = options->listen_count,
                                      .limits = {connections_max(), CONNECTIONS_AN_ADDRESS},
                                      .request = on_frame,
                                      .admit = on_connection,
                                      .argument = server};
    enum hk_error error = hk_listener_new(&server->listener, &setup, &why);
    if (error != HK_OK) {
        (void)snprintf(reason, 256, "%.100s: %.140s", urls[0], why != NULL ? why : hk_strerror(error));
        return error;
    }
    const char *url =
        options->public_address[0] != '\0' ? options->public_address : hk_listener_url(server->listener, 0);
    error = hk_address_print(server->address, url, server->keys->static_public);
    if (error != HK_OK) {
        (void)snprintf(reason, 256, "%.180s: no address can be made of this url", url);
    }
    return error;
}

enum hk_error hk_server_start(struct hk_server **out, const struct hk_options *options, char reason[256])
{
    reason[0] = '\0';
    struct hk_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = open_parts(server, options, reason);
    if (error == HK_OK) {
        error = hk_housekeeping_start(&server->housekeeping, server);
    }
    if (error == HK_OK) {
        error = listen_on(server, options, reason);
    }
    if (error != HK_OK) {
        if (error == HK_NO_MEMORY && hk_secret_limit() < LOCKED_BYTES) {
            (void)snprintf(
                reason, 256,
                "only %zu KiB of memory may be locked: raise the limit to %u KiB or more (ulimit -l "
                "%u, LimitMEMLOCK=%uK in the unit)",
                hk_secret_limit() >> 10, LOCKED_BYTES >> 10, LOCKED_BYTES >> 10, LOCKED_BYTES >> 10);
        } else if (reason[0] == '\0') {
            (void)snprintf(reason, 256, "%s", hk_strerror(error));
        }
        hk_server_stop(server);
        return error;
    }
    atomic_store(&server->listener_ready, true);
    if (options->metrics[0] != '\0' &&
        (error = hk_metrics_http_start(server, options->metrics, reason)) != HK_OK) {
        hk_server_stop(server);
        return error;
    }
    *out = server;
    return HK_OK;
}

/* The listener is left as it is: nng may wait for ever when a socket is closed under load, and the process
 * ends anyway. It calls nobody any more. */
void hk_server_stop(struct hk_server *server)
{
    atomic_store(&server->stopping, true);
    hk_metrics_http_close();
    bool all_out = server->listener == NULL || hk_listener_stop(server->listener, STOP_MS) == HK_OK;
    hk_housekeeping_stop(server->housekeeping);
    hk_writer_stop(server->writer);
    if (!all_out) { /* somebody still holds a reply: the process ends anyway, and what is stored is whole */
        hk_console(HK_LEVEL_WARNING, "stopped-with-replies-open", "%s", "");
        hk_vault_close(server->vault);
        return;
    }
    if (server->sessions != NULL) {
        hk_session_table_free(server->sessions);
    }
    hk_ecdsa_slots_free(server->ecdsa_slots);
    hk_ecdsa_keys_free(server->ecdsa_keys);
    hk_refusals_free(server->refusals);
    hk_enrolments_free(server->enrolments);
    hk_enrolments_free(server->hands);
    hk_recoveries_free(server->recoveries);
    hk_invitations_free(server->invitations);
    hk_runs_free(server->runs);
    hk_device_states_free(server->devices);
    hk_policy_free(server->policy);
    hk_arena_free(server->arena);
    hk_vault_close(server->vault);
    free(server);
}
