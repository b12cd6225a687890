#include "protocol/handover.h"

#include <string.h>

#define LABEL "halfkey/v1/hand"

enum hk_error hk_hand_deposit_open(struct hk_hand_deposit *deposit, const uint8_t *bytes, size_t size)
{
    const size_t proof_at = HK_HAND_MESSAGE_1_BYTES + HK_ID_BYTES;
    if (size != HK_HAND_MESSAGE_1_BYTES && (size <= proof_at || size > HK_HAND_DEPOSIT_MAX)) {
        return HK_BAD_ENCODING;
    }
    *deposit = (struct hk_hand_deposit){.message = bytes};
    if (size > proof_at) {
        deposit->key = bytes + HK_HAND_MESSAGE_1_BYTES;
        deposit->point = bytes + proof_at;
        deposit->rest = size - proof_at;
    }
    return HK_OK;
}

/* What the device proves over: message 1 has its ephemeral key, so nothing of an older deposit fits. */
static void device_transcript(uint8_t out[HK_NAME_BYTES], const struct hk_hand_parties *parties,
                              const uint8_t *message, const uint8_t *key)
{
    hk_hash_name(out, "hand/proof", 5,
                 (struct hk_bytes[]){HK_BYTES(parties->account, HK_ACCOUNT_BYTES),
                                     HK_BYTES(parties->administrator, HK_ID_BYTES),
                                     HK_BYTES(parties->device, HK_ID_BYTES),
                                     HK_BYTES(message, HK_HAND_MESSAGE_1_BYTES), HK_BYTES(key, HK_ID_BYTES)});
}

enum hk_error hk_hand_deposit_check(struct hk_point *point, const struct hk_hand_deposit *deposit,
                                    const struct hk_group *group, const struct hk_hand_parties *parties)
{
    uint8_t transcript[HK_NAME_BYTES];
    struct hk_point found;
    if (deposit->key == NULL || deposit->rest != 2 * group->point_bytes + group->scalar_bytes) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error = group->point_decode(&found, deposit->point);
    if (error == HK_OK) {
        device_transcript(transcript, parties, deposit->message, deposit->key);
        error = hk_schnorr_verify(group, transcript, HK_PROVER_DEVICE, &found,
                                  deposit->point + group->point_bytes);
    }
    if (error == HK_OK) {
        *point = found;
    }
    return error;
}

size_t hk_hand_deposit_prove(uint8_t *out, const struct hk_group *group,
                             const struct hk_hand_parties *parties, const uint8_t key[HK_ID_BYTES],
                             const struct hk_scalar *half)
{
    uint8_t transcript[HK_NAME_BYTES], *at = out + HK_HAND_MESSAGE_1_BYTES;
    struct hk_point point;
    group->base_mul(&point, half);
    device_transcript(transcript, parties, out, key);
    memcpy(at, key, HK_ID_BYTES);
    memcpy(at + HK_ID_BYTES, point.bytes, group->point_bytes);
    at += HK_ID_BYTES + group->point_bytes;
    hk_schnorr_prove(at, group, transcript, HK_PROVER_DEVICE, &point, half);
    return (size_t)(at - out) + group->point_bytes + group->scalar_bytes;
}

void hk_hand_prologue(uint8_t out[HK_HAND_PROLOGUE_BYTES], const struct hk_hand_parties *parties)
{
    uint8_t *at = out + sizeof(LABEL) - 1;
    memcpy(out, LABEL, sizeof(LABEL) - 1);
    memcpy(at, parties->account, HK_ACCOUNT_BYTES);
    memcpy(at + HK_ACCOUNT_BYTES, parties->administrator, HK_ID_BYTES);
    memcpy(at + HK_ACCOUNT_BYTES + HK_ID_BYTES, parties->device, HK_ID_BYTES);
}

void hk_hand_deposit_name(uint8_t out[HK_NAME_BYTES], const uint8_t *deposit, size_t size)
{
    hk_hash_name(out, "hand/deposit", 1, (struct hk_bytes[]){HK_BYTES(deposit, size)});
}

void hk_hand_device_name(uint8_t out[HK_NAME_BYTES], const struct hk_hand_parties *parties,
                         const uint8_t static_key[32])
{
    hk_hash_name(out, "hand/device", 3,
                 (struct hk_bytes[]){HK_BYTES(parties->account, HK_ACCOUNT_BYTES),
                                     HK_BYTES(parties->device, HK_ID_BYTES), HK_BYTES(static_key, 32)});
}

void hk_hand_service_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t transcript[HK_NAME_BYTES],
                                const uint8_t key[HK_ID_BYTES])
{
    hk_hash_name(out, "hand/service", 2,
                 (struct hk_bytes[]){HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(key, HK_ID_BYTES)});
}
