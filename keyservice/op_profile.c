/* profile-put, fetch-profile, and key-delete, which is a profile that no longer lists a key. */

#include <stdlib.h>
#include <string.h>

#include "keyservice/allowed_objects.h"
#include "keyservice/dispatch.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"

static void profile_free(void *state)
{
    free(state);
}

enum hk_error hk_prepare_profile_put(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_key key;
    struct hk_profile *profile = malloc(sizeof(*profile));
    if (profile == NULL) {
        return HK_BUSY;
    }
    job->state = profile;
    job->state_free = profile_free;
    const struct hk_value *object = hk_job_value(job, HK_F_PROFILE);
    enum hk_error error = hk_pair_account_key(txn, job->device.account, &key);
    return error == HK_OK ? hk_profile_open(profile, object->data, object->size, key.public_key) : error;
}

/* In the writer, so that what it names is compared with what is stored at that moment. */
enum hk_error hk_apply_profile_put(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_profile *profile = job->state;
    const struct hk_value *object = hk_job_value(job, HK_F_PROFILE);
    struct hk_account account;
    uint8_t hash[32];
    hk_object_hash(hash, object->data, object->size);
    enum hk_error error = hk_store_get_account(txn, job->device.account, &account);
    if (error != HK_OK) {
        return error;
    }
    bool again = profile->version == account.profile_version && hk_equal(hash, account.profile_hash, 32);
    if (!again) {
        error = hk_allowed_profile(job, txn, profile);
    }
    for (size_t i = 0; i < profile->device_count && error == HK_OK && !again; i++) {
        error = hk_store_set_name(txn, profile->devices[i].serial, profile->devices[i].name);
    }
    if (error == HK_OK) { /* what no profile names any more is of no use */
        error = hk_store_keep_set(txn, job->device.account,
                                  profile->recovery.count != 0 ? profile->recovery.id : NULL);
    }
    bool other = false;
    if (error == HK_OK && !again) {
        error = hk_allowed_other_set(job, txn, profile, &other);
    }
    if (error == HK_OK && other) { /* the change that allowed it was for one */
        error = hk_store_drop_change(txn, job->device.account, HK_CHANGE_RECOVERY, job->device.serial);
        error = error == HK_NOT_FOUND ? HK_OK : error;
    }
    const uint8_t *previous = profile->version > 1 ? profile->previous : NULL;
    return error == HK_OK ? hk_store_put_profile(txn, job->device.account, profile->version, previous, hash,
                                                 object->data, object->size)
                          : error;
}

enum hk_error hk_prepare_key_delete(struct hk_job *job, struct hk_txn *txn)
{
    enum hk_error error = hk_prepare_profile_put(job, txn);
    const struct hk_profile *profile = job->state;
    for (size_t i = 0; error == HK_OK && i < profile->key_count; i++) {
        bool listed = memcmp(profile->keys[i].id, hk_job_bytes(job, HK_F_KEY), HK_ID_BYTES) == 0;
        error = listed ? HK_CONFLICT : HK_OK;
    }
    return error;
}

/* Half a refresh that covers the key would never fit again: it is dropped, and its device goes on with the
 * epoch that it has. Said twice, the key is gone and the profile is there. */
enum hk_error hk_apply_key_delete(struct hk_job *job, struct hk_txn *txn)
{
    const uint8_t *id = hk_job_bytes(job, HK_F_KEY), *account = job->device.account;
    struct hk_key key;
    if (hk_enrolments_are_open(job->server->enrolments, account, hk_now())) {
        return HK_LOCKED;
    }
    enum hk_error error = hk_store_get_key(txn, account, id, &key);
    bool gone = error == HK_UNKNOWN_KEY;
    if (error == HK_OK && key.purpose == HK_PURPOSE_ACCOUNT) {
        return HK_NOT_ALLOWED;
    }
    error = gone ? HK_OK : error;
    if (error == HK_OK && !gone) {
        error = hk_store_delete_key(txn, account, id);
    }
    if (error == HK_OK) {
        error = hk_apply_profile_put(job, txn);
    }
    job->no_leaf = gone;
    return error == HK_CONFLICT && gone ? HK_UNKNOWN_KEY : error;
}

enum hk_error hk_prepare_fetch_profile(struct hk_job *job, struct hk_txn *txn)
{
    uint8_t *profile = hk_job_memory(job, HK_STORE_PROFILE_MAX);
    size_t size;
    enum hk_error error = profile == NULL ? HK_BUSY
                                          : hk_store_get_profile(txn, hk_job_bytes(job, HK_F_ACCOUNT),
                                                                 profile, HK_STORE_PROFILE_MAX, &size);
    if (error == HK_OK) {
        hk_message_set_bytes(&job->answer, HK_F_PROFILE, profile, size);
    }
    return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error; /* no account, no profile: the same */
}
