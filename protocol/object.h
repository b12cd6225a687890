/* object.h - what the account signs (profile, device record, revocation), and the rows and leaves the service
 * keeps.
 *
 * Each is a deterministic CBOR map with small keys (protocol/halfkey.cddl). The signed ones are payloads of
 * COSE_Sign1 (protocol/cose.h), whose kid is the account; the `_open` functions verify the signature, that
 * kid, payload and public key name the same account, and decode. Decoding is strict: every length bounded,
 * nothing unknown, names printable. All is public. Nothing here allocates; struct hk_profile is about 50 KiB:
 * keep it off deep stacks. */
#ifndef HALFKEY_PROTOCOL_OBJECT_H
#define HALFKEY_PROTOCOL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "protocol/message.h"

#define HK_TYPE_PROFILE "halfkey-profile"
#define HK_TYPE_RECORD "halfkey-device"
#define HK_TYPE_REVOCATION "halfkey-revocation"

#define HK_DEVICES 32  /* of an account */
#define HK_NAME_MAX 64 /* bytes of a device's or key's name */
#define HK_ADDRESS_MAX 512
#define HK_NAMESPACE_MAX 256
#define HK_ATTACHMENTS 8 /* of a key */
#define HK_ATTACHMENT_MAX 1024
#define HK_PUBLIC_MAX 57
#define HK_PAYLOAD_MAX 59000     /* an encoded profile, without its signature */
#define HK_SMALL_OBJECT_MAX 1024 /* any other object here, signed or not; a leaf too */
#define HK_REPORT_BYTES 120

enum hk_role { HK_ROLE_ORDINARY = 0, HK_ROLE_ADMIN = 1 };
enum hk_device_status {
    HK_STATUS_ACTIVE = 1,
    HK_STATUS_SUSPENDED = 2,
    HK_STATUS_REVOKED = 3,
    HK_STATUS_ENROLLING = 4
};

/* Names are strings with a final zero. */
struct hk_device_record {
    uint8_t account[HK_ACCOUNT_BYTES];
    uint8_t serial[HK_ID_BYTES];
    uint8_t static_key[32]; /* X25519 */
    char name[HK_NAME_MAX + 1];
    uint8_t report_key[32]; /* Ed25519 */
    enum hk_role role;
    uint8_t code_hash[32]; /* hk_code_hash of the printed revocation code */
    uint64_t created;
    bool has_gate; /* false for the first device of an account */
    uint8_t gate_hash[32];
};

struct hk_revocation {
    uint8_t account[HK_ACCOUNT_BYTES];
    uint8_t serial[HK_ID_BYTES];
    uint64_t created;
};

struct hk_profile_device {
    uint8_t serial[HK_ID_BYTES];
    uint8_t static_key[32];
    char name[HK_NAME_MAX + 1];
    uint8_t report_key[32];
    enum hk_role role;
    uint8_t code_hash[32];
};

/* Who holds shares of the account's keys (protocol/recovery.h). */
#define HK_RECOVERY_HOLDERS 16
struct hk_recovery_holder {
    uint8_t key[32]; /* X25519: sub-shares are sealed to it */
    char name[HK_NAME_MAX + 1];
};
struct hk_recovery_set {
    uint8_t id[HK_ID_BYTES];
    uint64_t created;
    size_t threshold, count; /* 2 <= threshold <= count; count 0: there is no set */
    struct hk_recovery_holder holders[HK_RECOVERY_HOLDERS]; /* keys distinct; the i-th has index i + 1 */
    uint8_t account_transcript[32];                         /* of the account key's packet */
};

struct hk_profile_key {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite, purpose;
    uint8_t public_key[HK_PUBLIC_MAX]; /* X */
    size_t public_size;
    uint64_t created;
    char name[HK_NAME_MAX + 1];
    bool imported;               /* was whole before it came */
    struct hk_bytes attachments; /* encoded map of name -> bytes, borrowed; size 0 if there are none */
    bool in_set;                 /* the recovery set has shares of it */
    uint8_t set_transcript[32];  /* then: of its packet */
};

struct hk_profile {
    uint8_t account[HK_ACCOUNT_BYTES];
    uint64_t version;     /* from 1 */
    uint8_t previous[32]; /* hk_object_hash of the profile before; all zero in version 1 */
    uint64_t time;
    uint8_t account_key[32];  /* Ed25519 */
    uint8_t service_key[32];  /* X25519, the service's static key */
    uint8_t identity_key[32]; /* Ed25519, the service's */
    char address[HK_ADDRESS_MAX + 1];
    size_t device_count, key_count;
    struct hk_profile_device devices[HK_DEVICES]; /* sorted by serial, none twice */
    struct hk_profile_key keys[HK_KEYS_MAX];      /* sorted by id, none twice; names unique */
    struct hk_recovery_set recovery;
};

/* ---- payloads: encode to at most `max` bytes, the length to *size (HK_TOO_LARGE; HK_BAD_ENCODING for a
 * value that the decoder would refuse); decode (HK_BAD_ENCODING) ---- */
HK_CHECK enum hk_error hk_record_encode(const struct hk_device_record *record, uint8_t *out, size_t max,
                                        size_t *size);
HK_CHECK enum hk_error hk_record_decode(struct hk_device_record *out, const void *payload, size_t size);
HK_CHECK enum hk_error hk_revocation_encode(const struct hk_revocation *revocation, uint8_t *out, size_t max,
                                            size_t *size);
HK_CHECK enum hk_error hk_revocation_decode(struct hk_revocation *out, const void *payload, size_t size);
HK_CHECK enum hk_error hk_profile_encode(const struct hk_profile *profile, uint8_t *out, size_t max,
                                         size_t *size);
/* `out` borrows attachments from `payload`. */
HK_CHECK enum hk_error hk_profile_decode(struct hk_profile *out, const void *payload, size_t size);

/* ---- signed objects as they are received: verified under the account key (Ed25519, 32 bytes) and decoded.
 * HK_UNSUPPORTED, HK_BAD_SIGNATURE or HK_BAD_ENCODING; HK_BAD_SIGNATURE too if kid or payload name another
 * account than the one whose key this is ---- */
HK_CHECK enum hk_error hk_record_open(struct hk_device_record *out, const void *signed_object, size_t size,
                                      const uint8_t account_key[32]);
HK_CHECK enum hk_error hk_revocation_open(struct hk_revocation *out, const void *signed_object, size_t size,
                                          const uint8_t account_key[32]);
HK_CHECK enum hk_error hk_profile_open(struct hk_profile *out, const void *signed_object, size_t size,
                                       const uint8_t account_key[32]);
/* The same for somebody who knows only the account's name: takes the key from the profile itself and checks
 * that its fingerprint is `account`. */
HK_CHECK enum hk_error hk_profile_open_named(struct hk_profile *out, const void *signed_object, size_t size,
                                             const uint8_t account[HK_ACCOUNT_BYTES]);

/* H("object", bytes), the name of a signed object as it was received; what the next profile calls `previous`.
 */
void hk_object_hash(uint8_t out[32], const void *signed_object, size_t size);
/* H("revoke/code", code): by this the service finds the device of a printed code. */
void hk_code_hash(uint8_t out[32], const uint8_t code[16]);
/* H("join/gate-hash", gate): what the service is given of an invitation's gate. */
void hk_gate_hash(uint8_t out[32], const uint8_t gate[32]);

/* ---- public attachments of a key ---- */
struct hk_attachment {
    struct hk_bytes name; /* printable text, 1 to HK_NAME_MAX bytes */
    struct hk_bytes data; /* at most HK_ATTACHMENT_MAX */
};
/* The key of this id (HK_ID_BYTES), or NULL. */
const struct hk_profile_key *hk_profile_key_by_id(const struct hk_profile *profile,
                                                  const uint8_t *id) HK_CHECK;

/* Sorts `list` and encodes it for hk_profile_key.attachments; HK_BAD_ENCODING for a name given twice or out
 * of bounds. */
HK_CHECK enum hk_error hk_attachments_encode(struct hk_attachment *list, size_t count, uint8_t *out,
                                             size_t max, size_t *size);
/* The attachments of a key, `list` has room for HK_ATTACHMENTS; their number to *count. */
HK_CHECK enum hk_error hk_attachments_decode(struct hk_attachment *list, size_t *count,
                                             struct hk_bytes encoded);

/* ---- heads and reports of the log ---- */
struct hk_log_head {
    uint64_t generation, size;
    uint8_t root[32];
    uint64_t time;
};
#define HK_HEAD_BYTES 56 /* u64be generation ‖ u64be size ‖ root ‖ u64be time */
void hk_head_encode(uint8_t out[HK_HEAD_BYTES], const struct hk_log_head *head);
void hk_head_decode(struct hk_log_head *out, const uint8_t in[HK_HEAD_BYTES]);
/* What a signature on a head is over: H("log/head", ...) by the service's identity key, H("log/report", ...)
 * by a device's report key; each with (account, generation, size, root, time). 64 bytes. */
enum hk_head_use { HK_HEAD_OF_SERVICE, HK_HEAD_REPORT };
void hk_head_statement(uint8_t out[HK_HASH_BYTES], enum hk_head_use use,
                       const uint8_t account[HK_ACCOUNT_BYTES], const struct hk_log_head *head);
/* HK_BAD_SIGNATURE unless `signature` (64 bytes, Ed25519) is by `public_key` over the statement. */
HK_CHECK enum hk_error hk_head_verify(enum hk_head_use use, const uint8_t account[HK_ACCOUNT_BYTES],
                                      const struct hk_log_head *head, const uint8_t signature[64],
                                      const uint8_t public_key[32]);
/* A report is an encoded head and its signature: HK_REPORT_BYTES. */

/* ---- a leaf of the log ---- */
struct hk_leaf {
    bool has_who, has_key, has_namespace, has_report, has_subject, has_previous;
    uint8_t who[HK_ID_BYTES]; /* the device that asked; absent for the service itself and for strangers */
    uint64_t op;              /* enum hk_op; 0 for what the service did by itself (a new generation) */
    uint8_t key[HK_ID_BYTES];
    uint64_t kind; /* enum hk_sign_kind; 0 where it does not apply */
    char namespace[HK_NAMESPACE_MAX + 1];
    uint64_t count; /* points, keys or repeated refusals that this leaf stands for */
    uint64_t time;
    uint64_t outcome;   /* enum hk_error; 0: released or done */
    uint8_t digest[32]; /* hk_request_digest; zero where no request led to it */
    uint8_t report[HK_REPORT_BYTES];
    uint8_t subject[HK_ID_BYTES];    /* the device that a change is about */
    uint8_t previous[HK_HEAD_BYTES]; /* first leaf of a generation: the last head of the one before */
};
HK_CHECK enum hk_error hk_leaf_encode(const struct hk_leaf *leaf, uint8_t *out, size_t max, size_t *size);
HK_CHECK enum hk_error hk_leaf_decode(struct hk_leaf *out, const void *data, size_t size);
/* H("log/request", request id, encoded request): the id, which the leaf does not hold, is the salt. */
void hk_request_digest(uint8_t out[32], const uint8_t request_id[HK_ID_BYTES], const void *request,
                       size_t size);

/* ---- a change that waits: a row of the `changes` answer ---- */
enum hk_change_kind {
    HK_CHANGE_PROMOTE = 1,  /* the device becomes an administrator's */
    HK_CHANGE_REVOKE = 2,   /* the administrator's device is revoked */
    HK_CHANGE_RECOVERY = 3, /* the device, which asked, may put another recovery set into the profile */
};
#define HK_CHANGE_SECONDS (72 * 3600)    /* unless another administrator approves */
#define HK_CHANGE_USABLE (7 * 24 * 3600) /* so long after that it may be used */
#define HK_CHANGES 16                    /* that wait for one account */
struct hk_change {
    enum hk_change_kind kind;
    uint8_t subject[HK_ID_BYTES]; /* serial of the device that it is about */
    uint8_t asker[HK_ID_BYTES];
    uint64_t asked, due; /* seconds since 1970; due: from when on it may be done */
};
HK_CHECK enum hk_error hk_change_encode(const struct hk_change *change, uint8_t *out, size_t max,
                                        size_t *size);
HK_CHECK enum hk_error hk_change_decode(struct hk_change *out, const void *data, size_t size);

/* ---- a row of the `status` answer ---- */
struct hk_device_row {
    uint8_t serial[HK_ID_BYTES];
    enum hk_device_status status;
    enum hk_role role;
    uint64_t epoch;
    uint64_t last_use; /* seconds since 1970; 0 never */
    uint64_t uses;
    uint64_t stale_copy_seen; /* 0 never */
    bool must_refresh;
};
HK_CHECK enum hk_error hk_row_encode(const struct hk_device_row *row, uint8_t *out, size_t max, size_t *size);
HK_CHECK enum hk_error hk_row_decode(struct hk_device_row *out, const void *data, size_t size);

#endif
