/* The account and the agent: init, state, unlock, lock, passphrase, agent, refresh. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "crypto/suite.h"
#include "device/agent.h"
#include "device/cmd_holder.h"
#include "device/home.h"
#include "device/json.h"
#include "device/whole_keys.h"
#include "device/prompt.h"
#include "protocol/udf.h"

/* ---- init ---- */

static void print_account(const struct hk_agent_message *answer, const char *device)
{
    char name[HK_ACCOUNT_TEXT_BYTES];
    hk_account_text(name, answer->value[HK_A_ACCOUNT].data);
    printf("Account %s\n", name);
    printf("Device  %s (administrator)\n\n", device);
}

/* On a terminal it is asked for; elsewhere the line that says what is missing is all, so that scripts go on.
 */
static int offer_recovery(struct hk_console *console)
{
    char folder[2048];
    const char *home = getenv("HOME");
    snprintf(folder, sizeof folder, "%s/halfkey-recovery", home && *home ? home : ".");
    struct hk_set_wish wish = {.threshold = 2, .shares = 3, .folder = folder};
    if (hk_call_option(console->call, "no-recovery"))
        return 0;
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
        hk_prompt_confirm(
            "\nMake three recovery shares now, of which any two bring the account back? They are "
            "written to\n~/halfkey-recovery. (With --no-recovery this is not asked.)"))
        return hk_make_set(console, &wish);
    fflush(stdout); /* what was made comes first, wherever both go */
    fprintf(stderr,
            "No recovery: if this device is lost, the account is. 'halfkey recovery create' makes shares.\n");
    return 0;
}

static int init(struct hk_console *console, const char *device, char *passphrase)
{
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_INIT);
    hk_agent_set_text(request, HK_A_SERVICE, hk_call_setting(console->call, "service"));
    hk_agent_set_text(request, HK_A_DEVICE, device);
    int status = hk_new_passphrase(console->call, request, passphrase);
    if (!status)
        status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_agent_message *answer = hk_console_answer(console);
    if (console->call->json) {
        struct hk_json json;
        char name[HK_ACCOUNT_TEXT_BYTES], words[128];
        hk_account_text(name, answer->value[HK_A_ACCOUNT].data);
        hk_agent_text(answer, HK_A_WORDS, words, sizeof words);
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_text(&json, "account", name);
        hk_json_text(&json, "device", device);
        hk_json_hex(&json, "serial", answer->value[HK_A_SERIAL].data, HK_ID_BYTES);
        hk_json_text(&json, "code", words);
        hk_json_end_map(&json);
        return hk_keep_certificate(device, answer, true);
    }
    print_account(answer, device);
    status = hk_keep_certificate(device, answer, false);
    puts("\nUntil a second device is enrolled ('halfkey device invite'), this device holds the only halves "
         "of your "
         "keys:\nif it is lost, so is everything that is encrypted to them, for good; nobody can bring it "
         "back, not\n"
         "the service either. Backups of the service do not carry halves through a disaster.");
    if (hk_call_option(console->call, "no-passphrase"))
        puts("Without a passphrase whoever can read this device's state folder can use its halves, until it "
             "is "
             "revoked.");
    return status ? status : offer_recovery(console);
}

int hk_cmd_init(const struct hk_call *call)
{
    struct hk_console console;
    char *passphrase = hk_secret_new(HK_PASSPHRASE_MAX);
    if (!passphrase)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = init(&console, hk_call_setting(call, "device"), passphrase);
    hk_console_close(&console);
    hk_secret_free(passphrase);
    return status;
}

/* ---- the agent ---- */

/* A number, of seconds also with s, m, h behind it. */
static bool parse_number(const char *text, uint64_t *number, bool is_time)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    unsigned long unit = is_time && *end == 'h' ? 3600 : is_time && *end == 'm' ? 60 : 1;
    if (is_time && *end && strchr("smh", *end))
        end++;
    *number = value * unit;
    return *text >= '0' && *text <= '9' && !*end && value <= 1000000;
}

/* What is set for the agent; the rest stays as it is. An exit status. */
static int read_settings(const struct hk_call *call, struct hk_agent_settings *settings)
{
    uint64_t idle = settings->idle_seconds;
    const struct {
        const char *name;
        uint64_t *number;
        bool is_time;
    } rows[] = {{"timeout", &idle, true},
                {"refresh-time", &settings->refresh.seconds, true},
                {"refresh-uses", &settings->refresh.uses, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = hk_call_setting(call, rows[i].name);
        if (text && !parse_number(text, rows[i].number, rows[i].is_time))
            return hk_fail_text(HK_EXIT_USAGE,
                                rows[i].is_time ? "--%s is a time such as 90, 15m or 8h; 0 is never"
                                                : "--%s is a number; 0 is never",
                                rows[i].name);
    }
    settings->idle_seconds = (unsigned)idle;
    return 0;
}

static int stop_agent(void)
{
    struct hk_agent_client *client;
    char reason[256];
    if (hk_agent_connect(&client, false, reason))
        return 0;
    (void)!hk_agent_request(client, HK_AGENT_STOP);
    enum hk_error error = hk_agent_call(client, 0);
    hk_agent_client_free(client);
    return error && error != HK_IO && error != HK_NOT_FOUND ? hk_fail(error, "agent") : 0;
}

/* For `export SSH_AUTH_SOCK=$(...)`: the path alone. */
static int print_socket(const struct hk_call *call)
{
    struct hk_console console;
    char path[HK_HOME_SOCKET_MAX + 1], problem[257];
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_STATUS);
        status = hk_console_ask(&console);
    }
    if (!status) {
        const struct hk_agent_message *answer = hk_console_answer(&console);
        hk_agent_text(answer, HK_A_SSH_SOCKET, path, sizeof path);
        hk_agent_text(answer, HK_A_SSH_PROBLEM, problem, sizeof problem);
        if (*path)
            puts(path);
        else
            status = hk_fail_text(HK_EXIT_FAILED, "no socket for SSH: %s", problem);
    }
    hk_console_close(&console);
    return status;
}

int hk_cmd_agent(const struct hk_call *call)
{
    struct hk_agent_settings settings = {.idle_seconds = HK_AGENT_IDLE_SECONDS,
                                         .refresh = {HK_REFRESH_USES, HK_REFRESH_SECONDS},
                                         .daemon = hk_call_option(call, "daemon") != NULL};
    char reason[256] = "";
    if (hk_call_option(call, "stop"))
        return stop_agent();
    if (hk_call_option(call, "print-socket"))
        return print_socket(call);
    settings.ssh_socket = hk_call_setting(call, "ssh-socket");
    settings.ssh_fallback = hk_call_setting(call, "fallback");
    int status = read_settings(call, &settings);
    if (status)
        return status;
    enum hk_error error = hk_agent_run(&settings, reason);
    /* Whoever started it reads this, and says the rest. */
    if (error && settings.daemon) {
        fprintf(stderr, "%s\n", *reason ? reason : hk_strerror(error));
        return hk_exit_status(error);
    }
    if (error && *reason)
        return hk_fail_text(hk_exit_status(error), "%s", reason);
    return error ? hk_fail(error, "agent") : 0;
}

int hk_cmd_unlock(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_UNLOCK);
        enum hk_error error = hk_console_try(&console);
        if (error == HK_BAD_PASSPHRASE && !hk_call_setting(call, "passphrase-fd"))
            error = HK_AGENT_LOCKED;
        status = error ? hk_console_fail(&console, error) : 0;
    }
    hk_console_close(&console);
    return status;
}

static int ask_simple(const struct hk_call *call, enum hk_agent_op op)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, op);
        status = hk_console_ask(&console);
    }
    hk_console_close(&console);
    return status;
}

int hk_cmd_lock(const struct hk_call *call)
{
    return ask_simple(call, HK_AGENT_LOCK);
}

int hk_cmd_refresh(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_REFRESH);
        status = hk_console_ask(&console);
    }
    uint64_t epoch = hk_agent_u64(hk_console_answer(&console), HK_A_EPOCH);
    if (!status && call->json) {
        struct hk_json json;
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_number(&json, "epoch", epoch);
        hk_json_end_map(&json);
    } else if (!status) {
        printf("epoch %llu: older copies of this device's halves are of no use any more\n",
               (unsigned long long)epoch);
    }
    hk_console_close(&console);
    return status;
}

/* ---- passphrase ---- */

/* Two passphrases in one piece of locked memory. */
struct passphrases {
    char old[HK_PASSPHRASE_MAX], new[HK_PASSPHRASE_MAX];
};

static int change_passphrase(struct hk_console *console, struct passphrases *memory)
{
    const struct hk_call *call = console->call;
    (void)!hk_console_request(console, HK_AGENT_STATUS);
    enum hk_error error = hk_agent_call(console->client, 0);
    if (error)
        return hk_console_fail(console, error);
    const struct hk_agent_message *answer = hk_console_answer(console);
    if (hk_agent_u64(answer, HK_A_STATE) == HK_AGENT_EMPTY)
        return hk_fail(HK_NO_ACCOUNT, NULL);
    bool had = hk_agent_u64(answer, HK_A_HAS_PASSPHRASE) != 0,
         remove = hk_call_option(call, "remove") != NULL;
    if (had)
        error = hk_console_passphrase(call, memory->old, "Passphrase until now", false);
    if (!error && !remove)
        error = hk_console_passphrase(call, memory->new, "New passphrase", true);
    if (error || (!remove && !*memory->new))
        return hk_fail_text(HK_EXIT_LOCKED,
                            "nobody can be asked for a passphrase: use a terminal or --passphrase-fd N");
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_PASSPHRASE);
    if (had)
        hk_agent_set_bytes(request, HK_A_PASSPHRASE, memory->old, strlen(memory->old));
    if (!remove)
        hk_agent_set_bytes(request, HK_A_NEW_PASSPHRASE, memory->new, strlen(memory->new));
    error = hk_agent_call(console->client, 0);
    return error ? hk_console_fail(console, error) : 0;
}

int hk_cmd_passphrase(const struct hk_call *call)
{
    struct hk_console console;
    struct passphrases *memory = hk_secret_new(sizeof *memory);
    if (!memory)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = change_passphrase(&console, memory);
    hk_console_close(&console);
    hk_secret_free(memory);
    return status;
}
