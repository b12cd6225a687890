/* secp256k1's decoders, BIP-340's keys and verification, and a wallet's text: what is taken has one encoding.
 */
#include "crypto/bip340.h"
#include "crypto/group_secp256k1.h"
#include "device/wif.h"
#include "tests/fuzz/fuzz.h"

#define POINT HK_SECP256K1_POINT_BYTES

/* A point that is taken comes out as it went in, and so does its double halved. */
static void check_point(const uint8_t *bytes)
{
    const struct hk_group *group = &hk_secp256k1;
    struct hk_point point, doubled, again;
    struct hk_scalar two;
    if (group->point_decode(&point, bytes) != HK_OK) {
        return;
    }
    group->scalar_set(&two, 2);
    group->point_mul(&doubled, &two, &point);
    group->scalar_invert(&two, &two);
    group->point_mul(&again, &two, &doubled);
    SAME_BYTES(point.bytes, POINT, bytes, POINT);
    SAME_BYTES(&again, sizeof(again), &point, sizeof(point));
}

static void check_scalar(const uint8_t *bytes)
{
    struct hk_scalar scalar;
    if (hk_secp256k1.scalar_decode(&scalar, bytes) == HK_OK) {
        SAME_BYTES(scalar.bytes, 32, bytes, 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hk_frost_key key;
    struct hk_secret32 private;
    (void)!hk_wif_decode(&private, (const char *)data, size);
    if (size < POINT + HK_BIP340_SIGNATURE_BYTES) {
        return 0;
    }
    check_point(data);
    check_scalar(data + POINT);
    struct hk_bytes root = HK_BYTES(data + POINT, size % 2 == 0 ? 0 : HK_BIP341_ROOT_BYTES);
    if (hk_bip340_signing_key(&key, data, &root) == HK_OK) {
        MUST(key.group_key[0] == 2);
    }
    const uint8_t *message = data + POINT + HK_BIP340_SIGNATURE_BYTES;
    (void)!hk_bip340_verify(data + POINT, data + 1, message, size - POINT - HK_BIP340_SIGNATURE_BYTES);
    return 0;
}
