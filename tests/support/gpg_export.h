/* gpg_export.h - secret keys as gpg exports them, put together by the test, with whatever in them. */
#ifndef HALFKEY_TESTS_GPG_EXPORT_H
#define HALFKEY_TESTS_GPG_EXPORT_H

#include "protocol/openpgp_signature.h"

struct hk_test_export {
    uint8_t seed[32], secret[64], bytes[8192];
    struct hk_openpgp_key key;
    struct hk_openpgp_writer writer;
};

/* A fresh Ed25519 key; nothing is in the file yet. */
void hk_test_export_begin(struct hk_test_export *parts);
/* Its packet, not sealed. */
void hk_test_export_plain(struct hk_test_export *parts);
/* A user id with the key's own signature of that time. */
void hk_test_export_user_id(struct hk_test_export *parts, const char *user_id, uint32_t when);
/* A signature packet of this type with nothing in it: of a revocation the type is enough. */
void hk_test_export_bare(struct hk_test_export *parts, uint8_t type);

#endif
