#include "keyservice/hand_keys.h"
#include "keyservice/dispatch.h"

#include <stdlib.h>
#include <string.h>

enum hk_error hk_hand_target(struct hk_job *job, struct hk_txn *txn, struct hk_device *target)
{
    enum hk_error error = hk_store_get_device(txn, hk_job_bytes(job, HK_F_DEVICE), target);
    if (error != HK_OK) {
        return error;
    }
    bool is_other = memcmp(target->account, job->device.account, HK_ACCOUNT_BYTES) == 0 &&
                    memcmp(target->serial, job->device.serial, HK_ID_BYTES) != 0;
    return !is_other                           ? HK_UNKNOWN_DEVICE
           : target->state == HK_STATUS_ACTIVE ? HK_OK
           : target->state == HK_STATUS_SUSPENDED
               ? HK_SUSPENDED
               : HK_UNKNOWN_DEVICE; /* HK_REVOKED would be said of who asks */
}

enum hk_error hk_hand_deposit_of(struct hk_job *job, struct hk_txn *txn, const struct hk_device *target,
                                 struct hk_hand *hand)
{
    enum hk_error error = hk_store_get_hand(txn, target->serial, hand);
    bool none = error == HK_NOT_FOUND ||
                (error == HK_OK &&
                 (hand->deposit_size == 0 || memcmp(hand->admin, job->device.serial, HK_ID_BYTES) != 0));
    return none ? HK_UNKNOWN_RUN : error;
}

enum hk_error hk_hand_is_of_missing(struct hk_txn *txn, const struct hk_device *device,
                                    const struct hk_open_enrolment *hand, bool *same)
{
    uint8_t missing[HK_KEYS_MAX][HK_ID_BYTES];
    size_t count;
    enum hk_error error = hk_store_missing_keys(txn, device, hk_now(), missing, &count);
    if (error != HK_OK) {
        return error;
    }
    *same = count == hand->count;
    for (size_t i = 0; i < count && *same; i++) {
        *same = memcmp(missing[i], hand->key[i].id, HK_ID_BYTES) == 0;
    }
    return HK_OK;
}

/* The keys as they are in memory: without gaps, and only this program reads them again. */
_Static_assert(sizeof(struct hk_enrolment_key) ==
                   HK_ID_BYTES + 8 + 5 * HK_POINT_BYTES_MAX + 2 * sizeof(struct hk_scalar),
               "a stored hand-over has another form: it needs a migration that drops those that wait");
_Static_assert(sizeof(struct hk_enrolment_key) * HK_KEYS_MAX <= HK_STORE_HAND_MAX, "room for all keys");

enum hk_error hk_hand_store(struct hk_txn *txn, const struct hk_device *device,
                            const struct hk_open_enrolment *hand, struct hk_bytes bundle)
{
    return hk_store_put_hand(txn, device, hand->transcript, hand->key, hand->count * sizeof(hand->key[0]),
                             bundle.data, bundle.size);
}

enum hk_error hk_hand_load(struct hk_txn *txn, const struct hk_device *device, const uint8_t transcript[32],
                           struct hk_open_enrolment **hand, uint8_t *bundle, size_t *bundle_size)
{
    size_t size;
    struct hk_open_enrolment *made;
    uint8_t *plain = hk_secret_new(HK_STORE_HAND_MAX);
    if (plain == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_store_read_hand(txn, device, transcript, plain, &size, bundle, bundle_size);
    if (error == HK_OK && size % sizeof(made->key[0]) != 0) {
        error = HK_INTERNAL;
    }
    if (error == HK_OK) {
        error = hk_enrolment_new(&made, size / sizeof(made->key[0]));
    }
    if (error == HK_OK) {
        memcpy(made->key, plain, size);
        memcpy(made->transcript, transcript, sizeof(made->transcript));
        *hand = made;
    }
    hk_secret_free(plain);
    return error;
}
