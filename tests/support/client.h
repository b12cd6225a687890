/* client.h - a device as a test plays it: it speaks the real channel, can send any message, and holds its
 * halves in plain sight. An attacker's toolkit; nothing of device/ is used. */
#ifndef HALFKEY_TESTS_CLIENT_H
#define HALFKEY_TESTS_CLIENT_H

#include "crypto/group.h"
#include "crypto/keygen.h"
#include "crypto/refresh.h"
#include "crypto/suite.h"
#include "protocol/channel.h"
#include "protocol/message.h"
#include "protocol/object.h"
#include "tests/support/service.h"

#define HK_TEST_KEYS 8

struct hk_test_key {
    uint8_t id[HK_ID_BYTES];
    const struct hk_suite *suite;
    struct hk_scalar half; /* d */
    uint8_t device_point[HK_POINT_BYTES_MAX], service_point[HK_POINT_BYTES_MAX],
        public_key[HK_POINT_BYTES_MAX];
    uint8_t transcript[32];
    char name[16];
    bool imported;
};

struct hk_test_device {
    struct hk_test_service *service;
    struct hk_endpoint *endpoint;
    struct hk_channel *channel;  /* as the device; NULL: not open */
    struct hk_channel *stranger; /* NULL: not open */
    struct hk_secret32 static_key;
    uint8_t static_public[32], report_key[32], report_secret[64];
    uint8_t serial[HK_ID_BYTES], account[HK_ACCOUNT_BYTES], identity[32], code[16];
    uint64_t epoch;
    uint8_t tag[HK_TAG_BYTES];
    size_t key_count;                     /* sorted by id */
    struct hk_test_key key[HK_TEST_KEYS]; /* the account's own is among them at an administrator */
    uint64_t profile_version;
    uint8_t profile_hash[32];
    uint8_t signed_certificate[HK_SMALL_OBJECT_MAX];
    size_t certificate_size;
    uint64_t refused; /* requests of its own that the service refused and has to count in the log */
};

/* A machine with new keys that nobody knows; ended by _end. */
void hk_test_device_init(struct hk_test_device *device, struct hk_test_service *service);
void hk_test_device_end(struct hk_test_device *device);
/* Closes its channels; the next call opens others. */
void hk_test_hang_up(struct hk_test_device *device);

/* A request of an operation; with `of` also account, epoch and tag of that device. */
void hk_test_request(struct hk_message *request, enum hk_op op, const struct hk_test_device *of);
/* Sends it over the device's channel, or as a stranger; the answer borrows from the device's buffer. Errors
 * of the channel, or what the answer says. */
enum hk_error hk_test_call(struct hk_test_device *device, const struct hk_message *request,
                           struct hk_message *answer);
enum hk_error hk_test_call_stranger(struct hk_test_device *device, const struct hk_message *request,
                                    struct hk_message *answer);

/* The bytes of the last answer of this thread, with the request's id in it made zero. Their number. */
size_t hk_test_last_answer(uint8_t out[HK_PLAINTEXT_MAX]);

/* What this thread's devices send in their sessions, and what comes back, as a wiretapper has it. */
#define HK_TEST_RECORDED 256
struct hk_test_recording {
    size_t count;
    struct hk_test_recorded {
        enum hk_op op;
        uint8_t *frame, *answer;
        size_t frame_size, answer_size;
    } at[HK_TEST_RECORDED];
};
/* From now on into `recording`; NULL ends it. Its frames are freed by hk_test_recording_free. */
void hk_test_record(struct hk_test_recording *recording);
void hk_test_recording_free(struct hk_test_recording *recording);

/* What an attacker does to its own requests. `change` gets every request of this thread just before it is
 * encoded; then no length is checked any more. NULL ends it. */
void hk_test_change_requests(void (*change)(struct hk_message *request, void *argument), void *argument);
/* The next requests are sent as they are; false: changed again. */
void hk_test_pause_changes(bool pause);
/* What it does to its own key generation: `draw` after d is drawn and before the commitment is made of what
 * then is in the run; `open` after the service's S has come and before D is opened. The client no longer
 * checks what comes. NULL: as an honest one. */
void hk_test_lie_in_keygen(void (*draw)(struct hk_keygen_device *run, void *argument),
                           void (*open)(struct hk_keygen_device *run, const uint8_t *service_point,
                                        const uint8_t *service_proof, void *argument),
                           void *argument);
/* In `draw` and `open`: what names the run that is under way. */
const struct hk_keygen_names *hk_test_keygen_names(void);
/* Encodes what the tables allow and what they do not. */
size_t hk_test_encode(const struct hk_message *message, uint8_t *out, size_t max);

/* Whole runs; each returns the service's error. */
enum hk_error hk_test_create_account(struct hk_test_device *device); /* without profile */
enum hk_error hk_test_init(struct hk_test_device *device);           /* with record, certificate, profile 1 */
enum hk_error hk_test_keygen(struct hk_test_device *device, enum hk_suite_id suite, const char *name);
/* Splits x, 32 bytes, and gives the service its half. */
enum hk_error hk_test_import(struct hk_test_device *device, enum hk_suite_id suite, const char *name,
                             const uint8_t whole[32]);
enum hk_error hk_test_sign(struct hk_test_device *device, struct hk_test_key *key, enum hk_sign_kind kind,
                           const void *message, size_t size, uint8_t signature[64]);
/* Signs "message" with its first key for Ed25519. */
enum hk_error hk_test_sign_git(struct hk_test_device *device);
/* The same for OpenPGP. `message` is signed as it is, whatever the service derives from it. */
enum hk_error hk_test_sign_openpgp(struct hk_test_device *device, struct hk_test_key *key,
                                   const char *namespace, const void *message, size_t size,
                                   uint8_t signature[64]);
/* The same under a taproot output with this Merkle root (`size` 32 or 0), for secp256k1-schnorr. */
enum hk_error hk_test_sign_taproot(struct hk_test_device *device, struct hk_test_key *key, const void *root,
                                   size_t root_size, const void *message, size_t size, uint8_t signature[64]);
/* A sender's point to the shared secret, both as the key's suite has them (crypto/agreement.h). */
enum hk_error hk_test_agree(struct hk_test_device *device, struct hk_test_key *key, const uint8_t *input,
                            uint8_t *shared);
enum hk_error hk_test_put_profile(struct hk_test_device *device, const struct hk_test_device *other);

/* From now on `change` gets every profile of this thread before it is signed; NULL ends it. */
void hk_test_change_profiles(void (*change)(struct hk_profile *profile, void *argument), void *argument);

/* Deletes a key, with the next profile, which lists it all the same if `unlist` is false. */
enum hk_error hk_test_delete_key(struct hk_test_device *device, const struct hk_test_device *other,
                                 const uint8_t id[HK_ID_BYTES], bool unlist);

/* Signs a payload as an object of the account. */
enum hk_error hk_test_object(struct hk_test_device *device, const char *type, const void *payload,
                             size_t payload_size, uint8_t *out, size_t max, size_t *size);

/* Refresh, step by step: the pending halves are kept in `next`. */
struct hk_test_epoch {
    uint8_t seed[32], tag[HK_TAG_BYTES], service_seed[32];
    struct hk_scalar half[HK_TEST_KEYS];
    uint8_t service_point[HK_TEST_KEYS][HK_POINT_BYTES_MAX];
    uint8_t proofs[HK_TEST_KEYS][HK_SCHNORR_BYTES_MAX];
};
enum hk_error hk_test_refresh(struct hk_test_device *device, struct hk_test_epoch *next); /* seed set */
enum hk_error hk_test_confirm(struct hk_test_device *device, const struct hk_test_epoch *next);
/* What names this refresh, for proofs about it. */
void hk_test_refresh_names(const struct hk_test_device *device, const struct hk_test_epoch *next,
                           struct hk_refresh *refresh);
void hk_test_adopt(struct hk_test_device *device, const struct hk_test_epoch *next);

/* Enrols `device` (fresh, see init) into the administrator's account. `stop_before` 0: to the end; else the
 * run ends before that step: 1 join, 2 record, 3 enrol, 4 fetch, 5 confirm. */
struct hk_test_enrolment {
    uint8_t gate[32], gate_hash[32], transcript[32];
    uint8_t record[HK_SMALL_OBJECT_MAX], certificate[HK_SMALL_OBJECT_MAX];
    size_t record_size, certificate_size, count;
    uint8_t proofs[HK_TEST_KEYS][HK_SCHNORR_BYTES_MAX];
};
enum hk_error hk_test_enrol(struct hk_test_device *admin, struct hk_test_device *device,
                            struct hk_test_enrolment *enrolment, int stop_before);
/* The same from step `first` on, which may be one that was taken before. Steps 3 and 4 go together. */
enum hk_error hk_test_enrol_on(struct hk_test_device *admin, struct hk_test_device *device,
                               struct hk_test_enrolment *enrolment, int first, int stop_before);

/* An account with a key `git` for Ed25519: `laptop` its administrator, `phone` enrolled, both in its profile.
 */
void hk_test_two_devices(struct hk_test_device *laptop, struct hk_test_device *phone,
                         struct hk_test_service *service, struct hk_test_enrolment *enrolment);

#endif
