/* recover: the account on a new device, from shares that are here and answers of holders that are not. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/cmd_holder.h"
#include "device/json.h"
#include "device/prompt.h"
#include "protocol/encoding.h"
#include "protocol/udf.h"

/* In memory from hk_secret_new. */
struct recovery {
    struct hk_console console;
    struct hk_share shares[HK_RECOVERY_HOLDERS];
    size_t share_count;
    bool is_new; /* nothing of it is here yet */
    struct hk_holder_set *set;
    char set_path[2048];
    uint8_t request[HK_RECOVERY_REQUEST_MAX];
    size_t request_size;
    struct hk_recovery_request read;
    uint8_t *answers; /* HK_RECOVERY_HOLDERS times HK_RECOVERY_CONTRIBUTION_MAX */
    size_t answer_size[HK_RECOVERY_HOLDERS], answer_count;
    char passphrase[HK_PASSPHRASE_MAX];
};

static int read_shares(struct recovery *recovery, const struct hk_call *call)
{
    for (size_t i = 0; hk_call_repeated(call, "share", i); i++) {
        if (i == HK_RECOVERY_HOLDERS)
            return hk_fail_text(HK_EXIT_USAGE, "there are never more than %d shares", HK_RECOVERY_HOLDERS);
        int status = hk_read_share(hk_call_repeated(call, "share", i), &recovery->shares[i]);
        if (status)
            return status;
        recovery->share_count++;
    }
    return 0;
}

/* ---- the set ---- */

static int copy_set(struct recovery *recovery, const char *from)
{
    int status = hk_read_set(from, &recovery->set);
    if (!status && hk_write_file(recovery->set_path, recovery->set->bytes, recovery->set->size))
        status = hk_fail_file(recovery->set_path);
    return status;
}

static int fetch_set(struct recovery *recovery, const struct hk_call *call)
{
    uint8_t account[HK_ACCOUNT_BYTES];
    const char *given = hk_call_option(call, "account");
    bool known = given && hk_hex_decode(account, sizeof account, given, strlen(given)) == HK_OK;
    if (given && !known)
        return hk_fail_text(HK_EXIT_USAGE, "--account: the 128 digits that a share's file has");
    for (size_t i = 0; i < recovery->share_count && !known; i++) {
        known = recovery->shares[i].has_account;
        memcpy(account, recovery->shares[i].account, sizeof account);
    }
    if (!known)
        return hk_fail_text(HK_EXIT_USAGE, "whose account? Say --set FILE, or --account with its 128 digits");
    struct hk_agent_message *request = hk_console_request(&recovery->console, HK_AGENT_RECOVER_FETCH);
    hk_agent_set_text(request, HK_A_SERVICE, hk_call_setting(call, "service"));
    hk_agent_set_bytes(request, HK_A_ACCOUNT, account, sizeof account);
    int status = hk_console_ask(&recovery->console);
    return status ? status : hk_read_set(recovery->set_path, &recovery->set);
}

/* With --set, or from the service; a recovery that is under way goes on with the one that it has. */
static int find_set(struct recovery *recovery, const struct hk_call *call)
{
    const char *given = hk_call_option(call, "set");
    int status = hk_set_path(recovery->set_path);
    if (status)
        return status;
    (void)!hk_console_request(&recovery->console, HK_AGENT_STATUS);
    status = hk_console_ask(&recovery->console);
    if (status)
        return status;
    if (hk_agent_u64(hk_console_answer(&recovery->console), HK_A_STATE) != HK_AGENT_EMPTY)
        return access(recovery->set_path, F_OK) == 0
                   ? hk_read_set(recovery->set_path, &recovery->set)
                   : hk_fail_text(HK_EXIT_FAILED,
                                  "there is an account here already; HALFKEY_HOME sets another folder");
    return given ? copy_set(recovery, given) : fetch_set(recovery, call);
}

/* ---- begin ---- */

static int compare_indices(const void *a, const void *b)
{
    return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

/* The holders of the shares that are here, and those that are named, as many as it takes. */
static int choose(const struct recovery *recovery, const struct hk_call *call, uint8_t *indices,
                  size_t *count)
{
    const struct hk_recovery_set *set = &recovery->set->profile.recovery;
    bool chosen[HK_RECOVERY_HOLDERS + 1] = {false};
    *count = 0;
    for (size_t i = 0; i < recovery->share_count; i++) {
        uint64_t index = hk_holder_index(set, recovery->shares[i].public_key);
        if (!index)
            return hk_fail_text(HK_EXIT_FAILED, "the %zu. share is of another recovery set", i + 1);
        if (!chosen[index] && *count < set->threshold)
            indices[(*count)++] = (uint8_t)index;
        chosen[index] = true;
    }
    for (size_t i = 0; hk_call_repeated(call, "holder", i); i++) {
        char *end;
        unsigned long index = strtoul(hk_call_repeated(call, "holder", i), &end, 10);
        if (*end || index < 1 || index > set->count)
            return hk_fail_text(HK_EXIT_USAGE, "--holder: a number from 1 to %zu", set->count);
        if (!chosen[index] && *count < set->threshold)
            indices[(*count)++] = (uint8_t)index;
        chosen[index] = true;
    }
    if (*count != set->threshold)
        return hk_fail_text(
            HK_EXIT_FAILED,
            "it takes %zu holders and there are %zu: bring more shares (--share), or say which holders "
            "will answer (--holder N --request FILE)",
            set->threshold, *count);
    qsort(indices, *count, 1, compare_indices);
    return 0;
}

static int begin(struct recovery *recovery, const struct hk_call *call)
{
    uint8_t indices[HK_RECOVERY_HOLDERS];
    size_t count = 0;
    (void)!hk_console_request(&recovery->console, HK_AGENT_STATUS);
    int status = hk_console_ask(&recovery->console);
    bool is_new = recovery->is_new =
        !status && hk_agent_u64(hk_console_answer(&recovery->console), HK_A_STATE) == HK_AGENT_EMPTY;
    if (!status && is_new)
        status = choose(recovery, call, indices, &count);
    if (!status && !is_new)
        indices[count++] = 1; /* the request that is there names its own */
    if (status)
        return status;
    struct hk_agent_message *request = hk_console_request(&recovery->console, HK_AGENT_RECOVER_BEGIN);
    hk_agent_set_text(request, HK_A_SERVICE, hk_call_setting(call, "service"));
    hk_agent_set_text(request, HK_A_DEVICE, hk_call_setting(call, "device"));
    for (size_t i = 0; i < count; i++)
        if (!hk_agent_add(request, HK_A_INDICES, &indices[i], 1))
            return hk_fail(HK_TOO_LARGE, NULL);
    if (is_new)
        status = hk_new_passphrase(call, request, recovery->passphrase);
    if (!status)
        status = hk_console_ask(&recovery->console);
    if (status)
        return status;
    const struct hk_value *made = &hk_console_answer(&recovery->console)->value[HK_A_REQUEST];
    memcpy(recovery->request, made->data, made->size);
    recovery->request_size = made->size;
    return hk_recovery_request_decode(&recovery->read, recovery->request, recovery->request_size)
               ? hk_fail(HK_INTERNAL, NULL)
               : 0;
}

static int write_request(const struct recovery *recovery, const char *path)
{
    char words[HK_FINGERPRINT_TEXT_BYTES];
    uint8_t hash[32];
    hk_recovery_request_hash(hash, recovery->request, recovery->request_size);
    hk_words_fingerprint(words, hash);
    if (hk_write_file(path, recovery->request, recovery->request_size))
        return hk_fail_file(path);
    printf("words: %s\n", words);
    fprintf(stderr,
            "Send %s to the holders and tell them these words by voice. Each answers with\n"
            "    halfkey recovery give %s --share SHARE --set recovery.set -o ANSWER\n"
            "and the same command as now goes on with --answer ANSWER for each.\n",
            path, path);
    return 0;
}

/* ---- answers ---- */

static uint8_t *next_answer(struct recovery *recovery)
{
    return recovery->answer_count < HK_RECOVERY_HOLDERS
               ? recovery->answers + recovery->answer_count * HK_RECOVERY_CONTRIBUTION_MAX
               : NULL;
}

/* Here the holder's program and the new device are on one machine: each share is split, one after the other,
 * before the device gets its part. */
static int answer_shares(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->share_count; i++) {
        uint64_t index = hk_holder_index(&recovery->set->profile.recovery, recovery->shares[i].public_key);
        uint8_t *out = next_answer(recovery);
        struct hk_holder_opener opener = {.agree = hk_share_agree, .argument = &recovery->shares[i]};
        memcpy(opener.public_key, recovery->shares[i].public_key, 32);
        if (!index || !out)
            return hk_fail_text(HK_EXIT_FAILED, "the %zu. share is of another recovery set", i + 1);
        enum hk_error error =
            hk_holder_give(recovery->set, &opener, index, recovery->request, recovery->request_size, out,
                           &recovery->answer_size[recovery->answer_count]);
        hk_wipe(&recovery->shares[i], sizeof recovery->shares[i]);
        if (error == HK_NOT_FOUND)
            continue; /* more shares than it takes */
        if (error)
            return hk_fail_share(error, "the share");
        recovery->answer_count++;
    }
    return 0;
}

static int read_answers(struct recovery *recovery, const struct hk_call *call)
{
    for (size_t i = 0; hk_call_repeated(call, "answer", i); i++) {
        const char *path = hk_call_repeated(call, "answer", i);
        uint8_t *out = next_answer(recovery);
        if (!out)
            return hk_fail_text(HK_EXIT_USAGE, "there are never more than %d answers", HK_RECOVERY_HOLDERS);
        enum hk_error error = hk_read_file(path, out, HK_RECOVERY_CONTRIBUTION_MAX,
                                           &recovery->answer_size[recovery->answer_count]);
        if (error)
            return error == HK_IO ? hk_fail_file(path) : hk_fail(error, path);
        recovery->answer_count++;
    }
    return 0;
}

/* ---- finish ---- */

static struct hk_agent_message *ask_to_finish(struct recovery *recovery)
{
    struct hk_agent_message *request = hk_console_request(&recovery->console, HK_AGENT_RECOVER_FINISH);
    if (*recovery->passphrase)
        hk_agent_set_bytes(request, HK_A_PASSPHRASE, recovery->passphrase, strlen(recovery->passphrase));
    return request;
}

static int print_account(struct recovery *recovery, const struct hk_call *call)
{
    char account[HK_ACCOUNT_TEXT_BYTES];
    const struct hk_agent_message *answer = hk_console_answer(&recovery->console);
    const char *device = hk_call_setting(call, "device");
    hk_account_text(account, answer->value[HK_A_ACCOUNT].data);
    printf("Account %s\nDevice  %s (administrator)\nKeys    %llu, the same as before; every other device of "
           "this "
           "account is revoked here\n\n",
           account, device, (unsigned long long)hk_agent_u64(answer, HK_A_COUNT) - 1);
    int status = hk_keep_certificate(device, answer, false);
    if (!status)
        puts(
            "\nThe same shares go on working. If one of them may have been seen: 'halfkey recovery create'.");
    return status;
}

static int finish(struct recovery *recovery, const struct hk_call *call)
{
    struct hk_agent_message *request = ask_to_finish(recovery);
    for (size_t i = 0; i < recovery->answer_count; i++)
        if (!hk_agent_add(request, HK_A_CONTRIBUTIONS, recovery->answers + i * HK_RECOVERY_CONTRIBUTION_MAX,
                          recovery->answer_size[i]))
            return hk_fail(HK_TOO_LARGE, NULL);
    int status = hk_console_ask(&recovery->console);
    return status ? status : print_account(recovery, call);
}

/* The same command again: the service may have done it, and only this device not heard of it. */
static bool is_done(struct recovery *recovery)
{
    if (recovery->is_new)
        return false;
    (void)!ask_to_finish(recovery);
    return hk_console_try(&recovery->console) == HK_OK;
}

static int recover(struct recovery *recovery, const struct hk_call *call)
{
    const char *request = hk_call_option(call, "request");
    int status = read_shares(recovery, call);
    if (!status)
        status = find_set(recovery, call);
    if (!status)
        status = begin(recovery, call);
    if (!status && is_done(recovery))
        return print_account(recovery, call);
    if (!status && request)
        status = write_request(recovery, request);
    if (!status)
        status = answer_shares(recovery);
    if (!status)
        status = read_answers(recovery, call);
    if (status || (request && recovery->answer_count < recovery->read.count))
        return status;
    return finish(recovery, call);
}

int hk_cmd_recover(const struct hk_call *call)
{
    struct recovery *recovery = hk_secret_new(sizeof *recovery);
    if (!recovery)
        return hk_fail(HK_NO_MEMORY, NULL);
    recovery->answers = malloc((size_t)HK_RECOVERY_HOLDERS * HK_RECOVERY_CONTRIBUTION_MAX);
    int status = recovery->answers ? hk_console_open(&recovery->console, call) : hk_fail(HK_NO_MEMORY, NULL);
    if (!status)
        status = recover(recovery, call);
    if (recovery->answers)
        hk_console_close(&recovery->console);
    hk_holder_set_free(recovery->set);
    free(recovery->answers);
    hk_secret_free(recovery);
    return status;
}
