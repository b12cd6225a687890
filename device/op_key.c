/* key create, key import: a key's making, its way into the signed profile, and what a crash left of either.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/keygen.h"
#include "crypto/random.h"
#include "crypto/suite.h"
#include "crypto/x25519.h"
#include "device/agent_core.h"
#include "device/recovery_set.h"
#include "protocol/seam.h"

#define TRIES 3

/* What a new key is made with. In memory from hk_secret_new. */
struct making {
    const struct hk_suite *suite;
    char name[HK_NAME_MAX + 1];
    uint8_t id[HK_ID_BYTES];
    uint64_t created;
    bool imported;
    bool is_successor; /* of the key `successor_of`: key rotate */
    uint8_t successor_of[HK_ID_BYTES];
    struct hk_scalar whole; /* of an import, until it is split */
    struct hk_keygen_device run;
    struct hk_keygen_result result;
    struct hk_keygen_opening opening;
    uint8_t scalar[HK_SCALAR_BYTES_MAX], proof[HK_SCHNORR_BYTES_MAX];
};

static void make_sid(uint8_t sid[HK_NAME_BYTES], struct hk_core *core, struct hk_link *link,
                     const struct hk_exchange *exchange, const struct making *making)
{
    struct hk_keygen_names names = {.handshake = HK_BYTES(hk_link_handshake(link), HK_HASH_BYTES),
                                    .request_id = exchange->id,
                                    .account = HK_BYTES(core->state->account, HK_ACCOUNT_BYTES),
                                    .suite = making->suite,
                                    .key_id = making->id,
                                    .device_key = core->state->static_public,
                                    .service_key = hk_client_service_key(core->client)};
    hk_keygen_sid(sid, &names);
}

static void describe(struct hk_exchange *exchange, enum hk_op op, const struct making *making)
{
    hk_exchange_start(exchange, op);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, making->id, HK_ID_BYTES);
    hk_message_set_u64(&exchange->request, HK_F_SUITE, (uint64_t)making->suite->id);
    hk_message_set_u64(&exchange->request, HK_F_PURPOSE, (uint64_t)making->suite->purpose);
    hk_message_set_text(&exchange->request, HK_F_NAME, making->name);
    hk_message_set_u64(&exchange->request, HK_F_CREATED, making->created);
}

/* The half is on disk, as pending, before the service can have its own. */
static enum hk_error store_pending(struct hk_core *core, const struct making *making)
{
    struct hk_state_key *key = hk_state_add_key(core->state, making->id);
    if (key == NULL) {
        return HK_OVER_QUOTA;
    }
    key->suite = (uint64_t)making->suite->id;
    key->purpose = (uint64_t)making->suite->purpose;
    memcpy(key->name, making->name, sizeof(key->name));
    key->created = making->created;
    key->imported = making->imported;
    key->is_successor = making->is_successor;
    memcpy(key->successor_of, making->successor_of, HK_ID_BYTES);
    key->state = HK_KEY_PENDING;
    memcpy(key->transcript, making->result.transcript, sizeof(key->transcript));
    memcpy(key->public_key, making->result.public_key, sizeof(key->public_key));
    memcpy(key->service_point, making->result.service_point, sizeof(key->service_point));
    key->half = making->result.half;
    HK_TELL("d", key->half.bytes, making->suite->group->scalar_bytes);
    atomic_store(&core->unsettled, true); /* until it is active and profiled */
    return hk_core_save(core, "keygen.pending");
}

/* Messages 1 to 3 of a key generation; message 4 is looked at by settle. */
static enum hk_error generate(struct hk_core *core, struct making *making, struct hk_link *link,
                              struct hk_exchange *exchange)
{
    const struct hk_group *group = making->suite->group;
    uint8_t sid[HK_NAME_BYTES], commitment[HK_NAME_BYTES];
    describe(exchange, HK_OP_KEYGEN_START, making);
    make_sid(sid, core, link, exchange, making);
    hk_keygen_start(&making->run, commitment, group, sid);
    hk_message_set_bytes(&exchange->request, HK_F_COMMITMENT, commitment, sizeof(commitment));
    enum hk_error error = hk_link_call(link, exchange);
    if (error != HK_OK) {
        return error;
    }
    const uint8_t *point = hk_exchange_bytes(exchange, HK_F_POINT, group->point_bytes),
                  *proof = hk_exchange_bytes(exchange, HK_F_PROOF, group->point_bytes + group->scalar_bytes);
    error = point != NULL && proof != NULL
                ? hk_keygen_finish(&making->result, &making->opening, &making->run, point, proof)
                : HK_BAD_PEER;
    if (error == HK_OK) {
        error = store_pending(core, making);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_KEYGEN_FINISH);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, making->id, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_POINT, making->opening.point, group->point_bytes);
    hk_message_set_bytes(&exchange->request, HK_F_PROOF, making->opening.proof,
                         group->point_bytes + group->scalar_bytes);
    hk_message_set_bytes(&exchange->request, HK_F_OPENING, making->opening.opening, HK_KEYGEN_OPENING_BYTES);
    HK_SEAM("keygen.finish/before");
    error = hk_link_call(link, exchange);
    HK_SEAM("keygen.finish/after");
    return error;
}

static enum hk_error import(struct hk_core *core, struct making *making, struct hk_link *link,
                            struct hk_exchange *exchange)
{
    const struct hk_group *group = making->suite->group;
    uint8_t sid[HK_NAME_BYTES];
    describe(exchange, HK_OP_KEY_IMPORT, making);
    make_sid(sid, core, link, exchange, making);
    enum hk_error error =
        hk_import_split(&making->result, making->scalar, making->proof, group, sid, &making->whole);
    if (error == HK_OK) {
        error = store_pending(core, making);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_message_set_bytes(&exchange->request, HK_F_SCALAR, making->scalar, group->scalar_bytes);
    hk_message_set_bytes(&exchange->request, HK_F_POINT, making->result.device_point, group->point_bytes);
    hk_message_set_bytes(&exchange->request, HK_F_PROOF, making->proof,
                         group->point_bytes + group->scalar_bytes);
    HK_SEAM("import/before");
    error = hk_link_call(link, exchange);
    HK_SEAM("import/after");
    return error;
}

/* Asks what became of a pending key: active here too, or wiped here too. HK_UNKNOWN_RUN says the latter. */
static enum hk_error settle(struct hk_core *core, const uint8_t id[HK_ID_BYTES])
{
    struct hk_exchange *exchange;
    struct hk_state_key *key = hk_state_key_by_id(core->state, id);
    enum hk_error error = key != NULL ? hk_exchange_new(&exchange, core->client) : HK_UNKNOWN_RUN;
    if (error != HK_OK) {
        return error;
    }
    const struct hk_group *group = hk_suite_by_id(key->suite)->group;
    hk_exchange_start(exchange, HK_OP_KEYGEN_STATUS);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, id, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, key->transcript, HK_NAME_BYTES);
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        const uint8_t *transcript = hk_exchange_bytes(exchange, HK_F_TRANSCRIPT, HK_NAME_BYTES),
                      *public_key = hk_exchange_bytes(exchange, HK_F_PUBLIC, group->point_bytes);
        bool same = transcript != NULL && public_key != NULL &&
                    memcmp(transcript, key->transcript, HK_NAME_BYTES) == 0 &&
                    memcmp(public_key, key->public_key, group->point_bytes) == 0;
        error = same ? HK_OK : HK_BAD_PROOF;
    }
    hk_exchange_free(core->client, exchange);
    if (error == HK_OK) {
        key->state = HK_KEY_ACTIVE;
        return hk_core_save(core, "keygen.active");
    }
    if (error == HK_UNKNOWN_RUN) {
        hk_state_remove_key(core->state, key);
        enum hk_error saved = hk_core_save(core, "keygen.void");
        return saved == HK_OK ? HK_UNKNOWN_RUN : saved;
    }
    return error;
}

/* --- the profile --- */

static size_t place_of(const struct hk_profile *profile, const uint8_t *id)
{
    size_t place = 0;
    while (place < profile->key_count && memcmp(profile->keys[place].id, id, HK_ID_BYTES) < 0) {
        place++;
    }
    return place;
}

/* What a new version lists: all active keys that the profile lacks, but of those that came in another one's
 * place the one whose link is ready. */
struct listing {
    const struct hk_state *state;
    bool has_successor;
    uint8_t successor[HK_ID_BYTES];
    uint8_t link[HK_ROTATION_ATTACHMENT_MAX];
    size_t link_size;
    /* where the account has a recovery set: the new keys' part in it */
    size_t dealt_count;
    struct {
        uint8_t id[HK_ID_BYTES], transcript[32];
    } dealt[HK_KEYS_MAX];
};

static bool is_linked(const struct listing *listing, const struct hk_state_key *key)
{
    return listing->has_successor && memcmp(listing->successor, key->id, HK_ID_BYTES) == 0;
}

static bool is_wanted(const struct listing *listing, const struct hk_state_key *key)
{
    return key->state == HK_KEY_ACTIVE && key->purpose != HK_PURPOSE_ACCOUNT &&
           (!key->is_successor || is_linked(listing, key));
}

/* Lists every active key that the profile lacks. */
static enum hk_error list_keys(void *argument, struct hk_profile *profile)
{
    const struct listing *listing = argument;
    const struct hk_state *state = listing->state;
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        size_t place = place_of(profile, key->id);
        bool listed =
            place < profile->key_count && memcmp(profile->keys[place].id, key->id, HK_ID_BYTES) == 0;
        if (!is_wanted(listing, key) || listed) {
            continue;
        }
        if (profile->key_count == HK_KEYS_MAX) {
            return HK_OVER_QUOTA;
        }
        struct hk_profile_key *slot = &profile->keys[place];
        memmove(slot + 1, slot, (profile->key_count - place) * sizeof(*slot));
        profile->key_count++;
        memset(slot, 0, sizeof(*slot));
        memcpy(slot->id, key->id, HK_ID_BYTES);
        slot->suite = key->suite;
        slot->purpose = key->purpose;
        slot->public_size = hk_suite_by_id(key->suite)->group->point_bytes;
        memcpy(slot->public_key, key->public_key, slot->public_size);
        slot->created = key->created;
        memcpy(slot->name, key->name, sizeof(slot->name));
        slot->imported = key->imported;
        for (size_t j = 0; j < listing->dealt_count; j++) {
            if (memcmp(listing->dealt[j].id, key->id, HK_ID_BYTES) == 0) {
                slot->in_set = true;
                memcpy(slot->set_transcript, listing->dealt[j].transcript, 32);
            }
        }
        if (is_linked(listing, key)) {
            slot->attachments = HK_BYTES(listing->link, listing->link_size);
        }
    }
    return HK_OK;
}

/* *missing: some key is in no profile; the link of the first that needs one is made. The old key may be gone
 * by now: then there is nobody to sign, and the new one is a key like any other. */
static enum hk_error look(struct hk_core *core, struct listing *listing, bool *missing)
{
    enum hk_error error = HK_OK;
    *missing = false;
    for (size_t i = 0; i < core->state->key_count && error == HK_OK; i++) {
        struct hk_state_key *key = &core->state->key[i];
        if (key->state != HK_KEY_ACTIVE || key->profiled || key->purpose == HK_PURPOSE_ACCOUNT) {
            continue;
        }
        *missing = true;
        if (key->is_successor && !listing->has_successor) {
            error = hk_core_link_key(core, key, listing->link, &listing->link_size);
            if (error == HK_NOT_FOUND) {
                key->is_successor = false;
                error = HK_OK;
            } else {
                listing->has_successor = true;
                memcpy(listing->successor, key->id, HK_ID_BYTES);
            }
        }
    }
    return error;
}

/* New keys join the account's recovery set by themselves, before anybody is told of them. */
static enum hk_error deal(struct hk_core *core, struct listing *listing)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(core->state, profile) : HK_NO_MEMORY;
    bool has_set = error == HK_OK && profile->recovery.count != 0;
    for (size_t i = 0; has_set && i < core->state->key_count && error == HK_OK; i++) {
        const struct hk_state_key *key = &core->state->key[i];
        if (!key->profiled && is_wanted(listing, key)) {
            memcpy(listing->dealt[listing->dealt_count].id, key->id, HK_ID_BYTES);
            error = hk_recovery_deal_key(core, &profile->recovery, key,
                                         listing->dealt[listing->dealt_count++].transcript);
        }
    }
    free(profile);
    return error == HK_NOT_FOUND ? HK_OK : error;
}

static enum hk_error publish(struct hk_core *core)
{
    bool dealt = false;
    bool missing = core->state->role == HK_ROLE_ADMIN;
    enum hk_error error = HK_OK;
    for (size_t i = 0; missing && error == HK_OK && i <= HK_KEYS_MAX; i++) { /* one link a version */
        struct listing listing = {.state = core->state};
        error = look(core, &listing, &missing);
        if (error == HK_OK && missing) {
            error = deal(core, &listing);
        }
        if (error == HK_OK && missing) {
            error = hk_core_next_profile(core, list_keys, &listing);
        }
        dealt = dealt || listing.dealt_count != 0;
    }
    if (error == HK_OK && dealt) {
        hk_recovery_keep_own(core);
    }
    return error;
}

enum hk_error hk_resume_keys(struct hk_core *core)
{
    struct hk_state *state = core->state;
    for (size_t i = state->key_count; i > 0; i--) {
        if (state->key[i - 1].state == HK_KEY_PENDING) {
            uint8_t id[HK_ID_BYTES];
            memcpy(id, state->key[i - 1].id, sizeof(id));
            enum hk_error error = settle(core, id);
            if (error != HK_OK && error != HK_UNKNOWN_RUN) {
                return error;
            }
        }
    }
    return publish(core);
}

/* --- the operations --- */

/* Once over one session, since the proofs name it. */
static enum hk_error make_once(struct hk_core *core, struct making *making, struct hk_exchange *exchange)
{
    struct hk_link *link = NULL;
    hk_random(making->id, sizeof(making->id));
    if (making->created == 0) {
        making->created = (uint64_t)time(NULL);
    }
    enum hk_error error = hk_link_open(&link, core->client);
    if (error == HK_OK) {
        error =
            making->imported ? import(core, making, link, exchange) : generate(core, making, link, exchange);
    }
    hk_link_close(link);
    return error;
}

/* A session that was lost before anything was stored, as when the service was restarted, makes no difference.
 */
static enum hk_error make(struct hk_core *core, struct making *making)
{
    struct hk_exchange *exchange = NULL;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    error = HK_AGAIN;
    bool is_stored = false;
    for (int tries = 0; tries < TRIES && error == HK_AGAIN && !is_stored; tries++) {
        error = make_once(core, making, exchange);
        is_stored = hk_state_key_by_id(core->state, making->id) != NULL;
    }
    hk_exchange_free(core->client, exchange);
    if (!is_stored) {
        return error == HK_AGAIN ? HK_UNREACHABLE
                                 : error; /* nothing was stored, so there is nothing to settle */
    }
    enum hk_error settled = settle(core, making->id);
    if (settled != HK_OK) {
        return settled == HK_UNKNOWN_RUN && error != HK_OK && error != HK_AGAIN ? error : settled;
    }
    error = publish(core);
    if (error == HK_OK) {
        error = hk_core_set_up_ecdsa(core);
    }
    if (error == HK_OK) {
        atomic_store(&core->unsettled, false);
        atomic_store(&core->hands_due, true); /* the other devices get it behind the answer's making */
    }
    return error;
}

static enum hk_error check_request(struct hk_op_call *call, struct making *making)
{
    hk_agent_text(call->request, HK_A_KEY, making->name, sizeof(making->name));
    making->suite = hk_suite_by_id(hk_agent_u64(call->request, HK_A_SUITE));
    if (making->suite == NULL || making->suite->purpose == HK_PURPOSE_ACCOUNT) {
        return hk_op_fail(call, HK_UNSUPPORTED, "no such suite; see 'halfkey help key create'");
    }
    if (hk_state_key_by_name(call->core->state, making->name) != NULL) {
        return hk_op_fail(call, HK_EXISTS, "there is a key '%s' already", making->name);
    }
    return HK_OK;
}

static enum hk_error make_and_answer(struct hk_op_call *call, struct making *making)
{
    uint8_t public_key[HK_FORM_BYTES_MAX];
    enum hk_error error = make(call->core, making);
    if (error == HK_UNKNOWN_RUN) {
        return hk_op_fail(call, HK_UNREACHABLE, "the connection was lost while the key was made; try again");
    }
    if (error != HK_OK) {
        return error;
    }
    making->suite->form(public_key, making->result.public_key);
    hk_agent_set_u64(call->answer, HK_A_CREATED, making->created);
    return hk_op_put(call, HK_A_PUBLIC, public_key, making->suite->form_bytes) ? HK_OK : HK_NO_MEMORY;
}

enum hk_error hk_core_make_successor(struct hk_op_call *call, const struct hk_state_key *old,
                                     const char *name)
{
    struct making *making = hk_secret_new(sizeof(*making));
    if (making == NULL) {
        return HK_NO_MEMORY;
    }
    memcpy(making->name, name, strlen(name) + 1);
    making->suite = hk_suite_by_id(old->suite);
    making->is_successor = true;
    memcpy(making->successor_of, old->id, HK_ID_BYTES);
    enum hk_error error = hk_state_key_by_name(call->core->state, name) == NULL
                              ? make_and_answer(call, making)
                              : hk_op_fail(call, HK_EXISTS, "there is a key '%s' already", name);
    hk_secret_free(making);
    return error;
}

enum hk_error hk_op_key_create(struct hk_op_call *call)
{
    struct making *making = hk_secret_new(sizeof(*making));
    enum hk_error error = making != NULL ? check_request(call, making) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = make_and_answer(call, making);
    }
    hk_secret_free(making);
    return error;
}

/* The scalar of a private key as other programs keep it: X25519's bytes, the seed of RFC 8032, a number below
 * secp256k1's n. HK_BAD_SCALAR where not every 32 bytes are one. */
static enum hk_error read_whole(struct making *making, const uint8_t secret[32])
{
    uint8_t hash[crypto_hash_sha512_BYTES];
    HK_WIPE_AT_EXIT(hash);
    switch (making->suite->id) {
    case HK_SUITE_X25519:
        hk_x25519_scalar(&making->whole, secret);
        return HK_OK;
    case HK_SUITE_ED25519:
        crypto_hash_sha512(hash, secret, 32);
        hk_x25519_scalar(&making->whole, hash); /* clamped in the same way */
        return HK_OK;
    default:
        return hk_scalar_decode_nonzero(making->suite->group, &making->whole, secret);
    }
}

/* Reads the key; two halves of one x under two names would be one x with two purposes. */
static enum hk_error take_whole(struct hk_op_call *call, struct making *making)
{
    struct hk_point point;
    enum hk_error error = read_whole(making, call->request->value[HK_A_SECRET].data);
    if (error != HK_OK) {
        return hk_op_fail(call, error,
                          "that is no private key of suite %s: zero, or not below the group's order",
                          making->suite->name);
    }
    making->suite->group->base_mul(&point, &making->whole);
    const struct hk_state_key *same = hk_state_key_by_point(call->core->state, making->suite->group, &point);
    return same != NULL
               ? hk_op_fail(call, HK_EXISTS, "this key is here already, as '%s'; a key is for one purpose",
                            same->name)
               : HK_OK;
}

enum hk_error hk_op_key_import(struct hk_op_call *call)
{
    struct making *making = hk_secret_new(sizeof(*making));
    enum hk_error error = making != NULL ? check_request(call, making) : HK_NO_MEMORY;
    if (error == HK_OK) {
        making->imported = true;
        making->created = hk_agent_u64(call->request, HK_A_CREATED);
        error = take_whole(call, making);
    }
    if (error == HK_OK) {
        error = make_and_answer(call, making);
    }
    hk_secret_free(making);
    return error;
}
