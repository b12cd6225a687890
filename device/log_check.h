/* log_check.h - a device holds the service to its log: heads, leaves, own uses, other devices' reports.
 *
 * The service can leave out of the log, but what it once showed it can never take back: each head must extend
 * the last one that was verified, each leaf that is shown must be in the tree, each own use must be there,
 * and what other devices say they saw must lie on the same line. Everything here is a function of the data
 * and of three questions that the caller puts to the service. Nothing is stored and nothing allocated, except
 * where it says so; HK_LOG_FORKED means that the service showed two histories. */
#ifndef HALFKEY_DEVICE_LOG_CHECK_H
#define HALFKEY_DEVICE_LOG_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/merkle.h"
#include "protocol/object.h"

#define HK_LOG_CHUNK 256 /* leaves asked for at once */

/* The proof or the leaves of an answer; spans are valid until the next question of the same kind. */
struct hk_log_answer {
    const struct hk_bytes *items;
    size_t count;
};

/* How to ask the service: log-consistency, log-inclusion, log-leaves. Whatever a function returns that is not
 * HK_OK ends the check with it. `leaves` may give fewer than asked for, but not none. */
struct hk_log_source {
    void *context;
    enum hk_error (*consistency)(void *context, uint64_t generation, uint64_t old_size, uint64_t size,
                                 struct hk_log_answer *out);
    enum hk_error (*inclusion)(void *context, uint64_t generation, uint64_t index, uint64_t size,
                               struct hk_log_answer *out);
    enum hk_error (*leaves)(void *context, uint64_t generation, uint64_t start, uint64_t count,
                            struct hk_log_answer *out);
};

/* Who looks at which account. */
struct hk_log_view {
    const uint8_t *account;           /* HK_ACCOUNT_BYTES */
    const uint8_t *identity_key;      /* 32, Ed25519: the service's, from the signed profile */
    const uint8_t *serial;            /* HK_ID_BYTES: this device */
    const struct hk_profile *profile; /* for the other devices' report keys */
};

/* The head of the empty log, which is what a device has verified before anything else. */
void hk_log_head_empty(struct hk_log_head *out, uint64_t generation);

/* Holds a signed head against the last one that was verified (`last`).
 *
 * HK_BAD_PEER if it is not signed by the service; HK_LOG_FORKED if it is smaller, of an older generation, of
 * the same size with another root, or not proved to extend `last`; HK_NEEDS_APPROVAL for a newer generation:
 * the user decides. On HK_OK `head` may become the new `last`. */
HK_CHECK enum hk_error hk_log_check_head(const struct hk_log_view *view, const struct hk_log_head *last,
                                         const struct hk_log_head *head, const uint8_t signature[64],
                                         const struct hk_log_source *source);

/* Holds two heads against each other, whichever is the longer. HK_LOG_FORKED if none is proved to extend the
 * other; HK_NOT_FOUND if they are of two generations, between which nothing can be proved. */
HK_CHECK enum hk_error hk_log_compare(const struct hk_log_head *one, const struct hk_log_head *other,
                                      const struct hk_log_source *source);

/* Gives `count` leaves from `start` on to `each`, every one proved to be in the tree of `head`, which is
 * verified. An error of `each` ends it. HK_NOT_FOUND if the range is not in the tree, HK_LOG_FORKED if what
 * the service gives is not what is in it. About 2 KiB of stack; three questions for each HK_LOG_CHUNK. */
typedef enum hk_error (*hk_log_each)(void *context, uint64_t index, struct hk_bytes encoded,
                                     const struct hk_leaf *leaf);
HK_CHECK enum hk_error hk_log_read(const struct hk_log_head *head, uint64_t start, uint64_t count,
                                   const struct hk_log_source *source, hk_log_each each, void *context);

/* One own request. */
struct hk_log_own {
    uint8_t digest[32]; /* hk_request_digest */
    bool answered;      /* its leaf must be in the log; before the answer is here it may be */
    bool found;         /* its leaf was seen; hk_log_audit sets it and never takes it back */
};

/* What one other device says that it saw. */
struct hk_log_reported {
    uint8_t serial[HK_ID_BYTES];
    bool suspended;          /* the last leaf about it says so */
    bool holds_keys;         /* a leaf in the range shows that it has halves */
    struct hk_log_head head; /* its latest signed one; size and time 0: none seen */
};

/* What an audit found. */
struct hk_log_audit {
    uint64_t own_leaves;     /* of this device's key in the range */
    uint64_t unknown_leaves; /* of those, the ones that this device did not ask for: a copy of it, or a lie */
    uint64_t profiles;       /* profiles put: there is a newer one than this device's, or the service lies */
    uint64_t deposits;       /* left by other devices: they may be waited for, or lack keys */
    uint64_t handed;         /* hand-overs to this device */
    size_t device_count;
    struct hk_log_reported devices[HK_DEVICES]; /* in the profile's order, this device included */
};

/* Checks what came since `last` (verified, as `head` is) up to `head`: that all of `own` are there, and that
 * each other device's latest report lies on the same line as `head`.
 *
 *   audit  devices' reports from earlier audits go in (all zero at first), later ones come out
 *   own    requests sent and not yet found; `answered` if that was so before `head` was asked for
 *
 * HK_LOG_FORKED if the leaf of an answered one is missing, or a report is not on the line, or is signed by
 * nobody. */
HK_CHECK enum hk_error hk_log_audit(const struct hk_log_view *view, const struct hk_log_head *last,
                                    const struct hk_log_head *head, struct hk_log_own *own, size_t own_count,
                                    const struct hk_log_source *source, struct hk_log_audit *audit);

/* Signs this device's report on a head that it has verified.
 *
 *   secret_key  64 bytes, Ed25519 as libsodium has it */
void hk_log_report(uint8_t out[HK_REPORT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES],
                   const struct hk_log_head *head, const uint8_t secret_key[64]);

#endif
