/* client_hand.h - a hand-over of keys, both sides of it, step by step, by the attacker's client. What goes
 * from device to device is passed by hand; message 1 and 2 are any bytes, since the service reads neither. */
#ifndef HALFKEY_TESTS_CLIENT_HAND_H
#define HALFKEY_TESTS_CLIENT_HAND_H

#include "crypto/enrolment.h"
#include "protocol/handover.h"
#include "tests/support/client.h"

struct hk_test_hand {
    uint8_t deposit[HK_HAND_DEPOSIT_MAX], transcript[32];
    size_t deposit_size, count;
    struct hk_test_key key[HK_TEST_KEYS]; /* the administrator's, as they were */
    struct hk_enrol_key public[HK_TEST_KEYS];
    struct hk_scalar kept[HK_TEST_KEYS], passed[HK_TEST_KEYS];
    struct hk_test_key handed[HK_TEST_KEYS]; /* the device's, from fetch on */
};

/* A new deposit of the device for the administrator; with the proof of a key, if it has one and `proves`. */
enum hk_error hk_test_hand_open(struct hk_test_device *admin, struct hk_test_device *device,
                                struct hk_test_hand *hand, bool proves);
/* How many keys the device lacks, and how many of them wait. */
enum hk_error hk_test_hand_ask(struct hk_test_device *admin, const struct hk_test_device *device,
                               size_t *lacks, size_t *waits);
/* Deals all keys that the device has not. The service's proof is checked if the deposit asked for one. */
enum hk_error hk_test_hand_offer(struct hk_test_device *admin, const struct hk_test_device *device,
                                 struct hk_test_hand *hand);
enum hk_error hk_test_hand_seal(struct hk_test_device *admin, const struct hk_test_device *device,
                                const struct hk_test_hand *hand);
/* HK_NOT_FOUND: nothing waits. */
enum hk_error hk_test_hand_fetch(struct hk_test_device *device, struct hk_test_hand *hand);
/* The device has the keys then. */
enum hk_error hk_test_hand_confirm(struct hk_test_device *device, const struct hk_test_hand *hand);
/* From open to seal. */
enum hk_error hk_test_hand_deal(struct hk_test_device *admin, struct hk_test_device *device,
                                struct hk_test_hand *hand);

#endif
