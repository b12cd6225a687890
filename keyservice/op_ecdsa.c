/* ecdsa-ring, ecdsa-setup, ecdsa-commit, ecdsa-sign: the service's side of two-party ECDSA (docs/ecdsa.md).
 */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "keyservice/ecdsa_pairs.h"
#include "keyservice/operations.h"
#include "protocol/ecdsa_wire.h"

static uint64_t monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static enum hk_error loaded_new(struct hk_job *job, struct hk_ecdsa_loaded **loaded)
{
    *loaded = hk_secret_new(sizeof(**loaded));
    job->state = *loaded;
    job->state_free = hk_secret_free;
    return *loaded != NULL ? HK_OK : HK_BUSY;
}

/* ---- the ring ---- */

enum hk_error hk_prepare_ecdsa_ring(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_ring_secret *ring;
    enum hk_error error = hk_ecdsa_keys_ring(job->server->ecdsa_keys, txn, &ring);
    /* Not found: it is made, and the writer stores it. Busy is no refusal: the answer is without a ring. */
    return error == HK_NOT_FOUND || error == HK_BUSY ? HK_OK : error;
}

static void sign_ring(struct hk_job *job, uint8_t *signature, const struct hk_ring *ring)
{
    uint8_t statement[HK_HASH_BYTES];
    uint64_t bits = hk_ecdsa_keys_bits(job->server->ecdsa_keys);
    hk_ecdsa_ring_statement(statement, ring, bits);
    crypto_sign_detached(signature, NULL, statement, sizeof(statement),
                         job->server->keys->identity_secret.bytes);
    hk_message_set_u64(&job->answer, HK_F_SIZE, bits);
    hk_message_set_bytes(&job->answer, HK_F_SIGNATURE, signature, crypto_sign_BYTES);
}

enum hk_error hk_apply_ecdsa_ring(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_ring_secret *ring;
    uint8_t *answer = hk_job_memory(job, HK_RING_PUBLIC_BYTES + HK_RING_PROOF_BYTES + crypto_sign_BYTES),
            sealed[HK_RING_SECRET_BYTES + 64];
    size_t sealed_size, proof_size;
    enum hk_error error = answer == NULL ? HK_BUSY : hk_ecdsa_keys_store_ring(job->server->ecdsa_keys, txn);
    if (error == HK_OK) {
        error = hk_ecdsa_keys_ring(job->server->ecdsa_keys, txn, &ring);
    }
    if (error == HK_OK) {
        error = hk_store_get_ring(txn, sealed, sizeof(sealed), &sealed_size, answer + HK_RING_PUBLIC_BYTES,
                                  HK_RING_PROOF_BYTES, &proof_size);
    }
    if (error == HK_OK) {
        hk_ring_encode(answer, &ring->ring);
        hk_message_set_bytes(&job->answer, HK_F_RING, answer, HK_RING_PUBLIC_BYTES + HK_RING_PROOF_BYTES);
        sign_ring(job, answer + HK_RING_PUBLIC_BYTES + HK_RING_PROOF_BYTES, &ring->ring);
    }
    return answer != NULL && error == HK_BUSY ? HK_OK : error;
}

/* ---- set-up ---- */

enum hk_error hk_prepare_ecdsa_setup(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_ecdsa_loaded *loaded;
    uint8_t transcript[HK_NAME_BYTES], proof[HK_ECDSA_SETUP_BYTES_MAX];
    uint8_t *answer = hk_job_memory(job, HK_ECDSA_SETUP_WIRE_BYTES_MAX);
    enum hk_error error = answer == NULL ? HK_BUSY : loaded_new(job, &loaded);
    if (error == HK_OK) {
        error = hk_ecdsa_load_half(loaded, job, txn);
    }
    if (error != HK_OK) {
        return error;
    }
    const struct hk_ecdsa_place place = hk_ecdsa_place_of(job);
    hk_ecdsa_setup_transcript(transcript, &place, &loaded->pair.service_point, &loaded->pair.public_key);
    hk_ecdsa_keys_take(job->server->ecdsa_keys, &loaded->paillier);
    hk_ecdsa_setup_prove(loaded->pair.cipher, proof, &loaded->paillier, &loaded->service.half, transcript);
    size_t size = hk_ecdsa_setup_encode(answer, &loaded->paillier.key, loaded->pair.cipher, proof);
    hk_message_set_bytes(&job->answer, HK_F_SETUP, answer, size);
    return HK_OK;
}

/* A pending epoch has its own, shifted from the set-up that this would replace. */
enum hk_error hk_apply_ecdsa_setup(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_ecdsa_loaded *loaded = job->state;
    uint8_t stored[HK_STORE_ECDSA_MAX];
    HK_WIPE_AT_EXIT(stored);
    if (job->device.pending_epoch != 0) {
        return HK_LOCKED;
    }
    size_t size = hk_ecdsa_stored(stored, loaded);
    hk_ecdsa_slots_drop(job->server->ecdsa_slots, job->device.serial);
    return hk_store_put_ecdsa(txn, &job->device, job->device.epoch, job->key.id, stored, size);
}

/* ---- signatures ---- */

/* A nonce for this commitment, kept, and what the device needs of it into the answer. */
static enum hk_error offer(struct hk_job *job, const struct hk_ecdsa_pair *pair, bool prepared)
{
    struct hk_ecdsa_slots *slots = job->server->ecdsa_slots;
    struct hk_ecdsa_slot slot;
    struct hk_ecdsa_offer made;
    HK_WIPE_AT_EXIT(slot);
    uint8_t *answer = hk_job_memory(job, HK_ECDSA_OFFER_BYTES);
    if (answer == NULL) {
        return HK_BUSY;
    }
    hk_ecdsa_make_offer(&slot, &made, pair, hk_ecdsa_slots_key(slots), hk_ecdsa_slots_number(slots),
                        hk_job_bytes(job, HK_F_COMMITMENT), prepared);
    hk_ecdsa_slots_put(slots, job->device.serial, job->key.id, made.number, &slot, monotonic());
    hk_ecdsa_offer_encode(answer, &made);
    hk_message_set_bytes(&job->answer, HK_F_OFFER, answer, HK_ECDSA_OFFER_BYTES);
    return HK_OK;
}

enum hk_error hk_prepare_ecdsa_commit(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_ecdsa_loaded *loaded;
    uint64_t step = hk_job_number(job, HK_F_STEP);
    enum hk_error error = step == 1 || step == 2 ? loaded_new(job, &loaded) : HK_BAD_ENCODING;
    if (error == HK_OK && step == 2 && !job->server->prepares_ecdsa) {
        error = HK_PREPARED_OFF;
    }
    if (error == HK_OK) {
        error = hk_ecdsa_load(loaded, job, txn);
    }
    return error == HK_OK ? offer(job, &loaded->pair, step == 2) : error;
}

/* The slot is gone before anything is looked at, let alone decrypted. */
static enum hk_error finish(struct hk_job *job, const struct hk_ecdsa_loaded *loaded,
                            struct hk_ecdsa_answer *answer)
{
    const struct hk_value *message = hk_job_value(job, HK_F_MESSAGE), *sent = hk_job_value(job, HK_F_ECDSA);
    struct hk_ecdsa_request *request = hk_job_memory(job, sizeof(*request));
    struct hk_ecdsa_slot slot;
    HK_WIPE_AT_EXIT(slot);
    uint64_t number;
    if (request == NULL) {
        return HK_BUSY;
    }
    enum hk_error error =
        hk_ecdsa_request_decode(request, &number, sent->data, sent->size, &loaded->pair.paillier);
    if (error == HK_OK) {
        error = hk_ecdsa_slots_take(job->server->ecdsa_slots, job->device.serial, job->key.id, number, &slot,
                                    monotonic());
    }
    if (error == HK_OK && message->size != HK_ECDSA_DIGEST_BYTES) {
        error = HK_BAD_ENCODING;
    }
    return error == HK_OK ? hk_ecdsa_answer(answer, &slot, &loaded->service, request, message->data) : error;
}

enum hk_error hk_prepare_ecdsa_sign(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_ecdsa_loaded *loaded;
    struct hk_ecdsa_answer made;
    uint8_t *answer = hk_job_memory(job, HK_ECDSA_ANSWER_BYTES);
    enum hk_error error = answer == NULL ? HK_BUSY : loaded_new(job, &loaded);
    if (error == HK_OK) {
        error = hk_ecdsa_load(loaded, job, txn);
    }
    if (error == HK_OK) {
        error = finish(job, loaded, &made);
    }
    if (error == HK_OK) {
        hk_ecdsa_answer_encode(answer, &made);
        hk_message_set_bytes(&job->answer, HK_F_ECDSA, answer, HK_ECDSA_ANSWER_BYTES);
        job->leaf.kind = HK_SIGN_RAW;
    }
    /* Without an offer the device goes on in two round trips: nothing is refused that was not asked for
     * alone. */
    if (error == HK_OK && job->server->prepares_ecdsa && hk_message_has(&job->message, HK_F_COMMITMENT)) {
        error = offer(job, &loaded->pair, true);
    }
    return error;
}
