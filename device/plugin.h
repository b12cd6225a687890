/* plugin.h - the two conversations of an age plugin (C2SP age-plugin.md): opening files and making them.
 *
 * age starts the plugin with its standard input and output as the two ends of a conversation in stanzas; its
 * standard error is thrown away, so every refusal is told through an `error` stanza, never by silence. All
 * X25519 stanzas of all files go into one request for a key. What is made is a native X25519 stanza that any
 * age reads. Which keys there are and what half of them is needed for comes in through struct
 * hk_plugin_agent. */
#ifndef HALFKEY_DEVICE_PLUGIN_H
#define HALFKEY_DEVICE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"
#include "protocol/message.h"

/* An x25519 key of the account: all public. */
struct hk_plugin_key {
    uint8_t id[HK_ID_BYTES];
    uint8_t recipient[32];
};

/* Lists up to HK_KEYS_MAX keys and the account; HK_AGENT_LOCKED if the passphrase is needed. */
typedef enum hk_error (*hk_plugin_keys_fn)(void *context, uint8_t account[HK_ACCOUNT_BYTES],
                                           struct hk_plugin_key *keys, size_t *count);
/* Shared secrets of a key with `count` points in one request, the service's part proved if asked for;
 * HK_AGENT_LOCKED if the passphrase is needed. */
typedef enum hk_error (*hk_plugin_agree_fn)(void *context, const uint8_t key[HK_ID_BYTES],
                                            const uint8_t (*points)[32], size_t count, bool prove,
                                            uint8_t (*shared)[32]);
/* Unlocks with a passphrase that the user gave to age. */
typedef enum hk_error (*hk_plugin_unlock_fn)(void *context, const char *passphrase);

struct hk_plugin_agent {
    hk_plugin_keys_fn keys;
    hk_plugin_agree_fn agree;
    hk_plugin_unlock_fn unlock;
    /* What the user is told of an error of the others. */
    const char *(*sentence)(void *context, enum hk_error error);
    void *context;
};

/* The state machines `identity-v1` (opens file keys) and `recipient-v1` (wraps them). HK_OK if the
 * conversation came to its end, whatever was said in it; HK_BAD_ENCODING or HK_IO if age broke it off. */
HK_CHECK enum hk_error hk_plugin_identity_v1(struct hk_source source, struct hk_sink sink,
                                             const struct hk_plugin_agent *agent);
HK_CHECK enum hk_error hk_plugin_recipient_v1(struct hk_source source, struct hk_sink sink,
                                              const struct hk_plugin_agent *agent);

#endif
