/* vault_fixture.h - a data directory of the key service in a temporary folder, and things to put into it. */
#ifndef HALFKEY_TESTS_SUPPORT_VAULT_FIXTURE_H
#define HALFKEY_TESTS_SUPPORT_VAULT_FIXTURE_H

#include "keyservice/store.h"
#include "keyservice/vault.h"
#include "keyservice/writer.h"

struct vault_fixture {
    char dir[128];    /* the temporary folder */
    char data[160];   /* the data directory in it */
    char reason[256]; /* of the last opening */
    struct hk_vault *vault;
    struct hk_writer *writer;
};

/* Makes the temporary folder; the vault is opened and closed as often as a test likes. Both abort on failure,
 * except vault_fixture_try, which returns the error. */
void vault_fixture_make(struct vault_fixture *fixture);
void vault_fixture_open(struct vault_fixture *fixture);
enum hk_error vault_fixture_try(struct vault_fixture *fixture) HK_CHECK;
void vault_fixture_close(struct vault_fixture *fixture);
void vault_fixture_remove(struct vault_fixture *fixture);

/* Copies the folder's `from` (relative to the data directory) to `to`; "store.db" takes its journal along. */
void vault_fixture_copy(const struct vault_fixture *fixture, const char *from, const char *to);
/* "DATA/NAME". */
const char *vault_fixture_path(const struct vault_fixture *fixture, const char *name);

/* Runs `apply` in the writer and waits for it. */
enum hk_error vault_do(struct vault_fixture *fixture,
                       enum hk_error (*apply)(void *context, struct hk_txn *txn), void *context) HK_CHECK;

/* An account with its first device and key, all made from one number, so that equal numbers give equal
 * things. */
struct sample {
    struct hk_account account;
    struct hk_device device;
    struct hk_key key;
    uint8_t tag[HK_TAG_BYTES];
    struct hk_scalar half;
};
void sample_make(struct sample *sample, unsigned number);
/* A further device of the same account, with its half of the same key. */
void sample_second_device(struct sample *second, const struct sample *first, unsigned number);

/* For vault_do; the context is a struct sample. */
enum hk_error sample_put(void *sample, struct hk_txn *txn);
enum hk_error sample_add_device(void *sample, struct hk_txn *txn);
enum hk_error sample_revoke(void *sample, struct hk_txn *txn);

/* Whether the sample's half can be read, and is the right one: HK_OK, or why not. */
enum hk_error sample_half_is_there(struct vault_fixture *fixture, const struct sample *sample) HK_CHECK;

#endif
