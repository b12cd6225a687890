/* address.h - the addresses by which people name a service: where it is and which key it has.
 *
 *   halfkey://KEY@host:port     the usual form, over TCP
 *   tcp://host:port#KEY   ipc:///path#KEY   ws://host:port/path#KEY   tls+tcp://host:port#KEY
 *
 * KEY is the service's whole static X25519 key as 52 lower-case base32 characters. Where it is is only a
 * hint: the key alone says who it is. An IPv6 host stands in brackets. The port of halfkey:// may be left
 * out. */
#ifndef HALFKEY_PROTOCOL_ADDRESS_H
#define HALFKEY_PROTOCOL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/noise.h"
#include "protocol/object.h"

#define HK_ADDRESS_KEY_CHARACTERS 52
#define HK_ADDRESS_PORT 7700

struct hk_address {
    char url[HK_ADDRESS_MAX + 1]; /* what the transport dials: no key, no fragment */
    uint8_t service_key[HK_NOISE_KEY_BYTES];
};

/* Reads an address. HK_BAD_ENCODING: *reason (may be NULL) is a sentence, such as "the key must have 52
 * characters", that lives for ever. */
HK_CHECK enum hk_error hk_address_parse(struct hk_address *out, const char *text, const char **reason);

/* Writes the address of a service that is reached at `url` (as for nng) and has this key: halfkey:// for
 * tcp://, else the form with a fragment. HK_TOO_LARGE if it has more than HK_ADDRESS_MAX characters,
 * HK_BAD_ENCODING for a url that is none of ours. */
HK_CHECK enum hk_error hk_address_print(char out[HK_ADDRESS_MAX + 1], const char *url,
                                        const uint8_t service_key[HK_NOISE_KEY_BYTES]);

/* Checks a url to listen on or to dial (tcp://, ipc://, ws://, tls+tcp://, no fragment), as hk_address_parse.
 */
HK_CHECK enum hk_error hk_address_check_url(const char *url, bool listen, const char **reason);

/* True if a url to listen on can only be reached from this machine: ipc, or a loopback address. */
bool hk_address_is_local(const char *url) HK_CHECK;
/* True if a url to listen on names every interface (0.0.0.0, [::] or *), which nobody can dial. */
bool hk_address_is_any(const char *url) HK_CHECK;

#endif
