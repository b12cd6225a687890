/* Requests of the load generator, and what is checked of their answers. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "bench/load_parts.h"
#include "crypto/random.h"

#define VERIFY_EVERY 64

static struct hk_cosign cosign_of(const struct bench_load *load, const struct connection *connection)
{
    const struct bench_member_key *key = &connection->member->key[BENCH_SIGN];
    return (struct hk_cosign){.suite = &hk_frost_ed25519,
                              .group_key = key->public_key,
                              .key_id = key->id,
                              .epoch = connection->member->epoch,
                              .request_id = connection->id,
                              .message = load->message,
                              .size = sizeof(load->message)};
}

static void fill_agree(struct hk_message *request, const struct bench_load *load,
                       const struct connection *connection, const struct bench_mix *mix)
{
    hk_message_set_bytes(request, HK_F_KEY, connection->member->key[BENCH_AGREE].id, HK_ID_BYTES);
    hk_message_set_array(request, HK_F_POINTS, load->points, POINT, mix->points != 0 ? mix->points : 1);
}

/* Device nonces cost as much as the service's work, so only the signatures that are verified get their own;
 * for others any two points do. */
static bool fill_sign(struct hk_message *request, const struct bench_load *load,
                      struct connection *connection)
{
    const struct bench_member_key *key = &connection->member->key[BENCH_SIGN];
    connection->verifies = connection->member->knows_service && load->asked % VERIFY_EVERY == 0;
    memcpy(connection->commitments, load->points, sizeof(connection->commitments));
    if (connection->verifies) {
        struct hk_cosign run = cosign_of(load, connection);
        if (hk_cosign_begin(&connection->nonces, connection->commitments, &run, &key->device) != HK_OK) {
            return false;
        }
    }
    hk_message_set_bytes(request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_u64(request, HK_F_KIND, HK_SIGN_RAW);
    hk_message_set_bytes(request, HK_F_MESSAGE, load->message, sizeof(load->message));
    hk_message_set_bytes(request, HK_F_NONCES, connection->commitments, sizeof(connection->commitments));
    return true;
}

bool bench_ask(struct bench_load *load, struct connection *connection, const struct bench_mix *mix,
               double due)
{
    static struct hk_message request; /* large; the generator is one thread */
    static uint8_t plain[HK_PLAINTEXT_MAX], frame[HK_FRAME_MAX];
    const struct bench_member *member = connection->member;
    size_t size, frame_size;
    bool sign = load->asked % (mix->agree + mix->sign) >= mix->agree, fine = true;
    connection->op = sign ? HK_OP_SIGN : HK_OP_AGREE;
    connection->due = due;
    connection->busy = true;
    connection->have = 0;
    connection->request = (uint32_t)load->asked | 0x80000000U;
    randombytes_buf(connection->id, sizeof(connection->id));
    hk_message_init(&request);
    hk_message_set_u64(&request, HK_F_OP, (uint64_t)connection->op);
    hk_message_set_bytes(&request, HK_F_REQUEST, connection->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, member->account, HK_ACCOUNT_BYTES);
    hk_message_set_u64(&request, HK_F_EPOCH, member->epoch);
    hk_message_set_bytes(&request, HK_F_TAG, member->tag, HK_TAG_BYTES);
    if (sign) {
        fine = fill_sign(&request, load, connection);
    } else {
        fill_agree(&request, load, connection, mix);
    }
    load->asked++;
    fine = fine && hk_message_encode(&request, plain, sizeof(plain), &size) == HK_OK &&
           hk_session_seal_request(&connection->session->session, plain, size, frame, sizeof(frame),
                                   &frame_size, &connection->counter) == HK_OK &&
           bench_wire_send(connection->fd, connection->request, frame, frame_size);
    if (!fine) {
        fprintf(stderr, "halfkey-bench: a request cannot be sent\n");
    }
    return fine;
}

static bool wrong(const char *what)
{
    fprintf(stderr, "halfkey-bench: %s\n", what);
    return false;
}

static bool check_value(const struct bench_load *load, struct connection *connection,
                        const struct bench_mix *mix, const struct hk_message *answer)
{
    if (connection->op == HK_OP_AGREE) {
        const struct hk_value *shares = &answer->value[HK_F_POINTS];
        size_t points = mix->points != 0 ? mix->points : 1;
        bool right = shares->count == points && shares->items[0].size == POINT &&
                     (!connection->member->knows_service ||
                      memcmp(shares->items[0].data, connection->expected, POINT) == 0);
        return right ? true : wrong("the service answered with a wrong share");
    }
    if (!connection->verifies) {
        return true;
    }
    const struct bench_member_key *key = &connection->member->key[BENCH_SIGN];
    struct hk_cosign run = cosign_of(load, connection);
    struct hk_point service;
    uint8_t signature[64];
    hk_edwards25519.base_mul(&service, &key->service);
    return hk_cosign_finish(signature, &connection->nonces, &run, &key->device, &service,
                            answer->value[HK_F_NONCES].data, answer->value[HK_F_SHARE].data) == HK_OK
               ? true
               : wrong("a signature does not verify");
}

bool bench_check(struct bench_load *load, struct connection *connection, const struct bench_mix *mix,
                 const uint8_t *bytes, size_t size, bool *refused)
{
    static struct hk_message answer;
    static uint8_t plain[HK_SESSION_PLAINTEXT_MAX];
    struct hk_frame frame;
    size_t plain_size;
    *refused = false;
    if (hk_frame_parse(&frame, bytes, size) != HK_OK) {
        return wrong("an answer is no frame");
    }
    if (frame.type == HK_FRAME_HINT) {
        fprintf(stderr, "halfkey-bench: the service hints: %s\n", hk_strerror(hk_frame_hinted(&frame)));
        return false;
    }
    if (hk_session_open_answer(&connection->session->session, &frame, connection->counter, plain,
                               sizeof(plain), &plain_size) != HK_OK ||
        hk_message_decode(&answer, plain, plain_size) != HK_OK) {
        return wrong("an answer does not open");
    }
    enum hk_error error =
        hk_message_check_answer(&answer, hk_op_row((uint64_t)connection->op), connection->id);
    if (error == HK_OVER_QUOTA || error == HK_BUSY) {
        *refused = true;
        return true;
    }
    if (error != HK_OK) {
        fprintf(stderr, "halfkey-bench: the service refused a request: %s\n", hk_strerror(error));
        return false;
    }
    return check_value(load, connection, mix, &answer);
}
