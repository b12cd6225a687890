/* sign: a signature by device and service, and the same for what else needs one. */
#include <string.h>
#include <time.h>

#include "crypto/cosign.h"
#include "device/agent_core.h"
#include "protocol/seam.h"

#define TRIES 3

/* One try on one session: nonces are made for this request and consumed by its first answer. */
static enum hk_error cosign_once(struct hk_core *core, struct hk_exchange *exchange, struct hk_cosign *cosign,
                                 const struct hk_state_key *key, enum hk_sign_kind kind,
                                 struct hk_bytes namespace, uint8_t signature[64])
{
    uint8_t commitments[HK_COSIGN_ED25519_COMMITMENTS_BYTES];
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
        hk_message_set_u64(&exchange->request, HK_F_KIND, kind);
        hk_message_set_bytes(&exchange->request, HK_F_MESSAGE, cosign->message, cosign->size);
        hk_message_set_bytes(&exchange->request, HK_F_NONCES, commitments, sizeof(commitments));
        if (namespace.size != 0) {
            exchange->request.value[HK_F_NAMESPACE] =
                (struct hk_value){.data = namespace.data, .size = namespace.size};
            exchange->request.present |= HK_BIT(HK_F_NAMESPACE);
        }
        HK_SEAM("sign/before");
        error = hk_link_call(link, exchange);
        HK_SEAM("sign/after");
    }
    if (error == HK_OK) {
        const uint8_t *theirs = hk_exchange_bytes(exchange, HK_F_NONCES, sizeof(commitments)),
                      *share = hk_exchange_bytes(exchange, HK_F_SHARE, HK_COSIGN_ED25519_SHARE_BYTES);
        error = theirs != NULL && share != NULL
                    ? hk_edwards25519.point_decode(&service_point, key->service_point)
                    : HK_BAD_PROOF; /* of another length */
        if (error == HK_OK) {
            error = hk_cosign_finish(signature, nonces, cosign, &key->half, &service_point, theirs, share);
        }
    }
    hk_link_close(link);
    hk_secret_free(nonces);
    return error;
}

enum hk_error hk_core_cosign(struct hk_core *core, const struct hk_state_key *key, enum hk_sign_kind kind,
                             struct hk_bytes namespace, struct hk_bytes message, uint8_t signature[64])
{
    struct hk_exchange *exchange = NULL;
    struct hk_cosign cosign = {.suite = &hk_frost_ed25519,
                               .group_key = key->public_key,
                               .key_id = key->id,
                               .epoch = core->state->epoch,
                               .message = message.data,
                               .size = message.size};
    if (message.size > HK_SIGN_MESSAGE_MAX) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    error = HK_AGAIN;
    for (int tries = 0; tries < TRIES && error == HK_AGAIN; tries++) {
        error = cosign_once(core, exchange, &cosign, key, kind, namespace, signature);
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

enum hk_error hk_op_sign(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    uint8_t signature[64];
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    const struct hk_state_key *key = hk_state_key_by_name(call->core->state, name);
    uint64_t kind = hk_agent_u64(call->request, HK_A_KIND);
    if (key == NULL || key->state != HK_KEY_ACTIVE) {
        return hk_op_fail(call, HK_UNKNOWN_KEY, "there is no key '%s' on this device", name);
    }
    if (key->purpose != HK_PURPOSE_SIGN) {
        return hk_op_fail(call, HK_WRONG_PURPOSE, "the key '%s' is not for signatures", name);
    }
    if (kind != HK_SIGN_RAW && kind != HK_SIGN_SSHSIG) {
        return HK_UNSUPPORTED;
    }
    const struct hk_value *message = &call->request->value[HK_A_MESSAGE],
                          *namespace = &call->request->value[HK_A_NAMESPACE];
    bool named = hk_agent_has(call->request, HK_A_NAMESPACE);
    enum hk_error error =
        hk_core_cosign(call->core, key, (enum hk_sign_kind)kind,
                       HK_BYTES(named ? namespace->data : NULL, named ? namespace->size : 0),
                       HK_BYTES(message->data, message->size), signature);
    if (error != HK_OK) {
        return explain(call, error, name);
    }
    __atomic_store_n(&call->core->state->last_use, (uint64_t)time(NULL), __ATOMIC_RELAXED);
    bool put = hk_op_put(call, HK_A_SIGNATURE, signature, sizeof(signature)) &&
               hk_op_put(call, HK_A_PUBLIC, key->public_key, 32);
    return put ? HK_OK : HK_NO_MEMORY;
}
