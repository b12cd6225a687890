/* recovery test, recovery give: what a holder does. */
#include "device/cmd_holder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "device/key_format.h"
#include "device/prompt.h"
#include "protocol/udf.h"

int hk_fail_share(enum hk_error error, const char *what)
{
    switch (error) {
    case HK_CONFLICT:
        return hk_fail_text(HK_EXIT_FAILED,
                            "%s: about another recovery set or an older profile than the one here", what);
    case HK_NOT_FOUND:
        return hk_fail_text(HK_EXIT_FAILED, "%s: this holder is not one of those that are asked", what);
    case HK_AUTH:
    case HK_BAD_PROOF:
    case HK_BAD_SCALAR:
    case HK_BAD_POINT:
        return hk_fail_text(
            HK_EXIT_FAILED,
            "%s: NOT GOOD: it does not fit what the account has signed; make a new recovery set", what);
    default:
        return hk_fail(error, what);
    }
}

/* Who the holder is: a share, or a key of this account's own. */
struct holder {
    struct hk_share share;
    struct hk_holder_opener opener;
    struct hk_console console;
    const char *key; /* its name; NULL: a share */
    char what[256];
};

/* The holder's agent agrees: its key is a pair like any other. */
static enum hk_error agree_with_key(void *argument, struct hk_secret32 *shared, const uint8_t ephemeral[32])
{
    struct holder *holder = argument;
    struct hk_agent_message *request = hk_console_request(&holder->console, HK_AGENT_AGREE);
    hk_agent_set_text(request, HK_A_KEY, holder->key);
    if (!hk_agent_add(request, HK_A_POINTS, ephemeral, 32))
        return HK_TOO_LARGE;
    if (hk_console_ask(&holder->console))
        return HK_UNREACHABLE;
    const struct hk_value *results = &hk_console_answer(&holder->console)->value[HK_A_RESULTS];
    if (results->count != 1 || results->items[0].size != 32)
        return HK_BAD_POINT;
    memcpy(shared->bytes, results->items[0].data, 32);
    return HK_OK;
}

static int open_holder(struct holder *holder, const struct hk_call *call, const char *share)
{
    holder->key = hk_call_option(call, "key");
    if ((share == NULL) == (holder->key == NULL))
        return hk_fail_text(HK_EXIT_USAGE,
                            "say whose share: the share's file or words, or --key of this account");
    if (share) {
        int status = hk_read_share(share, &holder->share);
        holder->opener = (struct hk_holder_opener){.agree = hk_share_agree, .argument = &holder->share};
        memcpy(holder->opener.public_key, holder->share.public_key, 32);
        snprintf(holder->what, sizeof holder->what, "the share");
        return status;
    }
    struct hk_agent_key_row row;
    int status = hk_console_open(&holder->console, call);
    if (!status)
        status = hk_find_key(&holder->console, holder->key, &row);
    if (!status && row.suite != HK_SUITE_X25519)
        status = hk_fail_text(HK_EXIT_FAILED, "'%s' is not of suite x25519", holder->key);
    if (status)
        return status;
    holder->opener = (struct hk_holder_opener){.agree = agree_with_key, .argument = holder};
    memcpy(holder->opener.public_key, row.public_key, 32);
    snprintf(holder->what, sizeof holder->what, "the share of key '%s'", holder->key);
    return 0;
}

static struct holder *holder_new(void)
{
    return hk_secret_new(sizeof(struct holder));
}

static void holder_free(struct holder *holder)
{
    if (holder && holder->key && holder->console.client)
        hk_console_close(&holder->console);
    hk_secret_free(holder);
}

/* The set: --set, else the one in the state folder. */
static int find_set(const struct hk_call *call, struct hk_holder_set **set)
{
    char path[2048];
    const char *given = hk_call_option(call, "set");
    if (given)
        return hk_read_set(given, set);
    int status = hk_set_path(path);
    return status ? status : hk_read_set(path, set);
}

static int find_index(const struct holder *holder, const struct hk_holder_set *set, uint64_t *index)
{
    *index = hk_holder_index(&set->profile.recovery, holder->opener.public_key);
    return *index
               ? 0
               : hk_fail_text(HK_EXIT_FAILED,
                              "%s: of no holder of this recovery set; an earlier set may have been replaced",
                              holder->what);
}

static int test(const struct hk_call *call, struct holder *holder, const struct hk_holder_set *set)
{
    uint64_t index;
    size_t failed = 0;
    char account[HK_ACCOUNT_TEXT_BYTES];
    (void)call;
    int status = find_index(holder, set, &index);
    if (status)
        return status;
    enum hk_error error = hk_holder_test(set, &holder->opener, index, &failed);
    if (error)
        return hk_fail_share(error, holder->what);
    hk_account_text(account, set->profile.account);
    printf("good: share %llu of %zu, any %zu of them bring back the %zu keys of %s\n",
           (unsigned long long)index, set->profile.recovery.count, set->profile.recovery.threshold,
           set->file.count, account);
    return 0;
}

int hk_cmd_recovery_test(const struct hk_call *call)
{
    struct hk_holder_set *set = NULL;
    struct holder *holder = holder_new();
    if (!holder)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = find_set(call, &set);
    if (!status)
        status = open_holder(holder, call, call->count ? call->arguments[0] : NULL);
    if (!status)
        status = test(call, holder, set);
    holder_free(holder);
    hk_holder_set_free(set);
    return status;
}

/* ---- give ---- */

/* Whose request it is, before anything is answered: the words come from the one who asks, by voice. */
static int confirm_request(const struct hk_call *call, const struct hk_recovery_request *request,
                           const uint8_t hash[32])
{
    char account[HK_ACCOUNT_TEXT_BYTES], words[HK_FINGERPRINT_TEXT_BYTES], question[1024];
    const char *given = hk_call_option(call, "words");
    hk_account_text(account, request->account);
    hk_words_fingerprint(words, hash);
    fprintf(stderr, "Account   %s\nDevice    %s\nService   %s\nWords     %s\n", account, request->device,
            request->address, words);
    if (given) {
        unsigned wrong;
        return hk_words_check(given, hash, &wrong) == HK_OK
                   ? 0
                   : hk_fail_text(HK_EXIT_FAILED, "not the same words: this request is somebody else's");
    }
    snprintf(question, sizeof question,
             "Does the new device show the same six words? Ask its owner, by voice. Whoever gets %zu answers "
             "has the "
             "account.",
             request->count);
    return hk_prompt_confirm(question)
               ? 0
               : hk_fail_text(HK_EXIT_LOCKED,
                              "nothing was given; say --words with what the new device shows");
}

static int give(const struct hk_call *call, struct holder *holder, const struct hk_holder_set *set,
                uint8_t *out)
{
    uint8_t request[HK_RECOVERY_REQUEST_MAX + 1], hash[32];
    struct hk_recovery_request read;
    size_t size = 0, out_size = 0;
    uint64_t index;
    const char *path = call->arguments[0], *to = hk_call_setting(call, "output");
    enum hk_error error = hk_read_file(path, request, sizeof request, &size);
    if (error)
        return error == HK_IO ? hk_fail_file(path) : hk_fail(error, path);
    if (hk_recovery_request_decode(&read, request, size))
        return hk_fail_text(HK_EXIT_FAILED, "%s: not a new device's request", path);
    hk_recovery_request_hash(hash, request, size);
    int status = find_index(holder, set, &index);
    if (!status)
        status = confirm_request(call, &read, hash);
    if (status)
        return status;
    error = hk_holder_give(set, &holder->opener, index, request, size, out, &out_size);
    if (error)
        return hk_fail_share(error, path);
    if (hk_write_file(to, out, out_size))
        return hk_fail_file(to);
    printf("%s: for '%s' alone, and of no use to anybody else.\n", to, read.device);
    return 0;
}

int hk_cmd_recovery_give(const struct hk_call *call)
{
    struct hk_holder_set *set = NULL;
    struct holder *holder = holder_new();
    uint8_t *out = malloc(HK_RECOVERY_CONTRIBUTION_MAX);
    int status = holder && out ? find_set(call, &set) : hk_fail(HK_NO_MEMORY, NULL);
    if (!status)
        status = open_holder(holder, call, hk_call_option(call, "share"));
    if (!status)
        status = give(call, holder, set, out);
    holder_free(holder);
    hk_holder_set_free(set);
    free(out);
    return status;
}
