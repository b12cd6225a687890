/* Noise handshakes and transport messages, as cacophony prints them. Each message is one case. */
#include <stdlib.h>
#include <string.h>

#include "protocol/noise.h"
#include "tests/vectors/vectors.h"

#define PART_MAX 4096

bool noise_matches(const struct vectors *file)
{
    const json_t *first = json_array_get(json_object_get(file->json, "vectors"), 0);
    return strncmp(vectors_text(first, "protocol_name"), "Noise_", 6) == 0;
}

/* The keys of one side, by the names that the file gives them. */
struct side {
    struct hk_noise noise;
    struct hk_noise_result result;
    struct hk_secret32 static_key, ephemeral, psk;
    uint8_t remote_static[32], prologue[PART_MAX];
    struct hk_noise_setup setup;
};

static void member(char out[64], const char *prefix, const char *name)
{
    strcpy(out, prefix);
    strcat(out, name);
}

static bool side_init(struct side *side, const json_t *vector, const char *prefix, enum hk_noise_role role)
{
    char name[64];
    memset(side, 0, sizeof(*side));
    member(name, prefix, "_prologue");
    if (!vectors_hex(json_object_get(vector, name), side->prologue, PART_MAX, &side->setup.prologue_size)) {
        return false;
    }
    side->setup.prologue = side->prologue;
    member(name, prefix, "_static");
    if (vectors_fixed(vector, name, side->static_key.bytes, 32)) {
        side->setup.static_key = &side->static_key;
    }
    member(name, prefix, "_ephemeral");
    if (vectors_fixed(vector, name, side->ephemeral.bytes, 32)) {
        side->setup.ephemeral = &side->ephemeral;
    }
    member(name, prefix, "_remote_static");
    if (vectors_fixed(vector, name, side->remote_static, 32)) {
        side->setup.remote_static = side->remote_static;
    }
    member(name, prefix, "_psks");
    size_t size;
    const json_t *psks = json_object_get(vector, name);
    if (vectors_hex(json_array_get(psks, 0), side->psk.bytes, 32, &size)) {
        side->setup.psk = &side->psk;
    }
    return json_array_size(psks) <= 1 &&
           hk_noise_init(&side->noise, vectors_text(vector, "protocol_name"), role, &side->setup) == HK_OK;
}

static bool exchange(struct side *sender, struct side *receiver, bool handshake, const uint8_t *payload,
                     size_t size, uint8_t *out, size_t *out_size)
{
    uint8_t got[PART_MAX];
    size_t got_size = size;
    enum hk_error error;
    if (handshake) {
        error = hk_noise_write(&sender->noise, payload, size, out, PART_MAX, out_size);
        if (error == HK_OK) {
            error = hk_noise_read(&receiver->noise, out, *out_size, got, sizeof(got), &got_size);
        }
    } else {
        *out_size = size + HK_AEAD_TAG_BYTES;
        error = hk_cipher_seal(&sender->result.send, out, NULL, 0, payload, size);
        if (error == HK_OK) {
            error = hk_cipher_open(&receiver->result.receive, got, NULL, 0, out, *out_size);
        }
    }
    return error == HK_OK && got_size == size && memcmp(got, payload, size) == 0;
}

static bool split(struct side *initiator, struct side *responder, const json_t *vector)
{
    const char *expected = vectors_text(vector, "handshake_hash");
    return hk_noise_split(&initiator->noise, &initiator->result) == HK_OK &&
           hk_noise_split(&responder->noise, &responder->result) == HK_OK &&
           memcmp(initiator->result.hash, responder->result.hash, HK_DIGEST_BYTES_MAX) == 0 &&
           (*expected == 0 ||
            vectors_equal(vector, "handshake_hash", initiator->result.hash, initiator->result.hash_bytes));
}

static void run_vector(struct vectors *file, const json_t *vector, struct side *sides)
{
    const char *name = vectors_text(vector, "protocol_name");
    if (!side_init(&sides[0], vector, "init", HK_NOISE_INITIATOR) ||
        !side_init(&sides[1], vector, "resp", HK_NOISE_RESPONDER)) {
        vectors_check(file, false, "set-up", name);
        return;
    }
    const json_t *messages = json_object_get(vector, "messages"), *message;
    bool handshake = true, one_way = false;
    size_t i;
    json_array_foreach(messages, i, message)
    {
        uint8_t payload[PART_MAX], out[PART_MAX];
        size_t size, out_size;
        size_t sender = one_way ? 0 : i % 2;
        bool good = vectors_hex(json_object_get(message, "payload"), payload, PART_MAX, &size) &&
                    exchange(&sides[sender], &sides[1 - sender], handshake, payload, size, out, &out_size) &&
                    vectors_equal(message, "ciphertext", out, out_size);
        if (good && handshake && hk_noise_is_finished(&sides[0].noise)) {
            handshake = false;
            one_way = i == 0;
            good = split(&sides[0], &sides[1], vector);
        }
        if (!vectors_check(file, good, "message", name)) {
            return;
        }
    }
}

void noise_run(struct vectors *file)
{
    struct side *sides = malloc(2 * sizeof(*sides));
    const json_t *vector;
    size_t i;
    json_array_foreach(json_object_get(file->json, "vectors"), i, vector)
    {
        run_vector(file, vector, sides);
    }
    free(sides);
}
