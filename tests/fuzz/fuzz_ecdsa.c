/* What comes from the other side of two-party ECDSA: set-ups, rings, ciphertexts, offers, requests,
 * signatures in DER. Whatever is taken has one encoding, and nothing but the right proof is taken. */
#include "protocol/ecdsa_wire.h"
#include "tests/fuzz/fuzz.h"

static void check_der(const uint8_t *data, size_t size)
{
    uint8_t signature[HK_ECDSA_COMPACT_BYTES], again[HK_ECDSA_DER_BYTES_MAX];
    if (hk_ecdsa_from_der(signature, data, size) == HK_OK) {
        SAME_BYTES(again, hk_ecdsa_to_der(again, signature), data, size);
    }
}

static void check_paillier(const uint8_t *data, size_t size)
{
    static struct hk_paillier key;
    static uint8_t again[HK_PAILLIER_CIPHER_BYTES_MAX];
    hk_limb cipher[HK_BIG_LIMBS];
    if (size < 768 || hk_paillier_decode(&key, data, 256) != HK_OK) {
        return;
    }
    hk_paillier_encode(again, &key);
    SAME_BYTES(again, 256, data, 256);
    if (hk_ecdsa_cipher_decode(cipher, &key, data + 256) == HK_OK) {
        hk_ecdsa_cipher_encode(again, &key, cipher);
        SAME_BYTES(again, 512, data + 256, 512);
    }
}

/* What the service reads from its own store. */
static void check_secret(const uint8_t *data, size_t size)
{
    static struct hk_paillier_secret secret;
    uint8_t again[512];
    if (size == sizeof(again) && hk_paillier_secret_decode(&secret, data, size) == HK_OK) {
        hk_paillier_secret_encode(again, &secret);
        SAME_BYTES(again, sizeof(again), data, size);
    }
}

static void check_ring(const uint8_t *data, size_t size)
{
    static struct hk_ring ring;
    uint8_t again[HK_RING_PUBLIC_BYTES];
    if (size >= HK_RING_PUBLIC_BYTES && hk_ring_decode(&ring, data) == HK_OK) {
        hk_ring_encode(again, &ring);
        SAME_BYTES(again, sizeof(again), data, sizeof(again));
    }
}

static void check_wire(const uint8_t *data, size_t size)
{
    static struct hk_ecdsa_pair pair;
    static struct hk_ecdsa_request request;
    static uint8_t again[HK_ECDSA_REQUEST_BYTES_MAX];
    const uint8_t transcript[HK_NAME_BYTES] = {0};
    const struct hk_paillier short_key = {.n_limbs = 32};
    struct hk_ecdsa_offer offer;
    uint64_t number;
    MUST(hk_secp256k1.scalar_bytes == 32);
    hk_secp256k1.base_mul(&pair.service_point, &(struct hk_scalar){{[31] = 1}});
    MUST(hk_ecdsa_setup_take(&pair, data, size, transcript) != HK_OK);
    if (size >= HK_ECDSA_OFFER_BYTES) {
        hk_ecdsa_offer_decode(&offer, data);
        hk_ecdsa_offer_encode(again, &offer);
        SAME_BYTES(again, HK_ECDSA_OFFER_BYTES, data, HK_ECDSA_OFFER_BYTES);
    }
    if (size >= 8 && hk_ecdsa_request_decode(&request, &number, data, size, &short_key) == HK_OK) {
        SAME_BYTES(again, hk_ecdsa_request_encode(again, number, &request, &short_key), data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_der(data, size);
    check_paillier(data, size);
    check_secret(data, size);
    check_ring(data, size);
    check_wire(data, size);
    return 0;
}
