#include "keyservice/ecdsa_keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "keyservice/seal.h"

#define SEALED (HK_RING_SECRET_BYTES + HK_SEAL_OVERHEAD)

enum ring_state { RING_UNKNOWN, RING_WANTED, RING_MADE, RING_STORED };

/* In memory from hk_secret_new. */
struct hk_ecdsa_keys {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool ready_to_work, asked, ending;
    unsigned bits;
    struct hk_secret32 seal;
    enum ring_state state;
    struct hk_ring_secret ring;
    uint8_t *proof; /* HK_RING_PROOF_BYTES, of a ring that is made and not stored */
    size_t ready;
    struct hk_paillier_secret pool[HK_ECDSA_POOL];
};

static void make_ring(struct hk_ecdsa_keys *keys)
{
    struct hk_ring_secret *ring = hk_secret_new(sizeof(*ring));
    if (ring != NULL) {
        hk_ring_generate(ring);
        hk_ring_prove(keys->proof, ring);
    }
    pthread_mutex_lock(&keys->lock);
    if (ring != NULL && keys->state == RING_WANTED) {
        keys->ring = *ring;
        keys->state = RING_MADE;
    } else if (ring == NULL) {
        keys->state = RING_UNKNOWN; /* asked for again, it is tried again */
    }
    pthread_mutex_unlock(&keys->lock);
    hk_secret_free(ring);
}

static void make_paillier(struct hk_ecdsa_keys *keys)
{
    struct hk_paillier_secret made;
    HK_WIPE_AT_EXIT(made);
    hk_paillier_generate(&made, keys->bits);
    pthread_mutex_lock(&keys->lock);
    if (keys->ready < HK_ECDSA_POOL) {
        keys->pool[keys->ready++] = made;
    }
    pthread_mutex_unlock(&keys->lock);
}

/* On Linux this is the thread's own priority: whoever is waited for goes first. */
static void *work(void *argument)
{
    struct hk_ecdsa_keys *keys = argument;
    (void)setpriority(PRIO_PROCESS, 0, 10);
    pthread_mutex_lock(&keys->lock);
    keys->ready_to_work = true;
    pthread_cond_broadcast(&keys->wanted);
    while (!keys->ending) {
        bool ring = keys->state == RING_WANTED, paillier = keys->asked && keys->ready < HK_ECDSA_POOL;
        if (!ring && !paillier) {
            pthread_cond_wait(&keys->wanted, &keys->lock);
            continue;
        }
        pthread_mutex_unlock(&keys->lock);
        if (ring) {
            make_ring(keys);
        } else {
            make_paillier(keys);
        }
        pthread_mutex_lock(&keys->lock);
    }
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

static void seal_of(struct hk_secret32 *seal, const struct hk_secret64 *identity)
{
    hk_hash_name(seal->bytes, "store/ring-key", 1, (struct hk_bytes[]){HK_BYTES(identity->bytes, 64)});
}

struct hk_ecdsa_keys *hk_ecdsa_keys_new(const struct hk_secret64 *identity, unsigned bits)
{
    struct hk_ecdsa_keys *keys = hk_secret_new(sizeof(*keys));
    if (keys == NULL) {
        return NULL;
    }
    keys->proof = malloc(HK_RING_PROOF_BYTES);
    if (keys->proof == NULL) {
        hk_secret_free(keys);
        return NULL;
    }
    keys->bits = bits;
    seal_of(&keys->seal, identity);
    pthread_mutex_init(&keys->lock, NULL);
    pthread_cond_init(&keys->wanted, NULL);
    if (pthread_create(&keys->thread, NULL, work, keys) != 0) {
        free(keys->proof);
        hk_secret_free(keys);
        return NULL;
    }
    /* Soon after a start the process gives up the calls that setting a priority takes. */
    pthread_mutex_lock(&keys->lock);
    while (!keys->ready_to_work) {
        pthread_cond_wait(&keys->wanted, &keys->lock);
    }
    pthread_mutex_unlock(&keys->lock);
    return keys;
}

unsigned hk_ecdsa_keys_bits(const struct hk_ecdsa_keys *keys)
{
    return keys->bits;
}

void hk_ecdsa_keys_free(struct hk_ecdsa_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    pthread_mutex_lock(&keys->lock);
    keys->ending = true;
    pthread_cond_signal(&keys->wanted);
    pthread_mutex_unlock(&keys->lock);
    pthread_join(keys->thread, NULL);
    pthread_cond_destroy(&keys->wanted);
    pthread_mutex_destroy(&keys->lock);
    free(keys->proof);
    hk_secret_free(keys);
}

/* Under the lock. */
static void wake(struct hk_ecdsa_keys *keys)
{
    keys->asked = true;
    pthread_cond_signal(&keys->wanted);
}

void hk_ecdsa_keys_take(struct hk_ecdsa_keys *keys, struct hk_paillier_secret *secret)
{
    bool found = false;
    pthread_mutex_lock(&keys->lock);
    if (keys->ready > 0) {
        keys->ready--;
        *secret = keys->pool[keys->ready];
        hk_wipe(&keys->pool[keys->ready], sizeof(*secret));
        found = true;
    }
    wake(keys);
    pthread_mutex_unlock(&keys->lock);
    if (!found) {
        hk_paillier_generate(secret, keys->bits);
    }
}

static enum hk_error read_ring(struct hk_ring_secret *ring, struct hk_txn *txn,
                               const struct hk_secret32 *seal)
{
    uint8_t sealed[SEALED], plain[HK_RING_SECRET_BYTES];
    HK_WIPE_AT_EXIT(plain);
    size_t size, proof_size;
    uint8_t *proof = malloc(HK_RING_PROOF_BYTES);
    enum hk_error error = proof == NULL ? HK_NO_MEMORY
                                        : hk_store_get_ring(txn, sealed, sizeof(sealed), &size, proof,
                                                            HK_RING_PROOF_BYTES, &proof_size);
    if (error == HK_OK) {
        error = size == SEALED && proof_size == HK_RING_PROOF_BYTES
                    ? hk_unseal(plain, sealed, size, seal, "store/ring", 0, NULL)
                    : HK_AUTH;
    }
    if (error == HK_OK) {
        error = hk_ring_secret_decode(ring, plain) == HK_OK ? HK_OK : HK_AUTH;
    }
    free(proof);
    return error;
}

enum hk_error hk_ecdsa_ring_read(struct hk_ring_secret *ring, struct hk_txn *txn,
                                 const struct hk_secret64 *identity)
{
    struct hk_secret32 seal;
    HK_WIPE_AT_EXIT(seal);
    seal_of(&seal, identity);
    return read_ring(ring, txn, &seal);
}

/* From the store into memory, once. Under the lock. */
static enum hk_error load(struct hk_ecdsa_keys *keys, struct hk_txn *txn)
{
    enum hk_error error = read_ring(&keys->ring, txn, &keys->seal);
    if (error == HK_OK) {
        keys->state = RING_STORED;
    }
    return error;
}

enum hk_error hk_ecdsa_keys_ring(struct hk_ecdsa_keys *keys, struct hk_txn *txn,
                                 const struct hk_ring_secret **ring)
{
    enum hk_error error = HK_OK;
    pthread_mutex_lock(&keys->lock);
    if (keys->state != RING_STORED) {
        error = load(keys, txn);
        if (error == HK_NOT_FOUND && keys->state != RING_MADE) {
            keys->state = RING_WANTED;
            wake(keys);
            error = HK_BUSY;
        }
    }
    pthread_mutex_unlock(&keys->lock);
    if (error == HK_OK) {
        *ring = &keys->ring; /* never changed once it is stored */
    }
    return error;
}

enum hk_error hk_ecdsa_keys_store_ring(struct hk_ecdsa_keys *keys, struct hk_txn *txn)
{
    uint8_t plain[HK_RING_SECRET_BYTES], sealed[SEALED];
    HK_WIPE_AT_EXIT(plain);
    enum hk_error error = HK_OK;
    pthread_mutex_lock(&keys->lock);
    if (keys->state == RING_MADE) {
        hk_ring_secret_encode(plain, &keys->ring);
        hk_seal(sealed, plain, sizeof(plain), &keys->seal, "store/ring", 0, NULL);
        error = hk_store_put_ring(txn, sealed, sizeof(sealed), keys->proof, HK_RING_PROOF_BYTES);
    }
    pthread_mutex_unlock(&keys->lock);
    return error;
}
