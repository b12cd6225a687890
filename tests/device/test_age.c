/* Age files through the shipped reader, with the file's plain identity standing in for the two halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "crypto/random.h"
#include "device/age.h"
#include "device/age_armor.h"
#include "device/key_format.h"

/* ---- memory as source and sink ---- */

struct memory {
    uint8_t *data;
    size_t size, at, room;
    size_t step; /* at most so many bytes a read; 0: no limit */
};

static enum hk_error memory_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct memory *memory = context;
    size_t n = memory->size - memory->at;
    n = n < max ? n : max;
    if (memory->step > 0 && n > memory->step)
        n = memory->step;
    if (n > 0)
        memcpy(out, memory->data + memory->at, n);
    memory->at += n;
    *got = n;
    return HK_OK;
}

static enum hk_error memory_write(void *context, const uint8_t *data, size_t size)
{
    struct memory *memory = context;
    if (memory->size + size > memory->room) {
        memory->room = 2 * (memory->size + size);
        memory->data = realloc(memory->data, memory->room);
        assert_non_null(memory->data);
    }
    memcpy(memory->data + memory->size, data, size);
    memory->size += size;
    return HK_OK;
}

/* ---- a whole key, in tests only ---- */

struct plain_keys {
    struct hk_secret32 private[4];
    uint8_t public[4][32];
    size_t requests, points, proofs;
    bool lie_once;
    enum hk_error refuse;
};

static enum hk_error plain_agree(void *context, size_t key, const uint8_t (*points)[32], size_t count,
                                 bool prove, uint8_t (*shared)[32])
{
    struct plain_keys *keys = context;
    keys->requests++;
    keys->proofs += prove;
    keys->points += count;
    assert_true(count >= 1 && count <= 256);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(crypto_scalarmult(shared[i], keys->private[key].bytes, points[i]), 0);
    if (keys->lie_once)
        shared[0][0] ^= 1;
    keys->lie_once = false;
    return keys->refuse;
}

static void make_keys(struct plain_keys *keys)
{
    *keys = (struct plain_keys){.requests = 0};
    for (size_t i = 0; i < 4; i++) {
        hk_random(keys->private[i].bytes, 32);
        crypto_scalarmult_base(keys->public[i], keys -> private[i].bytes);
    }
}

static enum hk_age_outcome decrypt(struct memory *in, struct memory *out, struct plain_keys *keys,
                                   size_t count, enum hk_error *error)
{
    struct hk_age_keys all = {count, (const uint8_t(*)[32])keys->public, plain_agree, keys};
    struct hk_source source = {memory_read, in};
    struct hk_sink sink = {memory_write, out};
    return hk_age_decrypt(&source, &sink, &all, error);
}

/* ---- the published cases ---- */

struct published {
    char expect[64], payload[80], identity[128];
    bool compressed;
    uint8_t *file;
    size_t size;
};

static bool header_value(const char *header, const char *name, char *out, size_t room)
{
    char start[64];
    snprintf(start, sizeof start, "%s: ", name);
    const char *at = strstr(header, start);
    if (!at || (at > header && at[-1] != '\n'))
        return false;
    at += strlen(start);
    snprintf(out, room, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

static void load(struct published *test, const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    static uint8_t all[1 << 22];
    size_t size = fread(all, 1, sizeof all - 1, f);
    fclose(f);
    uint8_t *end = memmem(all, size, "\n\n", 2);
    assert_non_null(end);
    *end = 0;
    char word[16] = "";
    const char *header = (const char *)all;
    *test = (struct published){.compressed = header_value(header, "compressed", word, sizeof word)};
    assert_true(header_value(header, "expect", test->expect, sizeof test->expect));
    header_value(header, "payload", test->payload, sizeof test->payload);
    header_value(header, "identity", test->identity, sizeof test->identity);
    end += 2;
    uLongf room = 32 << 20;
    size_t left = (size_t)(all + size - end);
    test->file = malloc(room);
    test->size = left;
    if (test->compressed) {
        assert_int_equal(uncompress(test->file, &room, end, left), Z_OK);
        test->size = room;
    } else {
        memcpy(test->file, end, left);
    }
}

static void check_published(const char *path, size_t step)
{
    struct published test;
    load(&test, path);
    struct plain_keys keys;
    make_keys(&keys);
    if (*test.identity) {
        assert_int_equal(hk_age_identity_decode(&keys.private[0], test.identity, strlen(test.identity)),
                         HK_OK);
        crypto_scalarmult_base(keys.public[0], keys.private[0].bytes);
    }
    struct memory in = {.data = test.file, .size = test.size, .step = step}, out = {0};
    enum hk_error error = HK_OK;
    enum hk_age_outcome outcome = decrypt(&in, &out, &keys, 1, &error);
    if (strcmp(hk_age_outcome_name(outcome), test.expect) != 0)
        fail_msg("%s: %s, should be %s", path, hk_age_outcome_name(outcome), test.expect);
    if (*test.payload) {
        uint8_t digest[32];
        char text[HK_HEX_SIZE(32)];
        crypto_hash_sha256(digest, out.data, out.size);
        hk_hex_encode(text, digest, sizeof digest);
        if (strcmp(text, test.payload) != 0)
            fail_msg("%s: another payload of %zu bytes", path, out.size);
    } else {
        assert_int_equal(out.size, 0);
    }
    free(out.data);
    free(test.file);
}

static void every_published_file_ends_as_it_says(void **state)
{
    (void)state;
    char folder[512], path[1024];
    const char *vectors = getenv("VECTORS");
    snprintf(folder, sizeof folder, "%s/age", vectors ? vectors : "../shared/vectors");
    DIR *dir = opendir(folder);
    if (!dir) {
        skip();
        return;
    }
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_published(path, 0);
        if (!strstr(entry->d_name, "257"))
            check_published(path, 7);
        count++;
    }
    closedir(dir);
    assert_true(count > 70);
}

/* ---- our own files ---- */

static void fill(struct memory *memory, size_t size)
{
    *memory = (struct memory){.data = malloc(size + 1), .size = size};
    assert_non_null(memory->data);
    for (size_t i = 0; i < size; i++)
        memory->data[i] = (uint8_t)(i * 7 + (i >> 16));
}

static void encrypt(const struct memory *plain, struct memory *sealed, const uint8_t (*to)[32], size_t count,
                    bool armored)
{
    struct memory in = *plain;
    in.at = 0;
    *sealed = (struct memory){0};
    struct hk_source source = {memory_read, &in};
    struct hk_sink sink = {memory_write, sealed};
    assert_int_equal(hk_age_encrypt(&source, &sink, to, count, armored), HK_OK);
}

static void round_trip(size_t size, bool armored)
{
    struct plain_keys keys;
    struct memory plain, sealed, out = {0};
    enum hk_error error;
    make_keys(&keys);
    fill(&plain, size);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])keys.public, 1, armored);
    assert_int_equal(decrypt(&sealed, &out, &keys, 1, &error), HK_AGE_SUCCESS);
    assert_int_equal(out.size, size);
    if (size > 0)
        assert_memory_equal(out.data, plain.data, size);
    free(plain.data);
    free(sealed.data);
    free(out.data);
}

static void what_is_encrypted_comes_back_at_every_size_around_a_chunk(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   47,
                                   48,
                                   49,
                                   65535,
                                   65536,
                                   65537,
                                   131071,
                                   131072,
                                   131073,
                                   16 * 65536 - 1,
                                   16 * 65536,
                                   16 * 65536 + 1,
                                   17 * 65536,
                                   32 * 65536,
                                   33 * 65536 + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        round_trip(sizes[i], false);
        round_trip(sizes[i], true);
    }
}

static void a_file_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory plain, sealed;
    make_keys(&keys);
    fill(&plain, 100);
    for (int armored = 0; armored < 2; armored++) {
        encrypt(&plain, &sealed, (const uint8_t(*)[32])keys.public, 1, armored);
        for (size_t cut = 0; cut + 1 < sealed.size; cut++) {
            struct memory in = sealed, out = {0};
            enum hk_error error;
            in.size = cut;
            assert_int_not_equal(decrypt(&in, &out, &keys, 1, &error), HK_AGE_SUCCESS);
            assert_int_equal(out.size, 0);
        }
        free(sealed.data);
    }
    free(plain.data);
}

static void any_changed_bit_is_noticed(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory plain, sealed;
    make_keys(&keys);
    fill(&plain, 10);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])keys.public, 1, false);
    for (size_t i = 0; i < 8 * sealed.size; i++) {
        struct memory in = {.data = sealed.data, .size = sealed.size}, out = {0};
        enum hk_error error;
        sealed.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(decrypt(&in, &out, &keys, 1, &error), HK_AGE_SUCCESS);
        assert_int_equal(out.size, 0);
        sealed.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    free(sealed.data);
    free(plain.data);
}

static void all_stanzas_of_a_file_cost_one_request(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory plain, sealed, out = {0};
    uint8_t to[300][32];
    enum hk_error error;
    make_keys(&keys);
    fill(&plain, 100);
    for (size_t i = 0; i < 300; i++) {
        uint8_t scalar[32];
        hk_random(scalar, sizeof scalar);
        crypto_scalarmult_base(to[i], scalar);
    }
    memcpy(to[19], keys.public[0], 32);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])to, 20, false);
    assert_int_equal(decrypt(&sealed, &out, &keys, 1, &error), HK_AGE_SUCCESS);
    assert_int_equal(keys.requests, 1);
    assert_int_equal(keys.points, 20);
    free(sealed.data);
    /* More than one request carries: two; and a second key is asked only because the first did not fit. */
    memcpy(to[19], to[20], 32);
    memcpy(to[299], keys.public[1], 32);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])to, 300, false);
    keys.requests = keys.points = out.size = 0;
    assert_int_equal(decrypt(&sealed, &out, &keys, 3, &error), HK_AGE_SUCCESS);
    assert_int_equal(keys.requests, 4);
    assert_int_equal(keys.points, 600);
    free(sealed.data);
    free(plain.data);
    free(out.data);
}

static void a_refusal_of_the_agreement_is_not_called_no_match(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory plain, sealed, out = {0};
    enum hk_error error = HK_OK;
    make_keys(&keys);
    fill(&plain, 1);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])keys.public, 1, false);
    keys.refuse = HK_REVOKED;
    assert_int_equal(decrypt(&sealed, &out, &keys, 1, &error), HK_AGE_OTHER_FAILURE);
    assert_int_equal(error, HK_REVOKED);
    assert_int_equal(out.size, 0);
    free(sealed.data);
    free(plain.data);
}

static void what_fits_nobody_is_asked_again_with_proofs(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory plain, sealed, out = {0};
    enum hk_error error = HK_OK;
    make_keys(&keys);
    fill(&plain, 1);
    encrypt(&plain, &sealed, (const uint8_t(*)[32]) & keys.public[1], 1, false);
    assert_int_equal(decrypt(&sealed, &out, &keys, 1, &error), HK_AGE_NO_MATCH);
    assert_int_equal(keys.requests, 2);
    assert_int_equal(keys.proofs, 1);
    free(sealed.data);
    encrypt(&plain, &sealed, (const uint8_t(*)[32])keys.public, 1, false);
    keys.lie_once = true;
    assert_int_equal(decrypt(&sealed, &out, &keys, 1, &error), HK_AGE_OTHER_FAILURE);
    assert_int_equal(error, HK_BAD_PEER);
    free(sealed.data);
    free(plain.data);
}

static void a_stanza_on_the_twist_fits_nobody_and_asks_nobody(void **state)
{
    (void)state;
    struct plain_keys keys;
    struct memory out = {0};
    enum hk_error error;
    make_keys(&keys);
    /* u = 2 is on the twist. */
    char file[512], share[HK_BASE64_SIZE(32)];
    hk_base64_encode(share, (uint8_t[32]){2}, 32, HK_BASE64_RAW);
    snprintf(file, sizeof file, HK_AGE_INTRO "\n-> X25519 %s\n%.43s\n--- %.43s\n", share, share, share);
    struct memory in = {.data = (uint8_t *)file, .size = strlen(file)};
    assert_int_equal(decrypt(&in, &out, &keys, 1, &error), HK_AGE_NO_MATCH);
    assert_int_equal(keys.requests, 0);
}

static void a_recipient_of_low_order_is_refused(void **state)
{
    (void)state;
    struct memory in = {0}, out = {0};
    static const uint8_t zero[1][32];
    struct hk_source source = {memory_read, &in};
    struct hk_sink sink = {memory_write, &out};
    assert_int_equal(hk_age_encrypt(&source, &sink, zero, 1, false), HK_BAD_POINT);
    assert_int_equal(out.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_published_file_ends_as_it_says),
        cmocka_unit_test(what_is_encrypted_comes_back_at_every_size_around_a_chunk),
        cmocka_unit_test(a_file_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(any_changed_bit_is_noticed),
        cmocka_unit_test(all_stanzas_of_a_file_cost_one_request),
        cmocka_unit_test(a_refusal_of_the_agreement_is_not_called_no_match),
        cmocka_unit_test(what_fits_nobody_is_asked_again_with_proofs),
        cmocka_unit_test(a_stanza_on_the_twist_fits_nobody_and_asks_nobody),
        cmocka_unit_test(a_recipient_of_low_order_is_refused),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
