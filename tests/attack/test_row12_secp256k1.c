/* Row 12 for keys of suite secp256k1-ecdh: a service that lies is named by its own proof, an answer that is
 * no point is refused, and one sender's point is never seen twice. The device is the real halfkey. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "crypto/group_secp256k1.h"
#include "tests/support/attack.h"
#include "tests/support/bad_values.h"
#include "tests/support/lying_service.h"

#define POINT HK_SECP256K1_POINT_BYTES

static struct lying_service lying;
static struct halfkey_run run;
static char sender[2 * POINT + 1]; /* as digits */
static uint8_t sender_bytes[POINT];

static void fresh_sender(void)
{
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(&hk_secp256k1, &k);
    hk_secp256k1.base_mul(&point, &k);
    memcpy(sender_bytes, point.bytes, POINT);
    sodium_bin2hex(sender, sizeof(sender), point.bytes, POINT);
}

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "box", "--suite", "secp256k1-ecdh");
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

/* ---- lies: in a thread of the service, so nothing is asserted there ---- */

enum lie { A_MULTIPLE, THE_NEGATIVE, THE_POINT_ITSELF, A_RANDOM_POINT, A_VALUE };
static enum lie lie;
static struct bad_value value;
static atomic_int lies_left;

static void tell(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL || job->row->op != HK_OP_AGREE ||
        atomic_fetch_sub(&lies_left, 1) <= 0) {
        return;
    }
    struct hk_scalar k;
    struct hk_point point;
    uint8_t *memory = hk_job_memory(job, BAD_VALUE_BYTES_MAX);
    const struct hk_value *sent = &job->message.value[HK_F_POINTS], *proofs = &job->answer.value[HK_F_PROOFS];
    if (memory == NULL) {
        return;
    }
    memcpy(memory, job->answer.value[HK_F_POINTS].items[0].data, POINT);
    size_t size = POINT;
    switch (lie) {
    case A_MULTIPLE:
        hk_secp256k1.scalar_set(&k, 2);
        if (hk_point_decode_mul(&hk_secp256k1, &point, &k, memory) == HK_OK) {
            memcpy(memory, point.bytes, POINT);
        }
        break;
    case THE_NEGATIVE:
        memory[0] ^= 1;
        break;
    case THE_POINT_ITSELF:
        memcpy(memory, sent->items[0].data, POINT);
        break;
    case A_RANDOM_POINT:
        hk_scalar_random(&hk_secp256k1, &k);
        hk_secp256k1.base_mul(&point, &k);
        memcpy(memory, point.bytes, POINT);
        break;
    case A_VALUE:
        memcpy(memory, value.bytes, value.size);
        size = value.size;
    }
    bool proved = hk_message_has(&job->answer, HK_F_PROOFS);
    struct hk_bytes proof = proved ? proofs->items[0] : HK_BYTES(NULL, 0);
    job->answer.pooled = 0;
    hk_message_set_array(&job->answer, HK_F_POINTS, memory, size, 1);
    if (proved) { /* the honest one, of an answer that is not given */
        hk_message_set_array(&job->answer, HK_F_PROOFS, proof.data, proof.size, 1);
    }
}

static void agree(bool prove, int lies)
{
    atomic_store(&lies_left, lies);
    lying_tell(tell, NULL);
    HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "box", sender, prove ? "--prove" : NULL);
    lying_tell(NULL, NULL);
}

static const char *const names[] = {"a multiple", "the negative", "the point itself", "a random point"};

static void row12_a_service_that_lied_once_is_named_when_it_proves(void **state)
{
    (void)state;
    for (lie = A_MULTIPLE; lie <= A_RANDOM_POINT; lie++) {
        fresh_sender();
        agree(false, 1);
        assert_int_equal(run.status, 0); /* nothing shows yet */
        agree(true, 0);
        if (run.status != 1 || run.out_size != 0 || strstr(run.err, "wrong answer before") == NULL) {
            fail_msg("%s: exit %d: %s", names[lie], run.status, run.err);
        }
        hk_tried("secp256k1: lied once, %s", names[lie]);
    }
}

static void row12_a_lie_with_the_proof_of_the_truth_is_refused(void **state)
{
    (void)state;
    for (lie = A_MULTIPLE; lie <= A_RANDOM_POINT; lie++) {
        fresh_sender();
        agree(true, 1);
        if (run.status != 1 || run.out_size != 0 || strstr(run.err, "proof") == NULL) {
            fail_msg("%s: exit %d: %s", names[lie], run.status, run.err);
        }
        hk_tried("secp256k1: lie with a proof, %s", names[lie]);
        agree(true, 0);
        assert_int_equal(run.status, 0);
    }
}

static void row12_an_answer_that_is_no_point_is_refused(void **state)
{
    (void)state;
    struct bad_value values[BAD_POINTS_MAX];
    size_t count = bad_points(values, &hk_secp256k1);
    lie = A_VALUE;
    fresh_sender();
    for (size_t i = 0; i < count; i++) {
        value = values[i];
        if (value.size < 32) {
            continue; /* the service itself would not send it */
        }
        agree(false, 1);
        if (run.status != 1 || run.out_size != 0) {
            fail_msg("%s: exit %d: %s", value.name, run.status, run.err);
        }
        hk_tried("secp256k1: answer %s", value.name);
    }
    agree(false, 0);
    assert_int_equal(run.status, 0);
}

/* ---- what the service sees ---- */

#define SEEN 2000
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t seen[SEEN][POINT];
static size_t seen_count;

static void watch(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument, (void)outcome;
    if (job->row == NULL || job->row->op != HK_OP_AGREE) {
        return;
    }
    (void)pthread_mutex_lock(&seen_lock);
    const struct hk_value *points = &job->message.value[HK_F_POINTS];
    for (size_t i = 0; i < points->count && seen_count < SEEN; i++) {
        memcpy(seen[seen_count++], points->items[i].data, POINT);
    }
    (void)pthread_mutex_unlock(&seen_lock);
}

static void row12_the_service_sees_no_point_twice_and_never_the_senders(void **state)
{
    (void)state;
    const char *arguments[203] = {"agree", "--key", "box"};
    static char first[2 * POINT + 2];
    fresh_sender();
    seen_count = 0;
    lying_tell(watch, NULL);
    for (size_t i = 0; i < 199; i++) {
        arguments[3 + i] = sender;
    }
    while (seen_count < 1000) {
        size_t before = seen_count;
        halfkey_run(&run, lying.service.directory, NULL, arguments);
        assert_int_equal(run.status, 0);
        assert_int_equal(seen_count, before + 199);
        if (first[0] == '\0') {
            memcpy(first, run.out, 2 * POINT + 1);
        }
        for (size_t i = 0; i < 199; i++) { /* and the same secret each time */
            assert_memory_equal(run.out + i * (2 * POINT + 1), first, 2 * POINT + 1);
        }
    }
    lying_tell(NULL, NULL);
    for (size_t i = 0; i < seen_count; i++) {
        assert_memory_not_equal(seen[i] + 1, sender_bytes + 1, POINT - 1);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[i] + 1, seen[j] + 1, POINT - 1);
        }
        hk_tried("secp256k1: blinded point %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row12_a_service_that_lied_once_is_named_when_it_proves),
        cmocka_unit_test(row12_a_lie_with_the_proof_of_the_truth_is_refused),
        cmocka_unit_test(row12_an_answer_that_is_no_point_is_refused),
        cmocka_unit_test(row12_the_service_sees_no_point_twice_and_never_the_senders),
    };
    return HK_ATTACK_ROW_IN(12, tests, set_up, tear_down);
}
