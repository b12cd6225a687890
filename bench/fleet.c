#include "bench/fleet.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/suite.h"
#include "keyservice/log.h"
#include "keyservice/vault.h"
#include "keyservice/writer.h"
#include "protocol/cose.h"
#include "protocol/noise.h"
#include "protocol/udf.h"

#define CREATED 1700000000
#define BATCH 512

static const char *const names[BENCH_KEYS] = {"account", "files", "git"};
static const enum hk_suite_id suites[BENCH_KEYS] = {HK_SUITE_ACCOUNT, HK_SUITE_X25519, HK_SUITE_ED25519};

/* --- members --- */

static void derive(void *out, size_t size, uint64_t seed, uint64_t index, const char *what)
{
    uint8_t hash[HK_HASH_BYTES];
    hk_hash_list(hash, what, 2,
                 (struct hk_bytes[]){HK_BYTES(&seed, sizeof(seed)), HK_BYTES(&index, sizeof(index))});
    memcpy(out, hash, size);
}

static void make_key(struct bench_member_key *key, uint64_t seed, uint64_t index)
{
    const struct hk_group *group = &hk_edwards25519;
    uint8_t wide[64];
    struct hk_scalar whole;
    struct hk_point point;
    derive(key->id, sizeof(key->id), seed, index, "bench/key");
    derive(wide, sizeof(wide), seed, index, "bench/device-half");
    group->scalar_reduce(&key->device, wide);
    derive(wide, sizeof(wide), seed, index, "bench/service-half");
    group->scalar_reduce(&key->service, wide);
    group->scalar_add(&whole, &key->device, &key->service);
    group->base_mul(&point, &whole);
    memcpy(key->public_key, point.bytes, 32);
}

void bench_member_make(struct bench_member *member, uint64_t seed, uint64_t index)
{
    uint8_t report[32], secret[64];
    memset(member, 0, sizeof(*member));
    derive(member->static_key.bytes, 32, seed, index, "bench/static");
    crypto_scalarmult_base(member->static_public, member->static_key.bytes);
    derive(report, sizeof(report), seed, index, "bench/report");
    crypto_sign_seed_keypair(member->report_public, secret, report);
    derive(member->serial, sizeof(member->serial), seed, index, "bench/serial");
    derive(member->tag, sizeof(member->tag), seed, index, "bench/tag");
    derive(member->code, sizeof(member->code), seed, index, "bench/code");
    for (size_t i = 0; i < BENCH_KEYS; i++) {
        make_key(&member->key[i], seed, index * BENCH_KEYS + i);
    }
    hk_account_name(member->account, member->key[BENCH_ACCOUNT].public_key);
    member->epoch = 1;
    member->knows_service = true;
}

/* --- what an account signs --- */

struct object {
    uint8_t bytes[2 * HK_SMALL_OBJECT_MAX];
    size_t size;
};

/* An Ed25519 signature by the whole key, which is here for once; what comes out is what both halves would
 * make. */
static void sign(uint8_t signature[64], const struct bench_member_key *key, const uint8_t *message,
                 size_t size)
{
    const struct hk_group *group = &hk_edwards25519;
    uint8_t wide[64];
    struct hk_scalar nonce, challenge, whole;
    struct hk_point point;
    crypto_hash_sha512_state hash;
    hk_scalar_random(group, &nonce);
    group->base_mul(&point, &nonce);
    memcpy(signature, point.bytes, 32);
    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, signature, 32);
    crypto_hash_sha512_update(&hash, key->public_key, 32);
    crypto_hash_sha512_update(&hash, message, size);
    crypto_hash_sha512_final(&hash, wide);
    group->scalar_reduce(&challenge, wide);
    group->scalar_add(&whole, &key->device, &key->service);
    group->scalar_mul(&challenge, &challenge, &whole);
    group->scalar_add(&nonce, &nonce, &challenge);
    memcpy(signature + 32, nonce.bytes, 32);
}

static bool sign_object(struct object *object, const struct bench_member *member, const char *type,
                        const uint8_t *payload, size_t size)
{
    uint8_t message[2 * HK_SMALL_OBJECT_MAX], signature[64];
    size_t message_size;
    struct hk_bytes body = HK_BYTES(payload, size);
    if (hk_cose_to_be_signed(message, sizeof(message), &message_size, type, member->account, body) != HK_OK) {
        return false;
    }
    sign(signature, &member->key[BENCH_ACCOUNT], message, message_size);
    return hk_cose_assemble(object->bytes, sizeof(object->bytes), &object->size, type, member->account, body,
                            signature) == HK_OK;
}

static bool make_record(struct object *object, const struct bench_member *member)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t size;
    struct hk_device_record record = {.name = "bench", .role = HK_ROLE_ADMIN, .created = CREATED};
    memcpy(record.account, member->account, HK_ACCOUNT_BYTES);
    memcpy(record.serial, member->serial, HK_ID_BYTES);
    memcpy(record.static_key, member->static_public, 32);
    memcpy(record.report_key, member->report_public, 32);
    hk_code_hash(record.code_hash, member->code);
    return hk_record_encode(&record, payload, sizeof(payload), &size) == HK_OK &&
           sign_object(object, member, HK_TYPE_RECORD, payload, size);
}

static bool make_certificate(struct object *object, const struct bench_member *member)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t size;
    struct hk_revocation revocation = {.created = CREATED};
    memcpy(revocation.account, member->account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, member->serial, HK_ID_BYTES);
    return hk_revocation_encode(&revocation, payload, sizeof(payload), &size) == HK_OK &&
           sign_object(object, member, HK_TYPE_REVOCATION, payload, size);
}

static void list_key(struct hk_profile *profile, const struct bench_member *member, enum bench_key which)
{
    struct hk_profile_key *listed = &profile->keys[profile->key_count++];
    memcpy(listed->id, member->key[which].id, HK_ID_BYTES);
    listed->suite = (uint64_t)suites[which];
    listed->purpose = (uint64_t)hk_suite_by_id(listed->suite)->purpose;
    memcpy(listed->public_key, member->key[which].public_key, 32);
    listed->public_size = 32;
    strcpy(listed->name, names[which]);
}

static bool make_profile(struct object *object, const struct bench_member *member,
                         const struct hk_service_keys *keys)
{
    static struct hk_profile profile; /* large; members are written by one thread */
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t size;
    memset(&profile, 0, sizeof(profile));
    memcpy(profile.account, member->account, HK_ACCOUNT_BYTES);
    profile.version = 1;
    profile.time = CREATED;
    memcpy(profile.account_key, member->key[BENCH_ACCOUNT].public_key, 32);
    memcpy(profile.service_key, keys->static_public, 32);
    memcpy(profile.identity_key, keys->identity_public, 32);
    strcpy(profile.address, "halfkey://bench@127.0.0.1:7700");
    struct hk_profile_device *device = &profile.devices[0];
    memcpy(device->serial, member->serial, HK_ID_BYTES);
    memcpy(device->static_key, member->static_public, 32);
    strcpy(device->name, "bench");
    memcpy(device->report_key, member->report_public, 32);
    device->role = HK_ROLE_ADMIN;
    hk_code_hash(device->code_hash, member->code);
    profile.device_count = 1;
    bool first = memcmp(member->key[BENCH_AGREE].id, member->key[BENCH_SIGN].id, HK_ID_BYTES) < 0;
    list_key(&profile, member, first ? BENCH_AGREE : BENCH_SIGN);
    list_key(&profile, member, first ? BENCH_SIGN : BENCH_AGREE);
    return hk_profile_encode(&profile, payload, sizeof(payload), &size) == HK_OK &&
           sign_object(object, member, HK_TYPE_PROFILE, payload, size);
}

/* --- into the store --- */

struct writing {
    struct hk_entry entry;
    const struct hk_service_keys *keys;
    uint64_t seed, next, end;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool done;
    enum hk_error outcome;
};

static void fill_key(struct hk_key *key, const struct bench_member *member, enum bench_key which)
{
    memset(key, 0, sizeof(*key));
    memcpy(key->account, member->account, HK_ACCOUNT_BYTES);
    memcpy(key->id, member->key[which].id, HK_ID_BYTES);
    memcpy(key->public_key, member->key[which].public_key, 32);
    memcpy(key->transcript, member->account, 32);
    key->suite = (uint64_t)suites[which];
    key->purpose = (uint64_t)hk_suite_by_id(key->suite)->purpose;
    key->created = CREATED;
    strcpy(key->name, names[which]);
}

static enum hk_error put_account(struct hk_txn *txn, const struct bench_member *member)
{
    struct hk_account account = {.created = CREATED};
    struct hk_device device = {
        .role = HK_ROLE_ADMIN, .state = HK_STATUS_ACTIVE, .created = CREATED, .epoch = 1};
    struct hk_key key;
    memcpy(account.id, member->account, HK_ACCOUNT_BYTES);
    memcpy(device.account, member->account, HK_ACCOUNT_BYTES);
    memcpy(device.serial, member->serial, HK_ID_BYTES);
    memcpy(device.static_key, member->static_public, 32);
    memcpy(device.report_key, member->report_public, 32);
    hk_code_hash(device.code_hash, member->code);
    strcpy(device.name, "bench");
    fill_key(&key, member, BENCH_ACCOUNT);
    return hk_store_put_account(txn, &account, &device, member->tag, &key,
                                &member->key[BENCH_ACCOUNT].service);
}

static enum hk_error put_objects(struct hk_txn *txn, const struct bench_member *member,
                                 const struct hk_service_keys *keys)
{
    static struct object record, certificate, profile;
    uint8_t hash[32];
    if (!make_record(&record, member) || !make_certificate(&certificate, member) ||
        !make_profile(&profile, member, keys)) {
        return HK_INTERNAL;
    }
    hk_object_hash(hash, profile.bytes, profile.size);
    enum hk_error error =
        hk_store_put_record(txn, member->account, member->serial, record.bytes, record.size);
    if (error == HK_OK) {
        error = hk_store_put_certificate(txn, member->account, member->serial, certificate.bytes,
                                         certificate.size);
    }
    return error == HK_OK
               ? hk_store_put_profile(txn, member->account, 1, NULL, hash, profile.bytes, profile.size)
               : error;
}

static enum hk_error put_leaf(struct hk_txn *txn, const struct bench_member *member, enum hk_op op)
{
    struct hk_leaf leaf = {.has_who = true, .op = (uint64_t)op, .count = 1, .time = CREATED};
    memcpy(leaf.who, member->serial, HK_ID_BYTES);
    memcpy(leaf.digest, member->account, sizeof(leaf.digest));
    return hk_log_append_leaf(txn, member->account, &leaf);
}

static enum hk_error put_member(struct hk_txn *txn, const struct bench_member *member,
                                const struct hk_service_keys *keys)
{
    static const enum hk_op ops[] = {HK_OP_CREATE_FINISH, HK_OP_SIGN,          HK_OP_SIGN,
                                     HK_OP_PROFILE_PUT,   HK_OP_KEYGEN_FINISH, HK_OP_KEYGEN_FINISH};
    enum hk_error error = put_account(txn, member);
    for (enum bench_key which = BENCH_AGREE; which <= BENCH_SIGN && error == HK_OK; which++) {
        struct hk_key key;
        fill_key(&key, member, which);
        error = hk_store_put_key(txn, &key, member->serial, &member->key[which].service);
    }
    if (error == HK_OK) {
        error = put_objects(txn, member, keys);
    }
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops) && error == HK_OK; i++) {
        error = put_leaf(txn, member, ops[i]);
    }
    return error;
}

static enum hk_error apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct writing *writing = (struct writing *)entry;
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < BATCH && writing->next < writing->end && error == HK_OK; i++) {
        struct bench_member member;
        bench_member_make(&member, writing->seed, writing->next++);
        error = put_member(txn, &member, writing->keys);
    }
    return error;
}

static void done(struct hk_entry *entry, enum hk_error outcome)
{
    struct writing *writing = (struct writing *)entry;
    pthread_mutex_lock(&writing->lock);
    writing->outcome = outcome;
    writing->done = true;
    pthread_cond_signal(&writing->finished);
    pthread_mutex_unlock(&writing->lock);
}

static enum hk_error write_batch(struct hk_writer *writer, struct writing *writing)
{
    writing->done = false;
    enum hk_error error = hk_writer_submit(writer, &writing->entry);
    if (error != HK_OK) {
        return error;
    }
    pthread_mutex_lock(&writing->lock);
    while (!writing->done) {
        pthread_cond_wait(&writing->finished, &writing->lock);
    }
    pthread_mutex_unlock(&writing->lock);
    return writing->outcome;
}

bool bench_fleet_write(const char *data, uint64_t seed, uint64_t first, uint64_t end, bool talk)
{
    char reason[256] = "";
    struct hk_vault *vault = NULL;
    struct hk_writer *writer = NULL;
    struct hk_vault_options options = {.data = data};
    enum hk_error error = hk_vault_open(&vault, &options, reason);
    if (error == HK_OK) {
        error = hk_writer_start(&writer, vault);
    }
    struct writing writing = {.entry = {.apply = apply, .done = done},
                              .keys = error == HK_OK ? hk_vault_keys(vault) : NULL,
                              .seed = seed,
                              .next = first,
                              .end = end,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .finished = PTHREAD_COND_INITIALIZER};
    while (error == HK_OK && writing.next < end) {
        error = write_batch(writer, &writing);
        if (talk) {
            fprintf(stderr, "\r\033[K%llu accounts", (unsigned long long)writing.next);
        }
    }
    hk_writer_stop(writer);
    hk_vault_close(vault);
    if (error != HK_OK) {
        fprintf(stderr, "halfkey-bench: cannot write accounts to %s: %s\n", data,
                reason[0] != '\0' ? reason : hk_strerror(error));
    }
    return error == HK_OK;
}
