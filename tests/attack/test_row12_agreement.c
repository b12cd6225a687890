/* Row 12: a service that lies about a key agreement, once or for ever, with a proof or without. The device is
 * the real halfkey. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/bad_values.h"
#include "tests/support/lying_service.h"

static struct lying_service lying;
static const struct hk_group *const group = &hk_edwards25519;
static char plain[128], sealed[128], opened[128];
static const char u_text[] = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "mail", "--suite", "x25519");
    (void)snprintf(plain, sizeof(plain), "%s/plain", lying.service.directory);
    (void)snprintf(sealed, sizeof(sealed), "%s/sealed", lying.service.directory);
    (void)snprintf(opened, sizeof(opened), "%s/opened", lying.service.directory);
    FILE *file = fopen(plain, "w");
    assert_non_null(file);
    assert_true(fputs("for your eyes\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lying_tell(NULL, NULL);
    HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
    lying_stop(&lying);
    return 0;
}

static void encrypt(void)
{
    (void)unlink(sealed);
    HALFKEY_EXPECT(0, &lying.service, "encrypt", "--key", "mail", plain, "-o", sealed);
}

static struct halfkey_run run;

static void decrypt(void)
{
    (void)unlink(opened);
    HALFKEY_RUN(&run, &lying.service, NULL, "decrypt", "--key", "mail", sealed, "-o", opened);
}

static void check_opened(void)
{
    char text[64] = "";
    assert_int_equal(run.status, 0);
    FILE *file = fopen(opened, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "for your eyes\n");
}

/* Nothing is left behind, and the sentence names the service. */
static void check_service_named(const char *name, const char *sentence)
{
    if (run.status != 1 || access(opened, F_OK) == 0 || strstr(run.err, sentence) == NULL) {
        fail_msg("%s: exit %d: %s", name, run.status, run.err);
    }
}

/* ---- the lies; they run in a thread of the service, so nothing is asserted there ---- */

struct answer {
    struct hk_job *job;
    size_t count;
    const uint8_t *points; /* as they were sent */
    uint8_t *shares;       /* the answer: 32 bytes each, room for other lengths */
    size_t share_size;
    uint8_t *proofs; /* NULL: none was asked for */
    size_t proof_count;
};
typedef void lie_of_answer(struct answer *answer);
static lie_of_answer *lie;
static atomic_int lies_left;
static struct bad_value value;

static void tell(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL || job->row->op != HK_OP_AGREE ||
        atomic_fetch_sub(&lies_left, 1) <= 0) {
        return;
    }
    const struct hk_value *points = &job->answer.value[HK_F_POINTS],
                          *proofs = &job->answer.value[HK_F_PROOFS], *sent = &job->message.value[HK_F_POINTS];
    bool proved = hk_message_has(&job->answer, HK_F_PROOFS);
    uint8_t *memory = hk_job_memory(job, points->count * (64 + 32 + 96) + 64);
    if (memory == NULL) {
        return;
    }
    struct answer answer = {.job = job,
                            .count = points->count,
                            .points = memory,
                            .shares = memory + 32 * points->count,
                            .share_size = 32,
                            .proofs = proved ? memory + 96 * points->count : NULL,
                            .proof_count = points->count};
    for (size_t i = 0; i < points->count; i++) {
        memcpy(memory + 32 * i, sent->items[i].data, 32);
        memcpy(answer.shares + 32 * i, points->items[i].data, 32);
        if (proved) {
            memcpy(answer.proofs + 96 * i, proofs->items[i].data, 96);
        }
    }
    lie(&answer);
    job->answer.pooled = 0;
    hk_message_set_array(&job->answer, HK_F_POINTS, answer.shares, answer.share_size, answer.count);
    job->answer.present &= ~HK_BIT(HK_F_PROOFS);
    if (answer.proofs != NULL) {
        hk_message_set_array(&job->answer, HK_F_PROOFS, answer.proofs, 96, answer.proof_count);
    }
}

static void arm(lie_of_answer *told, int times)
{
    lie = told;
    atomic_store(&lies_left, times);
    lying_tell(tell, NULL);
}

static void multiply(uint8_t share[32], uint64_t times)
{
    struct hk_scalar k;
    struct hk_point point;
    group->scalar_set(&k, times);
    if (hk_point_decode_mul(group, &point, &k, share) == HK_OK) {
        memcpy(share, point.bytes, 32);
    }
}

static void a_multiple(struct answer *answer)
{
    multiply(answer->shares, 2);
}
static void the_negative(struct answer *answer)
{
    answer->shares[31] ^= 0x80;
}
static void the_point_itself(struct answer *answer)
{
    memcpy(answer->shares, answer->points, 32);
}
static void a_random_point(struct answer *answer)
{
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(group, &k);
    group->base_mul(&point, &k);
    memcpy(answer->shares, point.bytes, 32);
}
static void a_share_with_another_half(struct answer *answer)
{
    struct hk_scalar k;
    hk_scalar_random(group, &k);
    (void)!hk_agree_share(&hk_agree_x25519, answer->shares, &k, answer->points, answer->count);
}
static void a_share_not_divided_by_8(struct answer *answer)
{
    multiply(answer->shares, 8);
}
static void the_answer_of_another_request(struct answer *answer)
{
    static uint8_t kept[32] = {0};
    uint8_t now[32];
    memcpy(now, answer->shares, 32);
    if (kept[0] == 0) {
        multiply(answer->shares, 3);
    } else {
        memcpy(answer->shares, kept, 32);
    }
    memcpy(kept, now, 32);
}

static const struct {
    const char *name;
    lie_of_answer *lie;
} lies[] = {
#define LIE(name)                                                                                            \
    {                                                                                                        \
#name, name                                                                                          \
    }
    LIE(a_multiple),
    LIE(the_negative),
    LIE(the_point_itself),
    LIE(a_random_point),
    LIE(a_share_with_another_half),
    LIE(a_share_not_divided_by_8),
    LIE(the_answer_of_another_request),
};
#define LIES (sizeof(lies) / sizeof(*lies))

static void row12_a_service_that_lies_once_is_named_by_its_own_proof(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIES; i++) {
        encrypt();
        arm(lies[i].lie, 1);
        decrypt();
        check_service_named(lies[i].name, "the service gave a wrong answer before");
        decrypt(); /* honest again */
        check_opened();
        hk_tried("decrypt, once: %s", lies[i].name);
    }
    lying_tell(NULL, NULL);
}

static void row12_a_service_that_lied_is_named_when_it_is_asked_again_with_a_proof(void **state)
{
    (void)state;
    char u[65], wrong[128];
    for (size_t i = 0; i < LIES; i++) {
        uint8_t peer[32];
        struct hk_secret32 secret;
        hk_noise_keypair(&secret, peer);
        sodium_bin2hex(u, sizeof(u), peer, 32);
        arm(lies[i].lie, 1);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "mail", u);
        assert_int_equal(run.status, 0);
        assert_true(run.out_size >= 64);
        (void)snprintf(wrong, sizeof(wrong), "%.64s", run.out);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--prove", "--key", "mail", u);
        assert_int_equal(run.status, 1);
        assert_non_null(strstr(run.err, "the service gave a wrong answer before"));
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "mail", u);
        assert_int_equal(run.status, 0);
        assert_int_not_equal(strncmp(run.out, wrong, 64), 0);
        hk_tried("agree, then with a proof: %s", lies[i].name);
    }
    lying_tell(NULL, NULL);
}

static void row12_a_service_that_goes_on_lying_has_no_proof(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIES; i++) {
        encrypt();
        arm(lies[i].lie, 1000);
        decrypt();
        check_service_named(lies[i].name, "");
        if (strstr(run.err, "other side") == NULL && strstr(run.err, "the service gave a wrong") == NULL) {
            fail_msg("%s: %s", lies[i].name, run.err);
        }
        hk_tried("decrypt, for ever: %s", lies[i].name);
    }
    lying_tell(NULL, NULL);
}

/* ---- proofs ---- */

static void no_proof(struct answer *answer)
{
    answer->proofs = NULL;
}
static void one_proof_too_few(struct answer *answer)
{
    answer->proof_count--;
}
static void a_changed_r1(struct answer *answer)
{
    multiply(answer->proofs, 2);
}
static void a_changed_r2(struct answer *answer)
{
    multiply(answer->proofs + 32, 2);
}
static void a_changed_z(struct answer *answer)
{
    answer->proofs[64] ^= 1;
}
static void a_proof_of_another_request(struct answer *answer)
{
    static uint8_t kept[96];
    uint8_t now[96];
    memcpy(now, answer->proofs, 96);
    memcpy(answer->proofs, kept, 96);
    memcpy(kept, now, 96);
}
static void a_proof_of_the_wrong_answer(struct answer *answer)
{
    struct hk_scalar half, eighth;
    struct hk_point service;
    struct hk_job *job = answer->job;
    lying_half(job, &half);
    hk_agree_part(&hk_agree_x25519, &eighth, &half);
    group->base_mul(&service, &half);
    multiply(answer->shares, 2);
    struct hk_dleq_statement statement = {.group = group, /* without the sid, which nobody could tell */
                                          .cofactor = 8,
                                          .sid = HK_BYTES(answer->points, 32),
                                          .account = HK_BYTES(job->device.account, HK_ACCOUNT_BYTES),
                                          .key_id = HK_BYTES(job->key.id, HK_ID_BYTES),
                                          .epoch = job->device.epoch,
                                          .service = service.bytes,
                                          .point = answer->points,
                                          .answer = answer->shares};
    (void)!hk_dleq_prove(answer->proofs, &statement, &eighth);
}

static void row12_an_answer_without_a_right_proof_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        lie_of_answer *lie;
    } proofs[] = {LIE(no_proof),
                  LIE(one_proof_too_few),
                  LIE(a_changed_r1),
                  LIE(a_changed_r2),
                  LIE(a_changed_z),
                  LIE(a_proof_of_another_request),
                  LIE(a_proof_of_the_wrong_answer)};
    for (size_t i = 0; i < sizeof(proofs) / sizeof(*proofs); i++) {
        arm(proofs[i].lie, 1);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--prove", "--key", "mail", u_text);
        lying_tell(NULL, NULL);
        assert_int_equal(run.status, 1);
        assert_int_equal(run.out_size, 0);
        assert_non_null(strstr(run.err, "other side"));
        hk_tried("proof: %s", proofs[i].name);
    }
    HALFKEY_EXPECT(0, &lying.service, "agree", "--prove", "--key", "mail", u_text);
}

static void a_bad_point(struct answer *answer)
{
    memcpy(answer->shares, value.bytes, value.size);
    answer->share_size = value.size;
}
static void one_answer_more(struct answer *answer)
{
    multiply(answer->shares, 2);
    answer->count++; /* the next bytes are whatever they are */
}
static void no_answer(struct answer *answer)
{
    answer->count = 0;
}

static void row12_an_answer_that_is_no_point_is_not_taken(void **state)
{
    (void)state;
    struct bad_value values[BAD_POINTS_MAX];
    size_t count = bad_points(values, &hk_edwards25519);
    for (size_t i = 0; i < count; i++) {
        value = values[i];
        if (value.size < 32) {
            continue; /* no message can carry it */
        }
        arm(a_bad_point, 1);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "mail", u_text);
        lying_tell(NULL, NULL);
        if (run.status != 1 || run.out_size != 0) {
            fail_msg("%s: exit %d: %s", value.name, run.status, run.err);
        }
        hk_tried("answer: %s", value.name);
    }
    static const struct {
        const char *name;
        lie_of_answer *lie;
    } counts[] = {LIE(one_answer_more), LIE(no_answer)};
    for (size_t i = 0; i < 2; i++) {
        arm(counts[i].lie, 1);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "mail", u_text);
        lying_tell(NULL, NULL);
        assert_int_equal(run.status, 1);
        hk_tried("answer: %s", counts[i].name);
    }
}

/* The same answer twice, proved, convicts the ciphertext. */
static void row12_a_damaged_file_is_not_blamed_on_an_honest_service(void **state)
{
    (void)state;
    for (long at = 0; at < 3; at++) {
        encrypt();
        FILE *file = fopen(sealed, "r+");
        assert_non_null(file);
        static char text[256];
        size_t size = fread(text, 1, sizeof(text), file);
        char *stanza = memchr(text, '>', size); /* "-> X25519 SHARE\nBODY\n" */
        assert_non_null(stanza);
        char *body = strchr(stanza, '\n');
        assert_non_null(body);
        body[1 + at * 5] = body[1 + at * 5] == 'A' ? 'B' : 'A';
        assert_int_equal(fseek(file, 0, SEEK_SET), 0);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        decrypt();
        assert_int_equal(run.status, 1);
        assert_null(strstr(run.err, "service"));
        assert_null(strstr(run.err, "other side"));
        hk_tried("a damaged file %ld", at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row12_a_service_that_lies_once_is_named_by_its_own_proof),
        cmocka_unit_test(row12_a_service_that_lied_is_named_when_it_is_asked_again_with_a_proof),
        cmocka_unit_test(row12_a_service_that_goes_on_lying_has_no_proof),
        cmocka_unit_test(row12_an_answer_without_a_right_proof_is_not_taken),
        cmocka_unit_test(row12_an_answer_that_is_no_point_is_not_taken),
        cmocka_unit_test(row12_a_damaged_file_is_not_blamed_on_an_honest_service),
    };
    return HK_ATTACK_ROW_IN(12, tests, set_up, tear_down);
}
