/* store.h - everything the service keeps, behind one interface: accounts, devices, keys, sealed halves,
 * profiles, certificates, revocations and the log.
 *
 * All functions work on a transaction, struct hk_txn. Reading transactions may be used by many threads, each
 * its own, and see one unchanging state; the only writing transactions are those of the writer
 * (keyservice/writer.h), which are durable before anybody hears of them. Behind it is SQLite; no SQL and no
 * type of SQLite is seen outside keyservice/store*.c. Invitations, runs of key generation and half-done
 * enrolments live in the service's memory only: they end with it, by design.
 *
 * A half is never stored in the clear: it is sealed under its device's wrapping key, which lives in the slot
 * file (keyservice/slots.h) and nowhere else; epoch tags and seeds likewise. These functions take and give
 * them unsealed, in memory of the caller, who wipes it.
 *
 * Unless a function says otherwise: account 64 bytes, serials and key ids 16, keys, points and hashes 32,
 * tags 16; times are seconds since 1970. Every function may return HK_INTERNAL when the disk or the database
 * fails. In a writing transaction an error undoes nothing by itself: return it from the entry's apply, and
 * the writer does. */
#ifndef HALFKEY_KEYSERVICE_STORE_H
#define HALFKEY_KEYSERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/secret.h"
#include "protocol/handover.h"
#include "protocol/message.h"
#include "protocol/object.h"

#define HK_STORE_DEVICES_MAX HK_DEVICES /* devices of one account that are not revoked */
#define HK_STORE_ROWS_MAX 512           /* devices of one account, revoked ones included */
#define HK_STORE_PROOFS_MAX (HK_KEYS_MAX * 114)
#define HK_STORE_PROFILE_MAX 60000
#define HK_STORE_OBJECT_MAX 4096 /* a record, a certificate */

struct hk_store;
struct hk_txn;

struct hk_account {
    uint8_t id[HK_ACCOUNT_BYTES];
    uint64_t created;
    uint64_t profile_version; /* 0: no profile yet, so the account is erased after 24 h */
    uint8_t profile_hash[32]; /* of the current profile; meaningless at version 0 */
};

struct hk_device {
    uint8_t serial[HK_ID_BYTES];
    uint8_t account[HK_ACCOUNT_BYTES];
    uint8_t static_key[32];
    uint8_t report_key[32];
    uint8_t code_hash[32]; /* H("revoke/code", code); all zero: none yet */
    uint8_t enrolment[32]; /* hash of the enrolment's transcript; all zero for the first device */
    char name[HK_NAME_MAX + 1];
    enum hk_role role;
    enum hk_device_status state;
    uint64_t created;
    uint64_t epoch;
    uint8_t tag_hash[32];   /* set by the store; ask hk_store_tag_is */
    uint64_t pending_epoch; /* 0: none */
    uint64_t last_use, uses;
    uint64_t stale_seen; /* when a stale copy was last seen; 0: never */
    bool must_refresh;
    int64_t slot; /* the store's own; -1 when there is none */
};

struct hk_key {
    uint8_t id[HK_ID_BYTES];
    uint8_t account[HK_ACCOUNT_BYTES];
    uint64_t suite;                         /* enum hk_suite_id */
    uint64_t purpose;                       /* enum hk_purpose */
    uint8_t public_key[HK_POINT_BYTES_MAX]; /* X; zeros behind it */
    uint8_t transcript[32];                 /* t3 of its making */
    char name[HK_NAME_MAX + 1];
    uint64_t created;
    bool imported;
};

/* One key's half. An array of these is secret: hk_secret_new, or wiped. */
struct hk_half {
    uint8_t key[HK_ID_BYTES];
    struct hk_scalar half;
};

/* What a refresh under way keeps beside the new halves. Secret: seeds rank with halves. */
struct hk_pending {
    uint64_t epoch;   /* the new one */
    uint64_t created; /* when */
    struct hk_secret32 seed_device, seed_service;
    uint8_t tag[HK_TAG_BYTES]; /* of the new epoch */
    size_t proofs_size;
    uint8_t
        proofs[HK_STORE_PROOFS_MAX]; /* the answer's proofs one after the other, so that it can be repeated */
};

/* -- reading ------------------------------------------------------------------------------------------------
 */

/* Begins a reading transaction on one of the store's connections; waits for a free one, never for a commit.
 * End it soon with hk_store_read_end: an open one holds back the erasure of old pages. */
HK_CHECK enum hk_error hk_store_read_begin(struct hk_store *store, struct hk_txn **txn);
void hk_store_read_end(struct hk_txn *txn);

/* -- accounts -----------------------------------------------------------------------------------------------
 */

/* HK_NOT_FOUND if there is none. */
HK_CHECK enum hk_error hk_store_get_account(struct hk_txn *txn, const uint8_t *id,
                                            struct hk_account *account);

/* Stores an account with its first device (whose epoch is 1, with `tag`), its account key and this device's
 * half of it: slot first, then the rows. HK_CONFLICT if the account, the device's static key or serial is
 * known. */
HK_CHECK enum hk_error hk_store_put_account(struct hk_txn *txn, const struct hk_account *account,
                                            const struct hk_device *device, const uint8_t *tag,
                                            const struct hk_key *key, const struct hk_scalar *half);

/* Writes up to `max` ids (64 bytes each) of accounts without a profile made before `before`; their number to
 * *count. */
HK_CHECK enum hk_error hk_store_expired_accounts(struct hk_txn *txn, uint64_t before, uint8_t *ids,
                                                 size_t max, size_t *count);

/* Erases an account with all it has, slots included (a change of generation, as a revocation is). */
HK_CHECK enum hk_error hk_store_delete_account(struct hk_txn *txn, const uint8_t *id);

/* -- keys
 * ---------------------------------------------------------------------------------------------------- */

/* Adds a key and the half of it that belongs to the pair with device `serial` at its current epoch. HK_EXISTS
 * if the account has a key of that name, HK_CONFLICT if it has that id with another content (the same key
 * again is HK_OK and changes nothing), HK_OVER_QUOTA above HK_KEYS_MAX, HK_LOCKED while the device has a
 * pending epoch. */
HK_CHECK enum hk_error hk_store_put_key(struct hk_txn *txn, const struct hk_key *key, const uint8_t *serial,
                                        const struct hk_scalar *half);

/* Erases a key and every device's half of it, and the pending epochs of all devices of the account, which
 * cover it. HK_UNKNOWN_KEY if the account has none with this id. */
HK_CHECK enum hk_error hk_store_delete_key(struct hk_txn *txn, const uint8_t *account, const uint8_t *id);

/* HK_UNKNOWN_KEY if the account has none with this id. */
HK_CHECK enum hk_error hk_store_get_key(struct hk_txn *txn, const uint8_t *account, const uint8_t *id,
                                        struct hk_key *key);

/* The key of any account with this id and transcript t3 (for create-status); HK_UNKNOWN_RUN if there is none.
 */
HK_CHECK enum hk_error hk_store_find_key(struct hk_txn *txn, const uint8_t *id, const uint8_t *transcript,
                                         struct hk_key *key);

/* Writes the account's keys, sorted by id, at most `max` (HK_KEYS_MAX is enough); their number to *count. */
HK_CHECK enum hk_error hk_store_list_keys(struct hk_txn *txn, const uint8_t *account, struct hk_key *keys,
                                          size_t max, size_t *count);

/* -- devices
 * -------------------------------------------------------------------------------------------------- */

/* Each returns HK_UNKNOWN_DEVICE if there is none. Revoked devices are found too: look at the state. The same
 * machine enrolled again has a new serial and a new static key. */
HK_CHECK enum hk_error hk_store_get_device(struct hk_txn *txn, const uint8_t *serial,
                                           struct hk_device *device);
HK_CHECK enum hk_error hk_store_get_device_by_key(struct hk_txn *txn, const uint8_t *static_key,
                                                  struct hk_device *device);
HK_CHECK enum hk_error hk_store_get_device_by_code(struct hk_txn *txn, const uint8_t *code_hash,
                                                   struct hk_device *device);
HK_CHECK enum hk_error hk_store_get_device_by_enrolment(struct hk_txn *txn, const uint8_t *account,
                                                        const uint8_t *transcript, struct hk_device *device);

/* The account's devices in order of creation, revoked ones included, at most `max`; their number to *count.
 */
HK_CHECK enum hk_error hk_store_list_devices(struct hk_txn *txn, const uint8_t *account,
                                             struct hk_device *devices, size_t max, size_t *count);

/* Enrols a further device: slot first, then its row (active, epoch 1 with `tag`) and its `count` halves.
 * HK_CONFLICT if its serial or static key is known, HK_REVOKED if its serial was revoked before it came,
 * HK_OVER_QUOTA above HK_STORE_DEVICES_MAX, HK_UNKNOWN_KEY if a half is of no key of the account. */
HK_CHECK enum hk_error hk_store_add_device(struct hk_txn *txn, const struct hk_device *device,
                                           const uint8_t *tag, const struct hk_half *halves, size_t count);

/* Sets one thing of a device each; HK_UNKNOWN_DEVICE if there is none. */
HK_CHECK enum hk_error hk_store_count_use(struct hk_txn *txn, const uint8_t *serial, uint64_t uses,
                                          uint64_t now);
HK_CHECK enum hk_error hk_store_set_must_refresh(struct hk_txn *txn, const uint8_t *serial, bool must);
HK_CHECK enum hk_error hk_store_set_stale_seen(struct hk_txn *txn, const uint8_t *serial, uint64_t now);
HK_CHECK enum hk_error hk_store_set_name(struct hk_txn *txn, const uint8_t *serial, const char *name);
HK_CHECK enum hk_error hk_store_set_code_hash(struct hk_txn *txn, const uint8_t *serial, const uint8_t *hash);
/* Active to suspended and back; HK_REVOKED for a revoked device. */
HK_CHECK enum hk_error hk_store_set_suspended(struct hk_txn *txn, const uint8_t *serial, bool suspended);

/* -- halves and epochs
 * ------------------------------------------------------------------------------------------ */

/* True if `tag` is that of the device's current epoch; constant time. */
bool hk_store_tag_is(const struct hk_device *device, const uint8_t *tag) HK_CHECK;

/* The tag of the device's current epoch, secret. HK_REVOKED if its slot is erased. */
HK_CHECK enum hk_error hk_store_get_tag(struct hk_txn *txn, const struct hk_device *device, uint8_t *tag);

/* The service's half of `key` for this device at its current epoch. HK_UNKNOWN_KEY if the device has no pair
 * for it, HK_REVOKED if its slot is erased, HK_AUTH if what is stored does not open. `half` is secret. */
HK_CHECK enum hk_error hk_store_get_half(struct hk_txn *txn, const struct hk_device *device,
                                         const struct hk_key *key, struct hk_scalar *half);

/* A device and one of its keys with the half of it, decoded: what a share operation needs of the store. The
 * store keeps those used of late in locked memory, and forgets all of them when a commit revokes, erases,
 * suspends or refreshes any device, before anybody hears of that commit. What comes from here may be that
 * much out of date: the writer holds the device's row against it again before anything is released. Secret:
 * wipe it.
 *
 * hk_store_pair_mark goes before the hk_store_read_begin of the transaction in which a pair is read; a pair
 * that was read before the last forgetting is not kept. Only for keys that the account's profile may use. Any
 * thread. */
struct hk_pair {
    struct hk_device device;
    struct hk_key key;
    struct hk_scalar half;
};
bool hk_store_pair_find(struct hk_store *store, const uint8_t *static_key, const uint8_t *key,
                        struct hk_pair *out) HK_CHECK;
uint64_t hk_store_pair_mark(struct hk_store *store) HK_CHECK;
void hk_store_pair_keep(struct hk_store *store, uint64_t mark, const struct hk_pair *pair);

/* All halves of the device at its current epoch, or at the pending one, sorted by key id; at most `max`
 * (HK_KEYS_MAX is enough), their number to *count. Errors as above. */
HK_CHECK enum hk_error hk_store_get_halves(struct hk_txn *txn, const struct hk_device *device, bool pending,
                                           struct hk_half *halves, size_t max, size_t *count);

/* Stores a pending epoch (current + 1, else HK_CONFLICT) with the new half of every key of the device; one
 * that is there already is replaced and erased. HK_CONFLICT unless `halves` covers exactly the device's keys.
 */
HK_CHECK enum hk_error hk_store_put_pending(struct hk_txn *txn, const uint8_t *serial,
                                            const struct hk_pending *pending, const struct hk_half *halves,
                                            size_t count);

/* HK_NOT_FOUND if there is none. `pending` is secret: 15 KiB, from hk_secret_new or wiped. */
HK_CHECK enum hk_error hk_store_get_pending(struct hk_txn *txn, const struct hk_device *device,
                                            struct hk_pending *pending);

/* Makes the pending epoch the current one and erases the old halves, tag and seeds; clears must_refresh.
 * HK_NOT_FOUND if there is none pending. */
HK_CHECK enum hk_error hk_store_activate_pending(struct hk_txn *txn, const uint8_t *serial);

/* Erases the pending epoch; nothing to do is HK_OK. */
HK_CHECK enum hk_error hk_store_drop_pending(struct hk_txn *txn, const uint8_t *serial);

/* -- two-party ECDSA (store_ecdsa.c)
 * -------------------------------------------------------------------------------------------- */

#define HK_STORE_ECDSA_MAX 1544 /* wraps, a Paillier key's secret, C */

/* Keeps `size` secret bytes beside the half of `key` for this device at `epoch`, sealed under the device's
 * wrapping key, in place of what was there. They go when the half goes. HK_UNKNOWN_KEY if there is no such
 * half. */
HK_CHECK enum hk_error hk_store_put_ecdsa(struct hk_txn *txn, const struct hk_device *device, uint64_t epoch,
                                          const uint8_t *key, const void *plain, size_t size);
/* Reads them at the device's current epoch: HK_STORE_ECDSA_MAX bytes of room, secret. HK_NOT_FOUND if the
 * pair has no set-up; HK_REVOKED, HK_AUTH as for halves. */
HK_CHECK enum hk_error hk_store_get_ecdsa(struct hk_txn *txn, const struct hk_device *device,
                                          const uint8_t *key, uint8_t *plain, size_t *size);

/* Erases the set-ups of all devices of an account, those of pending epochs too: each asks for a new one. */
HK_CHECK enum hk_error hk_store_drop_ecdsa(struct hk_txn *txn, const uint8_t *account);

/* The service's ring-Pedersen modulus, sealed by the caller, and its proof. HK_NOT_FOUND; a second put
 * changes nothing. */
HK_CHECK enum hk_error hk_store_get_ring(struct hk_txn *txn, uint8_t *sealed, size_t sealed_max,
                                         size_t *sealed_size, uint8_t *proof, size_t proof_max,
                                         size_t *proof_size);
HK_CHECK enum hk_error hk_store_put_ring(struct hk_txn *txn, const void *sealed, size_t sealed_size,
                                         const void *proof, size_t proof_size);
/* Erases it with every set-up of every device, whose names have it in them. */
HK_CHECK enum hk_error hk_store_drop_ring(struct hk_txn *txn);

/* -- keys for a device that was enrolled before them (store_hands.c)
 * -------------------------------------------------------------------------------------------- */

#define HK_STORE_HAND_MAX 65536   /* the service's part of a hand-over, in the caller's form */
#define HK_STORE_BUNDLE_MAX 32768 /* the administrator's, sealed end to end */

/* What is kept for one device. Public. */
struct hk_hand {
    uint8_t admin[HK_ID_BYTES];
    size_t deposit_size; /* 0: it has been used, or dropped by a refresh */
    uint8_t deposit[HK_HAND_DEPOSIT_MAX];
    bool waits; /* a hand-over under `transcript` is there */
    uint8_t transcript[32];
    bool has_done; /* the last one that was confirmed */
    uint8_t done[32];
};
/* HK_NOT_FOUND if there is nothing. */
HK_CHECK enum hk_error hk_store_get_hand(struct hk_txn *txn, const uint8_t *serial, struct hk_hand *hand);
/* A new deposit; what waited for the one before is erased. */
HK_CHECK enum hk_error hk_store_put_deposit(struct hk_txn *txn, const uint8_t *serial, const uint8_t *admin,
                                            const uint8_t *deposit, size_t size);
/* A hand-over for the present deposit, in place of one that waits. `plain` is secret, and sealed under the
 * device's wrapping key for this transcript. HK_NOT_FOUND without a deposit, HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_store_put_hand(struct hk_txn *txn, const struct hk_device *device,
                                         const uint8_t *transcript, const void *plain, size_t size,
                                         const void *bundle, size_t bundle_size);
/* Reads both parts: room for HK_STORE_HAND_MAX (secret) and HK_STORE_BUNDLE_MAX. HK_NOT_FOUND if none waits
 * under this transcript; HK_REVOKED, HK_AUTH as for halves. */
HK_CHECK enum hk_error hk_store_read_hand(struct hk_txn *txn, const struct hk_device *device,
                                          const uint8_t *transcript, uint8_t *plain, size_t *size,
                                          uint8_t *bundle, size_t *bundle_size);
/* Makes the halves of the one that waits the device's at its current epoch, in place of older ones of the
 * same keys; deposit and hand-over are erased, its transcript is remembered. HK_LOCKED while the device has a
 * pending epoch. */
HK_CHECK enum hk_error hk_store_end_hand(struct hk_txn *txn, const struct hk_device *device,
                                         const struct hk_half *halves, size_t count);
/* The account's keys of which the device has no half at its current epoch: sorted ids, room for HK_KEYS_MAX.
 * The account's own is among them if the device's promotion is due. */
HK_CHECK enum hk_error hk_store_missing_keys(struct hk_txn *txn, const struct hk_device *device, uint64_t now,
                                             uint8_t (*ids)[HK_ID_BYTES], size_t *count);

/* -- changes that wait (store_changes.c)
 * ------------------------------------------------------------------------------------------- */

/* Keeps a change, in place of the one of its kind about the same device. HK_OVER_QUOTA above HK_CHANGES. */
HK_CHECK enum hk_error hk_store_put_change(struct hk_txn *txn, const uint8_t *account,
                                           const struct hk_change *change);
/* HK_NOT_FOUND if there is none, or it was to be used until before `now`. */
HK_CHECK enum hk_error hk_store_get_change(struct hk_txn *txn, const uint8_t *account,
                                           enum hk_change_kind kind, const uint8_t *subject, uint64_t now,
                                           struct hk_change *change);
/* HK_NEEDS_APPROVAL unless such a change is due. */
HK_CHECK enum hk_error hk_store_change_is_due(struct hk_txn *txn, const uint8_t *account,
                                              enum hk_change_kind kind, const uint8_t *subject, uint64_t now);
/* HK_NOT_FOUND if there was none. */
HK_CHECK enum hk_error hk_store_drop_change(struct hk_txn *txn, const uint8_t *account,
                                            enum hk_change_kind kind, const uint8_t *subject);
/* All that may still be used; room for HK_CHANGES. */
HK_CHECK enum hk_error hk_store_list_changes(struct hk_txn *txn, const uint8_t *account, uint64_t now,
                                             struct hk_change *changes, size_t *count);
HK_CHECK enum hk_error hk_store_set_role(struct hk_txn *txn, const uint8_t *serial, enum hk_role role);

/* -- recovery sets (store_recovery.c)
 * ------------------------------------------------------------------------------------------- */

#define HK_STORE_PACKET_MAX 6000

/* Keeps a key's packet of a set, in place of one that is there. HK_UNKNOWN_KEY. */
HK_CHECK enum hk_error hk_store_put_packet(struct hk_txn *txn, const uint8_t *account, const uint8_t *key,
                                           const uint8_t *set, const uint8_t *transcript, const void *packet,
                                           size_t size);
/* The transcript of a key's packet; of the account's own key where `key` is NULL. HK_NOT_FOUND. */
HK_CHECK enum hk_error hk_store_get_packet_transcript(struct hk_txn *txn, const uint8_t *account,
                                                      const uint8_t *key, const uint8_t *set,
                                                      uint8_t *transcript);
/* The n-th packet of a set, by key id, at most HK_STORE_PACKET_MAX bytes. HK_NOT_FOUND behind the last. */
HK_CHECK enum hk_error hk_store_get_packet(struct hk_txn *txn, const uint8_t *account, const uint8_t *set,
                                           uint64_t n, uint8_t *out, size_t *size);
/* Erases the packets of all sets but this one; of all if it is NULL. */
HK_CHECK enum hk_error hk_store_keep_set(struct hk_txn *txn, const uint8_t *account, const uint8_t *set);
/* Makes a profile the current one of an account that has none, at whatever version. HK_CONFLICT if it has
 * one. */
HK_CHECK enum hk_error hk_store_adopt_profile(struct hk_txn *txn, const uint8_t *account, uint64_t version,
                                              const uint8_t *hash, const void *profile, size_t size);

/* -- revocation
 * ------------------------------------------------------------------------------------------------ */

/* Marks a device revoked, erases its halves, tag and pending epoch and the account's set-ups for ECDSA, keeps
 * the `certificate` (size 0: by code) and has the writer overwrite its slot before the entry is done. A
 * serial that the store does not know is remembered, so that it cannot be enrolled. HK_OK, changing nothing,
 * if it is revoked already. */
HK_CHECK enum hk_error hk_store_revoke_device(struct hk_txn *txn, const uint8_t *account,
                                              const uint8_t *serial, const void *certificate, size_t size,
                                              uint64_t now);

/* *revoked: whether a revocation of this serial is stored. */
HK_CHECK enum hk_error hk_store_is_revoked(struct hk_txn *txn, const uint8_t *serial, bool *revoked);

/* -- signed objects
 * -------------------------------------------------------------------------------------------- */

/* Makes `profile` the account's current one if `version` is the current version + 1 and `previous` (32 bytes;
 * NULL for version 1) is the current one's hash; HK_OK, changing nothing, if it is the current one already;
 * else HK_CONFLICT. What is in it, and its signature, is the caller's to check. */
HK_CHECK enum hk_error hk_store_put_profile(struct hk_txn *txn, const uint8_t *account, uint64_t version,
                                            const uint8_t *previous, const uint8_t *hash, const void *profile,
                                            size_t size);

/* Copies the current profile: at most `max` bytes to `out`, its length to *size. HK_NOT_FOUND if there is
 * none. */
HK_CHECK enum hk_error hk_store_get_profile(struct hk_txn *txn, const uint8_t *account, uint8_t *out,
                                            size_t max, size_t *size);

/* A device's revocation certificate, kept from its enrolment; a second put replaces. */
HK_CHECK enum hk_error hk_store_put_certificate(struct hk_txn *txn, const uint8_t *account,
                                                const uint8_t *serial, const void *certificate, size_t size);
HK_CHECK enum hk_error hk_store_get_certificate(struct hk_txn *txn, const uint8_t *serial, uint8_t *out,
                                                size_t max, size_t *size);

/* A device's signed record, likewise. */
HK_CHECK enum hk_error hk_store_put_record(struct hk_txn *txn, const uint8_t *account, const uint8_t *serial,
                                           const void *record, size_t size);
HK_CHECK enum hk_error hk_store_get_record(struct hk_txn *txn, const uint8_t *serial, uint8_t *out,
                                           size_t max, size_t *size);

#endif
