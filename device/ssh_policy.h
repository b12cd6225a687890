/* ssh_policy.h - for what an SSH key of the account may be used by the programs that ask the agent.
 *
 * A key's policy is one of its public attachments in the account's profile (`ssh`): signed by the account,
 * changed only by an administrator's device, the same on every device, and no service can loosen it. Devices
 * keep to it; what it cannot do is bind a device that is in other hands. Without one: any namespace, any
 * host, and uses from another host (a forwarded agent) are asked for.
 *
 * Encoded as deterministic CBOR, at most HK_ATTACHMENT_MAX bytes: { ? 1: [* namespace], ? 2: [* [name,
 * fingerprint of the host's key, 32 bytes]], 3: forwarded }. A list that is absent limits nothing; an empty
 * one allows nothing. */
#ifndef HALFKEY_DEVICE_SSH_POLICY_H
#define HALFKEY_DEVICE_SSH_POLICY_H

#include <stdbool.h>

#include "device/ssh_binding.h"
#include "protocol/object.h"
#include "protocol/ssh_signed.h"

#define HK_SSH_POLICY_ATTACHMENT "ssh"
#define HK_SSH_NAMESPACES_MAX 8
#define HK_SSH_HOSTS_MAX 24
#define HK_SSH_NAME_MAX 64

enum hk_ssh_forwarded { HK_SSH_FORWARDED_ASK = 0, HK_SSH_FORWARDED_NO = 1, HK_SSH_FORWARDED_YES = 2 };

struct hk_ssh_host {
    char name[HK_SSH_NAME_MAX + 1]; /* for people; what counts is the key */
    uint8_t fingerprint[32];        /* SHA-256 of the public key as it is on the wire */
};
struct hk_ssh_policy {
    bool names_namespaces, names_hosts; /* false: any */
    enum hk_ssh_forwarded forwarded;
    size_t namespace_count, host_count;
    char namespaces[HK_SSH_NAMESPACES_MAX][HK_SSH_NAME_MAX + 1];
    struct hk_ssh_host hosts[HK_SSH_HOSTS_MAX];
};

/* HK_TOO_LARGE if it does not fit into an attachment, HK_BAD_ENCODING for names that cannot be shown. */
HK_CHECK enum hk_error hk_ssh_policy_encode(const struct hk_ssh_policy *policy, uint8_t *out, size_t max,
                                            size_t *size);
/* Nothing (size 0) is the policy of a key that has none. HK_BAD_ENCODING; then nothing may be done with the
 * key: it is of a later version, and may be stricter. */
HK_CHECK enum hk_error hk_ssh_policy_decode(struct hk_ssh_policy *out, const void *data, size_t size);

/* The verdict about one request. */
enum hk_ssh_verdict { HK_SSH_REFUSE, HK_SSH_ASK, HK_SSH_ALLOW };
/* What the agent does with a request that reads as `what`, on a connection with these bindings. `why` is a
 * sentence's second half for the user: why it is refused, or what is asked ("" if it is allowed). */
#define HK_SSH_WHY_MAX 512
enum hk_ssh_verdict hk_ssh_decide(const struct hk_ssh_policy *policy, const struct hk_ssh_signed *what,
                                  const struct hk_ssh_bindings *bindings, char why[HK_SSH_WHY_MAX]) HK_CHECK;

/* Whether a key is shown on this connection at all: not where it would be refused whatever is asked. A server
 * counts the keys that it is offered. */
bool hk_ssh_is_offered(const struct hk_ssh_policy *policy, const struct hk_ssh_bindings *bindings) HK_CHECK;

/* What is to be signed, for people: "a login as alice at example.org (SHA256:...)", "a signature for git".
 * Host names are the policy's. Never anything but printable text. */
#define HK_SSH_WHAT_MAX 512
void hk_ssh_describe(char out[HK_SSH_WHAT_MAX], const struct hk_ssh_policy *policy,
                     const struct hk_ssh_signed *what, const struct hk_ssh_bindings *bindings);

#endif
