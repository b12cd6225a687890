/* sign: a signature by device and service, and the same for what else needs one. */
#include <string.h>
#include <time.h>

#include "crypto/cosign.h"
#include "crypto/suite.h"
#include "device/agent_core.h"
#include "device/refresh_policy.h"
#include "protocol/openpgp_signature.h"
#include "protocol/seam.h"

#define TRIES 3

/* One try on one session: nonces are made for this request and consumed by its first answer. */
static enum hk_error cosign_once(struct hk_core *core, struct hk_exchange *exchange, struct hk_cosign *cosign,
                                 const struct hk_state_key *key, const struct hk_core_signing *signing,
                                 uint8_t *signature)
{
    const struct hk_group *group = cosign->suite->group;
    uint8_t commitments[HK_COSIGN_COMMITMENTS_BYTES_MAX];
    struct hk_point service_point;
    struct hk_link *link = NULL;
    struct hk_frost_nonces *nonces = hk_secret_new(sizeof(*nonces));
    enum hk_error error = nonces != NULL ? hk_link_open(&link, core->client) : HK_NO_MEMORY;
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_SIGN);
        cosign->request_id = exchange->id;
        error = hk_cosign_begin(nonces, commitments, cosign, &key->half);
    }
    if (error == HK_OK) {
        hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
        hk_message_set_u64(&exchange->request, HK_F_KIND, signing->kind);
        hk_message_set_bytes(&exchange->request, HK_F_MESSAGE, signing->message.data, signing->message.size);
        hk_message_set_bytes(&exchange->request, HK_F_NONCES, commitments, 2 * group->point_bytes);
        if (signing->namespace.size != 0) {
            exchange->request.value[HK_F_NAMESPACE] =
                (struct hk_value){.data = signing->namespace.data, .size = signing->namespace.size};
            exchange->request.present |= HK_BIT(HK_F_NAMESPACE);
        }
        if (signing->root != NULL) {
            hk_message_set_bytes(&exchange->request, HK_F_TWEAK_ROOT, signing->root->data,
                                 signing->root->size);
        }
        HK_SEAM("sign/before");
        error = hk_link_call(link, exchange);
        HK_SEAM("sign/after");
    }
    if (error == HK_OK) {
        const uint8_t *theirs = hk_exchange_bytes(exchange, HK_F_NONCES, 2 * group->point_bytes),
                      *share = hk_exchange_bytes(exchange, HK_F_SHARE, group->scalar_bytes);
        error = theirs != NULL && share != NULL ? group->point_decode(&service_point, key->service_point)
                                                : HK_BAD_PROOF; /* of another length */
        if (error == HK_OK) {
            error = hk_cosign_finish(signature, nonces, cosign, &key->half, &service_point, theirs, share);
        }
    }
    hk_link_close(link);
    hk_secret_free(nonces);
    return error;
}

enum hk_error hk_core_cosign(struct hk_core *core, const struct hk_state_key *key,
                             const struct hk_core_signing *signing, uint8_t *signature)
{
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    struct hk_exchange *exchange = NULL;
    struct hk_frost_key signing_key;
    struct hk_cosign cosign = {.suite = suite->frost,
                               .key_id = key->id,
                               .epoch = core->state->epoch,
                               .message = signing->message.data,
                               .size = signing->message.size};
    if (signing->message.size > HK_SIGN_MESSAGE_MAX) {
        return HK_TOO_LARGE;
    }
    if (suite->frost == NULL) {
        return HK_WRONG_PURPOSE;
    }
    uint8_t digest[HK_OPENPGP_DIGEST_MAX];
    enum hk_error error = HK_OK;
    if (signing->kind == HK_SIGN_OPENPGP) {
        cosign.message = digest;
        error = hk_openpgp_to_sign(digest, &cosign.size, signing->namespace, signing->message,
                                   key->public_key, (uint32_t)key->created);
    }
    if (error == HK_OK) {
        error = hk_cosign_under(&cosign, &signing_key, key->public_key, signing->root);
    }
    if (error != HK_OK || (error = hk_exchange_new(&exchange, core->client)) != HK_OK) {
        return error;
    }
    error = HK_AGAIN;
    for (int tries = 0; tries < TRIES && error == HK_AGAIN; tries++) {
        error = cosign_once(core, exchange, &cosign, key, signing, signature);
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

static enum hk_error explain(struct hk_op_call *call, enum hk_error error, const char *name)
{
    switch (error) {
    case HK_BAD_PROOF:
    case HK_BAD_POINT:
    case HK_BAD_SCALAR:
        return hk_op_fail(call, HK_BAD_PROOF,
                          "the service's share of the signature is wrong; no signature was made");
    case HK_BAD_SIGNATURE:
        return hk_op_fail(call, error, "the halves of '%s' do not fit its public key; no signature was made",
                          name);
    default:
        return error;
    }
}

static enum hk_error sign_ecdsa(struct hk_op_call *call, const struct hk_state_key *key,
                                const struct hk_value *message, uint8_t signature[64])
{
    struct hk_ecdsa_result result;
    if (message->size != HK_ECDSA_DIGEST_BYTES) {
        return hk_op_fail(call, HK_BAD_ENCODING, "ECDSA signs a digest of 32 bytes");
    }
    enum hk_error error = hk_core_sign_ecdsa(call->core, key, message->data, &result);
    if (error == HK_OK) {
        memcpy(signature, result.signature, sizeof(result.signature));
        hk_agent_set_u64(call->answer, HK_A_RECOVERY, result.recovery);
    }
    return error;
}

enum hk_error hk_op_sign(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    uint8_t signature[64];
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    const struct hk_state_key *key = hk_state_key_by_name(call->core->state, name);
    uint64_t kind = hk_agent_u64(call->request, HK_A_KIND);
    if (key == NULL || key->state != HK_KEY_ACTIVE) {
        return hk_op_no_key(call, name);
    }
    if (key->purpose != HK_PURPOSE_SIGN) {
        return hk_op_fail(call, HK_WRONG_PURPOSE, "the key '%s' is not for signatures", name);
    }
    if (kind > HK_SIGN_OPENPGP) {
        return HK_UNSUPPORTED;
    }
    if (kind == HK_SIGN_OPENPGP && key->suite != HK_SUITE_ED25519) {
        return hk_op_fail(call, HK_WRONG_PURPOSE, "only keys of suite ed25519 sign for OpenPGP");
    }
    if (kind != HK_SIGN_RAW && key->suite != HK_SUITE_ED25519) {
        return hk_op_fail(call, HK_WRONG_PURPOSE, "OpenSSH knows no signatures of suite %s; use --format raw",
                          hk_suite_by_id(key->suite)->name);
    }
    const struct hk_value *message = &call->request->value[HK_A_MESSAGE],
                          *namespace = &call->request->value[HK_A_NAMESPACE],
                          *root = &call->request->value[HK_A_TWEAK_ROOT];
    bool named = hk_agent_has(call->request, HK_A_NAMESPACE);
    struct hk_bytes merkle = HK_BYTES(root->data, root->size);
    struct hk_core_signing signing = {
        .kind = (enum hk_sign_kind)kind,
        .namespace = HK_BYTES(named ? namespace->data : NULL, named ? namespace->size : 0),
        .message = HK_BYTES(message->data, message->size),
        .root = hk_agent_has(call->request, HK_A_TWEAK_ROOT) ? &merkle : NULL};
    if (signing.root != NULL && key->suite != HK_SUITE_SECP256K1_SCHNORR) {
        return hk_op_fail(call, HK_WRONG_PURPOSE, "--tweak-root is for keys of suite secp256k1-schnorr");
    }
    enum hk_error error = key->suite == HK_SUITE_SECP256K1_ECDSA
                              ? sign_ecdsa(call, key, message, signature)
                              : hk_core_cosign(call->core, key, &signing, signature);
    if (error != HK_OK) {
        return explain(call, error, name);
    }
    hk_refresh_count_use(call->core->state);
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    uint8_t public_key[HK_FORM_BYTES_MAX];
    suite->form(public_key, key->public_key);
    hk_agent_set_u64(call->answer, HK_A_SUITE, key->suite);
    bool put = hk_op_put(call, HK_A_SIGNATURE, signature, sizeof(signature)) &&
               hk_op_put(call, HK_A_PUBLIC, public_key, suite->form_bytes);
    return put ? HK_OK : HK_NO_MEMORY;
}
