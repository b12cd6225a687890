/* Rows in process for secp256k1: what two halves cost beside libsecp256k1 with the whole key. */
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

#include "bench/row.h"
#include "crypto/agreement.h"
#include "crypto/cosign.h"
#include "crypto/group_secp256k1.h"
#include "crypto/random.h"

#define POINT HK_SECP256K1_POINT_BYTES

/* One key, in halves and whole: this process has no other purpose than to time them. */
struct pair {
    struct hk_scalar device, service, whole;
    struct hk_point service_point, public_point;
    uint8_t sender[POINT], message[32], id[16];
    struct hk_cosign request;
    struct hk_frost_key key;
    secp256k1_context *context;
    secp256k1_keypair keypair;
    secp256k1_xonly_pubkey xonly;
};

static bool pair_make(struct pair *pair)
{
    const struct hk_group *group = &hk_secp256k1;
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(group, &pair->device);
    hk_scalar_random(group, &pair->service);
    group->scalar_add(&pair->whole, &pair->device, &pair->service);
    group->base_mul(&pair->service_point, &pair->service);
    group->base_mul(&pair->public_point, &pair->whole);
    hk_scalar_random(group, &k);
    group->base_mul(&point, &k);
    memcpy(pair->sender, point.bytes, POINT);
    hk_random(pair->message, sizeof(pair->message));
    hk_random(pair->id, sizeof(pair->id));
    pair->request = (struct hk_cosign){.suite = &hk_frost_bip340,
                                       .key_id = pair->id,
                                       .epoch = 1,
                                       .request_id = pair->id,
                                       .message = pair->message,
                                       .size = sizeof(pair->message)};
    pair->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    return hk_cosign_under(&pair->request, &pair->key, pair->public_point.bytes, NULL) == HK_OK &&
           secp256k1_keypair_create(pair->context, &pair->keypair, pair->whole.bytes) == 1 &&
           secp256k1_keypair_xonly_pub(pair->context, &pair->xonly, NULL, &pair->keypair) == 1;
}

static bool measure(struct bench_result *result, const struct bench_settings *settings, bench_function thing,
                    bench_function baseline)
{
    struct pair pair;
    HK_WIPE_AT_EXIT(pair);
    bool fine = pair_make(&pair) && bench_measure(result, &(struct bench_plan){.clock = BENCH_CPU,
                                                                               .thing = thing,
                                                                               .baseline = baseline,
                                                                               .context = &pair,
                                                                               .seconds = settings->seconds});
    secp256k1_context_destroy(pair.context);
    return fine;
}

/* Device and service, from the request to a signature that libsecp256k1 has verified. */
static bool run_sign(void *context, size_t times)
{
    struct pair *pair = context;
    while (times-- > 0) {
        struct hk_frost_nonces nonces;
        uint8_t device[2 * POINT], service[2 * POINT], share[32], signature[64];
        if (hk_cosign_begin(&nonces, device, &pair->request, &pair->device) != HK_OK ||
            hk_cosign_answer(service, share, &pair->request, &pair->service, device) != HK_OK ||
            hk_cosign_finish(signature, &nonces, &pair->request, &pair->device, &pair->service_point, service,
                             share) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool run_library_sign(void *context, size_t times)
{
    struct pair *pair = context;
    while (times-- > 0) {
        uint8_t signature[64], random[32];
        hk_random(random, sizeof(random));
        if (secp256k1_schnorrsig_sign32(pair->context, signature, pair->message, &pair->keypair, random) !=
                1 ||
            secp256k1_schnorrsig_verify(pair->context, signature, pair->message, sizeof(pair->message),
                                        &pair->xonly) != 1) {
            return false;
        }
    }
    return true;
}

bool bench_bip340_both(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_sign, run_library_sign);
}

static bool run_share(void *context, size_t times)
{
    struct pair *pair = context;
    uint8_t share[POINT];
    while (times-- > 0) {
        if (hk_agree_share(&hk_agree_secp256k1, share, &pair->service, pair->sender, 1) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool run_library_share(void *context, size_t times)
{
    struct pair *pair = context;
    uint8_t share[32];
    secp256k1_pubkey sender;
    while (times-- > 0) {
        if (secp256k1_ec_pubkey_parse(pair->context, &sender, pair->sender, POINT) != 1 ||
            secp256k1_ecdh(pair->context, share, &sender, pair->service.bytes, NULL, NULL) != 1) {
            return false;
        }
    }
    return true;
}

bool bench_agree_share_secp256k1(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, run_share, run_library_share);
}
