/* BIP-340's table of signatures: each is verified by the shipped code, and where a private key is given it is
 * split, and device and service sign the message with its halves. */
#include "crypto/bip340.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/cosign.h"
#include "crypto/group_secp256k1.h"
#include "crypto/random.h"
#include "protocol/encoding.h"
#include "tests/vectors/vectors.h"

enum { INDEX, SECRET, PUBLIC, RANDOM, MESSAGE, SIGNATURE, RESULT, COLUMNS };

struct row {
    const char *at[COLUMNS];
    size_t size[COLUMNS];
};

bool bip340_matches(const struct vectors *file)
{
    static const char head[] = "index,secret key,public key,aux_rand,message,signature";
    return file->size > sizeof(head) && memcmp(file->bytes, head, sizeof(head) - 1) == 0;
}

/* The file's hexadecimal digits are upper case. */
static bool column(const struct row *row, int which, uint8_t *out, size_t size)
{
    char text[512];
    if (row->size[which] != 2 * size || row->size[which] >= sizeof(text)) {
        return false;
    }
    for (size_t i = 0; i < row->size[which]; i++) {
        char c = row->at[which][i];
        text[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    return hk_hex_decode(out, size, text, row->size[which]) == HK_OK;
}

/* The message signed by two halves of the private key; NULL root, then a taproot output of the same key. */
static bool cosigned(const uint8_t secret[32], const uint8_t public[32], const uint8_t *message, size_t size,
                     const struct hk_bytes *root)
{
    const struct hk_group *group = &hk_secp256k1;
    struct hk_scalar x, d, s;
    struct hk_point key, service;
    struct hk_frost_key signing_key;
    struct hk_frost_nonces nonces;
    uint8_t id[16] = {0}, device[66], answer[66], share[32], signature[64];
    struct hk_cosign request = {.suite = &hk_frost_bip340,
                                .key_id = id,
                                .epoch = 1,
                                .request_id = id,
                                .message = message,
                                .size = size};
    if (group->scalar_decode(&x, secret) != HK_OK) {
        return false;
    }
    hk_scalar_random(group, &d);
    group->scalar_sub(&s, &x, &d);
    group->base_mul(&key, &x);
    group->base_mul(&service, &s);
    return memcmp(key.bytes + 1, public, 32) == 0 &&
           hk_cosign_under(&request, &signing_key, key.bytes, root) == HK_OK &&
           (root != NULL) == (memcmp(signing_key.group_key + 1, public, 32) != 0) &&
           hk_cosign_begin(&nonces, device, &request, &d) == HK_OK &&
           hk_cosign_answer(answer, share, &request, &s, device) == HK_OK &&
           hk_cosign_finish(signature, &nonces, &request, &d, &service, answer, share) == HK_OK &&
           hk_bip340_verify(signature, signing_key.group_key + 1, message, size) == HK_OK;
}

static void run_row(struct vectors *file, const struct row *row)
{
    uint8_t secret[32], public[32], message[256], signature[64];
    char name[32];
    size_t size = row->size[MESSAGE] / 2;
    snprintf(name, sizeof(name), "row %.*s", (int)row->size[INDEX], row->at[INDEX]);
    if (!column(row, PUBLIC, public, 32) || !column(row, MESSAGE, message, size) ||
        !column(row, SIGNATURE, signature, 64)) {
        vectors_check(file, false, "columns", name);
        return;
    }
    bool valid = row->size[RESULT] == 4 && memcmp(row->at[RESULT], "TRUE", 4) == 0;
    bool verified = hk_bip340_verify(signature, public, message, size) == HK_OK;
    vectors_check(file, valid == verified, "verified", name);
    if (row->size[SECRET] == 0) {
        return;
    }
    const struct hk_bytes none = HK_BYTES("", 0), root = HK_BYTES(public, 32);
    bool good = column(row, SECRET, secret, 32);
    vectors_check(file, good && cosigned(secret, public, message, size, NULL), "signed by two", name);
    vectors_check(file, good && cosigned(secret, public, message, size, &none), "as taproot output", name);
    vectors_check(file, good && cosigned(secret, public, message, size, &root), "with a script root", name);
}

void bip340_run(struct vectors *file)
{
    const char *at = (const char *)file->bytes, *end = at + file->size;
    at = memchr(at, '\n', file->size);
    while (at != NULL && ++at < end && *at != '\r' && *at != '\n') {
        struct row row = {{NULL}, {0}};
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end : end;
        for (int i = 0; i < COLUMNS; i++) {
            const char *comma = memchr(at, ',', (size_t)(line_end - at));
            row.at[i] = at;
            row.size[i] = (size_t)((comma != NULL ? comma : line_end) - at);
            at = comma != NULL ? comma + 1 : line_end;
        }
        run_row(file, &row);
        at = line_end < end ? line_end : NULL;
    }
}
