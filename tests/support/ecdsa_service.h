/* ecdsa_service.h - a service, an account with a key for two-party ECDSA, and its two devices. */
#ifndef HALFKEY_TESTS_ECDSA_SERVICE_H
#define HALFKEY_TESTS_ECDSA_SERVICE_H

#include "tests/support/client_ecdsa.h"

/* Large: static. */
struct hk_test_ecdsa_service {
    struct hk_test_service service;
    struct hk_test_device laptop, phone;
    struct hk_test_ecdsa run, other; /* the laptop's pair, the phone's */
    struct hk_test_enrolment enrolment;
};

/* Starts the service, with `options` (NULL at the end; NULL: none). */
void hk_ecdsa_service_start(struct hk_test_ecdsa_service *world, const char *const *options);
void hk_ecdsa_service_end(struct hk_test_ecdsa_service *world);

/* The laptop's account with one key for ECDSA, its set-up in world->run. */
struct hk_test_key *hk_ecdsa_service_begin(struct hk_test_ecdsa_service *world);
/* The phone enrolled, its set-up in world->other. */
void hk_ecdsa_service_enrol(struct hk_test_ecdsa_service *world);
/* The phone's end, asked for by the laptop. */
enum hk_error hk_ecdsa_service_revoke(struct hk_test_ecdsa_service *world);
/* A whole refresh of a device, the pair's shift with it. */
void hk_ecdsa_service_refresh(struct hk_test_device *device, struct hk_test_ecdsa *with);

/* The device's key for ECDSA. */
struct hk_test_key *hk_ecdsa_key_of(struct hk_test_device *device);
/* That a signature comes, and verifies. */
void hk_ecdsa_assert_signs(struct hk_test_device *device, struct hk_test_ecdsa *with);

#endif
