#include "protocol/udf.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "protocol/encoding.h"

/* How many bits at the end of T are zero, as a step of the type octet: 20, 30, 40, 50. */
static uint8_t compression(const uint8_t digest[HK_UDF_BYTES])
{
    unsigned zeros = 0;
    for (size_t i = HK_UDF_BYTES; i-- > 0;) {
        if (digest[i] != 0) {
            zeros += (unsigned)__builtin_ctz(digest[i]);
            break;
        }
        zeros += 8;
    }
    return zeros < 20 ? 0 : zeros < 30 ? 1 : zeros < 40 ? 2 : zeros < 50 ? 3 : 4;
}

static enum hk_error hash(const EVP_MD *md, const struct hk_bytes *parts, size_t count,
                          uint8_t out[HK_UDF_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, md, NULL) == 1;
    for (size_t i = 0; good && i < count; i++) {
        good = EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    }
    good = good && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good ? HK_OK : HK_INTERNAL;
}

enum hk_error hk_udf_digest(struct hk_udf *out, enum hk_udf_algorithm algorithm, const char *content_type,
                            const void *data, size_t size)
{
    const EVP_MD *md = algorithm == HK_UDF_SHA3_512 ? EVP_sha3_512() : EVP_sha512();
    uint8_t inner[HK_UDF_BYTES];
    struct hk_udf made;
    enum hk_error error = hash(md, &HK_BYTES(data, size), 1, inner);
    if (error != HK_OK) {
        return error;
    }
    struct hk_bytes typed[] = {HK_TEXT(content_type), HK_BYTES(":", 1), HK_BYTES(inner, sizeof(inner))};
    error = hash(md, typed, 3, made.digest);
    if (error != HK_OK) {
        return error;
    }
    made.type = (uint8_t)((unsigned)algorithm + compression(made.digest));
    *out = made;
    return HK_OK;
}

/* The digits of type and digest without hyphens: 104 of them and a final zero. */
static void all_digits(char digits[HK_BASE32_SIZE(1 + HK_UDF_BYTES)], const struct hk_udf *udf)
{
    uint8_t bytes[1 + HK_UDF_BYTES];
    bytes[0] = udf->type;
    memcpy(bytes + 1, udf->digest, HK_UDF_BYTES);
    hk_base32_encode(digits, bytes, sizeof(bytes), HK_BASE32_UPPER);
}

void hk_udf_text(char *out, const struct hk_udf *udf, unsigned bits)
{
    char digits[HK_BASE32_SIZE(1 + HK_UDF_BYTES)];
    all_digits(digits, udf);
    unsigned count = (bits < 20 ? 20 : bits > 520 ? 520 : bits) / 5;
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        if (i != 0 && i % 4 == 0) {
            out[at++] = '-';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

bool hk_udf_matches(const struct hk_udf *udf, const char *text)
{
    char digits[HK_BASE32_SIZE(1 + HK_UDF_BYTES)];
    all_digits(digits, udf);
    size_t count = 0;
    for (; *text != '\0'; text++) {
        if (*text == '-') {
            continue;
        }
        if (count == strlen(digits) || toupper((unsigned char)*text) != digits[count]) {
            return false;
        }
        count++;
    }
    return count >= 20;
}

void hk_ed25519_spki(uint8_t out[HK_SPKI_BYTES], const uint8_t public_key[32])
{
    /* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes } */
    static const uint8_t head[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), public_key, 32);
}

void hk_account_name(uint8_t account[HK_ACCOUNT_BYTES], const uint8_t public_key[32])
{
    static const char type[] = HK_UDF_KEY_CONTENT_TYPE ":";
    uint8_t spki[HK_SPKI_BYTES], typed[sizeof(type) - 1 + crypto_hash_sha512_BYTES];
    hk_ed25519_spki(spki, public_key);
    memcpy(typed, type, sizeof(type) - 1);
    crypto_hash_sha512(typed + sizeof(type) - 1, spki, sizeof(spki));
    crypto_hash_sha512(account, typed, sizeof(typed));
}

void hk_account_text(char out[HK_ACCOUNT_TEXT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES])
{
    struct hk_udf udf;
    memcpy(udf.digest, account, HK_UDF_BYTES);
    udf.type = (uint8_t)(HK_UDF_SHA2_512 + compression(account));
    hk_udf_text(out, &udf, HK_ACCOUNT_TEXT_BITS);
}
