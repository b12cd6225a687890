/* Row 6: one nonce for two answers. The service's random generator stands still, as on a machine that was
 * restored. For Ed25519 and X25519, and for BIP-340 and agreement on secp256k1. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/agreement.h"
#include "crypto/cosign.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/groups.h"
#include "tests/support/lying_service.h"

static struct hk_attack attack;
static char stuck_path[64];
static const struct hk_group *group;
static size_t p; /* bytes of a point */
#define P_MAX HK_SECP256K1_POINT_BYTES

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

static int set_up_of(bool on_secp256k1)
{
    (void)snprintf(stuck_path, sizeof(stuck_path), "/tmp/halfkey-stuck-%d", (int)getpid());
    stick(false);
    assert_int_equal(setenv("HK_STUCK", stuck_path, 1), 0);
    attack = (struct hk_attack){.on_secp256k1 = on_secp256k1};
    hk_attack_begin(&attack, false);
    group = hk_attack_group(&attack);
    p = group->point_bytes;
    assert_int_equal(hk_test_keygen(&attack.laptop, hk_attack_signs(&attack)->id, "second"), HK_OK);
    assert_int_equal(unsetenv("HK_STUCK"), 0); /* of this process; the service has it */
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_of(false);
}

static int set_up_secp256k1(void **state)
{
    (void)state;
    return set_up_of(true);
}

static int tear_down(void **state)
{
    (void)state;
    stick(false);
    hk_attack_end(&attack);
    return 0;
}

/* ---- answers, held against one another ---- */

/* What two answers must not share unless they are the same bytes: any of the `nonces` points at its
 * beginning, nor the negative of one. */
struct answers {
    const char *kind;
    size_t nonces, size, count;
    uint8_t bytes[32][256];
    char name[32][40];
};

static bool share_a_nonce(const struct answers *all, const uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < all->nonces; i++) {
        for (size_t j = 0; j < all->nonces; j++) {
            struct hk_point one, other, sum, identity;
            assert_int_equal(group->point_decode(&one, a + i * p), HK_OK);
            assert_int_equal(group->point_decode(&other, b + j * p), HK_OK);
            group->point_add(&sum, &one, &other);
            group->point_identity(&identity);
            if (hk_point_equal(group, &one, &other) || hk_point_equal(group, &sum, &identity)) {
                return true;
            }
        }
    }
    return false;
}

/* Adds an answer; `same_as` is the one that it has to repeat, or -1: a request that nobody made before. */
static void add(struct answers *all, const uint8_t *bytes, int same_as, const char *name)
{
    assert_true(all->count < 32);
    for (size_t i = 0; i < all->count; i++) {
        bool same = memcmp(all->bytes[i], bytes, all->size) == 0;
        bool has_to = same_as >= 0 && memcmp(all->bytes[i], all->bytes[same_as], all->size) == 0;
        if (same != has_to || (!same && share_a_nonce(all, all->bytes[i], bytes))) {
            fail_msg("%s: '%s' and '%s' under one nonce", all->kind, all->name[i], name);
        }
    }
    memcpy(all->bytes[all->count], bytes, all->size);
    (void)snprintf(all->name[all->count], sizeof(all->name[0]), "%s", name);
    all->count++;
    hk_tried("%s: %s", all->kind, name);
}

/* ---- FROST ---- */

struct signing {
    struct hk_test_device *device;
    struct hk_test_key *key;
    uint8_t id[HK_ID_BYTES], own[2 * P_MAX];
    const char *message, *root; /* of a taproot output: 32 bytes, none; NULL: not for one */
};

static void sign(struct answers *all, const struct signing *signing, int same_as, const char *name)
{
    struct hk_message request, answer;
    uint8_t bytes[2 * P_MAX + 32];
    hk_test_request(&request, HK_OP_SIGN, signing->device);
    hk_message_set_bytes(&request, HK_F_REQUEST, signing->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, signing->key->id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_KIND, HK_SIGN_RAW);
    hk_message_set_bytes(&request, HK_F_MESSAGE, signing->message, strlen(signing->message));
    hk_message_set_bytes(&request, HK_F_NONCES, signing->own, 2 * p);
    if (signing->root != NULL) {
        hk_message_set_bytes(&request, HK_F_TWEAK_ROOT, signing->root, strlen(signing->root));
    }
    assert_int_equal(hk_test_call(signing->device, &request, &answer), HK_OK);
    memcpy(bytes, answer.value[HK_F_NONCES].data, 2 * p);
    memcpy(bytes + 2 * p, answer.value[HK_F_SHARE].data, 32);
    add(all, bytes, same_as, name);
}

/* The other of the two keys for signing. */
static struct hk_test_key *other_key(const struct hk_test_key *key)
{
    struct hk_test_key *found = NULL;
    for (size_t i = 0; i < attack.laptop.key_count; i++) {
        struct hk_test_key *at = &attack.laptop.key[i];
        found = at->suite == key->suite && at != key ? at : found;
    }
    assert_non_null(found);
    return found;
}

static void open_session(struct hk_test_device *device)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, device);
    assert_int_equal(hk_test_call(device, &request, &answer), HK_OK);
}

static void begin_signing(struct signing *signing)
{
    *signing = (struct signing){.device = &attack.laptop,
                                .key = hk_test_key_of(&attack.laptop, hk_attack_signs(&attack)->id),
                                .message = "message"};
    hk_random(signing->id, HK_ID_BYTES);
    hk_random_point_bytes(group, signing->own);
    hk_random_point_bytes(group, signing->own + p);
}

static void row06_a_stuck_service_never_signs_twice_under_one_nonce(void **state)
{
    (void)state;
    static struct answers all;
    struct signing first, other;
    struct hk_test_epoch next;
    all =
        (struct answers){.kind = attack.on_secp256k1 ? "BIP-340" : "FROST", .nonces = 2, .size = 2 * p + 32};
    begin_signing(&first);
    open_session(&attack.laptop);
    open_session(&attack.phone);
    stick(true);
    sign(&all, &first, -1, "the first request");
    sign(&all, &first, 0, "the same again");
#define OTHER(name, change)                                                                                  \
    other = first;                                                                                           \
    change;                                                                                                  \
    sign(&all, &other, -1, name)
    OTHER("another message", other.message = "massage");
    OTHER("a shorter message", other.message = "messag");
    OTHER("an empty message", other.message = "");
    OTHER("another request id", other.id[0] ^= 1);
    OTHER("another hiding commitment", hk_random_point_bytes(group, other.own));
    OTHER("another binding commitment", hk_random_point_bytes(group, other.own + p));
    OTHER("hiding and binding changed for one another",
          (memcpy(other.own, first.own + p, p), memcpy(other.own + p, first.own, p)));
    OTHER("another key", other.key = other_key(first.key));
    OTHER("another device",
          (other.device = &attack.phone, other.key = hk_test_key_of(&attack.phone, first.key->suite->id)));
    if (attack.on_secp256k1) {
        OTHER("for a taproot output without scripts", other.root = "");
        OTHER("for one with scripts", other.root = "this root has exactly 32 bytes..");
        OTHER("for another one", other.root = "that root has exactly 32 bytes..");
    }
    stick(false); /* a session's id is random as well: two of them would be one */
    hk_test_hang_up(&attack.laptop);
    open_session(&attack.laptop);
    stick(true);
    sign(&all, &first, 0, "the same over another session");
    stick(false);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&attack.laptop, &next), HK_OK);
    assert_int_equal(hk_test_confirm(&attack.laptop, &next), HK_OK);
    hk_test_adopt(&attack.laptop, &next);
    open_session(&attack.laptop);
    stick(true);
    sign(&all, &first, -1, "another epoch");
    stick(false);
    sign(&all, &first, -1, "the first request with a generator that runs");
    sign(&all, &first, -1, "and again");
}

/* The whole machine put back: what it had answered before it answers again, or under another nonce. */
static void row06_a_restored_service_never_signs_twice_under_one_nonce(void **state)
{
    (void)state;
    static struct answers all;
    struct signing first, other;
    all = (struct answers){.kind = "restored", .nonces = 2, .size = 2 * p + 32};
    begin_signing(&first);
    assert_int_equal(setenv("HK_STUCK", stuck_path, 1), 0);
    for (int i = 0; i < 4; i++) {
        char name[40];
        hk_test_service_kill(&attack.service);
        hk_test_service_restart(&attack.service);
        hk_test_hang_up(&attack.laptop);
        hk_test_hang_up(&attack.phone);
        hk_test_hang_up(&attack.bystander);
        stick(true); /* from the first handshake on: one session at a time */
        open_session(&attack.laptop);
        (void)snprintf(name, sizeof(name), "the first request, start %d", i);
        sign(&all, &first, i == 0 ? -1 : 0, name);
        other = first;
        hk_random(other.id, HK_ID_BYTES);
        (void)snprintf(name, sizeof(name), "another request, start %d", i);
        sign(&all, &other, -1, name);
        stick(false);
    }
    assert_int_equal(unsetenv("HK_STUCK"), 0);
}

/* ---- DLEQ ---- */

static void agree(struct answers *all, const uint8_t id[HK_ID_BYTES], const struct hk_test_key *key,
                  struct hk_test_device *device, const uint8_t *point, int same_as, const char *name)
{
    struct hk_message request, answer;
    uint8_t bytes[3 * P_MAX + 32];
    hk_test_request(&request, HK_OP_AGREE, device);
    hk_message_set_bytes(&request, HK_F_REQUEST, id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_array(&request, HK_F_POINTS, point, p, 1);
    hk_message_set_u64(&request, HK_F_PROVE, 1);
    assert_int_equal(hk_test_call(device, &request, &answer), HK_OK);
    memcpy(bytes, answer.value[HK_F_PROOFS].items[0].data, 2 * p + 32);
    memcpy(bytes + 2 * p + 32, answer.value[HK_F_POINTS].items[0].data, p);
    add(all, bytes, same_as, name);
}

static void row06_a_stuck_service_never_proves_two_agreements_under_one_nonce(void **state)
{
    (void)state;
    static struct answers all;
    uint8_t id[HK_ID_BYTES], other_id[HK_ID_BYTES], point[P_MAX], other_point[P_MAX];
    struct hk_test_device *laptop = &attack.laptop, *phone = &attack.phone;
    const struct hk_test_key *key = hk_test_key_of(laptop, hk_attack_agrees(&attack)->id);
    all = (struct answers){.kind = "DLEQ", .nonces = 2, .size = 3 * p + 32};
    hk_random(id, sizeof(id));
    hk_random(other_id, sizeof(other_id));
    hk_random_point_bytes(group, point);
    hk_random_point_bytes(group, other_point);
    open_session(laptop);
    open_session(phone);
    stick(true);
    agree(&all, id, key, laptop, point, -1, "the first request");
    agree(&all, id, key, laptop, point, 0, "the same again");
    agree(&all, id, key, laptop, other_point, -1, "another point");
    agree(&all, other_id, key, laptop, point, -1, "another request id");
    agree(&all, id, hk_test_key_of(phone, key->suite->id), phone, point, -1, "another device");
    stick(false);
    hk_test_hang_up(laptop);
    open_session(laptop);
    stick(true);
    agree(&all, id, key, laptop, point, -1, "another session");
    /* many points in one request: a nonce each, also for one point twice */
    struct hk_message request, answer;
    uint8_t points[3 * P_MAX];
    memcpy(points, point, p);
    memcpy(points + p, other_point, p);
    memcpy(points + 2 * p, point, p);
    hk_test_request(&request, HK_OP_AGREE, laptop);
    hk_message_set_bytes(&request, HK_F_REQUEST, id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_array(&request, HK_F_POINTS, points, p, 3);
    hk_message_set_u64(&request, HK_F_PROVE, 1);
    assert_int_equal(hk_test_call(laptop, &request, &answer), HK_OK);
    const struct hk_bytes *proofs = answer.value[HK_F_PROOFS].items;
    assert_memory_equal(proofs[0].data, proofs[2].data, 2 * p + 32); /* the identical statement */
    assert_memory_not_equal(proofs[0].data, proofs[1].data, p);
    assert_memory_not_equal((const uint8_t *)proofs[0].data + p, (const uint8_t *)proofs[1].data + p, p);
    hk_tried("DLEQ: points of one request");
    stick(false);
}

/* ---- Schnorr: set-up and refresh ---- */

static void start(struct answers *all, const uint8_t id[HK_ID_BYTES], const uint8_t key[HK_ID_BYTES],
                  const uint8_t commitment[32], int same_as, const char *name)
{
    struct hk_message request, answer;
    uint8_t bytes[2 * P_MAX + 32];
    hk_test_request(&request, HK_OP_KEYGEN_START, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_REQUEST, id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_SUITE, hk_attack_agrees(&attack)->id);
    hk_message_set_u64(&request, HK_F_PURPOSE, HK_PURPOSE_AGREE);
    hk_message_set_text(&request, HK_F_NAME, "new");
    hk_message_set_u64(&request, HK_F_CREATED, (uint64_t)time(NULL));
    hk_message_set_bytes(&request, HK_F_COMMITMENT, commitment, 32);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    memcpy(bytes, answer.value[HK_F_PROOF].data, p + 32); /* R first */
    memcpy(bytes + p + 32, answer.value[HK_F_POINT].data, p);
    add(all, bytes, same_as, name);
}

static void row06_a_stuck_service_never_proves_two_keys_under_one_nonce(void **state)
{
    (void)state;
    static struct answers all;
    uint8_t id[2][HK_ID_BYTES], key[2][HK_ID_BYTES], commitment[2][32];
    all = (struct answers){.kind = "set-up", .nonces = 1, .size = 2 * p + 32};
    hk_random(id, sizeof(id));
    hk_random(key, sizeof(key));
    hk_random(commitment, sizeof(commitment));
    open_session(&attack.laptop);
    stick(true);
    start(&all, id[0], key[0], commitment[0], -1, "the first request");
    start(&all, id[0], key[0], commitment[0], 0, "the same again");
    start(&all, id[0], key[0], commitment[1], -1, "another commitment");
    start(&all, id[1], key[0], commitment[0], -1, "another request id");
    start(&all, id[0], key[1], commitment[0], -1, "another key id");
    stick(false);
    hk_test_hang_up(&attack.laptop);
    open_session(&attack.laptop);
    stick(true);
    start(&all, id[0], key[0], commitment[0], -1, "another session");
    stick(false);
}

static void refresh(struct answers *all, struct hk_test_epoch *next, int same_as, const char *name)
{
    struct hk_message request, answer;
    uint8_t bytes[P_MAX + 32];
    hk_test_request(&request, HK_OP_REFRESH, &attack.phone);
    hk_message_set_bytes(&request, HK_F_SEED, next->seed, 32);
    assert_int_equal(hk_test_call(&attack.phone, &request, &answer), HK_OK);
    memcpy(bytes, answer.value[HK_F_PROOFS].items[0].data, p + 32);
    const uint8_t *second = answer.value[HK_F_PROOFS].items[1].data;
    assert_memory_not_equal(bytes, second, p); /* the keys of one refresh */
    add(all, bytes, same_as, name);
}

static void row06_a_stuck_service_never_proves_two_epochs_under_one_nonce(void **state)
{
    (void)state;
    static struct answers all;
    struct hk_test_epoch next;
    all = (struct answers){.kind = "refresh", .nonces = 1, .size = p + 32};
    open_session(&attack.phone);
    stick(true);
    memset(next.seed, 1, 32);
    refresh(&all, &next, -1, "the first seed");
    refresh(&all, &next, 0, "the same again");
    memset(next.seed, 2, 32);
    refresh(&all, &next, -1, "another seed");
    memset(next.seed, 3, 32);
    refresh(&all, &next, -1, "a third seed");
    memset(next.seed, 1, 32);
    refresh(&all, &next, 0, "the first seed after others"); /* all of it drawn as before */
    stick(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                                                           \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down),                                                \
        cmocka_unit_test_setup_teardown(name, set_up_secp256k1, tear_down)
        TEST(row06_a_stuck_service_never_signs_twice_under_one_nonce),
        TEST(row06_a_restored_service_never_signs_twice_under_one_nonce),
        TEST(row06_a_stuck_service_never_proves_two_agreements_under_one_nonce),
        TEST(row06_a_stuck_service_never_proves_two_keys_under_one_nonce),
        TEST(row06_a_stuck_service_never_proves_two_epochs_under_one_nonce),
    };
    return HK_ATTACK_ROW(6, tests);
}
