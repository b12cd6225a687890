/* What the device does with secrets besides sharing: its file, age's keys, texts that hold keys. */
#include "tests/ctcheck/ctcheck.h"

#include <sodium.h>
#include <string.h>

#include "device/age_crypto.h"
#include "device/age_payload.h"
#include "device/key_format.h"
#include "device/log_check.h"
#include "device/state.h"
#include "protocol/aead.h"
#include "protocol/encoding.h"
#include "protocol/message.h"

/* The state with every secret in it secret, through its codec and the file's cipher. The key of the cipher
 * stands for the one that Argon2id makes of the passphrase: Argon2id itself reads memory at places that
 * depend on the passphrase, as RFC 9106 has it. */
static void state_file(const struct ct_subject *subject)
{
    (void)subject;
    static uint8_t plain[HK_STATE_FILE_MAX], sealed[HK_STATE_FILE_MAX + HK_AEAD_TAG_BYTES];
    struct hk_state *state, *again;
    struct hk_secret32 key;
    const uint8_t nonce[HK_AEAD_X_NONCE_BYTES] = {1}, id[HK_ID_BYTES] = {2};
    size_t size;
    MUST(hk_state_new(&state) == HK_OK && hk_state_new(&again) == HK_OK);
    hk_state_make_device(state, "laptop", HK_ROLE_ADMIN);
    PUBLIC(state->serial);
    PUBLIC(state->static_public);
    PUBLIC(state->report_public);
    state->phase = HK_PHASE_ACTIVE;
    strcpy(state->address, "tcp://127.0.0.1:7700");
    hk_random(state->tag, sizeof(state->tag));
    hk_random(&state->refresh.device_seed, 32);
    hk_random(&state->refresh.service_seed, 32);
    hk_random(state->refresh.new_tag, sizeof(state->refresh.new_tag));
    state->refresh.stage = HK_REFRESH_STORED;
    struct hk_state_key *entry = hk_state_add_key(state, id);
    MUST(entry != NULL);
    entry->suite = HK_SUITE_X25519;
    entry->purpose = HK_PURPOSE_AGREE;
    entry->state = HK_KEY_ACTIVE;
    strcpy(entry->name, "mail");
    hk_scalar_random(&hk_edwards25519, &entry->half);
    hk_scalar_random(&hk_edwards25519, &entry->next_half);
    uint8_t code[16];
    hk_random(code, sizeof(code));
    MUST(hk_state_keep_certificate(state, id, "certificate", 11, code) == HK_OK);
    hk_random(&key, sizeof(key));
    MUST(hk_state_encode(state, plain, sizeof(plain), &size) == HK_OK);
    hk_aead_x_seal(sealed, &key, nonce, NULL, 0, plain, size);
    PUBLIC(sealed);
    MUST(hk_aead_x_open(plain, &key, nonce, NULL, 0, sealed, size + HK_AEAD_TAG_BYTES) == HK_OK);
    /* What comes out of a cipher is all secret to memcheck; the form of the state is not. */
    static uint8_t secret_bits[HK_STATE_FILE_MAX];
    MUST(hk_state_encode(state, secret_bits, sizeof(secret_bits), &size) == HK_OK);
    MUST(hk_equal(plain, secret_bits, size));
    MUST(hk_state_decode(again, secret_bits, size) == HK_OK);
    MUST(hk_equal(&again->key[0].half, &state->key[0].half, 32));
    hk_state_free(state);
    hk_state_free(again);
}

static void report(const struct ct_subject *subject)
{
    (void)subject;
    struct hk_log_head head = {.generation = 1, .size = 3};
    uint8_t account[HK_ACCOUNT_BYTES] = {4}, out[HK_REPORT_BYTES], public_key[32], seed[32], key[64];
    hk_random(seed, sizeof(seed));
    crypto_sign_seed_keypair(public_key, key, seed);
    PUBLIC_BYTES(key + 32, 32);
    PUBLIC(public_key);
    hk_log_report(out, account, &head, key);
    PUBLIC(out);
    MUST(hk_head_verify(HK_HEAD_REPORT, account, &head, out + HK_HEAD_BYTES, public_key) == HK_OK);
}

struct memory {
    uint8_t bytes[3 * HK_AGE_CHUNK_BYTES];
    size_t size, at;
};

static enum hk_error memory_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct memory *memory = context;
    *got = memory->size - memory->at < max ? memory->size - memory->at : max;
    memcpy(out, memory->bytes + memory->at, *got);
    memory->at += *got;
    return HK_OK;
}

static enum hk_error memory_write(void *context, const uint8_t *data, size_t size)
{
    struct memory *memory = context;
    MUST(memory->size + size <= sizeof(memory->bytes));
    memcpy(memory->bytes + memory->size, data, size);
    memory->size += size;
    return HK_OK;
}

static void age_file(const struct ct_subject *subject)
{
    (void)subject;
    static struct memory plain, file, out;
    uint8_t private_key[32], recipient[32], file_key[HK_AGE_FILE_KEY_BYTES], opened[HK_AGE_FILE_KEY_BYTES];
    uint8_t shared[32], mac[HK_AGE_MAC_BYTES], key[32];
    const uint8_t nonce[HK_AGE_NONCE_BYTES] = {1};
    char arguments[HK_AGE_STANZA_TEXT];
    struct hk_age_wrap wrap = {.file = 0};
    hk_random(private_key, sizeof(private_key));
    hk_random(file_key, sizeof(file_key));
    crypto_scalarmult_base(recipient, private_key);
    PUBLIC(recipient);
    MUST(hk_age_wrap_one(arguments, wrap.body, file_key, recipient) == HK_OK);
    PUBLIC(wrap.body);
    size_t size = 0;
    MUST(hk_base64_decode(wrap.ephemeral, 32, &size, arguments + 7, strlen(arguments) - 7, HK_BASE64_RAW) ==
         HK_OK);
    int failed = crypto_scalarmult(shared, private_key, wrap.ephemeral);
    PUBLIC(failed);
    MUST(failed == 0 && hk_age_unwrap_one(opened, &wrap, recipient, shared) == HK_OK);
    MUST(hk_equal(opened, file_key, sizeof(opened)));
    hk_age_header_mac(mac, opened, "header", 6);
    hk_age_payload_key(key, opened, nonce);
    plain.size = HK_AGE_CHUNK_BYTES + 100;
    hk_random(plain.bytes, plain.size);
    MUST(hk_age_payload_seal(key, &(struct hk_source){memory_read, &plain},
                             &(struct hk_sink){memory_write, &file}) == HK_OK);
    PUBLIC(file.bytes);
    MUST(hk_age_payload_open(key, &(struct hk_source){memory_read, &file},
                             &(struct hk_sink){memory_write, &out}) == HK_OK);
    MUST(out.size == plain.size && hk_equal(out.bytes, plain.bytes, out.size));
}

/* An identity between a comment and an empty line; then the same key as hexadecimal digits. */
static void key_texts(const struct ct_subject *subject)
{
    (void)subject;
    struct hk_secret32 key, found;
    char line[HK_KEY_TEXT_MAX], text[HK_KEY_TEXT_MAX + 32], hex[HK_HEX_SIZE(32)];
    hk_random(&key, sizeof(key));
    MUST(hk_bech32_encode(line, "AGE-SECRET-KEY-", &key, 32) == HK_OK);
    size_t length = sizeof("AGE-SECRET-KEY-1") - 1 + 52 + 6;
    memcpy(text, "# created\n", 10);
    memcpy(text + 10, line, length);
    memcpy(text + 10 + length, "\r\n\n", 3);
    MUST(hk_age_identity_decode(&found, text, 10 + length + 3) == HK_OK);
    MUST(hk_equal(&found, &key, 32));
    hk_hex_encode(hex, &key, 32);
    MUST(hk_raw_key_decode(&found, (const uint8_t *)hex, 64) == HK_OK && hk_equal(&found, &key, 32));
}

static void texts(const struct ct_subject *subject)
{
    (void)subject;
    uint8_t secret[33], out[33];
    char text[80];
    size_t size;
    hk_random(secret, sizeof(secret));
    for (int variant = HK_BASE32_PADDED; variant <= HK_BASE32_LOWER; variant++) {
        hk_base32_encode(text, secret, sizeof(secret), (enum hk_base32)variant);
        size_t length = variant == HK_BASE32_PADDED ? 56 : 53;
        MUST(hk_base32_decode(out, sizeof(out), &size, text, length, (enum hk_base32)variant) == HK_OK);
        MUST(size == sizeof(out) && hk_equal(out, secret, size));
    }
    for (int variant = HK_BASE64_PADDED; variant <= HK_BASE64_RAW; variant++) {
        hk_base64_encode(text, secret, 32, (enum hk_base64)variant);
        size_t length = variant == HK_BASE64_PADDED ? 44 : 43;
        MUST(hk_base64_decode(out, 32, &size, text, length, (enum hk_base64)variant) == HK_OK);
        MUST(size == 32 && hk_equal(out, secret, size));
    }
}

const struct ct_row ct_rows_device[] = {
    {"the device's state, encoded, sealed, read", CT_ONCE, state_file},
    {"a report signed with the report key", CT_ONCE, report},
    {"age: file key wrapped, unwrapped; payload", CT_ONCE, age_file},
    {"age identity and raw key read", CT_ONCE, key_texts},
    {"base32 and base64 of a secret", CT_ONCE, texts},
    {NULL, CT_ONCE, NULL},
};
