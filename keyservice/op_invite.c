/* invite, join, relay: an invitation and what two devices say to each other under it. */

#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/operations.h"

#define RELAY_MAX 60000

enum hk_error hk_prepare_invite(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    return hk_invitation_open(job->server->invitations, job->device.account, job->device.serial,
                              hk_job_bytes(job, HK_F_GATE_HASH), hk_job_number(job, HK_F_EXPIRES), hk_now());
}

static enum hk_error relay(struct hk_job *job, const uint8_t *account, const uint8_t *admin,
                           const uint8_t *gate_hash)
{
    struct hk_invitation_step step = {.account = account,
                                      .admin = admin,
                                      .gate_hash = gate_hash,
                                      .session = job->session->id,
                                      .step = hk_job_number(job, HK_F_STEP),
                                      .now = hk_now()};
    const struct hk_value *written = hk_job_value(job, HK_F_RELAY);
    if (hk_message_has(&job->message, HK_F_RELAY)) {
        step.written = HK_BYTES(written->data, written->size);
    }
    uint8_t *out = hk_job_memory(job, RELAY_MAX);
    size_t size;
    enum hk_error error =
        out == NULL ? HK_BUSY : hk_invitation_relay(job->server->invitations, &step, out, &size);
    if (error == HK_OK && size != 0) {
        hk_message_set_bytes(&job->answer, HK_F_RELAY, out, size);
    }
    return error;
}

enum hk_error hk_prepare_join(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    uint8_t gate_hash[32];
    hk_gate_hash(gate_hash, hk_job_bytes(job, HK_F_GATE));
    return relay(job, hk_job_bytes(job, HK_F_ACCOUNT), NULL, gate_hash);
}

enum hk_error hk_prepare_relay(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    return relay(job, job->device.account, job->device.serial, hk_job_bytes(job, HK_F_GATE_HASH));
}
