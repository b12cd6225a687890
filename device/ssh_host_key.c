#include "device/ssh_host_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <string.h>

#define CERTIFICATE "-cert-v01@openssh.com"
#define RSA_BYTES_MIN 128
#define RSA_BYTES_MAX 1024
#define RSA_EXPONENT_BYTES_MAX 8
#define MESSAGE_MAX 256

/* How a kind of key is used. The curve's name is SSH's and OpenSSL's. */
struct kind {
    const char *name;
    enum hk_error (*verify)(const struct kind *kind, struct hk_bytes rest, struct hk_bytes signature,
                            struct hk_bytes message);
    const char *curve, *group, *digest;
    size_t point_bytes;
};

/* The bytes of a signature of this kind; nothing may stand behind them. */
static bool signature_of(struct hk_bytes signature, const char *name, struct hk_bytes *bytes)
{
    struct hk_bytes kind;
    return hk_ssh_take_string(&signature, &kind) && hk_ssh_is(kind, name) &&
           hk_ssh_take_string(&signature, bytes) && signature.size == 0;
}

static enum hk_error verify_ed25519(const struct kind *kind, struct hk_bytes rest, struct hk_bytes signature,
                                    struct hk_bytes message)
{
    struct hk_bytes point, bytes;
    bool good = hk_ssh_take_string(&rest, &point) && point.size == 32 &&
                signature_of(signature, kind->name, &bytes) && bytes.size == 64 &&
                crypto_sign_verify_detached(bytes.data, message.data, message.size, point.data) == 0;
    return good ? HK_OK : HK_BAD_SIGNATURE;
}

static bool verify_with(EVP_PKEY *key, const char *digest, struct hk_bytes bytes, struct hk_bytes message)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL) == 1 &&
                EVP_DigestVerify(context, bytes.data, bytes.size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* r and s as SSH writes them, to DER. The length, or 0. */
static size_t signature_to_der(uint8_t **der, struct hk_bytes bytes)
{
    struct hk_bytes r, s;
    if (!hk_ssh_take_string(&bytes, &r) || !hk_ssh_take_string(&bytes, &s) || bytes.size != 0 ||
        r.size > 67 || s.size > 67)
        return 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *first = BN_bin2bn(r.data, (int)r.size, NULL), *second = BN_bin2bn(s.data, (int)s.size, NULL);
    int size = 0;
    if (pair && first && second && ECDSA_SIG_set0(pair, first, second) == 1) {
        first = second = NULL;
        size = i2d_ECDSA_SIG(pair, der);
    }
    BN_free(first);
    BN_free(second);
    ECDSA_SIG_free(pair);
    return size > 0 ? (size_t)size : 0;
}

static enum hk_error verify_ecdsa(const struct kind *kind, struct hk_bytes rest, struct hk_bytes signature,
                                  struct hk_bytes message)
{
    struct hk_bytes curve, point, bytes;
    uint8_t *der = NULL;
    if (!hk_ssh_take_string(&rest, &curve) || !hk_ssh_is(curve, kind->curve) ||
        !hk_ssh_take_string(&rest, &point) || point.size != kind->point_bytes ||
        !signature_of(signature, kind->name, &bytes))
        return HK_BAD_SIGNATURE;
    size_t size = signature_to_der(&der, bytes);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)kind->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.data, point.size),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = size ? make_key("EC", parameters) : NULL;
    bool good = key && verify_with(key, kind->digest, HK_BYTES(der, size), message);
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    return good ? HK_OK : HK_BAD_SIGNATURE;
}

/* A positive number as SSH writes it, without its leading zero. */
static bool take_number(struct hk_bytes *rest, struct hk_bytes *number, size_t least, size_t most)
{
    if (!hk_ssh_take_string(rest, number) || number->size == 0)
        return false;
    const uint8_t *data = number->data;
    if (data[0] & 0x80)
        return false;
    if (data[0] == 0)
        *number = HK_BYTES(data + 1, number->size - 1);
    return number->size >= least && number->size <= most;
}

static EVP_PKEY *rsa_key(struct hk_bytes e, struct hk_bytes n)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *exponent = BN_bin2bn(e.data, (int)e.size, NULL), *modulus = BN_bin2bn(n.data, (int)n.size, NULL);
    if (build && exponent && modulus && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) &&
        (parameters = OSSL_PARAM_BLD_to_param(build)) != NULL)
        key = make_key("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    BN_free(exponent);
    BN_free(modulus);
    return key;
}

static enum hk_error verify_rsa(const struct kind *kind, struct hk_bytes rest, struct hk_bytes signature,
                                struct hk_bytes message)
{
    struct hk_bytes e, n, bytes;
    (void)kind;
    if (!take_number(&rest, &e, 1, RSA_EXPONENT_BYTES_MAX) ||
        !take_number(&rest, &n, RSA_BYTES_MIN, RSA_BYTES_MAX))
        return HK_BAD_SIGNATURE;
    const char *digest = signature_of(signature, "rsa-sha2-512", &bytes)   ? "SHA512"
                         : signature_of(signature, "rsa-sha2-256", &bytes) ? "SHA256"
                                                                           : NULL;
    EVP_PKEY *key = digest ? rsa_key(e, n) : NULL;
    bool good = key && verify_with(key, digest, bytes, message);
    EVP_PKEY_free(key);
    return good ? HK_OK : HK_BAD_SIGNATURE;
}

static const struct kind kinds[] = {
    {"ssh-ed25519", verify_ed25519, NULL, NULL, NULL, 32},
    {"ecdsa-sha2-nistp256", verify_ecdsa, "nistp256", "P-256", "SHA256", 65},
    {"ecdsa-sha2-nistp384", verify_ecdsa, "nistp384", "P-384", "SHA384", 97},
    {"ecdsa-sha2-nistp521", verify_ecdsa, "nistp521", "P-521", "SHA512", 133},
    {"ssh-rsa", verify_rsa, NULL, NULL, NULL, 0},
};

/* Whether `name` is this kind's, or that of its certificates. */
static bool is_kind(const struct kind *kind, struct hk_bytes name, bool *certificate)
{
    size_t length = strlen(kind->name);
    *certificate = name.size == length + strlen(CERTIFICATE);
    if (*certificate && memcmp((const char *)name.data + length, CERTIFICATE, strlen(CERTIFICATE)) != 0)
        return false;
    return (*certificate || name.size == length) && memcmp(name.data, kind->name, length) == 0;
}

enum hk_error hk_ssh_host_verify(struct hk_bytes key, struct hk_bytes signature, struct hk_bytes message)
{
    struct hk_bytes name, nonce;
    bool certificate;
    if (!hk_ssh_take_string(&key, &name) || message.size > MESSAGE_MAX)
        return HK_BAD_SIGNATURE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!is_kind(&kinds[i], name, &certificate))
            continue;
        if (certificate && !hk_ssh_take_string(&key, &nonce))
            return HK_BAD_SIGNATURE;
        return kinds[i].verify(&kinds[i], key, signature, message);
    }
    return HK_UNSUPPORTED;
}
