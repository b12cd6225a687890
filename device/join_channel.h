/* join_channel.h - what a new device and its administrator say to one another, sealed end to end.
 *
 * Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b between the new device (initiator) and the administrator whose static
 * key is in the invitation, under the key that only the two know; the service relays and can neither read nor
 * stand in the middle. Pure functions on byte strings: the relay is the caller's.
 *
 *   new device      hk_join_begin   -- step 0: message 1 -->
 *                   hk_join_finish  <- step 1: message 2 --   administrator   hk_join_answer
 *                   hk_join_seal    -- step 2: hello -->                      hk_join_open
 *   both show hk_join_words, and the user compares
 *                   hk_join_open    <- step 3: bundle --                      hk_join_seal
 *
 * One run answers one handshake: after success or failure every other try is HK_CONFLICT. */
#ifndef HALFKEY_DEVICE_JOIN_CHANNEL_H
#define HALFKEY_DEVICE_JOIN_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "device/invitation.h"
#include "protocol/noise.h"
#include "protocol/object.h"
#include "protocol/words.h"

enum hk_join_step { HK_JOIN_MESSAGE_1, HK_JOIN_MESSAGE_2, HK_JOIN_HELLO, HK_JOIN_BUNDLE };

#define HK_JOIN_SEAL_BYTES 16 /* what hk_join_seal adds */
#define HK_JOIN_HANDSHAKE_MAX 128
#define HK_JOIN_RELAY_MAX 60000 /* one step as the service relays it */

/* One run, at either side. Keep it in memory from hk_secret_new; ended by hk_join_wipe. Private. */
struct hk_join {
    enum hk_join_state {
        HK_JOIN_UNUSED, /* all zero: a run that has not begun */
        HK_JOIN_WAITING,
        HK_JOIN_ESTABLISHED,
        HK_JOIN_OVER
    } state;
    struct hk_noise noise;
    struct hk_noise_result channel;
};

/* New device: begins; message 1 (HK_JOIN_HANDSHAKE_MAX) to `out`. `join` is all zero, else HK_CONFLICT. */
HK_CHECK enum hk_error hk_join_begin(struct hk_join *join, const struct hk_invitation *invitation,
                                     const struct hk_secret32 *static_key, uint8_t *out, size_t *size);

/* Administrator: reads message 1 and writes message 2 (HK_JOIN_HANDSHAKE_MAX) to `out`. `join` is all zero,
 * else HK_CONFLICT. HK_BAD_PEER if message 1 was not made with this invitation; the run is over then. */
HK_CHECK enum hk_error hk_join_answer(struct hk_join *join, const struct hk_invitation *invitation,
                                      const struct hk_secret32 *static_key, const void *message, size_t size,
                                      uint8_t *out, size_t *out_size);

/* New device: reads message 2. HK_BAD_PEER if it is not the administrator's; the run is over then. */
HK_CHECK enum hk_error hk_join_finish(struct hk_join *join, const void *message, size_t size);

/* Six words of the handshake's hash. HK_CONFLICT before the handshake is through. */
HK_CHECK enum hk_error hk_join_words(const struct hk_join *join, char out[HK_FINGERPRINT_TEXT_BYTES]);

/* The other side's static key, as the handshake proved it. HK_CONFLICT as above. */
HK_CHECK enum hk_error hk_join_peer(const struct hk_join *join, uint8_t static_key[HK_NOISE_KEY_BYTES]);

/* Seals a step: size + HK_JOIN_SEAL_BYTES to `out`. HK_TOO_LARGE over HK_JOIN_RELAY_MAX or `max`. */
HK_CHECK enum hk_error hk_join_seal(struct hk_join *join, enum hk_join_step step, const void *plaintext,
                                    size_t size, uint8_t *out, size_t max, size_t *out_size);

/* Opens a step. HK_BAD_PEER, and the run is over, if it is not the other side's or of another step. */
HK_CHECK enum hk_error hk_join_open(struct hk_join *join, enum hk_join_step step, const void *sealed,
                                    size_t size, uint8_t *out, size_t max, size_t *out_size);

void hk_join_wipe(struct hk_join *join);

/* ---- what is sealed ---- */

/* The confirming frame: who the new device is. */
struct hk_join_hello {
    uint8_t serial[HK_ID_BYTES];
    char name[HK_NAME_MAX + 1];
    uint8_t report_key[32]; /* Ed25519 */
};
#define HK_JOIN_HELLO_MAX 160
HK_CHECK enum hk_error hk_join_hello_encode(const struct hk_join_hello *hello, uint8_t *out, size_t max,
                                            size_t *size);
HK_CHECK enum hk_error hk_join_hello_decode(struct hk_join_hello *out, const void *data, size_t size);

/* What the administrator gives of one key. `kept` is a, secret. The lengths are those of the key's suite. */
struct hk_join_key {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite;
    uint8_t device_point[HK_POINT_BYTES_MAX]; /* D1 */
    uint8_t commitment[HK_POINT_BYTES_MAX];   /* A */
    uint8_t passed[HK_POINT_BYTES_MAX];       /* A' */
    uint8_t kept[HK_SCALAR_BYTES_MAX];        /* a */
};

/* A list of such keys as an array, for this bundle and that of a hand-over (hand_channel.h): `keys` has room
 * for HK_KEYS_MAX, sorted by id, none twice. Returns how many were read; faults are the reader's. */
struct hk_cbor_writer;
struct hk_cbor_reader;
void hk_join_put_keys(struct hk_cbor_writer *writer, const struct hk_join_key *keys, size_t count);
size_t hk_join_get_keys(struct hk_cbor_reader *reader, struct hk_join_key *keys);

/* Everything the new device needs. Spans are borrowed. Holds secrets: wipe it and its buffer. */
struct hk_join_bundle {
    struct hk_bytes profile;     /* COSE_Sign1 */
    struct hk_bytes record;      /* COSE_Sign1 */
    struct hk_bytes certificate; /* COSE_Sign1 */
    uint8_t code[HK_CODE_BYTES]; /* the printed form of the certificate */
    struct hk_log_head head;     /* the last one that the administrator verified */
    uint8_t transcript[32];
    uint8_t administrator[HK_ID_BYTES]; /* serial */
    uint64_t epoch;                     /* of the administrator, at `enrol` */
    size_t key_count;
    struct hk_join_key keys[HK_KEYS_MAX]; /* sorted by id, none twice */
};
/* HK_TOO_LARGE if it does not fit; HK_BAD_ENCODING for what the decoder would refuse. */
HK_CHECK enum hk_error hk_join_bundle_encode(const struct hk_join_bundle *bundle, uint8_t *out, size_t max,
                                             size_t *size);
/* `out` borrows from `data`. */
HK_CHECK enum hk_error hk_join_bundle_decode(struct hk_join_bundle *out, const void *data, size_t size);

#endif
