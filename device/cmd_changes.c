/* device promote; changes that wait: list, approve, cancel. */
#include <stdio.h>
#include <string.h>

#include "device/cmd.h"
#include "device/json.h"

static const struct kind {
    const char *name;
    enum hk_change_kind kind;
    const char *what; /* of a device's name */
} kinds[] = {
    {"promote", HK_CHANGE_PROMOTE, "becomes an administrator's device"},
    {"revoke", HK_CHANGE_REVOKE, "an administrator's device, is revoked"},
    {"recovery", HK_CHANGE_RECOVERY, "puts another recovery set in place"},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const struct kind *kind_of(enum hk_change_kind kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

void hk_print_changes(const struct hk_value *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_change_row row;
        char when[HK_TIME_TEXT];
        if (hk_agent_change_row_decode(&row, rows->items[i]) || !kind_of(row.kind))
            continue;
        hk_time_text(when, row.due);
        printf("WAITS: '%s' %s, asked for by '%s', from %s on.\n"
               "       Not you? 'halfkey changes cancel %s %s' on any administrator's device, or end '%s' "
               "with its code.\n",
               row.device, kind_of(row.kind)->what, row.asker, when, kind_of(row.kind)->name, row.device,
               row.asker);
    }
}

static void changes_json(const struct hk_value *rows)
{
    struct hk_json json;
    hk_json_start(&json, stdout);
    hk_json_list(&json, NULL);
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_change_row row;
        if (hk_agent_change_row_decode(&row, rows->items[i]) || !kind_of(row.kind))
            continue;
        hk_json_map(&json, NULL);
        hk_json_text(&json, "change", kind_of(row.kind)->name);
        hk_json_text(&json, "device", row.device);
        hk_json_text(&json, "asked_by", row.asker);
        hk_json_time(&json, "due", row.due);
        hk_json_end_map(&json);
    }
    hk_json_end_list(&json);
}

int hk_cmd_changes(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_CHANGES);
        status = hk_console_ask(&console);
    }
    if (!status) {
        const struct hk_value *rows = &hk_console_answer(&console)->value[HK_A_ROWS];
        if (call->json)
            changes_json(rows);
        else if (rows->count == 0)
            puts("Nothing waits.");
        else
            hk_print_changes(rows);
    }
    hk_console_close(&console);
    return status;
}

static int decide(const struct hk_call *call, enum hk_agent_op op)
{
    struct hk_console console;
    const struct kind *kind = NULL;
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, call->arguments[0]) == 0)
            kind = &kinds[i];
    if (!kind)
        return hk_fail_text(HK_EXIT_USAGE, "a change is one of promote, revoke and recovery");
    int status = hk_console_open(&console, call);
    if (!status) {
        struct hk_agent_message *request = hk_console_request(&console, op);
        hk_agent_set_u64(request, HK_A_KIND, kind->kind);
        hk_agent_set_text(request, HK_A_DEVICE, call->arguments[1]);
        status = hk_console_ask(&console);
    }
    hk_console_close(&console);
    return status;
}

int hk_cmd_changes_approve(const struct hk_call *call)
{
    int status = decide(call, HK_AGENT_CHANGE_APPROVE);
    if (!status)
        puts("Approved: whoever asked for it runs the same command again.");
    return status;
}

int hk_cmd_changes_cancel(const struct hk_call *call)
{
    int status = decide(call, HK_AGENT_CHANGE_CANCEL);
    if (!status)
        puts("Cancelled.");
    return status;
}

int hk_cmd_device_promote(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        hk_agent_set_text(hk_console_request(&console, HK_AGENT_DEVICE_PROMOTE), HK_A_DEVICE,
                          call->arguments[0]);
        status = hk_console_ask(&console);
    }
    if (!status)
        printf("'%s' becomes an administrator's device with its next command.\n", call->arguments[0]);
    hk_console_close(&console);
    return status;
}
