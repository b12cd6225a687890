/* An OpenPGP card for the virtual reader of vsmartcard-vpcd: another card than halfkey's, for stock scdaemon
 * to find.
 *
 *   card SEED PORT    one Ed25519 key for signatures, from 64 hexadecimal digits; its PIN is 123456
 *
 * It connects to the reader, and answers what scdaemon 2.2 asks: the data objects of the OpenPGP card 3.4
 * specification that it needs, its public key, a PIN, a signature. vpcd's protocol is a length of two bytes
 * and that many; one byte alone is a command: 0 off, 1 on, 2 reset, 4 the answer to reset is wanted. */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t public[32], secret[64];
static bool verified;

static const uint8_t atr[] = {0x3b, 0xda, 0x18, 0xff, 0x81, 0xb1, 0xfe, 0x75, 0x1f, 0x03, 0x00,
                              0x31, 0xf5, 0x73, 0xc0, 0x01, 0x60, 0x00, 0x90, 0x00, 0x1c};
static const uint8_t aid[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01, 0x03, 0x04,
                              0xff, 0xfe, 0x00, 0x00, 0x12, 0x34, 0,    0};
static const uint8_t history[] = {0x00, 0x31, 0xf5, 0x73, 0xc0, 0x01, 0x00, 0x05, 0x90, 0x00};
static const uint8_t capabilities[] = {0x00, 0, 0, 0, 0, 0xff, 0, 0xff, 0, 0};
static const uint8_t algorithm[] = {22, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1};
static const uint8_t pin_status[] = {0, 0x20, 0x20, 0x20, 3, 0, 3};
static const uint8_t fingerprints[60] = {1}, no_fingerprints[60], times[12] = {0x65, 0x53, 0xf1};

/* Appends tag, length and value. */
static size_t put(uint8_t *out, size_t at, unsigned tag, const void *value, size_t size)
{
    if (tag > 0xff) {
        out[at++] = (uint8_t)(tag >> 8);
    }
    out[at++] = (uint8_t)tag;
    if (size > 127) {
        out[at++] = 0x81;
    }
    out[at++] = (uint8_t)size;
    memcpy(out + at, value, size);
    return at + size;
}

/* Everything about the application, as GET DATA 6E gives it. */
static size_t put_application(uint8_t *out)
{
    uint8_t inner[256];
    size_t size = put(inner, 0, 0xc0, capabilities, sizeof(capabilities));
    for (unsigned tag = 0xc1; tag <= 0xc3; tag++) {
        size = put(inner, size, tag, algorithm, sizeof(algorithm));
    }
    size = put(inner, size, 0xc4, pin_status, sizeof(pin_status));
    size = put(inner, size, 0xc5, fingerprints, sizeof(fingerprints));
    size = put(inner, size, 0xc6, no_fingerprints, sizeof(no_fingerprints));
    size = put(inner, size, 0xcd, times, sizeof(times));
    size_t at = put(out, 0, 0x4f, aid, sizeof(aid));
    at = put(out, at, 0x5f52, history, sizeof(history));
    return put(out, at, 0x73, inner, size);
}

static const struct object {
    unsigned tag;
    const void *value;
    size_t size;
} objects[] = {{0x4f, aid, sizeof(aid)},
               {0x5f52, history, sizeof(history)},
               {0xc0, capabilities, sizeof(capabilities)},
               {0xc1, algorithm, sizeof(algorithm)},
               {0xc2, algorithm, sizeof(algorithm)},
               {0xc3, algorithm, sizeof(algorithm)},
               {0xc4, pin_status, sizeof(pin_status)},
               {0xc5, fingerprints, sizeof(fingerprints)},
               {0xcd, times, sizeof(times)},
               {0xc6, no_fingerprints, sizeof(no_fingerprints)},
               {0x65,
                "\x5b\0\x5f\x2d\x02"
                "en"
                "\x5f\x35\x01"
                "9",
                11}, /* whose it is: nobody */
               {0x5e, "", 0},
               {0x5f50, "", 0},
               {0x7a, "\x93\x03\0\0\0", 5}};

/* The answer without its status; *status is that. */
static size_t answer(uint8_t *out, unsigned *status, const uint8_t *apdu, size_t size)
{
    unsigned tag = (unsigned)apdu[2] << 8 | apdu[3];
    size_t length = size > 5 ? apdu[4] : 0;
    const uint8_t *data = apdu + 5;
    *status = 0x9000;
    if (size > 5 && length > size - 5) {
        *status = 0x6700;
        return 0;
    }
    switch (apdu[1]) {
    case 0xa4: /* SELECT */
        if (length < 6 || memcmp(data, aid, 6) != 0) {
            *status = 0x6a82;
        }
        return 0;
    case 0xca: /* GET DATA */
        if (tag == 0x6e) {
            return put_application(out);
        }
        for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
            if (objects[i].tag == tag) {
                memcpy(out, objects[i].value, objects[i].size);
                return objects[i].size;
            }
        }
        *status = 0x6a88;
        return 0;
    case 0x47: /* the public key of the place that is named; only the first has one */
        if (apdu[2] != 0x81 || length < 1 || data[0] != 0xb6) {
            *status = 0x6a88;
            return 0;
        }
        memcpy(out, "\x7f\x49\x22\x86\x20", 5);
        memcpy(out + 5, public, 32);
        return 37;
    case 0x20: /* VERIFY */
        verified = length == 6 && memcmp(data, "123456", 6) == 0;
        *status = verified ? 0x9000 : 0x6982;
        return 0;
    case 0x2a: /* COMPUTE DIGITAL SIGNATURE, after the PIN, once */
        if (tag != 0x9e9a || !verified) {
            *status = 0x6982;
            return 0;
        }
        verified = false;
        crypto_sign_detached(out, NULL, data, length, secret);
        return 64;
    default:
        *status = 0x6d00;
        return 0;
    }
}

static bool get(int fd, void *out, size_t size)
{
    return recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

static bool reply(int fd, const uint8_t *data, size_t size)
{
    uint8_t frame[1024] = {(uint8_t)(size >> 8), (uint8_t)size};
    memcpy(frame + 2, data, size);
    return send(fd, frame, size + 2, MSG_NOSIGNAL) == (ssize_t)(size + 2);
}

static int serve(int fd)
{
    uint8_t head[2], in[65536], out[1024];
    while (get(fd, head, 2)) {
        size_t size = (size_t)head[0] << 8 | head[1];
        if (!get(fd, in, size)) {
            break;
        }
        if (size == 1) {
            verified = verified && in[0] == 4;
            if (in[0] == 4 && !reply(fd, atr, sizeof(atr))) {
                break;
            }
            continue;
        }
        unsigned status = 0x6700;
        size_t length = size >= 4 ? answer(out, &status, in, size) : 0;
        out[length] = (uint8_t)(status >> 8);
        out[length + 1] = (uint8_t)status;
        if (getenv("CARD_LOG") != NULL) {
            (void)fprintf(stderr, "%02x %02x %02x -> %04x, %zu bytes\n", in[1], in[2], in[3], status, length);
        }
        if (!reply(fd, out, length + 2)) {
            break;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t seed[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t size = 0;
    if (argc != 3 || sodium_init() < 0 ||
        sodium_hex2bin(seed, sizeof(seed), argv[1], strlen(argv[1]), NULL, &size, NULL) != 0 || size != 32) {
        (void)fputs("usage: card SEED PORT\n", stderr);
        return 2;
    }
    crypto_sign_seed_keypair(public, secret, seed);
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    for (int tries = 0; tries < 100; tries++) { /* the reader takes a while to see that a card was drawn */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            return serve(fd);
        }
        close(fd);
        (void)usleep(100000);
    }
    perror("card");
    return 1;
}
