/* The log of every use, as the service has recorded and this device has verified it. */
#include <stdlib.h>
#include <string.h>

#include "device/cmd.h"
#include "device/head_text.h"
#include "device/json.h"
#include "device/prompt.h"
#include "protocol/encoding.h"

/* Names for serials and key ids, from the signed profile. */
struct names {
    bool known;
    struct hk_profile profile;
};

static void load_names(struct hk_console *console, struct names *names)
{
    (void)!hk_console_request(console, HK_AGENT_STATUS);
    if (hk_console_try(console))
        return;
    const struct hk_agent_message *answer = hk_console_answer(console);
    const struct hk_value *profile = &answer->value[HK_A_PROFILE];
    names->known = hk_agent_has(answer, HK_A_PROFILE) && hk_agent_has(answer, HK_A_ACCOUNT) &&
                   hk_profile_open_named(&names->profile, profile->data, profile->size,
                                         answer->value[HK_A_ACCOUNT].data) == HK_OK;
}

/* The name, or the beginning of the number for what is not in the profile any more. */
static void device_name(char out[HK_NAME_MAX + 1], const struct names *names, bool has,
                        const uint8_t serial[HK_ID_BYTES])
{
    strcpy(out, has ? "" : "-");
    if (has)
        hk_hex_encode(out, serial, 4);
    for (size_t i = 0; has && names->known && i < names->profile.device_count; i++)
        if (memcmp(names->profile.devices[i].serial, serial, HK_ID_BYTES) == 0)
            strcpy(out, names->profile.devices[i].name);
}

static void key_name(char out[HK_NAME_MAX + 1], const struct names *names, const struct hk_leaf *leaf)
{
    strcpy(out, "");
    if (leaf->has_key)
        hk_hex_encode(out, leaf->key, 4);
    for (size_t i = 0; leaf->has_key && names->known && i < names->profile.key_count; i++)
        if (memcmp(names->profile.keys[i].id, leaf->key, HK_ID_BYTES) == 0)
            strcpy(out, names->profile.keys[i].name);
}

static const char *op_name(const struct hk_leaf *leaf)
{
    const struct hk_op_row *row = hk_op_row(leaf->op);
    return leaf->op == 0 ? "new generation" : row ? row->name : "unknown";
}

/* A login as ssh_signed.h writes it, "SERVICE HOST USER": cut into its parts. False if it is none. */
struct login {
    char service[HK_NAMESPACE_MAX + 1], host[HK_NAMESPACE_MAX + 1], user[HK_NAMESPACE_MAX + 1];
};
static bool read_login(struct login *login, const struct hk_leaf *leaf)
{
    *login = (struct login){"", "", ""};
    return leaf->kind == HK_SIGN_SSH_LOGIN && leaf->has_namespace &&
           sscanf(leaf->namespace, "%256s %256s %256[^\n]", login->service, login->host, login->user) == 3;
}

static void print_leaf(const struct names *names, const struct hk_leaf *leaf, uint64_t number)
{
    char when[HK_TIME_TEXT], who[HK_NAME_MAX + 1], key[HK_NAME_MAX + 1], subject[HK_NAME_MAX + 1];
    hk_time_text(when, leaf->time);
    device_name(who, names, leaf->has_who, leaf->who);
    key_name(key, names, leaf);
    device_name(subject, names, leaf->has_subject, leaf->subject);
    printf("%6llu  %s  %-12s %-16s %s", (unsigned long long)number, when, who, op_name(leaf), key);
    if (leaf->count > 1)
        printf(" x%llu", (unsigned long long)leaf->count);
    struct login login;
    if (read_login(&login, leaf))
        printf(" login as %s at %s", login.user, strcmp(login.host, "-") ? login.host : "a host not named");
    else if (leaf->has_namespace)
        printf(" %s %s", leaf->kind == HK_SIGN_OPENPGP ? "openpgp" : "namespace", leaf->namespace);
    if (leaf->has_subject)
        printf(" about %s", subject);
    if (leaf->outcome)
        printf("  REFUSED %s", hk_error_name((enum hk_error)leaf->outcome));
    putchar('\n');
}

static void print_leaf_json(struct hk_json *json, const struct names *names, const struct hk_leaf *leaf,
                            uint64_t number)
{
    char name[HK_NAME_MAX + 1];
    hk_json_map(json, NULL);
    hk_json_number(json, "number", number);
    hk_json_time(json, "time", leaf->time);
    device_name(name, names, leaf->has_who, leaf->who);
    hk_json_text(json, "device", leaf->has_who ? name : NULL);
    hk_json_text(json, "operation", op_name(leaf));
    key_name(name, names, leaf);
    hk_json_text(json, "key", leaf->has_key ? name : NULL);
    struct login login;
    bool is_login = read_login(&login, leaf);
    hk_json_text(json, "namespace", leaf->has_namespace && !is_login ? leaf->namespace : NULL);
    if (is_login) {
        hk_json_text(json, "login", login.user);
        hk_json_text(json, "login_service", login.service);
        hk_json_text(json, "host", strcmp(login.host, "-") ? login.host : NULL);
    }
    hk_json_number(json, "count", leaf->count);
    hk_json_text(json, "outcome", leaf->outcome ? hk_error_name((enum hk_error)leaf->outcome) : "released");
    device_name(name, names, leaf->has_subject, leaf->subject);
    hk_json_text(json, "about", leaf->has_subject ? name : NULL);
    hk_json_end_map(json);
}

static void print_leaves(const struct hk_call *call, const struct names *names,
                         const struct hk_agent_message *answer)
{
    struct hk_json json;
    uint64_t number = hk_agent_u64(answer, HK_A_START);
    const struct hk_value *rows = &answer->value[HK_A_ROWS];
    hk_json_start(&json, stdout);
    if (call->json)
        hk_json_list(&json, NULL);
    for (size_t i = 0; i < rows->count; i++, number++) {
        struct hk_leaf leaf;
        bool readable = hk_leaf_decode(&leaf, rows->items[i].data, rows->items[i].size) == HK_OK;
        if (!readable && !call->json)
            printf("%6llu  (not readable by this version)\n", (unsigned long long)number);
        else if (readable && call->json)
            print_leaf_json(&json, names, &leaf, number);
        else if (readable)
            print_leaf(names, &leaf, number);
    }
    if (call->json)
        hk_json_end_list(&json);
}

/* An option's number, if it was given. */
static bool set_number(const struct hk_call *call, const char *name, struct hk_agent_message *request,
                       enum hk_agent_field field)
{
    const char *text = hk_call_option(call, name);
    char *end;
    if (!text)
        return true;
    hk_agent_set_u64(request, field, strtoull(text, &end, 10));
    return *text >= '0' && *text <= '9' && !*end;
}

static int show_leaves(struct hk_console *console, struct names *names)
{
    const struct hk_call *call = console->call;
    load_names(console, names);
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_LOG);
    if (!set_number(call, "count", request, HK_A_COUNT) || !set_number(call, "start", request, HK_A_START))
        return hk_fail_text(HK_EXIT_USAGE, "--start and --count are numbers");
    int status = hk_console_ask(console);
    if (!status)
        print_leaves(call, names, hk_console_answer(console));
    return status;
}

/* The head that the agent has now verified. */
static void print_head(const struct hk_console *console)
{
    const struct hk_agent_message *answer = hk_console_answer(console);
    char root[HK_HEX_SIZE(32)], when[HK_TIME_TEXT];
    hk_hex_encode(root, answer->value[HK_A_ROOT].data, 32);
    hk_time_text(when, hk_agent_u64(answer, HK_A_LOG_TIME));
    if (!console->call->json) {
        printf("verified: %llu entries, generation %llu, of %s\nroot %s\n",
               (unsigned long long)hk_agent_u64(answer, HK_A_LOG_SIZE),
               (unsigned long long)hk_agent_u64(answer, HK_A_GENERATION), when, root);
        return;
    }
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_map(&json, NULL);
    hk_json_bool(&json, "verified", true);
    hk_json_number(&json, "generation", hk_agent_u64(answer, HK_A_GENERATION));
    hk_json_number(&json, "size", hk_agent_u64(answer, HK_A_LOG_SIZE));
    hk_json_text(&json, "root", root);
    hk_json_time(&json, "time", hk_agent_u64(answer, HK_A_LOG_TIME));
    hk_json_end_map(&json);
}

static int ask_head(struct hk_console *console, enum hk_agent_op op)
{
    (void)!hk_console_request(console, op);
    int status = hk_console_ask(console);
    if (!status)
        print_head(console);
    return status;
}

int hk_cmd_log_accept(const struct hk_call *call)
{
    struct hk_console console;
    if (!hk_call_option(call, "yes") &&
        !hk_prompt_confirm(
            "The service has begun its log anew, as after a restored backup. Uses between what this\n"
            "device has seen and the new beginning may be missing. Go on?"))
        return hk_fail_text(HK_EXIT_LOCKED, "not accepted; ask the service's operator, then say --yes");
    int status = hk_console_open(&console, call);
    if (!status)
        status = ask_head(&console, HK_AGENT_LOG_ACCEPT);
    hk_console_close(&console);
    return status;
}

static void read_head(const struct hk_agent_message *answer, struct hk_log_head *head)
{
    head->generation = hk_agent_u64(answer, HK_A_GENERATION);
    head->size = hk_agent_u64(answer, HK_A_LOG_SIZE);
    head->time = hk_agent_u64(answer, HK_A_LOG_TIME);
    memcpy(head->root, answer->value[HK_A_ROOT].data, sizeof head->root);
}

/* The verified head as a line for another device. */
static int show_head(struct hk_console *console)
{
    struct hk_log_head head;
    char line[HK_HEAD_TEXT_BYTES];
    (void)!hk_console_request(console, HK_AGENT_LOG_VERIFY);
    int status = hk_console_ask(console);
    if (status)
        return status;
    read_head(hk_console_answer(console), &head);
    hk_head_text(line, hk_console_answer(console)->value[HK_A_ACCOUNT].data, &head);
    puts(line);
    return 0;
}

static int compare(struct hk_console *console, const char *given)
{
    char line[1025];
    size_t size = 0;
    snprintf(line, sizeof line, "%s", given);
    if (strncmp(given, HK_HEAD_TEXT_PREFIX "1", strlen(HK_HEAD_TEXT_PREFIX) + 1) != 0) {
        enum hk_error error = hk_read_file(given, line, sizeof line, &size);
        if (error)
            return error == HK_IO ? hk_fail_file(given) : hk_fail(error, given);
        line[strcspn(line, "\r\n")] = '\0';
    }
    hk_agent_set_text(hk_console_request(console, HK_AGENT_LOG_AGAINST), HK_A_CODE, line);
    int status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_agent_message *answer = hk_console_answer(console);
    unsigned long long here = hk_agent_u64(answer, HK_A_LOG_SIZE), there = hk_agent_u64(answer, HK_A_COUNT);
    if (here == there)
        printf("the same: both devices have seen the same %llu entries\n", here);
    else
        printf("one history: %s device's %llu entries extend %s device's %llu\n",
               here > there ? "this" : "the other", here > there ? here : there,
               here > there ? "the other" : "this", here > there ? there : here);
    return 0;
}

static int log_command(struct hk_console *console, struct names *names)
{
    const struct hk_call *call = console->call;
    const char *against = hk_call_option(call, "against");
    return hk_call_option(call, "verify") ? ask_head(console, HK_AGENT_LOG_VERIFY)
           : hk_call_option(call, "head") ? show_head(console)
           : against                      ? compare(console, against)
                                          : show_leaves(console, names);
}

int hk_cmd_log(const struct hk_call *call)
{
    struct hk_console console;
    struct names *names = calloc(1, sizeof *names);
    if (!names)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = log_command(&console, names);
    hk_console_close(&console);
    free(names);
    return status;
}
