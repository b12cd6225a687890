/* ecdsa_keys.h - what two-party ECDSA needs made ahead: Paillier keys, a few, and one ring-Pedersen modulus.
 *
 * A thread of low priority, started with the service, makes them from the first time somebody asks on: a
 * service without such keys pays nothing. Paillier keys wait in locked memory, are handed out once each, and
 * die with the process. The ring is the service's for ever: it is sealed under a key that only the service's
 * identity gives, and stored before a device sees it. Any thread may call. */
#ifndef HALFKEY_KEYSERVICE_ECDSA_KEYS_H
#define HALFKEY_KEYSERVICE_ECDSA_KEYS_H

#include "crypto/paillier.h"
#include "crypto/ring_pedersen.h"
#include "keyservice/store.h"

#define HK_ECDSA_POOL 4

struct hk_ecdsa_keys;

/* `identity` is copied; Paillier keys get `bits`, 2048 or 3072. NULL: no memory. */
struct hk_ecdsa_keys *hk_ecdsa_keys_new(const struct hk_secret64 *identity, unsigned bits) HK_CHECK;
unsigned hk_ecdsa_keys_bits(const struct hk_ecdsa_keys *keys) HK_CHECK;
void hk_ecdsa_keys_free(struct hk_ecdsa_keys *keys); /* NULL is allowed */

/* A Paillier key that nobody else has: one that is ready, else made here and now (35 ms). */
void hk_ecdsa_keys_take(struct hk_ecdsa_keys *keys, struct hk_paillier_secret *secret);

/* The stored ring, which lives as long as `keys`. If there is none yet it is begun: HK_BUSY until it is made,
 * HK_NOT_FOUND from then until hk_ecdsa_keys_store_ring has stored it. HK_AUTH if what is stored does not
 * open. */
HK_CHECK enum hk_error hk_ecdsa_keys_ring(struct hk_ecdsa_keys *keys, struct hk_txn *txn,
                                          const struct hk_ring_secret **ring);
/* Reads what is stored, without a struct hk_ecdsa_keys, for `halfkeyd check`. HK_NOT_FOUND, HK_AUTH,
 * HK_NO_MEMORY. */
HK_CHECK enum hk_error hk_ecdsa_ring_read(struct hk_ring_secret *ring, struct hk_txn *txn,
                                          const struct hk_secret64 *identity);
/* In the writer's transaction: stores the ring that was made, unless there is one. */
HK_CHECK enum hk_error hk_ecdsa_keys_store_ring(struct hk_ecdsa_keys *keys, struct hk_txn *txn);

#endif
