#include "protocol/session.h"

#include <string.h>

#include "crypto/random.h"

#define NAME_IK "Noise_IK_25519_ChaChaPoly_BLAKE2b"
#define NAME_NK "Noise_NK_25519_ChaChaPoly_BLAKE2b"
#define SUITE 1
static const uint8_t prologue[] = {'h', 'a', 'l', 'f', 'k', 'e', 'y', '/', 'v', '1', HK_FRAME_VERSION, SUITE};

enum hk_error hk_session_begin(struct hk_noise *noise, const struct hk_secret32 *static_key,
                               const uint8_t *static_public, const uint8_t service_key[HK_NOISE_KEY_BYTES],
                               uint8_t out[HK_HANDSHAKE_BYTES_MAX], size_t *size)
{
    struct hk_noise_setup setup = {.prologue = prologue,
                                   .prologue_size = sizeof(prologue),
                                   .static_key = static_key,
                                   .static_public = static_public,
                                   .remote_static = service_key};
    enum hk_error error =
        hk_noise_init(noise, static_key != NULL ? NAME_IK : NAME_NK, HK_NOISE_INITIATOR, &setup);
    size_t message;
    if (error == HK_OK) {
        error = hk_noise_write(noise, NULL, 0, out + HK_FRAME_HEADER_BYTES,
                               HK_HANDSHAKE_BYTES_MAX - HK_FRAME_HEADER_BYTES, &message);
    }
    if (error == HK_OK) {
        hk_frame_header(out, static_key != NULL ? HK_FRAME_HANDSHAKE_IK : HK_FRAME_HANDSHAKE_NK, NULL, 0);
        *size = HK_FRAME_HEADER_BYTES + message;
    }
    return error;
}

enum hk_error hk_session_finish(struct hk_session *session, struct hk_session_keys *keys,
                                struct hk_noise *noise, const void *answer, size_t size)
{
    struct hk_frame frame;
    struct hk_noise_result result;
    HK_WIPE_AT_EXIT(result);
    uint8_t nothing[1];
    size_t payload;
    enum hk_error error = hk_frame_parse(&frame, answer, size);
    if (error == HK_OK && frame.type == HK_FRAME_HINT) {
        error = hk_frame_hinted(&frame);
    } else if (error != HK_OK || frame.type != HK_FRAME_HANDSHAKE_ANSWER ||
               hk_noise_read(noise, frame.body, frame.body_size, nothing, 0, &payload) != HK_OK ||
               hk_noise_split(noise, &result) != HK_OK) {
        error = HK_BAD_PEER;
    } else {
        hk_session_start(session, keys, false, frame.session, &result);
    }
    hk_noise_wipe(noise);
    return error;
}

/* What the handshake machine's question needs beside the key. */
struct admission {
    const struct hk_session_service *service;
    unsigned caller;
};

static enum hk_error admit(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES])
{
    struct admission *admission = argument;
    return admission->service->admit(admission->service->argument, static_key, &admission->caller);
}

enum hk_error hk_session_accept(struct hk_session *session, struct hk_session_keys *keys,
                                const struct hk_session_service *service, const struct hk_frame *frame,
                                uint8_t out[HK_HANDSHAKE_BYTES_MAX], size_t *size)
{
    struct hk_noise noise;
    HK_WIPE_AT_EXIT(noise);
    struct hk_noise_result result;
    HK_WIPE_AT_EXIT(result);
    bool is_device = frame->type == HK_FRAME_HANDSHAKE_IK;
    if (!is_device && frame->type != HK_FRAME_HANDSHAKE_NK) {
        return HK_BAD_ENCODING;
    }
    struct admission admission = {service, HK_STRANGER};
    struct hk_noise_setup setup = {.prologue = prologue,
                                   .prologue_size = sizeof(prologue),
                                   .static_key = service->static_key,
                                   .static_public = service->static_public,
                                   .admit = service->admit != NULL ? admit : NULL,
                                   .argument = &admission};
    uint8_t nothing[1], id[HK_SESSION_ID_BYTES];
    size_t payload, message;
    enum hk_error error = hk_noise_init(&noise, is_device ? NAME_IK : NAME_NK, HK_NOISE_RESPONDER, &setup);
    if (error == HK_OK) {
        error = hk_noise_read(&noise, frame->body, frame->body_size, nothing, 0, &payload);
    }
    if (error == HK_OK) {
        error = hk_noise_write(&noise, NULL, 0, out + HK_FRAME_HEADER_BYTES,
                               HK_HANDSHAKE_BYTES_MAX - HK_FRAME_HEADER_BYTES, &message);
    }
    if (error == HK_OK) {
        error = hk_noise_split(&noise, &result);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_random(id, sizeof(id));
    hk_session_start(session, keys, true, id, &result);
    session->caller = admission.caller;
    hk_frame_header(out, HK_FRAME_HANDSHAKE_ANSWER, id, 0);
    *size = HK_FRAME_HEADER_BYTES + message;
    return HK_OK;
}
