/* status: the account's devices and keys as the service has them. */

#include <stdlib.h>
#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"

#define ROW_MAX 128
#define ROWS_MAX (HK_ITEMS_MAX - HK_KEYS_MAX)

static struct hk_device_row row_of(const struct hk_device *device)
{
    struct hk_device_row row = {.status = device->state,
                                .role = device->role,
                                .epoch = device->epoch,
                                .last_use = device->last_use,
                                .uses = device->uses,
                                .stale_copy_seen = device->stale_seen,
                                .must_refresh = device->must_refresh};
    memcpy(row.serial, device->serial, HK_ID_BYTES);
    return row;
}

/* Appends a row to the list in the job's memory. */
static enum hk_error put_row(const struct hk_device_row *row, uint8_t *rows, struct hk_bytes *list,
                             size_t *count)
{
    size_t size;
    enum hk_error error = hk_row_encode(row, rows + *count * ROW_MAX, ROW_MAX, &size);
    if (error == HK_OK) {
        list[*count] = HK_BYTES(rows + *count * ROW_MAX, size);
        (*count)++;
    }
    return error;
}

static enum hk_error put_devices(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device *devices = hk_job_memory(job, HK_STORE_ROWS_MAX * sizeof(*devices));
    uint8_t *rows = hk_job_memory(job, ROWS_MAX * ROW_MAX);
    struct hk_bytes *list = hk_job_memory(job, ROWS_MAX * sizeof(*list));
    uint8_t open[HK_DEVICES][HK_ID_BYTES];
    size_t found = 0, count = 0;
    if (devices == NULL || rows == NULL || list == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_store_list_devices(txn, job->device.account, devices, HK_STORE_ROWS_MAX, &found);
    for (size_t i = 0; i < found && error == HK_OK; i++) {
        struct hk_device_row row = row_of(&devices[i]);
        error = put_row(&row, rows, list, &count);
    }
    size_t enrolling =
        hk_enrolments_list(job->server->enrolments, job->device.account, hk_now(), open, HK_DEVICES);
    for (size_t i = 0; i < enrolling && error == HK_OK; i++) {
        struct hk_device_row row = {.status = HK_STATUS_ENROLLING, .role = HK_ROLE_ORDINARY, .epoch = 1};
        memcpy(row.serial, open[i], HK_ID_BYTES);
        error = put_row(&row, rows, list, &count);
    }
    if (error == HK_OK) {
        hk_message_set_list(&job->answer, HK_F_ROWS, list, count);
    }
    return error;
}

enum hk_error hk_prepare_status(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_key *keys;
    size_t count;
    enum hk_error error = put_devices(job, txn);
    if (error != HK_OK || (error = hk_pair_list_keys(txn, job->device.account, &keys, &count)) != HK_OK) {
        return error;
    }
    uint8_t *ids = hk_job_memory(job, count * HK_ID_BYTES);
    for (size_t i = 0; i < count && ids != NULL; i++) {
        memcpy(ids + i * HK_ID_BYTES, keys[i].id, HK_ID_BYTES);
    }
    free(keys);
    if (ids == NULL) {
        return HK_BUSY;
    }
    hk_message_set_array(&job->answer, HK_F_KEYS, ids, HK_ID_BYTES, count);
    return HK_OK;
}
