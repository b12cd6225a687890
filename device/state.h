/* state.h - what a device keeps: its account, keys with their halves, its place in every change that is under
 * way. In locked memory while unlocked; in one sealed file otherwise.
 *
 * The file is `folder`/ACCOUNT.share, ACCOUNT being 16 hexadecimal digits of the account (zeros until there
 * is one). It is replaced as a whole: new file, fsync, rename, fsync of the folder. The content is
 * deterministic CBOR under XChaCha20-Poly1305; the key comes from the passphrase through Argon2id with the
 * parameters in the file's head, or, without a passphrase, from the head itself, which then says so. One
 * process, the agent, reads and writes it under the folder's lock. A state is plain data: who has the pointer
 * has to hold the agent's gate (agent_core.h). */
#ifndef HALFKEY_DEVICE_STATE_H
#define HALFKEY_DEVICE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/ring_pedersen.h"
#include "crypto/paillier.h"
#include "crypto/hash.h"
#include "crypto/suite.h"
#include "device/home.h"
#include "protocol/handover.h"
#include "protocol/object.h"
#include "protocol/recovery.h"

#define HK_STATE_CERTIFICATES (2 * HK_DEVICES)
#define HK_STATE_FILE_MAX (1024 * 1024)
#define HK_STATE_PROOF_MAX 114

/* How far this device is. Numbers are in the file. */
enum hk_state_phase {
    HK_PHASE_CREATING = 1, /* init: account key pending; ask create-status */
    HK_PHASE_FOUNDING = 2, /* init: account made, its record, certificate or profile 1 not yet signed */
    HK_PHASE_JOINING = 3,  /* join: d2 of every key pending, enrol-confirm not answered */
    HK_PHASE_ACTIVE = 4,
    HK_PHASE_RECOVERING =
        5 /* recover: halves wait for holders' contributions, or recover-finish for its answer */
};

enum hk_key_state { HK_KEY_PENDING = 1, HK_KEY_ACTIVE = 2 };

/* What a key for two-party ECDSA has besides its half: N and C of the service's set-up, checked. Public. */
struct hk_state_ecdsa {
    size_t n_bytes; /* 0: there is none yet */
    uint64_t made;  /* seconds since 1970 */
    uint8_t n[HK_PAILLIER_N_BYTES_MAX], cipher[HK_PAILLIER_CIPHER_BYTES_MAX];
};

/* A key and this device's half of it. Points and scalars are encoded as the suite's group does. */
struct hk_state_key {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite, purpose;
    char name[HK_NAME_MAX + 1];
    uint64_t created;
    bool imported;
    enum hk_key_state state;
    bool profiled;                                  /* a signed profile lists it */
    uint8_t transcript[HK_NAME_BYTES];              /* t3 */
    uint8_t public_key[HK_POINT_BYTES_MAX];         /* X */
    uint8_t service_point[HK_POINT_BYTES_MAX];      /* S, at the current epoch */
    struct hk_scalar half;                          /* d */
    struct hk_scalar next_half;                     /* d', while a refresh is confirmed */
    uint8_t next_service_point[HK_POINT_BYTES_MAX]; /* S' */
    struct hk_state_ecdsa ecdsa;                    /* of suite secp256k1-ecdsa */
    bool is_successor; /* came in the place of `successor_of` and is not profiled yet */
    uint8_t successor_of[HK_ID_BYTES];
};

/* A refresh under way; 0: none. */
enum hk_refresh_stage {
    HK_REFRESH_NONE = 0,
    HK_REFRESH_ASKED = 1,  /* seed_d is stored; the service may or may not have it */
    HK_REFRESH_STORED = 2, /* d', tag' are stored beside d: only refresh-confirm may be sent */
};
struct hk_state_refresh {
    enum hk_refresh_stage stage;
    struct hk_secret32 device_seed, service_seed;
    uint8_t new_tag[HK_TAG_BYTES];
};

/* The last refresh-confirm that was answered, to be repeated once if the service has forgotten it. It names
 * the epoch before the current one; its proofs tell nothing of the halves. */
struct hk_state_confirm {
    bool kept;
    uint8_t old_tag[HK_TAG_BYTES];
    size_t count; /* of proofs */
    size_t proof_size[HK_KEYS_MAX];
    uint8_t proof[HK_KEYS_MAX][HK_STATE_PROOF_MAX];
};

/* A signed revocation certificate. */
struct hk_state_certificate {
    uint8_t serial[HK_ID_BYTES];
    bool revoked; /* used: shown to the service again at next contact */
    bool has_code;
    uint8_t code[16]; /* the printed form; kept only for this device itself */
    size_t size;
    uint8_t bytes[HK_SMALL_OBJECT_MAX];
};

/* The enrolment of another device that this administrator has begun: kept from before `enrol` until the new
 * device is in the profile and the refresh after it is done. */
struct hk_state_enrolment {
    bool open;
    uint8_t serial[HK_ID_BYTES];
    uint64_t expires; /* seconds since 1970: the service forgets it then, if the device did not confirm */
    size_t record_size, certificate_size;
    uint8_t record[HK_SMALL_OBJECT_MAX], certificate[HK_SMALL_OBJECT_MAX];
};

/* What this device has left with the service, so that keys which are made later can be handed over to it
 * (protocol/handover.h), and what it was handed. */
enum hk_hand_stage {
    HK_HAND_NONE = 0,
    HK_HAND_OPEN = 1,  /* a deposit is made; the service may or may not have it */
    HK_HAND_STORED = 2 /* new halves are here; hand-confirm is not answered */
};
struct hk_state_handed {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite;
    struct hk_scalar half;                     /* d, secret */
    uint8_t service_point[HK_POINT_BYTES_MAX]; /* S */
};
struct hk_state_hand {
    enum hk_hand_stage stage;
    uint8_t administrator[HK_ID_BYTES]; /* for whom the deposit is */
    struct hk_secret32 ephemeral;       /* of message 1, which is made again from it; wiped at STORED */
    size_t deposit_size;
    uint8_t deposit[HK_HAND_DEPOSIT_MAX];
    uint8_t transcript[HK_NAME_BYTES]; /* from STORED on */
    size_t count;
    struct hk_state_handed key[HK_KEYS_MAX]; /* sorted by id */
};

/* What the log says of another device: the latest signed head of it, and whether it is stopped. */
struct hk_state_report {
    uint8_t serial[HK_ID_BYTES];
    bool suspended; /* as the log has it */
    struct hk_log_head head;
};

/* What this device has verified of the log. */
struct hk_state_log {
    struct hk_log_head head; /* the last verified one; generation 0: none yet */
    bool stopped;            /* a new generation waits for the user's yes */
    size_t report_count;
    struct hk_state_report report[HK_DEVICES];
};

/* About 500 KiB, from hk_secret_new. */
struct hk_state {
    enum hk_state_phase phase;
    /* the account; zero while HK_PHASE_CREATING */
    uint8_t account[HK_ACCOUNT_BYTES];
    /* the service */
    char address[HK_ADDRESS_MAX + 1];
    uint8_t service_key[32], identity_key[32];
    /* this device */
    uint8_t serial[HK_ID_BYTES];
    char name[HK_NAME_MAX + 1];
    enum hk_role role;
    uint64_t created;
    struct hk_secret32 static_key; /* X25519, the channel's */
    uint8_t static_public[32];
    struct hk_secret64 report_key; /* Ed25519, libsodium's form (seed and public key) */
    uint8_t report_public[32];
    size_t record_size; /* its signed record; 0 while there is none */
    uint8_t record[HK_SMALL_OBJECT_MAX];
    /* its epoch */
    uint64_t epoch;
    uint8_t tag[HK_TAG_BYTES];
    bool must_refresh; /* after an enrolment or a hand-over that this device made */
    struct hk_state_refresh refresh;
    struct hk_state_confirm confirm;
    uint64_t refreshed, uses; /* when the last refresh was (0: never), and uses since */
    uint64_t last_use, stale_copy_seen;
    /* pending join: what enrol-confirm names; while recovering, what recover-finish names (zero before it) */
    uint8_t join_transcript[HK_NAME_BYTES];
    bool recovered; /* came from recovery holders: its first profile lists it alone, its first log head is
                       the first that it sees */
    size_t recovery_size; /* while recovering: the request to holders, encoded */
    uint8_t recovery[HK_RECOVERY_REQUEST_MAX];
    struct hk_state_enrolment enrolment;
    struct hk_state_hand hand;
    struct hk_state_log log;
    /* devices that are known to have halves: each must prove one before it is handed more */
    size_t holder_count;
    uint8_t holder[HK_DEVICES][HK_ID_BYTES];
    size_t certificate_count;
    struct hk_state_certificate certificate[HK_STATE_CERTIFICATES];
    bool has_ring; /* the service's ring-Pedersen modulus, its proof checked */
    uint8_t ring[HK_RING_PUBLIC_BYTES];
    size_t key_count;
    struct hk_state_key key[HK_KEYS_MAX]; /* sorted by id, none twice */
    /* the last verified profile, as it was received; size 0 while there is none */
    uint64_t profile_version;
    const char
        *profile_refused; /* in memory alone: why the last one that was looked at was not taken; NULL */
    size_t profile_size;
    uint8_t profile[HK_PAYLOAD_MAX + 512];
};

/* ---- in memory ---- */

/* Zeroed; HK_NO_MEMORY. Freed, wiped, by hk_state_free; NULL is allowed. */
HK_CHECK enum hk_error hk_state_new(struct hk_state **out);
void hk_state_free(struct hk_state *state);

/* Fresh channel and report keys, serial, and creation time for a device of this name and role. */
void hk_state_make_device(struct hk_state *state, const char *name, enum hk_role role);

/* The key with this id or name; NULL if there is none. The account's own key by its suite. */
struct hk_state_key *hk_state_key_by_id(struct hk_state *state, const uint8_t id[HK_ID_BYTES]) HK_CHECK;
struct hk_state_key *hk_state_key_by_name(struct hk_state *state, const char *name) HK_CHECK;
struct hk_state_key *hk_state_account_key(struct hk_state *state) HK_CHECK;
/* The key with this public key or its negative, which BIP-340 does not tell apart; NULL. */
const struct hk_state_key *hk_state_key_by_point(const struct hk_state *state, const struct hk_group *group,
                                                 const struct hk_point *point) HK_CHECK;
/* Puts a zeroed key with this id in its place; NULL if there are HK_KEYS_MAX or it is there already. */
struct hk_state_key *hk_state_add_key(struct hk_state *state, const uint8_t id[HK_ID_BYTES]) HK_CHECK;
/* Wipes a key and closes the gap. */
void hk_state_remove_key(struct hk_state *state, struct hk_state_key *key);

/* Whether this device is handed keys by another one: it is no administrator, or has left a deposit with one.
 */
bool hk_state_is_handed_keys(const struct hk_state *state) HK_CHECK;

/* Whether a device is known to have halves; and that it is. The list is of devices that come and go: when it
 * is full the oldest is forgotten. */
bool hk_state_is_holder(const struct hk_state *state, const uint8_t serial[HK_ID_BYTES]) HK_CHECK;
void hk_state_add_holder(struct hk_state *state, const uint8_t serial[HK_ID_BYTES]);

/* The certificate of a device; NULL if none is kept. */
struct hk_state_certificate *hk_state_certificate(struct hk_state *state,
                                                  const uint8_t serial[HK_ID_BYTES]) HK_CHECK;
/* Keeps a certificate (replacing the same device's); `code` may be NULL. HK_TOO_LARGE if it is too long or
 * there are too many. */
HK_CHECK enum hk_error hk_state_keep_certificate(struct hk_state *state, const uint8_t serial[HK_ID_BYTES],
                                                 const void *bytes, size_t size, const uint8_t *code);

/* Verifies a signed profile and takes it over: HK_BAD_SIGNATURE, HK_BAD_ENCODING; HK_CONFLICT if it is older
 * than the one here, is another one of the same version, does not name the one before where it is the next,
 * names another service than this device's, or lists a device that this one knows to be revoked; the sentence
 * is then in state->profile_refused. Names and
 * `profiled` of keys follow it, and keys that a profile listed and this one does not are wiped (while a
 * refresh is under way, after it: hk_state_drop_deleted). `profile` (may be NULL) gets the decoded form;
 * large, off the stack. */
HK_CHECK enum hk_error hk_state_take_profile(struct hk_state *state, const void *bytes, size_t size,
                                             struct hk_profile *profile);
/* Wipes the keys that the present profile no longer lists; nothing while a refresh is under way. */
HK_CHECK enum hk_error hk_state_drop_deleted(struct hk_state *state);
/* Decodes the profile that is here; HK_NOT_FOUND if there is none. */
HK_CHECK enum hk_error hk_state_profile(const struct hk_state *state, struct hk_profile *out);

/* ---- the file ---- */

/* How the file is sealed. In memory from hk_secret_new, as part of the agent. */
struct hk_state_seal {
    bool has_passphrase;
    uint8_t salt[16];
    uint64_t operations, memory; /* Argon2id's; 0 without a passphrase */
    struct hk_secret32 key;
};

/* A new seal with a fresh salt; passphrase NULL: none. HK_NO_MEMORY. */
HK_CHECK enum hk_error hk_state_seal_make(struct hk_state_seal *seal, const void *passphrase, size_t size);

/* Whether there is a file, and whether it needs a passphrase. HK_NO_ACCOUNT if there is none; HK_IO with a
 * sentence in `reason` if it cannot be used (permissions as ssh checks them); HK_CONFLICT if there are
 * several accounts in one folder. */
HK_CHECK enum hk_error hk_state_look(const struct hk_home *home, bool *has_passphrase, char reason[256]);

/* Reads and opens the file. *state is new, *seal as the file has it. HK_BAD_PASSPHRASE if the passphrase
 * (NULL: none) is not the one or the file was changed; otherwise as hk_state_look. */
HK_CHECK enum hk_error hk_state_read(struct hk_state **state, struct hk_state_seal *seal,
                                     const struct hk_home *home, const void *passphrase, size_t size,
                                     char reason[256]);

/* Writes the state durably under `seal`; a fresh nonce each time. When it returns HK_OK the new state is on
 * disk, when it fails the old one is. `seam` names the write for tests that crash around it: HK_SEAM points
 * "SEAM/before" and "SEAM/after". */
HK_CHECK enum hk_error hk_state_write(const struct hk_state *state, const struct hk_state_seal *seal,
                                      const struct hk_home *home, const char *seam);

/* Removes the file (an account that was never finished). */
HK_CHECK enum hk_error hk_state_remove(const struct hk_home *home);

/* The content as the file has it before it is sealed, and back; strict. Secret. For hk_state_write and tests.
 */
HK_CHECK enum hk_error hk_state_encode(const struct hk_state *state, uint8_t *out, size_t max, size_t *size);
HK_CHECK enum hk_error hk_state_decode(struct hk_state *out, const uint8_t *data, size_t size);

#endif
