#include "tests/support/attack_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"

/* What is put where, for the hooks of the client. */
static struct {
    struct hk_attack *attack;
    const struct attack_place *place;
    const uint8_t *value;
    size_t size;
    uint8_t bytes[256];
    struct hk_bytes items[HK_AGREE_POINTS_MAX];
    bool sent;
} put;

/* The field's bytes with the value in the place of 32 of them. */
static struct hk_bytes spliced(const uint8_t *old, size_t old_size)
{
    size_t offset = put.place->offset;
    assert_true(offset + 32 <= old_size && old_size - 32 + put.size <= sizeof(put.bytes));
    memcpy(put.bytes, old, offset);
    memcpy(put.bytes + offset, put.value, put.size);
    memcpy(put.bytes + offset + put.size, old + offset + 32, old_size - offset - 32);
    return HK_BYTES(put.bytes, old_size - 32 + put.size);
}

static void change(struct hk_message *request, void *argument)
{
    (void)argument;
    struct hk_value *value = &request->value[put.place->field];
    if (request->value[HK_F_OP].number != (uint64_t)put.place->op) {
        return;
    }
    hk_watch(put.attack);
    put.sent = true;
    if (value->items != NULL) {
        size_t count = value->count;
        memcpy(put.items, value->items, count * sizeof(*put.items));
        struct hk_bytes *last = &put.items[count - 1];
        if (put.place->op == HK_OP_AGREE) { /* good ones before it */
            put.items[1] = put.items[0];
            last = &put.items[1];
            count = 2;
        }
        *last = spliced(last->data, last->size);
        hk_message_set_list(request, put.place->field, put.items, count);
    } else {
        struct hk_bytes bytes = spliced(value->data, value->size);
        hk_message_set_bytes(request, put.place->field, bytes.data, bytes.size);
    }
}

/* In a key generation the lie is made before the commitment. */
static void draw(struct hk_keygen_device *run, void *argument)
{
    (void)argument;
    if (put.size == 32) {
        memcpy(put.place->field == HK_F_POINT ? run->point : run->proof + put.place->offset, put.value, 32);
    }
}

void attack_place(struct hk_attack *attack, const struct attack_place *place, const char *name,
                  const uint8_t *value, size_t size)
{
    put.attack = attack;
    put.place = place;
    put.value = value;
    put.size = size;
    put.sent = false;
    const struct hk_test_device *by = place->by == BY_LAPTOP  ? &attack->laptop
                                      : place->by == BY_PHONE ? &attack->phone
                                                              : NULL;
    enum hk_error expected = place->is_point ? HK_BAD_POINT : HK_BAD_PROOF;
    expected = size < 32 ? HK_BAD_ENCODING : size > 32 && place->in_proof ? HK_BAD_PROOF : expected;
    hk_test_change_requests(change, NULL);
    hk_test_lie_in_keygen(draw, NULL, NULL);
    enum hk_error got = place->run(attack, place);
    hk_test_change_requests(NULL, NULL);
    hk_test_lie_in_keygen(NULL, NULL, NULL);
    assert_true(put.sent);
    /* what cannot be read is of no operation yet */
    hk_refused(attack, by, expected == HK_BAD_ENCODING ? 0 : place->op, got, expected, "%s: %s", place->name,
               name);
    if (place->after != NULL) {
        place->after(attack);
    }
}

/* ---- the runs ---- */

static enum hk_error run_create(struct hk_attack *attack, const struct attack_place *place)
{
    static struct hk_test_device stranger;
    (void)place;
    hk_test_device_init(&stranger, &attack->service);
    enum hk_error error = hk_test_create_account(&stranger);
    hk_test_device_end(&stranger);
    return error;
}

static enum hk_error run_keygen(struct hk_attack *attack, const struct attack_place *place)
{
    (void)place;
    return hk_test_keygen(&attack->laptop, HK_SUITE_X25519, "bad");
}

static enum hk_error run_import(struct hk_attack *attack, const struct attack_place *place)
{
    struct hk_scalar x;
    (void)place;
    hk_scalar_random(&hk_edwards25519, &x);
    return hk_test_import(&attack->laptop, HK_SUITE_ED25519, "bad", x.bytes);
}

static enum hk_error run_agree(struct hk_attack *attack, const struct attack_place *place)
{
    static const uint8_t u[32] = {9};
    uint8_t shared[32];
    (void)place;
    return hk_test_agree(&attack->phone, hk_test_key_of(&attack->phone, HK_SUITE_X25519), u, shared);
}

static enum hk_error run_sign(struct hk_attack *attack, const struct attack_place *place)
{
    uint8_t signature[64];
    (void)place;
    return hk_test_sign(&attack->phone, hk_test_key_of(&attack->phone, HK_SUITE_ED25519), HK_SIGN_RAW,
                        "message", 7, signature);
}

static struct hk_test_epoch next;

static enum hk_error run_confirm(struct hk_attack *attack, const struct attack_place *place)
{
    (void)place;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&attack->phone, &next), HK_OK);
    return hk_test_confirm(&attack->phone, &next);
}

static void confirm_honestly(struct hk_attack *attack)
{
    assert_int_equal(hk_test_confirm(&attack->phone, &next), HK_OK);
    hk_test_adopt(&attack->phone, &next);
    assert_int_equal(run_sign(attack, NULL), HK_OK);
}

const struct attack_place attack_key_places[] = {
    {"create-finish D", HK_OP_CREATE_FINISH, HK_F_POINT, 0, true, false, run_create, NULL, BY_NOBODY},
    {"create-finish R", HK_OP_CREATE_FINISH, HK_F_PROOF, 0, true, true, run_create, NULL, BY_NOBODY},
    {"create-finish z", HK_OP_CREATE_FINISH, HK_F_PROOF, 32, false, true, run_create, NULL, BY_NOBODY},
    {"keygen-finish D", HK_OP_KEYGEN_FINISH, HK_F_POINT, 0, true, false, run_keygen, NULL, BY_LAPTOP},
    {"keygen-finish R", HK_OP_KEYGEN_FINISH, HK_F_PROOF, 0, true, true, run_keygen, NULL, BY_LAPTOP},
    {"keygen-finish z", HK_OP_KEYGEN_FINISH, HK_F_PROOF, 32, false, true, run_keygen, NULL, BY_LAPTOP},
    {"key-import D", HK_OP_KEY_IMPORT, HK_F_POINT, 0, true, false, run_import, NULL, BY_LAPTOP},
    {"key-import R", HK_OP_KEY_IMPORT, HK_F_PROOF, 0, true, true, run_import, NULL, BY_LAPTOP},
    {"key-import z", HK_OP_KEY_IMPORT, HK_F_PROOF, 32, false, true, run_import, NULL, BY_LAPTOP},
    {"key-import s", HK_OP_KEY_IMPORT, HK_F_SCALAR, 0, false, false, run_import, NULL, BY_LAPTOP},
    {"agree P", HK_OP_AGREE, HK_F_POINTS, 0, true, false, run_agree, NULL, BY_PHONE},
    {"sign hiding", HK_OP_SIGN, HK_F_NONCES, 0, true, false, run_sign, NULL, BY_PHONE},
    {"sign binding", HK_OP_SIGN, HK_F_NONCES, 32, true, false, run_sign, NULL, BY_PHONE},
    {"refresh-confirm R", HK_OP_REFRESH_CONFIRM, HK_F_PROOFS, 0, true, true, run_confirm, confirm_honestly,
     BY_PHONE},
    {"refresh-confirm z", HK_OP_REFRESH_CONFIRM, HK_F_PROOFS, 32, false, true, run_confirm, confirm_honestly,
     BY_PHONE},
};
const size_t attack_key_place_count = sizeof(attack_key_places) / sizeof(*attack_key_places);

/* ---- an enrolment: prepared once, its messages sent again and again ---- */

static struct hk_test_device guest;
static struct hk_test_enrolment enrolment;
static bool is_fetched;

void attack_enrolment_begin(struct hk_attack *attack)
{
    is_fetched = false;
    hk_test_device_init(&guest, &attack->service);
    assert_int_equal(hk_test_enrol(&attack->laptop, &guest, &enrolment, 3), HK_OK);
}

static enum hk_error run_enrol(struct hk_attack *attack, const struct attack_place *place)
{
    (void)place;
    return hk_test_enrol_on(&attack->laptop, &guest, &enrolment, 3, 4);
}

static enum hk_error run_enrol_confirm(struct hk_attack *attack, const struct attack_place *place)
{
    (void)place;
    if (!is_fetched) {
        is_fetched = true;
        assert_int_equal(hk_test_enrol_on(&attack->laptop, &guest, &enrolment, 3, 5), HK_OK);
    }
    return hk_test_enrol_on(&attack->laptop, &guest, &enrolment, 5, 0);
}

void attack_enrolment_end(struct hk_attack *attack)
{
    uint8_t signature[64];
    assert_int_equal(run_enrol_confirm(attack, NULL), HK_OK);
    assert_int_equal(
        hk_test_sign(&guest, hk_test_key_of(&guest, HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7, signature),
        HK_OK);
    hk_test_device_end(&guest);
}

const struct attack_place attack_enrol_places[] = {
    {"enrol A", HK_OP_ENROL, HK_F_KEPT, 0, true, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol A'", HK_OP_ENROL, HK_F_PASSED, 0, true, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol d1-a", HK_OP_ENROL, HK_F_SUBSHARES, 0, false, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol-confirm R", HK_OP_ENROL_CONFIRM, HK_F_PROOFS, 0, true, true, run_enrol_confirm, NULL, BY_NOBODY},
    {"enrol-confirm z", HK_OP_ENROL_CONFIRM, HK_F_PROOFS, 32, false, true, run_enrol_confirm, NULL,
     BY_NOBODY},
};
const size_t attack_enrol_place_count = sizeof(attack_enrol_places) / sizeof(*attack_enrol_places);
