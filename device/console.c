#include "device/console.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "device/prompt.h"

/* ---- waiting ---- */

static void say_waiting(int number)
{
    static const char text[] = "waiting for the key service ...\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

void hk_waiting_begin(void)
{
    if (!isatty(STDERR_FILENO))
        return;
    struct sigaction action = {.sa_handler = say_waiting, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
}

void hk_waiting_end(void)
{
    alarm(0);
    signal(SIGALRM, SIG_DFL);
}

void hk_time_text(char out[HK_TIME_TEXT], uint64_t seconds)
{
    struct tm local;
    time_t when = (time_t)seconds;
    if (seconds == 0 || !localtime_r(&when, &local) || !strftime(out, HK_TIME_TEXT, "%Y-%m-%d %H:%M", &local))
        strcpy(out, "never");
}

/* ---- the agent ---- */

int hk_console_open(struct hk_console *console, const struct hk_call *call)
{
    char reason[256] = "";
    *console = (struct hk_console){.call = call};
    enum hk_error error = hk_agent_connect(&console->client, true, reason);
    if (!error)
        return 0;
    int status = error == HK_UNREACHABLE ? HK_EXIT_FAILED : hk_exit_status(error);
    return *reason ? hk_fail_text(status, "%s", reason)
                   : hk_fail_text(status, "the agent could not be started");
}

void hk_console_close(struct hk_console *console)
{
    hk_agent_client_free(console->client);
    console->client = NULL;
}

struct hk_agent_message *hk_console_request(struct hk_console *console, enum hk_agent_op op)
{
    return hk_agent_request(console->client, op);
}

const struct hk_agent_message *hk_console_answer(const struct hk_console *console)
{
    return hk_agent_answer(console->client);
}

static int passphrase_fd(const struct hk_call *call)
{
    const char *text = hk_call_setting(call, "passphrase-fd");
    char *end;
    long fd = text ? strtol(text, &end, 10) : -1;
    return text && *text && !*end && fd >= 0 && fd <= INT_MAX ? (int)fd : -1;
}

enum hk_error hk_console_passphrase(const struct hk_call *call, char *out, const char *prompt, bool twice)
{
    return hk_prompt_passphrase(out, passphrase_fd(call), prompt, twice);
}

static enum hk_error unlock_with(struct hk_agent_client *client, const char *passphrase)
{
    struct hk_agent_message *request = hk_agent_request(client, HK_AGENT_UNLOCK);
    if (*passphrase)
        hk_agent_set_bytes(request, HK_A_PASSPHRASE, passphrase, strlen(passphrase));
    return hk_agent_call(client, 0);
}

/* Asks until the passphrase is right; a person has three tries, a script one. */
static enum hk_error unlock(const struct hk_call *call, struct hk_agent_client *client, char *passphrase)
{
    bool script = passphrase_fd(call) >= 0;
    const char *prompt = "Passphrase of halfkey on this device";
    enum hk_error error = HK_AGENT_LOCKED;
    for (int tries = 0; tries < (script ? 1 : 3); tries++) {
        enum hk_error asked = hk_console_passphrase(call, passphrase, prompt, false);
        if (asked)
            return tries == 0 ? HK_AGENT_LOCKED : error;
        error = unlock_with(client, passphrase);
        if (error != HK_BAD_PASSPHRASE)
            return error;
        prompt = "Wrong; the passphrase once more";
    }
    return error;
}

enum hk_error hk_console_unlock(const struct hk_call *call)
{
    char reason[256] = "";
    struct hk_agent_client *client = NULL;
    char *passphrase = hk_secret_new(HK_PASSPHRASE_MAX);
    if (!passphrase)
        return HK_NO_MEMORY;
    enum hk_error error = hk_agent_connect(&client, true, reason);
    if (!error)
        error = unlock(call, client, passphrase);
    hk_agent_client_free(client);
    hk_secret_free(passphrase);
    return error;
}

enum hk_error hk_console_try(struct hk_console *console)
{
    hk_waiting_begin();
    enum hk_error error = hk_agent_call(console->client, 0);
    hk_waiting_end();
    if (error != HK_AGENT_LOCKED)
        return error;
    /* On a connection of its own, so that the request is still there to be sent again. */
    error = hk_console_unlock(console->call);
    if (error)
        return error;
    hk_waiting_begin();
    error = hk_agent_call(console->client, 0);
    hk_waiting_end();
    return error;
}

int hk_console_fail(const struct hk_console *console, enum hk_error error)
{
    bool own = error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE;
    const char *sentence = own ? hk_strerror(error) : hk_agent_sentence(console->client);
    return hk_fail_text(hk_exit_status(error), "%s", sentence);
}

int hk_console_ask(struct hk_console *console)
{
    enum hk_error error = hk_console_try(console);
    return error ? hk_console_fail(console, error) : 0;
}
