/* ssh_binding.h - which sessions a connection to the agent belongs to (session-bind@openssh.com).
 *
 * A client that opens a connection says, before anything else, for which session of which server it is, with
 * the server's signature, and whether the connection is handed on to that server's side (ssh -A). What comes
 * through a forwarded connection can add to this list and cannot take away from it, so it can never pass for
 * a local one. A client that says nothing is taken for local: so do ssh-keygen, ssh-add and programs older
 * than OpenSSH 8.9. Source: OpenSSH's PROTOCOL.agent, section 1. */
#ifndef HALFKEY_DEVICE_SSH_BINDING_H
#define HALFKEY_DEVICE_SSH_BINDING_H

#include "protocol/ssh_wire.h"

#define HK_SSH_BINDINGS_MAX 16
#define HK_SSH_SESSION_MAX 64
#define HK_SSH_HOST_KEY_MAX 2048

struct hk_ssh_binding {
    size_t session_size, host_size;
    uint8_t session[HK_SSH_SESSION_MAX], host[HK_SSH_HOST_KEY_MAX];
    bool forwarded; /* the connection is handed on to this server */
};

/* Of one connection; zeroed at its start. */
struct hk_ssh_bindings {
    size_t count;
    bool broken; /* a binding came that could not be checked: taken for forwarded from then on */
    struct hk_ssh_binding at[HK_SSH_BINDINGS_MAX];
};

/* Adds a binding: `request` is the extension's content, behind its name. HK_BAD_ENCODING, HK_BAD_SIGNATURE,
 * HK_UNSUPPORTED (another kind of server key), HK_CONFLICT (bound for a login already, or a session twice
 * with another server), HK_OVER_QUOTA: then `broken` is set. */
HK_CHECK enum hk_error hk_ssh_bind(struct hk_ssh_bindings *bindings, struct hk_bytes request);

/* Whether the connection is, or may be, used from another host. */
bool hk_ssh_is_forwarded(const struct hk_ssh_bindings *bindings) HK_CHECK;
/* The session that a login over this connection must be for; NULL if the client named none. */
const struct hk_ssh_binding *hk_ssh_bound_to(const struct hk_ssh_bindings *bindings) HK_CHECK;

#endif
