#include "crypto/suite.h"

#include <string.h>

#include "crypto/group_secp256k1.h"
#include "crypto/x25519.h"

static void form_u(uint8_t *out, const uint8_t *point)
{
    struct hk_point edwards = {{0}};
    memcpy(edwards.bytes, point, hk_edwards25519.point_bytes);
    hk_x25519_from_point(out, &edwards);
}

static void form_edwards(uint8_t *out, const uint8_t *point)
{
    memcpy(out, point, hk_edwards25519.point_bytes);
}

static void form_compressed(uint8_t *out, const uint8_t *point)
{
    memcpy(out, point, HK_SECP256K1_POINT_BYTES);
}

static const struct hk_suite suites[] = {
    {HK_SUITE_X25519, "x25519", HK_PURPOSE_AGREE, &hk_edwards25519, NULL, &hk_agree_x25519, 32, form_u},
    {HK_SUITE_ED25519, "ed25519", HK_PURPOSE_SIGN, &hk_edwards25519, &hk_frost_ed25519, NULL, 32,
     form_edwards},
    {HK_SUITE_ACCOUNT, "account", HK_PURPOSE_ACCOUNT, &hk_edwards25519, &hk_frost_ed25519, NULL, 32,
     form_edwards},
    {HK_SUITE_SECP256K1_SCHNORR, "secp256k1-schnorr", HK_PURPOSE_SIGN, &hk_secp256k1, &hk_frost_bip340, NULL,
     HK_SECP256K1_POINT_BYTES, form_compressed},
    {HK_SUITE_SECP256K1_ECDH, "secp256k1-ecdh", HK_PURPOSE_AGREE, &hk_secp256k1, NULL, &hk_agree_secp256k1,
     HK_SECP256K1_POINT_BYTES, form_compressed},
    {HK_SUITE_SECP256K1_ECDSA, "secp256k1-ecdsa", HK_PURPOSE_SIGN, &hk_secp256k1, NULL, NULL,
     HK_SECP256K1_POINT_BYTES, form_compressed},
};

const struct hk_suite *hk_suite_at(size_t place)
{
    return place < sizeof(suites) / sizeof(*suites) ? &suites[place] : NULL;
}

size_t hk_suite_point_bytes(uint64_t id)
{
    const struct hk_suite *suite = hk_suite_by_id(id);
    return suite != NULL ? suite->group->point_bytes : 0;
}

size_t hk_suite_scalar_bytes(uint64_t id)
{
    const struct hk_suite *suite = hk_suite_by_id(id);
    return suite != NULL ? suite->group->scalar_bytes : 0;
}

size_t hk_suite_proof_bytes(uint64_t id)
{
    return hk_suite_point_bytes(id) + hk_suite_scalar_bytes(id);
}

const struct hk_suite *hk_suite_by_id(uint64_t id)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        if (suites[i].id == id) {
            return &suites[i];
        }
    }
    return NULL;
}

const struct hk_suite *hk_suite_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        if (strcmp(suites[i].name, name) == 0) {
            return &suites[i];
        }
    }
    return NULL;
}
