#include "tests/support/vault_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/suite.h"

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "fixture: %s\n", what);
        abort();
    }
}

void vault_fixture_make(struct vault_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    snprintf(fixture->dir, sizeof fixture->dir, "/tmp/halfkey-test-XXXXXX");
    must(mkdtemp(fixture->dir) != NULL, "mkdtemp");
    snprintf(fixture->data, sizeof fixture->data, "%s/data", fixture->dir);
}

enum hk_error vault_fixture_try(struct vault_fixture *fixture)
{
    struct hk_vault_options options = {.data = fixture->data};
    enum hk_error error = hk_vault_open(&fixture->vault, &options, fixture->reason);
    if (error == HK_OK) {
        must(hk_writer_start(&fixture->writer, fixture->vault) == HK_OK, "writer");
    }
    return error;
}

void vault_fixture_open(struct vault_fixture *fixture)
{
    enum hk_error error = vault_fixture_try(fixture);
    must(error == HK_OK, fixture->reason);
}

void vault_fixture_close(struct vault_fixture *fixture)
{
    hk_writer_stop(fixture->writer);
    hk_vault_close(fixture->vault);
    fixture->writer = NULL;
    fixture->vault = NULL;
}

void vault_fixture_remove(struct vault_fixture *fixture)
{
    char command[512];
    vault_fixture_close(fixture);
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -rf '%s'", fixture->dir, fixture->dir);
    must(system(command) == 0, "rm");
}

const char *vault_fixture_path(const struct vault_fixture *fixture, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", fixture->data, name);
    return path;
}

void vault_fixture_copy(const struct vault_fixture *fixture, const char *from, const char *to)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd '%s' && rm -f '%s' '%s-wal' '%s-shm' && cp -p '%s' '%s' &&"
             " { [ ! -e '%s-wal' ] || cp -p '%s-wal' '%s-wal'; }",
             fixture->data, to, to, to, from, to, from, from, to);
    must(system(command) == 0, "cp");
}

/* -- the writer, waited for -- */

struct waiting {
    struct hk_entry entry;
    enum hk_error (*apply)(void *context, struct hk_txn *txn);
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    bool done;
    enum hk_error outcome;
};

static enum hk_error waiting_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct waiting *waiting = (struct waiting *)entry;
    return waiting->apply(waiting->context, txn);
}

static void waiting_done(struct hk_entry *entry, enum hk_error outcome)
{
    struct waiting *waiting = (struct waiting *)entry;
    pthread_mutex_lock(&waiting->mutex);
    waiting->done = true;
    waiting->outcome = outcome;
    pthread_cond_signal(&waiting->finished);
    pthread_mutex_unlock(&waiting->mutex);
}

enum hk_error vault_do(struct vault_fixture *fixture,
                       enum hk_error (*apply)(void *context, struct hk_txn *txn), void *context)
{
    struct waiting waiting = {.entry = {.apply = waiting_apply, .done = waiting_done},
                              .apply = apply,
                              .context = context,
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .finished = PTHREAD_COND_INITIALIZER};
    enum hk_error error = hk_writer_submit(fixture->writer, &waiting.entry);
    if (error != HK_OK) {
        return error;
    }
    pthread_mutex_lock(&waiting.mutex);
    while (!waiting.done) {
        pthread_cond_wait(&waiting.finished, &waiting.mutex);
    }
    pthread_mutex_unlock(&waiting.mutex);
    return waiting.outcome;
}

/* -- samples -- */

static void fill(uint8_t *out, size_t size, const char *what, unsigned number)
{
    uint8_t hash[HK_HASH_BYTES];
    hk_hash_list(hash, what, 1, (struct hk_bytes[]){HK_BYTES(&number, sizeof number)});
    memcpy(out, hash, size);
}

static void fill_device(struct sample *sample, unsigned number)
{
    struct hk_device *device = &sample->device;
    memcpy(device->account, sample->account.id, HK_ACCOUNT_BYTES);
    fill(device->serial, HK_ID_BYTES, "test/serial", number);
    fill(device->static_key, 32, "test/static", number);
    fill(device->report_key, 32, "test/report", number);
    fill(device->code_hash, 32, "test/code", number);
    fill(device->enrolment, 32, "test/enrolment", number);
    snprintf(device->name, sizeof device->name, "device %u", number);
    device->created = 1700000000 + number;
    fill(sample->tag, HK_TAG_BYTES, "test/tag", number);
    fill(sample->half.bytes, 32, "test/half", number);
}

void sample_make(struct sample *sample, unsigned number)
{
    memset(sample, 0, sizeof *sample);
    fill(sample->account.id, HK_ACCOUNT_BYTES, "test/account", number);
    sample->account.created = 1700000000;
    fill_device(sample, number);
    sample->device.role = HK_ROLE_ADMIN;
    memcpy(sample->key.account, sample->account.id, HK_ACCOUNT_BYTES);
    fill(sample->key.id, HK_ID_BYTES, "test/key", number);
    fill(sample->key.public_key, 32, "test/public", number);
    fill(sample->key.transcript, 32, "test/transcript", number);
    sample->key.suite = HK_SUITE_ACCOUNT;
    sample->key.purpose = HK_PURPOSE_ACCOUNT;
    snprintf(sample->key.name, sizeof sample->key.name, "account");
}

void sample_second_device(struct sample *second, const struct sample *first, unsigned number)
{
    *second = *first;
    memset(&second->device, 0, sizeof second->device);
    fill_device(second, number);
}

enum hk_error sample_put(void *context, struct hk_txn *txn)
{
    struct sample *s = context;
    return hk_store_put_account(txn, &s->account, &s->device, s->tag, &s->key, &s->half);
}

enum hk_error sample_add_device(void *context, struct hk_txn *txn)
{
    struct sample *s = context;
    struct hk_half half;
    memcpy(half.key, s->key.id, HK_ID_BYTES);
    half.half = s->half;
    return hk_store_add_device(txn, &s->device, s->tag, &half, 1);
}

enum hk_error sample_revoke(void *context, struct hk_txn *txn)
{
    struct sample *s = context;
    return hk_store_revoke_device(txn, s->account.id, s->device.serial, "certificate", 11, 1700000100);
}

enum hk_error sample_half_is_there(struct vault_fixture *fixture, const struct sample *sample)
{
    struct hk_txn *txn;
    struct hk_device device;
    struct hk_scalar half;
    enum hk_error error = hk_store_read_begin(hk_vault_store(fixture->vault), &txn);
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_get_device(txn, sample->device.serial, &device);
    if (error == HK_OK) {
        error = hk_store_get_half(txn, &device, &sample->key, &half);
    }
    if (error == HK_OK && memcmp(&half, &sample->half, sizeof half) != 0) {
        error = HK_AUTH;
    }
    hk_store_read_end(txn);
    return error;
}
