/* Row 6, two-party ECDSA: a service whose random generator stands still, and one whose whole memory is put
 * back, key of the process included. With the message in the commitment it repeats its offer for that
 * message, or makes an independent one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/client_ecdsa.h"

static struct hk_attack attack;
static struct hk_test_ecdsa run;
static struct hk_test_key *key;
static char stuck_path[64];

static void stick(bool stuck)
{
    (void)unlink(stuck_path);
    if (stuck) {
        FILE *file = fopen(stuck_path, "w");
        assert_non_null(file);
        assert_int_equal(fputc(7, file), 7);
        assert_int_equal(fclose(file), 0);
    }
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(stuck_path, sizeof(stuck_path), "/tmp/halfkey-stuck-%d", (int)getpid());
    stick(false);
    assert_int_equal(setenv("HK_STUCK", stuck_path, 1), 0);
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    assert_int_equal(hk_test_keygen(&attack.laptop, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    key = hk_test_key_of(&attack.laptop, HK_SUITE_SECP256K1_ECDSA);
    assert_int_equal(hk_test_ecdsa_ring(&attack.laptop, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(&attack.laptop, key, &run), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stick(false);
    assert_int_equal(unsetenv("HK_STUCK"), 0);
    hk_attack_end(&attack);
    return 0;
}

/* As a machine that was put back: the process begins again with what it had drawn. */
static void restore(void)
{
    stick(true);
    hk_test_service_kill(&attack.service);
    hk_test_service_restart(&attack.service);
    hk_test_hang_up(&attack.laptop);
    hk_test_hang_up(&attack.phone);
    hk_test_hang_up(&attack.bystander);
}

static void ask(struct hk_ecdsa_offer *offer, const struct hk_ecdsa_nonce *nonce, uint64_t step)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_ECDSA_COMMIT, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, run.pair.name, HK_NAME_BYTES);
    hk_message_set_bytes(&request, HK_F_COMMITMENT, nonce->commitment, HK_NAME_BYTES);
    hk_message_set_u64(&request, HK_F_STEP, step);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    hk_ecdsa_offer_decode(offer, answer.value[HK_F_OFFER].data);
}

/* Neither nonce nor the nonce of its proof is one of the other's, or the negative of one. */
static void assert_independent(const struct hk_ecdsa_offer *a, const struct hk_ecdsa_offer *b,
                               const char *name)
{
    const uint8_t *one[] = {a->point + 1, a->proof + 1}, *other[] = {b->point + 1, b->proof + 1};
    for (size_t i = 0; i < 4; i++) {
        assert_memory_not_equal(one[i / 2], other[i % 2], 32);
    }
    hk_tried("%s", name);
}

static void row06_a_restored_service_repeats_its_offer_to_a_message_or_makes_an_independent_one(void **state)
{
    (void)state;
    struct hk_ecdsa_nonce nonce[2], prepared;
    struct hk_ecdsa_offer first[3], again[3];
    uint8_t digest[2][32];
    for (size_t i = 0; i < 2; i++) {
        memset(digest[i], (int)i + 1, 32);
        hk_ecdsa_commit(&nonce[i], &run.pair, &key->half, digest[i]);
    }
    hk_ecdsa_commit(&prepared, &run.pair, &key->half, NULL);
    restore();
    ask(&first[0], &nonce[0], 1);
    ask(&first[1], &nonce[0], 1);
    assert_independent(&first[0], &first[1], "one message twice, the generator standing still: another slot");
    ask(&first[2], &nonce[1], 1);
    assert_independent(&first[0], &first[2], "another message");
    restore();
    ask(&again[0], &nonce[0], 1);
    assert_int_equal(first[0].number, again[0].number);
    assert_memory_equal(first[0].point, again[0].point, sizeof(first[0].point));
    assert_memory_equal(first[0].proof, again[0].proof, sizeof(first[0].proof));
    hk_tried("put back: the same message, the identical offer");
    restore();
    ask(&again[1], &nonce[1], 1);
    assert_int_equal(first[0].number, again[1].number);
    assert_independent(&first[0], &again[1], "put back: another message in the same slot");
    restore();
    ask(&again[2], &prepared, 2);
    assert_independent(&first[0], &again[2], "put back: an offer ahead of its message");
    restore();
    ask(&again[2], &nonce[0], 2);
    assert_independent(&first[0], &again[2], "put back: the same commitment for the other mode");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row06_a_restored_service_repeats_its_offer_to_a_message_or_makes_an_independent_one),
    };
    return HK_ATTACK_ROW_IN(6, tests, set_up, tear_down);
}
