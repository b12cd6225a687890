#include "keyservice/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/address.h"

enum { FROM_NOWHERE, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

static bool copy(char *out, size_t size, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(out, value, length + 1);
    return true;
}

/* ---- how each option is read; false for a value that it does not take ---- */

static bool set_data(struct hk_options *options, const char *value)
{
    return copy(options->data, sizeof(options->data), value);
}
static bool set_config(struct hk_options *options, const char *value)
{
    return copy(options->config, sizeof(options->config), value);
}
static bool set_listen(struct hk_options *options, const char *value)
{
    const char *reason;
    return options->listen_count < HK_LISTEN_URLS && hk_address_check_url(value, true, &reason) == HK_OK &&
           copy(options->listen[options->listen_count++], HK_LISTEN_URL_MAX, value);
}
static bool set_slots(struct hk_options *options, const char *value)
{
    return options->slots_count < 2 &&
           copy(options->slots[options->slots_count++], HK_OPTION_TEXT_MAX, value);
}
static bool set_registration(struct hk_options *options, const char *value)
{
    bool open = strcmp(value, "open") == 0;
    options->registration = open ? HK_REGISTRATION_OPEN : HK_REGISTRATION_CLOSED;
    return open || strcmp(value, "closed") == 0;
}
static bool set_public(struct hk_options *options, const char *value)
{
    const char *reason;
    return hk_address_check_url(value, false, &reason) == HK_OK &&
           copy(options->public_address, sizeof(options->public_address), value);
}
static bool set_quota(struct hk_options *options, const char *value)
{
    char *end;
    errno = 0;
    options->quota = strtoull(value, &end, 10);
    return isdigit((unsigned char)value[0]) && *end == '\0' && errno == 0 && options->quota <= 1000000000;
}
static bool set_user(struct hk_options *options, const char *value)
{
    return copy(options->user, sizeof(options->user), value);
}
static bool set_metrics(struct hk_options *options, const char *value)
{
    return strncmp(value, "http://", 7) == 0 && strchr(value + 7, '/') == NULL &&
           copy(options->metrics, sizeof(options->metrics), value);
}
static bool set_metrics_anywhere(struct hk_options *options, const char *value)
{
    options->metrics_anywhere = strcmp(value, "yes") == 0;
    return options->metrics_anywhere || strcmp(value, "no") == 0;
}
static bool set_log(struct hk_options *options, const char *value)
{
    options->log_requests = strcmp(value, "requests") == 0;
    return options->log_requests || strcmp(value, "problems") == 0;
}
static bool set_paillier(struct hk_options *options, const char *value)
{
    options->paillier_longer = strcmp(value, "3072") == 0;
    return options->paillier_longer || strcmp(value, "2048") == 0;
}
static bool set_prepared(struct hk_options *options, const char *value)
{
    options->prepared_off = strcmp(value, "off") == 0;
    return options->prepared_off || strcmp(value, "on") == 0;
}
static bool set_json(struct hk_options *options, const char *value)
{
    options->json = true;
    return value == NULL;
}
static bool set_force(struct hk_options *options, const char *value)
{
    options->force = true;
    return value == NULL;
}
static bool set_help(struct hk_options *options, const char *value)
{
    options->help = true;
    return value == NULL;
}
static bool set_version(struct hk_options *options, const char *value)
{
    options->version = true;
    return value == NULL;
}

static const struct row {
    const char *name, *argument;
    bool anywhere; /* also in the environment and in the file */
    bool (*set)(struct hk_options *options, const char *value);
    const char *help;
} rows[] = {
    {"data", "DIR", true, set_data,
     "where everything is kept (default: /var/lib/halfkey for root, else $XDG_DATA_HOME/halfkeyd)"},
    {"listen", "URL", true, set_listen,
     "where to accept requests: tcp://HOST:PORT (port 0: a free one), ipc:///PATH, ws://, tls+tcp://; may be "
     "given several times (default: tcp://127.0.0.1:7700, which only this machine can reach)"},
    {"public", "URL", true, set_public, "the url that devices dial, if it is not the one listened on"},
    {"registration", "open|closed", true, set_registration,
     "whether strangers may create accounts; must be said to listen beyond this machine"},
    {"slots", "FILE", true, set_slots,
     "the slot file; given twice, once for each copy, best on two disks (default: DIR/slots.a, DIR/slots.b)"},
    {"quota", "N", true, set_quota, "share operations a minute and device, 0 for no limit (default: 120000)"},
    {"metrics", "URL", true, set_metrics,
     "where to show /metrics and /healthz: http://127.0.0.1:PORT (default: nowhere)"},
    {"metrics-anywhere", "yes|no", true, set_metrics_anywhere,
     "yes: that address may be one that others than this machine reach"},
    {"log", "problems|requests", true, set_log,
     "log what goes wrong, or a line for every request (default: problems)"},
    {"paillier", "2048|3072", true, set_paillier,
     "bits of the Paillier keys that are made from now on, for two-party ECDSA (default: 2048)"},
    {"prepared", "on|off", true, set_prepared,
     "off: no nonce for ECDSA is made ahead of its message; say it where this machine may be put back to an "
     "earlier state (default: on)"},
    {"user", "NAME", true, set_user,
     "whom root becomes before anything is opened (default: halfkey, where that account exists)"},
    {"config", "FILE", true, set_config, "a file of lines such as 'registration = open'"},
    {"json", NULL, false, set_json, "with check: findings as JSON"},
    {"force", NULL, false, set_force,
     "with adopt-restore: also where database and slot files fit, because a copy of the same generation was "
     "put "
     "back (the service logs event=log-not-what-a-device-saw then)"},
    {"help", NULL, false, set_help, "show this"},
    {"version", NULL, false, set_version, "show the version"},
};
#define ROWS (sizeof(rows) / sizeof(*rows))
static_assert(ROWS <= sizeof(((struct hk_options *)0)->strength), "one strength a row");

static const struct command {
    const char *name;
    enum hk_command command;
    const char *help;
} commands[] = {
    {"address", HK_COMMAND_ADDRESS, "print the address that devices are given"},
    {"check", HK_COMMAND_CHECK, "read everything that is kept and say what is wrong; changes nothing"},
    {"adopt-restore", HK_COMMAND_ADOPT, "after a restored backup: take what fits together as the truth"},
    {"replace-ring", HK_COMMAND_REPLACE_RING, "have a new ring-Pedersen modulus made for two-party ECDSA"},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static enum hk_error apply(struct hk_options *options, const struct row *row, const char *value,
                           unsigned char strength, char *reason)
{
    unsigned char *set = &options->strength[row - rows];
    if (*set > strength) {
        return HK_OK;
    }
    if (*set < strength) { /* a stronger source replaces a whole list */
        options->listen_count = row->set == set_listen ? 0 : options->listen_count;
        options->slots_count = row->set == set_slots ? 0 : options->slots_count;
        *set = strength;
    }
    if (!row->set(options, value)) {
        (void)snprintf(reason, HK_OPTION_TEXT_MAX, "%s: '%.200s' is not a value that it takes", row->name,
                       value != NULL ? value : "");
        return HK_USAGE;
    }
    return HK_OK;
}

static enum hk_error read_command_line(struct hk_options *options, int argc, char **argv, char *reason)
{
    struct option longs[ROWS + 1] = {{0}};
    for (size_t i = 0; i < ROWS; i++) {
        longs[i].name = rows[i].name;
        longs[i].has_arg = rows[i].argument != NULL ? required_argument : no_argument;
        longs[i].val = (int)(256 + i);
    }
    optind = 1;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        const struct row *row = c >= 256 ? &rows[c - 256] : NULL;
        if (c == 'h') {
            options->help = true;
            continue;
        }
        if (row == NULL) {
            (void)snprintf(reason, HK_OPTION_TEXT_MAX, "%.200s: %s; see halfkeyd --help", argv[optind - 1],
                           c == ':' ? "wants a value" : "no such option");
            return HK_USAGE;
        }
        enum hk_error error = apply(options, row, optarg, FROM_COMMAND_LINE, reason);
        if (error != HK_OK) {
            return error;
        }
    }
    for (size_t i = 0; optind < argc && i < COMMANDS; i++) {
        if (strcmp(argv[optind], commands[i].name) == 0) {
            options->command = commands[i].command;
            optind++;
            break;
        }
    }
    if (optind < argc) {
        (void)snprintf(reason, HK_OPTION_TEXT_MAX, "%.200s: no such command; see halfkeyd --help",
                       argv[optind]);
        return HK_USAGE;
    }
    return HK_OK;
}

static enum hk_error read_environment(struct hk_options *options, char *reason)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < ROWS && error == HK_OK; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "HALFKEYD_%s", rows[i].name);
        for (char *p = name; *p != '\0'; p++) {
            *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
        }
        const char *value = rows[i].anywhere ? getenv(name) : NULL;
        if (value != NULL && value[0] != '\0') {
            error = apply(options, &rows[i], value, FROM_ENVIRONMENT, reason);
        }
    }
    return error;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--) {
        text[n - 1] = '\0';
    }
    return text;
}

static enum hk_error read_line(struct hk_options *options, char *line, char *reason)
{
    char *name = trim(line), *equals = strchr(name, '=');
    if (name[0] == '\0' || name[0] == '#') {
        return HK_OK;
    }
    if (equals != NULL) {
        *equals = '\0';
        name = trim(name);
        for (size_t i = 0; i < ROWS; i++) {
            if (rows[i].anywhere && rows[i].set != set_config && strcmp(rows[i].name, name) == 0) {
                return apply(options, &rows[i], trim(equals + 1), FROM_FILE, reason);
            }
        }
    }
    (void)snprintf(reason, HK_OPTION_TEXT_MAX, "%.200s: '%.200s' is not a setting", options->config, name);
    return HK_USAGE;
}

static enum hk_error read_file(struct hk_options *options, char *reason)
{
    bool wanted = options->config[0] != '\0';
    const char *home = getenv("XDG_CONFIG_HOME");
    if (!wanted && geteuid() == 0) {
        (void)copy(options->config, sizeof(options->config), "/etc/halfkeyd.conf");
    } else if (!wanted) {
        bool xdg = home != NULL && home[0] == '/';
        home = xdg ? home : getenv("HOME");
        if (home == NULL) {
            return HK_OK;
        }
        (void)snprintf(options->config, sizeof(options->config), "%.900s%s/halfkeyd.conf", home,
                       xdg ? "" : "/.config");
    }
    FILE *file = fopen(options->config, "re");
    if (file == NULL) {
        if (!wanted) {
            return HK_OK;
        }
        (void)snprintf(reason, HK_OPTION_TEXT_MAX, "%.900s: cannot be read", options->config);
        return HK_USAGE;
    }
    enum hk_error error = HK_OK;
    char line[HK_OPTION_TEXT_MAX];
    while (error == HK_OK && fgets(line, sizeof(line), file) != NULL) {
        error = read_line(options, line, reason);
    }
    (void)fclose(file);
    return error;
}

static enum hk_error fill_in(struct hk_options *options, char *reason)
{
    if (options->data[0] == '\0' && geteuid() == 0) {
        (void)copy(options->data, sizeof(options->data), "/var/lib/halfkey");
    } else if (options->data[0] == '\0') {
        const char *home = getenv("XDG_DATA_HOME");
        bool xdg = home != NULL && home[0] == '/';
        home = xdg ? home : getenv("HOME");
        if (home == NULL || home[0] != '/') {
            (void)snprintf(reason, HK_OPTION_TEXT_MAX, "there is no home folder: say --data DIR");
            return HK_USAGE;
        }
        (void)snprintf(options->data, sizeof(options->data), "%.900s%s/halfkeyd", home,
                       xdg ? "" : "/.local/share");
    }
    if (options->listen_count == 0) {
        (void)copy(options->listen[0], HK_LISTEN_URL_MAX, "tcp://127.0.0.1:7700");
        options->listen_count = 1;
    }
    if (options->slots_count == 1) {
        (void)snprintf(reason, HK_OPTION_TEXT_MAX, "--slots is given twice, once for each copy");
        return HK_USAGE;
    }
    bool local = true;
    for (size_t i = 0; i < options->listen_count; i++) {
        local = local && hk_address_is_local(options->listen[i]);
    }
    if (!local && options->registration == HK_REGISTRATION_UNSAID && options->command == HK_COMMAND_RUN) {
        (void)snprintf(reason, HK_OPTION_TEXT_MAX,
                       "beyond this machine, say --registration open (anybody may create an account) or "
                       "--registration closed");
        return HK_USAGE;
    }
    if (options->metrics[0] != '\0' && !options->metrics_anywhere && !hk_address_is_local(options->metrics)) {
        (void)snprintf(
            reason, HK_OPTION_TEXT_MAX,
            "others than this machine could read the metrics: say --metrics http://127.0.0.1:PORT, "
            "or --metrics-anywhere yes");
        return HK_USAGE;
    }
    return HK_OK;
}

enum hk_error hk_options_read(struct hk_options *options, int argc, char **argv,
                              char reason[HK_OPTION_TEXT_MAX])
{
    memset(options, 0, sizeof(*options));
    options->quota = 120000;
    enum hk_error error = read_command_line(options, argc, argv, reason);
    if (error != HK_OK || options->help || options->version) {
        return error;
    }
    error = read_environment(options, reason);
    if (error == HK_OK) {
        error = read_file(options, reason);
    }
    return error == HK_OK ? fill_in(options, reason) : error;
}

void hk_options_help(void)
{
    puts("usage: halfkeyd [OPTIONS]\n"
         "       halfkeyd COMMAND [OPTIONS]\n"
         "Runs a key service: the other half of keys that exist nowhere whole.\n\nCommands:");
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-28s %s\n", commands[i].name, commands[i].help);
    }
    puts("\nOptions:");
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        (void)snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument != NULL ? " " : "",
                       rows[i].argument != NULL ? rows[i].argument : "");
        printf("  %-28s %s\n", left, rows[i].help);
    }
    puts("\nEach is also an environment variable (HALFKEYD_LISTEN) and a line of the configuration file\n"
         "(listen = URL); the command line is stronger than the variable, and that than the file.\n"
         "SIGHUP reads registration and quota again. SIGTERM finishes what was accepted.");
}
