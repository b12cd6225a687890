#include "tests/support/ssh_peer.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t frame[HK_SSH_PEER_MAX + 4];

void hk_ssh_peer_path(const struct hk_test_home *home, char path[108])
{
    struct hk_test_output output;
    assert_int_equal(HK_RUN(home, &output, "agent", "--print-socket"), 0);
    output.out[strcspn(output.out, "\n")] = '\0';
    assert_true(strlen(output.out) < 108);
    strcpy(path, output.out);
}

void hk_ssh_peer_open(struct hk_ssh_peer *peer, const struct hk_test_home *home)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 30};
    char path[108];
    hk_ssh_peer_path(home, path);
    memcpy(address.sun_path, path, strlen(path));
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

void hk_ssh_peer_close(struct hk_ssh_peer *peer)
{
    close(peer->fd);
}

static bool read_all(int fd, uint8_t *out, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = recv(fd, out + have, size - have, 0);
        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

uint8_t hk_ssh_peer_send(struct hk_ssh_peer *peer, const void *bytes, size_t size)
{
    uint8_t head[4];
    (void)!send(peer->fd, bytes, size, MSG_NOSIGNAL); /* it may have hung up before all was sent */
    if (!read_all(peer->fd, head, 4)) {
        return 0;
    }
    peer->size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    assert_in_range(peer->size, 1, sizeof(peer->answer));
    assert_true(read_all(peer->fd, peer->answer, peer->size));
    return peer->answer[0];
}

uint8_t hk_ssh_peer_ask(struct hk_ssh_peer *peer, const void *request, size_t size)
{
    struct hk_ssh_writer writer = {frame, 0, sizeof(frame), false};
    hk_ssh_put_string(&writer, request, size);
    assert_false(writer.full);
    return hk_ssh_peer_send(peer, frame, writer.size);
}

void hk_ssh_test_host(struct hk_ssh_test_host *host)
{
    uint8_t key[32];
    struct hk_ssh_writer writer = {host->blob, 0, sizeof(host->blob), false};
    crypto_sign_keypair(key, host->secret);
    hk_ssh_put_string(&writer, "ssh-ed25519", 11);
    hk_ssh_put_string(&writer, key, 32);
}

uint8_t hk_ssh_peer_bind(struct hk_ssh_peer *peer, const struct hk_ssh_test_host *host,
                         const struct hk_ssh_test_host *by, const char *session, bool forwarded)
{
    uint8_t request[1024], signature[64], wire[128];
    struct hk_ssh_writer writer = {request, 0, sizeof(request), false},
                         inner = {wire, 0, sizeof(wire), false};
    crypto_sign_detached(signature, NULL, (const uint8_t *)session, strlen(session), by->secret);
    hk_ssh_put_string(&inner, "ssh-ed25519", 11);
    hk_ssh_put_string(&inner, signature, 64);
    hk_ssh_put_byte(&writer, 27);
    hk_ssh_put_string(&writer, "session-bind@openssh.com", 24);
    hk_ssh_put_string(&writer, host->blob, sizeof(host->blob));
    hk_ssh_put_string(&writer, session, strlen(session));
    hk_ssh_put_string(&writer, wire, inner.size);
    hk_ssh_put_byte(&writer, forwarded);
    return hk_ssh_peer_ask(peer, request, writer.size);
}

uint32_t hk_ssh_peer_list(struct hk_ssh_peer *peer, uint32_t number, uint8_t key[32])
{
    uint32_t count = 0;
    struct hk_bytes blob, comment;
    assert_int_equal(hk_ssh_peer_ask(peer, "\x0b", 1), 12);
    struct hk_bytes rest = HK_BYTES(peer->answer + 1, peer->size - 1);
    assert_true(hk_ssh_take_u32(&rest, &count));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(hk_ssh_take_string(&rest, &blob) && hk_ssh_take_string(&rest, &comment));
        if (i == number) {
            assert_int_equal(blob.size, 51);
            memcpy(key, (const uint8_t *)blob.data + 19, 32);
        }
    }
    assert_int_equal(rest.size, 0);
    return count;
}

size_t hk_ssh_test_login(uint8_t out[1024], const uint8_t key[32], const char *session,
                         const struct hk_ssh_test_host *host)
{
    uint8_t blob[51];
    struct hk_ssh_writer writer = {out, 0, 1024, false}, inner = {blob, 0, sizeof(blob), false};
    const char *method = host != NULL ? "publickey-hostbound-v00@openssh.com" : "publickey";
    hk_ssh_put_string(&inner, "ssh-ed25519", 11);
    hk_ssh_put_string(&inner, key, 32);
    hk_ssh_put_string(&writer, session, strlen(session));
    hk_ssh_put_byte(&writer, 50);
    hk_ssh_put_string(&writer, "alice", 5);
    hk_ssh_put_string(&writer, "ssh-connection", 14);
    hk_ssh_put_string(&writer, method, strlen(method));
    hk_ssh_put_byte(&writer, 1);
    hk_ssh_put_string(&writer, "ssh-ed25519", 11);
    hk_ssh_put_string(&writer, blob, sizeof(blob));
    if (host != NULL) {
        hk_ssh_put_string(&writer, host->blob, sizeof(host->blob));
    }
    assert_false(writer.full);
    return writer.size;
}

size_t hk_ssh_test_sshsig(uint8_t out[1024], const char *namespace)
{
    uint8_t digest[64] = {1};
    struct hk_ssh_writer writer = {out, 0, 1024, false};
    hk_ssh_put(&writer, "SSHSIG", 6);
    hk_ssh_put_string(&writer, namespace, strlen(namespace));
    hk_ssh_put_string(&writer, NULL, 0);
    hk_ssh_put_string(&writer, "sha512", 6);
    hk_ssh_put_string(&writer, digest, 64);
    assert_false(writer.full);
    return writer.size;
}

uint8_t hk_ssh_peer_sign(struct hk_ssh_peer *peer, const uint8_t key[32], const void *data, size_t size)
{
    static uint8_t request[HK_SSH_PEER_MAX];
    uint8_t blob[51];
    struct hk_ssh_writer writer = {request, 0, sizeof(request), false},
                         inner = {blob, 0, sizeof(blob), false};
    struct hk_bytes wire, kind, signature;
    hk_ssh_put_string(&inner, "ssh-ed25519", 11);
    hk_ssh_put_string(&inner, key, 32);
    hk_ssh_put_byte(&writer, 13);
    hk_ssh_put_string(&writer, blob, sizeof(blob));
    hk_ssh_put_string(&writer, data, size);
    hk_ssh_put_u32(&writer, 0);
    assert_false(writer.full);
    uint8_t type = hk_ssh_peer_ask(peer, request, writer.size);
    if (type == 14) {
        struct hk_bytes rest = HK_BYTES(peer->answer + 1, peer->size - 1);
        assert_true(hk_ssh_take_string(&rest, &wire) && rest.size == 0);
        assert_true(hk_ssh_take_string(&wire, &kind) && hk_ssh_is(kind, "ssh-ed25519"));
        assert_true(hk_ssh_take_string(&wire, &signature) && signature.size == 64 && wire.size == 0);
        assert_int_equal(crypto_sign_verify_detached(signature.data, data, size, key), 0);
    }
    return type;
}
