#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyservice/ecdsa_keys.h"
#include "keyservice/ecdsa_pairs.h"
#include "keyservice/log.h"
#include "keyservice/vault_parts.h"

struct check {
    struct hk_vault *vault;
    struct hk_txn *txn;
    void (*say)(void *context, bool problem, const char *sentence);
    void *context;
    uint64_t problems, devices, live_devices, halves, leaves, accounts, setups;
    uint8_t *named; /* a byte a slot */
};

__attribute__((format(printf, 3, 4))) static void tell(struct check *check, bool problem, const char *format,
                                                       ...)
{
    char sentence[HK_REASON_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    check->problems += problem;
    check->say(check->context, problem, sentence);
}

static void serial_text(char out[2 * HK_ID_BYTES + 1], const uint8_t *serial)
{
    for (size_t i = 0; i < HK_ID_BYTES; i++) {
        snprintf(out + 2 * i, 3, "%02x", serial[i]);
    }
}

/* What keys for two-party ECDSA have beside the half, of either epoch: it opens, and holds that very half. */
static void check_setup(struct check *check, const struct hk_device *device, const struct hk_half *half,
                        const char *name)
{
    uint8_t stored[HK_STORE_ECDSA_MAX];
    HK_WIPE_AT_EXIT(stored);
    size_t size;
    enum hk_error error = hk_store_get_ecdsa(check->txn, device, half->key, stored, &size);
    if (error == HK_NOT_FOUND) {
        return; /* of another suite, or not asked for yet */
    }
    check->setups++;
    if (error == HK_OK) {
        error = hk_ecdsa_stored_fits(stored, size, &half->half);
    }
    if (error != HK_OK) {
        tell(check, true, "device %s: a set-up for ECDSA does not open, or not to its half (%s)", name,
             hk_error_name(error));
    }
}

static void check_ring(struct check *check)
{
    struct hk_ring_secret *ring = hk_secret_new(sizeof *ring);
    enum hk_error error = ring == NULL
                              ? HK_NO_MEMORY
                              : hk_ecdsa_ring_read(ring, check->txn, &check->vault->keys->identity_secret);
    if (error == HK_NOT_FOUND && check->setups != 0) {
        tell(check, true,
             "the ring-Pedersen modulus is missing: ECDSA keys work again once their devices took a new one");
    } else if (error != HK_OK && error != HK_NOT_FOUND) {
        tell(check, true,
             "the ring-Pedersen modulus does not open (%s): 'halfkeyd replace-ring' makes another",
             hk_error_name(error));
    }
    hk_secret_free(ring);
}

static void check_halves(struct check *check, const struct hk_device *device, const char *name)
{
    struct hk_half *halves = hk_secret_new(HK_KEYS_MAX * sizeof *halves);
    uint8_t tag[HK_TAG_BYTES];
    HK_WIPE_AT_EXIT(tag);
    if (halves == NULL) {
        tell(check, true, "no locked memory to be had (ulimit -l)");
        return;
    }
    for (int pending = 0; pending <= (device->pending_epoch != 0); pending++) {
        size_t count = 0;
        enum hk_error error =
            hk_store_get_halves(check->txn, device, pending != 0, halves, HK_KEYS_MAX, &count);
        if (error != HK_OK) {
            tell(check, true, "device %s: a half does not open (%s)", name, hk_error_name(error));
        } else {
            check->halves += count;
        }
        struct hk_device at = *device;
        at.epoch = pending != 0 ? device->pending_epoch : device->epoch;
        for (size_t i = 0; i < count && error == HK_OK; i++) {
            check_setup(check, &at, &halves[i], name);
        }
    }
    if (hk_store_get_tag(check->txn, device, tag) != HK_OK || !hk_store_tag_is(device, tag)) {
        tell(check, true, "device %s: the tag of its epoch does not open", name);
    }
    hk_secret_free(halves);
}

/* What waits for it opens under its slot too, or it will never have those keys. */
static void check_hand(struct check *check, const struct hk_device *device, const char *name)
{
    struct hk_hand hand;
    size_t size, bundle_size;
    enum hk_error error = hk_store_get_hand(check->txn, device->serial, &hand);
    if (error != HK_OK || !hand.waits) {
        if (error != HK_OK && error != HK_NOT_FOUND) {
            tell(check, true, "device %s: what waits for it cannot be read (%s)", name, hk_error_name(error));
        }
        return;
    }
    uint8_t *plain = hk_secret_new(HK_STORE_HAND_MAX + HK_STORE_BUNDLE_MAX);
    error = plain == NULL ? HK_NO_MEMORY
                          : hk_store_read_hand(check->txn, device, hand.transcript, plain, &size,
                                               plain + HK_STORE_HAND_MAX, &bundle_size);
    if (error != HK_OK) {
        tell(check, true,
             "device %s: keys that wait for it do not open (%s): 'halfkey device update' mends that", name,
             hk_error_name(error));
    }
    hk_secret_free(plain);
}

static void check_device(struct check *check, const struct hk_device *device)
{
    char name[2 * HK_ID_BYTES + 1];
    serial_text(name, device->serial);
    check->devices++;
    if (device->state == HK_STATUS_REVOKED) {
        if (device->slot >= 0) {
            tell(check, true, "device %s is revoked but has a slot", name);
        }
        return;
    }
    check->live_devices++;
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint64_t slot = (uint64_t)device->slot;
    if (device->slot < 0 || !hk_slots_is_live(check->vault->slots, slot)) {
        tell(check, true, "device %s has no live slot: it counts as revoked from the next start on", name);
        return;
    }
    check->named[slot] = 1;
    if (hk_slots_key(check->vault->slots, slot, device->serial, &wrapping) != HK_OK) {
        tell(check, true, "device %s: its slot %llu does not open", name, (unsigned long long)slot);
        return;
    }
    check_halves(check, device, name);
    check_hand(check, device, name);
}

static enum hk_error check_account(void *context, const uint8_t *id)
{
    struct check *check = context;
    struct hk_device *devices = calloc(HK_STORE_ROWS_MAX, sizeof *devices);
    size_t count;
    if (devices == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = hk_store_list_devices(check->txn, id, devices, HK_STORE_ROWS_MAX, &count);
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        check_device(check, &devices[i]);
    }
    free(devices);
    check->accounts++;
    struct hk_log_head head;
    if (error == HK_OK) {
        error = hk_log_read_head(check->txn, id, &head);
    }
    if (error == HK_OK) {
        check->leaves += head.size;
        error = hk_log_verify(check->txn, id);
    }
    if (error != HK_OK) {
        char name[2 * HK_ID_BYTES + 1];
        serial_text(name, id);
        tell(check, true, "the log of account %s... is not whole (%s)", name, hk_error_name(error));
    }
    return HK_OK;
}

static void check_slots(struct check *check, enum hk_start decision)
{
    static const char *const said[] = {
        [HK_START_GO] = "store and slot files are of one generation",
        [HK_START_CLEAR] = "a change of generation was announced and not made; the next start takes it back",
        [HK_START_REDO] = "a change of generation was made; the next start overwrites its slots again",
        [HK_START_QUARANTINE] = "store and slot files do not fit together: quarantine",
    };
    tell(check, decision == HK_START_QUARANTINE, "%s", said[decision]);
    if (hk_slots_on_one_disk(check->vault->slots)) {
        tell(check, false, "both copies of the slot file are on one disk");
    }
    if (hk_slots_differ(check->vault->slots, HK_SLOTS_HEADER)) {
        tell(check, true,
             "the headers of the two copies of the slot file differ: a crash, or a copy that was put back");
    }
    for (uint64_t slot = 0; slot < hk_slots_count(check->vault->slots); slot++) {
        if (hk_slots_differ(check->vault->slots, slot)) {
            /* of a device, one good copy is left; of nobody, a crash or a failing disk came in between */
            tell(check, check->named[slot] != 0,
                 "slot %llu differs between the two copies: the next start keeps the erased or the whole one",
                 (unsigned long long)slot);
        }
        if (hk_slots_is_live(check->vault->slots, slot) && check->named[slot] == 0) {
            tell(check, false, "slot %llu belongs to no device: the next start erases it",
                 (unsigned long long)slot);
        }
    }
}

static enum hk_error check_all(struct check *check)
{
    enum hk_start decision;
    char finding[HK_REASON_MAX];
    enum hk_error error = hk_vault_decide(check->vault, &decision);
    if (error == HK_OK) {
        error = hk_store_read_begin(hk_vault_store(check->vault), &check->txn);
    }
    if (error != HK_OK) {
        return error;
    }
    if (hk_store_integrity(check->txn, finding) != HK_OK) {
        tell(check, true, "%s", finding);
    }
    error = hk_store_each_account(check->txn, check, check_account);
    if (error == HK_OK) {
        check_ring(check);
    }
    hk_store_read_end(check->txn);
    if (error == HK_OK) {
        check_slots(check, decision);
        tell(check, false,
             "%llu accounts, %llu devices (%llu not revoked), %llu halves, %llu set-ups for ECDSA, %llu "
             "leaves",
             (unsigned long long)check->accounts, (unsigned long long)check->devices,
             (unsigned long long)check->live_devices, (unsigned long long)check->halves,
             (unsigned long long)check->setups, (unsigned long long)check->leaves);
    }
    return error;
}

enum hk_error hk_check_data_dir(const struct hk_vault_options *options,
                                void (*say)(void *context, bool problem, const char *sentence), void *context,
                                uint64_t *problems, char reason[256])
{
    struct check check = {.say = say, .context = context};
    enum hk_error error = hk_vault_open_parts(&check.vault, options, HK_VAULT_CHECK, reason);
    if (error != HK_OK) {
        return error;
    }
    check.named = calloc(1, hk_slots_count(check.vault->slots) + 1);
    error = check.named == NULL ? HK_NO_MEMORY : check_all(&check);
    free(check.named);
    hk_vault_close(check.vault);
    if (error != HK_OK) {
        hk_reason(reason, "cannot read the database");
        return error;
    }
    *problems = check.problems;
    return HK_OK;
}
