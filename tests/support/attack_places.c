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
    size_t total; /* of the field, or of the list's element, as sent */
} put;

const struct hk_group *attack_place_group(const struct hk_attack *attack, const struct attack_place *place)
{
    bool is_account = place->op == HK_OP_CREATE_FINISH; /* its key is of one suite always */
    return is_account ? &hk_edwards25519 : hk_attack_group(attack);
}

static size_t usual_size(void)
{
    const struct hk_group *group = attack_place_group(put.attack, put.place);
    return put.place->is_point ? group->point_bytes : group->scalar_bytes;
}

static size_t offset(void)
{
    return put.place->points * attack_place_group(put.attack, put.place)->point_bytes;
}

/* The field's bytes with the value in the place of an honest one. */
static struct hk_bytes spliced(const uint8_t *old, size_t old_size)
{
    size_t at = offset(), usual = usual_size();
    put.total = old_size - usual + put.size;
    assert_true(at + usual <= old_size && put.total <= sizeof(put.bytes));
    memcpy(put.bytes, old, at);
    memcpy(put.bytes + at, put.value, put.size);
    memcpy(put.bytes + at + put.size, old + at + usual, old_size - at - usual);
    return HK_BYTES(put.bytes, put.total);
}

/* What the message's description does not allow is bad-encoding, before anybody looks what it stands for. */
static enum hk_error expected_error(void)
{
    enum hk_field field = put.place->field;
    bool is_pair = field == HK_F_PROOF || field == HK_F_PROOFS || field == HK_F_NONCES;
    if (put.total < (is_pair ? 64 : 32)) {
        return HK_BAD_ENCODING;
    }
    if (put.size != usual_size() && put.place->in_proof) {
        return HK_BAD_PROOF;
    }
    return put.place->is_point ? HK_BAD_POINT : HK_BAD_PROOF;
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
    if (put.size == usual_size()) {
        memcpy(put.place->field == HK_F_POINT ? run->point : run->proof + offset(), put.value, put.size);
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
    hk_test_change_requests(change, NULL);
    hk_test_lie_in_keygen(draw, NULL, NULL);
    enum hk_error got = place->run(attack, place);
    hk_test_change_requests(NULL, NULL);
    hk_test_lie_in_keygen(NULL, NULL, NULL);
    assert_true(put.sent);
    enum hk_error expected = expected_error();
    /* what cannot be read is of no operation yet */
    hk_refused(attack, by, expected == HK_BAD_ENCODING ? 0 : place->op, got, expected, "%s, %s: %s",
               place->name, attack_place_group(attack, place)->name, name);
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
    return hk_test_keygen(&attack->laptop, hk_attack_agrees(attack)->id, "bad");
}

static enum hk_error run_import(struct hk_attack *attack, const struct attack_place *place)
{
    struct hk_scalar x;
    (void)place;
    hk_scalar_random(hk_attack_group(attack), &x);
    return hk_test_import(&attack->laptop, hk_attack_signs(attack)->id, "bad", x.bytes);
}

static enum hk_error run_agree(struct hk_attack *attack, const struct attack_place *place)
{
    const struct hk_suite *suite = hk_attack_agrees(attack);
    uint8_t input[HK_AGREE_INPUT_BYTES_MAX] = {9}, shared[HK_AGREE_INPUT_BYTES_MAX];
    struct hk_scalar one;
    struct hk_point base;
    (void)place;
    suite->group->scalar_set(&one, 1);
    suite->group->base_mul(&base, &one);
    suite->form(input, base.bytes);
    return hk_test_agree(&attack->phone, hk_test_key_of(&attack->phone, suite->id), input, shared);
}

static enum hk_error run_sign(struct hk_attack *attack, const struct attack_place *place)
{
    uint8_t signature[64];
    (void)place;
    return hk_test_sign(&attack->phone, hk_test_key_of(&attack->phone, hk_attack_signs(attack)->id),
                        HK_SIGN_RAW, "message", 7, signature);
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
    {"create-finish z", HK_OP_CREATE_FINISH, HK_F_PROOF, 1, false, true, run_create, NULL, BY_NOBODY},
    {"keygen-finish D", HK_OP_KEYGEN_FINISH, HK_F_POINT, 0, true, false, run_keygen, NULL, BY_LAPTOP},
    {"keygen-finish R", HK_OP_KEYGEN_FINISH, HK_F_PROOF, 0, true, true, run_keygen, NULL, BY_LAPTOP},
    {"keygen-finish z", HK_OP_KEYGEN_FINISH, HK_F_PROOF, 1, false, true, run_keygen, NULL, BY_LAPTOP},
    {"key-import D", HK_OP_KEY_IMPORT, HK_F_POINT, 0, true, false, run_import, NULL, BY_LAPTOP},
    {"key-import R", HK_OP_KEY_IMPORT, HK_F_PROOF, 0, true, true, run_import, NULL, BY_LAPTOP},
    {"key-import z", HK_OP_KEY_IMPORT, HK_F_PROOF, 1, false, true, run_import, NULL, BY_LAPTOP},
    {"key-import s", HK_OP_KEY_IMPORT, HK_F_SCALAR, 0, false, false, run_import, NULL, BY_LAPTOP},
    {"agree P", HK_OP_AGREE, HK_F_POINTS, 0, true, false, run_agree, NULL, BY_PHONE},
    {"sign hiding", HK_OP_SIGN, HK_F_NONCES, 0, true, false, run_sign, NULL, BY_PHONE},
    {"sign binding", HK_OP_SIGN, HK_F_NONCES, 1, true, false, run_sign, NULL, BY_PHONE},
    {"refresh-confirm R", HK_OP_REFRESH_CONFIRM, HK_F_PROOFS, 0, true, true, run_confirm, confirm_honestly,
     BY_PHONE},
    {"refresh-confirm z", HK_OP_REFRESH_CONFIRM, HK_F_PROOFS, 1, false, true, run_confirm, confirm_honestly,
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

void attack_places(struct hk_attack *attack, const struct attack_place *places, size_t count, bool points)
{
    struct bad_value values[BAD_POINTS_MAX > BAD_SCALARS_MAX ? BAD_POINTS_MAX : BAD_SCALARS_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t value_count =
            (points ? bad_points : bad_scalars)(values, attack_place_group(attack, &places[i]));
        for (size_t j = 0; j < value_count && places[i].is_point == points; j++) {
            attack_place(attack, &places[i], values[j].name, values[j].bytes, values[j].size);
        }
    }
}

void attack_enrolment_end(struct hk_attack *attack)
{
    uint8_t signature[64];
    assert_int_equal(run_enrol_confirm(attack, NULL), HK_OK);
    assert_int_equal(hk_test_sign(&guest, hk_test_key_of(&guest, hk_attack_signs(attack)->id), HK_SIGN_RAW,
                                  "message", 7, signature),
                     HK_OK);
    hk_test_device_end(&guest);
}

const struct attack_place attack_enrol_places[] = {
    {"enrol A", HK_OP_ENROL, HK_F_KEPT, 0, true, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol A'", HK_OP_ENROL, HK_F_PASSED, 0, true, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol d1-a", HK_OP_ENROL, HK_F_SUBSHARES, 0, false, false, run_enrol, NULL, BY_LAPTOP},
    {"enrol-confirm R", HK_OP_ENROL_CONFIRM, HK_F_PROOFS, 0, true, true, run_enrol_confirm, NULL, BY_NOBODY},
    {"enrol-confirm z", HK_OP_ENROL_CONFIRM, HK_F_PROOFS, 1, false, true, run_enrol_confirm, NULL, BY_NOBODY},
};
const size_t attack_enrol_place_count = sizeof(attack_enrol_places) / sizeof(*attack_enrol_places);
