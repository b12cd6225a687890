/* Halves made, proved, split, refreshed, and used to sign: each step as its party runs it. */
#include "tests/ctcheck/ctcheck.h"

#include <string.h>

#include "crypto/cosign.h"
#include "crypto/enrolment.h"
#include "crypto/keygen.h"
#include "crypto/redistribute.h"
#include "crypto/refresh.h"
#include "crypto/schnorr.h"

static const uint8_t name[HK_NAME_BYTES] = {7}, id[16] = {5};

static void draw_half(const struct ct_subject *subject)
{
    struct hk_scalar half, decoded, product;
    struct hk_point point;
    const struct hk_group *group = subject->suite.group;
    ct_half(&half, &point, group);
    MUST(hk_scalar_decode_nonzero(group, &decoded, half.bytes) == HK_OK);
    group->scalar_invert(&product, &decoded);
    group->scalar_mul(&product, &product, &half);
    PUBLIC(product);
    group->scalar_set(&half, 1);
    MUST(hk_equal(product.bytes, half.bytes, group->scalar_bytes));
}

/* Operands as in a sum of two shares of a secret point. */
static void sum_of_points(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_scalar a, b;
    struct hk_point p, q, sum, back;
    hk_scalar_random(group, &a);
    hk_scalar_random(group, &b);
    group->base_mul(&p, &a);
    group->base_mul(&q, &b);
    group->point_add(&sum, &p, &q);
    group->point_sub(&back, &sum, &q);
    PUBLIC(p);
    PUBLIC(back);
    MUST(hk_point_equal(group, &p, &back));
}

static void multiple_of_point(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_scalar k, ignored;
    struct hk_point point, product, again;
    ct_half(&ignored, &point, group);
    hk_scalar_random(group, &k);
    group->point_mul(&product, &k, &point);
    MUST(hk_point_decode_mul(group, &again, &k, point.bytes) == HK_OK);
    PUBLIC(product);
    PUBLIC(again);
    MUST(hk_point_equal(group, &product, &again));
}

static void schnorr_proof(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_scalar half;
    struct hk_point point;
    uint8_t proof[HK_SCHNORR_BYTES_MAX];
    ct_half(&half, &point, group);
    hk_schnorr_prove(proof, group, name, HK_PROVER_DEVICE, &point, &half);
    PUBLIC(proof);
    MUST(hk_schnorr_verify(group, name, HK_PROVER_DEVICE, &point, proof) == HK_OK);
}

static void key_generation(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_keygen_device device;
    struct hk_keygen_service service;
    struct hk_keygen_result pending, active;
    struct hk_keygen_opening opening;
    uint8_t commitment[HK_NAME_BYTES], point[HK_POINT_BYTES_MAX], proof[HK_SCHNORR_BYTES_MAX];
    hk_keygen_start(&device, commitment, group, name);
    PUBLIC(commitment); /* message 1 */
    hk_keygen_answer(&service, point, proof, group, name, commitment);
    PUBLIC(point); /* message 2 */
    PUBLIC(proof);
    MUST(hk_keygen_finish(&pending, &opening, &device, point, proof) == HK_OK);
    PUBLIC(opening); /* message 3 */
    MUST(hk_keygen_complete(&active, &service, opening.point, opening.proof, opening.opening) == HK_OK);
    PUBLIC(active.transcript); /* message 4 */
    PUBLIC(active.public_key);
    MUST(hk_keygen_accept(&pending, group, active.transcript, active.public_key) == HK_OK);
}

static void import(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct hk_scalar whole;
    struct hk_keygen_result device, service;
    uint8_t scalar[HK_SCALAR_BYTES_MAX], proof[HK_SCHNORR_BYTES_MAX];
    hk_scalar_random(group, &whole);
    MUST(hk_import_split(&device, scalar, proof, group, name, &whole) == HK_OK);
    PUBLIC(device.device_point);
    PUBLIC(proof); /* the scalar stays secret: it is the service's half */
    MUST(hk_import_take(&service, group, name, scalar, device.device_point, proof) == HK_OK);
    PUBLIC(device.public_key);
    PUBLIC(service.public_key);
    MUST(hk_equal(device.public_key, service.public_key, group->point_bytes));
}

/* Two additive halves to a 2-of-3 sharing, and on to two halves again. */
static void redistribution(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct ct_pair pair;
    static struct hk_plan plan;
    static struct hk_dealing dealings[2];
    struct hk_scalar given[2][3], received[2], share, contribution;
    const uint64_t indices[2] = {1, 3};
    ct_pair_make(&pair, group);
    struct hk_point from[2] = {pair.device_point, pair.service_point};
    memset(&plan, 0, sizeof(plan));
    plan.group = group;
    memcpy(plan.public_key, pair.public_key.bytes, group->point_bytes);
    plan.sharing = HK_SHARING_THRESHOLD;
    plan.threshold = 2;
    plan.old_count = 2;
    plan.new_count = 3;
    for (uint8_t i = 0; i < 3; i++) {
        plan.old_holders[i].name[0] = plan.new_holders[i].name[0] = (uint8_t)(i + 1);
        plan.new_holders[i].index = i + 1u;
    }
    MUST(hk_redistribute_deal(&dealings[0], given[0], &plan, &pair.device) == HK_OK);
    MUST(hk_redistribute_deal(&dealings[1], given[1], &plan, &pair.service) == HK_OK);
    for (size_t i = 0; i < 3; i++) {
        received[0] = given[0][i];
        received[1] = given[1][i];
        MUST(hk_redistribute_receive(&share, &plan, i, dealings, from, received) == HK_OK);
    }
    MUST(hk_shamir_contribution(&contribution, group, indices, 2, 1, &share) == HK_OK);
}

static void enrolment(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct ct_pair pair;
    struct hk_enrol_key key = {.id = id, .suite = &subject->suite};
    struct hk_enrolment enrolment = {name, id, id, name, name, name, 4};
    uint8_t account[64] = {1}, device[16] = {2}, transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX];
    struct hk_scalar kept, passed, given, new_device, new_service;
    ct_pair_make(&pair, group);
    enrolment.account = account;
    enrolment.device = device;
    key.public_key = pair.public_key.bytes;
    MUST(hk_enrol_split(&key.administrator, &kept, &passed, group, key.public_key, &pair.device) == HK_OK);
    MUST(hk_enrol_deal(&key.service, &given, &new_service, group, key.public_key, &pair.service,
                       &key.administrator, passed.bytes) == HK_OK);
    MUST(hk_enrol_take(&new_device, NULL, group, key.public_key, pair.device_point.bytes, &key.administrator,
                       kept.bytes, &key.service, given.bytes) == HK_OK);
    MUST(hk_enrol_transcript(transcript, &enrolment, &key, 1) == HK_OK);
    hk_enrol_prove(proof, group, transcript, id, &new_device);
    PUBLIC(proof);
    MUST(hk_enrol_check(&key, transcript, &new_service, proof) == HK_OK);
}

static void refresh(const struct ct_subject *subject)
{
    const struct hk_group *group = subject->suite.group;
    struct ct_pair pair;
    struct hk_refresh refresh;
    struct hk_refresh_key keys[1] = {{{0}, 1}};
    struct hk_scalar device, service;
    struct hk_point moved;
    uint8_t proof[HK_SCHNORR_BYTES_MAX], account[64] = {1}, tag[HK_TAG_BYTES];
    ct_pair_make(&pair, group);
    hk_random(tag, sizeof(tag));
    hk_random(&refresh, sizeof(refresh)); /* seeds and the new tag */
    MUST(hk_refresh_ref(refresh.ref, account, id, 4, tag, keys, 1) == HK_OK);
    MUST(hk_refresh_service(&service, proof, group, &refresh, id, &pair.service) == HK_OK);
    PUBLIC(proof);
    MUST(hk_refresh_device(&device, &moved, group, &refresh, id, &pair.device, &pair.service_point, proof) ==
         HK_OK);
    hk_refresh_confirm(proof, group, &refresh, &device);
    PUBLIC(proof);
    MUST(hk_refresh_check(group, &refresh, &pair.public_key, &service, proof) == HK_OK);
}

static void cosigning(const struct ct_subject *subject)
{
    struct ct_pair pair;
    struct hk_frost_nonces nonces;
    uint8_t device[HK_COSIGN_COMMITMENTS_BYTES_MAX], service[HK_COSIGN_COMMITMENTS_BYTES_MAX];
    uint8_t share[HK_SCALAR_BYTES_MAX], signature[HK_FROST_SIGNATURE_BYTES_MAX];
    ct_pair_make(&pair, subject->suite.group);
    struct hk_cosign request = {subject->suite.frost, pair.public_key.bytes, id, 3, id, "message", 7, NULL};
    struct hk_frost_key key;
    MUST(hk_cosign_under(&request, &key, pair.public_key.bytes, NULL) == HK_OK);
    MUST(hk_cosign_begin(&nonces, device, &request, &pair.device) == HK_OK);
    PUBLIC(device);
    MUST(hk_cosign_answer(service, share, &request, &pair.service, device) == HK_OK);
    PUBLIC(service);
    PUBLIC(share);
    MUST(hk_cosign_finish(signature, &nonces, &request, &pair.device, &pair.service_point, service, share) ==
         HK_OK);
}

/* RFC 9591 with two of three Shamir shares x_i = f(i). */
static void frost_two_of_three(const struct ct_subject *subject)
{
    const struct hk_frost_suite *suite =
        subject->suite.frost == &hk_frost_bip340 ? &hk_frost_secp256k1 : subject->suite.frost;
    const struct hk_group *group = suite->group;
    struct hk_scalar x, slope, shares[2], weighed[2];
    struct hk_point public_key;
    struct hk_frost_nonces nonces[2];
    struct hk_frost_commitment list[2];
    static struct hk_frost_session session;
    uint8_t z[2 * HK_SCALAR_BYTES_MAX], signature[HK_FROST_SIGNATURE_BYTES_MAX];
    ct_half(&x, &public_key, group);
    hk_scalar_random(group, &slope);
    group->scalar_add(&shares[0], &x, &slope);
    group->scalar_add(&shares[1], &shares[0], &slope);
    for (size_t i = 0; i < 2; i++) {
        struct hk_frost_identifier identifier;
        hk_frost_identifier_set(&identifier, suite, i + 1);
        MUST(hk_frost_commit(&nonces[i], suite, &identifier, &shares[i], NULL) == HK_OK);
        list[i] = nonces[i].commitment;
    }
    MUST(hk_frost_session_init(&session, suite, public_key.bytes, "m", 1, list, 2) == HK_OK);
    for (size_t i = 0; i < 2; i++) {
        MUST(hk_frost_weigh(&weighed[i], suite, &list[i].identifier, list, 2, &shares[i]) == HK_OK);
        MUST(hk_frost_sign_share(z + i * group->scalar_bytes, &nonces[i], &session, &weighed[i]) == HK_OK);
    }
    PUBLIC(z);
    MUST(hk_frost_aggregate(signature, &session, z) == HK_OK);
    MUST(hk_frost_verify(suite, signature, public_key.bytes, "m", 1) == HK_OK);
}

const struct ct_row ct_rows_shares[] = {
    {"a half drawn, decoded, inverted", CT_GROUP, draw_half},
    {"sum and difference of secret points", CT_GROUP, sum_of_points},
    {"a point times a secret", CT_GROUP, multiple_of_point},
    {"Schnorr proof of a half", CT_GROUP, schnorr_proof},
    {"key generation, both sides", CT_GROUP, key_generation},
    {"import of a whole key, both sides", CT_GROUP, import},
    {"redistribution to two of three", CT_GROUP, redistribution},
    {"enrolment: administrator, service, new device", CT_GROUP, enrolment},
    {"refresh, both sides", CT_GROUP, refresh},
    {"signature by device and service", CT_FROST, cosigning},
    {"FROST, two of three", CT_FROST, frost_two_of_three},
    {NULL, CT_ONCE, NULL},
};
