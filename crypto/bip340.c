#include "crypto/bip340.h"

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

#include "crypto/group_secp256k1.h"

void hk_bip340_hash(uint8_t digest[HK_BIP340_HASH_BYTES], const char *tag, const struct hk_bytes *list,
                    size_t count)
{
    crypto_hash_sha256_state state;
    uint8_t name[HK_BIP340_HASH_BYTES];
    HK_WIPE_AT_EXIT(state);
    crypto_hash_sha256(name, (const uint8_t *)tag, strlen(tag));
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, name, sizeof(name));
    crypto_hash_sha256_update(&state, name, sizeof(name));
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha256_update(&state, list[i].data, list[i].size);
    }
    crypto_hash_sha256_final(&state, digest);
}

/* Q = P + [t]B; the even one of Q and -Q, and what that does to the signs. */
static enum hk_error add_tweak(struct hk_frost_key *key, struct hk_point *point, const struct hk_bytes *root)
{
    const struct hk_group *group = &hk_secp256k1;
    uint8_t digest[HK_BIP340_HASH_BYTES];
    struct hk_point tweak;
    if (root->size != 0 && root->size != HK_BIP341_ROOT_BYTES) {
        return HK_BAD_ENCODING;
    }
    const struct hk_bytes list[2] = {HK_BYTES(point->bytes + 1, HK_SECP256K1_X_BYTES), *root};
    hk_bip340_hash(digest, "TapTweak", list, root->size != 0 ? 2 : 1);
    enum hk_error error = group->scalar_decode(&key->tweak, digest);
    if (error != HK_OK) {
        return error;
    }
    group->base_mul(&tweak, &key->tweak);
    group->point_add(point, point, &tweak);
    if (group->point_is_identity(point)) {
        return HK_BAD_POINT;
    }
    bool odd = hk_frost_make_even(point, &hk_frost_bip340);
    hk_secp256k1_negate_if(&key->tweak, &key->tweak, odd);
    key->negated = key->negated != odd;
    return HK_OK;
}

enum hk_error hk_bip340_signing_key(struct hk_frost_key *out, const uint8_t *public_key,
                                    const struct hk_bytes *root)
{
    struct hk_frost_key key = {.negated = false};
    struct hk_point point;
    enum hk_error error = hk_secp256k1.point_decode(&point, public_key);
    if (error != HK_OK) {
        return error;
    }
    key.negated = hk_frost_make_even(&point, &hk_frost_bip340);
    if (root != NULL && (error = add_tweak(&key, &point, root)) != HK_OK) {
        return error;
    }
    memcpy(key.group_key, point.bytes, HK_SECP256K1_POINT_BYTES);
    *out = key;
    return HK_OK;
}

enum hk_error hk_bip340_verify(const uint8_t signature[HK_BIP340_SIGNATURE_BYTES],
                               const uint8_t key[HK_BIP340_KEY_BYTES], const void *message, size_t size)
{
    secp256k1_xonly_pubkey parsed;
    bool good = secp256k1_xonly_pubkey_parse(secp256k1_context_static, &parsed, key) == 1 &&
                secp256k1_schnorrsig_verify(secp256k1_context_static, signature, message, size, &parsed) == 1;
    return good ? HK_OK : HK_BAD_SIGNATURE;
}
