#include "device/revoke_stranger.h"

#include <stdlib.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "protocol/address.h"
#include "protocol/channel.h"
#include "protocol/message.h"

/* What one such call needs, too large for a stack. */
struct work {
    struct hk_message message;
    uint8_t request[4096 + 512], answer[HK_PLAINTEXT_MAX];
};

static enum hk_error call(struct work *work, struct hk_channel *channel, const uint8_t *certificate,
                          size_t size, const uint8_t *code, int timeout_ms)
{
    uint8_t id[HK_ID_BYTES];
    hk_random(id, sizeof id);
    struct hk_message *message = &work->message;
    hk_message_init(message);
    hk_message_set_u64(message, HK_F_OP, HK_OP_REVOKE_BY_CERTIFICATE);
    hk_message_set_bytes(message, HK_F_REQUEST, id, sizeof id);
    if (certificate != NULL) {
        hk_message_set_bytes(message, HK_F_CERTIFICATE, certificate, size);
    }
    if (code != NULL) {
        hk_message_set_bytes(message, HK_F_CODE, code, 16);
    }
    size_t request_size, answer_size;
    enum hk_error error = hk_message_encode(message, work->request, sizeof work->request, &request_size);
    if (error != HK_OK) {
        return error;
    }
    error = hk_channel_call(channel, work->request, request_size, work->answer, sizeof work->answer,
                            &answer_size, timeout_ms);
    if (error != HK_OK) {
        return error;
    }
    if (hk_message_decode(message, work->answer, answer_size) != HK_OK) {
        return HK_BAD_PEER;
    }
    return hk_message_check_answer(message, hk_op_row(HK_OP_REVOKE_BY_CERTIFICATE), id);
}

enum hk_error hk_revoke_as_stranger(const char *address, const uint8_t *certificate, size_t size,
                                    const uint8_t code[16], int timeout_ms)
{
    if ((certificate == NULL) == (code == NULL)) {
        return HK_USAGE;
    }
    struct hk_address where;
    enum hk_error error = hk_address_parse(&where, address, NULL);
    if (error != HK_OK) {
        return error;
    }
    struct work *work = malloc(sizeof *work);
    if (work == NULL) {
        return HK_NO_MEMORY;
    }
    struct hk_endpoint *endpoint = NULL;
    struct hk_channel *channel = NULL;
    error = hk_endpoint_new(&endpoint, where.url);
    if (error == HK_OK) {
        error = hk_channel_open(&channel, endpoint, NULL, NULL, where.service_key, timeout_ms);
    }
    if (error == HK_OK) {
        error = call(work, channel, certificate, size, code, timeout_ms);
    }
    hk_channel_free(channel);
    if (endpoint != NULL) {
        hk_endpoint_free(endpoint);
    }
    hk_wipe(work, sizeof *work);
    free(work);
    return error;
}
