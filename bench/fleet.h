/* fleet.h - many accounts, each with one device and two keys, for load and for growth.
 *
 * A fleet is made from a seed: member n can be made again at any time, so a million of them need no memory.
 * Each holds both halves of its keys: it exists only to be measured. bench_fleet_write puts members into a
 * service's data directory through the service's own vault and store, row for row what the daemon leaves
 * after `halfkey init` and two `halfkey key create`: account, device, slot, halves, signed record,
 * certificate and profile, log. */
#ifndef HALFKEY_BENCH_FLEET_H
#define HALFKEY_BENCH_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/group.h"
#include "crypto/secret.h"
#include "protocol/message.h"
#include "protocol/object.h"

#define BENCH_KEYS 3
enum bench_key { BENCH_ACCOUNT, BENCH_AGREE, BENCH_SIGN };

struct bench_member_key {
    uint8_t id[HK_ID_BYTES];
    struct hk_scalar device, service; /* the service's is zero where only the service has it */
    uint8_t public_key[32];
};

struct bench_member {
    struct hk_secret32 static_key;
    uint8_t static_public[32], report_public[32];
    uint8_t serial[HK_ID_BYTES], account[HK_ACCOUNT_BYTES], tag[HK_TAG_BYTES], code[16];
    uint64_t epoch;
    struct bench_member_key key[BENCH_KEYS];
    bool knows_service; /* key[].service is set */
};

/* Member `index` of the fleet of this seed. Wipe nothing: it protects nothing. */
void bench_member_make(struct bench_member *member, uint64_t seed, uint64_t index);

/* Makes a data directory at `data`, or opens it, and writes members [first, end) into it. Shows progress on
 * standard error if `talk`. False, having said why, if the store refuses. */
bool bench_fleet_write(const char *data, uint64_t seed, uint64_t first, uint64_t end, bool talk);

#endif
