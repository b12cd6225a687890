/* recovery create, export: the set is made, and its shares are written. */
#include "device/cmd_holder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"
#include "device/key_format.h"
#include "device/recovery_set.h"

int hk_set_path(char path[2048])
{
    struct hk_home home;
    char reason[256];
    if (hk_home_find(&home, true, reason))
        return hk_fail_text(HK_EXIT_FAILED, "%s", reason);
    snprintf(path, 2048, "%s/" HK_RECOVERY_SET_NAME, home.path);
    return 0;
}

int hk_read_set(const char *path, struct hk_holder_set **set)
{
    size_t size = 0;
    uint8_t *bytes = malloc(HK_RECOVERY_SET_MAX);
    if (!bytes)
        return hk_fail(HK_NO_MEMORY, NULL);
    enum hk_error error = hk_read_file(path, bytes, HK_RECOVERY_SET_MAX, &size);
    if (error) {
        free(bytes);
        return error == HK_IO ? hk_fail_file(path) : hk_fail(error, path);
    }
    error = hk_holder_set_read(set, bytes, size);
    if (error)
        return hk_fail_text(HK_EXIT_FAILED,
                            "%s: not a whole recovery set of an account (%s); fetch it again with 'halfkey "
                            "recovery export'",
                            path, hk_error_name(error));
    return 0;
}

int hk_read_share(const char *argument, struct hk_share *share)
{
    unsigned wrong = 0;
    size_t size = 0;
    char *text = hk_secret_new(HK_SHARE_TEXT_MAX);
    if (!text)
        return hk_fail(HK_NO_MEMORY, NULL);
    bool is_file = strchr(argument, '/') || access(argument, F_OK) == 0;
    enum hk_error error = HK_OK;
    if (is_file)
        error = hk_read_file(argument, text, HK_SHARE_TEXT_MAX, &size);
    else
        snprintf(text, HK_SHARE_TEXT_MAX, "%s", argument);
    if (error) {
        hk_secret_free(text);
        return error == HK_IO ? hk_fail_file(argument) : hk_fail(error, argument);
    }
    error = hk_share_parse(share, text, &wrong);
    hk_secret_free(text);
    if (error == HK_AUTH)
        return hk_fail_text(HK_EXIT_FAILED,
                            "these are twelve words, but not of one share: check their order");
    if (error && wrong)
        return hk_fail_text(HK_EXIT_FAILED, "word %u of the share is none of ours", wrong);
    return error ? hk_fail_text(HK_EXIT_FAILED, "%s: neither a share's file nor its twelve words",
                                is_file ? argument : "the share")
                 : 0;
}

/* ---- create ---- */

/* The codes of the shares that are written, from hk_secret_new. */
struct codes {
    uint8_t code[HK_RECOVERY_HOLDERS][HK_CODE_BYTES];
    struct hk_share share;
    char text[HK_SHARE_TEXT_MAX];
};

static void share_path(char path[2048], const char *folder, size_t index)
{
    snprintf(path, 2048, "%s/share-%zu.txt", folder, index);
}

static int write_shares(struct codes *codes, const struct hk_set_wish *wish,
                        const struct hk_agent_message *state)
{
    char path[2048], service[HK_ADDRESS_MAX + 1];
    size_t size;
    hk_agent_text(state, HK_A_SERVICE, service, sizeof service);
    for (size_t i = wish->holder_count; i < wish->shares; i++) {
        struct hk_share_facts facts = {.index = i + 1,
                                       .count = wish->shares,
                                       .threshold = wish->threshold,
                                       .account = state->value[HK_A_ACCOUNT].data,
                                       .service = service};
        share_path(path, wish->folder, i + 1);
        if (access(path, F_OK) == 0)
            return hk_fail_text(HK_EXIT_FAILED, "%s is there already: name another folder with --out", path);
        enum hk_error error = hk_share_write(codes->text, &size, codes->code[i], &facts);
        if (error)
            return hk_fail(error, path);
        if (hk_write_file(path, codes->text, size))
            return hk_fail_file(path);
    }
    return 0;
}

static void remove_shares(const struct hk_set_wish *wish)
{
    char path[2048];
    for (size_t i = wish->holder_count; i < wish->shares; i++) {
        share_path(path, wish->folder, i + 1);
        (void)unlink(path);
    }
}

/* What was refused was not made. After any other failure the set may be there, and then these shares are all
 * that opens it. */
static void settle_shares(const struct hk_set_wish *wish, int status)
{
    if (status == HK_EXIT_USAGE || status == HK_EXIT_LOCKED || status == HK_EXIT_REVOKED)
        remove_shares(wish);
    else if (status)
        fprintf(stderr,
                "halfkey: the shares in %s are kept: if 'halfkey' shows the new set, 'halfkey recovery "
                "export' goes "
                "it; if not, delete them and begin again\n",
                wish->folder);
}

static int ask_set(struct hk_console *console, struct codes *codes, const struct hk_set_wish *wish)
{
    uint8_t keys[HK_RECOVERY_HOLDERS][32];
    char names[HK_RECOVERY_HOLDERS][HK_NAME_MAX + 1];
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_RECOVERY_CREATE);
    hk_agent_set_u64(request, HK_A_THRESHOLD, wish->threshold);
    for (size_t i = 0; i < wish->shares; i++) {
        if (i < wish->holder_count) {
            memcpy(keys[i], wish->holders[i], 32);
            snprintf(names[i], sizeof names[i], "%s", wish->holder_names[i]);
        } else {
            hk_recovery_holder_key(&codes->share.key, keys[i], codes->code[i]);
            snprintf(names[i], sizeof names[i], "share-%zu", i + 1);
        }
        if (!hk_agent_add(request, HK_A_HOLDERS, keys[i], 32))
            return hk_fail(HK_TOO_LARGE, NULL);
    }
    for (size_t i = 0; i < wish->shares; i++)
        if (!hk_agent_add(request, HK_A_KEYS, names[i], strlen(names[i])))
            return hk_fail(HK_TOO_LARGE, NULL);
    return hk_console_ask(console);
}

/* A service that dealt wrongly is found now, not on the day the shares are needed. One share is open at a
 * time. */
static int test_shares(struct codes *codes, const struct hk_set_wish *wish, const struct hk_holder_set *set)
{
    for (size_t i = wish->holder_count; i < wish->shares; i++) {
        size_t failed = 0;
        memcpy(codes->share.code, codes->code[i], HK_CODE_BYTES);
        hk_recovery_holder_key(&codes->share.key, codes->share.public_key, codes->code[i]);
        struct hk_holder_opener opener = {.agree = hk_share_agree, .argument = &codes->share};
        memcpy(opener.public_key, codes->share.public_key, 32);
        enum hk_error error = hk_holder_test(set, &opener, i + 1, &failed);
        if (error)
            return hk_fail_text(HK_EXIT_FAILED, "share %zu is not good (%s): the service has dealt wrongly",
                                i + 1, hk_error_name(error));
    }
    return 0;
}

static int finish_set(struct codes *codes, const struct hk_set_wish *wish)
{
    char path[2048], copy[2048];
    struct hk_holder_set *set = NULL;
    int status = hk_set_path(path);
    if (!status)
        status = hk_read_set(path, &set);
    if (!status)
        status = test_shares(codes, wish, set);
    snprintf(copy, sizeof copy, "%s/" HK_RECOVERY_SET_NAME, wish->folder);
    if (!status && hk_write_file(copy, set->bytes, set->size))
        status = hk_fail_file(copy);
    if (!status)
        printf("Recovery: any %u of %u shares bring %zu keys back.\n"
               "Shares  %s/share-N.txt, each tested. Print them or give them away, then delete them here.\n"
               "Set     %s: opens nothing; keep a copy with each share, new keys join it by themselves\n"
               "        ('halfkey recovery export').\n",
               wish->threshold, wish->shares, set->file.count, wish->folder, copy);
    hk_holder_set_free(set);
    return status;
}

int hk_make_set(struct hk_console *console, const struct hk_set_wish *wish)
{
    struct codes *codes = hk_secret_new(sizeof *codes);
    if (!codes)
        return hk_fail(HK_NO_MEMORY, NULL);
    mode_t before = umask(077);
    hk_random(codes->code, sizeof codes->code);
    if (mkdir(wish->folder, 0700) != 0 && access(wish->folder, W_OK) != 0) {
        umask(before);
        hk_secret_free(codes);
        return hk_fail_file(wish->folder);
    }
    uint8_t account[HK_ACCOUNT_BYTES];
    int status = hk_find_account(console, account); /* and leaves the state in the answer */
    if (!status)
        status = write_shares(codes, wish, hk_console_answer(console));
    if (!status) {
        status = ask_set(console, codes, wish);
        settle_shares(wish, status);
    }
    if (!status)
        status = finish_set(codes, wish);
    umask(before);
    hk_secret_free(codes);
    return status;
}

static bool read_count(const struct hk_call *call, const char *name, unsigned *out)
{
    const char *text = hk_call_setting(call, name);
    char *end;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    *out = (unsigned)value;
    return text && *text && !*end && value >= 2 && value <= HK_RECOVERY_HOLDERS;
}

int hk_cmd_recovery_create(const struct hk_call *call)
{
    struct hk_console console;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    const char *names[HK_RECOVERY_HOLDERS];
    struct hk_set_wish wish = {.folder = hk_call_setting(call, "out"),
                               .holders = (const uint8_t(*)[32])holders,
                               .holder_names = names};
    if (!read_count(call, "threshold", &wish.threshold) || !read_count(call, "shares", &wish.shares) ||
        wish.threshold > wish.shares)
        return hk_fail_text(HK_EXIT_USAGE,
                            "--threshold and --shares: 2 to %d, the threshold not above the shares",
                            HK_RECOVERY_HOLDERS);
    for (size_t i = 0; hk_call_repeated(call, "holder", i); i++) {
        const char *holder = hk_call_repeated(call, "holder", i);
        if (i >= wish.shares || hk_age_recipient_decode(holders[i], holder, strlen(holder)))
            return hk_fail_text(HK_EXIT_USAGE, "--holder %s: not an age1... recipient, or more than --shares",
                                holder);
        names[i] = holder;
        wish.holder_count++;
    }
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_make_set(&console, &wish);
    hk_console_close(&console);
    return status;
}

int hk_cmd_recovery_export(const struct hk_call *call)
{
    struct hk_console console;
    struct hk_holder_set *set = NULL;
    char path[2048];
    const char *out = hk_call_setting(call, "output");
    int status = hk_console_open(&console, call);
    if (!status) {
        (void)!hk_console_request(&console, HK_AGENT_RECOVERY_EXPORT);
        status = hk_console_ask(&console);
    }
    hk_console_close(&console);
    if (!status)
        status = hk_set_path(path);
    if (!status)
        status = hk_read_set(path, &set);
    if (!status && hk_write_file(out, set->bytes, set->size))
        status = hk_fail_file(out);
    if (!status)
        printf("%zu keys, any %zu of %zu shares: %s\n", set->file.count, set->profile.recovery.threshold,
               set->profile.recovery.count, out);
    hk_holder_set_free(set);
    return status;
}
