/* channel.h - the service and the device of fuzz_handshake, for the target and for its seeds. */
#ifndef HALFKEY_TESTS_FUZZ_CHANNEL_H
#define HALFKEY_TESTS_FUZZ_CHANNEL_H

#include "protocol/session_table.h"
#include "tests/fuzz/fuzz.h"

static const struct hk_secret32 fuzz_service_key = {{1, 2, 3}}, fuzz_device_key = {{4, 5, 6}};
static const struct hk_secret32 fuzz_psk = {{7, 8, 9}};

/* Patterns that responder and initiator are fed with. */
static const char *const fuzz_patterns[] = {
    "Noise_IK_25519_ChaChaPoly_BLAKE2b",  "Noise_NK_25519_ChaChaPoly_BLAKE2b",
    "Noise_XX_25519_ChaChaPoly_SHA256",   "Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b",
    "Noise_XK_25519_ChaChaPoly_SHA512",   "Noise_X_25519_ChaChaPoly_BLAKE2b",
    "Noise_Npsk0_25519_ChaChaPoly_SHA256"};
#define FUZZ_PATTERNS (sizeof(fuzz_patterns) / sizeof(*fuzz_patterns))
#define FUZZ_TABLE 0x80 /* first byte: frames to a session table, not one handshake */
#define FUZZ_INITIATOR 0x40

#endif
