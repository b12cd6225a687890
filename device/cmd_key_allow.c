/* key allow: what SSH's clients may use a key for: shown, or changed for all devices of the account. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/json.h"
#include "device/ssh_policy.h"
#include "protocol/encoding.h"

static const char *const forwarded_names[] = {"ask", "no", "yes"};
#define FORWARDED_NAMES (sizeof forwarded_names / sizeof *forwarded_names)

/* ---- hosts ---- */

/* "SHA256:" and 43 characters; nothing may follow but white space. */
static bool read_fingerprint(uint8_t out[32], const char *text)
{
    size_t size = 0, length = strcspn(text, " \t\r\n");
    return strncmp(text, "SHA256:", 7) == 0 && length == HK_SSH_FINGERPRINT_MAX - 1 &&
           hk_base64_decode(out, 32, &size, text + 7, length - 7, HK_BASE64_RAW) == HK_OK && size == 32;
}

static int add_host(struct hk_ssh_policy *policy, const char *name, const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < policy->host_count; i++)
        if (memcmp(policy->hosts[i].fingerprint, fingerprint, 32) == 0)
            return 0;
    if (policy->host_count == HK_SSH_HOSTS_MAX)
        return hk_fail_text(HK_EXIT_USAGE, "a key is for %d keys of hosts at most", HK_SSH_HOSTS_MAX);
    struct hk_ssh_host *host = &policy->hosts[policy->host_count++];
    snprintf(host->name, sizeof host->name, "%s", name);
    memcpy(host->fingerprint, fingerprint, 32);
    return 0;
}

/* ssh-keygen knows where known hosts are kept, and how their names are hashed. */
static FILE *look_up(const char *name, const char *known_hosts, pid_t *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    *child = fork();
    if (*child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(ends[1], 1) < 0 || dup2(null, 2) < 0)
            _exit(127);
        execlp("ssh-keygen", "ssh-keygen", "-l", "-F", name, known_hosts ? "-f" : NULL, known_hosts,
               (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (*child > 0)
        return fdopen(ends[0], "r");
    close(ends[0]);
    return NULL;
}

/* Every key that known_hosts has for this name. */
static int add_known(struct hk_ssh_policy *policy, const char *name, const char *known_hosts)
{
    char line[4096];
    uint8_t fingerprint[32];
    pid_t child;
    int status = 0, found = 0;
    FILE *file = look_up(name, known_hosts, &child);
    while (file && !status && fgets(line, sizeof line, file)) {
        const char *at = strstr(line, "SHA256:");
        if (at && read_fingerprint(fingerprint, at)) {
            status = add_host(policy, name, fingerprint);
            found++;
        }
    }
    if (file) {
        fclose(file);
        waitpid(child, NULL, 0);
    }
    return status || found ? status
                           : hk_fail_text(HK_EXIT_FAILED,
                                          "known_hosts has no key of '%s': log in there once, or give "
                                          "NAME=SHA256:..., as 'ssh-keygen -l -f KEY.pub' prints it there",
                                          name);
}

static int read_host(struct hk_ssh_policy *policy, char *text, const char *known_hosts)
{
    uint8_t fingerprint[32];
    if (read_fingerprint(fingerprint, text))
        return add_host(policy, "host", fingerprint);
    char *equals = strchr(text, '=');
    if (!equals)
        return add_known(policy, text, known_hosts);
    *equals = 0;
    return read_fingerprint(fingerprint, equals + 1)
               ? add_host(policy, text, fingerprint)
               : hk_fail_text(HK_EXIT_USAGE, "'%s' is no fingerprint SHA256:...", equals + 1);
}

/* ---- options ---- */

static int read_namespace(struct hk_ssh_policy *policy, char *text, const char *unused)
{
    (void)unused;
    if (policy->namespace_count == HK_SSH_NAMESPACES_MAX)
        return hk_fail_text(HK_EXIT_USAGE, "a key is for %d namespaces at most", HK_SSH_NAMESPACES_MAX);
    snprintf(policy->namespaces[policy->namespace_count++], HK_SSH_NAME_MAX + 1, "%s", text);
    return 0;
}

/* "any", "none", or names with commas between them. *named: whether there is a list. */
static int read_list(struct hk_ssh_policy *policy, bool *named, const char *option, const char *text,
                     int (*add)(struct hk_ssh_policy *policy, char *name, const char *known_hosts),
                     const char *known_hosts)
{
    char copy[4096], *rest = copy;
    int status = 0;
    *named = strcmp(text, "any") != 0;
    if (!*named || strcmp(text, "none") == 0)
        return 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *name; !status && (name = strsep(&rest, ",")) != NULL;) {
        if (*name == 0 || strlen(name) > HK_SSH_NAME_MAX + HK_SSH_FINGERPRINT_MAX)
            return hk_fail_text(HK_EXIT_USAGE, "--%s is any, none, or names with commas between them",
                                option);
        status = add(policy, name, known_hosts);
    }
    return status;
}

static int read_options(struct hk_ssh_policy *policy, const struct hk_call *call)
{
    const char *namespaces = hk_call_option(call, "namespaces"), *hosts = hk_call_option(call, "hosts"),
               *forwarded = hk_call_option(call, "forwarded");
    int status = 0;
    if (namespaces) {
        policy->namespace_count = 0;
        status = read_list(policy, &policy->names_namespaces, "namespaces", namespaces, read_namespace, NULL);
    }
    if (hosts && !status) {
        policy->host_count = 0;
        status = read_list(policy, &policy->names_hosts, "hosts", hosts, read_host,
                           hk_call_option(call, "known-hosts"));
    }
    for (size_t i = 0; forwarded && i < FORWARDED_NAMES; i++) {
        if (strcmp(forwarded, forwarded_names[i]) == 0) {
            policy->forwarded = (enum hk_ssh_forwarded)i;
            return status;
        }
    }
    return forwarded && !status ? hk_fail_text(HK_EXIT_USAGE, "--forwarded is ask, no or yes") : status;
}

/* ---- what it says ---- */

static void host_text(char out[HK_SSH_NAME_MAX + HK_SSH_FINGERPRINT_MAX + 2], const struct hk_ssh_host *host)
{
    char base64[HK_BASE64_SIZE(32)];
    hk_base64_encode(base64, host->fingerprint, 32, HK_BASE64_RAW);
    snprintf(out, HK_SSH_NAME_MAX + HK_SSH_FINGERPRINT_MAX + 2, "%s=SHA256:%s", host->name, base64);
}

static void show_json(const struct hk_ssh_policy *policy, const char *name)
{
    struct hk_json json;
    char text[HK_SSH_NAME_MAX + HK_SSH_FINGERPRINT_MAX + 2];
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "name", name);
    if (policy->names_namespaces) {
        hk_json_list(&json, "namespaces");
        for (size_t i = 0; i < policy->namespace_count; i++)
            hk_json_text(&json, NULL, policy->namespaces[i]);
        hk_json_end_list(&json);
    }
    if (policy->names_hosts) {
        hk_json_list(&json, "hosts");
        for (size_t i = 0; i < policy->host_count; i++) {
            host_text(text, &policy->hosts[i]);
            hk_json_text(&json, NULL, text);
        }
        hk_json_end_list(&json);
    }
    hk_json_text(&json, "forwarded", forwarded_names[policy->forwarded]);
    hk_json_end_map(&json);
}

static void show(const struct hk_ssh_policy *policy)
{
    char text[HK_SSH_NAME_MAX + HK_SSH_FINGERPRINT_MAX + 2];
    printf("namespaces:%s", policy->names_namespaces ? policy->namespace_count ? "" : " none" : " any");
    for (size_t i = 0; i < policy->namespace_count; i++)
        printf(" %s", policy->namespaces[i]);
    printf("\nhosts:%s", policy->names_hosts ? policy->host_count ? "" : " none" : " any");
    for (size_t i = 0; i < policy->host_count; i++) {
        host_text(text, &policy->hosts[i]);
        printf(" %s", text);
    }
    printf("\nforwarded: %s\n", forwarded_names[policy->forwarded]);
}

/* ---- the command ---- */

static int put(struct hk_console *console, const char *name, const struct hk_ssh_policy *policy)
{
    uint8_t encoded[HK_ATTACHMENT_MAX];
    size_t size = 0;
    enum hk_error error = hk_ssh_policy_encode(policy, encoded, sizeof encoded, &size);
    if (error)
        return hk_fail_text(HK_EXIT_USAGE, error == HK_TOO_LARGE
                                               ? "these are too many names for one key"
                                               : "names are printable text of at most 64 bytes");
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_ATTACH);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_text(request, HK_A_NAME, HK_SSH_POLICY_ATTACHMENT);
    hk_agent_set_bytes(request, HK_A_ATTACHMENT, encoded, size);
    return hk_console_ask(console);
}

static int allow(struct hk_console *console, const char *name)
{
    const struct hk_call *call = console->call;
    struct hk_agent_key_row row;
    struct hk_ssh_policy policy;
    int status = hk_find_key(console, name, &row);
    if (!status && row.suite != HK_SUITE_ED25519)
        status = hk_fail_text(HK_EXIT_FAILED, "'%s' is no key for SSH: those are of suite ed25519", name);
    if (!status && hk_ssh_policy_decode(&policy, row.policy, row.policy_size))
        status =
            hk_fail_text(HK_EXIT_FAILED, "'%s': what it may be used for was set by a later version", name);
    if (!status)
        status = read_options(&policy, call);
    bool changes = hk_call_option(call, "namespaces") || hk_call_option(call, "hosts") ||
                   hk_call_option(call, "forwarded");
    if (!status && changes)
        status = put(console, name, &policy);
    if (!status && call->json)
        show_json(&policy, name);
    else if (!status)
        show(&policy);
    return status;
}

int hk_cmd_key_allow(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status)
        status = allow(&console, call->arguments[0]);
    hk_console_close(&console);
    return status;
}
