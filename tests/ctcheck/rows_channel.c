/* The channel: handshakes, frames, the join between two devices, and the ciphers of what is stored. */
#include "tests/ctcheck/ctcheck.h"

#include <string.h>

#include "device/join_channel.h"
#include "keyservice/seal.h"
#include "protocol/aead.h"
#include "protocol/session.h"

static void handshake(const char *name)
{
    static struct hk_noise initiator, responder;
    struct hk_secret32 device, service, psk;
    uint8_t device_public[32], service_public[32], message[256], empty[1];
    size_t size, text;
    struct hk_noise_result one, other;
    hk_noise_keypair(&device, device_public);
    hk_noise_keypair(&service, service_public);
    PUBLIC(device_public);
    PUBLIC(service_public);
    hk_random(&psk, sizeof(psk));
    struct hk_noise_setup setup = {
        .static_key = &device, .static_public = device_public, .remote_static = service_public, .psk = &psk};
    MUST(hk_noise_init(&initiator, name, HK_NOISE_INITIATOR, &setup) == HK_OK);
    setup.static_key = &service;
    setup.static_public = service_public;
    setup.remote_static = device_public;
    MUST(hk_noise_init(&responder, name, HK_NOISE_RESPONDER, &setup) == HK_OK);
    while (!hk_noise_is_finished(&initiator)) {
        bool first = hk_noise_is_my_turn(&initiator);
        MUST(hk_noise_write(first ? &initiator : &responder, "", 0, message, sizeof(message), &size) ==
             HK_OK);
        PUBLIC(message);
        MUST(hk_noise_read(first ? &responder : &initiator, message, size, empty, sizeof(empty), &text) ==
             HK_OK);
    }
    MUST(hk_noise_split(&initiator, &one) == HK_OK && hk_noise_split(&responder, &other) == HK_OK);
    MUST(hk_equal(one.send.key.bytes, other.receive.key.bytes, 32));
}

static void channel_handshake(const struct ct_subject *subject)
{
    (void)subject;
    handshake("Noise_IK_25519_ChaChaPoly_BLAKE2b");
    handshake("Noise_NK_25519_ChaChaPoly_BLAKE2b");
}

static void other_handshakes(const struct ct_subject *subject)
{
    (void)subject;
    handshake("Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b");
    handshake("Noise_XX_25519_ChaChaPoly_SHA256");
    handshake("Noise_XKpsk3_25519_ChaChaPoly_SHA512");
}

/* Keys and plaintexts secret, frames public. */
static void frames(const struct ct_subject *subject)
{
    (void)subject;
    static struct hk_session device, service;
    static uint8_t text[5000], frame[HK_FRAME_MAX], out[HK_FRAME_MAX];
    const uint8_t id[HK_SESSION_ID_BYTES] = {9};
    struct hk_session_keys *keys[2] = {hk_secret_new(sizeof(*keys[0])), hk_secret_new(sizeof(*keys[0]))};
    struct hk_noise_result ends[2] = {{.hash_bytes = 64}, {.hash_bytes = 64}};
    struct hk_frame parsed;
    enum hk_opened what;
    size_t size, length;
    uint64_t counter;
    MUST(keys[0] != NULL && keys[1] != NULL);
    hk_random(&ends[0].send.key, 32);
    hk_random(&ends[0].receive.key, 32);
    ends[1].receive = ends[0].send;
    ends[1].send = ends[0].receive;
    hk_session_start(&device, keys[0], false, id, &ends[0]);
    hk_session_start(&service, keys[1], true, id, &ends[1]);
    for (size_t bytes = 40; bytes <= sizeof(text); bytes += sizeof(text) - 40) {
        hk_random(text, bytes);
        MUST(hk_session_seal_request(&device, text, bytes, frame, sizeof(frame), &size, &counter) == HK_OK);
        PUBLIC_BYTES(frame, size);
        MUST(hk_frame_parse(&parsed, frame, size) == HK_OK);
        MUST(hk_session_open_request(&service, &parsed, &what, out, &length) == HK_OK);
        MUST(what == HK_OPENED_NEW && length == bytes && hk_equal(out, text, bytes));
        MUST(hk_session_seal_answer(&service, counter, text, bytes, frame, sizeof(frame), &size) == HK_OK);
        PUBLIC_BYTES(frame, size);
        MUST(hk_frame_parse(&parsed, frame, size) == HK_OK);
        MUST(hk_session_open_answer(&device, &parsed, counter, out, sizeof(out), &length) == HK_OK);
    }
    hk_secret_free(hk_session_close(&device));
    hk_secret_free(hk_session_close(&service));
    hk_session_wipe(&device);
    hk_session_wipe(&service);
}

static void invitation_and_join(const struct ct_subject *subject)
{
    (void)subject;
    static struct hk_join administrator, device;
    struct hk_invitation invitation, read;
    struct hk_secret32 keys[2];
    struct hk_invitation_keys derived;
    uint8_t public_keys[2][32], account[HK_ACCOUNT_BYTES] = {1};
    uint8_t message[HK_JOIN_HANDSHAKE_MAX], answer[HK_JOIN_HANDSHAKE_MAX];
    char code[HK_INVITATION_TEXT_MAX];
    size_t size, answer_size;
    hk_noise_keypair(&keys[0], public_keys[0]);
    hk_noise_keypair(&keys[1], public_keys[1]);
    PUBLIC(public_keys);
    MUST(hk_invitation_make(&invitation,
                            "halfkey://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@[::1]:7700",
                            account, public_keys[0], 1) == HK_OK);
    MUST(hk_invitation_print(code, &invitation) == HK_OK);
    MUST(hk_invitation_parse(&read, code, NULL) == HK_OK);
    hk_invitation_derive(&derived, &read);
    MUST(hk_join_begin(&device, &read, &keys[1], message, &size) == HK_OK);
    PUBLIC(message);
    MUST(hk_join_answer(&administrator, &invitation, &keys[0], message, size, answer, &answer_size) == HK_OK);
    PUBLIC(answer);
    MUST(hk_join_finish(&device, answer, answer_size) == HK_OK);
    hk_join_wipe(&device);
    hk_join_wipe(&administrator);
}

/* A half, sealed under a wrapping key as the store has it; a wrapping key under the master key. */
static void sealed_halves(const struct ct_subject *subject)
{
    (void)subject;
    struct hk_secret32 master, wrapping, opened;
    struct hk_scalar half, out;
    uint8_t sealed[sizeof(half) + HK_SEAL_OVERHEAD];
    const struct hk_bytes place[2] = {HK_TEXT("serial"), HK_TEXT("key")};
    hk_random(&master, sizeof(master));
    hk_random(&wrapping, sizeof(wrapping));
    hk_random(&half, sizeof(half));
    hk_seal(sealed, &wrapping, sizeof(wrapping), &master, "slot", 2, place);
    PUBLIC(sealed);
    MUST(hk_unseal(&opened, sealed, sizeof(wrapping) + HK_SEAL_OVERHEAD, &master, "slot", 2, place) == HK_OK);
    hk_seal(sealed, &half, sizeof(half), &opened, "half", 2, place);
    PUBLIC(sealed);
    MUST(hk_unseal(&out, sealed, sizeof(sealed), &wrapping, "half", 2, place) == HK_OK);
    MUST(hk_equal(&out, &half, sizeof(half)));
}

const struct ct_row ct_rows_channel[] = {
    {"Noise IK and NK, both sides", CT_ONCE, channel_handshake},
    {"Noise IKpsk1, XX, XKpsk3, both sides", CT_ONCE, other_handshakes},
    {"frames of a session, short and long", CT_ONCE, frames},
    {"invitation printed and read, join handshake", CT_ONCE, invitation_and_join},
    {"halves and wrapping keys sealed and opened", CT_ONCE, sealed_halves},
    {NULL, CT_ONCE, NULL},
};
