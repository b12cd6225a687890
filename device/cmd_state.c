/* What `halfkey` shows without a command: account, device, recovery, keys, log, and what waits. */
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

static const char *suite_name(uint64_t id)
{
    const struct hk_suite *suite = hk_suite_by_id(id);
    return suite ? suite->name : "unknown";
}

static void put_whole(void *context, const char *path, const struct hk_agent_key_row *row)
{
    (void)row;
    hk_json_text(context, NULL, path);
}

/* What the signed profile says of the recovery set; NULL if it cannot be read. On the heap. */
static struct hk_profile *read_profile(const struct hk_agent_message *answer)
{
    const struct hk_value *bytes = &answer->value[HK_A_PROFILE];
    struct hk_profile *profile = hk_agent_has(answer, HK_A_PROFILE) ? malloc(sizeof *profile) : NULL;
    if (profile &&
        hk_profile_open_named(profile, bytes->data, bytes->size, answer->value[HK_A_ACCOUNT].data) != HK_OK) {
        free(profile);
        profile = NULL;
    }
    return profile;
}

static size_t keys_in_set(const struct hk_profile *profile)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->key_count; i++)
        count += profile->keys[i].in_set;
    return count;
}

static void state_recovery(const struct hk_agent_message *answer)
{
    struct hk_profile *profile = read_profile(answer);
    char when[HK_TIME_TEXT];
    if (profile && profile->recovery.count) {
        hk_time_text(when, profile->recovery.created);
        printf("Recovery  any %zu of %zu shares of %s", profile->recovery.threshold, profile->recovery.count,
               when);
        if (keys_in_set(profile) != profile->key_count)
            printf("; %zu keys are NOT in it: run 'halfkey recovery create' again",
                   profile->key_count - keys_in_set(profile));
        puts("");
    } else if (profile) {
        puts("Recovery  NONE: 'halfkey recovery create' makes shares that bring the account back");
    }
    free(profile);
}

static void json_recovery(struct hk_json *json, const struct hk_agent_message *answer)
{
    struct hk_profile *profile = read_profile(answer);
    if (profile && profile->recovery.count) {
        hk_json_map(json, "recovery");
        hk_json_number(json, "threshold", profile->recovery.threshold);
        hk_json_number(json, "shares", profile->recovery.count);
        hk_json_number(json, "keys", keys_in_set(profile));
        hk_json_time(json, "created", profile->recovery.created);
        hk_json_end_map(json);
    } else if (profile) {
        hk_json_bool(json, "recovery", false);
    }
    free(profile);
}

static void state_json(const struct hk_agent_message *answer)
{
    static const char *const states[] = {"empty", "locked", "unlocked", "unfinished"};
    struct hk_json json;
    char text[1024];
    uint64_t state = hk_agent_u64(answer, HK_A_STATE);
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "state", state < 4 ? states[state] : "unknown");
    if (hk_agent_has(answer, HK_A_ACCOUNT)) {
        hk_account_text(text, answer->value[HK_A_ACCOUNT].data);
        hk_json_text(&json, "account", text);
        hk_agent_text(answer, HK_A_DEVICE, text, sizeof text);
        hk_json_text(&json, "device", text);
        hk_agent_text(answer, HK_A_SERVICE, text, sizeof text);
        hk_json_text(&json, "service", text);
        hk_json_bool(&json, "administrator", hk_agent_u64(answer, HK_A_ROLE) == HK_ROLE_ADMIN);
        hk_json_number(&json, "devices", hk_agent_u64(answer, HK_A_DEVICES));
        hk_json_number(&json, "keys", answer->value[HK_A_ROWS].count);
        hk_json_number(&json, "epoch", hk_agent_u64(answer, HK_A_EPOCH));
        hk_json_time(&json, "last_use", hk_agent_u64(answer, HK_A_LAST_USE));
        hk_json_time(&json, "log_verified", hk_agent_u64(answer, HK_A_LOG_TIME));
        hk_json_number(&json, "log_size", hk_agent_u64(answer, HK_A_LOG_SIZE));
        hk_json_time(&json, "stale_copy_seen", hk_agent_u64(answer, HK_A_WARNING));
        json_recovery(&json, answer);
        hk_agent_text(answer, HK_A_REFUSED, text, sizeof text);
        hk_json_text(&json, "profile_refused", *text ? text : NULL);
        hk_json_list(&json, "suspended");
        for (size_t i = 0; i < answer->value[HK_A_SUSPENDED].count; i++) {
            snprintf(text, sizeof text, "%.*s", (int)answer->value[HK_A_SUSPENDED].items[i].size,
                     (const char *)answer->value[HK_A_SUSPENDED].items[i].data);
            hk_json_text(&json, NULL, text);
        }
        hk_json_end_list(&json);
        hk_json_list(&json, "whole_files");
        hk_whole_keys_find(&answer->value[HK_A_ROWS], put_whole, &json);
        hk_json_end_list(&json);
    }
    hk_json_end_map(&json);
}

static void state_keys(const struct hk_agent_message *answer)
{
    const struct hk_value *rows = &answer->value[HK_A_ROWS];
    printf("Keys      %zu\n", rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_key_row row;
        if (hk_agent_key_row_decode(&row, rows->items[i]) == HK_OK)
            printf("          %-20s %s%s%s\n", row.name, suite_name(row.suite),
                   row.imported ? ", was whole before" : "",
                   row.here ? "" : ", no half here yet: open halfkey on an administrator's device once");
    }
}

static void say_whole(void *context, const char *path, const struct hk_agent_key_row *row)
{
    (void)context;
    printf("\nWHOLE: %s is all of the key '%s'; while it exists, so is everything that the key opens or\n"
           "signs to whoever has it (shred -u).\n",
           path, row->name);
}

static void state_suspended(const struct hk_agent_message *answer)
{
    const struct hk_value *names = &answer->value[HK_A_SUSPENDED];
    for (size_t i = 0; hk_agent_has(answer, HK_A_SUSPENDED) && i < names->count; i++)
        printf(
            "\nSUSPENDED: '%.*s'. If an old copy of it was used ('halfkey device list'), somebody else may "
            "hold\nits state: 'halfkey device revoke', and enrol it again. Else 'halfkey device resume' lets "
            "it go on.\n",
            (int)names->items[i].size, (const char *)names->items[i].data);
}

static void state_text(const struct hk_agent_message *answer)
{
    char text[1024], when[HK_TIME_TEXT];
    hk_account_text(text, answer->value[HK_A_ACCOUNT].data);
    printf("Account   %s\n", text);
    hk_agent_text(answer, HK_A_DEVICE, text, sizeof text);
    printf("Device    %s (%s), one of %llu\n", text,
           hk_agent_u64(answer, HK_A_ROLE) == HK_ROLE_ADMIN ? "administrator" : "ordinary",
           (unsigned long long)hk_agent_u64(answer, HK_A_DEVICES));
    hk_agent_text(answer, HK_A_SERVICE, text, sizeof text);
    printf("Service   %s\n", text);
    printf("Epoch     %llu%s\n", (unsigned long long)hk_agent_u64(answer, HK_A_EPOCH),
           hk_agent_u64(answer, HK_A_MUST_REFRESH) ? "; run 'halfkey refresh'" : "");
    hk_time_text(when, hk_agent_u64(answer, HK_A_LAST_USE));
    printf("Last use  %s\n", when);
    hk_time_text(when, hk_agent_u64(answer, HK_A_LOG_TIME));
    printf("Log       %llu entries, verified %s\n", (unsigned long long)hk_agent_u64(answer, HK_A_LOG_SIZE),
           when);
    state_recovery(answer);
    state_keys(answer);
    if (hk_agent_u64(answer, HK_A_WARNING)) {
        hk_time_text(when, hk_agent_u64(answer, HK_A_WARNING));
        printf("\nWARNING: an old copy of this device was used on %s. If that was not you, somebody has a "
               "copy of\n"
               "this device's state: revoke it from another device and enrol it again.\n",
               when);
    }
    state_suspended(answer);
    hk_whole_keys_find(&answer->value[HK_A_ROWS], say_whole, NULL);
    if (hk_agent_u64(answer, HK_A_DEVICES) < 2)
        puts("\nThis is the only device: if it is lost, everything encrypted to its keys is too ('halfkey "
             "device "
             "invite').");
}

/* Asks for the state; a device without a passphrase is unlocked first, since that needs nobody. */
static int ask_state(struct hk_console *console)
{
    hk_agent_set_u64(hk_console_request(console, HK_AGENT_STATUS), HK_A_ONLINE, 1);
    int status = hk_console_ask(console);
    const struct hk_agent_message *answer = hk_console_answer(console);
    if (status || hk_agent_u64(answer, HK_A_STATE) != HK_AGENT_SEALED ||
        hk_agent_u64(answer, HK_A_HAS_PASSPHRASE))
        return status;
    (void)!hk_console_request(console, HK_AGENT_UNLOCK);
    status = hk_console_ask(console);
    if (status)
        return status;
    hk_agent_set_u64(hk_console_request(console, HK_AGENT_STATUS), HK_A_ONLINE, 1);
    return hk_console_ask(console);
}

/* The state is shown in any case; what the service says to this device comes behind it. */
static int say_check(const struct hk_agent_message *answer)
{
    enum hk_error error = (enum hk_error)hk_agent_u64(answer, HK_A_CHECK);
    fflush(stdout);
    return error ? hk_fail(error, NULL) : 0;
}

/* What waits is shown on every device, where the service can be asked; what it said of this one comes last.
 */
static int show_waiting(struct hk_console *console)
{
    enum hk_error check = (enum hk_error)hk_agent_u64(hk_console_answer(console), HK_A_CHECK);
    fflush(stdout);
    if (check)
        return hk_fail(check, NULL);
    (void)!hk_console_request(console, HK_AGENT_CHANGES);
    if (hk_console_try(console) == HK_OK)
        hk_print_changes(&hk_console_answer(console)->value[HK_A_ROWS]);
    return 0;
}

static int show_state(struct hk_console *console)
{
    int status = ask_state(console);
    if (status)
        return status;
    const struct hk_agent_message *answer = hk_console_answer(console);
    uint64_t state = hk_agent_u64(answer, HK_A_STATE);
    if (console->call->json) {
        state_json(answer);
        return say_check(answer);
    }
    if (state == HK_AGENT_EMPTY)
        puts("No account here. 'halfkey init' makes one, 'halfkey device join' enrols this device in one.");
    else if (state == HK_AGENT_UNFINISHED)
        puts("'halfkey init', 'halfkey device join' or 'halfkey recover' was not brought to its end here: "
             "run it "
             "again.");
    else if (!hk_agent_has(answer, HK_A_ACCOUNT))
        puts("Locked. 'halfkey unlock' opens this device's halves.");
    else
        state_text(answer);
    return state == HK_AGENT_UNLOCKED ? show_waiting(console) : say_check(answer);
}

int hk_cmd_state(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status)
        status = show_state(&console);
    hk_console_close(&console);
    return status;
}
