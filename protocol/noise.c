#include "protocol/noise.h"

#include <ctype.h>
#include <string.h>

#include "crypto/random.h"

/* ---- patterns: what the specification prints, as rows ---- */
enum token { END, E, S, EE, ES, SE, SS, PSK };
#define MESSAGES_MAX 3
#define TOKENS_MAX 5
#define KNOWN_INITIATOR 1 /* pre-message: -> s */
#define KNOWN_RESPONDER 2 /* pre-message: <- s */

struct hk_noise_pattern {
    const char *name;
    unsigned known, messages;
    enum token tokens[MESSAGES_MAX][TOKENS_MAX];
};

static const struct hk_noise_pattern patterns[] = {
    {"N", KNOWN_RESPONDER, 1, {{E, ES}}},
    {"K", KNOWN_INITIATOR | KNOWN_RESPONDER, 1, {{E, ES, SS}}},
    {"X", KNOWN_RESPONDER, 1, {{E, ES, S, SS}}},
    {"NK", KNOWN_RESPONDER, 2, {{E, ES}, {E, EE}}},
    {"XK", KNOWN_RESPONDER, 3, {{E, ES}, {E, EE}, {S, SE}}},
    {"IK", KNOWN_RESPONDER, 2, {{E, ES, S, SS}, {E, EE, SE}}},
    {"XX", 0, 3, {{E}, {E, EE, S, ES}, {S, SE}}},
};

static const struct hk_digest *const digests[] = {&hk_digest_blake2b, &hk_digest_sha256, &hk_digest_sha512};

/* Takes "IKpsk1_25519_ChaChaPoly_BLAKE2b" apart. */
static bool find_pattern(struct hk_noise *noise, const char *name)
{
    static const char prefix[] = "Noise_", ciphers[] = "_25519_ChaChaPoly_";
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    const char *pattern = name + sizeof(prefix) - 1, *end = pattern;
    while (isupper((unsigned char)*end)) {
        end++;
    }
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        if (strlen(patterns[i].name) == (size_t)(end - pattern) &&
            strncmp(patterns[i].name, pattern, (size_t)(end - pattern)) == 0) {
            noise->pattern = &patterns[i];
        }
    }
    if (strncmp(end, "psk", 3) == 0 && end[3] >= '0' && end[3] <= '9') {
        noise->psk_places = 1u << (end[3] - '0');
        end += 4;
    }
    if (noise->pattern == NULL || noise->psk_places >> (noise->pattern->messages + 1) != 0 ||
        strncmp(end, ciphers, sizeof(ciphers) - 1) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        if (strcmp(digests[i]->name, end + sizeof(ciphers) - 1) == 0) {
            noise->digest = digests[i];
        }
    }
    return noise->digest != NULL;
}

/* ---- SymmetricState, section 5.2 ---- */
static void mix_hash(struct hk_noise *noise, const void *data, size_t size)
{
    const struct hk_bytes list[2] = {HK_BYTES(noise->hash, noise->digest->bytes), HK_BYTES(data, size)};
    noise->digest->hash(noise->hash, list, 2);
}

static void hkdf(const struct hk_noise *noise, uint8_t *out, size_t outputs, const void *secret, size_t size)
{
    hk_hkdf(out, outputs * noise->digest->bytes, noise->digest,
            HK_BYTES(noise->chaining, noise->digest->bytes), HK_BYTES(secret, size), HK_BYTES(NULL, 0));
}

static void set_key(struct hk_cipher *cipher, const uint8_t *key)
{
    memcpy(cipher->key.bytes, key, sizeof(cipher->key.bytes));
    cipher->nonce = 0;
}

static void mix_key(struct hk_noise *noise, const void *secret, size_t size)
{
    uint8_t out[2 * HK_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(out);
    hkdf(noise, out, 2, secret, size);
    memcpy(noise->chaining, out, noise->digest->bytes);
    set_key(&noise->cipher, out + noise->digest->bytes);
    noise->has_key = true;
}

static void mix_key_and_hash(struct hk_noise *noise, const struct hk_secret32 *psk)
{
    uint8_t out[3 * HK_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(out);
    size_t bytes = noise->digest->bytes;
    hkdf(noise, out, 3, psk->bytes, sizeof(psk->bytes));
    memcpy(noise->chaining, out, bytes);
    mix_hash(noise, out + bytes, bytes);
    set_key(&noise->cipher, out + 2 * bytes);
    noise->has_key = true;
}

/* ---- a message being written or read ---- */
struct cursor {
    struct hk_noise *noise;
    uint8_t *out;      /* writing */
    const uint8_t *in; /* reading */
    size_t left;
};

static enum hk_error put_sealed(struct cursor *cursor, const void *data, size_t size)
{
    struct hk_noise *noise = cursor->noise;
    size_t total = size + (noise->has_key ? HK_AEAD_TAG_BYTES : 0);
    if (total > cursor->left) {
        return HK_TOO_LARGE;
    }
    if (!noise->has_key) {
        if (size != 0) {
            memcpy(cursor->out, data, size);
        }
    } else {
        enum hk_error error =
            hk_cipher_seal(&noise->cipher, cursor->out, noise->hash, noise->digest->bytes, data, size);
        if (error != HK_OK) {
            return error;
        }
    }
    mix_hash(noise, cursor->out, total);
    cursor->out += total;
    cursor->left -= total;
    return HK_OK;
}

static enum hk_error get_sealed(struct cursor *cursor, uint8_t *data, size_t size)
{
    struct hk_noise *noise = cursor->noise;
    size_t total = size + (noise->has_key ? HK_AEAD_TAG_BYTES : 0);
    if (total > cursor->left) {
        return HK_BAD_ENCODING;
    }
    uint8_t before[HK_DIGEST_BYTES_MAX];
    memcpy(before, noise->hash, sizeof(before));
    mix_hash(noise, cursor->in, total); /* first, since `data` may be where the message is */
    if (!noise->has_key) {
        if (size != 0) {
            /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a reader's cursor has a message */
            memmove(data, cursor->in, size);
        }
    } else {
        enum hk_error error =
            hk_cipher_open(&noise->cipher, data, before, noise->digest->bytes, cursor->in, total);
        if (error != HK_OK) {
            return error;
        }
    }
    cursor->in += total;
    cursor->left -= total;
    return HK_OK;
}

static enum hk_error token_e(struct cursor *cursor)
{
    struct hk_noise *noise = cursor->noise;
    uint8_t *public_key = noise->remote_ephemeral;
    if (cursor->left < HK_NOISE_KEY_BYTES) {
        return cursor->out != NULL ? HK_TOO_LARGE : HK_BAD_ENCODING;
    }
    if (cursor->out != NULL) {
        public_key = noise->ephemeral_public;
        if (!noise->has_ephemeral) {
            hk_random(noise->ephemeral.bytes, sizeof(noise->ephemeral.bytes));
        }
        hk_noise_public(public_key, &noise->ephemeral);
        memcpy(cursor->out, public_key, HK_NOISE_KEY_BYTES);
        cursor->out += HK_NOISE_KEY_BYTES;
    } else {
        memcpy(public_key, cursor->in, HK_NOISE_KEY_BYTES);
        cursor->in += HK_NOISE_KEY_BYTES;
    }
    cursor->left -= HK_NOISE_KEY_BYTES;
    mix_hash(noise, public_key, HK_NOISE_KEY_BYTES);
    if (noise->psk_places != 0) {
        mix_key(noise, public_key, HK_NOISE_KEY_BYTES);
    }
    return HK_OK;
}

static enum hk_error token_s(struct cursor *cursor)
{
    struct hk_noise *noise = cursor->noise;
    if (cursor->out != NULL) {
        return put_sealed(cursor, noise->static_public, HK_NOISE_KEY_BYTES);
    }
    enum hk_error error = get_sealed(cursor, noise->remote_static, HK_NOISE_KEY_BYTES);
    if (error == HK_OK) {
        HK_PUBLIC(noise->remote_static); /* encrypted for anonymity only: whoever is admitted is in tables */
        noise->has_remote_static = true;
        if (noise->admit != NULL) {
            error = noise->admit(noise->argument, noise->remote_static);
        }
    }
    return error;
}

static enum hk_error token_dh(struct hk_noise *noise, enum token token)
{
    bool initiator = noise->role == HK_NOISE_INITIATOR;
    bool own_ephemeral = token == EE || token == (initiator ? ES : SE);
    bool remote_ephemeral = token == EE || token == (initiator ? SE : ES);
    struct hk_secret32 shared;
    HK_WIPE_AT_EXIT(shared);
    enum hk_error error = hk_noise_dh(&shared, own_ephemeral ? &noise->ephemeral : &noise->static_key,
                                      remote_ephemeral ? noise->remote_ephemeral : noise->remote_static);
    if (error == HK_OK) {
        mix_key(noise, shared.bytes, sizeof(shared.bytes));
    }
    return error;
}

static enum hk_error run_token(struct cursor *cursor, enum token token)
{
    switch (token) {
    case E:
        return token_e(cursor);
    case S:
        return token_s(cursor);
    case PSK:
        mix_key_and_hash(cursor->noise, &cursor->noise->psk);
        return HK_OK;
    default:
        return token_dh(cursor->noise, token);
    }
}

static enum hk_error run_tokens(struct cursor *cursor)
{
    struct hk_noise *noise = cursor->noise;
    const enum token *tokens = noise->pattern->tokens[noise->next];
    enum hk_error error = HK_OK;
    if (noise->next == 0 && (noise->psk_places & 1) != 0) {
        error = run_token(cursor, PSK);
    }
    for (size_t i = 0; error == HK_OK && i < TOKENS_MAX && tokens[i] != END; i++) {
        error = run_token(cursor, tokens[i]);
    }
    if (error == HK_OK && (noise->psk_places >> (noise->next + 1) & 1) != 0) {
        error = run_token(cursor, PSK);
    }
    return error;
}

/* ---- the handshake, section 5.3 ---- */
static bool has_token_s(const struct hk_noise *noise, bool from_initiator)
{
    for (unsigned i = from_initiator ? 0 : 1; i < noise->pattern->messages; i += 2) {
        for (size_t j = 0; j < TOKENS_MAX; j++) {
            if (noise->pattern->tokens[i][j] == S) {
                return true;
            }
        }
    }
    return false;
}

static bool setup_is_complete(const struct hk_noise *noise, const struct hk_noise_setup *setup)
{
    bool initiator = noise->role == HK_NOISE_INITIATOR;
    unsigned own = initiator ? KNOWN_INITIATOR : KNOWN_RESPONDER;
    unsigned remote = initiator ? KNOWN_RESPONDER : KNOWN_INITIATOR;
    bool needs_static = (noise->pattern->known & own) != 0 || has_token_s(noise, initiator);
    return (!needs_static || setup->static_key != NULL) &&
           ((noise->pattern->known & remote) == 0 || setup->remote_static != NULL) &&
           (noise->psk_places == 0 || setup->psk != NULL);
}

static void copy_keys(struct hk_noise *noise, const struct hk_noise_setup *setup)
{
    if (setup->static_key != NULL) {
        noise->static_key = *setup->static_key;
        if (setup->static_public != NULL) {
            memcpy(noise->static_public, setup->static_public, HK_NOISE_KEY_BYTES);
        } else {
            hk_noise_public(noise->static_public, setup->static_key);
        }
    }
    unsigned remote = noise->role == HK_NOISE_INITIATOR ? KNOWN_RESPONDER : KNOWN_INITIATOR;
    if ((noise->pattern->known & remote) != 0) {
        memcpy(noise->remote_static, setup->remote_static, HK_NOISE_KEY_BYTES);
        noise->has_remote_static = true;
    }
    if (noise->psk_places != 0) {
        noise->psk = *setup->psk;
    }
    if (setup->ephemeral != NULL) {
        noise->ephemeral = *setup->ephemeral;
        noise->has_ephemeral = true;
    }
}

enum hk_error hk_noise_init(struct hk_noise *noise, const char *name, enum hk_noise_role role,
                            const struct hk_noise_setup *setup)
{
    memset(noise, 0, sizeof(*noise));
    noise->role = role;
    if (!find_pattern(noise, name)) {
        hk_noise_wipe(noise);
        return HK_UNSUPPORTED;
    }
    if (!setup_is_complete(noise, setup)) {
        hk_noise_wipe(noise);
        return HK_USAGE;
    }
    noise->admit = setup->admit;
    noise->argument = setup->argument;
    copy_keys(noise, setup);

    size_t length = strlen(name);
    if (length <= noise->digest->bytes) {
        memcpy(noise->hash, name, length);
    } else {
        noise->digest->hash(noise->hash, &HK_BYTES(name, length), 1);
    }
    memcpy(noise->chaining, noise->hash, sizeof(noise->chaining));
    mix_hash(noise, setup->prologue, setup->prologue_size);
    bool initiator = role == HK_NOISE_INITIATOR;
    if ((noise->pattern->known & KNOWN_INITIATOR) != 0) {
        mix_hash(noise, initiator ? noise->static_public : noise->remote_static, HK_NOISE_KEY_BYTES);
    }
    if ((noise->pattern->known & KNOWN_RESPONDER) != 0) {
        mix_hash(noise, initiator ? noise->remote_static : noise->static_public, HK_NOISE_KEY_BYTES);
    }
    noise->alive = true;
    return HK_OK;
}

bool hk_noise_is_finished(const struct hk_noise *noise)
{
    return noise->alive && noise->next == noise->pattern->messages;
}

bool hk_noise_is_my_turn(const struct hk_noise *noise)
{
    return noise->alive && noise->next < noise->pattern->messages &&
           (noise->next % 2 == 0) == (noise->role == HK_NOISE_INITIATOR);
}

enum hk_error hk_noise_write(struct hk_noise *noise, const void *payload, size_t size, uint8_t *out,
                             size_t max, size_t *out_size)
{
    if (!hk_noise_is_my_turn(noise)) {
        return HK_CONFLICT;
    }
    size_t room = max < HK_NOISE_MESSAGE_MAX ? max : HK_NOISE_MESSAGE_MAX;
    struct cursor cursor = {noise, out, NULL, room};
    enum hk_error error = run_tokens(&cursor);
    if (error == HK_OK) {
        error = put_sealed(&cursor, payload, size);
    }
    if (error != HK_OK) {
        hk_noise_wipe(noise);
        return error;
    }
    noise->next++;
    *out_size = room - cursor.left;
    return HK_OK;
}

enum hk_error hk_noise_read(struct hk_noise *noise, const void *message, size_t size, uint8_t *out,
                            size_t max, size_t *out_size)
{
    if (!noise->alive || hk_noise_is_my_turn(noise) || hk_noise_is_finished(noise)) {
        return HK_CONFLICT;
    }
    struct cursor cursor = {noise, NULL, message, size};
    enum hk_error error = size > HK_NOISE_MESSAGE_MAX ? HK_TOO_LARGE : run_tokens(&cursor);
    size_t text = 0;
    if (error == HK_OK) {
        size_t tag = noise->has_key ? HK_AEAD_TAG_BYTES : 0;
        text = cursor.left - tag;
        if (cursor.left < tag) {
            error = HK_BAD_ENCODING;
        } else if (text > max) {
            error = HK_TOO_LARGE;
        } else {
            error = get_sealed(&cursor, out, text);
        }
    }
    if (error != HK_OK) {
        hk_noise_wipe(noise);
        return error;
    }
    noise->next++;
    *out_size = text;
    return HK_OK;
}

enum hk_error hk_noise_split(struct hk_noise *noise, struct hk_noise_result *result)
{
    if (!hk_noise_is_finished(noise)) {
        return HK_CONFLICT;
    }
    uint8_t out[2 * HK_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(out);
    hkdf(noise, out, 2, NULL, 0);
    memset(result, 0, sizeof(*result));
    bool initiator = noise->role == HK_NOISE_INITIATOR;
    set_key(initiator ? &result->send : &result->receive, out);
    set_key(initiator ? &result->receive : &result->send, out + noise->digest->bytes);
    result->hash_bytes = noise->digest->bytes;
    memcpy(result->hash, noise->hash, noise->digest->bytes);
    result->has_remote_static = noise->has_remote_static;
    memcpy(result->remote_static, noise->remote_static, sizeof(result->remote_static));
    hk_noise_wipe(noise);
    return HK_OK;
}

void hk_noise_wipe(struct hk_noise *noise)
{
    hk_wipe(noise, sizeof(*noise));
}
