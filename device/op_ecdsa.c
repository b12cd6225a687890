/* Two-party ECDSA at the device: the service's ring checked once, a set-up for each key, signatures. */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "device/agent_core.h"
#include "device/ecdsa_ahead.h"
#include "device/settings.h"
#include "protocol/ecdsa_wire.h"
#include "protocol/seam.h"

#define FULL_SECONDS (7 * 86400) /* a set-up is replaced when it is older */
#define RING_TRIES                                                                                           \
    3000 /* five minutes: two safe primes are looked for, and the service may have much to do */
#define SIGN_TRIES 3

static struct hk_ecdsa_place place_of(const struct hk_core *core, const struct hk_state_key *key)
{
    return (struct hk_ecdsa_place){HK_BYTES(core->state->account, HK_ACCOUNT_BYTES), core->state->serial,
                                   key->id, core->state->epoch};
}

/* ---- the ring ---- */

static enum hk_error ask_ring(struct hk_core *core, struct hk_exchange *exchange)
{
    const struct timespec pause = {0, 100000000};
    enum hk_error error = HK_BUSY;
    for (int i = 0; i < RING_TRIES && error == HK_BUSY; i++) {
        if (i != 0) {
            (void)nanosleep(&pause, NULL);
        }
        hk_exchange_start(exchange, HK_OP_ECDSA_RING);
        error = hk_client_call(core->client, exchange);
        if (error == HK_OK && !hk_message_has(&exchange->answer, HK_F_RING)) {
            error = HK_BUSY;
        }
    }
    return error;
}

/* A ring that the provider's identity key has signed, with the length of its Paillier keys. */
static enum hk_error open_ring(struct hk_core *core, const struct hk_exchange *exchange, struct hk_ring *ring)
{
    uint8_t statement[HK_HASH_BYTES];
    const uint8_t *sent = hk_exchange_bytes(exchange, HK_F_RING, HK_RING_PUBLIC_BYTES + HK_RING_PROOF_BYTES),
                  *signature = hk_exchange_bytes(exchange, HK_F_SIGNATURE, crypto_sign_BYTES);
    uint64_t bits = hk_exchange_u64(exchange, HK_F_SIZE);
    if (sent == NULL || signature == NULL || (bits != HK_PAILLIER_BITS && bits != HK_PAILLIER_BITS_MAX)) {
        return HK_BAD_PEER;
    }
    enum hk_error error = hk_ring_decode(ring, sent);
    if (error == HK_OK) {
        hk_ecdsa_ring_statement(statement, ring, bits);
        error = crypto_sign_verify_detached(signature, statement, sizeof(statement),
                                            core->state->identity_key) == 0
                    ? HK_OK
                    : HK_BAD_PROOF;
    }
    return error;
}

/* Asked for before set-ups. Pinned once it is proved; another one is taken in its place only signed and
 * proved anew. *bits: of the Paillier keys of the set-ups that follow. */
static enum hk_error get_ring(struct hk_core *core, uint64_t *bits)
{
    struct hk_exchange *exchange;
    struct hk_ring ring;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    error = ask_ring(core, exchange);
    if (error == HK_OK) {
        error = open_ring(core, exchange, &ring);
    }
    if (error == HK_OK) {
        const uint8_t *sent = exchange->answer.value[HK_F_RING].data;
        bool same = core->state->has_ring && memcmp(core->state->ring, sent, HK_RING_PUBLIC_BYTES) == 0;
        error = same ? HK_OK : hk_ring_verify(&ring, sent + HK_RING_PUBLIC_BYTES);
        if (error == HK_OK) {
            memcpy(core->state->ring, sent, HK_RING_PUBLIC_BYTES);
            core->state->has_ring = true;
            *bits = hk_exchange_u64(exchange, HK_F_SIZE);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* ---- set-up ---- */

static enum hk_error decode_points(struct hk_ecdsa_pair *pair, const struct hk_state_key *key)
{
    enum hk_error error = hk_secp256k1.point_decode(&pair->service_point, key->service_point);
    return error == HK_OK ? hk_secp256k1.point_decode(&pair->public_key, key->public_key) : error;
}

static enum hk_error set_up(struct hk_core *core, struct hk_state_key *key, uint64_t bits)
{
    struct hk_exchange *exchange;
    struct hk_ecdsa_pair pair;
    uint8_t transcript[HK_NAME_BYTES];
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_ECDSA_SETUP);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        const struct hk_value *sent = &exchange->answer.value[HK_F_SETUP];
        const struct hk_ecdsa_place place = place_of(core, key);
        error = decode_points(&pair, key);
        if (error == HK_OK) {
            hk_ecdsa_setup_transcript(transcript, &place, &pair.service_point, &pair.public_key);
            error = hk_ecdsa_setup_take(&pair, sent->data, sent->size, transcript);
        }
        if (error == HK_OK && 8 * hk_paillier_n_bytes(&pair.paillier) != bits) {
            error = HK_BAD_PEER;
        }
        if (error == HK_OK) {
            key->ecdsa.n_bytes = hk_paillier_n_bytes(&pair.paillier);
            key->ecdsa.made = (uint64_t)time(NULL);
            hk_paillier_encode(key->ecdsa.n, &pair.paillier);
            hk_ecdsa_cipher_encode(key->ecdsa.cipher, &pair.paillier, pair.cipher);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

enum hk_error hk_core_set_up_ecdsa(struct hk_core *core)
{
    bool again = atomic_exchange(&core->ecdsa_stale, false);
    uint64_t now = (uint64_t)time(NULL), bits = 0;
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < core->state->key_count && error == HK_OK; i++) {
        struct hk_state_key *key = &core->state->key[i];
        bool old = key->ecdsa.n_bytes == 0 || again || key->ecdsa.made + FULL_SECONDS < now;
        if (key->suite != HK_SUITE_SECP256K1_ECDSA || key->state != HK_KEY_ACTIVE || !old) {
            continue;
        }
        if (bits == 0) {
            error = get_ring(core, &bits);
        }
        if (error == HK_OK) {
            error = set_up(core, key, bits);
        }
        if (error == HK_OK) {
            error = hk_core_save(core, "ecdsa.setup");
        }
    }
    if (error != HK_OK && again) {
        atomic_store(&core->ecdsa_stale, true);
    }
    return error;
}

enum hk_error hk_core_shift_ecdsa(struct hk_state_key *key, const struct hk_refresh *refresh)
{
    struct hk_paillier paillier;
    hk_limb cipher[HK_BIG_LIMBS];
    struct hk_scalar delta;
    HK_WIPE_AT_EXIT(delta);
    if (key->ecdsa.n_bytes == 0) {
        return HK_OK;
    }
    enum hk_error error = hk_paillier_decode(&paillier, key->ecdsa.n, key->ecdsa.n_bytes);
    if (error == HK_OK) {
        error = hk_ecdsa_cipher_decode(cipher, &paillier, key->ecdsa.cipher);
    }
    if (error == HK_OK) {
        hk_refresh_delta(&delta, &hk_secp256k1, refresh, key->id);
        hk_ecdsa_shift_cipher(cipher, &paillier, &delta);
        hk_ecdsa_cipher_encode(key->ecdsa.cipher, &paillier, cipher);
    }
    return error;
}

/* ---- signatures ---- */

/* Everything of one signature. In memory from hk_secret_new. */
struct signing {
    struct hk_ecdsa_pair pair;
    struct hk_ecdsa_ahead *ahead;
    bool prepares; /* asks for the offer of the next signature along with this one */
    struct hk_ecdsa_nonce nonce, next_nonce;
    struct hk_ecdsa_mask mask;
    struct hk_ecdsa_offer offer, next_offer;
    struct hk_ecdsa_request request;
    struct hk_ecdsa_pending pending;
    struct hk_ecdsa_answer answer;
    uint8_t wire[HK_ECDSA_REQUEST_BYTES_MAX];
};

static enum hk_error load_pair(struct hk_ecdsa_pair *pair, const struct hk_core *core,
                               const struct hk_state_key *key)
{
    const struct hk_ecdsa_place place = place_of(core, key);
    enum hk_error error = decode_points(pair, key);
    if (error == HK_OK) {
        error = hk_paillier_decode(&pair->paillier, key->ecdsa.n, key->ecdsa.n_bytes);
    }
    if (error == HK_OK) {
        error = hk_ecdsa_cipher_decode(pair->cipher, &pair->paillier, key->ecdsa.cipher);
    }
    if (error == HK_OK) {
        error = hk_ring_decode(&pair->ring, core->state->ring);
    }
    if (error == HK_OK) {
        hk_ecdsa_pair_name(pair, &place);
    }
    return error;
}

static enum hk_error commit(struct signing *signing, struct hk_link *link, struct hk_exchange *exchange,
                            const struct hk_state_key *key, const uint8_t *digest)
{
    hk_ecdsa_commit(&signing->nonce, &signing->pair, &key->half, digest);
    hk_exchange_start(exchange, HK_OP_ECDSA_COMMIT);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, signing->pair.name, HK_NAME_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_COMMITMENT, signing->nonce.commitment, HK_NAME_BYTES);
    hk_message_set_u64(&exchange->request, HK_F_STEP, 1);
    enum hk_error error = hk_link_call(link, exchange);
    if (error == HK_OK) {
        const uint8_t *offer = hk_exchange_bytes(exchange, HK_F_OFFER, HK_ECDSA_OFFER_BYTES);
        error = offer != NULL ? HK_OK : HK_BAD_PEER;
        if (error == HK_OK) {
            hk_ecdsa_offer_decode(&signing->offer, offer);
        }
    }
    return error;
}

/* What came: s with the recovery id, and perhaps the next offer. */
static enum hk_error take_answer(struct signing *signing, const struct hk_exchange *exchange)
{
    const uint8_t *answer = hk_exchange_bytes(exchange, HK_F_ECDSA, HK_ECDSA_ANSWER_BYTES),
                  *offer = hk_exchange_bytes(exchange, HK_F_OFFER, HK_ECDSA_OFFER_BYTES);
    if (answer == NULL) {
        return HK_BAD_PEER;
    }
    hk_ecdsa_answer_decode(&signing->answer, answer);
    if (signing->prepares && offer != NULL) { /* none where the service has it switched off */
        hk_ecdsa_offer_decode(&signing->next_offer, offer);
        hk_ecdsa_ahead_keep(signing->ahead, &signing->pair, &signing->next_nonce, &signing->next_offer);
    }
    return HK_OK;
}

static enum hk_error request(struct signing *signing, struct hk_link *link, struct hk_exchange *exchange,
                             const struct hk_state_key *key, const uint8_t *digest)
{
    hk_ecdsa_ahead_mask(signing->ahead, &signing->mask, &signing->pair, &key->half);
    enum hk_error error =
        hk_ecdsa_make_request(&signing->request, &signing->pending, &signing->nonce, &signing->mask,
                              &signing->pair, &key->half, &signing->offer, digest);
    if (error != HK_OK) {
        return error;
    }
    size_t size = hk_ecdsa_request_encode(signing->wire, signing->offer.number, &signing->request,
                                          &signing->pair.paillier);
    hk_exchange_start(exchange, HK_OP_ECDSA_SIGN);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, signing->pair.name, HK_NAME_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_MESSAGE, digest, HK_ECDSA_DIGEST_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_ECDSA, signing->wire, size);
    if (signing->prepares) {
        hk_ecdsa_commit(&signing->next_nonce, &signing->pair, &key->half, NULL);
        hk_message_set_bytes(&exchange->request, HK_F_COMMITMENT, signing->next_nonce.commitment,
                             HK_NAME_BYTES);
    }
    HK_SEAM("sign/before");
    error = hk_link_call(link, exchange);
    HK_SEAM("sign/after");
    return error == HK_OK ? take_answer(signing, exchange) : error;
}

/* One try on one session: a nonce is committed to, used, and gone with it. */
static enum hk_error sign_once(struct hk_core *core, struct signing *signing, struct hk_exchange *exchange,
                               const struct hk_state_key *key, const uint8_t *digest,
                               struct hk_ecdsa_result *result)
{
    struct hk_link *link = NULL;
    enum hk_error error = hk_link_open(&link, core->client);
    bool one_trip = signing->prepares &&
                    hk_ecdsa_ahead_take(signing->ahead, &signing->pair, &signing->nonce, &signing->offer);
    if (error == HK_OK && !one_trip) {
        error = commit(signing, link, exchange, key, digest);
    }
    if (error == HK_OK) {
        error = request(signing, link, exchange, key, digest);
    }
    if (error == HK_UNKNOWN_RUN && one_trip) {
        error = HK_AGAIN; /* the service has let go of what it offered: two round trips then */
    }
    if (error == HK_OK) {
        error = hk_ecdsa_accept(result, &signing->pending, &signing->pair, &signing->answer);
    }
    hk_link_close(link);
    return error;
}

/* Off by the setting `prepared`: plain ECDSA in two round trips, for whoever has to reckon with a service (or
 * a device) whose memory is put back to an earlier state. */
static bool is_prepared_on(void)
{
    const char *value = hk_setting("prepared");
    return value == NULL || strcmp(value, "off") != 0;
}

static enum hk_error signing_new(struct signing **out, struct hk_core *core, const struct hk_state_key *key)
{
    enum hk_error error = HK_OK;
    struct signing *signing = hk_secret_new(sizeof(*signing));
    *out = signing;
    if (signing == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_lock(&core->saving);
    if (core->ecdsa_ahead == NULL) {
        error = hk_ecdsa_ahead_new(&core->ecdsa_ahead);
    }
    signing->ahead = core->ecdsa_ahead;
    pthread_mutex_unlock(&core->saving);
    signing->prepares = is_prepared_on();
    return error == HK_OK ? load_pair(&signing->pair, core, key) : error;
}

enum hk_error hk_core_sign_ecdsa(struct hk_core *core, const struct hk_state_key *key,
                                 const uint8_t digest[HK_ECDSA_DIGEST_BYTES], struct hk_ecdsa_result *result)
{
    struct hk_exchange *exchange = NULL;
    struct signing *signing = NULL;
    if (key->ecdsa.n_bytes == 0) {
        atomic_store(&core->unsettled, true);
        return HK_AGAIN;
    }
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error == HK_OK) {
        error = signing_new(&signing, core, key);
    }
    if (error == HK_OK) {
        error = HK_AGAIN;
        for (int tries = 0; tries < SIGN_TRIES && error == HK_AGAIN; tries++) {
            error = sign_once(core, signing, exchange, key, digest, result);
        }
        error = error == HK_AGAIN ? HK_UNREACHABLE : error;
    }
    hk_secret_free(signing);
    hk_exchange_free(core->client, exchange);
    if (error == HK_CONFLICT) { /* the service has another set-up than this device, or none */
        atomic_store(&core->ecdsa_stale, true);
        atomic_store(&core->unsettled, true);
        return HK_AGAIN;
    }
    return error;
}
