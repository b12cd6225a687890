/* ssh_signed.h - what an SSH key is asked to sign, read back from the bytes that are signed.
 *
 * A login (RFC 4252 section 7, and OpenSSH's PROTOCOL for the host-bound form) holds the session, the user,
 * the service and, host-bound, the server's key. A signature of a file (PROTOCOL.sshsig) holds its namespace.
 * Device and service both read the same bytes with this: what is shown, allowed and logged is what is signed.
 * A text is taken for one of the two only if it is exactly that, with nothing behind it: that is how those
 * who verify build it. Anything else is raw. */
#ifndef HALFKEY_PROTOCOL_SSH_SIGNED_H
#define HALFKEY_PROTOCOL_SSH_SIGNED_H

#include "protocol/message.h"
#include "protocol/ssh_wire.h"

#define HK_SSH_USER_MAX 128
#define HK_SSH_SERVICE_MAX 64

/* Spans borrow from the message. */
struct hk_ssh_signed {
    enum hk_sign_kind kind;                 /* HK_SIGN_SSHSIG, HK_SIGN_SSH_LOGIN or HK_SIGN_RAW */
    struct hk_bytes namespace;              /* of SSHSIG */
    struct hk_bytes session, user, service; /* of a login */
    struct hk_bytes algorithm, key;         /* of a login: which key says that it is asked */
    struct hk_bytes host;                   /* of a host-bound login; size 0 otherwise */
};
void hk_ssh_signed_read(struct hk_ssh_signed *out, const void *message, size_t size);

/* Whether a login is by this Ed25519 key or a certificate of it, and its names can be shown: 1 to
 * HK_SSH_USER_MAX and HK_SSH_SERVICE_MAX bytes, printable UTF-8, the service without spaces. HK_BAD_ENCODING
 * if not. */
HK_CHECK enum hk_error hk_ssh_login_check(const struct hk_ssh_signed *login, const uint8_t key[32]);

/* "SERVICE FINGERPRINT USER", as the log has it: the fingerprint of the server's key, or "-" where the login
 * does not name it. Only of one that hk_ssh_login_check has passed. */
#define HK_SSH_LOGIN_TEXT_MAX (HK_SSH_SERVICE_MAX + 1 + HK_SSH_FINGERPRINT_MAX + HK_SSH_USER_MAX + 1)
void hk_ssh_login_text(char out[HK_SSH_LOGIN_TEXT_MAX], const struct hk_ssh_signed *login);

#endif
