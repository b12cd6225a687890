#include "crypto/frost.h"

#include <string.h>

#include "crypto/random.h"

#define NONCES_MAGIC UINT64_C(0x686b2d66726f7374)

/* -- identifiers and lists -- */

void hk_frost_identifier_set(struct hk_frost_identifier *out, const struct hk_frost_suite *suite,
                             uint64_t value)
{
    struct hk_scalar scalar;
    memset(&scalar, 0, sizeof(scalar));
    memset(out, 0, sizeof(*out));
    suite->group->scalar_set(&scalar, value);
    memcpy(out->bytes, scalar.bytes, suite->group->scalar_bytes);
}

/* -1, 0, 1 as a is below, equal to or above b, as numbers. */
static int compare(const struct hk_frost_suite *suite, const struct hk_frost_identifier *a,
                   const struct hk_frost_identifier *b)
{
    size_t size = suite->group->scalar_bytes;
    for (size_t i = 0; i < size; i++) {
        size_t at = suite->group->big_endian ? i : size - 1 - i;
        if (a->bytes[at] != b->bytes[at]) {
            return a->bytes[at] < b->bytes[at] ? -1 : 1;
        }
    }
    return 0;
}

/* Identifiers canonical, not zero, strictly increasing. */
static enum hk_error check_list(const struct hk_frost_suite *suite, const struct hk_frost_commitment *list,
                                size_t count)
{
    struct hk_scalar ignored;
    if (count == 0 || count > HK_FROST_SIGNERS_MAX) {
        return HK_BAD_ENCODING;
    }
    for (size_t i = 0; i < count; i++) {
        enum hk_error error = hk_scalar_decode_nonzero(suite->group, &ignored, list[i].identifier.bytes);
        if (error != HK_OK) {
            return error;
        }
        if (i > 0 && compare(suite, &list[i - 1].identifier, &list[i].identifier) >= 0) {
            return HK_BAD_ENCODING;
        }
    }
    return HK_OK;
}

/* The place of an identifier in a list; count if it is not there. */
static size_t find(const struct hk_frost_suite *suite, const struct hk_frost_commitment *list, size_t count,
                   const struct hk_frost_identifier *identifier)
{
    size_t at = 0;
    while (at < count && compare(suite, &list[at].identifier, identifier) != 0) {
        at++;
    }
    return at;
}

/* lambda_i, section 4.2. */
static enum hk_error weight(struct hk_scalar *out, const struct hk_frost_suite *suite,
                            const struct hk_frost_identifier *identifier,
                            const struct hk_frost_commitment *list, size_t count)
{
    const struct hk_group *group = suite->group;
    enum hk_error error = check_list(suite, list, count);
    if (error != HK_OK) {
        return error;
    }
    size_t own = find(suite, list, count, identifier);
    if (own == count) {
        return HK_NOT_FOUND;
    }
    struct hk_scalar x, other, numerator, denominator;
    if ((error = group->scalar_decode(&x, identifier->bytes)) != HK_OK) {
        return error;
    }
    group->scalar_set(&numerator, 1);
    group->scalar_set(&denominator, 1);
    for (size_t i = 0; i < count; i++) {
        if (i == own) {
            continue;
        }
        if ((error = group->scalar_decode(&other, list[i].identifier.bytes)) != HK_OK) {
            return error;
        }
        group->scalar_mul(&numerator, &numerator, &other);
        group->scalar_sub(&other, &other, &x);
        group->scalar_mul(&denominator, &denominator, &other);
    }
    group->scalar_invert(&denominator, &denominator);
    group->scalar_mul(out, &numerator, &denominator);
    return HK_OK;
}

enum hk_error hk_frost_weigh(struct hk_scalar *out, const struct hk_frost_suite *suite,
                             const struct hk_frost_identifier *identifier,
                             const struct hk_frost_commitment *list, size_t count,
                             const struct hk_scalar *share)
{
    struct hk_scalar lambda;
    enum hk_error error = weight(&lambda, suite, identifier, list, count);
    if (error == HK_OK) {
        suite->group->scalar_mul(out, &lambda, share);
    }
    return error;
}

enum hk_error hk_frost_weigh_point(struct hk_point *out, const struct hk_frost_suite *suite,
                                   const struct hk_frost_identifier *identifier,
                                   const struct hk_frost_commitment *list, size_t count,
                                   const struct hk_point *share)
{
    struct hk_scalar lambda;
    enum hk_error error = weight(&lambda, suite, identifier, list, count);
    if (error == HK_OK) {
        suite->group->point_mul(out, &lambda, share);
    }
    return error;
}

/* -- round one -- */

enum hk_error hk_frost_commit_to(struct hk_frost_nonces *nonces, const struct hk_frost_suite *suite,
                                 const struct hk_frost_identifier *identifier, struct hk_scalar *hiding,
                                 struct hk_scalar *binding)
{
    const struct hk_group *group = suite->group;
    struct hk_scalar own[2] = {*hiding, *binding};
    HK_WIPE_AT_EXIT(own);
    hk_wipe(hiding, sizeof(*hiding));
    hk_wipe(binding, sizeof(*binding));
    if (group->scalar_is_zero(&own[0]) || group->scalar_is_zero(&own[1])) {
        return HK_BAD_SCALAR;
    }
    struct hk_point points[2];
    group->base_mul(&points[0], &own[0]);
    group->base_mul(&points[1], &own[1]);
    memset(nonces, 0, sizeof(*nonces));
    nonces->magic = NONCES_MAGIC;
    nonces->hiding = own[0];
    nonces->binding = own[1];
    nonces->commitment.identifier = *identifier;
    memcpy(nonces->commitment.hiding, points[0].bytes, group->point_bytes);
    memcpy(nonces->commitment.binding, points[1].bytes, group->point_bytes);
    HK_PUBLIC(nonces->commitment);
    return HK_OK;
}

enum hk_error hk_frost_commit(struct hk_frost_nonces *nonces, const struct hk_frost_suite *suite,
                              const struct hk_frost_identifier *identifier, const struct hk_scalar *secret,
                              const uint8_t *random)
{
    uint8_t drawn[2][HK_FROST_RANDOM_BYTES];
    struct hk_scalar scalars[2];
    HK_WIPE_AT_EXIT(drawn);
    HK_WIPE_AT_EXIT(scalars);
    if (random != NULL) {
        memcpy(drawn, random, sizeof(drawn));
    } else {
        hk_random(drawn, sizeof(drawn));
    }
    for (int i = 0; i < 2; i++) {
        struct hk_bytes list[2] = {HK_BYTES(drawn[i], HK_FROST_RANDOM_BYTES),
                                   HK_BYTES(secret->bytes, suite->group->scalar_bytes)};
        suite->hash_to_scalar(&scalars[i], suite, "nonce", list, 2);
    }
    return hk_frost_commit_to(nonces, suite, identifier, &scalars[0], &scalars[1]);
}

bool hk_frost_take(struct hk_frost_nonces *out, struct hk_frost_nonces *nonces)
{
    *out = *nonces;
    hk_wipe(nonces, sizeof(*nonces));
    return out->magic == NONCES_MAGIC;
}

/* -- round two -- */

void hk_frost_message_digest(uint8_t *digest, const struct hk_frost_suite *suite, const void *message,
                             size_t size)
{
    suite->hash(digest, suite, "msg", &HK_BYTES(message, size), 1);
}

void hk_frost_binding_factors(struct hk_scalar *factors, const struct hk_frost_suite *suite,
                              const uint8_t *group_key, const uint8_t *digest,
                              const struct hk_frost_commitment *list, size_t count)
{
    size_t scalar = suite->group->scalar_bytes, point = suite->group->point_bytes;
    struct hk_bytes encoded[3 * HK_FROST_SIGNERS_MAX] = {{0}};
    uint8_t list_digest[HK_FROST_DIGEST_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        encoded[3 * i] = HK_BYTES(list[i].identifier.bytes, scalar);
        encoded[3 * i + 1] = HK_BYTES(list[i].hiding, point);
        encoded[3 * i + 2] = HK_BYTES(list[i].binding, point);
    }
    suite->hash(list_digest, suite, "com", encoded, 3 * count);
    for (size_t i = 0; i < count; i++) {
        struct hk_bytes input[4] = {HK_BYTES(group_key, point), HK_BYTES(digest, suite->digest_bytes),
                                    HK_BYTES(list_digest, suite->digest_bytes),
                                    HK_BYTES(list[i].identifier.bytes, scalar)};
        suite->hash_to_scalar(&factors[i], suite, "rho", input, 4);
    }
}

enum hk_error hk_frost_signer_commitment(struct hk_point *out, const struct hk_frost_suite *suite,
                                         const struct hk_scalar *factor,
                                         const struct hk_frost_commitment *entry)
{
    const struct hk_group *group = suite->group;
    struct hk_point hiding, binding;
    enum hk_error error = group->point_decode(&hiding, entry->hiding);
    if (error != HK_OK) {
        return error;
    }
    if ((error = hk_point_decode_mul(group, &binding, factor, entry->binding)) != HK_OK) {
        return error;
    }
    group->point_add(out, &hiding, &binding);
    return HK_OK;
}

void hk_frost_challenge(struct hk_scalar *out, const struct hk_frost_suite *suite,
                        const struct hk_point *group_commitment, const uint8_t *group_key,
                        const void *message, size_t size)
{
    struct hk_bytes list[3] = {HK_BYTES(group_commitment->bytes, suite->group->point_bytes),
                               HK_BYTES(group_key, suite->group->point_bytes), HK_BYTES(message, size)};
    suite->hash_to_scalar(out, suite, NULL, list, 3);
}

bool hk_frost_make_even(struct hk_point *point, const struct hk_frost_suite *suite)
{
    struct hk_point identity;
    if (suite->is_odd == NULL || !suite->is_odd(point)) {
        return false;
    }
    suite->group->point_identity(&identity);
    suite->group->point_sub(point, &identity, point);
    return true;
}

/* Public decisions about secret numbers: BIP-340's rule looks at points that everybody has. */
static void negate_if(struct hk_scalar *scalar, const struct hk_group *group, bool negate)
{
    struct hk_scalar zero;
    if (negate) {
        group->scalar_set(&zero, 0);
        group->scalar_sub(scalar, &zero, scalar);
    }
}

/* The group key as the rule wants it. */
static enum hk_error take_group_key(struct hk_frost_session *session, const uint8_t *group_key)
{
    const struct hk_group *group = session->suite->group;
    struct hk_point key;
    memcpy(session->group_key, group_key, group->point_bytes);
    if (session->suite->is_odd == NULL) {
        return HK_OK;
    }
    enum hk_error error = group->point_decode(&key, group_key);
    if (error == HK_OK) {
        session->key_negated = hk_frost_make_even(&key, session->suite);
        memcpy(session->group_key, key.bytes, group->point_bytes);
    }
    return error;
}

/* R, and each signer's part of it, as the rule wants them. */
static enum hk_error take_group_commitment(struct hk_frost_session *session)
{
    const struct hk_group *group = session->suite->group;
    struct hk_point identity;
    group->point_identity(&identity);
    if (group->point_is_identity(&session->group_commitment)) {
        return HK_BAD_POINT;
    }
    session->nonces_negated = hk_frost_make_even(&session->group_commitment, session->suite);
    for (size_t i = 0; i < session->count && session->nonces_negated; i++) {
        group->point_sub(&session->commitment[i], &identity, &session->commitment[i]);
    }
    return HK_OK;
}

enum hk_error hk_frost_session_init(struct hk_frost_session *session, const struct hk_frost_suite *suite,
                                    const uint8_t *group_key, const void *message, size_t size,
                                    const struct hk_frost_commitment *list, size_t count)
{
    const struct hk_group *group = suite->group;
    struct hk_frost_session made;
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    enum hk_error error = check_list(suite, list, count);
    if (error != HK_OK) {
        return error;
    }
    memset(&made, 0, sizeof(made));
    made.suite = suite;
    made.count = count;
    if ((error = take_group_key(&made, group_key)) != HK_OK) {
        return error;
    }
    memcpy(made.list, list, count * sizeof(*list));
    hk_frost_message_digest(digest, suite, message, size);
    hk_frost_binding_factors(made.factor, suite, made.group_key, digest, list, count);
    group->point_identity(&made.group_commitment);
    for (size_t i = 0; i < count; i++) {
        error = hk_frost_signer_commitment(&made.commitment[i], suite, &made.factor[i], &list[i]);
        if (error != HK_OK) {
            return error;
        }
        group->point_add(&made.group_commitment, &made.group_commitment, &made.commitment[i]);
    }
    if ((error = take_group_commitment(&made)) != HK_OK) {
        return error;
    }
    hk_frost_challenge(&made.challenge, suite, &made.group_commitment, made.group_key, message, size);
    *session = made;
    return HK_OK;
}

enum hk_error hk_frost_sign_share(uint8_t *share, struct hk_frost_nonces *nonces,
                                  const struct hk_frost_session *session,
                                  const struct hk_scalar *contribution)
{
    struct hk_frost_nonces own;
    struct hk_scalar z, t, w = *contribution;
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(t);
    HK_WIPE_AT_EXIT(w);
    if (!hk_frost_take(&own, nonces)) {
        return HK_CONFLICT;
    }
    const struct hk_group *group = session->suite->group;
    size_t at = find(session->suite, session->list, session->count, &own.commitment.identifier);
    if (at == session->count ||
        memcmp(session->list[at].hiding, own.commitment.hiding, group->point_bytes) != 0 ||
        memcmp(session->list[at].binding, own.commitment.binding, group->point_bytes) != 0) {
        return HK_BAD_PROOF;
    }
    group->scalar_mul(&t, &own.binding, &session->factor[at]);
    group->scalar_add(&t, &t, &own.hiding);
    negate_if(&t, group, session->nonces_negated);
    negate_if(&w, group, session->key_negated);
    group->scalar_mul(&z, &session->challenge, &w);
    group->scalar_add(&z, &z, &t);
    memcpy(share, z.bytes, group->scalar_bytes);
    return HK_OK;
}

bool hk_frost_share_holds(const struct hk_group *group, const struct hk_scalar *share,
                          const struct hk_point *commitment, const struct hk_scalar *challenge,
                          const struct hk_point *contribution)
{
    struct hk_point left, right;
    group->base_mul(&left, share);
    group->point_mul(&right, challenge, contribution);
    group->point_add(&right, &right, commitment);
    return hk_point_equal(group, &left, &right);
}

enum hk_error hk_frost_verify_share(const struct hk_frost_session *session,
                                    const struct hk_frost_identifier *identifier, const uint8_t *share,
                                    const struct hk_point *contribution)
{
    const struct hk_group *group = session->suite->group;
    struct hk_scalar z;
    struct hk_point identity, own = *contribution;
    size_t at = find(session->suite, session->list, session->count, identifier);
    if (at == session->count) {
        return HK_NOT_FOUND;
    }
    if (session->key_negated) {
        group->point_identity(&identity);
        group->point_sub(&own, &identity, &own);
    }
    enum hk_error error = group->scalar_decode(&z, share);
    if (error != HK_OK) {
        return error;
    }
    return hk_frost_share_holds(group, &z, &session->commitment[at], &session->challenge, &own)
               ? HK_OK
               : HK_BAD_PROOF;
}

/* -- the finished signature -- */

enum hk_error hk_frost_aggregate(uint8_t *signature, const struct hk_frost_session *session,
                                 const uint8_t *shares)
{
    const struct hk_group *group = session->suite->group;
    struct hk_scalar sum, share;
    group->scalar_set(&sum, 0);
    for (size_t i = 0; i < session->count; i++) {
        enum hk_error error = group->scalar_decode(&share, shares + i * group->scalar_bytes);
        if (error != HK_OK) {
            return error;
        }
        group->scalar_add(&sum, &sum, &share);
    }
    hk_frost_put_signature(signature, session->suite, &session->group_commitment, &sum);
    return HK_OK;
}

void hk_frost_put_signature(uint8_t *signature, const struct hk_frost_suite *suite,
                            const struct hk_point *group_commitment, const struct hk_scalar *z)
{
    size_t size = suite->group->point_bytes - suite->left_out;
    memcpy(signature, group_commitment->bytes + suite->left_out, size);
    memcpy(signature + size, z->bytes, suite->group->scalar_bytes);
}

enum hk_error hk_frost_verify(const struct hk_frost_suite *suite, const uint8_t *signature,
                              const uint8_t *group_key, const void *message, size_t size)
{
    const struct hk_group *group = suite->group;
    struct hk_point commitment, key;
    struct hk_scalar z, challenge;
    if (suite->verify != NULL) {
        return suite->verify(signature, group_key, message, size);
    }
    if (group->point_decode(&commitment, signature) != HK_OK ||
        group->point_decode(&key, group_key) != HK_OK ||
        group->scalar_decode(&z, signature + group->point_bytes) != HK_OK) {
        return HK_BAD_SIGNATURE;
    }
    (void)hk_frost_make_even(&key, suite);
    hk_frost_challenge(&challenge, suite, &commitment, key.bytes, message, size);
    return hk_frost_share_holds(group, &z, &commitment, &challenge, &key) ? HK_OK : HK_BAD_SIGNATURE;
}
