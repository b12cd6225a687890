#include "crypto/keygen.h"

#include <string.h>

#include "crypto/random.h"

/* Different, so that the one kind of run is never taken for the other. */
#define DEVICE_MAGIC UINT64_C(0x686b2d646b672d64)
#define SERVICE_MAGIC UINT64_C(0x686b2d646b672d73)

void hk_keygen_sid(uint8_t sid[HK_NAME_BYTES], const struct hk_keygen_names *names)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "sid", 8);
    hk_hash_add(&hash, names->handshake.data, names->handshake.size);
    hk_hash_add(&hash, names->request_id, 16);
    hk_hash_add(&hash, names->account.data, names->account.size);
    hk_hash_add_u64(&hash, names->suite->id);
    hk_hash_add_u64(&hash, names->suite->purpose);
    hk_hash_add(&hash, names->key_id, 16);
    hk_hash_add(&hash, names->device_key, 32);
    hk_hash_add(&hash, names->service_key, 32);
    hk_hash_final(&hash, digest);
    memcpy(sid, digest, HK_NAME_BYTES);
}

static size_t proof_bytes(const struct hk_group *group)
{
    return group->point_bytes + group->scalar_bytes;
}

static void commit(uint8_t out[HK_NAME_BYTES], const struct hk_group *group, const uint8_t *sid,
                   const uint8_t *point, const uint8_t *proof, const uint8_t *opening)
{
    hk_hash_name(out, "dkg/commit", 4,
                 (struct hk_bytes[]){HK_BYTES(sid, HK_NAME_BYTES), HK_BYTES(point, group->point_bytes),
                                     HK_BYTES(proof, proof_bytes(group)),
                                     HK_BYTES(opening, HK_KEYGEN_OPENING_BYTES)});
}

static void transcript_1(uint8_t out[HK_NAME_BYTES], const uint8_t *sid, const uint8_t *commitment)
{
    hk_hash_name(out, "dkg/1", 2,
                 (struct hk_bytes[]){HK_BYTES(sid, HK_NAME_BYTES), HK_BYTES(commitment, HK_NAME_BYTES)});
}

static void transcript_2(uint8_t out[HK_NAME_BYTES], const struct hk_group *group, const uint8_t *t1,
                         const uint8_t *point, const uint8_t *proof)
{
    hk_hash_name(out, "dkg/2", 3,
                 (struct hk_bytes[]){HK_BYTES(t1, HK_NAME_BYTES), HK_BYTES(point, group->point_bytes),
                                     HK_BYTES(proof, proof_bytes(group))});
}

static void transcript_3(uint8_t out[HK_NAME_BYTES], const struct hk_group *group, const uint8_t *t2,
                         const uint8_t *point, const uint8_t *proof, const uint8_t *opening)
{
    hk_hash_name(out, "dkg/3", 4,
                 (struct hk_bytes[]){HK_BYTES(t2, HK_NAME_BYTES), HK_BYTES(point, group->point_bytes),
                                     HK_BYTES(proof, proof_bytes(group)),
                                     HK_BYTES(opening, HK_KEYGEN_OPENING_BYTES)});
}

/* Decodes the peer's point, checks its proof, and gives X = own + peer, which must not be the identity. */
static enum hk_error check_peer(struct hk_point *public_key, const struct hk_group *group,
                                const uint8_t *transcript, enum hk_prover role, const uint8_t *own,
                                const uint8_t *peer, const uint8_t *proof)
{
    struct hk_point mine, theirs, sum;
    enum hk_error error = group->point_decode(&theirs, peer);
    if (error != HK_OK || (error = group->point_decode(&mine, own)) != HK_OK ||
        (error = hk_schnorr_verify(group, transcript, role, &theirs, proof)) != HK_OK) {
        return error;
    }
    group->point_add(&sum, &mine, &theirs);
    if (group->point_is_identity(&sum)) {
        return HK_BAD_POINT;
    }
    *public_key = sum;
    return HK_OK;
}

static void put_result(struct hk_keygen_result *result, const struct hk_group *group,
                       const struct hk_scalar *half, const uint8_t *device_point,
                       const uint8_t *service_point, const struct hk_point *public_key)
{
    memset(result, 0, sizeof(*result));
    result->half = *half;
    memcpy(result->device_point, device_point, group->point_bytes);
    memcpy(result->service_point, service_point, group->point_bytes);
    memcpy(result->public_key, public_key->bytes, group->point_bytes);
}

void hk_keygen_start(struct hk_keygen_device *run, uint8_t commitment[HK_NAME_BYTES],
                     const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES])
{
    struct hk_point point;
    memset(run, 0, sizeof(*run));
    run->group = group;
    memcpy(run->sid, sid, HK_NAME_BYTES);
    hk_scalar_random(group, &run->half);
    group->base_mul(&point, &run->half);
    memcpy(run->point, point.bytes, group->point_bytes);
    hk_schnorr_prove(run->proof, group, sid, HK_PROVER_DEVICE, &point, &run->half);
    hk_random(run->opening, sizeof(run->opening));
    commit(run->commitment, group, sid, run->point, run->proof, run->opening);
    memcpy(commitment, run->commitment, HK_NAME_BYTES);
    run->magic = DEVICE_MAGIC;
}

void hk_keygen_answer(struct hk_keygen_service *run, uint8_t *point, uint8_t *proof,
                      const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES],
                      const uint8_t commitment[HK_NAME_BYTES])
{
    struct hk_point own;
    uint8_t t1[HK_NAME_BYTES];
    memset(run, 0, sizeof(*run));
    run->group = group;
    memcpy(run->sid, sid, HK_NAME_BYTES);
    memcpy(run->commitment, commitment, HK_NAME_BYTES);
    transcript_1(t1, sid, commitment);
    hk_scalar_random(group, &run->half);
    group->base_mul(&own, &run->half);
    memcpy(run->point, own.bytes, group->point_bytes);
    hk_schnorr_prove(proof, group, t1, HK_PROVER_SERVICE, &own, &run->half);
    memcpy(point, run->point, group->point_bytes);
    transcript_2(run->transcript, group, t1, run->point, proof);
    run->magic = SERVICE_MAGIC;
}

enum hk_error hk_keygen_finish(struct hk_keygen_result *result, struct hk_keygen_opening *message,
                               struct hk_keygen_device *run, const uint8_t *point, const uint8_t *proof)
{
    struct hk_keygen_device taken = *run;
    HK_WIPE_AT_EXIT(taken);
    hk_wipe(run, sizeof(*run));
    if (taken.magic != DEVICE_MAGIC) {
        return HK_CONFLICT;
    }
    const struct hk_group *group = taken.group;
    uint8_t t1[HK_NAME_BYTES], t2[HK_NAME_BYTES];
    struct hk_point public_key;
    HK_PUBLIC(taken.point); /* message 3 opens the commitment to it */
    transcript_1(t1, taken.sid, taken.commitment);
    enum hk_error error = check_peer(&public_key, group, t1, HK_PROVER_SERVICE, taken.point, point, proof);
    if (error != HK_OK) {
        return error;
    }
    transcript_2(t2, group, t1, point, proof);
    put_result(result, group, &taken.half, taken.point, point, &public_key);
    transcript_3(result->transcript, group, t2, taken.point, taken.proof, taken.opening);
    memcpy(message->point, taken.point, sizeof(message->point));
    memcpy(message->proof, taken.proof, sizeof(message->proof));
    memcpy(message->opening, taken.opening, sizeof(message->opening));
    return HK_OK;
}

enum hk_error hk_keygen_complete(struct hk_keygen_result *result, struct hk_keygen_service *run,
                                 const uint8_t *point, const uint8_t *proof, const uint8_t *opening)
{
    struct hk_keygen_service taken = *run;
    HK_WIPE_AT_EXIT(taken);
    hk_wipe(run, sizeof(*run));
    if (taken.magic != SERVICE_MAGIC) {
        return HK_CONFLICT;
    }
    const struct hk_group *group = taken.group;
    uint8_t commitment[HK_NAME_BYTES];
    struct hk_point public_key;
    HK_PUBLIC(taken.point); /* was message 2 */
    commit(commitment, group, taken.sid, point, proof, opening);
    if (!hk_equal(commitment, taken.commitment, HK_NAME_BYTES)) {
        return HK_BAD_PROOF;
    }
    enum hk_error error =
        check_peer(&public_key, group, taken.sid, HK_PROVER_DEVICE, taken.point, point, proof);
    if (error != HK_OK) {
        return error;
    }
    put_result(result, group, &taken.half, point, taken.point, &public_key);
    transcript_3(result->transcript, group, taken.transcript, point, proof, opening);
    return HK_OK;
}

enum hk_error hk_keygen_accept(const struct hk_keygen_result *pending, const struct hk_group *group,
                               const uint8_t transcript[HK_NAME_BYTES], const uint8_t *public_key)
{
    bool same = hk_equal(pending->transcript, transcript, HK_NAME_BYTES) &&
                hk_equal(pending->public_key, public_key, group->point_bytes);
    return same ? HK_OK : HK_BAD_PROOF;
}

static void import_transcript(struct hk_keygen_result *result, const struct hk_group *group,
                              const uint8_t *sid, const uint8_t *proof)
{
    hk_hash_name(result->transcript, "import", 5,
                 (struct hk_bytes[]){
                     HK_BYTES(sid, HK_NAME_BYTES), HK_BYTES(result->device_point, group->point_bytes),
                     HK_BYTES(proof, proof_bytes(group)), HK_BYTES(result->service_point, group->point_bytes),
                     HK_BYTES(result->public_key, group->point_bytes)});
}

enum hk_error hk_import_split(struct hk_keygen_result *result, uint8_t *scalar, uint8_t *proof,
                              const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES],
                              struct hk_scalar *whole)
{
    struct hk_scalar x = *whole, d, s;
    struct hk_point device_point, service_point, public_key;
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(d);
    HK_WIPE_AT_EXIT(s);
    hk_wipe(whole, sizeof(*whole));
    if (group->scalar_is_zero(&x)) {
        return HK_BAD_SCALAR;
    }
    do {
        hk_scalar_random(group, &d);
        group->scalar_sub(&s, &x, &d);
    } while (group->scalar_is_zero(&s));
    group->base_mul(&device_point, &d);
    group->base_mul(&service_point, &s);
    group->point_add(&public_key, &device_point, &service_point);
    hk_schnorr_prove(proof, group, sid, HK_PROVER_DEVICE, &device_point, &d);
    memcpy(scalar, s.bytes, group->scalar_bytes);
    put_result(result, group, &d, device_point.bytes, service_point.bytes, &public_key);
    import_transcript(result, group, sid, proof);
    return HK_OK;
}

enum hk_error hk_import_take(struct hk_keygen_result *result, const struct hk_group *group,
                             const uint8_t sid[HK_NAME_BYTES], const uint8_t *scalar, const uint8_t *point,
                             const uint8_t *proof)
{
    struct hk_scalar s;
    struct hk_point service_point, public_key;
    HK_WIPE_AT_EXIT(s);
    enum hk_error error = hk_scalar_decode_nonzero(group, &s, scalar);
    if (error != HK_OK) {
        return error;
    }
    group->base_mul(&service_point, &s);
    HK_PUBLIC(service_point); /* the device knows it too */
    error = check_peer(&public_key, group, sid, HK_PROVER_DEVICE, service_point.bytes, point, proof);
    if (error != HK_OK) {
        return error;
    }
    put_result(result, group, &s, point, service_point.bytes, &public_key);
    import_transcript(result, group, sid, proof);
    return HK_OK;
}
