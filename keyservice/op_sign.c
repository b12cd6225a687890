/* sign: the service's commitments and share of one signature, of a message that it has seen. */

#include <string.h>

#include "crypto/cosign.h"
#include "crypto/suite.h"
#include "keyservice/allowed_objects.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/openpgp_signature.h"
#include "protocol/ssh_signed.h"

static const char magic[] = "SSHSIG";
#define MAGIC (sizeof(magic) - 1)

/* Looks like an SSH signature, whatever its rest may be. */
static bool has_magic(const struct hk_value *message)
{
    return message->size >= MAGIC && memcmp(message->data, magic, MAGIC) == 0;
}

/* What is not said to be for SSH must not be: no kind can pass for another. */
static enum hk_error check_said(struct hk_job *job, uint64_t kind)
{
    const struct hk_value *message = hk_job_value(job, HK_F_MESSAGE),
                          *namespace = hk_job_value(job, HK_F_NAMESPACE);
    bool named = hk_message_has(&job->message, HK_F_NAMESPACE);
    struct hk_ssh_signed said;
    hk_ssh_signed_read(&said, message->data, message->size);
    if (kind == HK_SIGN_RAW) {
        return !named && said.kind == HK_SIGN_RAW && !has_magic(message) ? HK_OK : HK_BAD_ENCODING;
    }
    if (kind != HK_SIGN_SSHSIG && kind != HK_SIGN_SSH_LOGIN) {
        return HK_BAD_ENCODING;
    }
    if (job->key.suite != HK_SUITE_ED25519) {
        return HK_WRONG_PURPOSE;
    }
    if (said.kind != kind || named != (kind == HK_SIGN_SSHSIG)) {
        return HK_BAD_ENCODING;
    }
    if (kind == HK_SIGN_SSHSIG) {
        return hk_ssh_same(said.namespace, HK_BYTES(namespace->data, namespace->size)) ? HK_OK
                                                                                       : HK_BAD_ENCODING;
    }
    return hk_ssh_login_check(&said, job->key.public_key);
}

/* That the message is of the kind that it is said to be: what is said goes into the log. */
static enum hk_error check_kind(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_value *message = hk_job_value(job, HK_F_MESSAGE);
    uint64_t kind = hk_job_number(job, HK_F_KIND);
    struct hk_device_record *record = NULL;
    bool is_record = false;
    if (job->key.purpose == HK_PURPOSE_ACCOUNT || kind == HK_SIGN_OBJECT) {
        if (kind != HK_SIGN_OBJECT || job->key.purpose != HK_PURPOSE_ACCOUNT) {
            return HK_WRONG_PURPOSE;
        }
        record = hk_job_memory(job, sizeof(*record));
        enum hk_error error =
            record == NULL ? HK_BUSY
                           : hk_allowed_to_sign(job, txn, message->data, message->size, record, &is_record);
        job->state = is_record ? record : NULL; /* in the job's memory */
        return error;
    }
    if (kind == HK_SIGN_OPENPGP) { /* what it is over is derived in `cosign`, and refused there */
        return job->key.suite == HK_SUITE_ED25519 ? HK_OK : HK_WRONG_PURPOSE;
    }
    return check_said(job, kind);
}

/* The tweak, if there is one, is derived here: what comes is a Merkle root, never a scalar. */
static enum hk_error sign_under(const struct hk_job *job, struct hk_cosign *request, struct hk_frost_key *key)
{
    const struct hk_value *value = hk_job_value(job, HK_F_TWEAK_ROOT);
    struct hk_bytes root = HK_BYTES(value->data, value->size);
    bool tweaked = hk_message_has(&job->message, HK_F_TWEAK_ROOT);
    return hk_cosign_under(request, key, job->key.public_key, tweaked ? &root : NULL);
}

/* What the signature is over: the message, or for OpenPGP the digest that it is or leads to. */
static enum hk_error derive_message(struct hk_job *job, struct hk_cosign *request)
{
    const struct hk_value *message = hk_job_value(job, HK_F_MESSAGE),
                          *namespace = hk_job_value(job, HK_F_NAMESPACE);
    request->message = message->data;
    request->size = message->size;
    if (hk_job_number(job, HK_F_KIND) != HK_SIGN_OPENPGP) {
        return HK_OK;
    }
    uint8_t *digest = hk_job_memory(job, HK_OPENPGP_DIGEST_MAX);
    if (digest == NULL) {
        return HK_BUSY;
    }
    request->message = digest;
    return hk_openpgp_to_sign(digest, &request->size, HK_BYTES(namespace->data, namespace->size),
                              HK_BYTES(message->data, message->size), job->key.public_key,
                              (uint32_t)job->key.created);
}

static void describe(struct hk_job *job)
{
    const struct hk_value *namespace = hk_job_value(job, HK_F_NAMESPACE);
    job->leaf.kind = hk_job_number(job, HK_F_KIND);
    if (hk_message_has(&job->message, HK_F_NAMESPACE)) {
        job->leaf.has_namespace = true;
        memcpy(job->leaf.namespace, namespace->data, namespace->size);
    }
    if (job->leaf.kind == HK_SIGN_SSH_LOGIN) {
        const struct hk_value *message = hk_job_value(job, HK_F_MESSAGE);
        struct hk_ssh_signed login;
        _Static_assert(HK_SSH_LOGIN_TEXT_MAX <= HK_NAMESPACE_MAX + 1, "a leaf holds it");
        hk_ssh_signed_read(&login, message->data, message->size);
        job->leaf.has_namespace = true;
        hk_ssh_login_text(job->leaf.namespace, &login);
    }
}

static enum hk_error cosign(struct hk_job *job, const struct hk_scalar *half)
{
    const struct hk_suite *suite = hk_suite_by_id(job->key.suite);
    if (suite == NULL || suite->frost == NULL) {
        return HK_WRONG_PURPOSE;
    }
    size_t nonces = 2 * suite->group->point_bytes, share_bytes = suite->group->scalar_bytes;
    struct hk_frost_key key;
    struct hk_cosign request = {.suite = suite->frost,
                                .key_id = job->key.id,
                                .epoch = job->device.epoch,
                                .request_id = hk_job_bytes(job, HK_F_REQUEST)};
    if (hk_job_value(job, HK_F_NONCES)->size != nonces) {
        return HK_BAD_POINT;
    }
    uint8_t *answer = hk_job_memory(job, nonces + share_bytes);
    enum hk_error error = answer != NULL ? derive_message(job, &request) : HK_BUSY;
    if (error == HK_OK) {
        error = sign_under(job, &request, &key);
    }
    if (error != HK_OK) {
        return error;
    }
    describe(job);
    uint8_t *share = answer + nonces;
    error = hk_cosign_answer(answer, share, &request, half, hk_job_bytes(job, HK_F_NONCES));
    if (error == HK_OK) {
        hk_message_set_bytes(&job->answer, HK_F_NONCES, answer, nonces);
        hk_message_set_bytes(&job->answer, HK_F_SHARE, share, share_bytes);
    }
    return error;
}

enum hk_error hk_prepare_sign(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_scalar half;
    HK_WIPE_AT_EXIT(half);
    enum hk_error error = hk_pair_load(job, txn, 1U << HK_PURPOSE_SIGN | 1U << HK_PURPOSE_ACCOUNT, &half);
    if (error == HK_OK && job->pair == NULL && job->key.purpose != HK_PURPOSE_ACCOUNT) {
        struct hk_account account;
        error = hk_store_get_account(txn, job->device.account, &account);
        if (error == HK_OK && account.profile_version == 0) {
            error = HK_NOT_ALLOWED;
        }
        if (error == HK_OK) {
            hk_pair_keep(job, &half);
        }
    }
    if (error == HK_OK) {
        error = check_kind(job, txn);
    }
    return error == HK_OK ? cosign(job, &half) : error;
}

/* The first record gives the first device its name and the hash of its printed code. */
enum hk_error hk_apply_sign(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_device_record *record = job->state;
    if (record == NULL || record->has_gate) {
        return HK_OK;
    }
    enum hk_error error = hk_store_set_name(txn, record->serial, record->name);
    return error == HK_OK ? hk_store_set_code_hash(txn, record->serial, record->code_hash) : error;
}
