/* The texts that other programs write: SSHSIG, ssh public keys, age recipients and identities, raw keys; our
 * own plugin identities. */
#include "device/key_format.h"
#include "device/sshsig.h"
#include "tests/fuzz/fuzz.h"

static void signature(const char *text, size_t size)
{
    struct hk_sshsig read, again;
    char printed[HK_SSHSIG_TEXT_MAX];
    uint8_t preimage[HK_SSHSIG_PREIMAGE_MAX], digest[64] = {0};
    size_t length = 0;
    if (hk_sshsig_decode(&read, text, size) != HK_OK) {
        return;
    }
    hk_sshsig_encode(printed, &read);
    MUST(hk_sshsig_decode(&again, printed, strlen(printed)) == HK_OK);
    SAME_BYTES(again.signature, 64, read.signature, 64);
    SAME_BYTES(again.public_key, 32, read.public_key, 32);
    MUST(strcmp(again.namespace, read.namespace) == 0 && again.hash == read.hash);
    (void)!hk_sshsig_preimage(preimage, &length, read.namespace, read.hash, digest);
    struct fuzz_memory memory = {(const uint8_t *)"m", 1, 0};
    MUST(hk_sshsig_verify(&read, &(struct hk_source){fuzz_read, &memory}) != HK_OK);
}

static void public_keys(const char *text, size_t size)
{
    uint8_t key[32], again[32];
    char printed[HK_KEY_TEXT_MAX];
    struct hk_plugin_identity identity;
    if (hk_age_recipient_decode(key, text, size) == HK_OK) {
        hk_age_recipient_encode(printed, key);
        SAME_BYTES(printed, strlen(printed), text, size);
    }
    if (hk_plugin_identity_decode(&identity, text, size) == HK_OK) {
        hk_plugin_identity_encode(printed, &identity);
        SAME_BYTES(printed, strlen(printed), text, size);
    }
    if (hk_ssh_public_decode(key, text, size) == HK_OK) {
        hk_ssh_public_encode(printed, key, "comment");
        MUST(hk_ssh_public_decode(again, printed, strlen(printed)) == HK_OK);
        SAME_BYTES(again, 32, key, 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hk_secret32 key;
    const char *text = (const char *)data;
    signature(text, size);
    public_keys(text, size);
    (void)!hk_age_identity_decode(&key, text, size);
    (void)!hk_raw_key_decode(&key, data, size);
    return 0;
}
