#include "device/gpg_secret.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

/* How the secret part is kept (RFC 4880, section 3.7.2.1). */
enum usage { USAGE_PLAIN = 0, USAGE_SHA1 = 254, USAGE_SUM = 255 };
#define S2K_ITERATED 3
#define SECRET_MAX 96 /* a number of 32 bytes and a checksum */
/* User ids beyond the first leave so much for the subkeys, without which nothing is decrypted. */
#define SUBKEY_ROOM 450

static const struct cipher {
    unsigned number;
    size_t key_bytes;
    const EVP_CIPHER *(*get)(void);
} ciphers[] = {{7, 16, EVP_aes_128_cfb128}, {8, 24, EVP_aes_192_cfb128}, {9, 32, EVP_aes_256_cfb128}};

static const struct digest {
    unsigned number;
    const EVP_MD *(*get)(void);
} digests[] = {{2, EVP_sha1}, {8, EVP_sha256}, {9, EVP_sha384}, {10, EVP_sha512}, {11, EVP_sha224}};

/* What stands before the sealed bytes. */
struct seal {
    const struct cipher *cipher;
    const struct digest *digest;
    const uint8_t *salt; /* 8 bytes */
    size_t count;        /* bytes to be hashed */
    const uint8_t *iv;   /* 16 bytes */
};

static enum hk_error read_seal(struct hk_bytes *rest, struct seal *seal)
{
    const uint8_t *head = hk_openpgp_take(rest, 3);
    if (!head)
        return HK_BAD_ENCODING;
    memset(seal, 0, sizeof *seal);
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
        if (ciphers[i].number == head[0])
            seal->cipher = &ciphers[i];
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (digests[i].number == head[2])
            seal->digest = &digests[i];
    if (!seal->cipher || !seal->digest || head[1] != S2K_ITERATED)
        return HK_UNSUPPORTED;
    seal->salt = hk_openpgp_take(rest, 8);
    const uint8_t *count = hk_openpgp_take(rest, 1);
    seal->iv = hk_openpgp_take(rest, 16);
    if (!seal->salt || !count || !seal->iv)
        return HK_BAD_ENCODING;
    seal->count = (size_t)(16 + (*count & 15)) << ((*count >> 4) + 6);
    return HK_OK;
}

/* One round of the S2K: `zeros` zero bytes, then salt ‖ passphrase again and again. */
static bool hash_round(uint8_t out[EVP_MAX_MD_SIZE], unsigned *bytes, const struct seal *seal, size_t zeros,
                       const char *passphrase)
{
    static const uint8_t zero[32];
    uint8_t unit[8 + HK_PASSPHRASE_MAX];
    HK_WIPE_AT_EXIT(unit);
    size_t length = strnlen(passphrase, HK_PASSPHRASE_MAX), size = 8 + length;
    size_t left = seal->count > size ? seal->count : size;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    memcpy(unit, seal->salt, 8);
    memcpy(unit + 8, passphrase, length);
    bool good = context && EVP_DigestInit_ex(context, seal->digest->get(), NULL) == 1 &&
                EVP_DigestUpdate(context, zero, zeros) == 1;
    for (; good && left > 0; left -= left < size ? left : size)
        good = EVP_DigestUpdate(context, unit, left < size ? left : size) == 1;
    good = good && EVP_DigestFinal_ex(context, out, bytes) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool derive(uint8_t key[32], const struct seal *seal, const char *passphrase)
{
    uint8_t part[EVP_MAX_MD_SIZE];
    HK_WIPE_AT_EXIT(part);
    unsigned bytes = 0;
    size_t have = 0;
    for (size_t round = 0; have < seal->cipher->key_bytes; round++) {
        if (!hash_round(part, &bytes, seal, round, passphrase))
            return false;
        size_t take = seal->cipher->key_bytes - have;
        take = take < bytes ? take : bytes;
        memcpy(key + have, part, take);
        have += take;
    }
    return true;
}

static bool decrypt(uint8_t *out, const struct seal *seal, const uint8_t key[32], struct hk_bytes sealed)
{
    int first = 0, last = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good = context && EVP_DecryptInit_ex(context, seal->cipher->get(), NULL, key, seal->iv) == 1 &&
                EVP_DecryptUpdate(context, out, &first, sealed.data, (int)sealed.size) == 1 &&
                EVP_DecryptFinal_ex(context, out + first, &last) == 1 &&
                (size_t)first + (size_t)last == sealed.size;
    EVP_CIPHER_CTX_free(context);
    return good;
}

/* The checksum behind the number: SHA-1, or the sum of its bytes. */
static bool sum_is_right(const uint8_t *data, size_t size, unsigned usage)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    HK_WIPE_AT_EXIT(hash);
    if (usage == USAGE_SHA1)
        return size > 20 && EVP_Digest(data, size - 20, hash, NULL, EVP_sha1(), NULL) == 1 &&
               hk_equal(hash, data + size - 20, 20);
    unsigned sum = 0;
    for (size_t i = 0; i + 2 < size; i++)
        sum += data[i];
    const uint8_t wanted[2] = {(uint8_t)(sum >> 8), (uint8_t)sum};
    return size > 2 && hk_equal(wanted, data + size - 2, 2);
}

/* Whether the secret is that of the public key. */
static bool fits(const struct hk_openpgp_key *key, const struct hk_secret32 *secret)
{
    uint8_t public[32], expanded[64];
    HK_WIPE_AT_EXIT(expanded);
    if (key->algorithm == HK_OPENPGP_EDDSA)
        crypto_sign_seed_keypair(public, expanded, secret->bytes);
    else
        crypto_scalarmult_base(public, secret->bytes);
    return memcmp(public, key->point, sizeof public) == 0;
}

/* The number, of 32 bytes or fewer: a seed as it stands, an X25519 key the other way round. */
static enum hk_error take_secret(struct hk_secret32 *secret, const struct hk_openpgp_key *key,
                                 struct hk_bytes number)
{
    uint8_t bytes[32];
    HK_WIPE_AT_EXIT(bytes);
    if (hk_openpgp_take_mpi(&number, bytes, sizeof bytes) || number.size != 0)
        return HK_BAD_ENCODING;
    for (size_t i = 0; i < 32; i++)
        secret->bytes[i] = bytes[key->algorithm == HK_OPENPGP_EDDSA ? i : 31 - i];
    return fits(key, secret) ? HK_OK : HK_BAD_ENCODING;
}

/* What is behind the public part of a secret key's packet. */
static enum hk_error open_secret(struct hk_secret32 *secret, const struct hk_openpgp_key *key,
                                 struct hk_bytes rest, const char *passphrase)
{
    uint8_t plain[SECRET_MAX], derived[32];
    HK_WIPE_AT_EXIT(plain);
    HK_WIPE_AT_EXIT(derived);
    struct seal seal;
    const uint8_t *usage = hk_openpgp_take(&rest, 1);
    if (!usage)
        return HK_BAD_ENCODING;
    bool sealed = *usage == USAGE_SHA1 || *usage == USAGE_SUM;
    if (!sealed && *usage != USAGE_PLAIN)
        return HK_UNSUPPORTED;
    enum hk_error error = sealed ? read_seal(&rest, &seal) : HK_OK;
    if (error)
        return error;
    if (rest.size > sizeof plain)
        return HK_BAD_ENCODING;
    if (sealed && !passphrase)
        return HK_AGENT_LOCKED;
    if (sealed && (!derive(derived, &seal, passphrase) || !decrypt(plain, &seal, derived, rest)))
        return HK_INTERNAL;
    if (!sealed)
        memcpy(plain, rest.data, rest.size);
    if (!sum_is_right(plain, rest.size, *usage))
        return sealed ? HK_BAD_PASSPHRASE : HK_BAD_ENCODING;
    return take_secret(secret, key, HK_BYTES(plain, rest.size - (*usage == USAGE_SHA1 ? 20 : 2)));
}

/* ---- the certificate ---- */

/* The newest good signature over a user id or a subkey among those that follow it. */
struct newest {
    struct hk_bytes body;
    uint32_t created;
    bool found, revoked;
};

#define TYPE_KEY_REVOKED 0x20
#define TYPE_SUBKEY_REVOKED 0x28
#define TYPE_USER_ID_REVOKED 0x30

/* Takes the signatures that follow. Whose revocation it is does not matter: nobody else's would be exported
 * here. */
static void take_signatures(struct hk_bytes *rest, struct hk_gpg_export *out, const struct hk_bytes *user_id,
                            const struct hk_openpgp_key *subkey, struct newest *newest)
{
    struct hk_bytes at = *rest, body;
    unsigned tag;
    memset(newest, 0, sizeof *newest);
    while (hk_openpgp_next(&at, &tag, &body) == HK_OK && tag == HK_OPENPGP_SIGNATURE) {
        struct hk_openpgp_signature signature;
        const uint8_t *bytes = body.data;
        *rest = at;
        unsigned type = body.size > 1 ? bytes[1] : 0;
        newest->revoked = newest->revoked || type == TYPE_KEY_REVOKED || type == TYPE_SUBKEY_REVOKED ||
                          type == TYPE_USER_ID_REVOKED;
        bool good = hk_openpgp_signature_decode(&signature, body) == HK_OK && (user_id || subkey) &&
                    hk_openpgp_signature_verify(&signature, &out->keys[0].key, user_id, subkey) == HK_OK;
        bool newer = good && (!newest->found || signature.created >= newest->created);
        out->left += !newer || newest->found;
        if (newer)
            *newest = (struct newest){body, signature.created, true, newest->revoked};
    }
}

/* A packet and its signature, if they leave `room` bytes. */
static bool keep(struct hk_gpg_export *out, enum hk_openpgp_tag tag, struct hk_bytes body,
                 const struct newest *newest, size_t room)
{
    struct hk_openpgp_writer writer = {out->certificate, sizeof out->certificate - room,
                                       out->certificate_size,
                                       out->certificate_size > sizeof out->certificate - room};
    bool good = newest->found && !newest->revoked;
    if (good) {
        hk_openpgp_put_packet(&writer, tag, body.data, body.size);
        hk_openpgp_put_packet(&writer, HK_OPENPGP_SIGNATURE, newest->body.data, newest->body.size);
        good = !writer.full;
    }
    if (good)
        out->certificate_size = writer.size;
    out->left += !good;
    return good;
}

static enum hk_error take_primary(struct hk_gpg_export *out, struct hk_bytes *rest, const char *passphrase)
{
    struct hk_bytes body;
    struct newest direct;
    unsigned tag;
    size_t used;
    enum hk_error error = hk_openpgp_next(rest, &tag, &body);
    if (error || (tag != HK_OPENPGP_SECRET_KEY && tag != HK_OPENPGP_PUBLIC_KEY))
        return HK_BAD_ENCODING;
    error =
        tag == HK_OPENPGP_SECRET_KEY ? hk_openpgp_key_decode(&out->keys[0].key, &used, body) : HK_UNSUPPORTED;
    if (!error && out->keys[0].key.algorithm != HK_OPENPGP_EDDSA)
        error = HK_UNSUPPORTED;
    if (!error)
        error = open_secret(&out->keys[0].secret, &out->keys[0].key,
                            HK_BYTES((const uint8_t *)body.data + used, body.size - used), passphrase);
    if (error)
        return error;
    out->count = 1;
    struct hk_openpgp_writer writer = {out->certificate, sizeof out->certificate, 0, false};
    hk_openpgp_put_packet(&writer, HK_OPENPGP_PUBLIC_KEY, body.data, used);
    out->certificate_size = writer.size;
    take_signatures(rest, out, NULL, NULL, &direct);
    return direct.revoked ? HK_UNSUPPORTED : HK_OK;
}

/* A subkey of another kind, or one that is not in the file, stays behind; a wrong passphrase does not. */
static enum hk_error take_subkey(struct hk_gpg_export *out, struct hk_bytes *rest, struct hk_bytes body,
                                 const char *passphrase)
{
    struct newest newest;
    struct hk_openpgp_key key;
    struct hk_secret32 secret;
    HK_WIPE_AT_EXIT(secret);
    size_t used = 0;
    enum hk_error error = hk_openpgp_key_decode(&key, &used, body);
    if (!error)
        error = open_secret(&secret, &key, HK_BYTES((const uint8_t *)body.data + used, body.size - used),
                            passphrase);
    if (error && error != HK_UNSUPPORTED)
        return error;
    take_signatures(rest, out, NULL, error ? NULL : &key, &newest);
    if (error || out->count == HK_GPG_EXPORT_KEYS) {
        out->left++;
        return HK_OK;
    }
    if (!keep(out, HK_OPENPGP_PUBLIC_SUBKEY, HK_BYTES(body.data, used), &newest, 0))
        return HK_OK;
    out->keys[out->count].key = key;
    memcpy(out->keys[out->count++].secret.bytes, secret.bytes, sizeof secret.bytes);
    return HK_OK;
}

static enum hk_error read_packets(struct hk_gpg_export *out, struct hk_bytes rest, const char *passphrase)
{
    struct hk_bytes body;
    struct newest newest;
    unsigned tag;
    bool has_user_id = false;
    enum hk_error error = take_primary(out, &rest, passphrase);
    while (!error && (error = hk_openpgp_next(&rest, &tag, &body)) == HK_OK) {
        switch (tag) {
        case HK_OPENPGP_USER_ID:
            take_signatures(&rest, out, &body, NULL, &newest);
            if (body.size <= HK_OPENPGP_USER_ID_MAX &&
                keep(out, HK_OPENPGP_USER_ID, body, &newest, has_user_id ? SUBKEY_ROOM : 0))
                has_user_id = true;
            break;
        case HK_OPENPGP_SECRET_SUBKEY:
            error = take_subkey(out, &rest, body, passphrase);
            break;
        case HK_OPENPGP_SECRET_KEY:
            error = HK_UNSUPPORTED; /* another one begins */
            break;
        default:
            out->left++;
        }
    }
    if (error != HK_NOT_FOUND)
        return error;
    return has_user_id ? HK_OK : HK_NOT_FOUND;
}

enum hk_error hk_gpg_export_read(struct hk_gpg_export *out, const uint8_t *data, size_t size,
                                 const char *passphrase)
{
    uint8_t *binary = NULL;
    struct hk_bytes bytes = HK_BYTES(data, size);
    enum hk_error error = HK_OK;
    memset(out, 0, sizeof *out);
    if (size > 0 && (data[0] & 0x80) == 0) { /* text */
        binary = hk_secret_new(HK_GPG_EXPORT_MAX);
        size_t length = 0;
        error = binary ? hk_armor_decode(binary, HK_GPG_EXPORT_MAX, &length, (const char *)data, size)
                       : HK_NO_MEMORY;
        bytes = HK_BYTES(binary, length);
    }
    if (!error)
        error = read_packets(out, bytes, passphrase);
    hk_secret_free(binary);
    if (error)
        hk_wipe(out, sizeof *out);
    return error;
}
