/* halfkey-vectors FILE... */
#include "tests/vectors/vectors.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/encoding.h"

bool vectors_check(struct vectors *file, bool good, const char *what, const char *name)
{
    if (good) {
        file->passed++;
    } else {
        file->failed++;
        printf("FAIL  %s: %s: %s\n", file->path, what, name);
    }
    return good;
}

void vectors_skip(struct vectors *file, unsigned long cases, const char *what)
{
    file->skipped += cases;
    printf("skip  %s: %s (%lu)\n", file->path, what, cases);
}

bool vectors_hex(const json_t *value, uint8_t *out, size_t max, size_t *size)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) % 2 != 0 || strlen(text) / 2 > max) {
        return false;
    }
    *size = strlen(text) / 2;
    return hk_hex_decode(out, *size, text, strlen(text)) == HK_OK;
}

bool vectors_fixed(const json_t *object, const char *key, uint8_t *out, size_t size)
{
    size_t got;
    return vectors_hex(json_object_get(object, key), out, size, &got) && got == size;
}

bool vectors_equal(const json_t *object, const char *key, const void *data, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *hex = malloc(HK_HEX_SIZE(size));
    if (hex == NULL) {
        return false;
    }
    hk_hex_encode(hex, data, size);
    bool equal = text != NULL && strcmp(text, hex) == 0;
    free(hex);
    return equal;
}

const char *vectors_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const struct vectors_schema schemas[] = {
    {"noise", noise_matches, noise_run}, {"wycheproof", wycheproof_matches, wycheproof_run},
    {"frost", frost_matches, frost_run}, {"frost-dkg", frost_dkg_matches, frost_dkg_run},
    {"cbor", cbor_matches, cbor_run},    {"mesh", mesh_matches, mesh_run},
    {"halfkey", own_matches, own_run},   {"bip340", bip340_matches, bip340_run},
    {"age", age_matches, age_run},
};

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t room = 0, got = 0;
    while (in != NULL && (got == room || !feof(in)) && !ferror(in)) {
        room = room == 0 ? 65536 : 2 * room;
        uint8_t *larger = realloc(bytes, room + 1);
        if (larger == NULL) {
            break;
        }
        bytes = larger;
        got += fread(bytes + got, 1, room - got, in);
    }
    bool good = in != NULL && feof(in) && bytes != NULL;
    if (in != NULL) {
        fclose(in);
    }
    if (!good) {
        free(bytes);
        return NULL;
    }
    bytes[got] = 0;
    *size = got;
    return bytes;
}

static void run(struct vectors *file)
{
    json_error_t error;
    file->json = json_loadb((const char *)file->bytes, file->size, 0, &error);
    if (file->json == NULL) { /* integers of 64 bits need this */
        file->json = json_loadb((const char *)file->bytes, file->size, JSON_DECODE_INT_AS_REAL, &error);
    }
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        if (schemas[i].matches(file)) {
            schemas[i].run(file);
            json_decref(file->json);
            return;
        }
    }
    json_decref(file->json);
    vectors_check(file, false, "this file", "of no schema that is known here");
}

int main(int count, char **paths)
{
    unsigned long passed = 0, failed = 0, skipped = 0;
    bool help = count == 2 && strcmp(paths[1], "--help") == 0;
    if (count < 2 || help) {
        fputs("usage: halfkey-vectors FILE...\n"
              "Runs published test vectors through the shipped code; what a file holds is seen from its "
              "content.\n",
              help ? stdout : stderr);
        return help ? 0 : 2;
    }
    if (sodium_init() < 0) {
        return 1;
    }
    for (int i = 1; i < count; i++) {
        struct vectors file = {.path = paths[i]};
        uint8_t *bytes = read_file(paths[i], &file.size);
        file.bytes = bytes;
        if (bytes == NULL) {
            vectors_check(&file, false, "this file", "cannot be read");
        } else {
            run(&file);
        }
        printf("%-60s %lu passed, %lu failed, %lu skipped\n", paths[i], file.passed, file.failed,
               file.skipped);
        passed += file.passed;
        failed += file.failed;
        skipped += file.skipped;
        free(bytes);
    }
    printf("%lu passed, %lu failed, %lu skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}
