#include "keyservice/allowed_objects.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/group.h"
#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/pairs.h"
#include "protocol/cose.h"

static bool is_type(const struct hk_cose *cose, const char *type)
{
    return cose->type.size == strlen(type) && memcmp(cose->type.data, type, cose->type.size) == 0;
}

static bool same_account(const struct hk_job *job, const uint8_t *account)
{
    return memcmp(job->device.account, account, HK_ACCOUNT_BYTES) == 0;
}

/* An administrator that no profile lists yet: the account's first device, or one that came by recovery. It
 * has its own record and certificate signed, once it is listed nothing of that any more. */
static enum hk_error is_founding(const struct hk_job *job, struct hk_txn *txn,
                                 const struct hk_account *account, bool *founding)
{
    *founding = account->profile_version == 0;
    if (*founding || job->device.epoch != 1) {
        return HK_OK;
    }
    struct hk_key key;
    size_t size;
    struct hk_profile *profile = malloc(sizeof(*profile));
    uint8_t *object = malloc(HK_STORE_PROFILE_MAX);
    enum hk_error error = profile != NULL && object != NULL ? HK_OK : HK_BUSY;
    if (error == HK_OK) {
        error = hk_store_get_profile(txn, job->device.account, object, HK_STORE_PROFILE_MAX, &size);
    }
    if (error == HK_OK) {
        error = hk_pair_account_key(txn, job->device.account, &key);
    }
    if (error == HK_OK) {
        error = hk_profile_open(profile, object, size, key.public_key);
    }
    if (error == HK_OK) {
        *founding = true;
        for (size_t i = 0; i < profile->device_count; i++) {
            *founding = *founding && memcmp(profile->devices[i].serial, job->device.serial, HK_ID_BYTES) != 0;
        }
    }
    free(profile);
    free(object);
    return error;
}

static enum hk_error allow_record(struct hk_job *job, bool founding, const struct hk_device_record *record)
{
    if (!same_account(job, record->account)) {
        return HK_NOT_ALLOWED;
    }
    if (founding) {
        bool own = memcmp(record->serial, job->device.serial, HK_ID_BYTES) == 0 &&
                   memcmp(record->static_key, job->device.static_key, 32) == 0 &&
                   memcmp(record->report_key, job->device.report_key, 32) == 0;
        return own && record->role == HK_ROLE_ADMIN && !record->has_gate ? HK_OK : HK_NOT_ALLOWED;
    }
    if (!record->has_gate || record->role != HK_ROLE_ORDINARY) {
        return HK_NOT_ALLOWED;
    }
    return hk_invitation_admits(job->server->invitations, job->device.account, job->device.serial,
                                record->gate_hash, record->serial, hk_now());
}

static enum hk_error allow_revocation(struct hk_job *job, struct hk_txn *txn, bool founding,
                                      const struct hk_revocation *revocation)
{
    if (!same_account(job, revocation->account)) {
        return HK_NOT_ALLOWED;
    }
    if (founding) {
        bool own = memcmp(revocation->serial, job->device.serial, HK_ID_BYTES) == 0;
        return own ? HK_OK : HK_NOT_ALLOWED;
    }
    if (hk_store_change_is_due(txn, job->device.account, HK_CHANGE_REVOKE, revocation->serial, hk_now()) ==
        HK_OK) {
        return HK_OK;
    }
    return hk_invitation_admits(job->server->invitations, job->device.account, job->device.serial, NULL,
                                revocation->serial, hk_now());
}

static enum hk_error allow_device(const struct hk_job *job, struct hk_txn *txn,
                                  const struct hk_profile_device *listed)
{
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, listed->serial, &device);
    if (error != HK_OK) {
        return error == HK_UNKNOWN_DEVICE ? HK_CONFLICT : error;
    }
    bool same = same_account(job, device.account) && device.state != HK_STATUS_REVOKED &&
                device.role == listed->role && memcmp(device.static_key, listed->static_key, 32) == 0 &&
                memcmp(device.report_key, listed->report_key, 32) == 0;
    return same ? HK_OK : HK_CONFLICT;
}

static enum hk_error allow_key(const struct hk_job *job, struct hk_txn *txn,
                               const struct hk_profile_key *listed)
{
    struct hk_key key;
    enum hk_error error = hk_store_get_key(txn, job->device.account, listed->id, &key);
    if (error != HK_OK) {
        return error == HK_UNKNOWN_KEY ? HK_CONFLICT : error;
    }
    bool same = key.suite == listed->suite && key.purpose == listed->purpose &&
                key.imported == listed->imported && listed->public_size == hk_suite_point_bytes(key.suite) &&
                memcmp(key.public_key, listed->public_key, listed->public_size) == 0;
    return same ? HK_OK : HK_CONFLICT;
}

/* Every key that the profile says to be in its recovery set is, with the packet that is stored. */
static enum hk_error allow_set(const struct hk_job *job, struct hk_txn *txn, const struct hk_profile *profile)
{
    const uint8_t *account = job->device.account, *set = profile->recovery.id;
    uint8_t stored[32];
    if (profile->recovery.count == 0) {
        return HK_OK;
    }
    enum hk_error error = hk_store_get_packet_transcript(txn, account, NULL, set, stored);
    bool same = error == HK_OK && memcmp(stored, profile->recovery.account_transcript, 32) == 0;
    for (size_t i = 0; i < profile->key_count && error == HK_OK && same; i++) {
        if (profile->keys[i].in_set) {
            error = hk_store_get_packet_transcript(txn, account, profile->keys[i].id, set, stored);
            same = error == HK_OK && memcmp(stored, profile->keys[i].set_transcript, 32) == 0;
        }
    }
    return error == HK_NOT_FOUND || (error == HK_OK && !same) ? HK_CONFLICT : error;
}

static bool same_set(const struct hk_recovery_set *a, const struct hk_recovery_set *b)
{
    bool same =
        a->count == b->count && a->threshold == b->threshold && memcmp(a->id, b->id, HK_ID_BYTES) == 0;
    for (size_t i = 0; i < a->count && same; i++) {
        same = memcmp(a->holders[i].key, b->holders[i].key, 32) == 0;
    }
    return same;
}

/* Another set, or none, is a slow change: whoever has t of its shares has the account. The first one is not,
 * as long as there is nobody but its maker who could object. */
enum hk_error hk_allowed_other_set(const struct hk_job *job, struct hk_txn *txn,
                                   const struct hk_profile *profile, bool *other)
{
    size_t size, count = 0, live = 0;
    *other = false;
    struct hk_profile *current = calloc(1, sizeof(*current));
    uint8_t *object = malloc(HK_STORE_PROFILE_MAX);
    struct hk_device *devices = malloc(HK_STORE_ROWS_MAX * sizeof(*devices));
    enum hk_error error = current != NULL && object != NULL && devices != NULL ? HK_OK : HK_BUSY;
    if (error == HK_OK) {
        error = hk_store_get_profile(txn, job->device.account, object, HK_STORE_PROFILE_MAX, &size);
        if (error == HK_OK) {
            error = hk_profile_open_named(current, object, size, job->device.account);
        }
        error = error == HK_NOT_FOUND ? HK_OK : error; /* the first one */
    }
    if (error == HK_OK && !same_set(&current->recovery, &profile->recovery)) {
        *other = true;
        error = hk_store_list_devices(txn, job->device.account, devices, HK_STORE_ROWS_MAX, &count);
        for (size_t i = 0; i < count && error == HK_OK; i++) {
            live += devices[i].state != HK_STATUS_REVOKED;
        }
        if (error == HK_OK && (current->recovery.count != 0 || live > 1)) {
            error = hk_store_change_is_due(txn, job->device.account, HK_CHANGE_RECOVERY, job->device.serial,
                                           hk_now());
        }
    }
    free(current);
    free(object);
    free(devices);
    return error;
}

enum hk_error hk_allowed_profile(struct hk_job *job, struct hk_txn *txn, const struct hk_profile *profile)
{
    struct hk_account account;
    struct hk_key key;
    const struct hk_service_keys *service = job->server->keys;
    enum hk_error error = hk_store_get_account(txn, job->device.account, &account);
    if (error == HK_OK) {
        error = hk_pair_account_key(txn, job->device.account, &key);
    }
    if (error != HK_OK) {
        return error;
    }
    static const uint8_t none[32];
    const uint8_t *previous = account.profile_version != 0 ? account.profile_hash : none;
    if (!same_account(job, profile->account) || memcmp(profile->account_key, key.public_key, 32) != 0) {
        return HK_NOT_ALLOWED;
    }
    if (profile->version != account.profile_version + 1 || memcmp(profile->previous, previous, 32) != 0) {
        return HK_CONFLICT;
    }
    if (memcmp(profile->service_key, service->static_public, 32) != 0 ||
        memcmp(profile->identity_key, service->identity_public, 32) != 0) {
        return HK_NEEDS_APPROVAL; /* another provider */
    }
    bool lists_asker = false;
    for (size_t i = 0; i < profile->device_count && error == HK_OK; i++) {
        error = allow_device(job, txn, &profile->devices[i]);
        lists_asker = lists_asker || memcmp(profile->devices[i].serial, job->device.serial, HK_ID_BYTES) == 0;
    }
    for (size_t i = 0; i < profile->key_count && error == HK_OK; i++) {
        error = allow_key(job, txn, &profile->keys[i]);
    }
    if (error == HK_OK) {
        error = allow_set(job, txn, profile);
    }
    if (error == HK_OK) {
        bool other;
        error = hk_allowed_other_set(job, txn, profile, &other);
    }
    return error == HK_OK && !lists_asker ? HK_NOT_ALLOWED : error;
}

static enum hk_error allow_profile(struct hk_job *job, struct hk_txn *txn, struct hk_bytes payload)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    if (profile == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_profile_decode(profile, payload.data, payload.size);
    if (error == HK_OK) {
        error = hk_allowed_profile(job, txn, profile);
    }
    free(profile);
    return error;
}

enum hk_error hk_allowed_to_sign(struct hk_job *job, struct hk_txn *txn, const void *message, size_t size,
                                 struct hk_device_record *record, bool *is_record)
{
    struct hk_cose cose;
    struct hk_account account;
    struct hk_revocation revocation;
    bool founding = false;
    *is_record = false;
    if (job->device.role != HK_ROLE_ADMIN) {
        return HK_NOT_ALLOWED;
    }
    enum hk_error error = hk_cose_parse_to_be_signed(&cose, message, size);
    if (error == HK_OK && !same_account(job, cose.account)) {
        error = HK_NOT_ALLOWED;
    }
    if (error == HK_OK) {
        error = hk_store_get_account(txn, job->device.account, &account);
    }
    if (error == HK_OK && !is_type(&cose, HK_TYPE_PROFILE)) {
        error = is_founding(job, txn, &account, &founding);
    }
    if (error != HK_OK) {
        return error;
    }
    if (is_type(&cose, HK_TYPE_RECORD)) {
        *is_record = true;
        struct hk_point report_key;
        error = hk_record_decode(record, cose.payload.data, cose.payload.size);
        if (error == HK_OK) {
            error = allow_record(job, founding, record);
        }
        return error == HK_OK ? hk_edwards25519.point_decode(&report_key, record->report_key) : error;
    }
    if (is_type(&cose, HK_TYPE_REVOCATION)) {
        error = hk_revocation_decode(&revocation, cose.payload.data, cose.payload.size);
        return error == HK_OK ? allow_revocation(job, txn, founding, &revocation) : error;
    }
    return is_type(&cose, HK_TYPE_PROFILE) ? allow_profile(job, txn, cose.payload) : HK_NOT_ALLOWED;
}
