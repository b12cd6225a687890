#include "tests/support/lying_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keyservice/pairs.h"

void lying_start(struct lying_service *lying)
{
    static struct hk_options options;
    char reason[256] = "";
    memset(lying, 0, sizeof(*lying));
    memset(&options, 0, sizeof(options));
    struct hk_test_service *service = &lying->service;
    (void)snprintf(service->directory, sizeof(service->directory), "/tmp/halfkey-test-XXXXXX");
    assert_non_null(mkdtemp(service->directory));
    (void)snprintf(options.data, sizeof(options.data), "%s/data", service->directory);
    (void)snprintf(options.listen[0], sizeof(options.listen[0]), "ipc://%s/socket", service->directory);
    options.listen_count = 1;
    enum hk_error error = hk_server_start(&lying->server, &options, reason);
    if (error != HK_OK) {
        fail_msg("the service does not start: %s", reason);
    }
    (void)snprintf(service->line, sizeof(service->line), "%s", lying->server->address);
    assert_int_equal(hk_address_parse(&service->address, service->line, NULL), HK_OK);
}

void lying_tell(lie_function *lie, void *argument)
{
    hk_test_on_answer(lie, argument);
}

void lying_stop(struct lying_service *lying)
{
    hk_test_on_answer(NULL, NULL);
    hk_server_stop(lying->server);
    hk_test_service_end(&lying->service);
}

void lying_half(struct hk_job *job, struct hk_scalar *half)
{
    struct hk_txn *txn;
    struct hk_key kept = job->key;
    assert_int_equal(hk_store_read_begin(job->server->store, &txn), HK_OK);
    assert_int_equal(hk_pair_load(job, txn, UINT32_MAX, half), HK_OK);
    hk_store_read_end(txn);
    job->key = kept;
}
