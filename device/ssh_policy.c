#include "device/ssh_policy.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/object_fields.h"

/* ---- the attachment ---- */

static void put_name(struct hk_cbor_writer *writer, const char *name)
{
    if (*name == '\0' || !hk_text_is_printable(name, strlen(name)))
        writer->error = HK_BAD_ENCODING;
    hk_cbor_put_text(writer, name, strlen(name));
}

enum hk_error hk_ssh_policy_encode(const struct hk_ssh_policy *policy, uint8_t *out, size_t max, size_t *size)
{
    struct hk_cbor_writer writer;
    if (policy->namespace_count > HK_SSH_NAMESPACES_MAX || policy->host_count > HK_SSH_HOSTS_MAX)
        return HK_BAD_ENCODING;
    hk_cbor_writer_init(&writer, out, max < HK_ATTACHMENT_MAX ? max : HK_ATTACHMENT_MAX);
    hk_cbor_put_map(&writer, 1U + policy->names_namespaces + policy->names_hosts);
    if (policy->names_namespaces) {
        hk_cbor_put_uint(&writer, 1);
        hk_cbor_put_array(&writer, policy->namespace_count);
        for (size_t i = 0; i < policy->namespace_count; i++)
            put_name(&writer, policy->namespaces[i]);
    }
    if (policy->names_hosts) {
        hk_cbor_put_uint(&writer, 2);
        hk_cbor_put_array(&writer, policy->host_count);
        for (size_t i = 0; i < policy->host_count; i++) {
            hk_cbor_put_array(&writer, 2);
            put_name(&writer, policy->hosts[i].name);
            hk_cbor_put_bytes(&writer, policy->hosts[i].fingerprint, 32);
        }
    }
    hk_put_uint_field(&writer, 3, policy->forwarded);
    return hk_cbor_writer_finish(&writer, size);
}

static void get_name(struct hk_cbor_reader *reader, char out[HK_SSH_NAME_MAX + 1])
{
    struct hk_bytes text = hk_cbor_get_text(reader, 1, HK_SSH_NAME_MAX);
    if (text.data == NULL || !hk_text_is_printable(text.data, text.size)) {
        hk_cbor_fail(reader);
        return;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static void get_host(struct hk_cbor_reader *reader, struct hk_ssh_host *host)
{
    if (hk_cbor_get_array(reader, 2) != 2) {
        hk_cbor_fail(reader);
        return;
    }
    get_name(reader, host->name);
    struct hk_bytes fingerprint = hk_cbor_get_bytes(reader, 32, 32);
    if (fingerprint.data != NULL)
        memcpy(host->fingerprint, fingerprint.data, 32);
}

enum hk_error hk_ssh_policy_decode(struct hk_ssh_policy *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_ssh_policy policy;
    memset(&policy, 0, sizeof policy);
    if (size == 0) {
        *out = policy;
        return HK_OK;
    }
    hk_cbor_reader_init(&reader, data, size);
    struct hk_fields fields = hk_fields_begin(&reader, 3);
    policy.names_namespaces = hk_fields_has(&fields, 1);
    if (policy.names_namespaces) {
        hk_fields_need(&fields, 1);
        policy.namespace_count = hk_cbor_get_array(&reader, HK_SSH_NAMESPACES_MAX);
        for (size_t i = 0; i < policy.namespace_count; i++)
            get_name(&reader, policy.namespaces[i]);
    }
    policy.names_hosts = hk_fields_has(&fields, 2);
    if (policy.names_hosts) {
        hk_fields_need(&fields, 2);
        policy.host_count = hk_cbor_get_array(&reader, HK_SSH_HOSTS_MAX);
        for (size_t i = 0; i < policy.host_count; i++)
            get_host(&reader, &policy.hosts[i]);
    }
    policy.forwarded = (enum hk_ssh_forwarded)hk_fields_uint(&fields, 3, HK_SSH_FORWARDED_YES);
    hk_fields_end(&fields);
    enum hk_error error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK)
        *out = policy;
    return error;
}

/* ---- what it says ---- */

/* The server that a login goes to: as the signed text names it, else as the client's session was bound. Size
 * 0 if neither says. */
static struct hk_bytes host_of(const struct hk_ssh_signed *what, const struct hk_ssh_bindings *bindings)
{
    const struct hk_ssh_binding *bound = hk_ssh_bound_to(bindings);
    if (what->host.size != 0 || !bound)
        return what->host;
    return HK_BYTES(bound->host, bound->host_size);
}

static const struct hk_ssh_host *known_host(const struct hk_ssh_policy *policy, struct hk_bytes host)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, host.data, host.size);
    for (size_t i = 0; host.size != 0 && i < policy->host_count; i++)
        if (memcmp(policy->hosts[i].fingerprint, hash, sizeof hash) == 0)
            return &policy->hosts[i];
    return NULL;
}

static bool allows_namespace(const struct hk_ssh_policy *policy, struct hk_bytes namespace)
{
    for (size_t i = 0; i < policy->namespace_count; i++)
        if (hk_ssh_is(namespace, policy->namespaces[i]))
            return true;
    return !policy->names_namespaces;
}

/* Why what is signed is not what this connection may ask for; NULL if it is. */
static const char *against_binding(const struct hk_ssh_signed *what, const struct hk_ssh_bindings *bindings)
{
    const struct hk_ssh_binding *bound = hk_ssh_bound_to(bindings);
    if (what->kind != HK_SIGN_SSH_LOGIN || !bound)
        return NULL;
    if (!hk_ssh_same(what->session, HK_BYTES(bound->session, bound->session_size)))
        return "it is a login to another session than the one that asks";
    if (what->host.size != 0 && !hk_ssh_same(what->host, HK_BYTES(bound->host, bound->host_size)))
        return "it is a login to another host than the one that asks";
    return NULL;
}

static const char *against_limits(const struct hk_ssh_policy *policy, const struct hk_ssh_signed *what,
                                  const struct hk_ssh_bindings *bindings)
{
    struct hk_bytes host = host_of(what, bindings);
    switch (what->kind) {
    case HK_SIGN_SSHSIG:
        return allows_namespace(policy, what->namespace) ? NULL : "this key is not for that namespace";
    case HK_SIGN_SSH_LOGIN:
        if (!policy->names_hosts || known_host(policy, host))
            return NULL;
        return host.size != 0 ? "this key is not for that host"
                              : "this key is for certain hosts, and nothing says which one this is";
    default:
        if (hk_ssh_is_forwarded(bindings))
            return "nothing says what it is for, and it comes from another host";
        return policy->names_hosts || policy->names_namespaces
                   ? "this key is for certain uses, and nothing says what this one is"
                   : NULL;
    }
}

enum hk_ssh_verdict hk_ssh_decide(const struct hk_ssh_policy *policy, const struct hk_ssh_signed *what,
                                  const struct hk_ssh_bindings *bindings, char why[HK_SSH_WHY_MAX])
{
    const char *against = against_binding(what, bindings);
    if (!against)
        against = against_limits(policy, what, bindings);
    if (!against && hk_ssh_is_forwarded(bindings) && policy->forwarded == HK_SSH_FORWARDED_NO)
        against = "this key is not for use from another host (a forwarded agent)";
    snprintf(why, HK_SSH_WHY_MAX, "%s", against ? against : "");
    if (against)
        return HK_SSH_REFUSE;
    if (!hk_ssh_is_forwarded(bindings) || policy->forwarded == HK_SSH_FORWARDED_YES)
        return HK_SSH_ALLOW;
    snprintf(why, HK_SSH_WHY_MAX, "it is asked for from another host (a forwarded agent)");
    return HK_SSH_ASK;
}

bool hk_ssh_is_offered(const struct hk_ssh_policy *policy, const struct hk_ssh_bindings *bindings)
{
    const struct hk_ssh_binding *bound = hk_ssh_bound_to(bindings);
    if (hk_ssh_is_forwarded(bindings) && policy->forwarded == HK_SSH_FORWARDED_NO)
        return false;
    return !bound || !policy->names_hosts || known_host(policy, HK_BYTES(bound->host, bound->host_size));
}

/* ---- for people ---- */

/* At most `max` bytes of what may be anything. */
static void put_shown(char *out, size_t size, struct hk_bytes text, size_t max)
{
    if (text.size >= 1 && text.size <= max && hk_text_is_printable(text.data, text.size))
        snprintf(out, size, "%.*s", (int)text.size, (const char *)text.data);
    else
        snprintf(out, size, "(a name that cannot be shown)");
}

static void describe_login(char out[HK_SSH_WHAT_MAX], const struct hk_ssh_policy *policy,
                           const struct hk_ssh_signed *what, struct hk_bytes host)
{
    char user[HK_SSH_USER_MAX + 1], fingerprint[HK_SSH_FINGERPRINT_MAX];
    put_shown(user, sizeof user, what->user, HK_SSH_USER_MAX);
    if (host.size == 0) {
        snprintf(out, HK_SSH_WHAT_MAX, "a login as %s at a host that is not named", user);
        return;
    }
    const struct hk_ssh_host *known = known_host(policy, host);
    hk_ssh_fingerprint(fingerprint, host);
    if (known)
        snprintf(out, HK_SSH_WHAT_MAX, "a login as %s at %s (%s)", user, known->name, fingerprint);
    else
        snprintf(out, HK_SSH_WHAT_MAX, "a login as %s at the host %s", user, fingerprint);
}

void hk_ssh_describe(char out[HK_SSH_WHAT_MAX], const struct hk_ssh_policy *policy,
                     const struct hk_ssh_signed *what, const struct hk_ssh_bindings *bindings)
{
    char namespace[HK_SSH_NAME_MAX + 1];
    if (what->kind == HK_SIGN_SSH_LOGIN) {
        describe_login(out, policy, what, host_of(what, bindings));
    } else if (what->kind == HK_SIGN_SSHSIG) {
        put_shown(namespace, sizeof namespace, what->namespace, HK_SSH_NAME_MAX);
        snprintf(out, HK_SSH_WHAT_MAX, "a signature in the namespace %s", namespace);
    } else {
        snprintf(out, HK_SSH_WHAT_MAX, "a signature of which nothing says what it is for");
    }
}
