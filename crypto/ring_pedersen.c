#include "crypto/ring_pedersen.h"

#include <string.h>

#include "crypto/nonce.h"
#include "crypto/prime.h"
#include "crypto/random.h"

#define CHALLENGE_BYTES (2 * HK_RING_ROUNDS / 8)

static void minus_one(hk_limb out[HK_RING_HALF], const hk_limb prime[HK_RING_HALF])
{
    memcpy(out, prime, 8 * HK_RING_HALF);
    out[0] -= 1; /* the prime is odd */
}

/* base^exponent mod N^ by way of both primes; the exponent is already below phi or of public length. */
static void power_secret(hk_limb out[HK_RING_LIMBS], const struct hk_ring_secret *secret,
                         const hk_limb base[HK_RING_LIMBS], const hk_limb exponent[HK_RING_LIMBS])
{
    hk_limb half[2][HK_RING_HALF], inverse[HK_RING_HALF], part[HK_RING_HALF], order[HK_RING_HALF];
    HK_WIPE_AT_EXIT(half);
    HK_WIPE_AT_EXIT(inverse);
    HK_WIPE_AT_EXIT(part);
    HK_WIPE_AT_EXIT(order);
    for (int i = 0; i < 2; i++) {
        minus_one(order, secret->prime[i]);
        hk_big_mod(part, exponent, HK_RING_LIMBS, order, HK_RING_HALF);
        hk_big_mod(half[i], base, HK_RING_LIMBS, secret->prime[i], HK_RING_HALF);
        hk_big_pow(half[i], half[i], part, 64 * HK_RING_HALF, secret->prime[i], HK_RING_HALF);
    }
    hk_big_mod(part, secret->prime[0], HK_RING_HALF, secret->prime[1], HK_RING_HALF);
    (void)!hk_big_invert(inverse, part, secret->prime[1], HK_RING_HALF);
    hk_big_mod(part, half[0], HK_RING_HALF, secret->prime[1], HK_RING_HALF);
    hk_big_sub_mod(part, half[1], part, secret->prime[1], HK_RING_HALF);
    hk_big_mul_mod(part, part, inverse, secret->prime[1], HK_RING_HALF);
    memset(out, 0, 8 * HK_RING_LIMBS);
    memcpy(out, half[0], sizeof(half[0]));
    hk_big_add_mul(out, HK_RING_LIMBS, secret->prime[0], HK_RING_HALF, part, HK_RING_HALF);
}

static void phi_of(hk_limb out[HK_RING_LIMBS], const struct hk_ring_secret *secret)
{
    hk_limb left[HK_RING_HALF], right[HK_RING_HALF];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    minus_one(left, secret->prime[0]);
    minus_one(right, secret->prime[1]);
    hk_big_mul(out, left, HK_RING_HALF, right, HK_RING_HALF);
}

/* lambda below phi(N^), and its power of t. */
static void draw_base(hk_limb lambda[HK_RING_LIMBS], hk_limb base[HK_RING_LIMBS],
                      const struct hk_ring_secret *secret)
{
    hk_limb phi[HK_RING_LIMBS], wide[HK_RING_LIMBS + 2];
    HK_WIPE_AT_EXIT(phi);
    HK_WIPE_AT_EXIT(wide);
    phi_of(phi, secret);
    hk_random(wide, sizeof(wide));
    hk_big_mod(lambda, wide, HK_RING_LIMBS + 2, phi, HK_RING_LIMBS);
    power_secret(base, secret, secret->ring.t, lambda);
}

void hk_ring_generate(struct hk_ring_secret *secret)
{
    hk_limb root[HK_RING_LIMBS];
    HK_WIPE_AT_EXIT(root);
    memset(secret, 0, sizeof(*secret));
    do {
        hk_prime_safe(secret->prime[0], HK_RING_HALF);
        hk_prime_safe(secret->prime[1], HK_RING_HALF);
    } while (hk_equal(secret->prime[0], secret->prime[1], sizeof(secret->prime[0])));
    hk_big_mul(secret->ring.n, secret->prime[0], HK_RING_HALF, secret->prime[1], HK_RING_HALF);
    do { /* a square generates the squares unless it is 1 mod one of the primes: probability 2^-1022 */
        hk_random(root, sizeof(root));
        hk_big_mod(root, root, HK_RING_LIMBS, secret->ring.n, HK_RING_LIMBS);
        hk_big_mul_mod(secret->ring.t, root, root, secret->ring.n, HK_RING_LIMBS);
    } while (!hk_big_is_unit_public(secret->ring.t, secret->ring.n, HK_RING_LIMBS));
    draw_base(secret->lambda1, secret->ring.s1, secret);
    draw_base(secret->lambda2, secret->ring.s2, secret);
}

void hk_ring_secret_encode(uint8_t out[HK_RING_SECRET_BYTES], const struct hk_ring_secret *secret)
{
    hk_big_store(out, HK_RING_BYTES / 2, secret->prime[0], HK_RING_HALF);
    hk_big_store(out + HK_RING_BYTES / 2, HK_RING_BYTES / 2, secret->prime[1], HK_RING_HALF);
    hk_big_store(out + HK_RING_BYTES, HK_RING_BYTES, secret->ring.t, HK_RING_LIMBS);
    hk_big_store(out + 2 * HK_RING_BYTES, HK_RING_BYTES, secret->lambda1, HK_RING_LIMBS);
    hk_big_store(out + 3 * HK_RING_BYTES, HK_RING_BYTES, secret->lambda2, HK_RING_LIMBS);
}

enum hk_error hk_ring_secret_decode(struct hk_ring_secret *secret, const uint8_t in[HK_RING_SECRET_BYTES])
{
    struct hk_ring_secret read;
    HK_WIPE_AT_EXIT(read);
    memset(&read, 0, sizeof(read));
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *prime = in + i * HK_RING_BYTES / 2;
        if ((prime[0] & 0xc0) != 0xc0 || (prime[HK_RING_BYTES / 2 - 1] & 3) != 3) {
            return HK_BAD_ENCODING;
        }
        hk_big_load(read.prime[i], HK_RING_HALF, prime, HK_RING_BYTES / 2);
    }
    hk_big_mul(read.ring.n, read.prime[0], HK_RING_HALF, read.prime[1], HK_RING_HALF);
    HK_PUBLIC(read.ring.n);
    hk_big_load(read.ring.t, HK_RING_LIMBS, in + HK_RING_BYTES, HK_RING_BYTES);
    hk_big_load(read.lambda1, HK_RING_LIMBS, in + 2 * HK_RING_BYTES, HK_RING_BYTES);
    hk_big_load(read.lambda2, HK_RING_LIMBS, in + 3 * HK_RING_BYTES, HK_RING_BYTES);
    if (!hk_big_less(read.ring.t, read.ring.n, HK_RING_LIMBS)) {
        return HK_BAD_ENCODING;
    }
    power_secret(read.ring.s1, &read, read.ring.t, read.lambda1);
    power_secret(read.ring.s2, &read, read.ring.t, read.lambda2);
    HK_PUBLIC(read.ring.s1);
    HK_PUBLIC(read.ring.s2);
    *secret = read;
    return HK_OK;
}

void hk_ring_encode(uint8_t out[HK_RING_PUBLIC_BYTES], const struct hk_ring *ring)
{
    hk_big_store(out, HK_RING_BYTES, ring->n, HK_RING_LIMBS);
    hk_big_store(out + HK_RING_BYTES, HK_RING_BYTES, ring->t, HK_RING_LIMBS);
    hk_big_store(out + 2 * HK_RING_BYTES, HK_RING_BYTES, ring->s1, HK_RING_LIMBS);
    hk_big_store(out + 3 * HK_RING_BYTES, HK_RING_BYTES, ring->s2, HK_RING_LIMBS);
}

static bool is_base(const hk_limb *base, const hk_limb *n)
{
    return !hk_big_fits(base, HK_RING_LIMBS, 1) && hk_big_less(base, n, HK_RING_LIMBS) &&
           hk_big_is_unit_public(base, n, HK_RING_LIMBS);
}

enum hk_error hk_ring_decode(struct hk_ring *ring, const uint8_t in[HK_RING_PUBLIC_BYTES])
{
    struct hk_ring read;
    if ((in[0] & 0x80) == 0 || (in[HK_RING_BYTES - 1] & 1) == 0) {
        return HK_BAD_ENCODING;
    }
    hk_big_load(read.n, HK_RING_LIMBS, in, HK_RING_BYTES);
    hk_big_load(read.t, HK_RING_LIMBS, in + HK_RING_BYTES, HK_RING_BYTES);
    hk_big_load(read.s1, HK_RING_LIMBS, in + 2 * HK_RING_BYTES, HK_RING_BYTES);
    hk_big_load(read.s2, HK_RING_LIMBS, in + 3 * HK_RING_BYTES, HK_RING_BYTES);
    if (!is_base(read.t, read.n) || !is_base(read.s1, read.n) || !is_base(read.s2, read.n)) {
        return HK_BAD_ENCODING;
    }
    *ring = read;
    return HK_OK;
}

void hk_ring_name(uint8_t name[HK_NAME_BYTES], const struct hk_ring *ring)
{
    uint8_t encoded[HK_RING_PUBLIC_BYTES];
    hk_ring_encode(encoded, ring);
    hk_hash_name(name, "ring", 1, (struct hk_bytes[]){HK_BYTES(encoded, sizeof(encoded))});
}

/* -- Pi^prm -- */

static void begin_challenge(struct hk_hash *hash, const struct hk_ring *ring)
{
    uint8_t encoded[HK_RING_PUBLIC_BYTES];
    hk_ring_encode(encoded, ring);
    hk_hash_init(hash, "ring/prm", 2 + HK_RING_ROUNDS);
    hk_hash_add(hash, encoded, sizeof(encoded));
    hk_hash_add_u64(hash, HK_RING_ROUNDS);
}

static void add_commitment(struct hk_hash *hash, const hk_limb commitment[HK_RING_LIMBS])
{
    uint8_t bytes[HK_RING_BYTES];
    hk_big_store(bytes, sizeof(bytes), commitment, HK_RING_LIMBS);
    hk_hash_add(hash, bytes, sizeof(bytes));
}

static bool challenge_bit(const uint8_t *challenge, size_t index)
{
    return (challenge[index / 8] >> (index % 8) & 1) != 0;
}

/* z = a - e1*lambda1 - e2*lambda2 mod phi. */
static void respond(hk_limb z[HK_RING_LIMBS], const hk_limb a[HK_RING_LIMBS],
                    const struct hk_ring_secret *secret, const hk_limb phi[HK_RING_LIMBS], bool e1, bool e2)
{
    memcpy(z, a, 8 * HK_RING_LIMBS);
    if (e1) { /* challenges are public */
        hk_big_sub_mod(z, z, secret->lambda1, phi, HK_RING_LIMBS);
    }
    if (e2) {
        hk_big_sub_mod(z, z, secret->lambda2, phi, HK_RING_LIMBS);
    }
}

void hk_ring_prove(uint8_t proof[HK_RING_PROOF_BYTES], const struct hk_ring_secret *secret)
{
    struct hk_nonces nonces;
    struct hk_hash hash;
    uint8_t name[HK_NAME_BYTES], digest[HK_HASH_BYTES];
    hk_limb a[HK_RING_ROUNDS][HK_RING_LIMBS], phi[HK_RING_LIMBS], x[HK_RING_LIMBS];
    HK_WIPE_AT_EXIT(nonces);
    HK_WIPE_AT_EXIT(a);
    HK_WIPE_AT_EXIT(phi);
    HK_WIPE_AT_EXIT(x);
    phi_of(phi, secret);
    hk_ring_name(name, &secret->ring);
    hk_nonces_init(&nonces, HK_BYTES(secret->prime, sizeof(secret->prime)), "ring/prm", name);
    begin_challenge(&hash, &secret->ring);
    for (size_t i = 0; i < HK_RING_ROUNDS; i++) {
        hk_nonces_mod(&nonces, a[i], phi, HK_RING_LIMBS);
        power_secret(x, secret, secret->ring.t, a[i]);
        add_commitment(&hash, x);
    }
    hk_hash_final(&hash, digest);
    HK_PUBLIC(digest); /* the challenge is sent */
    memcpy(proof, digest, CHALLENGE_BYTES);
    for (size_t i = 0; i < HK_RING_ROUNDS; i++) {
        respond(x, a[i], secret, phi, challenge_bit(proof, 2 * i), challenge_bit(proof, 2 * i + 1));
        hk_big_store(proof + CHALLENGE_BYTES + i * HK_RING_BYTES, HK_RING_BYTES, x, HK_RING_LIMBS);
    }
}

enum hk_error hk_ring_verify(const struct hk_ring *ring, const uint8_t proof[HK_RING_PROOF_BYTES])
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_limb z[HK_RING_LIMBS], x[HK_RING_LIMBS];
    begin_challenge(&hash, ring);
    for (size_t i = 0; i < HK_RING_ROUNDS; i++) {
        hk_big_load(z, HK_RING_LIMBS, proof + CHALLENGE_BYTES + i * HK_RING_BYTES, HK_RING_BYTES);
        hk_big_pow_public(x, ring->t, z, HK_RING_BITS, ring->n, HK_RING_LIMBS);
        if (challenge_bit(proof, 2 * i)) {
            hk_big_mul_mod(x, x, ring->s1, ring->n, HK_RING_LIMBS);
        }
        if (challenge_bit(proof, 2 * i + 1)) {
            hk_big_mul_mod(x, x, ring->s2, ring->n, HK_RING_LIMBS);
        }
        add_commitment(&hash, x);
    }
    hk_hash_final(&hash, digest);
    return memcmp(digest, proof, CHALLENGE_BYTES) == 0 ? HK_OK : HK_BAD_PROOF;
}

/* -- commitments -- */

void hk_ring_commit(hk_limb out[HK_RING_LIMBS], const struct hk_ring *ring, struct hk_ring_exponent a,
                    struct hk_ring_exponent b, struct hk_ring_exponent mu)
{
    hk_limb x[HK_RING_LIMBS], y[HK_RING_LIMBS];
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(y);
    hk_big_pow(x, ring->s1, a.limbs, a.bits, ring->n, HK_RING_LIMBS);
    hk_big_pow(y, ring->s2, b.limbs, b.bits, ring->n, HK_RING_LIMBS);
    hk_big_mul_mod(x, x, y, ring->n, HK_RING_LIMBS);
    hk_big_pow(y, ring->t, mu.limbs, mu.bits, ring->n, HK_RING_LIMBS);
    hk_big_mul_mod(out, x, y, ring->n, HK_RING_LIMBS);
}

/* lambda1*a + lambda2*b + mu mod p - 1. */
static void combined_exponent(hk_limb out[HK_RING_HALF], const struct hk_ring_secret *secret,
                              const hk_limb order[HK_RING_HALF], const struct hk_ring_exponent part[3])
{
    const hk_limb one[HK_RING_LIMBS] = {1}, *weight[3] = {secret->lambda1, secret->lambda2, one};
    hk_limb x[HK_RING_HALF], y[HK_RING_HALF];
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(y);
    memset(out, 0, 8 * HK_RING_HALF);
    for (int i = 0; i < 3; i++) {
        hk_big_mod(x, part[i].limbs, HK_LIMBS_OF_BITS(part[i].bits), order, HK_RING_HALF);
        hk_big_mod(y, weight[i], HK_RING_LIMBS, order, HK_RING_HALF);
        hk_big_mul_mod(x, x, y, order, HK_RING_HALF);
        hk_big_add_mod(out, out, x, order, HK_RING_HALF);
    }
}

bool hk_ring_opens(const struct hk_ring_secret *secret, const hk_limb left[HK_RING_LIMBS],
                   const hk_limb right[HK_RING_LIMBS], const hk_limb e[2], struct hk_ring_exponent a,
                   struct hk_ring_exponent b, struct hk_ring_exponent mu)
{
    hk_limb order[HK_RING_HALF], exponent[HK_RING_HALF], x[HK_RING_HALF], y[HK_RING_HALF], l[HK_RING_HALF];
    HK_WIPE_AT_EXIT(order);
    HK_WIPE_AT_EXIT(exponent);
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(y);
    HK_WIPE_AT_EXIT(l);
    bool good = true;
    for (int i = 0; i < 2; i++) {
        const hk_limb *p = secret->prime[i];
        minus_one(order, p);
        combined_exponent(exponent, secret, order, (const struct hk_ring_exponent[3]){a, b, mu});
        hk_big_mod(x, secret->ring.t, HK_RING_LIMBS, p, HK_RING_HALF);
        hk_big_pow(x, x, exponent, 64 * HK_RING_HALF, p, HK_RING_HALF);
        hk_big_mod(l, left, HK_RING_LIMBS, p, HK_RING_HALF);
        hk_big_mod(y, right, HK_RING_LIMBS, p, HK_RING_HALF);
        good = good && !hk_big_is_zero(l, HK_RING_HALF) && !hk_big_is_zero(y, HK_RING_HALF);
        hk_big_pow(y, y, e, 128, p, HK_RING_HALF);
        hk_big_mul_mod(y, y, l, p, HK_RING_HALF);
        good = good && hk_equal(x, y, sizeof(x));
    }
    return good;
}
