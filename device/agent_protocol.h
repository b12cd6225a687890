/* agent_protocol.h - what the command line and the agent say to one another over the agent's socket.
 *
 * A frame is u32be length ‖ one deterministic CBOR map with small integer keys; the client sends a request,
 * the agent one answer, and so on until the client hangs up. Requests have HK_A_OP, answers HK_A_ERROR and,
 * if that is not zero, HK_A_SENTENCE: what happened and what to do, for the user. The tables below are all
 * there is. Decoding is strict and bounded; a decoded message borrows from its buffer. Passphrases, imported
 * keys and shared secrets pass here: both sides wipe their buffers. */
#ifndef HALFKEY_DEVICE_AGENT_PROTOCOL_H
#define HALFKEY_DEVICE_AGENT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "crypto/suite.h"
#include "protocol/message.h"
#include "protocol/object.h"

#define HK_AGENT_FRAME_MAX (512 * 1024)
#define HK_AGENT_ITEMS_MAX 4096 /* list elements in one message */
#define HK_AGENT_LEAVES_MAX 512 /* rows of one HK_AGENT_LOG answer */

/* X(identifier, number, type, smallest, largest length in bytes (of an element, for a list)) */
#define HK_AGENT_FIELDS(X)                                                                                   \
    X(HK_A_OP, 0, HK_U64, 0, 0)                                                                              \
    X(HK_A_ERROR, 1, HK_U64, 0, 0)                                                                           \
    X(HK_A_SENTENCE, 2, HK_TSTR, 1, 1024)                                                                    \
    X(HK_A_PASSPHRASE, 3, HK_BSTR, 1, 1024)     /* absent: none */                                           \
    X(HK_A_NEW_PASSPHRASE, 4, HK_BSTR, 1, 1024) /* absent: none */                                           \
    X(HK_A_SERVICE, 5, HK_TSTR, 1, 512)         /* address */                                                \
    X(HK_A_DEVICE, 6, HK_TSTR, 1, 64)           /* a device's name */                                        \
    X(HK_A_ACCOUNT, 7, HK_BSTR, 64, 64)                                                                      \
    X(HK_A_KEY, 8, HK_TSTR, 1, 64) /* a key's name */                                                        \
    X(HK_A_SUITE, 9, HK_U64, 0, 0) /* enum hk_suite_id */                                                    \
    X(HK_A_SECRET, 10, HK_BSTR, 32, 32)                                                                      \
    X(HK_A_PUBLIC, 11, HK_BSTR, 32, 33) /* as the world knows it, see struct hk_suite */                     \
    X(HK_A_CREATED, 12, HK_U64, 0, 0)                                                                        \
    X(HK_A_POINTS, 13, HK_LIST, 32, 33) /* as senders give them, see crypto/agreement.h */                   \
    X(HK_A_RESULTS, 14, HK_LIST, 0,                                                                          \
      33)                            /* shared secrets; an empty one: that point is refused (bad-point) */   \
    X(HK_A_KEYS, 15, HK_LIST, 1, 64) /* names of keys */                                                     \
    X(HK_A_PROVE, 16, HK_U64, 0, 0)  /* 1: ask the service for proofs, and check them */                     \
    X(HK_A_KIND, 17, HK_U64, 0, 0)   /* enum hk_sign_kind */                                                 \
    X(HK_A_NAMESPACE, 18, HK_TSTR, 1, 256)                                                                   \
    X(HK_A_MESSAGE, 19, HK_BSTR, 0, HK_SIGN_MESSAGE_MAX)                                                     \
    X(HK_A_SIGNATURE, 20, HK_BSTR, 64, 64)                                                                   \
    X(HK_A_STATE, 21, HK_U64, 0, 0) /* enum hk_agent_state */                                                \
    X(HK_A_SERIAL, 22, HK_BSTR, 16, 16)                                                                      \
    X(HK_A_ROLE, 23, HK_U64, 0, 0) /* enum hk_role */                                                        \
    X(HK_A_EPOCH, 24, HK_U64, 0, 0)                                                                          \
    X(HK_A_LAST_USE, 25, HK_U64, 0, 0)   /* of this device's halves, seconds since 1970; 0 never */          \
    X(HK_A_LOG_TIME, 26, HK_U64, 0, 0)   /* when the log was last verified; 0 never */                       \
    X(HK_A_LOG_SIZE, 27, HK_U64, 0, 0)   /* leaves in the verified head */                                   \
    X(HK_A_GENERATION, 28, HK_U64, 0, 0) /* of the log */                                                    \
    X(HK_A_WARNING, 29, HK_U64, 0, 0)    /* when a stale copy of this device was last seen */                \
    X(HK_A_HAS_PASSPHRASE, 30, HK_U64, 0, 0)                                                                 \
    X(HK_A_TIMEOUT, 31, HK_U64, 0, 0) /* seconds until the agent locks itself */                             \
    X(HK_A_PID, 32, HK_U64, 0, 0)                                                                            \
    X(HK_A_DEVICES, 33, HK_U64, 0, 0)  /* devices in the profile */                                          \
    X(HK_A_ROWS, 34, HK_LIST, 1, 2048) /* see the rows below */                                              \
    X(HK_A_CODE, 35, HK_TSTR, 1, 1024) /* an invitation's code */                                            \
    X(HK_A_EXPIRES, 36, HK_U64, 0, 0)                                                                        \
    X(HK_A_WORDS, 37, HK_TSTR, 1, 128) /* six words of the handshake; or twelve of a revocation code */      \
    X(HK_A_APPROVE, 38, HK_U64, 0, 0)  /* 1 yes, 0 no */                                                     \
    X(HK_A_CERTIFICATE, 39, HK_BSTR, 1, 4096) /* a revocation certificate, COSE_Sign1 */                     \
    X(HK_A_START, 40, HK_U64, 0, 0)                                                                          \
    X(HK_A_COUNT, 41, HK_U64, 0, 0)                                                                          \
    X(HK_A_ONLINE, 42, HK_U64, 0, 0) /* 1: ask the service too; 2: only where keys may be handed over */     \
    X(HK_A_NAME, 43, HK_TSTR, 1, 64) /* a new name */                                                        \
    X(HK_A_UNUSED_SECONDS, 44, HK_U64, 0, 0) /* since the last command */                                    \
    X(HK_A_ROOT, 45, HK_BSTR, 32, 32)                                                                        \
    X(HK_A_MUST_REFRESH, 46, HK_U64, 0, 0)                                                                   \
    X(HK_A_PROFILE, 47, HK_BSTR, 1, 60000)   /* the signed profile as this device last verified it */        \
    X(HK_A_CHECK, 48, HK_U64, 0, 0)          /* what came of asking the service, enum hk_error */            \
    X(HK_A_SUSPENDED, 49, HK_LIST, 1, 64)    /* names of devices that are suspended, as the log has it */    \
    X(HK_A_TWEAK_ROOT, 50, HK_BSTR, 0, 32)   /* BIP-341 Merkle root; empty: no scripts (BIP-86) */           \
    X(HK_A_RECOVERY, 51, HK_U64, 0, 0)       /* which key of four an ECDSA signature recovers to */          \
    X(HK_A_SSH_SOCKET, 52, HK_TSTR, 1, 128)  /* where SSH's clients find the agent */                        \
    X(HK_A_SSH_PROBLEM, 53, HK_TSTR, 1, 256) /* why they do not */                                           \
    X(HK_A_INDICES, 54, HK_LIST, 1, 1)       /* of holders, from 1 */                                        \
    X(HK_A_REQUEST, 56, HK_BSTR, 1, 2048)    /* protocol/recovery.h */                                       \
    X(HK_A_CONTRIBUTIONS, 57, HK_LIST, 1, 60000) /* likewise */                                              \
    X(HK_A_ATTACHMENT, 58, HK_BSTR, 0, HK_ATTACHMENT_MAX)                                                    \
    X(HK_A_REFUSED, 59, HK_TSTR, 1, 128) /* why the service's profile was not taken over */                  \
    X(HK_A_HOLDERS, 60, HK_LIST, 32, 32) /* X25519 keys; their names are KEYS */                             \
    X(HK_A_THRESHOLD, 61, HK_U64, 0, 0)

enum hk_agent_field {
#define HK_AGENT_FIELD_ENUM(id, number, type, min, max) id = number,
    HK_AGENT_FIELDS(HK_AGENT_FIELD_ENUM)
#undef HK_AGENT_FIELD_ENUM
        HK_AGENT_FIELD_COUNT
};

enum hk_agent_state {
    HK_AGENT_EMPTY = 0,     /* no account here */
    HK_AGENT_SEALED = 1,    /* there is an account; its file is sealed */
    HK_AGENT_UNLOCKED = 2,  /* halves are in memory */
    HK_AGENT_UNFINISHED = 3 /* unlocked; init or join was cut short: run it again */
};

/* What the agent can be asked. `needs` says in which state: B before there is an account, L also while
 * locked, U unlocked, A unlocked on an administrator's device. Fields in [brackets] are optional; what is
 * before the arrow goes to the agent, what is behind comes back.
 *
 * X(identifier, number, name, needs, required request fields as HK_BIT) */
#define B HK_BIT
#define HK_AGENT_OPS(X)                                                                                      \
    /* [ONLINE] -> STATE PID TIMEOUT [SSH_SOCKET] [SSH_PROBLEM]; with an account: HAS_PASSPHRASE; unlocked   \
     * also ACCOUNT DEVICE SERIAL SERVICE ROLE EPOCH DEVICES ROWS (keys, as KEY_LIST) LAST_USE LOG_TIME      \
     * LOG_SIZE GENERATION PROFILE [WARNING] [SUSPENDED], WORDS of this device's own revocation code. ONLINE \
     * verifies the log first, and takes over a newer profile; CHECK says what came of it: on an error the   \
     * rest is as last known */                                                                              \
    X(HK_AGENT_STATUS, 1, "status", 'L', 0)                                                                  \
    /* [PASSPHRASE] -> nothing. A file without a passphrase unlocks by itself at the first need. */          \
    X(HK_AGENT_UNLOCK, 2, "unlock", 'L', 0)                                                                  \
    X(HK_AGENT_LOCK, 3, "lock", 'L', 0)                                                                      \
    /* [PASSPHRASE] (the old one) [NEW_PASSPHRASE] -> nothing */                                             \
    X(HK_AGENT_PASSPHRASE, 4, "passphrase", 'L', 0)                                                          \
    X(HK_AGENT_STOP, 5, "stop", 'L', 0)                                                                      \
    /* SERVICE DEVICE [PASSPHRASE] -> ACCOUNT SERIAL CERTIFICATE WORDS. The same again goes on where an      \
     * earlier one was cut. */                                                                               \
    X(HK_AGENT_INIT, 6, "init", 'B', B(HK_A_SERVICE) | B(HK_A_DEVICE))                                       \
    /* KEY SUITE -> PUBLIC CREATED */                                                                        \
    X(HK_AGENT_KEY_CREATE, 7, "key create", 'A', B(HK_A_KEY) | B(HK_A_SUITE))                                \
    /* KEY SUITE SECRET (x25519: the private key, clamped or not; ed25519: the seed of RFC 8032) [CREATED]   \
     * (when the key was made, where that is known: now, otherwise) -> PUBLIC CREATED */                     \
    X(HK_AGENT_KEY_IMPORT, 8, "key import", 'A', B(HK_A_KEY) | B(HK_A_SUITE) | B(HK_A_SECRET))               \
    /* [ONLINE] -> ROWS, each a struct hk_agent_key_row; the account key is not among them. ONLINE looks     \
     * first, where the service is there, whether there is a newer profile; CHECK says what came of it */    \
    X(HK_AGENT_KEY_LIST, 9, "key list", 'U', 0)                                                              \
    /* KEY -> PUBLIC SUITE CREATED; also what `export` needs */                                              \
    X(HK_AGENT_KEY_PUBLIC, 10, "key export", 'U', B(HK_A_KEY))                                               \
    /* POINTS [KEY] [PROVE] -> KEYS RESULTS. Without KEY: every x25519 key, in the order of KEYS; RESULTS    \
     * has for each key one result per point, one key after the other. One request to the service a key. */  \
    X(HK_AGENT_AGREE, 11, "agree", 'U', B(HK_A_POINTS))                                                      \
    /* KEY KIND MESSAGE [NAMESPACE] -> SIGNATURE PUBLIC. MESSAGE is what is signed, whole: for SSHSIG the    \
     * blob that begins with "SSHSIG", for a login the request of RFC 4252, section 7; for OPENPGP as        \
     * hk_openpgp_to_sign has it. */                                                                         \
    X(HK_AGENT_SIGN, 12, "sign", 'U', B(HK_A_KEY) | B(HK_A_KIND) | B(HK_A_MESSAGE))                          \
    /* -> EPOCH */                                                                                           \
    X(HK_AGENT_REFRESH, 13, "refresh", 'U', 0)                                                               \
    /* -> CODE EXPIRES */                                                                                    \
    X(HK_AGENT_INVITE, 14, "device invite", 'A', 0)                                                          \
    /* -> DEVICE WORDS. Waits until a device has joined with the code, or HK_TIMEOUT when it expires. */     \
    X(HK_AGENT_APPROVE_BEGIN, 15, "device approve", 'A', 0)                                                  \
    /* APPROVE -> with yes: DEVICE SERIAL CERTIFICATE WORDS (the printed form of its revocation code). Waits \
     * until the new device is active. */                                                                    \
    X(HK_AGENT_APPROVE_CONFIRM, 16, "device approve", 'A', B(HK_A_APPROVE))                                  \
    /* CODE DEVICE (this device's name) [PASSPHRASE] -> WORDS ACCOUNT. Waits for the administrator. */       \
    X(HK_AGENT_JOIN_BEGIN, 17, "device join", 'B', B(HK_A_CODE) | B(HK_A_DEVICE))                            \
    /* -> ACCOUNT SERIAL CERTIFICATE WORDS. Waits until the administrator has said yes, and finishes; again  \
     * after a crash (then without JOIN_BEGIN before it). */                                                 \
    X(HK_AGENT_JOIN_FINISH, 18, "device join", 'L', 0)                                                       \
    /* -> ROWS, each a struct hk_agent_device_row */                                                         \
    X(HK_AGENT_DEVICE_LIST, 19, "device list", 'U', 0)                                                       \
    /* DEVICE NAME -> nothing */                                                                             \
    X(HK_AGENT_DEVICE_RENAME, 20, "device rename", 'A', B(HK_A_DEVICE) | B(HK_A_NAME))                       \
    /* DEVICE -> SERIAL */                                                                                   \
    X(HK_AGENT_DEVICE_REVOKE, 21, "device revoke", 'A', B(HK_A_DEVICE))                                      \
    /* [START] [COUNT] -> ROWS (encoded struct hk_leaf, read with hk_leaf_decode), START SIZE as LOG_SIZE,   \
     * GENERATION. Without START: the last COUNT (default 50). Every leaf shown is proved to be in the       \
     * verified tree. */                                                                                     \
    X(HK_AGENT_LOG, 22, "log", 'U', 0)                                                                       \
    /* -> GENERATION LOG_SIZE ROOT LOG_TIME ACCOUNT. Asks for the head and checks all of it, own uses and    \
     * other devices' latest reports included. */                                                            \
    X(HK_AGENT_LOG_VERIFY, 23, "log --verify", 'U', 0)                                                       \
    /* Goes on with a new generation of the log, after its user has said yes -> as LOG_VERIFY */             \
    X(HK_AGENT_LOG_ACCEPT, 24, "log accept", 'A', 0)                                                         \
    /* DEVICE -> nothing */                                                                                  \
    X(HK_AGENT_DEVICE_SUSPEND, 25, "device suspend", 'A', B(HK_A_DEVICE))                                    \
    X(HK_AGENT_DEVICE_RESUME, 26, "device resume", 'A', B(HK_A_DEVICE))                                      \
    /* CODE: another device's head (head_text.h) -> this one's, as LOG_VERIFY, and in COUNT the entries of   \
     * the other's, once one of the two is proved to extend the other */                                     \
    X(HK_AGENT_LOG_AGAINST, 27, "log --against", 'U', B(HK_A_CODE))                                          \
    /* KEY -> nothing. Erases it at the service and here, and takes it out of the profile */                 \
    X(HK_AGENT_KEY_DELETE, 28, "key delete", 'A', B(HK_A_KEY))                                               \
    /* KEY NAME (of the new key) -> PUBLIC CREATED SUITE. A new key with a signed link from the old one */   \
    X(HK_AGENT_KEY_ROTATE, 29, "key rotate", 'A', B(HK_A_KEY) | B(HK_A_NAME))                                \
    /* KEY -> MESSAGE (the statement of the link, as text), [SIGNATURE] by the old key, SUITE of the old one \
     */                                                                                                      \
    X(HK_AGENT_KEY_LINK, 30, "key link", 'U', B(HK_A_KEY))                                                   \
    /* THRESHOLD HOLDERS KEYS (their names) -> COUNT (keys dealt). The set is then in the state folder too   \
     */                                                                                                      \
    X(HK_AGENT_RECOVERY_CREATE, 31, "recovery create", 'A',                                                  \
      B(HK_A_THRESHOLD) | B(HK_A_HOLDERS) | B(HK_A_KEYS))                                                    \
    /* -> COUNT. Fetches the set into the state folder */                                                    \
    X(HK_AGENT_RECOVERY_EXPORT, 32, "recovery export", 'U', 0)                                               \
    /* SERVICE ACCOUNT -> COUNT. The same as a stranger, before there is an account here */                  \
    X(HK_AGENT_RECOVER_FETCH, 33, "recover", 'B', B(HK_A_SERVICE) | B(HK_A_ACCOUNT))                         \
    /* SERVICE DEVICE INDICES [PASSPHRASE] -> REQUEST. From the set in the state folder; again, the same one \
     */                                                                                                      \
    X(HK_AGENT_RECOVER_BEGIN, 34, "recover", 'B', B(HK_A_SERVICE) | B(HK_A_DEVICE) | B(HK_A_INDICES))        \
    /* [CONTRIBUTIONS] [PASSPHRASE] -> ACCOUNT SERIAL CERTIFICATE WORDS COUNT (keys) */                      \
    X(HK_AGENT_RECOVER_FINISH, 35, "recover", 'B', 0)                                                        \
    /* KEY NAME [ATTACHMENT] -> nothing. Puts a key's public attachment of that name into the profile, or    \
     * takes it away. */                                                                                     \
    X(HK_AGENT_ATTACH, 36, "attach", 'A', B(HK_A_KEY) | B(HK_A_NAME))                                        \
    /* KEY NAME -> ATTACHMENT, or HK_NOT_FOUND */                                                            \
    X(HK_AGENT_ATTACHMENT, 37, "attachment", 'U', B(HK_A_KEY) | B(HK_A_NAME))                                \
    /* DEVICE -> EXPIRES. Asks for the promotion; if it is due, hands the account's key over */              \
    X(HK_AGENT_DEVICE_PROMOTE, 40, "device promote", 'A', B(HK_A_DEVICE))                                    \
    /* -> ROWS: struct hk_agent_change_row */                                                                \
    X(HK_AGENT_CHANGES, 41, "changes", 'U', 0)                                                               \
    /* KIND DEVICE -> nothing */                                                                             \
    X(HK_AGENT_CHANGE_APPROVE, 42, "changes approve", 'A', B(HK_A_KIND) | B(HK_A_DEVICE))                    \
    X(HK_AGENT_CHANGE_CANCEL, 43, "changes cancel", 'A', B(HK_A_KIND) | B(HK_A_DEVICE))                      \
    /* DEVICE -> COUNT: keys that wait for it now */                                                         \
    X(HK_AGENT_DEVICE_UPDATE, 38, "device update", 'A', B(HK_A_DEVICE))

enum hk_agent_op {
#define HK_AGENT_OP_ENUM(id, number, name, needs, required) id = number,
    HK_AGENT_OPS(HK_AGENT_OP_ENUM)
#undef HK_AGENT_OP_ENUM
};
#undef B

/* A request or an answer. Large: keep it off the stack. What it points to belongs to the caller. */
struct hk_agent_message {
    hk_field_set present; /* HK_BIT of each field it has */
    struct hk_value value[HK_AGENT_FIELD_COUNT];
    struct hk_bytes pool[HK_AGENT_ITEMS_MAX];
    size_t pooled;
};

void hk_agent_message_init(struct hk_agent_message *message);
void hk_agent_set_u64(struct hk_agent_message *message, enum hk_agent_field field, uint64_t number);
void hk_agent_set_bytes(struct hk_agent_message *message, enum hk_agent_field field, const void *data,
                        size_t size);
void hk_agent_set_text(struct hk_agent_message *message, enum hk_agent_field field, const char *text);
/* Adds one element to a list; elements of one list must be added one after the other. False if full. */
bool hk_agent_add(struct hk_agent_message *message, enum hk_agent_field field, const void *data, size_t size);
bool hk_agent_has(const struct hk_agent_message *message, enum hk_agent_field field) HK_CHECK;
/* A number, 0 if absent. */
uint64_t hk_agent_u64(const struct hk_agent_message *message, enum hk_agent_field field) HK_CHECK;
/* Copies a text into `out` with a final zero; "" if absent or longer than max - 1 bytes. */
void hk_agent_text(const struct hk_agent_message *message, enum hk_agent_field field, char *out, size_t max);

/* Deterministic CBOR; HK_TOO_LARGE if it does not fit, HK_BAD_ENCODING for a value outside its row. */
HK_CHECK enum hk_error hk_agent_encode(const struct hk_agent_message *message, uint8_t *out, size_t max,
                                       size_t *size);
HK_CHECK enum hk_error hk_agent_decode(struct hk_agent_message *message, const uint8_t *data, size_t size);

/* ---- rows of lists, each an encoded map in HK_A_ROWS ---- */
struct hk_agent_key_row {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite;
    char name[HK_NAME_MAX + 1];
    uint64_t created;
    uint8_t public_key[HK_FORM_BYTES_MAX]; /* as the world knows it, see struct hk_suite; zeros behind it */
    size_t public_size;
    bool imported; /* was whole before */
    bool here;     /* this device holds a half of it */
    uint8_t
        policy[HK_ATTACHMENT_MAX]; /* what SSH's clients may use it for, ssh_policy.h; size 0: none is set */
    size_t policy_size;
};
struct hk_agent_device_row {
    uint8_t serial[HK_ID_BYTES];
    char name[HK_NAME_MAX + 1];
    enum hk_role role;
    bool is_this;                 /* the device that was asked */
    bool in_profile;              /* false: revoked, and no longer listed */
    enum hk_device_status status; /* 0 if the service did not say */
    uint64_t epoch, last_use, uses, stale_copy_seen;
    uint64_t reported; /* time of the latest log head that it signed; 0 none seen */
};
HK_CHECK enum hk_error hk_agent_key_row_encode(const struct hk_agent_key_row *row, uint8_t *out, size_t max,
                                               size_t *size);
HK_CHECK enum hk_error hk_agent_key_row_decode(struct hk_agent_key_row *out, struct hk_bytes encoded);
HK_CHECK enum hk_error hk_agent_device_row_encode(const struct hk_agent_device_row *row, uint8_t *out,
                                                  size_t max, size_t *size);
HK_CHECK enum hk_error hk_agent_device_row_decode(struct hk_agent_device_row *out, struct hk_bytes encoded);

struct hk_agent_change_row {
    enum hk_change_kind kind;
    char device[HK_NAME_MAX + 1], asker[HK_NAME_MAX + 1];
    uint64_t due;
};
HK_CHECK enum hk_error hk_agent_change_row_encode(const struct hk_agent_change_row *row, uint8_t *out,
                                                  size_t max, size_t *size);
HK_CHECK enum hk_error hk_agent_change_row_decode(struct hk_agent_change_row *out, struct hk_bytes encoded);

/* ---- frames on a stream socket ---- */
/* Writes a whole frame; HK_IO if the other side is gone. */
HK_CHECK enum hk_error hk_agent_send(int fd, const uint8_t *data, size_t size);
/* Reads a frame of at most `max` bytes. HK_NOT_FOUND at a clean end, HK_IO at any other, HK_TOO_LARGE,
 * HK_TIMEOUT after timeout_ms without a byte (0: never). */
HK_CHECK enum hk_error hk_agent_receive(int fd, uint8_t *out, size_t max, size_t *size, int timeout_ms);

#endif
