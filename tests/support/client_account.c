/* What an account signs: objects, its first record and certificate, profiles. */

#include "tests/support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "protocol/cose.h"

static struct hk_test_key *account_key(struct hk_test_device *device)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_ACCOUNT) {
            return &device->key[i];
        }
    }
    fail_msg("this device has no account key");
    return NULL;
}

enum hk_error hk_test_object(struct hk_test_device *device, const char *type, const void *payload,
                             size_t payload_size, uint8_t *out, size_t max, size_t *size)
{
    static uint8_t signed_bytes[HK_SIGN_MESSAGE_MAX];
    uint8_t signature[64];
    size_t signed_size;
    struct hk_bytes body = HK_BYTES(payload, payload_size);
    assert_int_equal(
        hk_cose_to_be_signed(signed_bytes, sizeof(signed_bytes), &signed_size, type, device->account, body),
        HK_OK);
    enum hk_error error =
        hk_test_sign(device, account_key(device), HK_SIGN_OBJECT, signed_bytes, signed_size, signature);
    return error == HK_OK ? hk_cose_assemble(out, max, size, type, device->account, body, signature) : error;
}

static void list_device(struct hk_profile_device *listed, const struct hk_test_device *device, bool admin)
{
    memcpy(listed->serial, device->serial, HK_ID_BYTES);
    memcpy(listed->static_key, device->static_public, 32);
    strcpy(listed->name, admin ? "laptop" : "phone");
    memcpy(listed->report_key, device->report_key, 32);
    listed->role = admin ? HK_ROLE_ADMIN : HK_ROLE_ORDINARY;
    hk_code_hash(listed->code_hash, device->code);
}

static void fill_profile(struct hk_profile *profile, const struct hk_test_device *device,
                         const struct hk_test_device *other)
{
    memcpy(profile->account, device->account, HK_ACCOUNT_BYTES);
    profile->version = device->profile_version + 1;
    memcpy(profile->previous, device->profile_hash, 32);
    profile->time = (uint64_t)time(NULL);
    memcpy(profile->service_key, device->service->address.service_key, 32);
    memcpy(profile->identity_key, device->identity, 32);
    strcpy(profile->address, device->service->line);
    bool first = other == NULL || memcmp(device->serial, other->serial, HK_ID_BYTES) < 0;
    list_device(&profile->devices[first ? 0 : 1], device, true);
    profile->device_count = 1;
    if (other != NULL) {
        list_device(&profile->devices[first ? 1 : 0], other, false);
        profile->device_count = 2;
    }
    for (size_t i = 0; i < device->key_count; i++) {
        const struct hk_test_key *key = &device->key[i];
        if (key->suite->id == HK_SUITE_ACCOUNT) {
            memcpy(profile->account_key, key->public_key, 32);
            continue;
        }
        struct hk_profile_key *listed = &profile->keys[profile->key_count++];
        memcpy(listed->id, key->id, HK_ID_BYTES);
        listed->suite = (uint64_t)key->suite->id;
        listed->purpose = (uint64_t)key->suite->purpose;
        listed->public_size = key->suite->group->point_bytes;
        memcpy(listed->public_key, key->public_key, listed->public_size);
        listed->imported = key->imported;
        strcpy(listed->name, key->name);
    }
}

static uint8_t signed_profile[HK_PAYLOAD_MAX + HK_COSE_OVERHEAD_MAX];

static _Thread_local void (*profile_change)(struct hk_profile *profile, void *argument);
static _Thread_local void *profile_argument;

void hk_test_change_profiles(void (*change)(struct hk_profile *profile, void *argument), void *argument)
{
    profile_change = change;
    profile_argument = argument;
}

/* The next profile, signed, in `signed_profile`. */
static enum hk_error sign_profile(struct hk_test_device *device, const struct hk_test_device *other,
                                  size_t *signed_size)
{
    static uint8_t payload[HK_PAYLOAD_MAX];
    size_t size;
    struct hk_profile *profile = calloc(1, sizeof(*profile));
    assert_non_null(profile);
    fill_profile(profile, device, other);
    if (profile_change != NULL) {
        profile_change(profile, profile_argument);
    }
    assert_int_equal(hk_profile_encode(profile, payload, sizeof(payload), &size), HK_OK);
    free(profile);
    return hk_test_object(device, HK_TYPE_PROFILE, payload, size, signed_profile, sizeof(signed_profile),
                          signed_size);
}

static enum hk_error send_profile(struct hk_test_device *device, struct hk_message *request, size_t size)
{
    struct hk_message answer;
    hk_message_set_bytes(request, HK_F_PROFILE, signed_profile, size);
    enum hk_error error = hk_test_call(device, request, &answer);
    if (error == HK_OK) {
        device->profile_version++;
        hk_object_hash(device->profile_hash, signed_profile, size);
    }
    return error;
}

enum hk_error hk_test_put_profile(struct hk_test_device *device, const struct hk_test_device *other)
{
    struct hk_message request;
    size_t size;
    enum hk_error error = sign_profile(device, other, &size);
    if (error != HK_OK) {
        return error;
    }
    hk_test_request(&request, HK_OP_PROFILE_PUT, device);
    return send_profile(device, &request, size);
}

enum hk_error hk_test_delete_key(struct hk_test_device *device, const struct hk_test_device *other,
                                 const uint8_t id[HK_ID_BYTES], bool unlist)
{
    struct hk_message request;
    struct hk_test_device as_listed = *device;
    size_t size;
    for (size_t i = 0; i < as_listed.key_count && unlist; i++) {
        if (memcmp(as_listed.key[i].id, id, HK_ID_BYTES) == 0) {
            memmove(&as_listed.key[i], &as_listed.key[i + 1],
                    (--as_listed.key_count - i) * sizeof(as_listed.key[0]));
            break;
        }
    }
    enum hk_error error = sign_profile(&as_listed, other, &size);
    device->endpoint = as_listed.endpoint; /* what was opened for it is the device's */
    device->channel = as_listed.channel;
    if (error != HK_OK) {
        return error;
    }
    hk_test_request(&request, HK_OP_KEY_DELETE, device);
    hk_message_set_bytes(&request, HK_F_KEY, id, HK_ID_BYTES);
    error = send_profile(device, &request, size);
    if (error == HK_OK) {
        memcpy(device->key, as_listed.key, sizeof(device->key));
        device->key_count = as_listed.key_count;
    }
    return error;
}

/* Record and certificate of the first device. */
static enum hk_error sign_own(struct hk_test_device *device)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX], object[HK_SMALL_OBJECT_MAX];
    size_t size;
    struct hk_device_record record = {
        .name = "laptop", .role = HK_ROLE_ADMIN, .created = (uint64_t)time(NULL)};
    struct hk_revocation revocation = {.created = (uint64_t)time(NULL)};
    memcpy(record.account, device->account, HK_ACCOUNT_BYTES);
    memcpy(record.serial, device->serial, HK_ID_BYTES);
    memcpy(record.static_key, device->static_public, 32);
    memcpy(record.report_key, device->report_key, 32);
    hk_code_hash(record.code_hash, device->code);
    memcpy(revocation.account, device->account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, device->serial, HK_ID_BYTES);
    assert_int_equal(hk_record_encode(&record, payload, sizeof(payload), &size), HK_OK);
    enum hk_error error =
        hk_test_object(device, HK_TYPE_RECORD, payload, size, object, sizeof(object), &size);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(hk_revocation_encode(&revocation, payload, sizeof(payload), &size), HK_OK);
    return hk_test_object(device, HK_TYPE_REVOCATION, payload, size, device->signed_certificate,
                          sizeof(device->signed_certificate), &device->certificate_size);
}

enum hk_error hk_test_init(struct hk_test_device *device)
{
    enum hk_error error = hk_test_create_account(device);
    if (error == HK_OK) {
        error = sign_own(device);
    }
    return error == HK_OK ? hk_test_put_profile(device, NULL) : error;
}
