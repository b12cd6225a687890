#include "crypto/ecdsa_signature.h"

#include <secp256k1.h>
#include <string.h>

/* The points of group.h keep their encoding in front. */
static bool to_key(secp256k1_pubkey *key, const struct hk_point *point)
{
    return secp256k1_ec_pubkey_parse(secp256k1_context_static, key, point->bytes, HK_SECP256K1_POINT_BYTES) ==
           1;
}

enum hk_error hk_ecdsa_verify(const struct hk_point *public_key, const uint8_t digest[HK_ECDSA_DIGEST_BYTES],
                              const uint8_t signature[HK_ECDSA_COMPACT_BYTES], bool low_s)
{
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature read, normal;
    if (!to_key(&key, public_key) ||
        secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, &read, signature) != 1) {
        return HK_BAD_SIGNATURE;
    }
    bool was_high = secp256k1_ecdsa_signature_normalize(secp256k1_context_static, &normal, &read) == 1;
    if ((was_high && low_s) || secp256k1_ecdsa_verify(secp256k1_context_static, &normal, digest, &key) != 1) {
        return HK_BAD_SIGNATURE;
    }
    return HK_OK;
}

size_t hk_ecdsa_to_der(uint8_t der[HK_ECDSA_DER_BYTES_MAX], const uint8_t signature[HK_ECDSA_COMPACT_BYTES])
{
    secp256k1_ecdsa_signature read;
    size_t size = HK_ECDSA_DER_BYTES_MAX;
    if (secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, &read, signature) != 1 ||
        secp256k1_ecdsa_signature_serialize_der(secp256k1_context_static, der, &size, &read) != 1) {
        return 0;
    }
    return size;
}

enum hk_error hk_ecdsa_from_der(uint8_t signature[HK_ECDSA_COMPACT_BYTES], const uint8_t *der, size_t size)
{
    secp256k1_ecdsa_signature read;
    uint8_t compact[HK_ECDSA_COMPACT_BYTES], again[HK_ECDSA_DER_BYTES_MAX];
    if (size > sizeof(again) ||
        secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &read, der, size) != 1) {
        return HK_BAD_ENCODING;
    }
    (void)secp256k1_ecdsa_signature_serialize_compact(secp256k1_context_static, compact, &read);
    /* The library reads numbers that are too large as zero; written again they are not the same. */
    if (hk_ecdsa_to_der(again, compact) != size || memcmp(again, der, size) != 0) {
        return HK_BAD_ENCODING;
    }
    memcpy(signature, compact, sizeof(compact));
    return HK_OK;
}
