/* redistribute.h - new holders for an old key: one mechanism for enrolment, moving, recovery and spreading.
 *
 * Old holders have additive contributions w_i with sum x, and public W_i = [w_i]B (a Shamir holder's w_i is
 * lambda_i * x_i, see hk_shamir_contribution). Each deals: it splits w_i among the new holders, additively or
 * by a polynomial of degree t - 1, publishes commitments, and sends each sub-share to its receiver alone. A
 * new holder checks everything and adds up. X never changes and x is nowhere. (Feldman 1987; Desmedt and
 * Jajodia 1997; Wong, Wang and Wing 2002.)
 *
 * The W_i that a dealing is held against must come from SOMEBODY ELSE THAN THE DEALER: the signed profile, or
 * X minus what another party vouches for. That is why they are arguments of their own. Before anybody
 * activates anything, all parties compare the transcript, which fixes the whole plan and all commitments.
 *
 * enrolment.h is the composition for a new device. */
#ifndef HALFKEY_CRYPTO_REDISTRIBUTE_H
#define HALFKEY_CRYPTO_REDISTRIBUTE_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"

#define HK_HOLDERS_MAX 16

/* A holder. `name` says who (a hash, a key, a serial padded with zeros), `index` where its Shamir share lies;
 * the index counts mod n and is 0 where the sharing is additive. */
struct hk_holder {
    uint8_t name[HK_NAME_BYTES];
    uint64_t index;
};

enum hk_sharing { HK_SHARING_ADDITIVE = 1, HK_SHARING_THRESHOLD = 2 };

/* What all parties agree on before a secret moves. Public. */
struct hk_plan {
    const struct hk_group *group;
    uint8_t public_key[HK_POINT_BYTES_MAX]; /* X, encoded */
    enum hk_sharing sharing;                /* among the new holders */
    size_t threshold;                       /* t; new_count where the sharing is additive */
    uint64_t epoch;
    size_t old_count, new_count; /* 1 to HK_HOLDERS_MAX */
    struct hk_holder old_holders[HK_HOLDERS_MAX], new_holders[HK_HOLDERS_MAX];
    struct hk_known *known; /* of one party, over several calls; NULL: each call has its own */
};

/* What one old holder publishes: encoded commitments, untrusted. Additive: [u_j]B for each new holder j.
 * Threshold: [a_0]B .. [a_{t-1}]B of the coefficients, the constant term first; u_j = sum of a_k * index_j^k.
 */
struct hk_dealing {
    size_t count;
    uint8_t commitments[HK_HOLDERS_MAX][HK_POINT_BYTES_MAX];
};

/* Holds a plan against the rules: X strictly encoded (HK_BAD_POINT), counts and 1 <= t <= n, additive t = n,
 * names distinct within each set, indices of a threshold sharing non-zero and distinct mod n, additive ones 0
 * (HK_BAD_ENCODING). All functions below do this first. */
HK_CHECK enum hk_error hk_plan_check(const struct hk_plan *plan);

/* Old holder: splits its contribution.
 *
 *   dealing       to be published
 *   subshares     new_count scalars, secret: the j-th for the j-th new holder alone
 *   contribution  w_i, not zero (HK_BAD_SCALAR); constant time */
HK_CHECK enum hk_error hk_redistribute_deal(struct hk_dealing *dealing, struct hk_scalar *subshares,
                                            const struct hk_plan *plan, const struct hk_scalar *contribution);

/* Anybody: checks all dealings (old_count) against the W_i (old_count, from another source than the dealers):
 * exact number of commitments (HK_BAD_ENCODING), each strictly encoded (HK_BAD_POINT), constant terms, or the
 * sum of an additive dealing, equal to W_i and their sum to X (HK_BAD_PROOF). */
HK_CHECK enum hk_error hk_redistribute_check(const struct hk_plan *plan, const struct hk_dealing *dealings,
                                             const struct hk_point *contributions);

/* New holder `receiver` (its place in new_holders): checks dealings as above and its sub-shares, and adds up.
 *
 *   share      the new share
 *   subshares  old_count scalars, decoded strictly; the i-th from the i-th old holder
 *
 * HK_BAD_PROOF if a sub-share does not match its commitments; HK_AGAIN if the share is zero: start over. */
HK_CHECK enum hk_error hk_redistribute_receive(struct hk_scalar *share, const struct hk_plan *plan,
                                               size_t receiver, const struct hk_dealing *dealings,
                                               const struct hk_point *contributions,
                                               const struct hk_scalar *subshares);

/* The public point of a new holder's share, from dealings that were checked. HK_BAD_POINT or HK_BAD_ENCODING
 * if they were not; HK_AGAIN if it is the identity. */
HK_CHECK enum hk_error hk_redistribute_point(struct hk_point *point, const struct hk_plan *plan,
                                             size_t receiver, const struct hk_dealing *dealings);

/* (Of X only the bytes matter here: it is not decoded.)
 * H("redistribute", context, suite's group name, X, sharing, t, epoch, both holder sets, all commitments).
 * `context` (HK_NAME_BYTES) is whatever else the parties must agree on. The dealings' counts must be right:
 * HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_redistribute_transcript(uint8_t transcript[HK_NAME_BYTES],
                                                  const struct hk_plan *plan,
                                                  const struct hk_dealing *dealings,
                                                  const uint8_t context[HK_NAME_BYTES]);

/* -- Shamir sharing -- */

/* lambda_i = product over j != i of index_j / (index_j - index_i) mod n, for the holder at place `which` of
 * `count` indices. HK_BAD_ENCODING unless all are non-zero and distinct mod n. */
HK_CHECK enum hk_error hk_lagrange(struct hk_scalar *out, const struct hk_group *group,
                                   const uint64_t *indices, size_t count, size_t which);

/* w_i = lambda_i * x_i: the additive contribution of a Shamir holder among these `count`. Constant time in
 * x_i. */
HK_CHECK enum hk_error hk_shamir_contribution(struct hk_scalar *out, const struct hk_group *group,
                                              const uint64_t *indices, size_t count, size_t which,
                                              const struct hk_scalar *share);

/* The same in the exponent, and the sum over all: sum of [lambda_i]X_i. */
HK_CHECK enum hk_error hk_shamir_contribution_point(struct hk_point *out, const struct hk_group *group,
                                                    const uint64_t *indices, size_t count, size_t which,
                                                    const struct hk_point *share);
HK_CHECK enum hk_error hk_shamir_combine(struct hk_point *out, const struct hk_group *group,
                                         const uint64_t *indices, const struct hk_point *shares,
                                         size_t count);

#endif
