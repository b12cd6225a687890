#include "tests/support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/agreement.h"
#include "crypto/cosign.h"
#include "crypto/random.h"
#include "protocol/cose.h"
#include "protocol/sid.h"
#include "protocol/udf.h"
#include "tests/support/client_lies.h"

static _Thread_local uint8_t answer_bytes[HK_PLAINTEXT_MAX]; /* the last answer borrows from it */
static _Thread_local size_t answer_size;

size_t hk_test_last_answer(uint8_t out[HK_PLAINTEXT_MAX])
{
    static _Thread_local struct hk_message answer;
    memcpy(out, answer_bytes, answer_size);
    if (hk_message_decode(&answer, answer_bytes, answer_size) == HK_OK) {
        memset(out + (answer.value[HK_F_REQUEST].data - answer_bytes), 0, HK_ID_BYTES);
    }
    return answer_size;
}

void hk_test_device_init(struct hk_test_device *device, struct hk_test_service *service)
{
    memset(device, 0, sizeof(*device));
    device->service = service;
    assert_int_equal(hk_endpoint_new(&device->endpoint, service->address.url), HK_OK);
    hk_noise_keypair(&device->static_key, device->static_public);
    assert_int_equal(crypto_sign_keypair(device->report_key, device->report_secret), 0);
    hk_random(device->serial, sizeof(device->serial));
    hk_random(device->code, sizeof(device->code));
}

void hk_test_hang_up(struct hk_test_device *device)
{
    hk_channel_free(device->channel);
    hk_channel_free(device->stranger);
    device->channel = NULL;
    device->stranger = NULL;
}

void hk_test_device_end(struct hk_test_device *device)
{
    hk_test_hang_up(device);
    hk_endpoint_free(device->endpoint);
}

void hk_test_request(struct hk_message *request, enum hk_op op, const struct hk_test_device *of)
{
    static _Thread_local uint8_t ids[64][HK_ID_BYTES]; /* the message borrows */
    static _Thread_local size_t next;
    uint8_t *id = ids[next++ % 64];
    hk_random(id, HK_ID_BYTES);
    hk_message_init(request);
    hk_message_set_u64(request, HK_F_OP, (uint64_t)op);
    hk_message_set_bytes(request, HK_F_REQUEST, id, HK_ID_BYTES);
    if (of != NULL) {
        hk_message_set_bytes(request, HK_F_ACCOUNT, of->account, HK_ACCOUNT_BYTES);
        hk_message_set_u64(request, HK_F_EPOCH, of->epoch);
        hk_message_set_bytes(request, HK_F_TAG, of->tag, HK_TAG_BYTES);
    }
}

/* Of a request that it cannot read the service cannot name the id either. */
static bool is_refusal_of_the_unreadable(const struct hk_message *answer)
{
    static const uint8_t nobody[HK_ID_BYTES];
    return hk_message_has(answer, HK_F_ERROR) && answer->value[HK_F_ERROR].number == HK_BAD_ENCODING &&
           memcmp(answer->value[HK_F_REQUEST].data, nobody, HK_ID_BYTES) == 0;
}

static enum hk_error call(const struct hk_test_device *device, struct hk_channel *channel,
                          const struct hk_message *request, struct hk_message *answer)
{
    uint8_t bytes[HK_PLAINTEXT_MAX];
    size_t size;
    const struct hk_op_row *row = hk_op_row(request->value[HK_F_OP].number);
    enum hk_error error = hk_test_encode_changed(request, bytes, sizeof(bytes), &size);
    if (error == HK_OK) {
        answer_size = 0;
        error = hk_test_exchange(device->endpoint, channel, (enum hk_op)request->value[HK_F_OP].number, bytes,
                                 size, answer_bytes, &answer_size);
    }
    if (error == HK_OK) {
        error = hk_message_decode(answer, answer_bytes, answer_size);
    }
    if (error == HK_OK && row == NULL) {
        return (enum hk_error)answer->value[HK_F_ERROR].number;
    }
    if (error == HK_OK && is_refusal_of_the_unreadable(answer)) {
        return (enum hk_error)answer->value[HK_F_ERROR].number;
    }
    return error == HK_OK ? hk_message_check_answer(answer, row, request->value[HK_F_REQUEST].data) : error;
}

/* A connection that the service has just closed may still look open to the first try. */
static enum hk_error open_channel(struct hk_test_device *device, struct hk_channel **channel, bool stranger)
{
    enum hk_error error = HK_OK;
    for (int i = 0; i < 20 && *channel == NULL; i++) {
        error = hk_channel_open(channel, device->endpoint, stranger ? NULL : &device->static_key, NULL,
                                device->service->address.service_key, 10000);
        if (error != HK_UNREACHABLE) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return error;
}

enum hk_error hk_test_open(struct hk_test_device *device)
{
    return open_channel(device, &device->channel, false);
}

/* What the service decided about a device's request, and not what it could not do just now. */
static bool is_refusal(enum hk_error error)
{
    return error != HK_OK && error < HK_BAD_SCALAR && error != HK_BUSY && error != HK_INTERNAL &&
           error != HK_TOO_OLD && error != HK_QUARANTINE;
}

static enum hk_error call_as_device(struct hk_test_device *device, const struct hk_message *request,
                                    struct hk_message *answer)
{
    answer->present = 0;
    enum hk_error error = call(device, device->channel, request, answer);
    device->refused += is_refusal(error) && hk_message_has(answer, HK_F_ERROR); /* and no hint */
    return error;
}

enum hk_error hk_test_call(struct hk_test_device *device, const struct hk_message *request,
                           struct hk_message *answer)
{
    enum hk_error error = hk_test_open(device);
    return error == HK_OK ? call_as_device(device, request, answer) : error;
}

enum hk_error hk_test_call_stranger(struct hk_test_device *device, const struct hk_message *request,
                                    struct hk_message *answer)
{
    enum hk_error error = open_channel(device, &device->stranger, true);
    return error == HK_OK ? call(device, device->stranger, request, answer) : error;
}

/* ---- keys ---- */

struct hk_test_key *hk_test_insert_key(struct hk_test_device *device, const struct hk_test_key *key)
{
    size_t at = device->key_count++;
    assert_true(at < HK_TEST_KEYS);
    for (; at > 0 && memcmp(device->key[at - 1].id, key->id, HK_ID_BYTES) > 0; at--) {
        device->key[at] = device->key[at - 1];
    }
    device->key[at] = *key;
    return &device->key[at];
}

static enum hk_error send(struct hk_test_device *device, struct hk_channel *channel,
                          const struct hk_message *request, struct hk_message *answer)
{
    return channel == device->channel ? call_as_device(device, request, answer)
                                      : call(device, channel, request, answer);
}

/* Message 3, of an honest device or of one that lies. */
static void open_commitment(struct hk_keygen_result *result, struct hk_keygen_opening *opening,
                            struct hk_keygen_device *run, const struct hk_message *answer)
{
    const uint8_t *point = answer->value[HK_F_POINT].data, *proof = answer->value[HK_F_PROOF].data;
    if (!hk_test_lies_in_keygen()) {
        assert_int_equal(hk_keygen_finish(result, opening, run, point, proof), HK_OK);
        return;
    }
    memset(result, 0, sizeof(*result));
    if (hk_test_keygen_lie.open != NULL) {
        hk_test_keygen_lie.open(run, point, proof, hk_test_keygen_lie.argument);
    }
    memcpy(opening->point, run->point, sizeof(opening->point));
    memcpy(opening->proof, run->proof, sizeof(opening->proof));
    memcpy(opening->opening, run->opening, 32);
}

/* Messages 1 to 4, with `finish` as the operation of message 3. */
static enum hk_error generate(struct hk_test_device *device, struct hk_message *start, enum hk_op finish,
                              struct hk_test_key *key, struct hk_message *answer)
{
    bool is_account = finish == HK_OP_CREATE_FINISH;
    struct hk_keygen_device run;
    struct hk_keygen_opening opening;
    struct hk_keygen_result result;
    uint8_t sid[32], commitment[32];
    struct hk_message request;
    struct hk_channel *channel = is_account ? device->stranger : device->channel;
    struct hk_keygen_names names = {.handshake =
                                        HK_BYTES(hk_channel_session(channel)->handshake_hash, HK_HASH_BYTES),
                                    .request_id = start->value[HK_F_REQUEST].data,
                                    .account = HK_BYTES(device->account, is_account ? 0 : HK_ACCOUNT_BYTES),
                                    .suite = key->suite,
                                    .key_id = key->id,
                                    .device_key = device->static_public,
                                    .service_key = device->service->address.service_key};
    hk_keygen_sid(sid, &names);
    hk_keygen_start(&run, commitment, key->suite->group, sid);
    hk_test_keygen_lie.names = &names;
    if (hk_test_keygen_lie.draw != NULL) {
        hk_test_keygen_lie.draw(&run, hk_test_keygen_lie.argument);
        hk_test_recommit(&run);
        memcpy(commitment, run.commitment, sizeof(commitment));
    }
    hk_message_set_bytes(start, HK_F_COMMITMENT, commitment, sizeof(commitment));
    enum hk_error error = send(device, channel, start, answer);
    if (error != HK_OK) {
        return error;
    }
    open_commitment(&result, &opening, &run, answer);
    memcpy(key->transcript, result.transcript, 32);
    hk_test_request(&request, finish, is_account ? NULL : device);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_POINT, opening.point, key->suite->group->point_bytes);
    hk_message_set_bytes(&request, HK_F_PROOF, opening.proof,
                         key->suite->group->point_bytes + key->suite->group->scalar_bytes);
    hk_message_set_bytes(&request, HK_F_OPENING, opening.opening, 32);
    key->half = result.half;
    memcpy(key->device_point, result.device_point, sizeof(key->device_point));
    memcpy(key->service_point, result.service_point, sizeof(key->service_point));
    memcpy(key->public_key, result.public_key, sizeof(key->public_key));
    error = send(device, channel, &request, answer);
    return error == HK_OK ? hk_keygen_accept(&result, key->suite->group, answer->value[HK_F_TRANSCRIPT].data,
                                             answer->value[HK_F_PUBLIC].data)
                          : error;
}

enum hk_error hk_test_create_account(struct hk_test_device *device)
{
    struct hk_message request, answer;
    struct hk_test_key key = {.suite = hk_suite_by_id(HK_SUITE_ACCOUNT), .name = "account"};
    uint8_t pop[32];
    hk_random(key.id, sizeof(key.id));
    enum hk_error error = open_channel(device, &device->stranger, true);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(hk_sid_pop(pop, &device->static_key, device->service->address.service_key,
                                hk_channel_session(device->stranger)->handshake_hash),
                     HK_OK);
    hk_test_request(&request, HK_OP_CREATE_ACCOUNT, NULL);
    hk_message_set_bytes(&request, HK_F_DEVICE_KEY, device->static_public, 32);
    hk_message_set_bytes(&request, HK_F_POP, pop, sizeof(pop));
    hk_message_set_bytes(&request, HK_F_DEVICE, device->serial, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key.id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_CREATED, (uint64_t)time(NULL));
    hk_message_set_bytes(&request, HK_F_REPORT_KEY, device->report_key, 32);
    error = generate(device, &request, HK_OP_CREATE_FINISH, &key, &answer);
    if (error == HK_OK) {
        memcpy(device->account, answer.value[HK_F_ACCOUNT].data, HK_ACCOUNT_BYTES);
        memcpy(device->tag, answer.value[HK_F_TAG].data, HK_TAG_BYTES);
        memcpy(device->identity, answer.value[HK_F_IDENTITY].data, 32);
        device->epoch = answer.value[HK_F_EPOCH].number;
        hk_test_insert_key(device, &key);
    }
    return error;
}

enum hk_error hk_test_keygen(struct hk_test_device *device, enum hk_suite_id suite, const char *name)
{
    struct hk_message request, answer;
    struct hk_test_key key = {.suite = hk_suite_by_id((uint64_t)suite)};
    hk_random(key.id, sizeof(key.id));
    strncpy(key.name, name, sizeof(key.name) - 1);
    enum hk_error error = open_channel(device, &device->channel, false);
    if (error != HK_OK) {
        return error;
    }
    hk_test_request(&request, HK_OP_KEYGEN_START, device);
    hk_message_set_bytes(&request, HK_F_KEY, key.id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_SUITE, (uint64_t)suite);
    hk_message_set_u64(&request, HK_F_PURPOSE, (uint64_t)key.suite->purpose);
    hk_message_set_text(&request, HK_F_NAME, key.name);
    hk_message_set_u64(&request, HK_F_CREATED, (uint64_t)time(NULL));
    error = generate(device, &request, HK_OP_KEYGEN_FINISH, &key, &answer);
    if (error == HK_OK) {
        hk_test_insert_key(device, &key);
    }
    return error;
}

/* `namespace` may be NULL; the message is what the service shows to be signed, which is what it is given. */
static enum hk_error sign_under(struct hk_test_device *device, struct hk_test_key *key,
                                enum hk_sign_kind kind, const char *namespace, const struct hk_bytes *root,
                                struct hk_bytes message, uint8_t *signature)
{
    const struct hk_group *group = key->suite->group;
    struct hk_frost_key signing_key;
    struct hk_message request, answer;
    struct hk_frost_nonces nonces;
    struct hk_point service;
    uint8_t commitments[HK_COSIGN_COMMITMENTS_BYTES_MAX];
    hk_test_request(&request, HK_OP_SIGN, device);
    /* A key that does not sign is tried as if it did: the service must refuse. */
    const struct hk_frost_suite *like = group == &hk_edwards25519 ? &hk_frost_ed25519 : &hk_frost_bip340;
    struct hk_cosign run = {.suite = key->suite->frost != NULL ? key->suite->frost : like,
                            .key_id = key->id,
                            .epoch = device->epoch,
                            .request_id = request.value[HK_F_REQUEST].data,
                            .message = message.data,
                            .size = message.size};
    assert_int_equal(hk_cosign_under(&run, &signing_key, key->public_key, root), HK_OK);
    assert_int_equal(hk_cosign_begin(&nonces, commitments, &run, &key->half), HK_OK);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_KIND, (uint64_t)kind);
    hk_message_set_bytes(&request, HK_F_MESSAGE, message.data, message.size);
    hk_message_set_bytes(&request, HK_F_NONCES, commitments, 2 * group->point_bytes);
    if (root != NULL) {
        hk_message_set_bytes(&request, HK_F_TWEAK_ROOT, root->data, root->size);
    }
    if (namespace != NULL) {
        hk_message_set_text(&request, HK_F_NAMESPACE, namespace);
    }
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(group->point_decode(&service, key->service_point), HK_OK);
    return hk_cosign_finish(signature, &nonces, &run, &key->half, &service, answer.value[HK_F_NONCES].data,
                            answer.value[HK_F_SHARE].data);
}

enum hk_error hk_test_sign(struct hk_test_device *device, struct hk_test_key *key, enum hk_sign_kind kind,
                           const void *message, size_t size, uint8_t signature[64])
{
    return sign_under(device, key, kind, NULL, NULL, HK_BYTES(message, size), signature);
}

enum hk_error hk_test_sign_openpgp(struct hk_test_device *device, struct hk_test_key *key,
                                   const char *namespace, const void *message, size_t size,
                                   uint8_t signature[64])
{
    return sign_under(device, key, HK_SIGN_OPENPGP, namespace, NULL, HK_BYTES(message, size), signature);
}

enum hk_error hk_test_sign_taproot(struct hk_test_device *device, struct hk_test_key *key, const void *root,
                                   size_t root_size, const void *message, size_t size, uint8_t signature[64])
{
    return sign_under(device, key, HK_SIGN_RAW, NULL, &HK_BYTES(root, root_size), HK_BYTES(message, size),
                      signature);
}

enum hk_error hk_test_agree(struct hk_test_device *device, struct hk_test_key *key, const uint8_t *input,
                            uint8_t *shared)
{
    const struct hk_agreement *agreement = key->suite->agreement;
    if (agreement == NULL) { /* likewise */
        agreement = key->suite->group == &hk_edwards25519 ? &hk_agree_x25519 : &hk_agree_secp256k1;
    }
    struct hk_message request, answer;
    struct hk_agree_open open;
    struct hk_scalar part;
    enum hk_error error = hk_agree_begin(agreement, &open, NULL, input);
    if (error != HK_OK) {
        return error;
    }
    hk_agree_part(agreement, &part, &key->half);
    hk_test_request(&request, HK_OP_AGREE, device);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_array(&request, HK_F_POINTS, open.sent, agreement->group->point_bytes, 1);
    error = hk_test_call(device, &request, &answer);
    return error == HK_OK ? hk_agree_finish(shared, &open, &part, answer.value[HK_F_POINTS].items[0].data)
                          : error;
}
