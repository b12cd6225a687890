#include "tests/support/gpg_export.h"

#include <sodium.h>
#include <string.h>

void hk_test_export_begin(struct hk_test_export *parts)
{
    uint8_t point[32];
    randombytes_buf(parts->seed, 32);
    parts->seed[0] |= 0x80; /* 256 bits, for simplicity */
    crypto_sign_seed_keypair(point, parts->secret, parts->seed);
    hk_openpgp_key_init(&parts->key, HK_OPENPGP_EDDSA, point, 1700000000);
    parts->writer = (struct hk_openpgp_writer){parts->bytes, sizeof parts->bytes, 0, false};
}

void hk_test_export_user_id(struct hk_test_export *parts, const char *user_id, uint32_t when)
{
    struct hk_openpgp_self self;
    uint8_t signature[64];
    hk_openpgp_self_user_id(&self, &parts->key, user_id, when);
    crypto_sign_detached(signature, NULL, self.digest, 64, parts->secret);
    hk_openpgp_put_packet(&parts->writer, HK_OPENPGP_USER_ID, user_id, strlen(user_id));
    hk_openpgp_self_finish(&parts->writer, &self, signature);
}

void hk_test_export_plain(struct hk_test_export *parts)
{
    uint8_t body[256];
    struct hk_openpgp_writer writer = {body, sizeof body, 0, false};
    writer.size = hk_openpgp_key_encode(body, &parts->key);
    hk_openpgp_put(&writer, "", 1);
    size_t number = writer.size;
    hk_openpgp_put_mpi(&writer, parts->seed, 32);
    unsigned sum = 0;
    for (size_t i = number; i < writer.size; i++)
        sum += body[i];
    const uint8_t bytes[2] = {(uint8_t)(sum >> 8), (uint8_t)sum};
    hk_openpgp_put(&writer, bytes, 2);
    hk_openpgp_put_packet(&parts->writer, HK_OPENPGP_SECRET_KEY, body, writer.size);
}

/* A signature packet of this type with nothing in it: for revocations, whose being there is enough. */
void hk_test_export_bare(struct hk_test_export *parts, uint8_t type)
{
    const uint8_t body[] = {4, type, 22, 8, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0};
    hk_openpgp_put_packet(&parts->writer, HK_OPENPGP_SIGNATURE, body, sizeof body);
}
