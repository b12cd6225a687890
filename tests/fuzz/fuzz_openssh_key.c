/* Files of private keys as ssh-keygen writes them. A sealed one is opened only if its rounds are few. */
#include <sodium.h>

#include "device/openssh_key.h"
#include "protocol/encoding.h"
#include "tests/fuzz/fuzz.h"

static struct hk_openssh_work work;

/* Whether the derivation would take no time: the number of rounds is the last of the options. */
static bool is_quick(const char *text, size_t size)
{
    static uint8_t blob[HK_KEY_FILE_MAX];
    static char joined[HK_KEY_FILE_MAX];
    size_t n = 0, length = 0;
    const char *begin = memmem(text, size, "KEY-----", 8), *end = memmem(text, size, "-----END", 8);
    for (const char *at = begin != NULL ? begin + 8 : text; end != NULL && at < end && n < sizeof(joined);
         at++) {
        if (*at != '\n' && *at != '\r' && *at != ' ') {
            joined[n++] = *at;
        }
    }
    if (hk_base64_decode(blob, sizeof(blob), &length, joined, n, HK_BASE64_PADDED) != HK_OK) {
        return false;
    }
    const uint8_t *bcrypt = memmem(blob, length, "bcrypt", 6);
    size_t at = bcrypt != NULL ? (size_t)(bcrypt - blob) + 6 + 4 + 4 + 16 : length;
    return at + 4 <= length && memcmp(blob + at, "\0\0\0\1", 4) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct hk_secret32 seed;
    uint8_t said[32], derived[32], secret[64];
    MUST(sodium_init() >= 0);
    enum hk_error named = hk_openssh_key_public(said, &work, text, size),
                  read =
                      hk_openssh_key_decode(&seed, &work, text, size, is_quick(text, size) ? "fuzz" : NULL);
    MUST(hk_is_zero(&work, sizeof(work)));
    if (read == HK_OK) { /* whatever comes of a file is the key that the file names */
        MUST(named == HK_OK);
        crypto_sign_seed_keypair(derived, secret, seed.bytes);
        SAME_BYTES(derived, 32, said, 32);
    }
    return 0;
}
