/* OpenPGP: packets, certificates, exports of secret keys without a passphrase, armor, and what a service is
 * shown to be signed. */
#include "device/gpg_secret.h"
#include "tests/fuzz/fuzz.h"

/* What is read of a key or a signature is written again as it was. */
static void packets(const uint8_t *data, size_t size)
{
    struct hk_bytes rest = HK_BYTES(data, size), body;
    unsigned tag;
    while (hk_openpgp_next(&rest, &tag, &body) == HK_OK) {
        struct hk_openpgp_key key;
        struct hk_openpgp_signature signature;
        uint8_t again[HK_OPENPGP_KEY_MAX];
        size_t used;
        if (hk_openpgp_key_decode(&key, &used, body) == HK_OK) {
            size_t length = hk_openpgp_key_encode(again, &key);
            SAME_BYTES(again, length, body.data, used);
        }
        if (hk_openpgp_signature_decode(&signature, body) == HK_OK) {
            MUST(signature.hashed.size < body.size && signature.hash != NULL);
        }
        MUST(rest.size < size);
    }
}

static void certificate(const uint8_t *data, size_t size)
{
    struct hk_certificate read;
    char text[HK_CERTIFICATE_ARMOR_MAX];
    uint8_t back[HK_ATTACHMENT_MAX];
    size_t length;
    if (size <= HK_ATTACHMENT_MAX && hk_certificate_read(&read, HK_BYTES(data, size)) == HK_OK) {
        MUST(strlen(read.user_id) <= HK_OPENPGP_USER_ID_MAX && read.subkey_count <= HK_CERTIFICATE_SUBKEYS);
        hk_certificate_armor(text, HK_BYTES(data, size));
        MUST(hk_armor_decode(back, sizeof(back), &length, text, strlen(text)) == HK_OK);
        SAME_BYTES(back, length, data, size);
    }
}

/* Whatever comes of a file is whole: a certificate that is valid, with as many subkeys as secrets. */
static void export(const uint8_t *data, size_t size)
{
    static struct hk_gpg_export out;
    struct hk_certificate read;
    if (size <= HK_GPG_EXPORT_MAX && hk_gpg_export_read(&out, data, size, NULL) == HK_OK) {
        MUST(hk_certificate_read(&read, HK_BYTES(out.certificate, out.certificate_size)) == HK_OK);
        MUST(out.count == 1 + read.subkey_count);
        MUST(memcmp(&out.keys[0].key, &read.key, sizeof(read.key)) == 0);
    }
}

static void to_sign(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"sha256", "sha512", "self-certification", "subkey-binding"};
    uint8_t out[HK_OPENPGP_DIGEST_MAX];
    size_t length = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && size >= 36; i++) {
        if (hk_openpgp_to_sign(out, &length, HK_TEXT(names[i]), HK_BYTES(data + 36, size - 36), data,
                               (uint32_t)data[32] << 24 | (uint32_t)data[33] << 16 | (uint32_t)data[34] << 8 |
                                   data[35]) == HK_OK) {
            MUST(length >= 28 && length <= sizeof(out));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        void (*run)(const uint8_t *data, size_t size);
    } runs[] = {{packets}, {certificate}, {export}, {to_sign}};
    if (size == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) { /* its own memory: no byte before or behind */
        uint8_t *copy = malloc(size);
        MUST(copy != NULL);
        memcpy(copy, data, size);
        runs[i].run(copy, size);
        free(copy);
    }
    return 0;
}
