#include "device/openssh_key.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "protocol/encoding.h"
#include "protocol/ssh_wire.h"

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* and its final zero */
#define PLAIN_BLOCK 8

static const struct cipher {
    const char *name;
    size_t key_bytes, block;
    const EVP_CIPHER *(*evp)(void);
} ciphers[] = {
    {"none", 0, PLAIN_BLOCK, NULL},          {"aes256-ctr", 32, 16, EVP_aes_256_ctr},
    {"aes256-cbc", 32, 16, EVP_aes_256_cbc}, {"aes192-ctr", 24, 16, EVP_aes_192_ctr},
    {"aes192-cbc", 24, 16, EVP_aes_192_cbc}, {"aes128-ctr", 16, 16, EVP_aes_128_ctr},
    {"aes128-cbc", 16, 16, EVP_aes_128_cbc},
};

/* What stands in the file, in its order; spans into the blob. */
struct file {
    const struct cipher *cipher;
    struct hk_bytes salt, public_key, sealed;
    uint32_t rounds;
};

/* ---- the text ---- */

static enum hk_error read_text(struct hk_openssh_work *work, size_t *size, const char *text, size_t length)
{
    const char *begin = memmem(text, length, BEGIN, sizeof BEGIN - 1);
    if (!begin)
        return HK_BAD_ENCODING;
    begin += sizeof BEGIN - 1;
    const char *end = memmem(begin, (size_t)(text + length - begin), END, sizeof END - 1);
    if (!end)
        return HK_BAD_ENCODING;
    size_t n = 0;
    for (const char *at = begin; at < end; at++) {
        bool space = *at == '\n' || *at == '\r' || *at == ' ';
        HK_PUBLIC(space);
        if (space)
            continue;
        if (n == sizeof work->joined)
            return HK_BAD_ENCODING;
        work->joined[n++] = *at;
    }
    return hk_base64_decode(work->blob, sizeof work->blob, size, work->joined, n, HK_BASE64_PADDED)
               ? HK_BAD_ENCODING
               : HK_OK;
}

/* ---- the file ---- */

static const struct cipher *find_cipher(struct hk_bytes name)
{
    for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
        if (hk_ssh_is(name, ciphers[i].name))
            return &ciphers[i];
    return NULL;
}

/* "ssh-ed25519" and the key; the span of the key's 32 bytes. HK_UNSUPPORTED for another kind. */
static enum hk_error read_public(struct hk_bytes blob, struct hk_bytes *key)
{
    struct hk_bytes kind;
    if (!hk_ssh_take_string(&blob, &kind))
        return HK_BAD_ENCODING;
    if (!hk_ssh_is(kind, "ssh-ed25519"))
        return HK_UNSUPPORTED;
    return hk_ssh_take_string(&blob, key) && key->size == 32 && blob.size == 0 ? HK_OK : HK_BAD_ENCODING;
}

static enum hk_error read_derivation(struct file *file, struct hk_bytes name, struct hk_bytes options)
{
    if (!file->cipher->evp)
        return hk_ssh_is(name, "none") && options.size == 0 ? HK_OK : HK_BAD_ENCODING;
    if (!hk_ssh_is(name, "bcrypt"))
        return HK_UNSUPPORTED;
    return hk_ssh_take_string(&options, &file->salt) && hk_ssh_take_u32(&options, &file->rounds) &&
                   options.size == 0
               ? HK_OK
               : HK_BAD_ENCODING;
}

static enum hk_error read_file(struct file *file, struct hk_bytes rest)
{
    struct hk_bytes magic, cipher, derivation, options, public_blob;
    uint32_t count;
    if (!hk_ssh_take_bytes(&rest, &magic, sizeof MAGIC) ||
        !hk_ssh_same(magic, HK_BYTES(MAGIC, sizeof MAGIC)) || !hk_ssh_take_string(&rest, &cipher) ||
        !hk_ssh_take_string(&rest, &derivation) || !hk_ssh_take_string(&rest, &options) ||
        !hk_ssh_take_u32(&rest, &count))
        return HK_BAD_ENCODING;
    if (count != 1)
        return HK_UNSUPPORTED;
    if (!hk_ssh_take_string(&rest, &public_blob) || !hk_ssh_take_string(&rest, &file->sealed))
        return HK_BAD_ENCODING;
    enum hk_error error = read_public(public_blob, &file->public_key);
    file->cipher = find_cipher(cipher);
    if (!error && !file->cipher)
        error = HK_UNSUPPORTED; /* with a tag behind it, perhaps: not looked at */
    if (!error)
        error = read_derivation(file, derivation, options);
    if (!error && (rest.size != 0 || file->sealed.size == 0 || file->sealed.size % file->cipher->block != 0))
        error = HK_BAD_ENCODING;
    return error;
}

/* ---- what is sealed ---- */

static enum hk_error unseal(struct hk_openssh_work *work, const struct file *file, const char *passphrase)
{
    const struct cipher *cipher = file->cipher;
    if (!cipher->evp) {
        memcpy(work->plain, file->sealed.data, file->sealed.size);
        return HK_OK;
    }
    if (!passphrase)
        return HK_AGENT_LOCKED;
    enum hk_error error =
        hk_bcrypt_pbkdf(work->key, cipher->key_bytes + cipher->block, &work->bcrypt, passphrase,
                        strlen(passphrase), file->salt.data, file->salt.size, file->rounds);
    if (error)
        return error;
    int size = 0, more = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done =
        context &&
        EVP_DecryptInit_ex(context, cipher->evp(), NULL, work->key, work->key + cipher->key_bytes) == 1 &&
        EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
        EVP_DecryptUpdate(context, work->plain, &size, file->sealed.data, (int)file->sealed.size) == 1 &&
        EVP_DecryptFinal_ex(context, work->plain + size, &more) == 1 &&
        (size_t)size + (size_t)more == file->sealed.size;
    EVP_CIPHER_CTX_free(context); /* wipes its key */
    return done ? HK_OK : HK_NO_MEMORY;
}

/* 1, 2, 3 ... up to a whole block. */
static bool is_padding(struct hk_bytes rest, size_t block)
{
    const uint8_t *data = rest.data;
    for (size_t i = 0; i < rest.size; i++)
        if (data[i] != i + 1)
            return false;
    return rest.size < block;
}

/* The same number twice says that the passphrase is right; then come kind, public key, seed and public key,
 * comment. */
static enum hk_error read_plain(struct hk_secret32 *seed, struct hk_openssh_work *work,
                                const struct file *file)
{
    struct hk_bytes rest = HK_BYTES(work->plain, file->sealed.size), kind, public_key, pair, comment;
    uint32_t first, second;
    uint8_t derived[32];
    if (!hk_ssh_take_u32(&rest, &first) || !hk_ssh_take_u32(&rest, &second))
        return HK_BAD_ENCODING;
    if (first != second)
        return file->cipher->evp ? HK_BAD_PASSPHRASE : HK_BAD_ENCODING;
    if (!hk_ssh_take_string(&rest, &kind) || !hk_ssh_is(kind, "ssh-ed25519") ||
        !hk_ssh_take_string(&rest, &public_key) || !hk_ssh_same(public_key, file->public_key) ||
        !hk_ssh_take_string(&rest, &pair) || pair.size != 64 || !hk_ssh_take_string(&rest, &comment) ||
        !is_padding(rest, file->cipher->block))
        return HK_BAD_ENCODING;
    crypto_sign_seed_keypair(derived, work->pair, pair.data);
    if (!hk_equal(derived, file->public_key.data, 32) || !hk_equal(work->pair, pair.data, 64))
        return HK_BAD_ENCODING;
    memcpy(seed->bytes, pair.data, 32);
    return HK_OK;
}

enum hk_error hk_openssh_key_decode(struct hk_secret32 *seed, struct hk_openssh_work *work, const char *text,
                                    size_t length, const char *passphrase)
{
    struct file file = {0};
    size_t size = 0;
    enum hk_error error = read_text(work, &size, text, length);
    if (!error)
        error = read_file(&file, HK_BYTES(work->blob, size));
    if (!error)
        error = unseal(work, &file, passphrase);
    if (!error)
        error = read_plain(seed, work, &file);
    hk_wipe(work, sizeof *work);
    return error;
}

enum hk_error hk_openssh_key_public(uint8_t key[32], struct hk_openssh_work *work, const char *text,
                                    size_t length)
{
    struct file file = {0};
    size_t size = 0;
    enum hk_error error = read_text(work, &size, text, length);
    if (!error)
        error = read_file(&file, HK_BYTES(work->blob, size));
    if (!error)
        memcpy(key, file.public_key.data, 32);
    hk_wipe(work, sizeof *work);
    return error;
}
