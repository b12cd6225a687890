/* What age says to its plugin, in either state machine; the account has one key, and is locked at first. */
#include <sodium.h>

#include "device/plugin.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t private_key[32] = {3};
static bool locked;

static enum hk_error list_keys(void *context, uint8_t account[HK_ACCOUNT_BYTES], struct hk_plugin_key *keys,
                               size_t *count)
{
    (void)context;
    memset(account, 7, HK_ACCOUNT_BYTES);
    memset(keys[0].id, 9, sizeof(keys[0].id));
    crypto_scalarmult_base(keys[0].recipient, private_key);
    *count = 1;
    return locked ? HK_AGENT_LOCKED : HK_OK;
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t (*points)[32],
                           size_t count, bool prove, uint8_t (*shared)[32])
{
    (void)context;
    (void)key;
    (void)prove;
    for (size_t i = 0; i < count; i++) {
        if (crypto_scalarmult(shared[i], private_key, points[i]) != 0) {
            return HK_BAD_POINT;
        }
    }
    return HK_OK;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    (void)context;
    locked = strcmp(passphrase, "correct horse") != 0;
    return locked ? HK_BAD_PASSPHRASE : HK_OK;
}

static const char *sentence(void *context, enum hk_error error)
{
    (void)context;
    return hk_strerror(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hk_plugin_agent agent = {list_keys, agree, unlock, sentence, NULL};
    if (size == 0) {
        return 0;
    }
    size_t count = 0;
    struct fuzz_memory memory = {data + 1, size - 1, 0};
    struct hk_source source = {fuzz_read, &memory};
    struct hk_sink sink = {fuzz_count, &count};
    fuzz_random();
    locked = (data[0] & 2) != 0;
    (void)!((data[0] & 1) != 0 ? hk_plugin_recipient_v1(source, sink, &agent)
                               : hk_plugin_identity_v1(source, sink, &agent));
    return 0;
}
