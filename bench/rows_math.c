/* Rows in process: the share operations beside what the library alone needs for the same mathematics. */
#include <sodium.h>
#include <string.h>

#include "bench/row.h"
#include "crypto/agreement.h"
#include "crypto/cosign.h"
#include "crypto/group.h"
#include "crypto/random.h"

#define POINT 32
#define MESSAGE_BYTES 100

/* One key's two halves. Both are here at once, in a process that has no other purpose than to time them. */
struct pair {
    struct hk_scalar device, service, device_eighth, service_eighth;
    struct hk_point device_point, service_point, public_point;
    uint8_t ephemeral[32]; /* u-coordinate of somebody's ephemeral key */
    uint8_t point[POINT];  /* the same as a point of the prime-order group */
    uint8_t message[MESSAGE_BYTES], request_id[16], key_id[16];
    struct hk_cosign request;
    struct hk_agree_mask ready;
};

static bool pair_make(struct pair *pair)
{
    const struct hk_group *group = &hk_edwards25519;
    struct hk_point point;
    uint8_t secret[32];
    hk_scalar_random(group, &pair->device);
    hk_scalar_random(group, &pair->service);
    hk_agree_part(&hk_agree_x25519, &pair->device_eighth, &pair->device);
    hk_agree_part(&hk_agree_x25519, &pair->service_eighth, &pair->service);
    group->base_mul(&pair->device_point, &pair->device);
    group->base_mul(&pair->service_point, &pair->service);
    group->point_add(&pair->public_point, &pair->device_point, &pair->service_point);
    hk_random(secret, sizeof(secret));
    crypto_scalarmult_base(pair->ephemeral, secret);
    hk_random(pair->message, sizeof(pair->message));
    hk_random(pair->request_id, sizeof(pair->request_id));
    hk_random(pair->key_id, sizeof(pair->key_id));
    pair->request = (struct hk_cosign){.suite = &hk_frost_ed25519,
                                       .group_key = pair->public_point.bytes,
                                       .key_id = pair->key_id,
                                       .epoch = 1,
                                       .request_id = pair->request_id,
                                       .message = pair->message,
                                       .size = sizeof(pair->message)};
    if (hk_x25519_to_point(&point, pair->ephemeral) != HK_OK) {
        return false;
    }
    memcpy(pair->point, point.bytes, POINT);
    hk_agree_mask_make(&hk_agree_x25519, &pair->ready, &pair->service_point);
    return true;
}

static bool measure(struct bench_result *result, const struct bench_settings *settings, bench_function thing,
                    bench_function baseline)
{
    struct pair pair;
    HK_WIPE_AT_EXIT(pair);
    return pair_make(&pair) && bench_measure(result, &(struct bench_plan){.clock = BENCH_CPU,
                                                                          .thing = thing,
                                                                          .baseline = baseline,
                                                                          .context = &pair,
                                                                          .seconds = settings->seconds});
}

/* --- agreement --- */

static bool run_agree_share(void *context, size_t times)
{
    struct pair *pair = context;
    uint8_t share[POINT];
    while (times-- > 0) {
        if (hk_agree_share(&hk_agree_x25519, share, &pair->service_eighth, pair->point, 1) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool run_noclamp(void *context, size_t times)
{
    struct pair *pair = context;
    uint8_t share[POINT];
    while (times-- > 0) {
        if (crypto_scalarmult_ed25519_noclamp(share, pair->service_eighth.bytes, pair->point) != 0) {
            return false;
        }
    }
    return true;
}

bool bench_agree_share(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_agree_share, run_noclamp);
}

static bool decrypt(struct pair *pair, struct hk_agree_mask *mask)
{
    struct hk_agree_open open;
    uint8_t answer[POINT], shared[32];
    return hk_agree_begin(&hk_agree_x25519, &open, mask, pair->ephemeral) == HK_OK &&
           hk_agree_share(&hk_agree_x25519, answer, &pair->service_eighth, open.sent, 1) == HK_OK &&
           hk_agree_finish(shared, &open, &pair->device_eighth, answer) == HK_OK;
}

static bool run_decrypt_blinded(void *context, size_t times)
{
    struct pair *pair = context;
    while (times-- > 0) {
        struct hk_agree_mask mask;
        hk_agree_mask_make(&hk_agree_x25519, &mask, &pair->service_point);
        if (!decrypt(pair, &mask)) {
            return false;
        }
    }
    return true;
}

/* With a mask made ahead, as the agent has them. It is one mask, copied: for its time that is the same, and
 * nobody is hidden from here. */
static bool run_decrypt_prepared(void *context, size_t times)
{
    struct pair *pair = context;
    while (times-- > 0) {
        struct hk_agree_mask mask = pair->ready;
        if (!decrypt(pair, &mask)) {
            return false;
        }
    }
    return true;
}

static bool run_decrypt_unblinded(void *context, size_t times)
{
    while (times-- > 0) {
        if (!decrypt(context, NULL)) {
            return false;
        }
    }
    return true;
}

/* What the equations need: `variable` multiplications of somebody's point, `base` of B, `add` additions. */
static bool floor_of(struct pair *pair, size_t times, int variable, int base, int add)
{
    uint8_t out[POINT], other[POINT];
    memcpy(other, pair->public_point.bytes, POINT);
    while (times-- > 0) {
        for (int i = 0; i < variable; i++) {
            if (crypto_scalarmult_ed25519_noclamp(out, pair->service_eighth.bytes, pair->point) != 0) {
                return false;
            }
        }
        for (int i = 0; i < base; i++) {
            if (crypto_scalarmult_ed25519_base_noclamp(out, pair->service.bytes) != 0) {
                return false;
            }
        }
        for (int i = 0; i < add; i++) {
            if (crypto_core_ed25519_add(out, pair->point, other) != 0) {
                return false;
            }
        }
    }
    return true;
}

static bool run_floor_blinded(void *context, size_t times)
{
    return floor_of(context, times, 3, 1, 2);
}

static bool run_floor_prepared(void *context, size_t times)
{
    return floor_of(context, times, 2, 0, 2);
}

static bool run_floor_unblinded(void *context, size_t times)
{
    return floor_of(context, times, 2, 0, 1);
}

bool bench_decrypt_blinded(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_decrypt_blinded, run_floor_blinded);
}

bool bench_decrypt_prepared(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_decrypt_prepared, run_floor_prepared);
}

bool bench_decrypt_unblinded(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_decrypt_unblinded, run_floor_unblinded);
}

/* --- signatures --- */

static bool run_sign_service(void *context, size_t times)
{
    struct pair *pair = context;
    struct hk_frost_nonces nonces;
    uint8_t device[64], service[64], share[32];
    if (hk_cosign_begin(&nonces, device, &pair->request, &pair->device) != HK_OK) {
        return false;
    }
    hk_wipe(&nonces, sizeof(nonces));
    while (times-- > 0) {
        if (hk_cosign_answer(service, share, &pair->request, &pair->service, device) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool run_sign_both(void *context, size_t times)
{
    struct pair *pair = context;
    while (times-- > 0) {
        struct hk_frost_nonces nonces;
        uint8_t device[64], service[64], share[32], signature[64];
        if (hk_cosign_begin(&nonces, device, &pair->request, &pair->device) != HK_OK ||
            hk_cosign_answer(service, share, &pair->request, &pair->service, device) != HK_OK ||
            hk_cosign_finish(signature, &nonces, &pair->request, &pair->device, &pair->service_point, service,
                             share) != HK_OK) {
            return false;
        }
    }
    return true;
}

/* One signer's nonces and share, straight on libsodium: two commitments; the other's commitments decoded and
 * weighed; own ones weighed as one multiplication, since their logarithms are known; the challenge. */
static bool floor_signer(struct pair *pair, const uint8_t other[POINT])
{
    uint8_t nonce[2][64], hiding[POINT], binding[POINT], r[POINT], own[POINT], wide[64], z[32];
    for (int i = 0; i < 2; i++) {
        crypto_hash_sha512(nonce[i], pair->message, sizeof(pair->message));
        crypto_core_ed25519_scalar_random(nonce[i]);
    }
    if (crypto_scalarmult_ed25519_base_noclamp(hiding, nonce[0]) != 0 ||
        crypto_scalarmult_ed25519_base_noclamp(binding, nonce[1]) != 0 ||
        crypto_core_ed25519_is_valid_point(other) != 1) {
        return false;
    }
    for (int i = 0; i < 3; i++) { /* two binding factors and their common prefix */
        crypto_hash_sha512(wide, pair->message, sizeof(pair->message));
    }
    crypto_core_ed25519_scalar_reduce(z, wide);
    if (crypto_scalarmult_ed25519_noclamp(r, z, other) != 0 || crypto_core_ed25519_add(r, r, other) != 0) {
        return false;
    }
    crypto_core_ed25519_scalar_mul(z, z, nonce[1]);
    crypto_core_ed25519_scalar_add(z, z, nonce[0]);
    if (crypto_scalarmult_ed25519_base_noclamp(own, z) != 0 || crypto_core_ed25519_add(r, r, own) != 0) {
        return false;
    }
    crypto_hash_sha512(wide, pair->message, sizeof(pair->message));
    crypto_core_ed25519_scalar_reduce(wide, wide);
    crypto_core_ed25519_scalar_mul(wide, wide, pair->service.bytes);
    crypto_core_ed25519_scalar_add(z, z, wide);
    return true;
}

static bool run_floor_service(void *context, size_t times)
{
    while (times-- > 0) {
        if (!floor_signer(context, ((struct pair *)context)->point)) {
            return false;
        }
    }
    return true;
}

static bool run_floor_both(void *context, size_t times)
{
    struct pair *pair = context;
    uint8_t public_key[32], secret_key[64], signature[64];
    crypto_sign_keypair(public_key, secret_key);
    crypto_sign_detached(signature, NULL, pair->message, sizeof(pair->message), secret_key);
    while (times-- > 0) {
        bool both = floor_signer(pair, pair->point);
        both = floor_signer(pair, pair->point) && both;
        if (!both ||
            crypto_sign_verify_detached(signature, pair->message, sizeof(pair->message), public_key) != 0) {
            return false;
        }
    }
    return true;
}

bool bench_sign_service(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_sign_service, run_floor_service);
}

bool bench_sign_both(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_sign_both, run_floor_both);
}
