#include "device/plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "device/age_crypto.h"
#include "device/age_stanza.h"
#include "device/key_format.h"

#define IDENTITIES_MAX 256
#define FILES_MAX 256
#define WRAPS_MAX 65536

/* One conversation. On the heap, and wiped: file keys and a passphrase pass through it. */
struct talk {
    struct hk_lines lines;
    struct hk_sink sink;
    const struct hk_plugin_agent *agent;
    struct hk_stanza stanza;
    struct hk_plugin_identity identities[IDENTITIES_MAX];
    bool bad_identity[IDENTITIES_MAX];
    size_t identity_count, recipient_count;
    bool too_many;
    /* the keys that the identities name */
    uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_plugin_key keys[HK_KEYS_MAX];
    uint8_t recipients[HK_KEYS_MAX][32];
    size_t key_count;
    /* identity-v1: what is to be opened */
    struct hk_age_wrap *wraps;
    size_t wrap_count, wrap_room;
    size_t stanzas[FILES_MAX], bad_stanza[FILES_MAX]; /* of each file; number + 1 of its first bad one */
    bool opened[FILES_MAX];
    size_t file_count;
    uint8_t (*file_keys)[HK_AGE_FILE_KEY_BYTES]; /* FILES_MAX of them */
};

static struct talk *talk_new(struct hk_source source, struct hk_sink sink,
                             const struct hk_plugin_agent *agent)
{
    struct talk *talk = calloc(1, sizeof *talk);
    uint8_t(*file_keys)[HK_AGE_FILE_KEY_BYTES] =
        hk_secret_new(sizeof(uint8_t[FILES_MAX][HK_AGE_FILE_KEY_BYTES]));
    if (!talk || !file_keys) {
        free(talk);
        hk_secret_free(file_keys);
        return NULL;
    }
    hk_lines_init(&talk->lines, source);
    talk->sink = sink;
    talk->agent = agent;
    talk->file_keys = file_keys;
    return talk;
}

static void talk_free(struct talk *talk)
{
    hk_secret_free(talk->file_keys);
    free(talk->wraps);
    hk_wipe(talk, sizeof *talk);
    free(talk);
}

/* Sends a command and reads the answer into talk->stanza. */
static enum hk_error ask(struct talk *talk, const char *command, const void *body, size_t size)
{
    enum hk_error error = hk_stanza_write(&talk->sink, command, body, size);
    if (!error)
        error = hk_stanza_read(&talk->stanza, &talk->lines);
    return error == HK_NOT_FOUND ? HK_IO : error;
}

static bool answered_ok(const struct talk *talk)
{
    return strcmp(talk->stanza.argument[0], "ok") == 0;
}

static enum hk_error say_error(struct talk *talk, const char *which, const char *sentence)
{
    char command[128];
    snprintf(command, sizeof command, "error %s", which);
    return ask(talk, command, sentence, strlen(sentence));
}

static enum hk_error say_numbered_error(struct talk *talk, const char *kind, size_t number,
                                        const char *sentence)
{
    char which[96];
    snprintf(which, sizeof which, "%s %zu", kind, number);
    return say_error(talk, which, sentence);
}

static enum hk_error say_refusal(struct talk *talk, enum hk_error refusal)
{
    char sentence[1100];
    const struct hk_plugin_agent *agent = talk->agent;
    snprintf(sentence, sizeof sentence, "%s", agent->sentence(agent->context, refusal));
    return say_error(talk, "internal", sentence);
}

static enum hk_error say_done(struct talk *talk)
{
    return hk_stanza_write(&talk->sink, "done", NULL, 0);
}

/* ---- what age tells first ---- */

static void hear_identity(struct talk *talk)
{
    if (talk->identity_count == IDENTITIES_MAX) {
        talk->too_many = true;
        return;
    }
    const char *text = talk->stanza.argument[1];
    size_t i = talk->identity_count++;
    talk->bad_identity[i] = hk_plugin_identity_decode(&talk->identities[i], text, strlen(text)) != HK_OK;
}

/* A number of a file, as age writes it. */
static bool file_number(const char *text, size_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = value;
    return *text >= '0' && *text <= '9' && !*end && value < FILES_MAX;
}

static enum hk_error hear_stanza(struct talk *talk)
{
    struct hk_stanza *stanza = &talk->stanza;
    size_t file;
    if (stanza->count < 3 || !file_number(stanza->argument[1], &file)) {
        talk->too_many = true;
        return HK_OK;
    }
    size_t number = talk->stanzas[file]++;
    if (file >= talk->file_count)
        talk->file_count = file + 1;
    memmove(stanza->argument, stanza->argument + 2, sizeof stanza->argument - 2 * sizeof *stanza->argument);
    stanza->count -= 2;
    if (!hk_age_is_native(stanza))
        return HK_OK;
    if (talk->wrap_count == talk->wrap_room) {
        size_t room = talk->wrap_room ? 2 * talk->wrap_room : 16;
        struct hk_age_wrap *wraps = room > WRAPS_MAX ? NULL : realloc(talk->wraps, room * sizeof *wraps);
        if (!wraps)
            return HK_NO_MEMORY;
        talk->wraps = wraps;
        talk->wrap_room = room;
    }
    struct hk_age_wrap *wrap = &talk->wraps[talk->wrap_count];
    if (hk_age_parse_wrap(wrap, stanza)) {
        if (!talk->bad_stanza[file])
            talk->bad_stanza[file] = number + 1;
        return HK_OK;
    }
    wrap->file = file;
    talk->wrap_count++;
    return HK_OK;
}

static void hear_file_key(struct talk *talk)
{
    if (talk->file_count == FILES_MAX || talk->stanza.body_size != HK_AGE_FILE_KEY_BYTES) {
        talk->too_many = true;
        return;
    }
    memcpy(talk->file_keys[talk->file_count++], talk->stanza.body, HK_AGE_FILE_KEY_BYTES);
}

/* Everything until `done`. Commands of a later version are passed over. */
static enum hk_error hear(struct talk *talk)
{
    for (;;) {
        enum hk_error error = hk_stanza_read(&talk->stanza, &talk->lines);
        if (error)
            return error == HK_NOT_FOUND ? HK_IO : error;
        const char *command = talk->stanza.argument[0];
        if (strcmp(command, "done") == 0)
            return HK_OK;
        if (strcmp(command, "add-identity") == 0)
            hear_identity(talk);
        else if (strcmp(command, "add-recipient") == 0)
            talk->recipient_count++;
        else if (strcmp(command, "recipient-stanza") == 0)
            error = hear_stanza(talk);
        else if (strcmp(command, "wrap-file-key") == 0)
            hear_file_key(talk);
        if (error)
            return error;
    }
}

/* Asks age for the passphrase. HK_AGENT_LOCKED if age cannot ask (no terminal). */
static enum hk_error unlock(struct talk *talk)
{
    static const char prompt[] = "Passphrase of halfkey on this device";
    char passphrase[1024];
    HK_WIPE_AT_EXIT(passphrase);
    enum hk_error error = ask(talk, "request-secret", prompt, sizeof prompt - 1);
    if (error)
        return error;
    if (!answered_ok(talk) || talk->stanza.body_size == 0 || talk->stanza.body_size >= sizeof passphrase)
        return HK_AGENT_LOCKED;
    memcpy(passphrase, talk->stanza.body, talk->stanza.body_size);
    passphrase[talk->stanza.body_size] = 0;
    hk_wipe(talk->stanza.body, sizeof talk->stanza.body);
    return talk->agent->unlock(talk->agent->context, passphrase);
}

/* ---- which keys are meant ---- */

static void use_key(struct talk *talk, const struct hk_plugin_key *key)
{
    for (size_t i = 0; i < talk->key_count; i++)
        if (memcmp(talk->keys[i].id, key->id, sizeof key->id) == 0)
            return;
    memcpy(talk->recipients[talk->key_count], key->recipient, 32);
    talk->keys[talk->key_count++] = *key;
}

/* Adds the keys of one identity; a sentence if it names none that is here. */
static const char *use_identity(struct talk *talk, const struct hk_plugin_identity *identity,
                                const struct hk_plugin_key *keys, size_t count)
{
    bool found = false;
    if (!identity->all && memcmp(identity->account, talk->account, sizeof identity->account) != 0)
        return "this identity belongs to another account than the one on this device";
    for (size_t i = 0; i < count; i++) {
        if (!identity->all && memcmp(identity->key, keys[i].id, sizeof keys[i].id) != 0)
            continue;
        use_key(talk, &keys[i]);
        found = true;
    }
    if (found)
        return NULL;
    return identity->all ? "there is no x25519 key yet; run 'halfkey key create NAME --suite x25519'"
                         : "this identity's key is not on this device; see 'halfkey key list'";
}

/* Fills talk->keys, telling age what cannot be used. *good is false if anything was wrong. */
static enum hk_error find_keys(struct talk *talk, bool *good)
{
    struct hk_plugin_key keys[HK_KEYS_MAX];
    size_t count = 0;
    *good = false;
    if (talk->too_many)
        return say_error(talk, "internal", "too many files or identities, or a malformed command");
    enum hk_error refusal = talk->agent->keys(talk->agent->context, talk->account, keys, &count);
    if (refusal == HK_AGENT_LOCKED && (refusal = unlock(talk)) == HK_OK)
        refusal = talk->agent->keys(talk->agent->context, talk->account, keys, &count);
    if (refusal)
        return say_refusal(talk, refusal);
    for (size_t i = 0; i < talk->identity_count; i++) {
        const char *sentence = talk->bad_identity[i]
                                   ? "malformed identity; 'age-plugin-halfkey --list' prints them"
                                   : use_identity(talk, &talk->identities[i], keys, count);
        if (sentence)
            return say_numbered_error(talk, "identity", i, sentence);
    }
    *good = true;
    return HK_OK;
}

/* ---- identity-v1 ---- */

static enum hk_error agree(void *context, size_t key, const uint8_t (*points)[32], size_t count, bool prove,
                           uint8_t (*shared)[32])
{
    struct talk *talk = context;
    const struct hk_plugin_agent *agent = talk->agent;
    const uint8_t *id = talk->keys[key].id;
    enum hk_error error = agent->agree(agent->context, id, points, count, prove, shared);
    if (error != HK_AGENT_LOCKED)
        return error;
    error = unlock(talk);
    return error ? error : agent->agree(agent->context, id, points, count, prove, shared);
}

static enum hk_error tell_files(struct talk *talk)
{
    enum hk_error error = HK_OK;
    for (size_t file = 0; !error && file < talk->file_count; file++) {
        char command[64];
        if (!talk->opened[file] || talk->bad_stanza[file])
            continue;
        snprintf(command, sizeof command, "file-key %zu", file);
        error = ask(talk, command, talk->file_keys[file], HK_AGE_FILE_KEY_BYTES);
    }
    return error;
}

static enum hk_error tell_bad_stanzas(struct talk *talk, bool *any)
{
    enum hk_error error = HK_OK;
    for (size_t file = 0; !error && file < talk->file_count; file++) {
        char kind[64];
        if (!talk->bad_stanza[file])
            continue;
        *any = true;
        snprintf(kind, sizeof kind, "stanza %zu", file);
        error = say_numbered_error(talk, kind, talk->bad_stanza[file] - 1, "malformed X25519 stanza");
    }
    return error;
}

static enum hk_error open_files(struct talk *talk)
{
    bool good = false, any_bad = false;
    enum hk_error error = tell_bad_stanzas(talk, &any_bad);
    if (error || any_bad || talk->wrap_count == 0)
        return error;
    error = find_keys(talk, &good);
    if (error || !good)
        return error;
    struct hk_age_keys keys = {talk->key_count, (const uint8_t(*)[32])talk->recipients, agree, talk};
    enum hk_error refusal =
        hk_age_unwrap(&keys, talk->wraps, talk->wrap_count, talk->file_keys, talk->opened);
    return refusal ? say_refusal(talk, refusal) : tell_files(talk);
}

enum hk_error hk_plugin_identity_v1(struct hk_source source, struct hk_sink sink,
                                    const struct hk_plugin_agent *agent)
{
    struct talk *talk = talk_new(source, sink, agent);
    if (!talk)
        return HK_NO_MEMORY;
    enum hk_error error = hear(talk);
    if (!error)
        error = open_files(talk);
    if (!error)
        error = say_done(talk);
    talk_free(talk);
    return error;
}

/* ---- recipient-v1 ---- */

static enum hk_error wrap_files(struct talk *talk)
{
    bool good = false;
    if (talk->recipient_count > 0)
        return say_numbered_error(talk, "recipient", 0,
                                  "use the key's own age1... recipient; 'halfkey key list' shows it");
    enum hk_error error = find_keys(talk, &good);
    for (size_t file = 0; !error && good && file < talk->file_count; file++) {
        for (size_t key = 0; !error && key < talk->key_count; key++) {
            char arguments[HK_AGE_STANZA_TEXT], command[128];
            uint8_t body[HK_AGE_BODY_BYTES];
            error = hk_age_wrap_one(arguments, body, talk->file_keys[file], talk->recipients[key]);
            if (error)
                return say_refusal(talk, error);
            snprintf(command, sizeof command, "recipient-stanza %zu %s", file, arguments);
            error = ask(talk, command, body, sizeof body);
        }
    }
    return error;
}

enum hk_error hk_plugin_recipient_v1(struct hk_source source, struct hk_sink sink,
                                     const struct hk_plugin_agent *agent)
{
    struct talk *talk = talk_new(source, sink, agent);
    if (!talk)
        return HK_NO_MEMORY;
    enum hk_error error = hear(talk);
    if (!error)
        error = wrap_files(talk);
    if (!error)
        error = say_done(talk);
    talk_free(talk);
    return error;
}
