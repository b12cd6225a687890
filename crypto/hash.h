/* hash.h - H, the one hash of halfkey's own protocols: SHA-512 over an unambiguous list.
 *
 *   H(label, a1..ak) = SHA-512( u8 len(label) ‖ label ‖ u32be k ‖ for each a: u32be length ‖ bytes )
 *
 * Every label begins with "halfkey/v1/", which these functions put in front themselves. A list is its count
 * followed by one argument per element; integers go in as eight bytes, big endian. So two different lists
 * never give the same input. The hashes inside RFC 9591, BIP-340 and ECDSA are theirs, not this one. */
#ifndef HALFKEY_CRYPTO_HASH_H
#define HALFKEY_CRYPTO_HASH_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#define HK_HASH_BYTES 64
#define HK_NAME_BYTES 32 /* names, transcripts and commitments: the first 32 bytes of H */
#define HK_TAG_BYTES 16  /* tags: the first 16 */

/* One argument of H: `size` bytes at `data`. */
struct hk_bytes {
    const void *data;
    size_t size;
};
#define HK_BYTES(pointer, length) ((struct hk_bytes){(pointer), (length)})
/* A string without its final zero. */
#define HK_TEXT(string) ((struct hk_bytes){(string), __builtin_strlen(string)})

/* H under construction, for lists whose length is not known when the code is written. The number of arguments
 * is fixed at the start and asserted at the end. Wiped by hk_hash_final. */
struct hk_hash {
    crypto_hash_sha512_state state;
    uint32_t announced, given;
};
/* `label` without "halfkey/v1/", at most 200 bytes; `count` is k. */
void hk_hash_init(struct hk_hash *hash, const char *label, uint32_t count);
void hk_hash_add(struct hk_hash *hash, const void *data, size_t size);
void hk_hash_add_u64(struct hk_hash *hash, uint64_t value);
void hk_hash_final(struct hk_hash *hash, uint8_t out[HK_HASH_BYTES]);

/* The same at once: hk_hash_list(out, "join/gate", 1, (struct hk_bytes[]){HK_BYTES(k, 16)}).
 * Writes HK_HASH_BYTES to out. Constant time in the contents, not in the lengths. */
void hk_hash_list(uint8_t out[HK_HASH_BYTES], const char *label, uint32_t count, const struct hk_bytes *list);

/* The first 32 bytes of H: a name, a commitment, a transcript. */
void hk_hash_name(uint8_t out[HK_NAME_BYTES], const char *label, uint32_t count, const struct hk_bytes *list);

#endif
