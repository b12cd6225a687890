#include "crypto/cosign.h"

#include <string.h>

#include "crypto/random.h"

enum { DEVICE = 0, SERVICE = 1 }; /* places in the list; identifiers are one more */

/* One nonce, see the header. `device` is the device's entry for the service's nonces, NULL for the device's
 * own. */
static void derive(struct hk_scalar *out, const struct hk_cosign *request, const struct hk_scalar *half,
                   const uint8_t random[32], const uint8_t *digest, const struct hk_frost_commitment *device,
                   uint64_t number)
{
    const struct hk_frost_suite *suite = request->suite;
    size_t scalar = suite->group->scalar_bytes, point = suite->group->point_bytes;
    struct hk_hash hash;
    uint8_t seed[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(hash);
    HK_WIPE_AT_EXIT(seed);
    hk_hash_init(&hash, device != NULL ? "frost/service" : "frost/device", device != NULL ? 11 : 8);
    hk_hash_add(&hash, random, 32);
    hk_hash_add(&hash, half->bytes, scalar);
    hk_hash_add(&hash, request->request_id, HK_COSIGN_ID_BYTES);
    hk_hash_add(&hash, digest, suite->digest_bytes);
    if (device != NULL) {
        hk_hash_add(&hash, device->identifier.bytes, scalar);
        hk_hash_add(&hash, device->hiding, point);
        hk_hash_add(&hash, device->binding, point);
    }
    hk_hash_add(&hash, request->group_key, point);
    hk_hash_add(&hash, request->key_id, HK_COSIGN_ID_BYTES);
    hk_hash_add_u64(&hash, request->epoch);
    hk_hash_add_u64(&hash, number);
    hk_hash_final(&hash, seed);
    suite->hash_to_scalar(out, suite, "nonce", &HK_BYTES(seed, sizeof(seed)), 1);
}

static enum hk_error commit(struct hk_frost_nonces *nonces, const struct hk_cosign *request,
                            const struct hk_scalar *half, const uint8_t *digest,
                            const struct hk_frost_commitment *device)
{
    struct hk_frost_identifier identifier;
    struct hk_scalar scalars[2];
    uint8_t random[32];
    HK_WIPE_AT_EXIT(scalars);
    HK_WIPE_AT_EXIT(random);
    hk_random(random, sizeof(random));
    derive(&scalars[0], request, half, random, digest, device, 1);
    derive(&scalars[1], request, half, random, digest, device, 2);
    hk_frost_identifier_set(&identifier, request->suite, device != NULL ? SERVICE + 1 : DEVICE + 1);
    return hk_frost_commit_to(nonces, request->suite, &identifier, &scalars[0], &scalars[1]);
}

/* The other side's two commitments as they came. */
static void load_entry(struct hk_frost_commitment *out, const struct hk_frost_suite *suite,
                       uint64_t identifier, const uint8_t *commitments)
{
    size_t point = suite->group->point_bytes;
    memset(out, 0, sizeof(*out));
    hk_frost_identifier_set(&out->identifier, suite, identifier);
    memcpy(out->hiding, commitments, point);
    memcpy(out->binding, commitments + point, point);
}

static void store_entry(uint8_t *commitments, const struct hk_frost_suite *suite,
                        const struct hk_frost_commitment *entry)
{
    size_t point = suite->group->point_bytes;
    memcpy(commitments, entry->hiding, point);
    memcpy(commitments + point, entry->binding, point);
}

/* A peer that shows our own commitments back to us is a mirror or holds our nonces. */
static bool share_a_point(const struct hk_frost_suite *suite, const struct hk_frost_commitment *a,
                          const struct hk_frost_commitment *b)
{
    size_t point = suite->group->point_bytes;
    return memcmp(a->hiding, b->hiding, point) == 0 || memcmp(a->hiding, b->binding, point) == 0 ||
           memcmp(a->binding, b->hiding, point) == 0 || memcmp(a->binding, b->binding, point) == 0;
}

enum hk_error hk_cosign_under(struct hk_cosign *request, struct hk_frost_key *key, const uint8_t *public_key,
                              const struct hk_bytes *root)
{
    request->group_key = public_key;
    request->key = NULL;
    if (request->suite->signing_key == NULL) {
        return root == NULL ? HK_OK : HK_WRONG_PURPOSE;
    }
    enum hk_error error = request->suite->signing_key(key, public_key, root);
    if (error == HK_OK) {
        request->group_key = key->group_key;
        request->key = key;
    }
    return error;
}

/* What a half counts for under the key that is signed with; the device alone brings the tweak in. */
static void contribution(struct hk_scalar *out, const struct hk_cosign *request, const struct hk_scalar *half,
                         int own)
{
    const struct hk_group *group = request->suite->group;
    *out = *half;
    if (request->key == NULL) {
        return;
    }
    if (request->key->negated) {
        struct hk_scalar zero;
        group->scalar_set(&zero, 0);
        group->scalar_sub(out, &zero, out);
    }
    if (own == DEVICE) {
        group->scalar_add(out, out, &request->key->tweak);
    }
}

/* What both sides compute once the list is complete, seen from place `own` with its nonces. */
struct round {
    struct hk_scalar nonce;     /* hiding + binding * factor of the own side: secret */
    struct hk_point other;      /* the other side's commitment */
    struct hk_point commitment; /* R */
    struct hk_scalar challenge;
};

/* R = other + [nonce]B: the own nonces are known, so their part costs one multiplication of the base point.
 */
static enum hk_error compute(struct round *round, const struct hk_cosign *request, const uint8_t *digest,
                             const struct hk_frost_nonces *nonces, const struct hk_frost_commitment list[2],
                             int own)
{
    const struct hk_frost_suite *suite = request->suite;
    const struct hk_group *group = suite->group;
    struct hk_scalar factors[2];
    if (share_a_point(suite, &list[DEVICE], &list[SERVICE])) {
        return HK_BAD_POINT;
    }
    hk_frost_binding_factors(factors, suite, request->group_key, digest, list, 2);
    enum hk_error error = hk_frost_signer_commitment(&round->other, suite, &factors[!own], &list[!own]);
    if (error != HK_OK) {
        return error;
    }
    group->scalar_mul(&round->nonce, &nonces->binding, &factors[own]);
    group->scalar_add(&round->nonce, &round->nonce, &nonces->hiding);
    group->base_mul(&round->commitment, &round->nonce);
    group->point_add(&round->commitment, &round->commitment, &round->other);
    HK_PUBLIC(round->commitment); /* R: anybody computes it from the two sides' commitments */
    if (group->point_is_identity(&round->commitment)) {
        return HK_BAD_POINT;
    }
    if (hk_frost_make_even(&round->commitment, suite)) {
        struct hk_scalar zero;
        struct hk_point identity;
        group->scalar_set(&zero, 0);
        group->scalar_sub(&round->nonce, &zero, &round->nonce);
        group->point_identity(&identity);
        group->point_sub(&round->other, &identity, &round->other);
    }
    hk_frost_challenge(&round->challenge, suite, &round->commitment, request->group_key, request->message,
                       request->size);
    return HK_OK;
}

enum hk_error hk_cosign_begin(struct hk_frost_nonces *nonces, uint8_t *commitments,
                              const struct hk_cosign *request, const struct hk_scalar *half)
{
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    hk_frost_message_digest(digest, request->suite, request->message, request->size);
    enum hk_error error = commit(nonces, request, half, digest, NULL);
    if (error == HK_OK) {
        store_entry(commitments, request->suite, &nonces->commitment);
    }
    return error;
}

enum hk_error hk_cosign_answer(uint8_t *commitments, uint8_t *share, const struct hk_cosign *request,
                               const struct hk_scalar *half, const uint8_t *device)
{
    const struct hk_group *group = request->suite->group;
    struct hk_frost_commitment list[2];
    struct hk_frost_nonces nonces;
    struct round round;
    struct hk_scalar z, w;
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(nonces);
    HK_WIPE_AT_EXIT(round);
    HK_WIPE_AT_EXIT(z);
    HK_WIPE_AT_EXIT(w);
    hk_frost_message_digest(digest, request->suite, request->message, request->size);
    load_entry(&list[DEVICE], request->suite, DEVICE + 1, device);
    enum hk_error error = commit(&nonces, request, half, digest, &list[DEVICE]);
    if (error != HK_OK) {
        return error;
    }
    list[SERVICE] = nonces.commitment;
    if ((error = compute(&round, request, digest, &nonces, list, SERVICE)) != HK_OK) {
        return error;
    }
    contribution(&w, request, half, SERVICE);
    group->scalar_mul(&z, &round.challenge, &w);
    group->scalar_add(&z, &z, &round.nonce);
    store_entry(commitments, request->suite, &nonces.commitment);
    memcpy(share, z.bytes, group->scalar_bytes);
    return HK_OK;
}

/* Whether the service's share is what is wrong. */
static bool share_is_wrong(const struct hk_cosign *request, const struct round *round,
                           const struct hk_point *service_point, const struct hk_scalar *z)
{
    const struct hk_group *group = request->suite->group;
    struct hk_point identity, counted = *service_point;
    if (request->key != NULL && request->key->negated) {
        group->point_identity(&identity);
        group->point_sub(&counted, &identity, &counted);
    }
    return !hk_frost_share_holds(group, z, &round->other, &round->challenge, &counted);
}

/* Adds the device's share to the service's `z` and lets the signature out only if it verifies. */
static enum hk_error finish(uint8_t *signature, const struct hk_cosign *request, const struct round *round,
                            const struct hk_scalar *half, const struct hk_point *service_point,
                            const struct hk_scalar *z)
{
    const struct hk_group *group = request->suite->group;
    uint8_t made[HK_FROST_SIGNATURE_BYTES_MAX];
    struct hk_scalar sum;
    HK_WIPE_AT_EXIT(made);
    HK_WIPE_AT_EXIT(sum);
    contribution(&sum, request, half, DEVICE);
    group->scalar_mul(&sum, &round->challenge, &sum);
    group->scalar_add(&sum, &sum, &round->nonce);
    group->scalar_add(&sum, &sum, z);
    hk_frost_put_signature(made, request->suite, &round->commitment, &sum);
    HK_PUBLIC(made); /* as a share is in RFC 9591, also where the other one was wrong: its nonce is gone */
    if (hk_frost_verify(request->suite, made, request->group_key, request->message, request->size) == HK_OK) {
        memcpy(signature, made, hk_frost_signature_bytes(request->suite));
        return HK_OK;
    }
    return share_is_wrong(request, round, service_point, z) ? HK_BAD_PROOF : HK_BAD_SIGNATURE;
}

enum hk_error hk_cosign_finish(uint8_t *signature, struct hk_frost_nonces *nonces,
                               const struct hk_cosign *request, const struct hk_scalar *half,
                               const struct hk_point *service_point, const uint8_t *commitments,
                               const uint8_t *share)
{
    struct hk_frost_nonces own;
    HK_WIPE_AT_EXIT(own);
    if (!hk_frost_take(&own, nonces)) {
        return HK_CONFLICT;
    }
    struct hk_frost_commitment list[2];
    struct round round;
    struct hk_scalar z;
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(round);
    enum hk_error error = request->suite->group->scalar_decode(&z, share);
    if (error != HK_OK) {
        return error;
    }
    hk_frost_message_digest(digest, request->suite, request->message, request->size);
    list[DEVICE] = own.commitment;
    load_entry(&list[SERVICE], request->suite, SERVICE + 1, commitments);
    if ((error = compute(&round, request, digest, &own, list, DEVICE)) != HK_OK) {
        return error;
    }
    return finish(signature, request, &round, half, service_point, &z);
}
