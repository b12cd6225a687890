#include "keyservice/suspensions.h"

#include <stdlib.h>
#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/log.h"

/* Whether somebody is left who could resume this device. */
static enum hk_error can_be_lifted(struct hk_txn *txn, const struct hk_device *device, bool *can)
{
    size_t count = 0;
    struct hk_device *devices = calloc(HK_STORE_ROWS_MAX, sizeof(*devices));
    enum hk_error error =
        devices == NULL ? HK_NO_MEMORY
                        : hk_store_list_devices(txn, device->account, devices, HK_STORE_ROWS_MAX, &count);
    *can = false;
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        bool other = memcmp(devices[i].serial, device->serial, HK_ID_BYTES) != 0;
        *can = *can || (other && devices[i].role == HK_ROLE_ADMIN && devices[i].state == HK_STATUS_ACTIVE);
    }
    free(devices);
    return error;
}

enum hk_error hk_suspension_of_copy(struct hk_txn *txn, const uint8_t serial[HK_ID_BYTES],
                                    const uint8_t digest[32])
{
    struct hk_device device;
    bool can = false;
    enum hk_error error = hk_store_set_stale_seen(txn, serial, hk_now());
    if (error == HK_OK) {
        error = hk_store_get_device(txn, serial, &device);
    }
    if (error == HK_OK && device.state == HK_STATUS_ACTIVE) {
        error = can_be_lifted(txn, &device, &can);
    }
    if (error != HK_OK || !can) {
        return error;
    }
    struct hk_leaf leaf = {.op = HK_OP_SUSPEND, .count = 1, .time = hk_now(), .has_subject = true};
    memcpy(leaf.subject, serial, HK_ID_BYTES);
    memcpy(leaf.digest, digest, sizeof(leaf.digest));
    error = hk_store_set_suspended(txn, serial, true);
    return error == HK_OK ? hk_log_append_leaf(txn, device.account, &leaf) : error;
}
