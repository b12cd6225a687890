/* recoveries.h - recoveries under way, from recover-start to recover-finish: in memory only, in locked pages.
 *
 * A run belongs to the session that began it, by its handshake hash, and is for one use. There are few, they
 * are short, and they are looked at under one lock; the oldest gives way when there are too many. */
#ifndef HALFKEY_KEYSERVICE_RECOVERIES_H
#define HALFKEY_KEYSERVICE_RECOVERIES_H

#include "crypto/secret.h"
#include "keyservice/store.h"
#include "protocol/recovery.h"

#define HK_RECOVERIES_MAX 32
#define HK_RECOVERY_SECONDS 600

struct hk_recovering_key {
    uint8_t id[HK_ID_BYTES];
    const struct hk_suite *suite;
    struct hk_scalar half; /* s' */
    struct hk_point device_point;
    uint8_t transcript[HK_NAME_BYTES], set_transcript[HK_NAME_BYTES];
    size_t packet_size;
    uint8_t *packet; /* on the heap */
};

/* In memory from hk_secret_new. */
struct hk_recovering {
    struct hk_recovering *next;
    uint8_t handshake[HK_HASH_BYTES];
    uint64_t began;
    struct hk_recovery_request request;
    uint8_t request_hash[32], report_key[32];
    bool is_known; /* the service has this account */
    uint8_t *signed_profile;
    size_t profile_size;
    uint8_t profile_hash[32];
    struct hk_profile *profile; /* on the heap */
    size_t count;
    struct hk_recovering_key key[HK_KEYS_MAX]; /* sorted by id: they come so */
};

struct hk_recoveries;
struct hk_recoveries *hk_recoveries_new(void) HK_CHECK; /* NULL: no memory */
void hk_recoveries_free(struct hk_recoveries *recoveries);

/* An empty run with room for a profile; HK_BUSY without locked memory. */
HK_CHECK enum hk_error hk_recovering_new(struct hk_recovering **out);
void hk_recovering_free(void *run); /* struct hk_recovering; NULL is allowed */

/* Keeps a run, in place of one that its session has. HK_BUSY if there are too many and all are young. */
HK_CHECK enum hk_error hk_recoveries_keep(struct hk_recoveries *recoveries, struct hk_recovering *run,
                                          uint64_t now);
/* Takes the session's run out: the caller's. NULL if it has none. */
struct hk_recovering *hk_recoveries_take(struct hk_recoveries *recoveries,
                                         const uint8_t handshake[HK_HASH_BYTES]) HK_CHECK;
/* Forgets what has expired. */
void hk_recoveries_sweep(struct hk_recoveries *recoveries, uint64_t now);

#endif
