#include "protocol/openpgp_signature.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

static const struct hk_openpgp_hash hashes[] = {
    {8, "sha256", 32}, {9, "sha384", 48}, {10, "sha512", 64}, {11, "sha224", 28}};
#define HASHES (sizeof(hashes) / sizeof(*hashes))
#define SSHSIG "SSHSIG"
#define OWN_HASH 10 /* for what halfkey makes: SHA-512, as Ed25519 itself uses */

/* Self-signatures, and what each is over behind the primary key: a user id, or a subkey. */
static const struct self_type {
    const char *namespace;
    uint8_t type;
    uint8_t mark; /* before what is bound */
    uint8_t length_bytes;
} self_types[] = {{"self-certification", HK_OPENPGP_SELF_CERTIFICATION, 0xb4, 4},
                  {"subkey-binding", HK_OPENPGP_SUBKEY_BINDING, 0x99, 2}};
#define SELF_TYPES (sizeof(self_types) / sizeof(*self_types))

static bool is_text(struct hk_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

const struct hk_openpgp_hash *hk_openpgp_hash_by_number(unsigned number)
{
    for (size_t i = 0; i < HASHES; i++) {
        if (hashes[i].number == number) {
            return &hashes[i];
        }
    }
    return NULL;
}

const struct hk_openpgp_hash *hk_openpgp_hash_by_name(struct hk_bytes name)
{
    for (size_t i = 0; i < HASHES; i++) {
        if (is_text(name, hashes[i].name)) {
            return &hashes[i];
        }
    }
    return NULL;
}

static bool digest_of(uint8_t out[HK_OPENPGP_DIGEST_MAX], const struct hk_openpgp_hash *hash,
                      struct hk_bytes data)
{
    unsigned size = 0;
    const EVP_MD *md = EVP_get_digestbyname(hash->name);
    return md != NULL && EVP_Digest(data.data, data.size, out, &size, md, NULL) == 1 && size == hash->bytes;
}

static size_t take_length(struct hk_bytes *rest, size_t bytes)
{
    size_t size = 0;
    const uint8_t *data = hk_openpgp_take(rest, bytes);
    for (size_t i = 0; data != NULL && i < bytes; i++) {
        size = size << 8 | data[i];
    }
    return data != NULL ? size : SIZE_MAX;
}

/* ---- what a request shows ---- */

/* The primary key at the front, which must be the one that signs. */
static bool takes_own_key(struct hk_bytes *rest, const uint8_t point[32], uint32_t created)
{
    struct hk_openpgp_key key;
    size_t used;
    const uint8_t *mark = hk_openpgp_take(rest, 1);
    size_t size = mark != NULL && *mark == 0x99 ? take_length(rest, 2) : SIZE_MAX;
    const uint8_t *body = hk_openpgp_take(rest, size);
    return body != NULL && hk_openpgp_key_decode(&key, &used, HK_BYTES(body, size)) == HK_OK &&
           used == size && key.algorithm == HK_OPENPGP_EDDSA && key.created == created &&
           memcmp(key.point, point, 32) == 0;
}

/* The whole of a self-signature's input, to its last byte; *hash is the one that it names. */
static bool reads_self(struct hk_bytes message, const struct self_type *type, const uint8_t point[32],
                       uint32_t created, const struct hk_openpgp_hash **hash)
{
    struct hk_bytes rest = message;
    if (!takes_own_key(&rest, point, created)) {
        return false;
    }
    const uint8_t *mark = hk_openpgp_take(&rest, 1);
    if (mark == NULL || *mark != type->mark ||
        hk_openpgp_take(&rest, take_length(&rest, type->length_bytes)) == NULL) {
        return false;
    }
    size_t before = rest.size;
    const uint8_t *head = hk_openpgp_take(&rest, 4);
    if (head == NULL || head[0] != 4 || head[1] != type->type || head[2] != HK_OPENPGP_EDDSA ||
        hk_openpgp_take(&rest, take_length(&rest, 2)) == NULL) {
        return false;
    }
    size_t hashed = before - rest.size;
    const uint8_t *trailer = hk_openpgp_take(&rest, 2);
    *hash = hk_openpgp_hash_by_number(head[3]);
    return *hash != NULL && trailer != NULL && trailer[0] == 4 && trailer[1] == 0xff &&
           take_length(&rest, 4) == hashed && rest.size == 0;
}

enum hk_error hk_openpgp_to_sign(uint8_t out[HK_OPENPGP_DIGEST_MAX], size_t *size, struct hk_bytes namespace,
                                 struct hk_bytes message, const uint8_t point[32], uint32_t created)
{
    const struct hk_openpgp_hash *hash = hk_openpgp_hash_by_name(namespace);
    if (hash != NULL) {
        /* A short SSHSIG is as long as a digest: it would be good for ssh-keygen, and the log would not say
         * so. */
        if (message.size != hash->bytes || memcmp(message.data, SSHSIG, strlen(SSHSIG)) == 0) {
            return HK_BAD_ENCODING;
        }
        memcpy(out, message.data, message.size);
        *size = message.size;
        return HK_OK;
    }
    for (size_t i = 0; i < SELF_TYPES; i++) {
        if (is_text(namespace, self_types[i].namespace)) {
            bool known =
                reads_self(message, &self_types[i], point, created, &hash) && digest_of(out, hash, message);
            if (known) {
                *size = hash->bytes;
            }
            return known ? HK_OK : HK_BAD_ENCODING;
        }
    }
    return HK_BAD_ENCODING;
}

/* ---- making one ---- */

/* key, what is bound (mark, length, bytes), the signed part of the packet, and its length once more. */
static void put_signed(struct hk_openpgp_writer *writer, const struct hk_openpgp_key *primary,
                       const struct self_type *type, struct hk_bytes bound, struct hk_bytes hashed)
{
    uint8_t body[HK_OPENPGP_KEY_MAX];
    size_t size = hk_openpgp_key_encode(body, primary);
    const uint8_t head[3] = {0x99, (uint8_t)(size >> 8), (uint8_t)size};
    const uint8_t length[5] = {type->mark, (uint8_t)(bound.size >> 24), (uint8_t)(bound.size >> 16),
                               (uint8_t)(bound.size >> 8), (uint8_t)bound.size};
    const uint8_t trailer[6] = {4,
                                0xff,
                                (uint8_t)(hashed.size >> 24),
                                (uint8_t)(hashed.size >> 16),
                                (uint8_t)(hashed.size >> 8),
                                (uint8_t)hashed.size};
    hk_openpgp_put(writer, head, sizeof(head));
    hk_openpgp_put(writer, body, size);
    hk_openpgp_put(writer, length, 1);
    hk_openpgp_put(writer, length + 5 - type->length_bytes, type->length_bytes);
    hk_openpgp_put(writer, bound.data, bound.size);
    hk_openpgp_put(writer, hashed.data, hashed.size);
    hk_openpgp_put(writer, trailer, sizeof(trailer));
}

static void begin_self(struct hk_openpgp_self *self, const struct hk_openpgp_key *primary,
                       const struct self_type *type, struct hk_bytes bound, uint32_t when,
                       struct hk_bytes subpackets)
{
    uint8_t fingerprint[HK_OPENPGP_FINGERPRINT_BYTES];
    hk_openpgp_fingerprint(fingerprint, primary);
    memset(self, 0, sizeof(*self));
    self->namespace = type->namespace;
    memcpy(self->issuer, fingerprint + sizeof(fingerprint) - sizeof(self->issuer), sizeof(self->issuer));
    /* issuer's fingerprint (33) and the time (2) come first, then what differs */
    const uint8_t issuer[3] = {2 + sizeof(fingerprint), 33, 4};
    const uint8_t time[6] = {
        5, 2, (uint8_t)(when >> 24), (uint8_t)(when >> 16), (uint8_t)(when >> 8), (uint8_t)when};
    size_t total = sizeof(issuer) + sizeof(fingerprint) + sizeof(time) + subpackets.size;
    const uint8_t head[6] = {
        4, type->type, HK_OPENPGP_EDDSA, OWN_HASH, (uint8_t)(total >> 8), (uint8_t)total};
    struct hk_openpgp_writer hashed = {self->hashed, sizeof(self->hashed), 0, false};
    hk_openpgp_put(&hashed, head, sizeof(head));
    hk_openpgp_put(&hashed, issuer, sizeof(issuer));
    hk_openpgp_put(&hashed, fingerprint, sizeof(fingerprint));
    hk_openpgp_put(&hashed, time, sizeof(time));
    hk_openpgp_put(&hashed, subpackets.data, subpackets.size);
    self->hashed_size = hashed.size;
    struct hk_openpgp_writer whole = {self->signed_data, sizeof(self->signed_data), 0, false};
    put_signed(&whole, primary, type, bound, HK_BYTES(self->hashed, self->hashed_size));
    self->signed_size = whole.size;
    digest_of(self->digest, hk_openpgp_hash_by_number(OWN_HASH),
              HK_BYTES(self->signed_data, self->signed_size));
}

void hk_openpgp_self_user_id(struct hk_openpgp_self *self, const struct hk_openpgp_key *primary,
                             const char *user_id, uint32_t when)
{
    static const uint8_t subpackets[] = {
        2, 27, 0x03,       /* may certify and sign */
        4, 11, 9,    8, 7, /* AES-256, -192, -128 */
        4, 21, 10,   9, 8, /* SHA-512, -384, -256 */
        4, 22, 2,    3, 1, /* ZLIB, BZip2, ZIP */
        2, 30, 0x01,       /* encrypt with integrity protection */
        2, 23, 0x80,       /* key servers: changes by the owner alone */
    };
    begin_self(self, primary, &self_types[0], HK_TEXT(user_id), when,
               HK_BYTES(subpackets, sizeof(subpackets)));
}

void hk_openpgp_self_subkey(struct hk_openpgp_self *self, const struct hk_openpgp_key *primary,
                            const struct hk_openpgp_key *subkey, uint32_t when)
{
    static const uint8_t subpackets[] = {2, 27, 0x0c}; /* encrypts */
    uint8_t body[HK_OPENPGP_KEY_MAX];
    size_t size = hk_openpgp_key_encode(body, subkey);
    begin_self(self, primary, &self_types[1], HK_BYTES(body, size), when,
               HK_BYTES(subpackets, sizeof(subpackets)));
}

void hk_openpgp_self_finish(struct hk_openpgp_writer *writer, const struct hk_openpgp_self *self,
                            const uint8_t signature[64])
{
    uint8_t body[HK_OPENPGP_SIGNATURE_MAX];
    struct hk_openpgp_writer packet = {body, sizeof(body), 0, false};
    static const uint8_t unhashed[4] = {0, 10, 9, 16}; /* the issuer's key id, for older readers */
    hk_openpgp_put(&packet, self->hashed, self->hashed_size);
    hk_openpgp_put(&packet, unhashed, sizeof(unhashed));
    hk_openpgp_put(&packet, self->issuer, sizeof(self->issuer));
    hk_openpgp_put(&packet, self->digest, 2);
    hk_openpgp_put_mpi(&packet, signature, 32);
    hk_openpgp_put_mpi(&packet, signature + 32, 32);
    hk_openpgp_put_packet(writer, HK_OPENPGP_SIGNATURE, body, packet.size);
}

/* ---- reading ---- */

/* The creation time among the hashed subpackets; false if they are not well formed. */
static bool read_time(struct hk_bytes subpackets, uint32_t *created)
{
    *created = 0;
    while (subpackets.size > 0) {
        size_t size = take_length(&subpackets, 1);
        if (size >= 192 && size < 255) {
            size = ((size - 192) << 8) + take_length(&subpackets, 1) + 192;
        } else if (size == 255) {
            size = take_length(&subpackets, 4);
        }
        const uint8_t *data = size != 0 ? hk_openpgp_take(&subpackets, size) : NULL;
        if (data == NULL) {
            return false;
        }
        if ((data[0] & 0x7f) == 2 && size == 5) {
            *created = (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
        }
    }
    return true;
}

enum hk_error hk_openpgp_signature_decode(struct hk_openpgp_signature *out, struct hk_bytes body)
{
    struct hk_openpgp_signature read = {0};
    struct hk_bytes rest = body;
    const uint8_t *head = hk_openpgp_take(&rest, 4);
    if (head == NULL) {
        return HK_BAD_ENCODING;
    }
    read.type = head[1];
    read.hash = hk_openpgp_hash_by_number(head[3]);
    if (head[0] != 4 || head[2] != HK_OPENPGP_EDDSA || read.hash == NULL) {
        return HK_UNSUPPORTED;
    }
    size_t size = take_length(&rest, 2);
    const uint8_t *subpackets = hk_openpgp_take(&rest, size);
    if (subpackets == NULL || !read_time(HK_BYTES(subpackets, size), &read.created)) {
        return HK_BAD_ENCODING;
    }
    read.hashed = HK_BYTES(body.data, 6 + size);
    size = take_length(&rest, 2);
    const uint8_t *unhashed = hk_openpgp_take(&rest, size), *left = hk_openpgp_take(&rest, 2);
    if (unhashed == NULL || left == NULL || hk_openpgp_take_mpi(&rest, read.signature, 32) != HK_OK ||
        hk_openpgp_take_mpi(&rest, read.signature + 32, 32) != HK_OK || rest.size != 0) {
        return HK_BAD_ENCODING;
    }
    memcpy(read.left, left, 2);
    *out = read;
    return HK_OK;
}

enum hk_error hk_openpgp_signature_verify(const struct hk_openpgp_signature *signature,
                                          const struct hk_openpgp_key *primary,
                                          const struct hk_bytes *user_id, const struct hk_openpgp_key *subkey)
{
    uint8_t data[4 * HK_OPENPGP_SIGNED_MAX], digest[HK_OPENPGP_DIGEST_MAX], body[HK_OPENPGP_KEY_MAX];
    struct hk_openpgp_writer writer = {data, sizeof(data), 0, false};
    bool of_user_id =
        signature->type >= HK_OPENPGP_CERTIFICATION && signature->type <= HK_OPENPGP_SELF_CERTIFICATION;
    if (of_user_id ? user_id == NULL : signature->type != HK_OPENPGP_SUBKEY_BINDING || subkey == NULL) {
        return HK_BAD_SIGNATURE;
    }
    struct hk_bytes bound = of_user_id ? *user_id : HK_BYTES(body, hk_openpgp_key_encode(body, subkey));
    put_signed(&writer, primary, &self_types[of_user_id ? 0 : 1], bound, signature->hashed);
    bool good = !writer.full && digest_of(digest, signature->hash, HK_BYTES(data, writer.size)) &&
                memcmp(digest, signature->left, 2) == 0 &&
                crypto_sign_verify_detached(signature->signature, digest, signature->hash->bytes,
                                            primary->point) == 0;
    return good ? HK_OK : HK_BAD_SIGNATURE;
}
