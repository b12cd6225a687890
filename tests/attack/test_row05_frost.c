/* Row 5: a service whose part of a signature is not what it should be. The device names the culprit and gives
 * no signature. Each lie is told to the client of these tests and to the real device. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "crypto/cosign.h"
#include "tests/support/attack.h"
#include "tests/support/bad_values.h"
#include "tests/support/groups.h"
#include "tests/support/lying_service.h"

static struct lying_service lying;
static struct hk_test_device laptop;

/* The key that is lied about, of each suite in turn. */
static const struct hk_suite *suite;
static const char *key_name;
#define POINT (suite->group->point_bytes)
#define PAIR (2 * suite->group->point_bytes)

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    hk_test_device_init(&laptop, &lying.service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_SECP256K1_SCHNORR, "coins"), HK_OK);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "git", "--suite", "ed25519");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "coins", "--suite", "secp256k1-schnorr");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    lying_tell(NULL, NULL);
    HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
    lying_stop(&lying);
    return 0;
}

/* ---- what a lie may change ---- */

struct answer {
    struct hk_job *job;
    struct hk_scalar half; /* s */
    struct hk_cosign request;
    struct hk_frost_key key;
    uint8_t device[2 * HK_POINT_BYTES_MAX]; /* the device's commitments */
    uint8_t *nonces, *share;                /* the answer; space for BAD_VALUE_BYTES_MAX more */
    size_t nonces_size, share_size;
};

typedef void lie_of_answer(struct answer *answer);

static lie_of_answer *lie;
static struct bad_value value; /* for the lies that put one somewhere */
static size_t place;

/* Whatever goes wrong in here goes wrong in a thread of the service: no assertions. */
static void tell(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    struct answer answer = {.job = job};
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL || job->row->op != HK_OP_SIGN ||
        hk_job_number(job, HK_F_KIND) != HK_SIGN_RAW) {
        return;
    }
    uint8_t *memory = hk_job_memory(job, 512);
    if (memory == NULL) {
        return;
    }
    answer.nonces = memory;
    answer.share = memory + 256;
    answer.nonces_size = PAIR;
    answer.share_size = 32;
    memcpy(answer.nonces, job->answer.value[HK_F_NONCES].data, PAIR);
    memcpy(answer.share, job->answer.value[HK_F_SHARE].data, 32);
    memcpy(answer.device, hk_job_bytes(job, HK_F_NONCES), PAIR);
    lying_half(job, &answer.half);
    answer.request = (struct hk_cosign){.suite = suite->frost,
                                        .key_id = job->key.id,
                                        .epoch = job->device.epoch,
                                        .request_id = hk_job_bytes(job, HK_F_REQUEST),
                                        .message = hk_job_bytes(job, HK_F_MESSAGE),
                                        .size = hk_job_value(job, HK_F_MESSAGE)->size};
    if (hk_cosign_under(&answer.request, &answer.key, job->key.public_key, NULL) != HK_OK) {
        return;
    }
    lie(&answer);
    hk_message_set_bytes(&job->answer, HK_F_NONCES, answer.nonces, answer.nonces_size);
    hk_message_set_bytes(&job->answer, HK_F_SHARE, answer.share, answer.share_size);
}

/* ---- the lies ---- */

static void answer_for(struct answer *answer, const struct hk_cosign *request, const uint8_t *device)
{
    if (hk_cosign_answer(answer->nonces, answer->share, request, &answer->half, device) != HK_OK) {
        memset(answer->share, 0xff, 32);
    }
}

static void a_changed_share(struct answer *answer)
{
    answer->share[3] ^= 4;
}
static void the_share_of_another_message(struct answer *answer)
{
    struct hk_cosign other = answer->request;
    other.message = "another";
    other.size = 7;
    answer_for(answer, &other, answer->device);
}
static void the_share_of_a_longer_message(struct answer *answer)
{
    struct hk_cosign other = answer->request;
    other.size--;
    answer_for(answer, &other, answer->device);
}
static void a_binding_factor_over_a_list_in_another_order(struct answer *answer)
{
    uint8_t device[2 * HK_POINT_BYTES_MAX];
    memcpy(device, answer->device + POINT, POINT);
    memcpy(device + POINT, answer->device, POINT);
    answer_for(answer, &answer->request, device);
}
static void a_binding_factor_over_other_commitments(struct answer *answer)
{
    uint8_t device[2 * HK_POINT_BYTES_MAX];
    memcpy(device, answer->nonces, PAIR);
    answer_for(answer, &answer->request, device);
}
static void a_share_for_another_group_key(struct answer *answer)
{
    struct hk_cosign other = answer->request;
    struct hk_frost_key key;
    struct hk_point point;
    suite->group->base_mul(&point, &answer->half);
    if (hk_cosign_under(&other, &key, point.bytes, NULL) != HK_OK) { /* S in place of X */
        return;
    }
    answer_for(answer, &other, answer->device);
}
static void a_share_with_another_half(struct answer *answer)
{
    hk_scalar_random(suite->group, &answer->half);
    answer_for(answer, &answer->request, answer->device);
}
static void commitments_of_another_answer(struct answer *answer)
{
    uint8_t share[32];
    memcpy(share, answer->share, 32);
    answer_for(answer, &answer->request, answer->device);
    memcpy(answer->share, share, 32);
}
static void the_answer_of_another_request(struct answer *answer)
{
    static uint8_t kept[2 * HK_POINT_BYTES_MAX + 32];
    static const struct hk_suite *has;
    uint8_t now[sizeof(kept)];
    memcpy(now, answer->nonces, PAIR);
    memcpy(now + PAIR, answer->share, 32);
    if (has == suite) {
        memcpy(answer->nonces, kept, PAIR);
        memcpy(answer->share, kept + PAIR, 32);
    } else {
        answer->share[0] ^= 1;
    }
    memcpy(kept, now, PAIR + 32);
    has = suite;
}
static void commitments_changed_for_one_another(struct answer *answer)
{
    uint8_t hiding[HK_POINT_BYTES_MAX];
    memcpy(hiding, answer->nonces, POINT);
    memcpy(answer->nonces, answer->nonces + POINT, POINT);
    memcpy(answer->nonces + POINT, hiding, POINT);
}
static void the_devices_commitments(struct answer *answer)
{
    memcpy(answer->nonces, answer->device, PAIR);
}
static void the_devices_commitment_in_a_place(struct answer *answer)
{
    memcpy(answer->nonces + POINT * (place / 2), answer->device + POINT * (place % 2), POINT);
}
static void the_negative_of_the_devices(struct answer *answer)
{
    memcpy(answer->nonces, answer->device, PAIR);
    for (size_t i = 0; i < 2; i++) { /* the bit of the sign */
        bool first = suite->group != &hk_edwards25519;
        answer->nonces[POINT * i + (first ? 0 : POINT - 1)] ^= first ? 1 : 0x80;
    }
}
static void a_bad_point(struct answer *answer)
{
    uint8_t binding[HK_POINT_BYTES_MAX];
    memcpy(binding, answer->nonces + POINT, POINT);
    memcpy(answer->nonces + POINT * place, value.bytes, value.size);
    if (place == 0) {
        memcpy(answer->nonces + value.size, binding, POINT);
    }
    answer->nonces_size = POINT + value.size;
}
static void a_bad_share(struct answer *answer)
{
    memcpy(answer->share, value.bytes, value.size);
    answer->share_size = value.size;
}
static void a_share_plus_n(struct answer *answer)
{
    if (!hk_number_add_order(suite->group, answer->share)) {
        hk_order(suite->group, answer->share); /* z + n has no room where n is near 2^256 */
    }
}

/* ---- the devices that are lied to ---- */

/* `expected` HK_OK: any of the errors that name the service. */
static void told_to_the_client(lie_of_answer *told, const char *name, enum hk_error expected)
{
    uint8_t signature[64] = {0};
    static const uint8_t none[64];
    struct hk_test_key *key = hk_test_key_of(&laptop, suite->id);
    lie = told;
    lying_tell(tell, NULL);
    enum hk_error got = hk_test_sign(&laptop, key, HK_SIGN_RAW, "message", 7, signature);
    lying_tell(NULL, NULL);
    bool named = got == HK_BAD_PROOF || got == HK_BAD_POINT || got == HK_BAD_SCALAR || got == HK_BAD_PEER;
    if (expected != HK_OK ? got != expected : !named) {
        fail_msg("%s: %s", name, hk_error_name(got));
    }
    assert_memory_equal(signature, none, 64);
    hk_tried("%s, %s", suite->name, name);
}

static void told_to_halfkey(lie_of_answer *told, const char *name)
{
    static struct halfkey_run run;
    lie = told;
    lying_tell(tell, NULL);
    HALFKEY_RUN(&run, &lying.service, "message", "sign", "--key", key_name, "--format", "raw", "-");
    lying_tell(NULL, NULL);
    if (run.status != 1 || run.out_size != 0 || strstr(run.err, "service") == NULL) {
        fail_msg("%s: exit %d, %zu bytes out: %s", name, run.status, run.out_size, run.err);
    }
    hk_tried("halfkey, %s: %s", suite->name, name);
}

static const struct {
    const char *name;
    lie_of_answer *lie;
    enum hk_error expected;
} lies[] = {
#define LIE(name, expected)                                                                                  \
    {                                                                                                        \
#name, name, expected                                                                                \
    }
    LIE(a_changed_share, HK_BAD_PROOF),
    LIE(the_share_of_another_message, HK_BAD_PROOF),
    LIE(the_share_of_a_longer_message, HK_BAD_PROOF),
    LIE(a_binding_factor_over_a_list_in_another_order, HK_BAD_PROOF),
    LIE(a_binding_factor_over_other_commitments, HK_BAD_PROOF),
    LIE(a_share_for_another_group_key, HK_BAD_PROOF),
    LIE(a_share_with_another_half, HK_BAD_PROOF),
    LIE(commitments_of_another_answer, HK_BAD_PROOF),
    LIE(the_answer_of_another_request, HK_BAD_PROOF),
    LIE(commitments_changed_for_one_another, HK_BAD_PROOF),
    LIE(the_devices_commitments, HK_BAD_POINT),
    LIE(the_negative_of_the_devices, HK_BAD_PROOF),
    LIE(a_share_plus_n, HK_BAD_SCALAR),
};

static int of_ed25519(void **state)
{
    (void)state;
    suite = hk_suite_by_id(HK_SUITE_ED25519);
    key_name = "git";
    return 0;
}

static int of_secp256k1(void **state)
{
    (void)state;
    suite = hk_suite_by_id(HK_SUITE_SECP256K1_SCHNORR);
    key_name = "coins";
    return 0;
}

static void row05_a_dishonest_answer_gives_no_signature_and_names_the_service(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        told_to_the_client(lies[i].lie, lies[i].name, lies[i].expected);
        told_to_halfkey(lies[i].lie, lies[i].name);
    }
    for (place = 0; place < 4; place++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "the device's commitment in place %zu", place);
        told_to_the_client(the_devices_commitment_in_a_place, name, HK_BAD_POINT);
    }
    HALFKEY_EXPECT(0, &lying.service, "sign", "--key", key_name, "--format", "raw", "/dev/null", "-o",
                   "/dev/null");
}

static void row05_a_bad_commitment_or_share_gives_no_signature(void **state)
{
    (void)state;
    struct bad_value values[BAD_POINTS_MAX];
    char name[96];
    size_t count = bad_points(values, suite->group);
    for (size_t i = 0; i < count; i++) {
        value = values[i];
        for (place = 0; place < 2 && value.size >= 32; place++) {
            (void)snprintf(name, sizeof(name), "%s: %s", place == 0 ? "hiding" : "binding", value.name);
            told_to_the_client(a_bad_point, name, HK_OK);
            if (i % 7 == 0) {
                told_to_halfkey(a_bad_point, name);
            }
        }
    }
    count = bad_scalars(values, suite->group);
    for (size_t i = 0; i < count; i++) {
        value = values[i];
        if (value.size >= 32) {
            (void)snprintf(name, sizeof(name), "share: %s", value.name);
            told_to_the_client(a_bad_share, name, HK_OK);
            told_to_halfkey(a_bad_share, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name, suite) cmocka_unit_test_setup(name, suite)
        TEST(row05_a_dishonest_answer_gives_no_signature_and_names_the_service, of_ed25519),
        TEST(row05_a_bad_commitment_or_share_gives_no_signature, of_ed25519),
        TEST(row05_a_dishonest_answer_gives_no_signature_and_names_the_service, of_secp256k1),
        TEST(row05_a_bad_commitment_or_share_gives_no_signature, of_secp256k1),
    };
    return HK_ATTACK_ROW_IN(5, tests, set_up, tear_down);
}
