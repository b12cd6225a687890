/* ssh_wire.h - strings and numbers as SSH writes them (RFC 4251 section 5), read and written in place.
 *
 * Reading takes from the front of a span and never beyond it; what is read borrows from it. Writing goes into
 * a buffer of the caller's, and a buffer that was too small says so once, at the end. Nothing here
 * allocates. */
#ifndef HALFKEY_PROTOCOL_SSH_WIRE_H
#define HALFKEY_PROTOCOL_SSH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"

/* Each takes one item off the front of *rest. False, and nothing is taken, if it is not there whole. */
bool hk_ssh_take_byte(struct hk_bytes *rest, uint8_t *byte) HK_CHECK;
bool hk_ssh_take_u32(struct hk_bytes *rest, uint32_t *number) HK_CHECK;
bool hk_ssh_take_string(struct hk_bytes *rest, struct hk_bytes *string) HK_CHECK;
bool hk_ssh_take_bytes(struct hk_bytes *rest, struct hk_bytes *out, size_t size) HK_CHECK;

/* Whether a string's bytes are those of this text. */
bool hk_ssh_is(struct hk_bytes string, const char *text) HK_CHECK;
bool hk_ssh_same(struct hk_bytes a, struct hk_bytes b) HK_CHECK;

/* A buffer that is written from its start; `full` once something did not fit, which was then left out. */
struct hk_ssh_writer {
    uint8_t *data;
    size_t size, max;
    bool full;
};
void hk_ssh_put(struct hk_ssh_writer *writer, const void *data, size_t size);
void hk_ssh_put_byte(struct hk_ssh_writer *writer, uint8_t byte);
void hk_ssh_put_u32(struct hk_ssh_writer *writer, uint32_t number);
void hk_ssh_put_string(struct hk_ssh_writer *writer, const void *data, size_t size);

/* "SHA256:" and 43 characters: how OpenSSH shows a public key, given as it is on the wire. */
#define HK_SSH_FINGERPRINT_MAX 51
void hk_ssh_fingerprint(char out[HK_SSH_FINGERPRINT_MAX], struct hk_bytes key);

#endif
