#include "keyservice/store_sql.h"

#include <string.h>

#include "keyservice/seal.h"

/* The sealed form of a pending epoch: everything in struct hk_pending but its epoch, as much of the proofs as
 * there is. Only this process's own architecture reads it: created and size are stored as bytes. */
#define PENDING_FIXED (8 + 32 + 32 + HK_TAG_BYTES)

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

struct pending_text {
    uint8_t plain[PENDING_FIXED + HK_STORE_PROOFS_MAX];
    uint8_t sealed[PENDING_FIXED + HK_STORE_PROOFS_MAX + HK_SEAL_OVERHEAD];
};

static void seal_pending(struct pending_text *text, size_t *size, const struct hk_device *device,
                         const struct hk_pending *pending, const struct hk_secret32 *wrapping)
{
    uint8_t *at = text->plain, epoch[8];
    put_u64(at, pending->created);
    memcpy(at + 8, pending->seed_device.bytes, 32);
    memcpy(at + 40, pending->seed_service.bytes, 32);
    memcpy(at + 72, pending->tag, HK_TAG_BYTES);
    memcpy(at + PENDING_FIXED, pending->proofs, pending->proofs_size);
    put_u64(epoch, pending->epoch);
    *size = PENDING_FIXED + pending->proofs_size;
    hk_seal(text->sealed, text->plain, *size, wrapping, "store/pending", 3,
            (struct hk_bytes[]){HK_BYTES(device->account, HK_ACCOUNT_BYTES),
                                HK_BYTES(device->serial, HK_ID_BYTES), HK_BYTES(epoch, 8)});
    hk_wipe(text->plain, *size);
    *size += HK_SEAL_OVERHEAD;
}

static enum hk_error delete_pending(struct hk_txn *txn, uint64_t number, uint64_t epoch)
{
    txn->erased = true;
    enum hk_error error = hk_sql_run(txn, "DELETE FROM halves WHERE device = ? AND epoch > ?",
                                     HK_ARGS(HK_U(number), HK_U(epoch)));
    if (error == HK_OK) {
        error = hk_sql_run(txn, "DELETE FROM pending WHERE device = ?", HK_ARGS(HK_U(number)));
    }
    return error;
}

/* The new halves must be of exactly the keys that the device has now: a key left out would be lost with the
 * epoch. */
static enum hk_error covers_all_keys(struct hk_txn *txn, uint64_t number, uint64_t epoch, size_t count)
{
    uint64_t halves, missing;
    enum hk_error error =
        hk_sql_number(txn, &halves, "SELECT COUNT(*) FROM halves WHERE device = ? AND epoch = ?",
                      HK_ARGS(HK_U(number), HK_U(epoch)));
    if (error == HK_OK) {
        error =
            hk_sql_number(txn, &missing,
                          "SELECT COUNT(*) FROM halves o WHERE o.device = ?1 AND o.epoch = ?2 AND NOT EXISTS"
                          " (SELECT 1 FROM halves n WHERE n.device = ?1 AND n.epoch = ?3 AND n.key = o.key)",
                          HK_ARGS(HK_U(number), HK_U(epoch), HK_U(epoch + 1)));
    }
    return error != HK_OK ? error : halves == count && missing == 0 ? HK_OK : HK_CONFLICT;
}

static enum hk_error insert_pending(struct hk_txn *txn, const struct hk_device *device, uint64_t number,
                                    const struct hk_pending *pending, const struct hk_secret32 *wrapping)
{
    struct pending_text *text = hk_secret_new(sizeof *text);
    if (text == NULL) {
        return HK_INTERNAL;
    }
    size_t size;
    seal_pending(text, &size, device, pending, wrapping);
    enum hk_error error = hk_sql_run(txn, "INSERT INTO pending (device, epoch, sealed) VALUES (?, ?, ?)",
                                     HK_ARGS(HK_U(number), HK_U(pending->epoch), HK_B(text->sealed, size)));
    hk_secret_free(text);
    if (error == HK_OK) {
        error = hk_sql_run(txn, "UPDATE devices SET pending_epoch = ? WHERE number = ?",
                           HK_ARGS(HK_U(pending->epoch), HK_U(number)));
    }
    return error;
}

enum hk_error hk_store_put_pending(struct hk_txn *txn, const uint8_t *serial,
                                   const struct hk_pending *pending, const struct hk_half *halves,
                                   size_t count)
{
    struct hk_device device;
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint64_t number = 0;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK) {
        error = hk_store_device_number(txn, serial, &number);
    }
    if (error == HK_OK) {
        error = hk_store_wrapping_key(txn, &device, &wrapping);
    }
    if (error == HK_OK &&
        (pending->epoch != device.epoch + 1 || pending->proofs_size > HK_STORE_PROOFS_MAX)) {
        error = HK_CONFLICT;
    }
    if (error == HK_OK) {
        error = delete_pending(txn, number, device.epoch);
    }
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = hk_store_insert_half(txn, &device, number, &wrapping, pending->epoch, halves[i].key,
                                     &halves[i].half);
    }
    if (error == HK_OK) {
        error = covers_all_keys(txn, number, device.epoch, count);
    }
    return error != HK_OK ? error : insert_pending(txn, &device, number, pending, &wrapping);
}

static enum hk_error open_pending(struct pending_text *text, size_t size, const struct hk_device *device,
                                  const struct hk_secret32 *wrapping, struct hk_pending *pending)
{
    uint8_t epoch[8];
    put_u64(epoch, device->pending_epoch);
    if (size < PENDING_FIXED + HK_SEAL_OVERHEAD) {
        return HK_AUTH;
    }
    enum hk_error error =
        hk_unseal(text->plain, text->sealed, size, wrapping, "store/pending", 3,
                  (struct hk_bytes[]){HK_BYTES(device->account, HK_ACCOUNT_BYTES),
                                      HK_BYTES(device->serial, HK_ID_BYTES), HK_BYTES(epoch, 8)});
    if (error != HK_OK) {
        return error;
    }
    const uint8_t *at = text->plain;
    pending->epoch = device->pending_epoch;
    pending->created = get_u64(at);
    memcpy(pending->seed_device.bytes, at + 8, 32);
    memcpy(pending->seed_service.bytes, at + 40, 32);
    memcpy(pending->tag, at + 72, HK_TAG_BYTES);
    pending->proofs_size = size - HK_SEAL_OVERHEAD - PENDING_FIXED;
    memcpy(pending->proofs, at + PENDING_FIXED, pending->proofs_size);
    return HK_OK;
}

enum hk_error hk_store_get_pending(struct hk_txn *txn, const struct hk_device *device,
                                   struct hk_pending *pending)
{
    if (device->pending_epoch == 0) {
        return HK_NOT_FOUND;
    }
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error != HK_OK) {
        return error;
    }
    struct pending_text *text = hk_secret_new(sizeof *text);
    if (text == NULL) {
        return HK_INTERNAL;
    }
    size_t size;
    error =
        hk_sql_blob(txn, text->sealed, sizeof text->sealed, &size,
                    "SELECT p.sealed FROM pending p JOIN devices d ON d.number = p.device WHERE d.serial = ?",
                    HK_ARGS(HK_B(device->serial, HK_ID_BYTES)));
    if (error == HK_OK) {
        error = open_pending(text, size, device, &wrapping, pending);
    }
    hk_secret_free(text);
    return error;
}

/* The tag is sealed anew for the place of the current one; the halves are sealed for their epoch already. */
static enum hk_error activate(struct hk_txn *txn, const struct hk_device *device, uint64_t number,
                              const struct hk_pending *pending)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error != HK_OK) {
        return error;
    }
    uint8_t sealed[HK_SEALED_TAG], hash[32];
    hk_store_seal_tag(sealed, pending->tag, device, pending->epoch, &wrapping);
    hk_store_hash_tag(hash, pending->tag);
    txn->erased = true;
    error =
        hk_sql_run(txn,
                   "UPDATE devices SET epoch = ?, pending_epoch = 0, tag_hash = ?, sealed_tag = ?,"
                   " must_refresh = 0 WHERE number = ?",
                   HK_ARGS(HK_U(pending->epoch), HK_B(hash, 32), HK_B(sealed, sizeof sealed), HK_U(number)));
    if (error == HK_OK) {
        error = hk_sql_run(txn, "DELETE FROM halves WHERE device = ? AND epoch <> ?",
                           HK_ARGS(HK_U(number), HK_U(pending->epoch)));
    }
    if (error == HK_OK) {
        error = hk_sql_run(txn, "DELETE FROM pending WHERE device = ?", HK_ARGS(HK_U(number)));
    }
    return error == HK_OK ? hk_store_drop_hand(txn, number) : error;
}

enum hk_error hk_store_activate_pending(struct hk_txn *txn, const uint8_t *serial)
{
    struct hk_device device;
    uint64_t number;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK) {
        error = hk_store_device_number(txn, serial, &number);
    }
    if (error != HK_OK) {
        return error;
    }
    struct hk_pending *pending = hk_secret_new(sizeof *pending);
    if (pending == NULL) {
        return HK_INTERNAL;
    }
    error = hk_store_get_pending(txn, &device, pending);
    if (error == HK_OK) {
        error = activate(txn, &device, number, pending);
    }
    hk_secret_free(pending);
    return error;
}

enum hk_error hk_store_drop_pending(struct hk_txn *txn, const uint8_t *serial)
{
    struct hk_device device;
    uint64_t number;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK && device.pending_epoch == 0) {
        return HK_OK;
    }
    if (error == HK_OK) {
        error = hk_store_device_number(txn, serial, &number);
    }
    if (error == HK_OK) {
        error = delete_pending(txn, number, device.epoch);
    }
    if (error == HK_OK) {
        error =
            hk_sql_run(txn, "UPDATE devices SET pending_epoch = 0 WHERE number = ?", HK_ARGS(HK_U(number)));
    }
    return error;
}
