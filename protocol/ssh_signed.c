#include "protocol/ssh_signed.h"

#include <stdio.h>
#include <string.h>

#include "protocol/cbor.h"

#define USERAUTH_REQUEST 50
#define ED25519 "ssh-ed25519"
#define CERTIFICATE "ssh-ed25519-cert-v01@openssh.com"

/* Magic, namespace, reserved, the hash's name, hash. */
static bool read_sshsig(struct hk_ssh_signed *out, struct hk_bytes rest)
{
    struct hk_bytes magic, reserved, algorithm, digest;
    return hk_ssh_take_bytes(&rest, &magic, 6) && hk_ssh_is(magic, "SSHSIG") &&
           hk_ssh_take_string(&rest, &out->namespace) && hk_ssh_take_string(&rest, &reserved) &&
           hk_ssh_take_string(&rest, &algorithm) && hk_ssh_take_string(&rest, &digest) && rest.size == 0 &&
           ((hk_ssh_is(algorithm, "sha512") && digest.size == 64) ||
            (hk_ssh_is(algorithm, "sha256") && digest.size == 32));
}

static bool read_login(struct hk_ssh_signed *out, struct hk_bytes rest)
{
    struct hk_bytes method;
    uint8_t type, has_signature;
    bool read = hk_ssh_take_string(&rest, &out->session) && hk_ssh_take_byte(&rest, &type) &&
                type == USERAUTH_REQUEST && hk_ssh_take_string(&rest, &out->user) &&
                hk_ssh_take_string(&rest, &out->service) && hk_ssh_take_string(&rest, &method) &&
                hk_ssh_take_byte(&rest, &has_signature) && has_signature != 0 &&
                hk_ssh_take_string(&rest, &out->algorithm) && hk_ssh_take_string(&rest, &out->key);
    if (read && hk_ssh_is(method, "publickey-hostbound-v00@openssh.com")) {
        read = hk_ssh_take_string(&rest, &out->host) && out->host.size != 0;
    } else {
        read = read && hk_ssh_is(method, "publickey");
    }
    return read && rest.size == 0;
}

void hk_ssh_signed_read(struct hk_ssh_signed *out, const void *message, size_t size)
{
    struct hk_ssh_signed read = {.kind = HK_SIGN_SSHSIG};
    if (!read_sshsig(&read, HK_BYTES(message, size))) {
        read = (struct hk_ssh_signed){.kind = HK_SIGN_SSH_LOGIN};
        if (!read_login(&read, HK_BYTES(message, size))) {
            read = (struct hk_ssh_signed){.kind = HK_SIGN_RAW};
        }
    }
    *out = read;
}

static bool is_shown(struct hk_bytes text, size_t max)
{
    return text.size >= 1 && text.size <= max && hk_text_is_printable(text.data, text.size);
}

/* The key itself, or a certificate of it: what else that says is for the server to judge. */
static bool is_by(const struct hk_ssh_signed *login, const uint8_t key[32])
{
    struct hk_bytes rest = login->key, kind, nonce, bytes;
    if (!hk_ssh_take_string(&rest, &kind) || !hk_ssh_same(kind, login->algorithm)) {
        return false;
    }
    bool certificate = hk_ssh_is(kind, CERTIFICATE);
    if (!certificate && !hk_ssh_is(kind, ED25519)) {
        return false;
    }
    return (!certificate || hk_ssh_take_string(&rest, &nonce)) && hk_ssh_take_string(&rest, &bytes) &&
           hk_ssh_same(bytes, HK_BYTES(key, 32)) && (certificate || rest.size == 0);
}

enum hk_error hk_ssh_login_check(const struct hk_ssh_signed *login, const uint8_t key[32])
{
    bool shown = is_shown(login->user, HK_SSH_USER_MAX) && is_shown(login->service, HK_SSH_SERVICE_MAX) &&
                 memchr(login->service.data, ' ', login->service.size) == NULL;
    return login->kind == HK_SIGN_SSH_LOGIN && is_by(login, key) && shown ? HK_OK : HK_BAD_ENCODING;
}

void hk_ssh_login_text(char out[HK_SSH_LOGIN_TEXT_MAX], const struct hk_ssh_signed *login)
{
    char fingerprint[HK_SSH_FINGERPRINT_MAX] = "-";
    if (login->host.size != 0) {
        hk_ssh_fingerprint(fingerprint, login->host);
    }
    snprintf(out, HK_SSH_LOGIN_TEXT_MAX, "%.*s %s %.*s", (int)login->service.size,
             (const char *)login->service.data, fingerprint, (int)login->user.size,
             (const char *)login->user.data);
}
