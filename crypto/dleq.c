#include "crypto/dleq.h"

#include <string.h>

#include "crypto/random.h"

/* Where the parts of a proof begin. */
static const uint8_t *second(const struct hk_group *group, const uint8_t *proof)
{
    return proof + group->point_bytes;
}

static const uint8_t *response(const struct hk_group *group, const uint8_t *proof)
{
    return proof + 2 * group->point_bytes;
}

static void challenge(struct hk_scalar *out, const struct hk_dleq_statement *statement, const uint8_t *proof)
{
    const struct hk_group *group = statement->group;
    size_t size = group->point_bytes;
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "dleq", 9);
    hk_hash_add(&hash, statement->sid.data, statement->sid.size);
    hk_hash_add(&hash, statement->account.data, statement->account.size);
    hk_hash_add(&hash, statement->key_id.data, statement->key_id.size);
    hk_hash_add_u64(&hash, statement->epoch);
    hk_hash_add(&hash, statement->service, size);
    hk_hash_add(&hash, statement->point, size);
    hk_hash_add(&hash, statement->answer, size);
    hk_hash_add(&hash, proof, size);
    hk_hash_add(&hash, second(group, proof), size);
    hk_hash_final(&hash, digest);
    memset(out, 0, sizeof(*out));
    group->scalar_reduce(out, digest);
}

static void draw_nonce(struct hk_scalar *out, const struct hk_dleq_statement *statement,
                       const struct hk_scalar *secret, const uint8_t random[32], uint64_t counter)
{
    const struct hk_group *group = statement->group;
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(digest);
    hk_hash_init(&hash, "nonce", 11);
    hk_hash_add(&hash, random, 32);
    hk_hash_add(&hash, secret->bytes, group->scalar_bytes);
    hk_hash_add(&hash, "dleq", 4);
    hk_hash_add(&hash, statement->sid.data, statement->sid.size);
    hk_hash_add(&hash, statement->account.data, statement->account.size);
    hk_hash_add(&hash, statement->key_id.data, statement->key_id.size);
    hk_hash_add_u64(&hash, statement->epoch);
    hk_hash_add(&hash, statement->service, group->point_bytes);
    hk_hash_add(&hash, statement->point, group->point_bytes);
    hk_hash_add(&hash, statement->answer, group->point_bytes);
    hk_hash_add_u64(&hash, counter);
    hk_hash_final(&hash, digest);
    memset(out, 0, sizeof(*out));
    group->scalar_reduce(out, digest);
}

enum hk_error hk_dleq_prove(uint8_t *proof, const struct hk_dleq_statement *statement,
                            const struct hk_scalar *secret)
{
    const struct hk_group *group = statement->group;
    size_t size = group->point_bytes;
    struct hk_scalar nonce, c;
    struct hk_point r1, r2;
    uint8_t random[32], made[HK_DLEQ_BYTES_MAX];
    HK_WIPE_AT_EXIT(nonce);
    HK_WIPE_AT_EXIT(random);
    hk_random(random, sizeof(random));
    uint64_t counter = 0;
    do {
        draw_nonce(&nonce, statement, secret, random, counter++);
    } while (group->scalar_is_zero(&nonce));
    group->base_mul(&r1, &nonce);
    enum hk_error error = hk_point_decode_mul(group, &r2, &nonce, statement->point);
    if (error != HK_OK) {
        return error;
    }
    memcpy(made, r1.bytes, size);
    memcpy(made + size, r2.bytes, size);
    challenge(&c, statement, made);
    group->scalar_mul(&c, &c, secret);
    group->scalar_add(&c, &c, &nonce);
    memcpy(made + 2 * size, c.bytes, group->scalar_bytes);
    memcpy(proof, made, 2 * size + group->scalar_bytes);
    return HK_OK;
}

/* Whether [z]left = commitment + [c]right; left NULL is the base point. */
static bool holds(const struct hk_group *group, const struct hk_point *left, const struct hk_scalar *z,
                  const struct hk_point *commitment, const struct hk_scalar *c, const struct hk_point *right)
{
    struct hk_point a, b;
    if (left != NULL) {
        group->point_mul(&a, z, left);
    } else {
        group->base_mul(&a, z);
    }
    group->point_mul(&b, c, right);
    group->point_add(&b, &b, commitment);
    return hk_point_equal(group, &a, &b);
}

enum hk_error hk_dleq_verify(const struct hk_dleq_statement *statement, const uint8_t *proof)
{
    const struct hk_group *group = statement->group;
    struct hk_point service, point, answer, r1, r2;
    struct hk_scalar z, c, cofactor;
    enum hk_error error;
    if ((error = group->point_decode(&service, statement->service)) != HK_OK ||
        (error = group->point_decode(&point, statement->point)) != HK_OK ||
        (error = group->point_decode(&answer, statement->answer)) != HK_OK ||
        (error = group->point_decode(&r1, proof)) != HK_OK ||
        (error = group->point_decode(&r2, second(group, proof))) != HK_OK ||
        (error = group->scalar_decode(&z, response(group, proof))) != HK_OK) {
        return error;
    }
    challenge(&c, statement, proof);
    if (!holds(group, &point, &z, &r2, &c, &answer)) {
        return HK_BAD_PROOF;
    }
    /* [z]B = R1 + [c/8]S: the same as with [1/8]S, one multiplication less. */
    group->scalar_set(&cofactor, statement->cofactor);
    group->scalar_invert(&cofactor, &cofactor);
    group->scalar_mul(&c, &c, &cofactor);
    return holds(group, NULL, &z, &r1, &c, &service) ? HK_OK : HK_BAD_PROOF;
}
