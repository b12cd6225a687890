/* message.h - requests and answers as they travel inside a session: deterministic CBOR maps with small keys.
 *
 * Three tables say everything: the fields (number, type, length), the operations (number, who may, which
 * fields a request and its answer have), and the errors (crypto/error.h). protocol/halfkey.cddl says the same
 * for readers; a test holds the two together. Decoding is strict: one encoding, no unknown field, every
 * length bounded. Nothing here allocates: a decoded message borrows from the buffer it was decoded from. */
#ifndef HALFKEY_PROTOCOL_MESSAGE_H
#define HALFKEY_PROTOCOL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"

#define HK_PLAINTEXT_MAX 65000 /* an encoded message */
#define HK_SIGN_MESSAGE_MAX 61440
#define HK_AGREE_POINTS_MAX 256
#define HK_ITEMS_MAX 1024 /* list elements in one message, over all of its lists */
#define HK_KEYS_MAX 128   /* keys of one account */

#define HK_ACCOUNT_BYTES 64 /* SHA-512 of the account key's UDF input: the account's whole name */
#define HK_ID_BYTES 16      /* request ids, device serials, key ids: random */

enum hk_field_type { HK_U64, HK_BSTR, HK_TSTR, HK_LIST /* of byte strings */ };

/* X(identifier, number, name, type, smallest, largest length in bytes (of an element, for a list)) */
#define HK_FIELDS(X)                                                                                         \
    X(HK_F_OP, 0, "op", HK_U64, 0, 0)                                                                        \
    X(HK_F_REQUEST, 1, "request", HK_BSTR, 16, 16)                                                           \
    X(HK_F_ACCOUNT, 2, "account", HK_BSTR, 64, 64)                                                           \
    X(HK_F_DEVICE, 3, "device", HK_BSTR, 16, 16)                                                             \
    X(HK_F_KEY, 4, "key", HK_BSTR, 16, 16)                                                                   \
    X(HK_F_EPOCH, 5, "epoch", HK_U64, 0, 0)                                                                  \
    X(HK_F_TAG, 6, "tag", HK_BSTR, 16, 16)                                                                   \
    X(HK_F_ERROR, 7, "error", HK_U64, 0, 0)                                                                  \
    X(HK_F_SUITE, 8, "suite", HK_U64, 0, 0)                                                                  \
    X(HK_F_PURPOSE, 9, "purpose", HK_U64, 0, 0)                                                              \
    X(HK_F_NAME, 10, "name", HK_TSTR, 1, 64)                                                                 \
    X(HK_F_CREATED, 11, "created", HK_U64, 0, 0)          /* seconds since 1970 */                           \
    X(HK_F_DEVICE_KEY, 12, "device-key", HK_BSTR, 32, 32) /* X25519, the channel's */                        \
    X(HK_F_POP, 13, "pop", HK_BSTR, 32, 32)                                                                  \
    X(HK_F_REPORT_KEY, 14, "report-key", HK_BSTR, 32, 32) /* Ed25519 */                                      \
    X(HK_F_COMMITMENT, 15, "commitment", HK_BSTR, 32, 32)                                                    \
    X(HK_F_POINT, 16, "point", HK_BSTR, 32, 57)  /* D or S */                                                \
    X(HK_F_PROOF, 17, "proof", HK_BSTR, 64, 114) /* Schnorr: R ‖ z */                                      \
    X(HK_F_OPENING, 18, "opening", HK_BSTR, 32, 32)                                                          \
    X(HK_F_TRANSCRIPT, 19, "transcript", HK_BSTR, 32, 32)                                                    \
    X(HK_F_PUBLIC, 20, "public", HK_BSTR, 32, 57)     /* X */                                                \
    X(HK_F_IDENTITY, 21, "identity", HK_BSTR, 32, 32) /* the service's Ed25519 identity key */               \
    X(HK_F_SCALAR, 22, "scalar", HK_BSTR, 32, 57)                                                            \
    X(HK_F_POINTS, 23, "points", HK_LIST, 32, 57)                                                            \
    X(HK_F_PROVE, 24, "prove", HK_U64, 0, 0)                                                                 \
    X(HK_F_PROOFS, 25, "proofs", HK_LIST, 64, 171) /* Schnorr R ‖ z, or DLEQ R1 ‖ R2 ‖ z */            \
    X(HK_F_KIND, 26, "kind", HK_U64, 0, 0)         /* enum hk_sign_kind */                                   \
    X(HK_F_NAMESPACE, 27, "namespace", HK_TSTR, 1, 256)                                                      \
    X(HK_F_MESSAGE, 28, "message", HK_BSTR, 0, HK_SIGN_MESSAGE_MAX)                                          \
    X(HK_F_NONCES, 29, "nonces", HK_BSTR, 64, 114) /* FROST commitments: hiding ‖ binding */               \
    X(HK_F_SHARE, 30, "share", HK_BSTR, 32, 57)                                                              \
    X(HK_F_SEED, 31, "seed", HK_BSTR, 32, 32)                                                                \
    X(HK_F_GATE, 32, "gate", HK_BSTR, 32, 32)           /* what the joining device shows */                  \
    X(HK_F_GATE_HASH, 33, "gate-hash", HK_BSTR, 32, 32) /* what the service is given */                      \
    X(HK_F_EXPIRES, 34, "expires", HK_U64, 0, 0)                                                             \
    X(HK_F_STEP, 35, "step", HK_U64, 0, 0)                                                                   \
    X(HK_F_RELAY, 36, "relay", HK_BSTR, 1, 60000)            /* opaque to the service */                     \
    X(HK_F_RECORD, 37, "record", HK_BSTR, 1, 4096)           /* COSE_Sign1 */                                \
    X(HK_F_CERTIFICATE, 38, "certificate", HK_BSTR, 1, 4096) /* COSE_Sign1 */                                \
    X(HK_F_KEYS, 39, "keys", HK_LIST, 16, 16)                                                                \
    X(HK_F_KEPT, 40, "kept", HK_LIST, 32, 57)     /* A or Q: commitments to what goes to the new device */   \
    X(HK_F_PASSED, 41, "passed", HK_LIST, 32, 57) /* A' or Q': to what goes to the service */                \
    X(HK_F_SUBSHARES, 42, "subshares", HK_LIST, 32, 57)                                                      \
    X(HK_F_CODE, 43, "code", HK_BSTR, 16, 16) /* printed revocation code */                                  \
    X(HK_F_PROFILE, 44, "profile", HK_BSTR, 1, 60000)                                                        \
    X(HK_F_ROWS, 45, "rows", HK_LIST, 1, 512) /* encoded device rows, see object.h */                        \
    X(HK_F_REPORT, 46, "report", HK_BSTR, 120, 120)                                                          \
    X(HK_F_GENERATION, 47, "generation", HK_U64, 0, 0)                                                       \
    X(HK_F_SIZE, 48, "size", HK_U64, 0, 0)                                                                   \
    X(HK_F_ROOT, 49, "root", HK_BSTR, 32, 32)                                                                \
    X(HK_F_TIME, 50, "time", HK_U64, 0, 0)                                                                   \
    X(HK_F_SIGNATURE, 51, "signature", HK_BSTR, 64, 64)                                                      \
    X(HK_F_START, 52, "start", HK_U64, 0, 0)                                                                 \
    X(HK_F_COUNT, 53, "count", HK_U64, 0, 0)                                                                 \
    X(HK_F_HASHES, 54, "hashes", HK_LIST, 32, 32)                                                            \
    X(HK_F_LEAVES, 55, "leaves", HK_LIST, 1, 2048)                                                           \
    X(HK_F_WARNING, 56, "warning", HK_U64, 0, 0) /* when a stale copy of this device was last seen */        \
    X(HK_F_NEW_TAG, 57, "new-tag", HK_BSTR, 16, 16)                                                          \
    X(HK_F_REVOCATIONS, 58, "revocations", HK_LIST, 1, 4096) /* certificates the device keeps, shown again   \
                                                              */                                             \
    X(HK_F_TWEAK_ROOT, 59, "tweak-root", HK_BSTR, 0, 32)     /* BIP-341 Merkle root, or nothing (BIP-86) */  \
    X(HK_F_SETUP, 60, "setup", HK_BSTR, 1634, 2402)          /* N, C, proof: crypto/ecdsa_setup.h */         \
    X(HK_F_RING, 61, "ring", HK_BSTR, 33824, 33824)          /* N^, t, s1, s2, Pi^prm */                     \
    X(HK_F_OFFER, 62, "offer", HK_BSTR, 138, 138)            /* slot number, random, R_s, proof_s */         \
    X(HK_F_ECDSA, 63, "ecdsa", HK_BSTR, 33, 3117)            /* a request or an answer of crypto/ecdsa.h */  \
    X(HK_F_SET, 64, "set", HK_BSTR, 16, 16)                  /* names a recovery set */                      \
    X(HK_F_THRESHOLD, 65, "threshold", HK_U64, 0, 0)                                                         \
    X(HK_F_HOLDERS, 66, "holders", HK_LIST, 32, 32) /* X25519 keys */                                        \
    X(HK_F_COMMITMENTS, 67, "commitments", HK_LIST, 32, 57)                                                  \
    X(HK_F_SEALED, 68, "sealed", HK_LIST, 80, 80)      /* protocol/sealed_share.h */                         \
    X(HK_F_PACKETS, 69, "packets", HK_LIST, 1, 6000)   /* protocol/recovery.h */                             \
    X(HK_F_RECOVERY, 70, "recovery", HK_BSTR, 1, 2048) /* a request of a new device, likewise */

enum hk_field {
#define HK_FIELD_ENUM(id, number, name, type, min, max) id = number,
    HK_FIELDS(HK_FIELD_ENUM)
#undef HK_FIELD_ENUM
        HK_FIELD_COUNT
};

/* A set of fields, one bit each. */
__extension__ typedef unsigned __int128 hk_field_set;
#define HK_BIT(field) ((hk_field_set)1 << (field))

/* Who may ask. A session is of exactly one of these. */
enum hk_caller {
    HK_STRANGER = 1,  /* Noise_NK */
    HK_ENROLLING = 2, /* Noise_IK, a device between `enrol` and `enrol-confirm` */
    HK_DEVICE = 4,    /* Noise_IK, an enrolled device */
    HK_ADMIN = 8      /* Noise_IK, an administrator's device */
};
#define HK_ANY_DEVICE (HK_DEVICE | HK_ADMIN)

/* What a signature is for; the service checks what it can parse, and logs it. */
enum hk_sign_kind {
    HK_SIGN_RAW = 0,
    HK_SIGN_SSHSIG = 1,
    HK_SIGN_SSH_LOGIN = 2,
    HK_SIGN_OPENPGP = 3, /* NAMESPACE and MESSAGE as hk_openpgp_to_sign has them */
    HK_SIGN_OBJECT = 4
};

/* Every request has OP and REQUEST. A device's request (ENROLLING excepted) also has ACCOUNT, EPOCH and TAG,
 * and may have REPORT and REVOCATIONS. Every answer has REQUEST and ERROR; only an answer whose ERROR is 0
 * has more. WARNING may be in any answer to a device. The rows below list only what an operation adds.
 *
 * X(identifier, number, name, callers, required request fields, optional ones, required answer fields,
 * optional) */
#define B HK_BIT
#define HK_OPS(X)                                                                                            \
    X(HK_OP_CREATE_ACCOUNT, 1, "create-account", HK_STRANGER,                                                \
      B(HK_F_DEVICE_KEY) | B(HK_F_POP) | B(HK_F_DEVICE) | B(HK_F_KEY) | B(HK_F_CREATED) |                    \
          B(HK_F_REPORT_KEY) | B(HK_F_COMMITMENT),                                                           \
      0, B(HK_F_POINT) | B(HK_F_PROOF), 0)                                                                   \
    X(HK_OP_CREATE_FINISH, 2, "create-finish", HK_STRANGER,                                                  \
      B(HK_F_KEY) | B(HK_F_POINT) | B(HK_F_PROOF) | B(HK_F_OPENING), 0,                                      \
      B(HK_F_TRANSCRIPT) | B(HK_F_PUBLIC) | B(HK_F_ACCOUNT) | B(HK_F_EPOCH) | B(HK_F_TAG) |                  \
          B(HK_F_IDENTITY),                                                                                  \
      0)                                                                                                     \
    X(HK_OP_CREATE_STATUS, 3, "create-status", HK_STRANGER, B(HK_F_KEY) | B(HK_F_TRANSCRIPT), 0,             \
      B(HK_F_TRANSCRIPT) | B(HK_F_PUBLIC) | B(HK_F_ACCOUNT) | B(HK_F_EPOCH) | B(HK_F_TAG) |                  \
          B(HK_F_IDENTITY),                                                                                  \
      0)                                                                                                     \
    X(HK_OP_KEYGEN_START, 4, "keygen-start", HK_ADMIN,                                                       \
      B(HK_F_KEY) | B(HK_F_SUITE) | B(HK_F_PURPOSE) | B(HK_F_NAME) | B(HK_F_CREATED) | B(HK_F_COMMITMENT),   \
      0, B(HK_F_POINT) | B(HK_F_PROOF), 0)                                                                   \
    X(HK_OP_KEYGEN_FINISH, 5, "keygen-finish", HK_ADMIN,                                                     \
      B(HK_F_KEY) | B(HK_F_POINT) | B(HK_F_PROOF) | B(HK_F_OPENING), 0, B(HK_F_TRANSCRIPT) | B(HK_F_PUBLIC), \
      0)                                                                                                     \
    X(HK_OP_KEYGEN_STATUS, 6, "keygen-status", HK_ADMIN, B(HK_F_KEY) | B(HK_F_TRANSCRIPT), 0,                \
      B(HK_F_TRANSCRIPT) | B(HK_F_PUBLIC), 0)                                                                \
    X(HK_OP_KEY_IMPORT, 7, "key-import", HK_ADMIN,                                                           \
      B(HK_F_KEY) | B(HK_F_SUITE) | B(HK_F_PURPOSE) | B(HK_F_NAME) | B(HK_F_CREATED) | B(HK_F_SCALAR) |      \
          B(HK_F_POINT) | B(HK_F_PROOF),                                                                     \
      0, B(HK_F_TRANSCRIPT) | B(HK_F_PUBLIC), 0)                                                             \
    X(HK_OP_AGREE, 8, "agree", HK_ANY_DEVICE, B(HK_F_KEY) | B(HK_F_POINTS), B(HK_F_PROVE), B(HK_F_POINTS),   \
      B(HK_F_PROOFS))                                                                                        \
    X(HK_OP_SIGN, 9, "sign", HK_ANY_DEVICE, B(HK_F_KEY) | B(HK_F_KIND) | B(HK_F_MESSAGE) | B(HK_F_NONCES),   \
      B(HK_F_NAMESPACE) | B(HK_F_TWEAK_ROOT), B(HK_F_NONCES) | B(HK_F_SHARE), 0)                             \
    X(HK_OP_REFRESH, 10, "refresh", HK_ANY_DEVICE, B(HK_F_SEED), 0,                                          \
      B(HK_F_SEED) | B(HK_F_NEW_TAG) | B(HK_F_PROOFS), 0)                                                    \
    X(HK_OP_REFRESH_CONFIRM, 11, "refresh-confirm", HK_ANY_DEVICE, B(HK_F_NEW_TAG) | B(HK_F_PROOFS), 0, 0,   \
      0)                                                                                                     \
    X(HK_OP_INVITE, 12, "invite", HK_ADMIN, B(HK_F_GATE_HASH) | B(HK_F_EXPIRES), 0, 0, 0)                    \
    X(HK_OP_JOIN, 13, "join", HK_STRANGER, B(HK_F_ACCOUNT) | B(HK_F_GATE) | B(HK_F_STEP), B(HK_F_RELAY), 0,  \
      B(HK_F_RELAY))                                                                                         \
    X(HK_OP_RELAY, 14, "relay", HK_ADMIN, B(HK_F_GATE_HASH) | B(HK_F_STEP), B(HK_F_RELAY), 0, B(HK_F_RELAY)) \
    X(HK_OP_ENROL, 15, "enrol", HK_ADMIN,                                                                    \
      B(HK_F_GATE_HASH) | B(HK_F_RECORD) | B(HK_F_CERTIFICATE) | B(HK_F_KEYS) | B(HK_F_KEPT) |               \
          B(HK_F_PASSED) | B(HK_F_SUBSHARES),                                                                \
      0, B(HK_F_KEPT) | B(HK_F_PASSED), 0)                                                                   \
    X(HK_OP_ENROL_FETCH, 16, "enrol-fetch", HK_ENROLLING, 0, 0,                                              \
      B(HK_F_KEYS) | B(HK_F_KEPT) | B(HK_F_PASSED) | B(HK_F_SUBSHARES) | B(HK_F_IDENTITY), 0)                \
    X(HK_OP_ENROL_CONFIRM, 17, "enrol-confirm", HK_ENROLLING, B(HK_F_TRANSCRIPT) | B(HK_F_PROOFS), 0,        \
      B(HK_F_EPOCH) | B(HK_F_TAG), 0)                                                                        \
    /* over NK the answer says only that it is done; the tag goes to the device itself */                    \
    X(HK_OP_ENROL_STATUS, 18, "enrol-status", HK_STRANGER | HK_ENROLLING,                                    \
      B(HK_F_ACCOUNT) | B(HK_F_TRANSCRIPT), 0, 0, B(HK_F_EPOCH) | B(HK_F_TAG))                               \
    X(HK_OP_REVOKE, 19, "revoke", HK_ADMIN, B(HK_F_CERTIFICATE), 0, 0, 0)                                    \
    X(HK_OP_REVOKE_BY_CERTIFICATE, 20, "revoke-by-certificate", HK_STRANGER, 0,                              \
      B(HK_F_CERTIFICATE) | B(HK_F_CODE), 0, 0)                                                              \
    X(HK_OP_PROFILE_PUT, 21, "profile-put", HK_ADMIN, B(HK_F_PROFILE), 0, 0, 0)                              \
    X(HK_OP_FETCH_PROFILE, 22, "fetch-profile", HK_STRANGER | HK_ANY_DEVICE, B(HK_F_ACCOUNT), 0,             \
      B(HK_F_PROFILE), 0)                                                                                    \
    X(HK_OP_STATUS, 23, "status", HK_ANY_DEVICE, 0, 0, B(HK_F_ROWS) | B(HK_F_KEYS), 0)                       \
    X(HK_OP_LOG_HEAD, 24, "log-head", HK_ANY_DEVICE, 0, 0,                                                   \
      B(HK_F_GENERATION) | B(HK_F_SIZE) | B(HK_F_ROOT) | B(HK_F_TIME) | B(HK_F_SIGNATURE), 0)                \
    X(HK_OP_LOG_CONSISTENCY, 25, "log-consistency", HK_ANY_DEVICE,                                           \
      B(HK_F_GENERATION) | B(HK_F_START) | B(HK_F_SIZE), 0, B(HK_F_HASHES), 0)                               \
    X(HK_OP_LOG_INCLUSION, 26, "log-inclusion", HK_ANY_DEVICE,                                               \
      B(HK_F_GENERATION) | B(HK_F_START) | B(HK_F_SIZE), 0, B(HK_F_HASHES), 0)                               \
    X(HK_OP_LOG_LEAVES, 27, "log-leaves", HK_ANY_DEVICE, B(HK_F_GENERATION) | B(HK_F_START) | B(HK_F_COUNT), \
      0, B(HK_F_LEAVES), 0)                                                                                  \
    X(HK_OP_SUSPEND, 40, "suspend", HK_ADMIN, B(HK_F_DEVICE), 0, 0, 0)                                       \
    X(HK_OP_RESUME, 41, "resume", HK_ADMIN, B(HK_F_DEVICE), 0, 0, 0)                                         \
    /* no RING: it is being made, ask again; SIZE: bits of the Paillier keys, SIGNATURE: over both */        \
    X(HK_OP_ECDSA_RING, 42, "ecdsa-ring", HK_ANY_DEVICE, 0, 0, 0,                                            \
      B(HK_F_RING) | B(HK_F_SIZE) | B(HK_F_SIGNATURE))                                                       \
    X(HK_OP_ECDSA_SETUP, 43, "ecdsa-setup", HK_ANY_DEVICE, B(HK_F_KEY), 0, B(HK_F_SETUP), 0)                 \
    /* TRANSCRIPT names the pair as the device has it; STEP 1: m is in the commitment, 2: it is not */       \
    X(HK_OP_ECDSA_COMMIT, 44, "ecdsa-commit", HK_ANY_DEVICE,                                                 \
      B(HK_F_KEY) | B(HK_F_TRANSCRIPT) | B(HK_F_COMMITMENT) | B(HK_F_STEP), 0, B(HK_F_OFFER), 0)             \
    /* COMMITMENT: for the next signature, prepared; the answer then has its OFFER */                        \
    X(HK_OP_ECDSA_SIGN, 45, "ecdsa-sign", HK_ANY_DEVICE,                                                     \
      B(HK_F_KEY) | B(HK_F_TRANSCRIPT) | B(HK_F_MESSAGE) | B(HK_F_ECDSA), B(HK_F_COMMITMENT), B(HK_F_ECDSA), \
      B(HK_F_OFFER))                                                                                         \
    /* PROFILE: the next one, which no longer lists the key */                                               \
    X(HK_OP_KEY_DELETE, 46, "key-delete", HK_ADMIN, B(HK_F_KEY) | B(HK_F_PROFILE), 0, 0, 0)                  \
    /* a key's two halves dealt among the holders of a set: of the device's, of the service's */             \
    X(HK_OP_RECOVERY_DEAL, 47, "recovery-deal", HK_ADMIN,                                                    \
      B(HK_F_KEY) | B(HK_F_SET) | B(HK_F_THRESHOLD) | B(HK_F_HOLDERS) | B(HK_F_COMMITMENTS) |                \
          B(HK_F_SEALED),                                                                                    \
      0, B(HK_F_COMMITMENTS) | B(HK_F_SEALED), 0)                                                            \
    /* the set of the account's profile, from packet START on, as many as fit; none at the end */            \
    X(HK_OP_RECOVERY_FETCH, 48, "recovery-fetch", HK_STRANGER | HK_ANY_DEVICE,                               \
      B(HK_F_ACCOUNT) | B(HK_F_START), 0, B(HK_F_PACKETS), 0)                                                \
    X(HK_OP_RECOVER_START, 49, "recover-start", HK_STRANGER,                                                 \
      B(HK_F_PROFILE) | B(HK_F_RECOVERY) | B(HK_F_POP) | B(HK_F_REPORT_KEY), 0, B(HK_F_IDENTITY), 0)         \
    /* one packet, and of each holder the two commitments and what is sealed to the service */               \
    X(HK_OP_RECOVER_KEY, 56, "recover-key", HK_STRANGER,                                                     \
      B(HK_F_PACKETS) | B(HK_F_KEPT) | B(HK_F_PASSED) | B(HK_F_SEALED), 0, 0, 0)                             \
    X(HK_OP_RECOVER_FINISH, 57, "recover-finish", HK_STRANGER, B(HK_F_TRANSCRIPT) | B(HK_F_PROOFS), 0,       \
      B(HK_F_EPOCH) | B(HK_F_TAG), 0)                                                                        \
    /* ---- slow changes: KIND is enum hk_change_kind, DEVICE whom it is about ---- */                       \
    X(HK_OP_CHANGE_ASK, 58, "change-ask", HK_ADMIN, B(HK_F_KIND) | B(HK_F_DEVICE), 0, B(HK_F_EXPIRES), 0)    \
    X(HK_OP_CHANGE_APPROVE, 59, "change-approve", HK_ADMIN, B(HK_F_KIND) | B(HK_F_DEVICE), 0, 0, 0)          \
    X(HK_OP_CHANGE_CANCEL, 60, "change-cancel", HK_ADMIN, B(HK_F_KIND) | B(HK_F_DEVICE), 0, 0, 0)            \
    X(HK_OP_CHANGES, 61, "changes", HK_ANY_DEVICE, 0, 0, B(HK_F_ROWS), 0)                                    \
    /* ---- keys for a device that joined before them: protocol/handover.h ---- */                           \
    /* RELAY: the device's deposit for the administrator DEVICE */                                           \
    X(HK_OP_HAND_OPEN, 50, "hand-open", HK_ANY_DEVICE, B(HK_F_DEVICE) | B(HK_F_RELAY), 0, 0, 0)              \
    /* KEYS: what DEVICE has no half of; none if a hand-over of all of them waits. COUNT: how many wait.     \
     * RELAY: its deposit */                                                                                 \
    X(HK_OP_HAND_ASK, 51, "hand-ask", HK_ADMIN, B(HK_F_DEVICE), 0, B(HK_F_KEYS) | B(HK_F_COUNT),             \
      B(HK_F_RELAY))                                                                                         \
    /* PROOF: of the service's half of the key that the deposit names */                                     \
    X(HK_OP_HAND_OFFER, 52, "hand-offer", HK_ADMIN,                                                          \
      B(HK_F_DEVICE) | B(HK_F_KEYS) | B(HK_F_KEPT) | B(HK_F_PASSED) | B(HK_F_SUBSHARES), 0,                  \
      B(HK_F_KEPT) | B(HK_F_PASSED), B(HK_F_PROOF))                                                          \
    X(HK_OP_HAND_SEAL, 53, "hand-seal", HK_ADMIN, B(HK_F_DEVICE) | B(HK_F_TRANSCRIPT) | B(HK_F_RELAY), 0, 0, \
      0)                                                                                                     \
    /* COMMITMENT: name of the deposit that the device has the secret of. Nothing waits: none of the rest */ \
    X(HK_OP_HAND_FETCH, 54, "hand-fetch", HK_ANY_DEVICE, B(HK_F_COMMITMENT), 0, 0,                           \
      B(HK_F_KEYS) | B(HK_F_KEPT) | B(HK_F_PASSED) | B(HK_F_SUBSHARES) | B(HK_F_RELAY))                      \
    X(HK_OP_HAND_CONFIRM, 55, "hand-confirm", HK_ANY_DEVICE, B(HK_F_TRANSCRIPT) | B(HK_F_PROOFS), 0, 0, 0)

enum hk_op {
#define HK_OP_ENUM(id, number, name, callers, request, optional, answer, answer_optional) id = number,
    HK_OPS(HK_OP_ENUM)
#undef HK_OP_ENUM
};
#undef B

/* A row of the operations' table. The sets hold everything the message may have, common fields included. */
struct hk_op_row {
    enum hk_op op;
    const char *name;
    unsigned callers;
    hk_field_set request, request_optional, answer, answer_optional;
};

/* The row of an operation; NULL if there is none with this number. */
const struct hk_op_row *hk_op_row(uint64_t op) HK_CHECK;

/* One field's value. Lists point to `count` spans. */
struct hk_value {
    uint64_t number;     /* HK_U64 */
    const uint8_t *data; /* HK_BSTR, HK_TSTR (no final zero) */
    size_t size;
    const struct hk_bytes *items; /* HK_LIST */
    size_t count;
};

/* A request or an answer. About 20 KiB: keep it off deep stacks. What it points to belongs to the caller. */
struct hk_message {
    hk_field_set present; /* HK_BIT of each field it has */
    struct hk_value value[HK_FIELD_COUNT];
    struct hk_bytes pool[HK_ITEMS_MAX]; /* where decoded lists live */
    size_t pooled;
};

void hk_message_init(struct hk_message *message);
void hk_message_set_u64(struct hk_message *message, enum hk_field field, uint64_t number);
void hk_message_set_bytes(struct hk_message *message, enum hk_field field, const void *data, size_t size);
void hk_message_set_text(struct hk_message *message, enum hk_field field, const char *text);
/* A list of `count` spans at `items`, which must outlive the message. */
void hk_message_set_list(struct hk_message *message, enum hk_field field, const struct hk_bytes *items,
                         size_t count);
/* A list of `count` elements of `size` bytes each that lie one after the other; spans come from the pool. */
void hk_message_set_array(struct hk_message *message, enum hk_field field, const void *elements, size_t size,
                          size_t count);
/* One more element of a list that was set before, perhaps empty, with no other list begun since. For elements
 * of several lengths. */
void hk_message_append(struct hk_message *message, enum hk_field field, const void *data, size_t size);
bool hk_message_has(const struct hk_message *message, enum hk_field field) HK_CHECK;

/* Writes the message as deterministic CBOR: at most `max` bytes to `out`, the length to *size.
 * HK_TOO_LARGE if it does not fit; HK_BAD_ENCODING if a value is outside the field's table row. */
HK_CHECK enum hk_error hk_message_encode(const struct hk_message *message, uint8_t *out, size_t max,
                                         size_t *size);

/* Reads any well-formed message of known fields; HK_BAD_ENCODING otherwise. `message` borrows from `data`.
 * Text is checked to be UTF-8 without control characters. */
HK_CHECK enum hk_error hk_message_decode(struct hk_message *message, const uint8_t *data, size_t size);

/* Holds a decoded request against its operation's row: HK_UNKNOWN_OP, HK_BAD_ENCODING (a field is missing or
 * does not belong), HK_NOT_ALLOWED (not for this caller). On success *row is the operation's row. */
HK_CHECK enum hk_error hk_message_check_request(const struct hk_message *message, enum hk_caller caller,
                                                const struct hk_op_row **row);

/* Holds a decoded answer against the row of the request's operation and the request's id (16 bytes):
 * HK_BAD_PEER if it is of another shape or request; else the error that it carries, or HK_OK. */
HK_CHECK enum hk_error hk_message_check_answer(const struct hk_message *message, const struct hk_op_row *row,
                                               const uint8_t request_id[HK_ID_BYTES]);

#endif
