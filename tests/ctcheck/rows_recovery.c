/* Recovery: halves dealt and sealed, shares received, split between new device and new service, and taken. */
#include "tests/ctcheck/ctcheck.h"

#include <string.h>

#include "protocol/noise.h"
#include "protocol/recovery.h"

#define HOLDERS ((size_t)3)
#define NEEDED ((size_t)2)

static const uint8_t id[16] = {5}, set[16] = {6}, serial[16] = {7}, newcomer[16] = {8}, service[32] = {9},
                     request[32] = {10}, name[HK_NAME_BYTES] = {11};

static void recovery(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    static const uint8_t holders[HOLDERS][32] = {{1}, {2}, {3}};
    struct ct_pair pair;
    struct hk_dealing dealings[2], given[NEEDED];
    struct hk_scalar dealt[2][HK_HOLDERS_MAX], shares[HOLDERS], parts[2][NEEDED], halves[2];
    struct hk_point others[2];
    uint8_t proof[HK_SCHNORR_BYTES_MAX];
    size_t guilty;
    ct_pair_make(&pair, group);
    struct hk_recovery_key key = {
        id, &subject->suite, pair.public_key.bytes, set, serial, service, 1, NEEDED, HOLDERS, holders};
    struct hk_recover_run run = {request, newcomer, service, NEEDED, {1, 3}};
    MUST(hk_recovery_deal(&dealings[0], dealt[0], &key, &pair.device) == HK_OK);
    MUST(hk_recovery_deal(&dealings[1], dealt[1], &key, &pair.service) == HK_OK);
    for (size_t i = 0; i < HOLDERS; i++) {
        struct hk_scalar both[2] = {dealt[0][i], dealt[1][i]};
        MUST(hk_recovery_receive(&shares[i], &key, i, dealings, both) == HK_OK);
    }
    for (size_t i = 0; i < NEEDED; i++) {
        struct hk_scalar split[2];
        MUST(hk_recover_give(&given[i], split, &key, &run, i, &shares[run.index[i] - 1]) == HK_OK);
        parts[0][i] = split[0];
        parts[1][i] = split[1];
    }
    for (int side = 0; side < 2; side++) {
        MUST(hk_recover_take(&halves[side], &others[side], &key, &run, (enum hk_recovery_side)side, dealings,
                             given, parts[side], &guilty) == HK_OK);
    }
    hk_recover_prove(proof, group, name, id, &halves[0]);
    PUBLIC(proof);
    MUST(hk_recover_check(group, name, id, &others[1], proof) == HK_OK);
}

static void sealed_share(const struct ct_subject *subject)
{
    struct hk_secret32 key;
    uint8_t public_key[32], scalar[HK_SEALED_SCALAR_BYTES], opened[HK_SEALED_SCALAR_BYTES];
    uint8_t sealed[HK_SEALED_SHARE_BYTES];
    (void)subject;
    ct_secret_random(key.bytes, sizeof(key.bytes));
    ct_secret_random(scalar, sizeof(scalar));
    hk_noise_public(public_key, &key);
    PUBLIC(public_key);
    MUST(hk_sealed_share_seal(sealed, scalar, public_key, name) == HK_OK);
    PUBLIC(sealed);
    MUST(hk_sealed_share_open(opened, sealed, &key, name) == HK_OK);
    PUBLIC(opened);
    PUBLIC(scalar);
    MUST(memcmp(opened, scalar, sizeof(scalar)) == 0);
}

const struct ct_row ct_rows_recovery[] = {
    {"recovery: dealt, received, given, taken", CT_GROUP, recovery},
    {"a share sealed and opened", CT_ONCE, sealed_share},
    {NULL, CT_ONCE, NULL},
};
