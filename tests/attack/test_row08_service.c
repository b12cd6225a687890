/* Row 8: a service that lies about its ring or the length of its Paillier keys to the real halfkey, and the
 * one way in which a ring may be replaced: signed by the provider's identity key, and proved. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/ecdsa_service.h"
#include "tests/support/lying_service.h"

#define RING_BYTES (HK_RING_PUBLIC_BYTES + HK_RING_PROOF_BYTES)

static struct lying_service lying;
static struct hk_ring_secret other; /* a ring that is not this service's */
static uint8_t other_ring[RING_BYTES];

enum lie {
    UNSIGNED,
    SIGNATURE_WRONG,
    SIGNED_BY_ANOTHER,
    ANOTHER_RING,
    PROOF_WRONG,
    LENGTH_WRONG,
    LENGTH_ODD
};

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    hk_ring_generate(&other);
    hk_ring_encode(other_ring, &other.ring);
    hk_ring_prove(other_ring + HK_RING_PUBLIC_BYTES, &other);
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

/* The answer's ring, and a signature over it and `bits` by `secret`. */
static void say(struct hk_job *job, const uint8_t *ring, uint64_t bits, const uint8_t *secret)
{
    struct hk_ring decoded;
    uint8_t statement[HK_HASH_BYTES], *signature = hk_job_memory(job, crypto_sign_BYTES);
    assert_non_null(signature);
    assert_int_equal(hk_ring_decode(&decoded, ring), HK_OK);
    hk_ecdsa_ring_statement(statement, &decoded, bits);
    crypto_sign_detached(signature, NULL, statement, sizeof(statement), secret);
    hk_message_set_bytes(&job->answer, HK_F_RING, ring, RING_BYTES);
    hk_message_set_bytes(&job->answer, HK_F_SIGNATURE, signature, crypto_sign_BYTES);
    hk_message_set_u64(&job->answer, HK_F_SIZE, bits);
}

static void lie(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    uint8_t public[32], secret[64], *ring = hk_job_memory(job, RING_BYTES);
    const uint8_t *identity = job->server->keys->identity_secret.bytes;
    if (*outcome != HK_OK || job->operation->op != HK_OP_ECDSA_RING ||
        !hk_message_has(&job->answer, HK_F_RING) || ring == NULL) {
        return;
    }
    memcpy(ring, job->answer.value[HK_F_RING].data, RING_BYTES);
    crypto_sign_keypair(public, secret);
    switch (*(const enum lie *)argument) {
    case UNSIGNED:
        job->answer.present &= ~HK_BIT(HK_F_SIGNATURE);
        break;
    case SIGNATURE_WRONG:
        say(job, ring, 2048, identity);
        ((uint8_t *)(uintptr_t)job->answer.value[HK_F_SIGNATURE].data)[9] ^= 1;
        break;
    case SIGNED_BY_ANOTHER:
        say(job, ring, 2048, secret);
        break;
    case ANOTHER_RING: /* with the signature of its own */
        hk_message_set_bytes(&job->answer, HK_F_RING, other_ring, RING_BYTES);
        break;
    case PROOF_WRONG:
        memcpy(ring, other_ring, RING_BYTES);
        ring[HK_RING_PUBLIC_BYTES + 100] ^= 1;
        say(job, ring, 2048, identity);
        break;
    case LENGTH_WRONG: /* what comes then has 2048 */
        say(job, ring, 3072, identity);
        break;
    case LENGTH_ODD:
        say(job, ring, 1024, identity);
        break;
    }
}

static struct halfkey_run run;

static bool signs(const char *key)
{
    static const char digest[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    HALFKEY_RUN(&run, &lying.service, NULL, "sign", "--key", key, "--format", "compact", "--digest", digest);
    return run.status == 0;
}

static void row08_lies_about_the_ring_are_refused_before_and_after_it_is_pinned(void **state)
{
    (void)state;
    const struct {
        enum lie lie;
        const char *name;
    } rows[] = {{UNSIGNED, "no signature"},
                {SIGNATURE_WRONG, "a changed signature"},
                {SIGNED_BY_ANOTHER, "the signature of another key"},
                {ANOTHER_RING, "another ring under the signature of the first"},
                {PROOF_WRONG, "another ring, signed, its proof wrong"},
                {LENGTH_WRONG, "Paillier keys of another length than was signed"},
                {LENGTH_ODD, "Paillier keys of 1024 bits"}};
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "first", "--suite", "secp256k1-ecdsa");
    assert_true(signs("first"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char name[16];
        enum lie now = rows[i].lie;
        (void)snprintf(name, sizeof(name), "key%zu", i);
        lying_tell(lie, &now);
        HALFKEY_RUN(&run, &lying.service, NULL, "key", "create", name, "--suite", "secp256k1-ecdsa");
        assert_false(signs(name)); /* the key is there, its set-up is not */
        hk_tried("after it is pinned: %s", rows[i].name);
        lying_tell(NULL, NULL);
        if (!signs(name)) {
            fail_msg("after %s: %s", rows[i].name, run.err);
        }
        assert_true(signs("first"));
    }
}

static void row08_a_device_without_a_ring_takes_none_that_is_not_signed(void **state)
{
    (void)state;
    enum lie now = SIGNED_BY_ANOTHER;
    char directory[128], make[160];
    (void)snprintf(directory, sizeof(directory), "%s/second", lying.service.directory);
    (void)snprintf(make, sizeof(make), "mkdir '%s'", directory);
    assert_int_equal(system(make), 0);
    HALFKEY_AT(0, directory, "init", "--service", lying.service.line, "--device", "second",
               "--no-passphrase");
    lying_tell(lie, &now);
    halfkey_run(&run, directory, NULL,
                (const char *const[]){"key", "create", "coins", "--suite", "secp256k1-ecdsa", NULL});
    halfkey_run(&run, directory, NULL,
                (const char *const[]){"sign", "--key", "coins", "--format", "compact", "--digest",
                                      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                                      NULL});
    assert_int_not_equal(run.status, 0);
    hk_tried("at first contact: the signature of another key");
    lying_tell(NULL, NULL);
    HALFKEY_AT(0, directory, "sign", "--key", "coins", "--format", "compact", "--digest",
               "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    HALFKEY_AT(0, directory, "agent", "--stop");
}

static void row08_a_ring_that_the_operator_replaced_is_taken_by_itself(void **state)
{
    (void)state;
    static struct hk_test_service service;
    char data[128], reason[256];
    const struct hk_vault_options options = {.data = data};
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    (void)snprintf(data, sizeof(data), "%s/data", service.directory);
    HALFKEY_EXPECT(0, &service, "init", "--service", service.line, "--device", "laptop", "--no-passphrase");
    HALFKEY_EXPECT(0, &service, "key", "create", "coins", "--suite", "secp256k1-ecdsa");
    for (int i = 0; i < 3; i++) {
        HALFKEY_EXPECT(0, &service, "sign", "--key", "coins", "--format", "compact", "--digest",
                       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
        if (i == 1) {
            assert_int_equal(hk_test_service_stop(&service), 0);
            assert_int_equal(hk_vault_replace_ring(&options, reason), HK_OK);
            hk_test_service_restart(&service);
        }
    }
    hk_tried("a ring replaced by the operator");
    HALFKEY_EXPECT(0, &service, "agent", "--stop");
    hk_test_service_end(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row08_lies_about_the_ring_are_refused_before_and_after_it_is_pinned),
        cmocka_unit_test(row08_a_device_without_a_ring_takes_none_that_is_not_signed),
        cmocka_unit_test(row08_a_ring_that_the_operator_replaced_is_taken_by_itself),
    };
    return HK_ATTACK_ROW_IN(8, tests, set_up, tear_down);
}
