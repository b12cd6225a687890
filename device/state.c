#include "device/state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "protocol/cose.h"
#include "protocol/noise.h"

enum hk_error hk_state_new(struct hk_state **out)
{
    struct hk_state *state = hk_secret_new(sizeof(*state));
    if (state == NULL) {
        return HK_NO_MEMORY;
    }
    *out = state;
    return HK_OK;
}

void hk_state_free(struct hk_state *state)
{
    if (state != NULL) {
        hk_secret_free(state);
    }
}

void hk_state_make_device(struct hk_state *state, const char *name, enum hk_role role)
{
    struct hk_secret32 seed;
    HK_WIPE_AT_EXIT(seed);
    hk_noise_keypair(&state->static_key, state->static_public);
    hk_random(seed.bytes, sizeof(seed.bytes));
    crypto_sign_seed_keypair(state->report_public, state->report_key.bytes, seed.bytes);
    hk_random(state->serial, sizeof(state->serial));
    size_t length = strnlen(name, HK_NAME_MAX);
    memcpy(state->name, name, length);
    state->name[length] = '\0';
    state->role = role;
    state->created = (uint64_t)time(NULL);
}

/* ---- keys ---- */

struct hk_state_key *hk_state_key_by_id(struct hk_state *state, const uint8_t id[HK_ID_BYTES])
{
    for (size_t i = 0; i < state->key_count; i++) {
        if (memcmp(state->key[i].id, id, HK_ID_BYTES) == 0) {
            return &state->key[i];
        }
    }
    return NULL;
}

struct hk_state_key *hk_state_key_by_name(struct hk_state *state, const char *name)
{
    for (size_t i = 0; i < state->key_count; i++) {
        if (state->key[i].suite != HK_SUITE_ACCOUNT && strcmp(state->key[i].name, name) == 0) {
            return &state->key[i];
        }
    }
    return NULL;
}

const struct hk_state_key *hk_state_key_by_point(const struct hk_state *state, const struct hk_group *group,
                                                 const struct hk_point *point)
{
    struct hk_point negative;
    group->point_identity(&negative);
    group->point_sub(&negative, &negative, point);
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        if (hk_suite_by_id(key->suite)->group == group &&
            (memcmp(key->public_key, point->bytes, group->point_bytes) == 0 ||
             memcmp(key->public_key, negative.bytes, group->point_bytes) == 0)) {
            return key;
        }
    }
    return NULL;
}

struct hk_state_key *hk_state_account_key(struct hk_state *state)
{
    for (size_t i = 0; i < state->key_count; i++) {
        if (state->key[i].suite == HK_SUITE_ACCOUNT) {
            return &state->key[i];
        }
    }
    return NULL;
}

struct hk_state_key *hk_state_add_key(struct hk_state *state, const uint8_t id[HK_ID_BYTES])
{
    size_t place = 0;
    while (place < state->key_count && memcmp(state->key[place].id, id, HK_ID_BYTES) < 0) {
        place++;
    }
    bool is_there = place < state->key_count && memcmp(state->key[place].id, id, HK_ID_BYTES) == 0;
    if (state->key_count == HK_KEYS_MAX || is_there) {
        return NULL;
    }
    struct hk_state_key *key = &state->key[place];
    memmove(key + 1, key, (state->key_count - place) * sizeof(*key));
    hk_wipe(key, sizeof(*key));
    memcpy(key->id, id, HK_ID_BYTES);
    state->key_count++;
    return key;
}

void hk_state_remove_key(struct hk_state *state, struct hk_state_key *key)
{
    size_t behind = state->key_count - (size_t)(key - state->key) - 1;
    memmove(key, key + 1, behind * sizeof(*key));
    state->key_count--;
    hk_wipe(&state->key[state->key_count], sizeof(*key));
}

/* ---- certificates ---- */

bool hk_state_is_handed_keys(const struct hk_state *state)
{
    return state->role != HK_ROLE_ADMIN || state->hand.stage != HK_HAND_NONE;
}

bool hk_state_is_holder(const struct hk_state *state, const uint8_t serial[HK_ID_BYTES])
{
    for (size_t i = 0; i < state->holder_count; i++) {
        if (memcmp(state->holder[i], serial, HK_ID_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

void hk_state_add_holder(struct hk_state *state, const uint8_t serial[HK_ID_BYTES])
{
    if (hk_state_is_holder(state, serial)) {
        return;
    }
    if (state->holder_count == HK_DEVICES) {
        memmove(state->holder[0], state->holder[1], (size_t)(HK_DEVICES - 1) * HK_ID_BYTES);
        state->holder_count--;
    }
    memcpy(state->holder[state->holder_count++], serial, HK_ID_BYTES);
}

struct hk_state_certificate *hk_state_certificate(struct hk_state *state, const uint8_t serial[HK_ID_BYTES])
{
    for (size_t i = 0; i < state->certificate_count; i++) {
        if (memcmp(state->certificate[i].serial, serial, HK_ID_BYTES) == 0) {
            return &state->certificate[i];
        }
    }
    return NULL;
}

/* When there is no room the oldest revocation goes: the service has had it many times. */
static struct hk_state_certificate *room_for_certificate(struct hk_state *state)
{
    if (state->certificate_count < HK_STATE_CERTIFICATES) {
        return &state->certificate[state->certificate_count++];
    }
    for (size_t i = 0; i < state->certificate_count; i++) {
        if (state->certificate[i].revoked) {
            size_t behind = state->certificate_count - i - 1;
            memmove(&state->certificate[i], &state->certificate[i + 1],
                    behind * sizeof(state->certificate[0]));
            return &state->certificate[state->certificate_count - 1];
        }
    }
    return NULL;
}

enum hk_error hk_state_keep_certificate(struct hk_state *state, const uint8_t serial[HK_ID_BYTES],
                                        const void *bytes, size_t size, const uint8_t *code)
{
    if (size > HK_SMALL_OBJECT_MAX) {
        return HK_TOO_LARGE;
    }
    struct hk_state_certificate *kept = hk_state_certificate(state, serial);
    bool was_revoked = kept != NULL && kept->revoked;
    if (kept == NULL) {
        kept = room_for_certificate(state);
    }
    if (kept == NULL) {
        return HK_TOO_LARGE;
    }
    memset(kept, 0, sizeof(*kept));
    memcpy(kept->serial, serial, HK_ID_BYTES);
    memcpy(kept->bytes, bytes, size);
    kept->size = size;
    kept->revoked = was_revoked;
    if (code != NULL) {
        kept->has_code = true;
        memcpy(kept->code, code, sizeof(kept->code));
    }
    return HK_OK;
}

/* ---- the profile ---- */

/* Why a profile does not follow the one that is here; NULL if it does. */
static const char *breaks_line(const struct hk_state *state, const struct hk_profile *profile,
                               const void *bytes, size_t size)
{
    if (profile->version < state->profile_version) {
        return "it is older than the one that this device has";
    }
    if (profile->version == state->profile_version) {
        bool same = size == state->profile_size && memcmp(bytes, state->profile, size) == 0;
        return same ? NULL : "it is another one of the same version";
    }
    if (profile->version == state->profile_version + 1 && state->profile_size != 0) {
        uint8_t hash[32];
        hk_object_hash(hash, state->profile, state->profile_size);
        bool follows = memcmp(hash, profile->previous, sizeof(hash)) == 0;
        return follows ? NULL : "it does not follow the one that this device has";
    }
    return NULL;
}

/* Why its content cannot be; NULL if it can. */
static const char *contradicts(struct hk_state *state, const struct hk_profile *profile)
{
    if (memcmp(profile->service_key, state->service_key, 32) != 0 ||
        memcmp(profile->identity_key, state->identity_key, 32) != 0) {
        return "it is for another service";
    }
    for (size_t i = 0; i < profile->device_count; i++) {
        const struct hk_state_certificate *kept = hk_state_certificate(state, profile->devices[i].serial);
        if (kept != NULL && kept->revoked) {
            return "it lists a device that was revoked";
        }
    }
    for (size_t i = 0; i < profile->key_count; i++) {
        const struct hk_profile_key *listed = &profile->keys[i];
        const struct hk_state_key *key = hk_state_key_by_id(state, listed->id);
        if (key != NULL && (listed->suite != key->suite || listed->purpose != key->purpose ||
                            memcmp(listed->public_key, key->public_key, listed->public_size) != 0)) {
            return "it has another public key for one of the keys here";
        }
    }
    return NULL;
}

/* A device that was enrolled from here and has become an administrator's: a certificate ends it without
 * anybody's asking, so nobody but itself keeps one. */
static void forget_certificate(struct hk_state *state, const uint8_t *serial)
{
    struct hk_state_certificate *kept = hk_state_certificate(state, serial);
    if (kept != NULL && !kept->revoked && memcmp(serial, state->serial, HK_ID_BYTES) != 0) {
        size_t place = (size_t)(kept - state->certificate);
        memmove(kept, kept + 1, (--state->certificate_count - place) * sizeof(*kept));
    }
}

static void follow(struct hk_state *state, const struct hk_profile *profile)
{
    for (size_t i = 0; i < profile->key_count; i++) {
        struct hk_state_key *key = hk_state_key_by_id(state, profile->keys[i].id);
        if (key != NULL) {
            memcpy(key->name, profile->keys[i].name, sizeof(key->name));
            key->imported = profile->keys[i].imported;
            key->created = profile->keys[i].created;
            key->profiled = true;
            key->is_successor = false;
        }
    }
    for (size_t i = 0; i < profile->device_count; i++) {
        if (profile->devices[i].role == HK_ROLE_ADMIN) {
            forget_certificate(state, profile->devices[i].serial);
        }
        if (memcmp(profile->devices[i].serial, state->serial, HK_ID_BYTES) == 0) {
            memcpy(state->name, profile->devices[i].name, sizeof(state->name));
            state->role = profile->devices[i].role;
        }
    }
    state->profile_version = profile->version;
}

static bool lists(const struct hk_profile *profile, const struct hk_state_key *key)
{
    return hk_profile_key_by_id(profile, key->id) != NULL;
}

/* A refresh under way covers the keys that there were: what it has stored has to stay together. */
static void drop_unlisted(struct hk_state *state, const struct hk_profile *profile)
{
    for (size_t i = state->key_count; i > 0 && state->refresh.stage == HK_REFRESH_NONE; i--) {
        struct hk_state_key *key = &state->key[i - 1];
        if (key->profiled && key->purpose != HK_PURPOSE_ACCOUNT && !lists(profile, key)) {
            hk_state_remove_key(state, key);
        }
    }
}

enum hk_error hk_state_drop_deleted(struct hk_state *state)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    if (profile == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = hk_state_profile(state, profile);
    if (error == HK_OK) {
        drop_unlisted(state, profile);
    }
    free(profile);
    return error == HK_NOT_FOUND ? HK_OK : error;
}

enum hk_error hk_state_take_profile(struct hk_state *state, const void *bytes, size_t size,
                                    struct hk_profile *out)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    if (profile == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = size <= sizeof(state->profile)
                              ? hk_profile_open_named(profile, bytes, size, state->account)
                              : HK_TOO_LARGE;
    const char *why = error == HK_BAD_SIGNATURE ? "it is not signed by this account" : "it cannot be read";
    if (error == HK_OK) {
        why = breaks_line(state, profile, bytes, size);
        why = why != NULL ? why : contradicts(state, profile);
        error = why != NULL ? HK_CONFLICT : HK_OK;
    }
    state->profile_refused = error != HK_OK ? why : NULL;
    if (error == HK_OK) {
        memmove(state->profile, bytes, size);
        state->profile_size = size;
        follow(state, profile);
        drop_unlisted(state, profile);
    }
    free(profile);
    return error == HK_OK && out != NULL ? hk_state_profile(state, out) : error;
}

enum hk_error hk_state_profile(const struct hk_state *state, struct hk_profile *out)
{
    struct hk_cose parts;
    if (state->profile_size == 0) {
        return HK_NOT_FOUND;
    }
    enum hk_error error = hk_cose_parse(&parts, state->profile, state->profile_size);
    return error == HK_OK ? hk_profile_decode(out, parts.payload.data, parts.payload.size) : error;
}
