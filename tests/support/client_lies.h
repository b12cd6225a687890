/* client_lies.h - between the parts of the attacker's client; tests include client.h. */
#ifndef HALFKEY_TESTS_CLIENT_LIES_H
#define HALFKEY_TESTS_CLIENT_LIES_H

#include "tests/support/client.h"

struct hk_test_keygen_lie {
    void (*draw)(struct hk_keygen_device *run, void *argument);
    void (*open)(struct hk_keygen_device *run, const uint8_t *service_point, const uint8_t *service_proof,
                 void *argument);
    void *argument;
    const struct hk_keygen_names *names; /* of the run that is under way */
};
extern _Thread_local struct hk_test_keygen_lie hk_test_keygen_lie;
bool hk_test_lies_in_keygen(void);

/* The commitment anew, of what is in the run. */
void hk_test_recommit(struct hk_keygen_device *run);
/* Encodes a request, changed if this thread has asked for that. */
HK_CHECK enum hk_error hk_test_encode_changed(const struct hk_message *request, uint8_t *out, size_t max,
                                              size_t *size);
/* One exchange over the channel, recorded if this thread records; as hk_channel_call. */
HK_CHECK enum hk_error hk_test_exchange(struct hk_endpoint *endpoint, struct hk_channel *channel,
                                        enum hk_op op, const uint8_t *request, size_t size, uint8_t *answer,
                                        size_t *answer_size);
/* Opens the device's channel if it is not. */
HK_CHECK enum hk_error hk_test_open(struct hk_test_device *device);
struct hk_test_key *hk_test_insert_key(struct hk_test_device *device, const struct hk_test_key *key);

#endif
