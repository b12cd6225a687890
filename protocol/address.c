#include "protocol/address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/encoding.h"

static const char own_scheme[] = "halfkey://", tcp_scheme[] = "tcp://", ipc_scheme[] = "ipc://";

struct scheme {
    const char *text;
    bool has_port;
};
static const struct scheme schemes[] = {
    {tcp_scheme, true}, {ipc_scheme, false}, {"ws://", true}, {"tls+tcp://", true}};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static enum hk_error refuse(const char **reason, const char *sentence)
{
    if (reason != NULL) {
        *reason = sentence;
    }
    return HK_BAD_ENCODING;
}

/* ---- host and port ---- */

/* The end of the host, which is not empty; NULL if there is none. */
static const char *host_end(const char *host)
{
    if (*host == '[') {
        const char *close = strchr(host, ']');
        return close == NULL || close == host + 1 ? NULL : close + 1;
    }
    const char *end = host + strcspn(host, ":/[]");
    return end == host ? NULL : end;
}

static bool is_port(const char *text, size_t length, bool zero)
{
    char digits[6] = {0};
    if (length == 0 || length >= sizeof(digits) || strspn(text, "0123456789") < length) {
        return false;
    }
    memcpy(digits, text, length);
    long port = strtol(digits, NULL, 10);
    return port <= 65535 && (zero || port != 0);
}

static enum hk_error check_host(const char *host, bool listen, bool path, const char **reason)
{
    const char *end = host_end(host);
    if (end == NULL) {
        return refuse(reason, "a host is missing; an IPv6 address stands in brackets");
    }
    if (!listen && *host == '*') {
        return refuse(reason, "* is no host that can be reached");
    }
    if (*end != ':') {
        return refuse(reason, "a port is missing, as in tcp://host:7700; an IPv6 address stands in brackets");
    }
    size_t length = strcspn(end + 1, "/");
    if (!is_port(end + 1, length, listen)) {
        return refuse(reason, "the port must be a number up to 65535");
    }
    if (end[1 + length] != '\0' && !path) {
        return refuse(reason, "nothing may follow the port");
    }
    return HK_OK;
}

enum hk_error hk_address_check_url(const char *url, bool listen, const char **reason)
{
    const struct scheme *scheme = NULL;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (begins(url, schemes[i].text)) {
            scheme = &schemes[i];
        }
    }
    if (scheme == NULL) {
        return refuse(reason, "an address begins with halfkey://, tcp://, ipc://, ws:// or tls+tcp://");
    }
    if (strlen(url) > HK_ADDRESS_MAX) {
        return refuse(reason, "the address is too long");
    }
    for (const char *at = url; *at != '\0'; at++) {
        if (!isgraph((unsigned char)*at) && !(*at == ' ' && !scheme->has_port)) {
            return refuse(reason, "the address has a space or a character that cannot be in it");
        }
        if (*at == '#') {
            return refuse(reason, "there may be no # here");
        }
    }
    const char *rest = url + strlen(scheme->text);
    if (!scheme->has_port) {
        return *rest == '/' && rest[1] != '\0' ? HK_OK : refuse(reason, "ipc:// needs an absolute path");
    }
    return check_host(rest, listen, strcmp(scheme->text, "ws://") == 0, reason);
}

bool hk_address_is_local(const char *url)
{
    if (begins(url, ipc_scheme)) {
        return true;
    }
    const char *host = strstr(url, "://");
    if (host == NULL) {
        return false;
    }
    host += 3;
    size_t numeric = strspn(host, "0123456789.");
    return (begins(host, "127.") && host[numeric] == ':') || begins(host, "localhost:") ||
           begins(host, "[::1]:");
}

bool hk_address_is_any(const char *url)
{
    const char *host = strstr(url, "://");
    return host != NULL &&
           (begins(host + 3, "0.0.0.0:") || begins(host + 3, "[::]:") || begins(host + 3, "*:"));
}

/* ---- with the key ---- */
static enum hk_error parse_key(struct hk_address *out, const char *text, size_t length, const char **reason)
{
    size_t size;
    if (length != HK_ADDRESS_KEY_CHARACTERS) {
        return refuse(reason, "the service's key must have 52 characters");
    }
    if (hk_base32_decode(out->service_key, sizeof(out->service_key), &size, text, length, HK_BASE32_LOWER) !=
            HK_OK ||
        size != sizeof(out->service_key)) {
        return refuse(reason, "the service's key must be of the letters a-z and the digits 2-7");
    }
    return HK_OK;
}

/* Copies the address with the key taken out. */
static enum hk_error split(struct hk_address *out, const char *text, const char **reason)
{
    if (begins(text, own_scheme)) {
        const char *key = text + sizeof(own_scheme) - 1, *at = strchr(key, '@');
        if (at == NULL) {
            return refuse(reason, "halfkey:// needs the service's key before an @: halfkey://KEY@host:port");
        }
        const char *end = host_end(at + 1);
        bool has_port = end != NULL && *end == ':';
        char port[8] = "";
        if (!has_port) {
            snprintf(port, sizeof(port), ":%d", HK_ADDRESS_PORT);
        }
        snprintf(out->url, sizeof(out->url), "%s%s%s", tcp_scheme, at + 1, port);
        return parse_key(out, key, (size_t)(at - key), reason);
    }
    const char *hash = strrchr(text, '#');
    if (hash == NULL) {
        return refuse(reason, "the service's key is missing: put #KEY behind the address");
    }
    snprintf(out->url, sizeof(out->url), "%.*s", (int)(hash - text), text);
    return parse_key(out, hash + 1, strlen(hash + 1), reason);
}

enum hk_error hk_address_parse(struct hk_address *out, const char *text, const char **reason)
{
    struct hk_address address = {0};
    if (strlen(text) > HK_ADDRESS_MAX) {
        return refuse(reason, "the address is too long");
    }
    if (strstr(text, "://") == NULL) {
        return refuse(reason, "an address begins with halfkey://, tcp://, ipc://, ws:// or tls+tcp://");
    }
    enum hk_error error = split(&address, text, reason);
    if (error == HK_OK) {
        error = hk_address_check_url(address.url, false, reason);
    }
    if (error == HK_OK) {
        *out = address;
    }
    return error;
}

enum hk_error hk_address_print(char out[HK_ADDRESS_MAX + 1], const char *url,
                               const uint8_t service_key[HK_NOISE_KEY_BYTES])
{
    char key[HK_BASE32_SIZE(HK_NOISE_KEY_BYTES)];
    enum hk_error error = hk_address_check_url(url, true, NULL);
    if (error != HK_OK) {
        return error;
    }
    if (strlen(url) + sizeof(own_scheme) + HK_ADDRESS_KEY_CHARACTERS > HK_ADDRESS_MAX) {
        return HK_TOO_LARGE;
    }
    hk_base32_encode(key, service_key, HK_NOISE_KEY_BYTES, HK_BASE32_LOWER);
    if (begins(url, tcp_scheme)) {
        snprintf(out, HK_ADDRESS_MAX + 1, "%s%s@%s", own_scheme, key, url + sizeof(tcp_scheme) - 1);
    } else {
        snprintf(out, HK_ADDRESS_MAX + 1, "%s#%s", url, key);
    }
    return HK_OK;
}
