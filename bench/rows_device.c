/* Rows in process: enrolment with ten keys, and bulk encryption. */
#include <openssl/evp.h>
#include <string.h>

#include "bench/row.h"
#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "device/age_payload.h"

/* --- enrolment of a device with ten keys --- */

#define KEYS 10

struct enrolled_key {
    struct hk_scalar device, service;
    struct hk_point device_point, public_point;
    uint8_t id[16];
};

struct enrolment {
    struct enrolled_key key[KEYS];
    uint8_t names[5][64];
};

static const struct hk_group *const group = &hk_edwards25519;

static void enrolment_make(struct enrolment *enrolment)
{
    hk_random(enrolment->names, sizeof(enrolment->names));
    for (size_t i = 0; i < KEYS; i++) {
        struct enrolled_key *key = &enrolment->key[i];
        struct hk_point point;
        hk_scalar_random(group, &key->device);
        hk_scalar_random(group, &key->service);
        group->base_mul(&key->device_point, &key->device);
        group->base_mul(&point, &key->service);
        group->point_add(&key->public_point, &key->device_point, &point);
        hk_random(key->id, sizeof(key->id));
        key->id[0] = (uint8_t)i; /* sorted */
    }
}

struct dealt {
    struct hk_enrol_key key[KEYS];
    struct hk_scalar kept[KEYS], passed[KEYS], given[KEYS], service[KEYS], device[KEYS];
};

/* Administrator, service and new device up to the transcript. */
static bool deal(struct dealt *dealt, const struct enrolment *enrolment)
{
    for (size_t i = 0; i < KEYS; i++) {
        const struct enrolled_key *key = &enrolment->key[i];
        struct hk_enrol_key *public = &dealt->key[i];
        struct hk_point service_point;
        public->id = key->id;
        public->suite = hk_suite_by_id(HK_SUITE_ED25519);
        public->public_key = key->public_point.bytes;
        if (hk_enrol_split(&public->administrator, &dealt->kept[i], &dealt->passed[i], group,
                           key->public_point.bytes, &key->device) != HK_OK ||
            hk_enrol_deal(&public->service, &dealt->given[i], &dealt->service[i], group,
                          key->public_point.bytes, &key->service, &public->administrator,
                          dealt->passed[i].bytes) != HK_OK ||
            hk_enrol_take(&dealt->device[i], &service_point, group, key->public_point.bytes,
                          key->device_point.bytes, &public->administrator, dealt->kept[i].bytes,
                          &public->service, dealt->given[i].bytes) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool run_enrolment(void *context, size_t times)
{
    const struct enrolment *enrolment = context;
    struct hk_enrolment public = {.account = enrolment->names[0],
                                  .administrator = enrolment->names[1],
                                  .device = enrolment->names[2],
                                  .service_key = enrolment->names[3],
                                  .record = enrolment->names[4],
                                  .invitation = enrolment->names[4] + 32,
                                  .epoch = 1};
    while (times-- > 0) {
        struct dealt dealt;
        uint8_t transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX];
        if (!deal(&dealt, enrolment) || hk_enrol_transcript(transcript, &public, dealt.key, KEYS) != HK_OK) {
            return false;
        }
        for (size_t i = 0; i < KEYS; i++) {
            hk_enrol_prove(proof, group, transcript, enrolment->key[i].id, &dealt.device[i]);
            if (hk_enrol_check(&dealt.key[i], transcript, &dealt.service[i], proof) != HK_OK) {
                return false;
            }
        }
    }
    return true;
}

/* For each key: A and A'; S1, [d1-a]B, Q and Q'; [a]B and [b]B; the proof's R; D2 + [s2]B and [z]B: eleven of
 * B. And [c]D2 of the proof, the one of another point. */
static bool run_enrolment_floor(void *context, size_t times)
{
    const struct enrolment *enrolment = context;
    struct hk_point point;
    while (times-- > 0) {
        for (size_t i = 0; i < KEYS; i++) {
            for (int base = 0; base < 11; base++) {
                group->base_mul(&point, &enrolment->key[i].device);
            }
            group->point_mul(&point, &enrolment->key[i].service, &enrolment->key[i].public_point);
        }
    }
    return !group->point_is_identity(&point);
}

bool bench_enrolment(struct bench_result *result, const struct bench_settings *settings)
{
    static struct enrolment enrolment;
    enrolment_make(&enrolment);
    return bench_measure(result, &(struct bench_plan){.clock = BENCH_CPU,
                                                      .thing = run_enrolment,
                                                      .baseline = run_enrolment_floor,
                                                      .context = &enrolment,
                                                      .seconds = settings->seconds});
}

/* --- bulk encryption --- */

#define MIB ((size_t)1 << 20)
#define FILE_MIB 64

struct bulk {
    uint8_t block[MIB], out[MIB + 16];
    size_t left; /* of the source */
};

static enum hk_error read_block(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct bulk *bulk = context;
    *got = max < bulk->left ? max : bulk->left;
    *got = *got < MIB ? *got : MIB;
    memcpy(out, bulk->block, *got);
    bulk->left -= *got;
    return HK_OK;
}

static enum hk_error write_block(void *context, const uint8_t *data, size_t size)
{
    struct bulk *bulk = context; /* where it goes from here is not the cipher's business */
    bulk->out[0] ^= data[size - 1];
    return HK_OK;
}

/* One file of 64 MiB each time. */
static bool run_bulk(void *context, size_t times)
{
    struct bulk *bulk = context;
    static const uint8_t key[32] = {1};
    bool fine = true;
    for (; fine && times > 0; times--) {
        bulk->left = FILE_MIB * MIB;
        fine = hk_age_payload_seal(key, &(struct hk_source){.context = bulk, .read = read_block},
                                   &(struct hk_sink){.context = bulk, .write = write_block}) == HK_OK;
    }
    return fine;
}

static bool run_cipher(void *context, size_t times)
{
    struct bulk *bulk = context;
    static const uint8_t key[32] = {1}, nonce[12] = {0};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size = 0, rest = 0;
    bool fine = cipher != NULL;
    for (size_t left = times * FILE_MIB; fine && left > 0; left--) {
        fine = EVP_EncryptInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, nonce) == 1 &&
               EVP_EncryptUpdate(cipher, bulk->out, &size, bulk->block, (int)MIB) == 1 &&
               EVP_EncryptFinal_ex(cipher, bulk->out + size, &rest) == 1 &&
               EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, bulk->out + MIB) == 1;
    }
    EVP_CIPHER_CTX_free(cipher);
    return fine;
}

bool bench_bulk(struct bench_result *result, const struct bench_settings *settings)
{
    static struct bulk bulk;
    hk_random(bulk.block, sizeof(bulk.block));
    return bench_measure(result, &(struct bench_plan){.clock = BENCH_CPU,
                                                      .thing = run_bulk,
                                                      .baseline = run_cipher,
                                                      .context = &bulk,
                                                      .seconds = settings->seconds,
                                                      .faster = true});
}
