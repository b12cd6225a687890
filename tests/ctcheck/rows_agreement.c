/* X25519 by two halves, and the maps that it stands on. The shared secret stays secret to the end. */
#include "tests/ctcheck/ctcheck.h"

#include <sodium.h>
#include <string.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/field25519.h"
#include "crypto/x25519.h"

static const struct hk_group *const ed = &hk_edwards25519;

static void agree(const struct hk_suite *suite, bool masked)
{
    const struct hk_agreement *way = suite->agreement;
    const struct hk_group *group = suite->group;
    struct ct_pair pair;
    struct hk_scalar device, service, whole;
    struct hk_point sender, point, none;
    struct hk_agree_mask mask;
    struct hk_agree_open open;
    union hk_agree_sum sum;
    uint8_t input[HK_FORM_BYTES_MAX], answer[HK_AGREE_POINT_BYTES_MAX];
    uint8_t shared[HK_AGREE_INPUT_BYTES_MAX], expected[HK_AGREE_INPUT_BYTES_MAX];
    ct_half(&whole, &sender, group);
    suite->form(input, sender.bytes);
    ct_pair_make(&pair, group);
    hk_agree_part(way, &device, &pair.device);
    hk_agree_part(way, &service, &pair.service);
    hk_agree_mask_make(way, &mask, &pair.service_point);
    MUST(hk_agree_begin(way, &open, masked ? &mask : NULL, input) == HK_OK);
    PUBLIC(open.sent); /* the request */
    MUST(hk_agree_share(way, answer, &service, open.sent, 1) == HK_OK);
    PUBLIC(answer);
    hk_agree_prepare(&open, &device);
    MUST(hk_agree_finish(shared, &open, &device, answer) == HK_OK);
    /* [d + s]P in one */
    MUST(way->take(&point, input) == HK_OK);
    group->scalar_add(&whole, &device, &service);
    group->point_mul(&point, &whole, &point);
    PUBLIC(point);
    group->point_identity(&none);
    PUBLIC(shared);
    way->begin(&sum, &point, NULL);
    MUST(way->give(expected, &sum, &none) == HK_OK && hk_equal(shared, expected, way->input_bytes));
}

static void agreement(const struct ct_subject *subject)
{
    agree(&subject->suite, true);
}

static void agreement_unmasked(const struct ct_subject *subject)
{
    agree(&subject->suite, false);
}

static void dleq(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_scalar secret, ignored;
    struct hk_point service, point, answer;
    static const uint8_t sid[32] = {1}, account[64] = {2}, id[16] = {3};
    uint8_t proof[HK_DLEQ_BYTES_MAX];
    ct_half(&secret, &service, group);
    ct_half(&ignored, &point, group);
    group->point_mul(&answer, &secret, &point);
    PUBLIC(answer);
    struct hk_dleq_statement statement = {
        group,         1,           HK_BYTES(sid, 32), HK_BYTES(account, 64), HK_BYTES(id, 16), 3,
        service.bytes, point.bytes, answer.bytes};
    MUST(hk_dleq_prove(proof, &statement, &secret) == HK_OK);
    PUBLIC(proof);
    MUST(hk_dleq_verify(&statement, proof) == HK_OK);
}

static void private_key_to_scalar(const struct ct_subject *subject)
{
    (void)subject;
    uint8_t key[32], public_key[32], u[32];
    struct hk_scalar scalar;
    struct hk_point point;
    hk_random(key, sizeof(key));
    hk_x25519_scalar(&scalar, key);
    ed->base_mul(&point, &scalar);
    hk_x25519_from_point(u, &point);
    MUST(crypto_scalarmult_base(public_key, key) == 0 && hk_equal(u, public_key, 32));
}

static void field(const struct ct_subject *subject)
{
    (void)subject;
    struct hk_fe a, b, c, one;
    uint8_t bytes[32], out[32];
    hk_random(bytes, sizeof(bytes));
    hk_fe_decode(&a, bytes);
    hk_fe_square(&b, &a);
    MUST(hk_fe_invert_is_square(&c, &b)); /* the verdict of the map to points: on the curve or refused */
    hk_fe_invert(&b, &b);
    hk_fe_sub(&c, &c, &b);
    MUST(hk_fe_is_zero(&c));
    hk_fe_invert(&b, &a);
    hk_fe_mul(&c, &a, &b);
    hk_fe_set(&one, 1);
    hk_fe_sub(&c, &c, &one);
    MUST(hk_fe_is_zero(&c));
    hk_fe_add(&b, &b, &a);
    hk_fe_encode(out, &b);
}

const struct ct_row ct_rows_agreement[] = {
    {"agreement with a mask, both sides", CT_AGREE, agreement},
    {"agreement without a mask, both sides", CT_AGREE, agreement_unmasked},
    {"DLEQ proof of an answer", CT_GROUP, dleq},
    {"X25519 private key to a scalar and a point", CT_ONCE, private_key_to_scalar},
    {"field of the X25519 maps", CT_ONCE, field},
    {NULL, CT_ONCE, NULL},
};
