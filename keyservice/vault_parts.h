/* vault_parts.h - what is inside a struct hk_vault, for the files that open, change and check one. */
#ifndef HALFKEY_KEYSERVICE_VAULT_PARTS_H
#define HALFKEY_KEYSERVICE_VAULT_PARTS_H

#include "keyservice/file.h"
#include "keyservice/generation.h"
#include "keyservice/slots.h"
#include "keyservice/store_open.h"
#include "keyservice/vault.h"

struct hk_vault {
    int lock; /* descriptor of DIR/lock */
    char data[HK_PATH_MAX];
    struct hk_secret32 *master;
    struct hk_service_keys *keys;
    struct hk_slots *slots;
    struct hk_store *store;
    bool quarantined;
    uint64_t generation; /* the store's */
    /* What is still to be written to the slot file before anything else: these erasures, then the header. */
    bool unsettled, checkpoint_due;
    uint64_t *erase;
    size_t erase_count, erase_room;
};

enum hk_vault_use {
    HK_VAULT_SERVE, /* make what is missing in an empty directory */
    HK_VAULT_ADOPT, /* make slot files if both are missing */
    HK_VAULT_CHECK  /* make nothing */
};

/* Lock, keys, slots and store, opened; nothing decided or changed. */
HK_CHECK enum hk_error hk_vault_open_parts(struct hk_vault **vault, const struct hk_vault_options *options,
                                           enum hk_vault_use use, char reason[256]);

/* Reads headers and store and decides; the store's generation to vault->generation. */
HK_CHECK enum hk_error hk_vault_decide(struct hk_vault *vault, enum hk_start *start);

/* Adds a slot to what is to be erased. */
HK_CHECK enum hk_error hk_vault_erase_later(struct hk_vault *vault, uint64_t slot);

#endif
