/* halfkeyd - the key service. */

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyservice/console.h"
#include "keyservice/notify.h"
#include "keyservice/options.h"
#include "keyservice/process.h"
#include "keyservice/server.h"
#include "protocol/seam.h"
#include "protocol/version.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int fail(int code, const char *sentence)
{
    (void)fprintf(stderr, "halfkeyd: %s\n", sentence);
    return code;
}

/* Before any thread is made: they inherit the mask, and only main hears signals. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* DIR/address, for `halfkeyd address` when the port was chosen by the system. */
static void keep_address(const struct hk_options *options, const char *address)
{
    char path[HK_OPTION_TEXT_MAX + 16], temporary[HK_OPTION_TEXT_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/address", options->data);
    (void)snprintf(temporary, sizeof(temporary), "%s/address.new", options->data);
    FILE *file = fopen(temporary, "we");
    bool written = file != NULL && fprintf(file, "%s\n", address) > 0;
    written = (file == NULL || fclose(file) == 0) && written;
    if (!written || rename(temporary, path) != 0) {
        hk_console(HK_LEVEL_WARNING, "address-not-kept", " file=\"%s\"", path);
    }
}

static void reload(struct hk_server *server, int argc, char **argv)
{
    char reason[HK_OPTION_TEXT_MAX];
    struct hk_options options;
    enum hk_error error = hk_options_read(&options, argc, argv, reason);
    if (error == HK_OK) {
        hk_policy_set(server->policy, &options);
        hk_console(HK_LEVEL_INFO, "policy-reloaded", " registration=%s quota=%llu",
                   hk_policy_registration_is_open(server->policy) ? "open" : "closed",
                   (unsigned long long)options.quota);
    } else {
        hk_console(HK_LEVEL_ERROR, "policy-not-reloaded", " reason=\"%s\"", reason);
    }
}

static int run(const struct hk_options *options, int argc, char **argv)
{
    char reason[256];
    sigset_t set;
    struct hk_server *server;
    block_signals(&set);
    hk_notify_open();
    hk_process_lock_memory();
    enum hk_error error = hk_server_start(&server, options, reason);
    if (error != HK_OK) {
        return fail(EXIT_FAILED, reason);
    }
    bool local = true;
    for (size_t i = 0; i < options->listen_count; i++) {
        local = local && hk_address_is_local(options->listen[i]);
    }
    keep_address(options, server->address);
    error = hk_process_confine(reason);
    if (error != HK_OK) {
        hk_server_stop(server);
        return fail(EXIT_FAILED, reason);
    }
    if (local) {
        (void)fprintf(stderr, "halfkeyd: only this machine can reach it; see --listen\n");
    }
    if (options->public_address[0] == '\0' && hk_address_is_any(options->listen[0])) {
        (void)fprintf(stderr, "halfkeyd: no other machine can dial the address below: say --public "
                              "tcp://HOST:PORT, by which devices reach this one\n");
    }
    printf("halfkeyd ready %s\n", server->address);
    (void)fflush(stdout);
    hk_console(HK_LEVEL_INFO, "started", " address=%s", server->address);
    hk_notify("READY=1");
    int signal_number = 0;
    HK_SEAM("service/main");
    while (sigwait(&set, &signal_number) == 0 && signal_number == SIGHUP) {
        reload(server, argc, argv);
    }
    hk_notify("STOPPING=1");
    hk_server_stop(server);
    hk_console(HK_LEVEL_INFO, "stopped", "%s", "");
    return EXIT_DONE;
}

static int print_address(const struct hk_options *options)
{
    char path[HK_OPTION_TEXT_MAX + 16], line[HK_ADDRESS_MAX + 2], reason[256] = "";
    (void)snprintf(path, sizeof(path), "%s/address", options->data);
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)fclose(file);
        (void)fputs(line, stdout);
        return EXIT_DONE;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)snprintf(path, sizeof(path), "%s/master.key", options->data);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        (void)fprintf(stderr, "halfkeyd: there is no service in %s yet; 'halfkeyd --data %s' starts one\n",
                      options->data, options->data);
        return EXIT_FAILED;
    }
    struct hk_secret32 *master = NULL;
    struct hk_service_keys *keys = NULL;
    char address[HK_ADDRESS_MAX + 1];
    enum hk_error error = hk_master_key_load(&master, options->data, false, reason);
    if (error == HK_OK) {
        error = hk_service_keys_load(&keys, options->data, master, false, reason);
    }
    if (error == HK_OK) {
        const char *url = options->public_address[0] != '\0' ? options->public_address : options->listen[0];
        error = hk_address_print(address, url, keys->static_public);
    }
    hk_secret_free(keys);
    hk_secret_free(master);
    if (error != HK_OK) {
        return fail(EXIT_FAILED, reason[0] != '\0' ? reason : "there is no service in this directory yet");
    }
    puts(address);
    return EXIT_DONE;
}

struct findings {
    bool json;
    size_t count;
};

/* One JSON string; sentences are ours, but paths may be in them. */
static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\') {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void say(void *context, bool problem, const char *sentence)
{
    struct findings *findings = context;
    if (!findings->json) {
        printf("%s: %s\n", problem ? "problem" : "remark", sentence);
        return;
    }
    printf("%s\n  {\"problem\": %s, \"sentence\": ", findings->count++ == 0 ? "" : ",",
           problem ? "true" : "false");
    print_json_string(sentence);
    putchar('}');
}

static int check(const struct hk_options *options, const struct hk_vault_options *where)
{
    char reason[256] = "";
    uint64_t problems = 0;
    struct findings findings = {.json = options->json};
    if (options->json) {
        putchar('[');
    }
    enum hk_error error = hk_check_data_dir(where, say, &findings, &problems, reason);
    if (options->json) {
        puts(findings.count != 0 ? "\n]" : "]");
    }
    if (error != HK_OK) {
        return fail(EXIT_FAILED, reason[0] != '\0' ? reason : hk_strerror(error));
    }
    if (!options->json) {
        printf("%llu problems\n", (unsigned long long)problems);
    }
    return problems == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int adopt(const struct hk_vault_options *where, bool force)
{
    char reason[256] = "";
    enum hk_error error = hk_vault_adopt(where, force, reason);
    if (error != HK_OK) {
        return fail(EXIT_FAILED, reason[0] != '\0' ? reason : hk_strerror(error));
    }
    puts("adopted: every account's log begins a new generation, which its devices will show to their user");
    return EXIT_DONE;
}

static int replace_ring(const struct hk_vault_options *where)
{
    char reason[256] = "";
    enum hk_error error = hk_vault_replace_ring(where, reason);
    if (error != HK_OK) {
        return fail(EXIT_FAILED, reason[0] != '\0' ? reason : hk_strerror(error));
    }
    puts("replaced: the next device that signs with ECDSA has a new one made, and every device takes it by "
         "itself");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    char reason[HK_OPTION_TEXT_MAX];
    struct hk_options options;
    hk_process_harden();
    if (sodium_init() < 0) {
        return fail(EXIT_FAILED, "the random generator does not start");
    }
    if (hk_options_read(&options, argc, argv, reason) != HK_OK) {
        return fail(EXIT_USAGE, reason);
    }
    if (options.help) {
        hk_options_help();
        return EXIT_DONE;
    }
    if (options.version) {
        puts("halfkeyd " HK_VERSION);
        return EXIT_DONE;
    }
    struct hk_vault_options where = {.data = options.data,
                                     .slots_a = options.slots_count == 2 ? options.slots[0] : NULL,
                                     .slots_b = options.slots_count == 2 ? options.slots[1] : NULL};
    if (access(options.config, F_OK) == 0) { /* SIGHUP reads the same file, whoever we are by then */
        (void)setenv("HALFKEYD_CONFIG", options.config, 0);
    }
    if (hk_process_become(options.user, options.data, reason) != HK_OK) {
        return fail(EXIT_FAILED, reason);
    }
    switch (options.command) {
    case HK_COMMAND_ADDRESS:
        return print_address(&options);
    case HK_COMMAND_CHECK:
        return check(&options, &where);
    case HK_COMMAND_ADOPT:
        return adopt(&where, options.force);
    case HK_COMMAND_REPLACE_RING:
        return replace_ring(&where);
    case HK_COMMAND_RUN:
    default:
        return run(&options, argc, argv);
    }
}
