/* Keys come to an end: delete, rotate, and the link between an old key and the one in its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cmd.h"
#include "device/json.h"
#include "device/prompt.h"
#include "device/rotation.h"
#include "protocol/encoding.h"

int hk_cmd_key_delete(const struct hk_call *call)
{
    struct hk_console console;
    char question[HK_NAME_MAX + 256];
    const char *name = call->arguments[0];
    snprintf(
        question, sizeof question,
        "What was encrypted to '%s' cannot be decrypted any more, on any device, and nothing is signed with "
        "it.\nDelete it for good?",
        name);
    if (!hk_call_option(call, "yes") && !hk_prompt_confirm(question))
        return hk_fail_text(HK_EXIT_LOCKED, "'%s' is not deleted; say --yes if it is to be", name);
    int status = hk_console_open(&console, call);
    if (!status) {
        hk_agent_set_text(hk_console_request(&console, HK_AGENT_KEY_DELETE), HK_A_KEY, name);
        status = hk_console_ask(&console);
    }
    if (!status)
        printf("'%s' is deleted: the service's halves of it are erased.\n", name);
    hk_console_close(&console);
    return status;
}

static bool is_taken(const struct hk_value *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct hk_agent_key_row row;
        if (hk_agent_key_row_decode(&row, rows->items[i]) == HK_OK && strcmp(row.name, name) == 0)
            return true;
    }
    return false;
}

/* "files" is followed by "files-2", "files-2" by "files-3"; names in use are passed over. */
static int next_name(struct hk_console *console, const char *name, char out[HK_NAME_MAX + 1])
{
    (void)!hk_console_request(console, HK_AGENT_KEY_LIST);
    int status = hk_console_ask(console);
    if (status)
        return status;
    size_t stem = strlen(name), digits = stem;
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
        digits--;
    unsigned long number = 1;
    if (digits < stem && stem - digits < 9 && digits > 1 && name[digits - 1] == '-') {
        number = strtoul(name + digits, NULL, 10);
        stem = digits - 1;
    }
    do {
        int size = snprintf(out, HK_NAME_MAX + 1, "%.*s-%lu", (int)stem, name, ++number);
        if (size > HK_NAME_MAX)
            return hk_fail_text(HK_EXIT_USAGE, "there is no room for a number behind '%s': say --as NEW",
                                name);
    } while (is_taken(&hk_console_answer(console)->value[HK_A_ROWS], out));
    return 0;
}

int hk_cmd_key_rotate(const struct hk_call *call)
{
    struct hk_console console;
    const char *name = call->arguments[0], *given = hk_call_option(call, "as");
    char next[HK_NAME_MAX + 1];
    int status = hk_console_open(&console, call);
    if (!status && !given)
        status = next_name(&console, name, next);
    if (!status) {
        struct hk_agent_message *request = hk_console_request(&console, HK_AGENT_KEY_ROTATE);
        hk_agent_set_text(request, HK_A_KEY, name);
        hk_agent_set_text(request, HK_A_NAME, given ? given : next);
        status = hk_console_ask(&console);
    }
    if (!status) {
        hk_print_made(&console, given ? given : next, hk_agent_u64(hk_console_answer(&console), HK_A_SUITE));
        fprintf(stderr,
                "'%s' takes the place of '%s', which goes on working until 'halfkey key delete'.\n"
                "For those who know the old key: 'halfkey key link %s'.\n",
                given ? given : next, name, given ? given : next);
    }
    hk_console_close(&console);
    return status;
}

static int write_link(const struct hk_call *call, const struct hk_agent_message *answer)
{
    const struct hk_value *text = &answer->value[HK_A_MESSAGE], *signature = &answer->value[HK_A_SIGNATURE];
    const char *path = hk_call_option(call, "output");
    bool is_signed = hk_agent_has(answer, HK_A_SIGNATURE);
    char beside[4096];
    if (!path) {
        fwrite(text->data, 1, text->size, stdout);
    } else if (snprintf(beside, sizeof beside, "%s.sig", path) >= (int)sizeof beside) {
        return hk_fail(HK_TOO_LARGE, path);
    } else if (hk_write_file(path, text->data, text->size) ||
               (is_signed && hk_write_file(beside, signature->data, signature->size))) {
        return hk_fail_file(path);
    }
    if (is_signed && !path) {
        char digits[HK_HEX_SIZE(HK_ROTATION_SIGNATURE_BYTES)];
        hk_hex_encode(digits, signature->data, signature->size);
        printf("signature %s\n", digits);
    }
    if (!is_signed)
        fprintf(stderr,
                "A key for agreement cannot sign: this link is signed by the account, in its profile.\n");
    return 0;
}

int hk_cmd_key_link(const struct hk_call *call)
{
    struct hk_console console;
    int status = hk_console_open(&console, call);
    if (!status) {
        hk_agent_set_text(hk_console_request(&console, HK_AGENT_KEY_LINK), HK_A_KEY, call->arguments[0]);
        status = hk_console_ask(&console);
    }
    if (!status)
        status = write_link(call, hk_console_answer(&console));
    hk_console_close(&console);
    return status;
}
