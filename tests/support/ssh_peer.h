/* ssh_peer.h - an SSH client of the agent as a test plays it: any bytes, over the real socket of a real
 * agent. Host keys are Ed25519 keys of the test's own. */
#ifndef HALFKEY_TESTS_SSH_PEER_H
#define HALFKEY_TESTS_SSH_PEER_H

#include <stdbool.h>

#include "protocol/ssh_wire.h"
#include "tests/support/home.h"

#define HK_SSH_PEER_MAX (256 * 1024)

struct hk_ssh_peer {
    int fd;
    size_t size;
    uint8_t answer[HK_SSH_PEER_MAX];
};
/* A host: its key as it is on the wire, and the secret one. */
struct hk_ssh_test_host {
    uint8_t blob[51], secret[64];
};

/* Where the home's agent listens for SSH; starts it. */
void hk_ssh_peer_path(const struct hk_test_home *home, char path[108]);
void hk_ssh_peer_open(struct hk_ssh_peer *peer, const struct hk_test_home *home);
void hk_ssh_peer_close(struct hk_ssh_peer *peer);

/* Sends a frame and reads the answer. The answer's first byte, or 0 if the agent hung up. */
uint8_t hk_ssh_peer_ask(struct hk_ssh_peer *peer, const void *frame, size_t size);
/* Bytes as they are, without a length of their own, and the answer to them. */
uint8_t hk_ssh_peer_send(struct hk_ssh_peer *peer, const void *bytes, size_t size);

void hk_ssh_test_host(struct hk_ssh_test_host *host);
/* session-bind@openssh.com; `by` signs, usually the host itself. */
uint8_t hk_ssh_peer_bind(struct hk_ssh_peer *peer, const struct hk_ssh_test_host *host,
                         const struct hk_ssh_test_host *by, const char *session, bool forwarded);

/* The key of that number in the agent's list, and how many there are. */
uint32_t hk_ssh_peer_list(struct hk_ssh_peer *peer, uint32_t number, uint8_t key[32]);

/* A login by `key` as alice; host NULL: not host-bound. Returns its length. */
size_t hk_ssh_test_login(uint8_t out[1024], const uint8_t key[32], const char *session,
                         const struct hk_ssh_test_host *host);
/* What a signature of a file is over. */
size_t hk_ssh_test_sshsig(uint8_t out[1024], const char *namespace);
/* Asks for a signature. 14 only if it verifies under `key` over the data. */
uint8_t hk_ssh_peer_sign(struct hk_ssh_peer *peer, const uint8_t key[32], const void *data, size_t size);

#endif
