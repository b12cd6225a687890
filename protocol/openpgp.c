#include "protocol/openpgp.h"

#include <openssl/evp.h>
#include <string.h>

/* The curve's object identifier with its length, as it stands in a key's packet. */
static const uint8_t oid_ed25519[] = {9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1};
static const uint8_t oid_x25519[] = {10, 0x2b, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1};

#define P25519                                                                                               \
    "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"       \
    "\xff\xff\xff\xff\xff\xff\xff\xed"
#define N25519                                                                                               \
    "\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\xde\xf9\xde\xa2\xf7\x9c\xd6\x58\x12\x63\x1a\x5c\xf5\xd3\xed"

/* What libgcrypt hashes before the point: p, a, b, g and n of the curve. A negative a or b goes in without
 * its sign. */
static const uint8_t grip_ed25519[] = "(1:p32:" P25519 ")(1:a1:\1)(1:b32:"
                                      "\x2d\xfc\x93\x11\xd4\x90\x01\x8c\x73\x38\xbf\x86\x88\x86\x17\x67\xff"
                                      "\x8f\xf5\xb2\xbe\xbe\x27\x54\x8a\x14\xb2\x35"
                                      "\xec\xa6\x87\x4a"
                                      ")(1:g65:\4"
                                      "\x21\x69\x36\xd3\xcd\x6e\x53\xfe\xc0\xa4\xe2\x31\xfd\xd6\xdc\x5c\x69"
                                      "\x2c\xc7\x60\x95\x25\xa7\xb2\xc9\x56\x2d\x60"
                                      "\x8f\x25\xd5\x1a"
                                      "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                                      "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                                      "\x66\x66\x66\x58"
                                      ")(1:n32:" N25519 ")(1:q32:";
static const uint8_t grip_x25519[] = "(1:p32:" P25519 ")(1:a3:\x01\xdb\x41)(1:b1:\1)(1:g65:\4"
                                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09"
                                     "\x20\xae\x19\xa1\xb8\xa0\x86\xb4\xe0\x1e\xdd\x2c\x77\x48\xd1\x4c\x92"
                                     "\x3d\x4d\x7e\x6d\x7c\x61\xb2\x29\xe9\xc5\xa2"
                                     "\x7e\xce\xd3\xd9"
                                     ")(1:n32:" N25519 ")(1:q32:";

/* What differs between the two algorithms. */
static const struct row {
    enum hk_openpgp_algorithm algorithm;
    const uint8_t *oid;
    size_t oid_size;
    const uint8_t *grip;
    size_t grip_size;
    bool has_kdf;
} rows[] = {
    {HK_OPENPGP_EDDSA, oid_ed25519, sizeof(oid_ed25519), grip_ed25519, sizeof(grip_ed25519) - 1, false},
    {HK_OPENPGP_ECDH, oid_x25519, sizeof(oid_x25519), grip_x25519, sizeof(grip_x25519) - 1, true},
};

static const struct row *find_row(unsigned algorithm)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if ((unsigned)rows[i].algorithm == algorithm) {
            return &rows[i];
        }
    }
    return NULL;
}

void hk_openpgp_key_init(struct hk_openpgp_key *key, enum hk_openpgp_algorithm algorithm,
                         const uint8_t point[32], uint32_t created)
{
    memset(key, 0, sizeof(*key));
    key->algorithm = algorithm;
    key->created = created;
    memcpy(key->point, point, sizeof(key->point));
    if (find_row((unsigned)algorithm)->has_kdf) {
        key->kdf_hash = 8;   /* SHA-256 */
        key->kdf_cipher = 7; /* AES-128 */
    }
}

size_t hk_openpgp_key_encode(uint8_t out[HK_OPENPGP_KEY_MAX], const struct hk_openpgp_key *key)
{
    const struct row *row = find_row((unsigned)key->algorithm);
    struct hk_openpgp_writer writer = {out, HK_OPENPGP_KEY_MAX, 0, false};
    const uint8_t head[6] = {4,
                             (uint8_t)(key->created >> 24),
                             (uint8_t)(key->created >> 16),
                             (uint8_t)(key->created >> 8),
                             (uint8_t)key->created,
                             (uint8_t)key->algorithm};
    uint8_t point[33] = {0x40};
    memcpy(point + 1, key->point, 32);
    hk_openpgp_put(&writer, head, sizeof(head));
    hk_openpgp_put(&writer, row->oid, row->oid_size);
    hk_openpgp_put_mpi(&writer, point, sizeof(point));
    if (row->has_kdf) {
        const uint8_t kdf[4] = {3, 1, key->kdf_hash, key->kdf_cipher};
        hk_openpgp_put(&writer, kdf, sizeof(kdf));
    }
    return writer.size;
}

enum hk_error hk_openpgp_key_decode(struct hk_openpgp_key *key, size_t *used, struct hk_bytes body)
{
    struct hk_openpgp_key read = {0};
    struct hk_bytes rest = body;
    uint8_t point[33];
    const uint8_t *head = hk_openpgp_take(&rest, 6);
    if (head == NULL) {
        return HK_BAD_ENCODING;
    }
    const struct row *row = find_row(head[5]);
    if (head[0] != 4 || row == NULL) {
        return HK_UNSUPPORTED;
    }
    read.algorithm = row->algorithm;
    read.created = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    const uint8_t *oid = hk_openpgp_take(&rest, row->oid_size);
    if (oid == NULL || memcmp(oid, row->oid, row->oid_size) != 0) {
        return HK_UNSUPPORTED;
    }
    if (hk_openpgp_take_mpi(&rest, point, sizeof(point)) != HK_OK || point[0] != 0x40) {
        return HK_BAD_ENCODING;
    }
    memcpy(read.point, point + 1, 32);
    if (row->has_kdf) {
        const uint8_t *kdf = hk_openpgp_take(&rest, 4);
        if (kdf == NULL || kdf[0] != 3 || kdf[1] != 1) {
            return HK_BAD_ENCODING;
        }
        read.kdf_hash = kdf[2];
        read.kdf_cipher = kdf[3];
    }
    *key = read;
    *used = body.size - rest.size;
    return HK_OK;
}

static void sha1(uint8_t out[20], size_t count, const struct hk_bytes *list)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1;
    for (size_t i = 0; done && i < count; i++) {
        done = EVP_DigestUpdate(context, list[i].data, list[i].size) == 1;
    }
    if (!done || EVP_DigestFinal_ex(context, out, NULL) != 1) {
        memset(out, 0, 20); /* nothing is known by this name */
    }
    EVP_MD_CTX_free(context);
}

void hk_openpgp_fingerprint(uint8_t out[HK_OPENPGP_FINGERPRINT_BYTES], const struct hk_openpgp_key *key)
{
    uint8_t body[HK_OPENPGP_KEY_MAX];
    size_t size = hk_openpgp_key_encode(body, key);
    const uint8_t head[3] = {0x99, (uint8_t)(size >> 8), (uint8_t)size};
    sha1(out, 2, (struct hk_bytes[]){HK_BYTES(head, sizeof(head)), HK_BYTES(body, size)});
}

void hk_openpgp_keygrip(uint8_t out[HK_OPENPGP_KEYGRIP_BYTES], enum hk_openpgp_algorithm algorithm,
                        const uint8_t point[32])
{
    const struct row *row = find_row((unsigned)algorithm);
    sha1(out, 3,
         (struct hk_bytes[]){HK_BYTES(row->grip, row->grip_size), HK_BYTES(point, 32), HK_BYTES(")", 1)});
}

/* ---- packets ---- */

const uint8_t *hk_openpgp_take(struct hk_bytes *rest, size_t size)
{
    const uint8_t *data = rest->data;
    if (size > rest->size) {
        return NULL;
    }
    *rest = HK_BYTES(data + size, rest->size - size);
    return data;
}

static bool take_number(struct hk_bytes *rest, size_t bytes, size_t *number)
{
    const uint8_t *data = hk_openpgp_take(rest, bytes);
    size_t value = 0;
    for (size_t i = 0; data != NULL && i < bytes; i++) {
        value = value << 8 | data[i];
    }
    *number = value;
    return data != NULL;
}

/* The length in a new header: one, two or five bytes. */
static bool take_new_length(struct hk_bytes *rest, size_t *size)
{
    size_t second;
    if (!take_number(rest, 1, size)) {
        return false;
    }
    if (*size < 192) {
        return true;
    }
    if (*size < 224 && take_number(rest, 1, &second)) {
        *size = ((*size - 192) << 8) + second + 192;
        return true;
    }
    return *size == 255 && take_number(rest, 4, size);
}

enum hk_error hk_openpgp_next(struct hk_bytes *rest, unsigned *tag, struct hk_bytes *body)
{
    struct hk_bytes at = *rest;
    size_t size, head;
    if (at.size == 0) {
        return HK_NOT_FOUND;
    }
    if (!take_number(&at, 1, &head) || (head & 0x80) == 0) {
        return HK_BAD_ENCODING;
    }
    bool is_new = (head & 0x40) != 0;
    bool known = is_new ? take_new_length(&at, &size)
                        : (head & 3) != 3 && take_number(&at, (size_t)1 << (head & 3), &size);
    const uint8_t *data = known ? hk_openpgp_take(&at, size) : NULL;
    if (data == NULL) {
        return HK_BAD_ENCODING;
    }
    *tag = (unsigned)(is_new ? head & 63 : head >> 2 & 15);
    *body = HK_BYTES(data, size);
    *rest = at;
    return HK_OK;
}

void hk_openpgp_put(struct hk_openpgp_writer *writer, const void *data, size_t size)
{
    if (writer->full || size > writer->max - writer->size) {
        writer->full = true;
        return;
    }
    memcpy(writer->out + writer->size, data, size);
    writer->size += size;
}

void hk_openpgp_put_packet(struct hk_openpgp_writer *writer, enum hk_openpgp_tag tag, const void *body,
                           size_t size)
{
    bool is_short = size < 256;
    const uint8_t head[3] = {(uint8_t)(0x80 | (unsigned)tag << 2 | !is_short),
                             (uint8_t)(is_short ? size : size >> 8), (uint8_t)size};
    if (size > UINT16_MAX) {
        writer->full = true;
        return;
    }
    hk_openpgp_put(writer, head, is_short ? 2 : 3);
    hk_openpgp_put(writer, body, size);
}

/* ---- numbers ---- */

static size_t bit_length(const uint8_t *bytes, size_t size)
{
    size_t bits = size * 8;
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0x80; bit != 0; bit >>= 1) {
            if ((bytes[i] & bit) != 0) {
                return bits;
            }
            bits--;
        }
    }
    return 0;
}

void hk_openpgp_put_mpi(struct hk_openpgp_writer *writer, const uint8_t *bytes, size_t size)
{
    size_t bits = bit_length(bytes, size), length = (bits + 7) / 8;
    const uint8_t head[2] = {(uint8_t)(bits >> 8), (uint8_t)bits};
    hk_openpgp_put(writer, head, sizeof(head));
    hk_openpgp_put(writer, bytes + size - length, length);
}

enum hk_error hk_openpgp_take_mpi(struct hk_bytes *rest, uint8_t *out, size_t size)
{
    struct hk_bytes at = *rest;
    size_t bits;
    if (!take_number(&at, 2, &bits)) {
        return HK_BAD_ENCODING;
    }
    size_t length = (bits + 7) / 8;
    const uint8_t *data = length <= size ? hk_openpgp_take(&at, length) : NULL;
    if (data == NULL || bit_length(data, length) != bits) {
        return HK_BAD_ENCODING;
    }
    memset(out, 0, size - length);
    memcpy(out + size - length, data, length);
    *rest = at;
    return HK_OK;
}
