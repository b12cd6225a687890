/* session-bind: signatures of every kind of server key that OpenSSH has, made by OpenSSL and libsodium. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <string.h>

#include "device/ssh_binding.h"
#include "device/ssh_host_key.h"

static const uint8_t session[32] = {1, 2, 3};

/* A server's key and its signature of the session, on the wire. */
struct signer {
    uint8_t key[2048], signature[2048];
    size_t key_size, signature_size;
};

static void start(struct signer *signer, struct hk_ssh_writer *key, struct hk_ssh_writer *signature)
{
    *key = (struct hk_ssh_writer){signer->key, 0, sizeof signer->key, false};
    *signature = (struct hk_ssh_writer){signer->signature, 0, sizeof signer->signature, false};
}

static void finish(struct signer *signer, const struct hk_ssh_writer *key,
                   const struct hk_ssh_writer *signature)
{
    assert_false(key->full || signature->full);
    signer->key_size = key->size;
    signer->signature_size = signature->size;
}

static void make_ed25519(struct signer *signer, bool certificate)
{
    struct hk_ssh_writer key, signature;
    uint8_t public_key[32], secret[64], bytes[64];
    const char *name = certificate ? "ssh-ed25519-cert-v01@openssh.com" : "ssh-ed25519";
    crypto_sign_keypair(public_key, secret);
    crypto_sign_detached(bytes, NULL, session, sizeof session, secret);
    start(signer, &key, &signature);
    hk_ssh_put_string(&key, name, strlen(name));
    if (certificate)
        hk_ssh_put_string(&key, "nonce", 5);
    hk_ssh_put_string(&key, public_key, 32);
    if (certificate)
        hk_ssh_put_string(&key, "what else a certificate has", 27);
    hk_ssh_put_string(&signature, "ssh-ed25519", 11);
    hk_ssh_put_string(&signature, bytes, 64);
    finish(signer, &key, &signature);
}

static size_t openssl_sign(uint8_t *out, size_t max, EVP_PKEY *key, const char *digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = max;
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, out, &size, session, sizeof session), 1);
    EVP_MD_CTX_free(context);
    return size;
}

/* A positive number as SSH writes it. */
static void put_number(struct hk_ssh_writer *writer, const BIGNUM *number)
{
    uint8_t bytes[1024] = {0};
    size_t size = (size_t)BN_bn2bin(number, bytes + 1);
    bool high = (bytes[1] & 0x80) != 0;
    hk_ssh_put_string(writer, bytes + !high, size + high);
}

static void make_ecdsa(struct signer *signer, const char *curve, const char *group, const char *digest)
{
    struct hk_ssh_writer key, signature, inner;
    uint8_t point[200], der[300], pair[300];
    char name[32];
    size_t size = 0;
    EVP_PKEY *made = EVP_EC_gen(group);
    assert_non_null(made);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(made, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size), 1);
    snprintf(name, sizeof name, "ecdsa-sha2-%s", curve);
    start(signer, &key, &signature);
    hk_ssh_put_string(&key, name, strlen(name));
    hk_ssh_put_string(&key, curve, strlen(curve));
    hk_ssh_put_string(&key, point, size);
    const uint8_t *at = der;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)openssl_sign(der, sizeof der, made, digest));
    assert_non_null(parts);
    inner = (struct hk_ssh_writer){pair, 0, sizeof pair, false};
    put_number(&inner, ECDSA_SIG_get0_r(parts));
    put_number(&inner, ECDSA_SIG_get0_s(parts));
    hk_ssh_put_string(&signature, name, strlen(name));
    hk_ssh_put_string(&signature, pair, inner.size);
    finish(signer, &key, &signature);
    ECDSA_SIG_free(parts);
    EVP_PKEY_free(made);
}

static void make_rsa(struct signer *signer, unsigned bits, const char *name, const char *digest)
{
    struct hk_ssh_writer key, signature;
    uint8_t bytes[1024];
    BIGNUM *n = NULL, *e = NULL;
    EVP_PKEY *made = EVP_RSA_gen(bits);
    assert_non_null(made);
    assert_int_equal(EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_RSA_E, &e), 1);
    start(signer, &key, &signature);
    hk_ssh_put_string(&key, "ssh-rsa", 7);
    put_number(&key, e);
    put_number(&key, n);
    hk_ssh_put_string(&signature, name, strlen(name));
    hk_ssh_put_string(&signature, bytes, openssl_sign(bytes, sizeof bytes, made, digest));
    finish(signer, &key, &signature);
    BN_free(n);
    BN_free(e);
    EVP_PKEY_free(made);
}

static enum hk_error verify(const struct signer *signer)
{
    return hk_ssh_host_verify(HK_BYTES(signer->key, signer->key_size),
                              HK_BYTES(signer->signature, signer->signature_size),
                              HK_BYTES(session, sizeof session));
}

/* Good as it is; with any byte of the signature changed, over another session, or cut, it is not. */
static void assert_holds_alone(struct signer *signer)
{
    uint8_t other[32] = {1, 2, 4};
    assert_int_equal(verify(signer), HK_OK);
    assert_int_equal(hk_ssh_host_verify(HK_BYTES(signer->key, signer->key_size),
                                        HK_BYTES(signer->signature, signer->signature_size),
                                        HK_BYTES(other, sizeof other)),
                     HK_BAD_SIGNATURE);
    for (size_t i = 0; i < signer->signature_size; i += 7) {
        signer->signature[i] ^= 1;
        assert_int_equal(verify(signer), HK_BAD_SIGNATURE);
        signer->signature[i] ^= 1;
    }
    size_t size = signer->signature_size;
    for (signer->signature_size = 0; signer->signature_size < size; signer->signature_size += 5)
        assert_int_equal(verify(signer), HK_BAD_SIGNATURE);
    signer->signature_size = size;
    size = signer->key_size;
    for (signer->key_size = 0; signer->key_size + 27 < size; signer->key_size += 5)
        assert_int_not_equal(verify(signer), HK_OK);
    signer->key_size = size;
}

static void signatures_of_every_kind_of_server_key_hold_and_changed_ones_do_not(void **state)
{
    (void)state;
    static struct signer signer;
    make_ed25519(&signer, false);
    assert_holds_alone(&signer);
    make_ed25519(&signer, true);
    assert_holds_alone(&signer);
    make_ecdsa(&signer, "nistp256", "P-256", "SHA256");
    assert_holds_alone(&signer);
    make_ecdsa(&signer, "nistp384", "P-384", "SHA384");
    assert_holds_alone(&signer);
    make_ecdsa(&signer, "nistp521", "P-521", "SHA512");
    assert_holds_alone(&signer);
    make_rsa(&signer, 2048, "rsa-sha2-512", "SHA512");
    assert_holds_alone(&signer);
    make_rsa(&signer, 2048, "rsa-sha2-256", "SHA256");
    assert_holds_alone(&signer);
}

static void old_hashes_small_keys_and_unknown_kinds_do_not_hold(void **state)
{
    (void)state;
    static struct signer signer;
    make_rsa(&signer, 2048, "ssh-rsa", "SHA1");
    assert_int_equal(verify(&signer), HK_BAD_SIGNATURE);
    make_rsa(&signer, 768, "rsa-sha2-256", "SHA256");
    assert_int_equal(verify(&signer), HK_BAD_SIGNATURE);
    make_rsa(&signer, 2048, "rsa-sha2-256", "SHA512"); /* said to be of another hash */
    assert_int_equal(verify(&signer), HK_BAD_SIGNATURE);
    make_ecdsa(&signer, "nistp256", "P-384", "SHA256");
    assert_int_equal(verify(&signer), HK_BAD_SIGNATURE);
    make_ed25519(&signer, false);
    memcpy(signer.key + 4, "ssh-ed25518", 11);
    assert_int_equal(verify(&signer), HK_UNSUPPORTED);
}

/* ---- the list of a connection ---- */

static enum hk_error bind(struct hk_ssh_bindings *bindings, const struct signer *signer, bool forwarded)
{
    uint8_t request[8192];
    struct hk_ssh_writer writer = {request, 0, sizeof request, false};
    hk_ssh_put_string(&writer, signer->key, signer->key_size);
    hk_ssh_put_string(&writer, session, sizeof session);
    hk_ssh_put_string(&writer, signer->signature, signer->signature_size);
    hk_ssh_put_byte(&writer, forwarded);
    return hk_ssh_bind(bindings, HK_BYTES(request, writer.size));
}

static void a_connection_that_binds_nothing_is_local_and_bound_to_nothing(void **state)
{
    (void)state;
    static struct hk_ssh_bindings bindings;
    assert_false(hk_ssh_is_forwarded(&bindings));
    assert_null(hk_ssh_bound_to(&bindings));
}

static void a_login_is_bound_once_and_a_forwarded_connection_goes_on(void **state)
{
    (void)state;
    static struct hk_ssh_bindings local, forwarded;
    static struct signer one, two;
    make_ed25519(&one, false);
    make_ecdsa(&two, "nistp256", "P-256", "SHA256");
    assert_int_equal(bind(&local, &one, false), HK_OK);
    assert_int_equal(bind(&local, &one, false), HK_OK); /* the same again is nothing new */
    assert_int_equal(local.count, 1);
    assert_false(hk_ssh_is_forwarded(&local));
    assert_memory_equal(hk_ssh_bound_to(&local)->host, one.key, one.key_size);
    assert_int_equal(bind(&local, &two, false), HK_CONFLICT);
    assert_true(hk_ssh_is_forwarded(&local)); /* broken */
    assert_int_equal(bind(&forwarded, &one, true), HK_OK);
    assert_true(hk_ssh_is_forwarded(&forwarded));
    assert_null(hk_ssh_bound_to(&forwarded));
    assert_int_equal(bind(&forwarded, &two, false), HK_CONFLICT); /* the same session, of another host */
    assert_true(hk_ssh_is_forwarded(&forwarded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_every_kind_of_server_key_hold_and_changed_ones_do_not),
        cmocka_unit_test(old_hashes_small_keys_and_unknown_kinds_do_not_hold),
        cmocka_unit_test(a_connection_that_binds_nothing_is_local_and_bound_to_nothing),
        cmocka_unit_test(a_login_is_bound_once_and_a_forwarded_connection_goes_on),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
