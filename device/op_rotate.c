/* key delete, key rotate, key link: the end of a key, and another one in its place. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"
#include "device/rotation.h"

static const struct hk_state_key *find(struct hk_op_call *call, char name[HK_NAME_MAX + 1])
{
    hk_agent_text(call->request, HK_A_KEY, name, HK_NAME_MAX + 1);
    const struct hk_state_key *key = hk_state_key_by_name(call->core->state, name);
    bool usable = key != NULL && key->state == HK_KEY_ACTIVE && key->purpose != HK_PURPOSE_ACCOUNT;
    return usable ? key : NULL;
}

/* ---- delete ---- */

/* The id of a key in the profile, which may be one of which there is no half here. */
static enum hk_error find_listed(struct hk_core *core, const char *name, uint8_t id[HK_ID_BYTES])
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(core->state, profile) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = HK_UNKNOWN_KEY;
        for (size_t i = 0; i < profile->key_count; i++) {
            if (strcmp(profile->keys[i].name, name) == 0) {
                memcpy(id, profile->keys[i].id, HK_ID_BYTES);
                error = HK_OK;
            }
        }
    }
    free(profile);
    return error;
}

enum hk_error hk_op_key_delete(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    uint8_t id[HK_ID_BYTES];
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    enum hk_error error = find_listed(call->core, name, id);
    if (error == HK_OK) {
        error = hk_core_delete_key(call->core, id);
    }
    if (error == HK_UNKNOWN_KEY || error == HK_NOT_FOUND) {
        return hk_op_fail(call, HK_UNKNOWN_KEY, "there is no key '%s'; see 'halfkey key list'", name);
    }
    if (error == HK_LOCKED) {
        return hk_op_fail(call, error, "a device is being enrolled; delete the key when that is done");
    }
    return error;
}

/* ---- rotate ---- */

/* The new key's entry in the profile, as far as the statement needs it. */
static void describe(struct hk_profile_key *out, const struct hk_state_key *key)
{
    memset(out, 0, sizeof(*out));
    out->suite = key->suite;
    out->created = key->created;
    memcpy(out->public_key, key->public_key, sizeof(out->public_key));
}

static enum hk_error sign_statement(struct hk_core *core, const struct hk_state_key *old, const char *text,
                                    size_t size, uint8_t signature[HK_ROTATION_SIGNATURE_BYTES])
{
    if (old->suite == HK_SUITE_SECP256K1_ECDSA) {
        uint8_t digest[crypto_hash_sha256_BYTES];
        struct hk_ecdsa_result result;
        crypto_hash_sha256(digest, (const uint8_t *)text, size);
        enum hk_error error = hk_core_sign_ecdsa(core, old, digest, &result);
        if (error == HK_OK) {
            memcpy(signature, result.signature, HK_ROTATION_SIGNATURE_BYTES);
        }
        return error;
    }
    struct hk_core_signing signing = {.kind = HK_SIGN_RAW, .message = HK_BYTES((const uint8_t *)text, size)};
    return hk_core_cosign(core, old, &signing, signature);
}

enum hk_error hk_core_link_key(struct hk_core *core, const struct hk_state_key *key,
                               uint8_t out[HK_ROTATION_ATTACHMENT_MAX], size_t *size)
{
    struct hk_rotation rotation = {0};
    struct hk_profile_key entry;
    char text[HK_ROTATION_TEXT_MAX];
    uint8_t encoded[HK_ROTATION_ENCODED_MAX];
    size_t length;
    *size = 0;
    if (!key->is_successor) {
        return HK_OK;
    }
    const struct hk_state_key *old = hk_state_key_by_id(core->state, key->successor_of);
    if (old == NULL || old->state != HK_KEY_ACTIVE) {
        return HK_NOT_FOUND;
    }
    memcpy(rotation.old_id, old->id, HK_ID_BYTES);
    rotation.old_suite = hk_suite_by_id(old->suite);
    rotation.old_suite->form(rotation.old_public, old->public_key);
    rotation.is_signed = hk_rotation_can_sign(rotation.old_suite);
    describe(&entry, key);
    enum hk_error error = HK_OK;
    if (rotation.is_signed) {
        size_t text_size = hk_rotation_text(text, &rotation, core->state->account, &entry);
        error = sign_statement(core, old, text, text_size, rotation.signature);
    }
    if (error == HK_OK) {
        error = hk_rotation_encode(&rotation, encoded, &length);
    }
    if (error != HK_OK) {
        return error;
    }
    struct hk_attachment attachment = {
        .name = HK_BYTES((const uint8_t *)HK_ROTATION_ATTACHMENT, strlen(HK_ROTATION_ATTACHMENT)),
        .data = HK_BYTES(encoded, length)};
    return hk_attachments_encode(&attachment, 1, out, HK_ROTATION_ATTACHMENT_MAX, size);
}

enum hk_error hk_op_key_rotate(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1], successor[HK_NAME_MAX + 1];
    const struct hk_state_key *old = find(call, name);
    hk_agent_text(call->request, HK_A_NAME, successor, sizeof(successor));
    if (old == NULL) {
        return hk_op_fail(call, HK_UNKNOWN_KEY, "there is no key '%s' on this device", name);
    }
    hk_agent_set_u64(call->answer, HK_A_SUITE, old->suite);
    return hk_core_make_successor(call, old, successor);
}

/* ---- link ---- */

static enum hk_error show(struct hk_op_call *call, const struct hk_profile_key *key)
{
    struct hk_rotation rotation;
    char text[HK_ROTATION_TEXT_MAX];
    enum hk_error error = hk_rotation_of(&rotation, key);
    if (error != HK_OK) {
        return error;
    }
    size_t size = hk_rotation_text(text, &rotation, call->core->state->account, key);
    hk_agent_set_u64(call->answer, HK_A_SUITE, (uint64_t)rotation.old_suite->id);
    bool put = hk_op_put(call, HK_A_MESSAGE, text, size) &&
               (!rotation.is_signed ||
                hk_op_put(call, HK_A_SIGNATURE, rotation.signature, sizeof(rotation.signature)));
    return put ? HK_OK : HK_NO_MEMORY;
}

enum hk_error hk_op_key_link(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    struct hk_profile *profile = malloc(sizeof(*profile));
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = HK_UNKNOWN_KEY;
        for (size_t i = 0; i < profile->key_count; i++) {
            if (strcmp(profile->keys[i].name, name) == 0) {
                error = show(call, &profile->keys[i]);
            }
        }
    }
    free(profile);
    if (error == HK_UNKNOWN_KEY) {
        return hk_op_fail(call, error, "there is no key '%s'; see 'halfkey key list'", name);
    }
    return error == HK_NOT_FOUND
               ? hk_op_fail(call, error, "'%s' came in no other key's place: it has no link", name)
               : error;
}
