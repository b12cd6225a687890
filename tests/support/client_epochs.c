/* A device's refresh, one step at a time, so that tests can lose, repeat and mix them. */

#include "tests/support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/refresh.h"

void hk_test_refresh_names(const struct hk_test_device *device, const struct hk_test_epoch *next,
                           struct hk_refresh *refresh)
{
    struct hk_refresh_key keys[HK_TEST_KEYS];
    for (size_t i = 0; i < device->key_count; i++) {
        memcpy(keys[i].id, device->key[i].id, HK_ID_BYTES);
        keys[i].suite = (uint64_t)device->key[i].suite->id;
    }
    assert_int_equal(hk_refresh_ref(refresh->ref, device->account, device->serial, device->epoch, device->tag,
                                    keys, device->key_count),
                     HK_OK);
    memcpy(refresh->device_seed.bytes, next->seed, 32);
    memcpy(refresh->service_seed.bytes, next->service_seed, 32);
    memcpy(refresh->new_tag, next->tag, HK_TAG_BYTES);
}

enum hk_error hk_test_refresh(struct hk_test_device *device, struct hk_test_epoch *next)
{
    struct hk_message request, answer;
    struct hk_refresh refresh;
    hk_test_request(&request, HK_OP_REFRESH, device);
    hk_message_set_bytes(&request, HK_F_SEED, next->seed, 32);
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    memcpy(next->service_seed, answer.value[HK_F_SEED].data, 32);
    memcpy(next->tag, answer.value[HK_F_NEW_TAG].data, HK_TAG_BYTES);
    assert_int_equal(answer.value[HK_F_PROOFS].count, device->key_count);
    hk_test_refresh_names(device, next, &refresh);
    for (size_t i = 0; i < device->key_count && error == HK_OK; i++) {
        const struct hk_group *group = device->key[i].suite->group;
        struct hk_point service, new_point;
        assert_int_equal(group->point_decode(&service, device->key[i].service_point), HK_OK);
        error = hk_refresh_device(&next->half[i], &new_point, group, &refresh, device->key[i].id,
                                  &device->key[i].half, &service, answer.value[HK_F_PROOFS].items[i].data);
        memcpy(next->service_point[i], new_point.bytes, group->point_bytes);
        hk_refresh_confirm(next->proofs[i], group, &refresh, &next->half[i]);
    }
    return error;
}

enum hk_error hk_test_confirm(struct hk_test_device *device, const struct hk_test_epoch *next)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REFRESH_CONFIRM, device);
    hk_message_set_bytes(&request, HK_F_NEW_TAG, next->tag, HK_TAG_BYTES);
    hk_message_set_list(&request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < device->key_count; i++) {
        hk_message_append(&request, HK_F_PROOFS, next->proofs[i],
                          hk_suite_proof_bytes(device->key[i].suite->id));
    }
    return hk_test_call(device, &request, &answer);
}

void hk_test_adopt(struct hk_test_device *device, const struct hk_test_epoch *next)
{
    device->epoch++;
    memcpy(device->tag, next->tag, HK_TAG_BYTES);
    for (size_t i = 0; i < device->key_count; i++) {
        struct hk_point point;
        device->key[i].half = next->half[i];
        const struct hk_group *group = device->key[i].suite->group;
        memcpy(device->key[i].service_point, next->service_point[i], group->point_bytes);
        group->base_mul(&point, &next->half[i]);
        memcpy(device->key[i].device_point, point.bytes, group->point_bytes);
    }
}
