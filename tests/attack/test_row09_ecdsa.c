/* Row 9, two-party ECDSA: what was proved for one pair, epoch or slot is shown for another, or under no name;
 * and a service whose database is put back to before a full refresh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/ecdsa_proof_parts.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/client_ecdsa.h"

static struct hk_attack attack;
static struct hk_test_device *laptop, *stranger;
/* The laptop's first key, its second, and one of another account's device. */
static struct hk_test_ecdsa run, second, theirs, spare;
static struct hk_test_key *key, *second_key, *their_key;

static struct hk_test_key *named(struct hk_test_device *device, const char *name)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (strcmp(device->key[i].name, name) == 0) {
            return &device->key[i];
        }
    }
    fail();
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    laptop = &attack.laptop;
    stranger = &attack.bystander;
    hk_attack_also(&attack, stranger);
    assert_int_equal(hk_test_keygen(laptop, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    assert_int_equal(hk_test_keygen(laptop, HK_SUITE_SECP256K1_ECDSA, "notes"), HK_OK);
    assert_int_equal(hk_test_keygen(stranger, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    key = named(laptop, "coins");
    second_key = named(laptop, "notes");
    their_key = named(stranger, "coins");
    assert_int_equal(hk_test_ecdsa_ring(laptop, &run), HK_OK);
    second = theirs = run;
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(laptop, second_key, &second), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(stranger, their_key, &theirs), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

/* ---- set-ups ---- */

struct shown {
    uint8_t wire[HK_ECDSA_SETUP_WIRE_BYTES_MAX];
    size_t size;
};

static void fetch(struct shown *shown, struct hk_test_device *device, const struct hk_test_key *of)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_ECDSA_SETUP, device);
    hk_message_set_bytes(&request, HK_F_KEY, of->id, HK_ID_BYTES);
    assert_int_equal(hk_test_call(device, &request, &answer), HK_OK);
    shown->size = answer.value[HK_F_SETUP].size;
    memcpy(shown->wire, answer.value[HK_F_SETUP].data, shown->size);
}

/* As the device would take it for a pair of its own. */
static enum hk_error take(const struct shown *shown, struct hk_test_device *device,
                          const struct hk_test_key *of, const struct hk_test_ecdsa *points)
{
    struct hk_ecdsa_pair pair = points->pair;
    uint8_t transcript[HK_NAME_BYTES];
    const struct hk_ecdsa_place place = {HK_BYTES(device->account, HK_ACCOUNT_BYTES), device->serial, of->id,
                                         device->epoch};
    assert_int_equal(hk_secp256k1.point_decode(&pair.service_point, of->service_point), HK_OK);
    hk_ecdsa_setup_transcript(transcript, &place, &pair.service_point, &pair.public_key);
    return hk_ecdsa_setup_take(&pair, shown->wire, shown->size, transcript);
}

static void row09_a_set_up_holds_for_one_key_of_one_device_at_one_epoch(void **state)
{
    (void)state;
    static struct shown shown;
    static struct hk_test_epoch next;
    fetch(&shown, laptop, key);
    assert_int_equal(take(&shown, laptop, key, &run), HK_OK);
    assert_int_equal(take(&shown, laptop, second_key, &second), HK_BAD_PROOF);
    hk_tried("the set-up of another key of this device");
    assert_int_equal(take(&shown, stranger, their_key, &theirs), HK_BAD_PROOF);
    hk_tried("of a key of another account");
    struct hk_test_key renamed = *key; /* the same points under another key's name */
    memcpy(renamed.id, second_key->id, HK_ID_BYTES);
    assert_int_equal(take(&shown, laptop, &renamed, &run), HK_BAD_PROOF);
    hk_tried("of the same half under another key's name");
    struct hk_test_device other = *laptop;
    memcpy(other.serial, attack.phone.serial, HK_ID_BYTES);
    assert_int_equal(take(&shown, &other, key, &run), HK_BAD_PROOF);
    hk_tried("of the same half under another device's name");
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(laptop, &next), HK_OK);
    hk_test_hang_up(laptop);
    assert_int_equal(hk_test_confirm(laptop, &next), HK_OK);
    hk_test_adopt(laptop, &next);
    assert_int_equal(take(&shown, laptop, key, &run), HK_BAD_PROOF);
    hk_tried("of the epoch before");
    fetch(&shown, laptop, key);
    assert_int_equal(take(&shown, laptop, key, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(laptop, second_key, &second), HK_OK);
}

/* ---- requests ---- */

static void ready(struct hk_test_device *device, const struct hk_test_key *of, struct hk_test_ecdsa *with)
{
    assert_int_equal(hk_test_ecdsa_commit(device, of, with, false), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(of, with), HK_OK);
}

static void send_refused(struct hk_test_device *device, const struct hk_test_key *of,
                         struct hk_test_ecdsa *with, enum hk_error expected, const char *what)
{
    hk_watch(&attack);
    enum hk_error got = hk_test_ecdsa_send(device, of, with);
    hk_refused(&attack, device, HK_OP_ECDSA_SIGN, got, expected, "%s", what);
}

static void row09_a_request_is_bound_to_its_pair_and_slot(void **state)
{
    (void)state;
    ready(laptop, key, &run);
    spare = run;
    memcpy(spare.pair.name, second.pair.name, HK_NAME_BYTES);
    send_refused(laptop, second_key, &spare, HK_UNKNOWN_RUN, "for another key of this device");
    spare = run;
    memcpy(spare.pair.name, theirs.pair.name, HK_NAME_BYTES);
    send_refused(stranger, their_key, &spare, HK_UNKNOWN_RUN, "for a key of another account");
    /* All of a good request but what names the slot. */
    spare = run;
    ready(laptop, key, &spare);
    memcpy(&spare.request, &run.request, sizeof(run.request));
    memcpy(spare.digest, run.digest, sizeof(run.digest));
    send_refused(laptop, key, &spare, HK_BAD_PROOF, "in another slot");
    assert_int_equal(hk_test_ecdsa_send(laptop, key, &run), HK_OK); /* and its own still serves */
}

/* What the challenge of a request hashes beside the proof itself. */
struct names {
    uint8_t pair[HK_NAME_BYTES], commitment[HK_NAME_BYTES], message[32];
    uint64_t number, prepared;
    bool has_sid;
};

/* docs/ecdsa.md: H("ecdsa/sign", sid, R_d, R_s, m), sid = H("slot", name, number, random, c, prepared or
 * not). */
static void challenge_of(hk_limb e[2], const struct names *names)
{
    struct hk_hash hash;
    uint8_t sid[HK_HASH_BYTES], context[HK_NAME_BYTES];
    struct hk_ecdsa_pair pair = run.pair;
    memcpy(pair.name, names->pair, HK_NAME_BYTES);
    hk_hash_init(&hash, "slot", 5);
    hk_hash_add(&hash, names->pair, HK_NAME_BYTES);
    hk_hash_add_u64(&hash, names->number);
    hk_hash_add(&hash, run.offer.random, sizeof(run.offer.random));
    hk_hash_add(&hash, names->commitment, HK_NAME_BYTES);
    hk_hash_add_u64(&hash, names->prepared);
    hk_hash_final(&hash, sid);
    hk_hash_name(context, "ecdsa/sign", 4,
                 (struct hk_bytes[]){HK_BYTES(sid, names->has_sid ? HK_NAME_BYTES : 0),
                                     HK_BYTES(run.request.point, sizeof(run.request.point)),
                                     HK_BYTES(run.offer.point, sizeof(run.offer.point)),
                                     HK_BYTES(names->message, 32)});
    hk_ecdsa_proof_challenge(e, &pair, context, run.request.proof);
}

/* A response mask + e * value, with the value that it was made for, for another challenge. */
static void answer_anew(uint8_t *z, size_t size, const hk_limb *mask, size_t limbs, const hk_limb e[2],
                        const hk_limb other[2])
{
    mpz_t number, random, old, new;
    mpz_inits(number, random, old, new, NULL);
    mpz_import(number, size, 1, 1, 1, 0, z);
    mpz_import(random, limbs, -1, 8, 0, 0, mask);
    mpz_import(old, 2, -1, 8, 0, 0, e);
    mpz_import(new, 2, -1, 8, 0, 0, other);
    mpz_sub(number, number, random);
    assert_true(mpz_divisible_p(number, old)); /* this test knows how the challenge is made */
    mpz_divexact(number, number, old);
    mpz_mul(number, number, new);
    mpz_add(number, number, random);
    memset(z, 0, size);
    size_t used = (mpz_sizeinbase(number, 2) + 7) / 8;
    assert_true(used <= size);
    (void)mpz_export(z + size - used, NULL, 1, 1, 1, 0, number);
    mpz_clears(number, random, old, new, NULL);
}

/* A whole good request, and then its proof made anew for the challenge that these names give: K', T' and
 * every equation are right, so that only the names are wrong. */
static void prove_as(void (*change)(struct names *names))
{
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&run.pair.paillier);
    const struct hk_paillier *paillier = &run.pair.paillier;
    struct names names = {.has_sid = true};
    hk_limb e[2], other[2], z_w[HK_PAILLIER_N_LIMBS_MAX];
    uint8_t *proof = run.request.proof;
    assert_int_equal(hk_test_ecdsa_commit(laptop, key, &run, false), HK_OK);
    memcpy(names.pair, run.pair.name, HK_NAME_BYTES);
    memcpy(names.commitment, run.nonce.commitment, HK_NAME_BYTES);
    memcpy(names.message, run.digest, 32);
    names.number = run.offer.number;
    hk_ecdsa_mask_prepare(&run.mask, &run.pair, &key->half, HK_BYTES(run.digest, sizeof(run.digest)));
    const struct hk_ecdsa_mask mask = run.mask;
    assert_int_equal(hk_ecdsa_make_request(&run.request, &run.pending, &run.nonce, &run.mask, &run.pair,
                                           &key->half, &run.offer, run.digest),
                     HK_OK);
    challenge_of(e, &names);
    change(&names);
    challenge_of(other, &names);
    answer_anew(proof + at.z1, HK_ECDSA_Z1_BYTES, mask.alpha, 13, e, other);
    answer_anew(proof + at.z2, HK_ECDSA_Z2_BYTES, mask.beta, 19, e, other);
    answer_anew(proof + at.z3, HK_ECDSA_Z3_BYTES, mask.gamma, 38, e, other);
    hk_big_pow(z_w, mask.w, other, 128, paillier->n, paillier->n_limbs);
    hk_big_mul_mod(z_w, z_w, mask.omega, paillier->n, paillier->n_limbs);
    hk_big_store(proof + at.z_w, at.n, z_w, paillier->n_limbs);
}

static void as_it_is(struct names *names)
{
    (void)names;
}
static void another_key(struct names *names)
{
    memcpy(names->pair, second.pair.name, HK_NAME_BYTES);
}
static void another_account(struct names *names)
{
    memcpy(names->pair, theirs.pair.name, HK_NAME_BYTES);
}
static void nobody(struct names *names)
{
    memset(names->pair, 0, HK_NAME_BYTES);
}
static void no_slot(struct names *names)
{
    names->has_sid = false;
}
static void another_slot(struct names *names)
{
    names->number++;
}
static void other_mode(struct names *names)
{
    names->prepared = 1;
}
static void another_commitment(struct names *names)
{
    names->commitment[31] ^= 1;
}
static void another_message(struct names *names)
{
    names->message[0] ^= 1;
}

static void row09_a_proof_under_another_name_or_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct names *names);
        const char *name;
    } rows[] = {{another_key, "proved for another key"},
                {another_account, "proved for another account"},
                {nobody, "proved for nobody"},
                {no_slot, "proved for no slot"},
                {another_slot, "proved for another slot"},
                {other_mode, "proved for the other mode"},
                {another_commitment, "proved for another commitment"},
                {another_message, "proved for another message"}};
    prove_as(as_it_is); /* made anew under its own names, it is as good as before */
    assert_int_equal(hk_test_ecdsa_send(laptop, key, &run), HK_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        prove_as(rows[i].change);
        send_refused(laptop, key, &run, HK_BAD_PROOF, rows[i].name);
    }
    assert_int_equal(hk_test_ecdsa_sign(laptop, key, &run), HK_OK);
}

/* ---- a database from before ---- */

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

static void row09_a_store_from_before_a_full_refresh_serves_neither_set_up(void **state)
{
    (void)state;
    const char *directory = attack.service.directory;
    struct hk_test_ecdsa *before = &spare;
    ready(laptop, key, &run);
    *before = run; /* a request for the old set-up, ready to be sent */
    shell("sqlite3 '%s/data/store.db' \".backup '%s/before'\"", directory, directory);
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &run), HK_OK);
    ready(laptop, key, &run);
    hk_test_hang_up(laptop);
    hk_test_hang_up(&attack.phone);
    hk_test_hang_up(stranger);
    assert_int_equal(hk_test_service_stop(&attack.service), 0);
    shell("rm -f '%s'/data/store.db* && install -m 600 '%s/before' '%s/data/store.db'", directory, directory,
          directory);
    hk_test_service_restart(&attack.service);
    assert_int_equal(hk_test_ecdsa_send(laptop, key, &run), HK_CONFLICT); /* the device's is another */
    assert_int_equal(hk_test_ecdsa_sign(laptop, key, &run), HK_CONFLICT);
    hk_tried("the new set-up at a service that was put back");
    assert_int_equal(hk_test_ecdsa_send(laptop, key, before), HK_UNKNOWN_RUN); /* slots never come back */
    hk_tried("a request of before, with its slot");
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_sign(laptop, key, &run), HK_OK);
    hk_tried("a set-up anew");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: what is refused is counted, and a store that is put back forgets */
        cmocka_unit_test(row09_a_store_from_before_a_full_refresh_serves_neither_set_up),
        cmocka_unit_test(row09_a_set_up_holds_for_one_key_of_one_device_at_one_epoch),
        cmocka_unit_test(row09_a_request_is_bound_to_its_pair_and_slot),
        cmocka_unit_test(row09_a_proof_under_another_name_or_none_is_refused),
    };
    return HK_ATTACK_ROW_IN(9, tests, set_up, tear_down);
}
