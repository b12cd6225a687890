#include "protocol/channel.h"

#include <stdlib.h>

struct hk_channel {
    struct hk_endpoint *endpoint;
    struct hk_session session;
};

enum hk_error hk_channel_open(struct hk_channel **out, struct hk_endpoint *endpoint,
                              const struct hk_secret32 *static_key, const uint8_t *static_public,
                              const uint8_t service_key[HK_NOISE_KEY_BYTES], int timeout_ms)
{
    struct hk_noise noise;
    HK_WIPE_AT_EXIT(noise);
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
    size_t size;
    enum hk_error error = hk_session_begin(&noise, static_key, static_public, service_key, frame, &size);
    if (error == HK_OK) {
        error = hk_endpoint_call(endpoint, frame, size, frame, sizeof(frame), &size, timeout_ms);
    }
    if (error != HK_OK) {
        return error == HK_TOO_LARGE ? HK_BAD_PEER : error;
    }
    struct hk_channel *channel = calloc(1, sizeof(*channel));
    struct hk_session_keys *keys = hk_secret_new(sizeof(*keys));
    error = channel == NULL || keys == NULL ? HK_NO_MEMORY : HK_OK;
    if (error == HK_OK) {
        channel->endpoint = endpoint;
        error = hk_session_finish(&channel->session, keys, &noise, frame, size);
    }
    if (error != HK_OK) {
        hk_secret_free(keys);
        free(channel);
        return error;
    }
    *out = channel;
    return HK_OK;
}

/* An answer frame, or a hint in its place. */
static enum hk_error read_answer(struct hk_channel *channel, uint64_t counter, const uint8_t *bytes,
                                 size_t size, uint8_t *answer, size_t max, size_t *answer_size)
{
    struct hk_frame frame;
    if (hk_frame_parse(&frame, bytes, size) != HK_OK) {
        return HK_BAD_PEER;
    }
    if (frame.type == HK_FRAME_HINT) {
        return hk_frame_hinted(&frame);
    }
    enum hk_error error =
        hk_session_open_answer(&channel->session, &frame, counter, answer, max, answer_size);
    return error == HK_AUTH || error == HK_TOO_OLD ? HK_BAD_PEER : error;
}

enum hk_error hk_channel_call(struct hk_channel *channel, const void *request, size_t size, uint8_t *answer,
                              size_t max, size_t *answer_size, int timeout_ms)
{
    return hk_channel_call_meanwhile(channel, request, size, answer, max, answer_size, timeout_ms, NULL);
}

enum hk_error hk_channel_call_meanwhile(struct hk_channel *channel, const void *request, size_t size,
                                        uint8_t *answer, size_t max, size_t *answer_size, int timeout_ms,
                                        const struct hk_meanwhile *meanwhile)
{
    uint8_t *frame = malloc(HK_FRAME_MAX);
    if (frame == NULL) {
        return HK_NO_MEMORY;
    }
    uint64_t counter;
    size_t frame_size;
    enum hk_error error =
        hk_session_seal_request(&channel->session, request, size, frame, HK_FRAME_MAX, &frame_size, &counter);
    if (error == HK_OK) {
        error = hk_endpoint_call_meanwhile(channel->endpoint, frame, frame_size, frame, HK_FRAME_MAX,
                                           &frame_size, timeout_ms, meanwhile);
    }
    if (error == HK_OK) {
        error = read_answer(channel, counter, frame, frame_size, answer, max, answer_size);
    }
    free(frame);
    return error;
}

struct hk_session *hk_channel_session(struct hk_channel *channel)
{
    return &channel->session;
}

void hk_channel_free(struct hk_channel *channel)
{
    if (channel != NULL) {
        hk_secret_free(hk_session_close(&channel->session));
        hk_session_wipe(&channel->session);
        free(channel);
    }
}
