/* Uses of share operations in one writing transaction: what each of them reads and counts is kept in memory
 * and written once, with the commit. A batch has many uses of few devices. */
#include <stdlib.h>
#include <string.h>

#include "keyservice/store_sql.h"

#define PLACES 64

struct log_place {
    uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_log_row row;
};

struct device_place {
    struct hk_device device;
    uint64_t uses, last_use; /* to be written; no uses: nothing */
};

struct hk_uses {
    bool on;
    size_t log_count, device_count;
    struct log_place logs[PLACES];
    struct device_place devices[PLACES];
};

enum hk_error hk_store_uses_new(struct hk_txn *txn)
{
    txn->uses = calloc(1, sizeof *txn->uses);
    return txn->uses != NULL ? HK_OK : HK_NO_MEMORY;
}

void hk_store_uses_free(struct hk_txn *txn)
{
    free(txn->uses);
    txn->uses = NULL;
}

void hk_store_uses_begin(struct hk_txn *txn)
{
    txn->uses->on = true;
}

void hk_store_uses_drop(struct hk_txn *txn)
{
    if (txn->uses != NULL) {
        txn->uses->on = false;
        txn->uses->log_count = txn->uses->device_count = 0;
    }
}

enum hk_error hk_store_uses_write(struct hk_txn *txn)
{
    struct hk_uses *uses = txn->uses;
    enum hk_error error = HK_OK;
    if (uses == NULL) {
        return HK_OK;
    }
    uses->on = false;
    for (size_t i = 0; i < uses->log_count && error == HK_OK; i++) {
        error = hk_store_log_put(txn, &uses->logs[i].row);
    }
    for (size_t i = 0; i < uses->device_count && error == HK_OK; i++) {
        const struct device_place *place = &uses->devices[i];
        if (place->uses != 0) {
            error = hk_store_count_use(txn, place->device.serial, place->uses, place->last_use);
        }
    }
    hk_store_uses_drop(txn);
    return error;
}

/* When there is no room for one more, all are written and it begins anew. */
static enum hk_error make_room(struct hk_txn *txn)
{
    enum hk_error error = hk_store_uses_write(txn);
    txn->uses->on = true;
    return error;
}

struct hk_log_row *hk_store_uses_log(struct hk_txn *txn, const uint8_t *account)
{
    struct hk_uses *uses = txn->uses;
    if (uses == NULL || !uses->on) {
        return NULL;
    }
    for (size_t i = 0; i < uses->log_count; i++) {
        if (memcmp(uses->logs[i].account, account, HK_ACCOUNT_BYTES) == 0) {
            return &uses->logs[i].row;
        }
    }
    if (uses->log_count == PLACES && make_room(txn) != HK_OK) {
        return NULL;
    }
    struct log_place *place = &uses->logs[uses->log_count];
    if (hk_store_log_get(txn, account, &place->row) != HK_OK) {
        return NULL;
    }
    memcpy(place->account, account, HK_ACCOUNT_BYTES);
    uses->log_count++;
    return &place->row;
}

static struct device_place *find(struct hk_uses *uses, const uint8_t *serial)
{
    for (size_t i = 0; uses != NULL && uses->on && i < uses->device_count; i++) {
        if (memcmp(uses->devices[i].device.serial, serial, HK_ID_BYTES) == 0) {
            return &uses->devices[i];
        }
    }
    return NULL;
}

bool hk_store_uses_device(const struct hk_txn *txn, const uint8_t *serial, struct hk_device *device)
{
    const struct device_place *place = find(txn->uses, serial);
    if (place != NULL) {
        *device = place->device;
    }
    return place != NULL;
}

enum hk_error hk_store_uses_keep(struct hk_txn *txn, const struct hk_device *device)
{
    struct hk_uses *uses = txn->uses;
    if (uses == NULL || !uses->on) {
        return HK_OK;
    }
    enum hk_error error = uses->device_count == PLACES ? make_room(txn) : HK_OK;
    if (error == HK_OK) {
        uses->devices[uses->device_count++] = (struct device_place){.device = *device};
    }
    return error;
}

bool hk_store_uses_count(struct hk_txn *txn, const uint8_t *serial, uint64_t count, uint64_t now)
{
    struct device_place *place = find(txn->uses, serial);
    if (place != NULL) {
        place->uses += count;
        place->last_use = now;
        place->device.uses += count;
        place->device.last_use = now;
    }
    return place != NULL;
}
