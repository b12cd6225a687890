/* The conversation: which command is whose, and how it ends. */
#include "device/scd.h"

#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "device/scd_parts.h"

#define SOURCE_SCD (6U << 24)

/* What gpg shows is the text of the code; these come nearest. */
static const struct code_row {
    enum hk_error error;
    unsigned code;
} codes[] = {
    {HK_REVOKED, 94 /* Certificate revoked */},
    {HK_UNKNOWN_DEVICE, 94},
    {HK_SUSPENDED, 252 /* Key disabled */},
    {HK_STALE_EPOCH, 252},
    {HK_NOT_ALLOWED, 251 /* Forbidden */},
    {HK_NEEDS_APPROVAL, 114 /* Not confirmed */},
    {HK_AGENT_LOCKED, 173 /* Locked */},
    {HK_LOCKED, 173},
    {HK_BAD_PASSPHRASE, 87 /* Bad PIN */},
    {HK_UNREACHABLE, 48 /* Network error */},
    {HK_TIMEOUT, 62 /* Timeout */},
    {HK_UNKNOWN_KEY, HK_GPG_NO_SECKEY},
    {HK_WRONG_PURPOSE, 125 /* Wrong key usage */},
    {HK_NO_ACCOUNT, HK_GPG_CARD_NOT_PRESENT},
    {HK_OVER_QUOTA, 183 /* Limit reached */},
    {HK_BAD_POINT, 89 /* Bad data */},
};

unsigned hk_scd_code(enum hk_error error)
{
    unsigned code = HK_GPG_GENERAL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].error == error)
            code = codes[i].code;
    return SOURCE_SCD | code;
}

void hk_scd_fail(struct hk_scd *scd, struct hk_scd_end *end, enum hk_error error)
{
    *end = (struct hk_scd_end){hk_scd_code(error), scd->agent->sentence(scd->agent->context, error), false};
}

/* ---- the passphrase ---- */

/* What gpg-agent sends until END. The last D line counts: a PIN is one line. */
static enum hk_error read_pin(struct hk_scd *scd, uint8_t *pin, size_t max, enum hk_error *broken)
{
    size_t size = 0;
    for (;;) {
        *broken = hk_assuan_read(&scd->client, scd->line, &scd->line_size);
        if (*broken || hk_assuan_is(scd->line, "CAN"))
            return HK_AGENT_LOCKED;
        if (hk_assuan_is(scd->line, "END"))
            break;
        if (strncmp(scd->line, "D ", 2) == 0 &&
            hk_assuan_unescape(pin, max - 1, &size, scd->line + 2, scd->line_size - 2))
            size = 0;
        hk_wipe(scd->line, sizeof scd->line);
    }
    pin[size] = 0;
    return *pin ? HK_OK : HK_AGENT_LOCKED;
}

enum hk_error hk_scd_unlock(struct hk_scd *scd, enum hk_error *broken)
{
    uint8_t pin[HK_ASSUAN_LINE_MAX];
    HK_WIPE_AT_EXIT(pin);
    const char *text = "Passphrase of halfkey on this device";
    enum hk_error error = HK_AGENT_LOCKED;
    for (int tries = 0; tries < 3; tries++) {
        *broken = hk_assuan_write(&scd->client, "INQUIRE NEEDPIN ||%s", text);
        if (*broken)
            return HK_AGENT_LOCKED;
        enum hk_error read = read_pin(scd, pin, sizeof pin, broken);
        if (*broken || read)
            return tries == 0 ? HK_AGENT_LOCKED : error;
        error = scd->agent->unlock(scd->agent->context, (char *)pin);
        if (error != HK_BAD_PASSPHRASE)
            return error;
        text = "Wrong; the passphrase of halfkey once more";
    }
    return error;
}

enum hk_error hk_scd_need_card(struct hk_scd *scd, enum hk_error *broken)
{
    if (scd->has_card)
        return HK_OK;
    enum hk_error error = scd->agent->card(scd->agent->context, &scd->card);
    if (error == HK_AGENT_LOCKED) {
        error = hk_scd_unlock(scd, broken);
        if (!error && !*broken)
            error = scd->agent->card(scd->agent->context, &scd->card);
    }
    scd->has_card = !error;
    return error;
}

/* ---- which card ---- */

static enum hk_error select_ours(struct hk_scd *scd, struct hk_scd_end *end)
{
    enum hk_error broken = HK_OK;
    const char *serial = scd->start->known_serial;
    if (!serial) {
        enum hk_error error = hk_scd_need_card(scd, &broken);
        if (broken)
            return broken;
        if (error) {
            hk_scd_fail(scd, end, error);
            return HK_OK;
        }
        serial = scd->card.serial;
    }
    scd->selected = HK_SCD_OURS;
    return hk_assuan_write(&scd->client, "S SERIALNO %s", serial);
}

/* Ours, as far as it can be told without asking anybody. */
static const char *own_serial(struct hk_scd *scd)
{
    if (scd->start->known_serial)
        return scd->start->known_serial;
    scd->has_card = scd->has_card || scd->agent->card(scd->agent->context, &scd->card) == HK_OK;
    return scd->has_card ? scd->card.serial : "";
}

/* The one that is demanded; with no demand the one of before, else one in a reader, else ours: a card that
 * somebody puts in is found as it was before halfkey came. */
static enum hk_error serialno(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    char command[HK_ASSUAN_LINE_MAX + 1];
    const char *demand = NULL, *type = "openpgp", *value;
    unsigned code = 0;
    snprintf(command, sizeof command, *arguments ? "SERIALNO %s" : "SERIALNO%s", arguments);
    for (char *word; (word = hk_assuan_word(&arguments));) {
        value = hk_assuan_option(word, "demand");
        demand = value ? value : demand;
        type = strncmp(word, "--", 2) == 0 ? type : word;
    }
    if (demand ? strcmp(demand, own_serial(scd)) == 0 : scd->selected == HK_SCD_OURS)
        return select_ours(scd, end);
    enum hk_error error = hk_scd_forward(scd, command, !demand && scd->selected != HK_SCD_REAL, &code);
    if (error && error != HK_NOT_FOUND)
        return error;
    bool found = !error && code == 0;
    if (demand || scd->selected == HK_SCD_REAL) {
        scd->selected = found ? HK_SCD_REAL : scd->selected;
        end->answered = !error;
        if (error)
            *end = (struct hk_scd_end){HK_GPG_CARD_NOT_PRESENT,
                                       "no such card, and no scdaemon to look for it", false};
        return HK_OK;
    }
    if (found) {
        scd->selected = HK_SCD_REAL;
        return *scd->found ? hk_assuan_write(&scd->client, "%s", scd->found) : HK_OK;
    }
    if (strcasecmp(type, "openpgp") != 0) {
        *end = (struct hk_scd_end){HK_GPG_CARD_NOT_PRESENT, "no card with this application", false};
        return HK_OK;
    }
    return select_ours(scd, end);
}

/* ---- commands about no card ---- */

static enum hk_error card_list(struct hk_scd *scd, struct hk_scd_end *end)
{
    unsigned code;
    enum hk_error broken = HK_OK, error = hk_scd_need_card(scd, &broken);
    (void)end;
    if (!broken && !error)
        broken = hk_assuan_write(&scd->client, "S SERIALNO %s", scd->card.serial);
    if (!broken && hk_scd_forward(scd, "GETINFO card_list", true, &code) == HK_OK && code == 0 && *scd->found)
        broken = hk_assuan_write(&scd->client, "%s", scd->found);
    return broken;
}

static enum hk_error put_text(struct hk_scd *scd, const char *text)
{
    return hk_assuan_write_data(&scd->client, text, strlen(text));
}

/* gpg warns of a scdaemon that is older than itself: the real one's version, else one that is not. */
static enum hk_error version(struct hk_scd *scd, struct hk_scd_end *end)
{
    unsigned code;
    enum hk_error error = hk_scd_forward(scd, "GETINFO version", false, &code);
    if (error == HK_NOT_FOUND)
        return put_text(scd, "9.0.0");
    end->answered = true;
    return error;
}

static enum hk_error socket_name(struct hk_scd *scd, struct hk_scd_end *end)
{
    if (scd->start->socket)
        return put_text(scd, scd->start->socket);
    *end = (struct hk_scd_end){HK_GPG_NO_DATA, "no socket", false};
    return HK_OK;
}

static enum hk_error usable(struct hk_scd *scd, struct hk_scd_end *end)
{
    (void)end;
    return put_text(scd, "u");
}

static enum hk_error applications(struct hk_scd *scd, struct hk_scd_end *end)
{
    (void)end;
    return put_text(scd, "openpgp:\n");
}

/* No command changes the card, so nothing but these is denied anyway. */
static enum hk_error nothing(struct hk_scd *scd, struct hk_scd_end *end)
{
    (void)scd;
    (void)end;
    return HK_OK;
}

static enum hk_error getinfo(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    static const struct {
        const char *what;
        enum hk_error (*run)(struct hk_scd *scd, struct hk_scd_end *end);
    } rows[] = {{"version", version},     {"socket_name", socket_name}, {"status", usable},
                {"card_list", card_list}, {"app_list", applications},   {"deny_admin", nothing}};
    char command[HK_ASSUAN_LINE_MAX + 1];
    unsigned code;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(arguments, rows[i].what) == 0)
            return rows[i].run(scd, end);
    snprintf(command, sizeof command, "GETINFO %s", arguments);
    enum hk_error error = hk_scd_forward(scd, command, false, &code);
    end->answered = error != HK_NOT_FOUND;
    if (end->answered)
        return error;
    *end = (struct hk_scd_end){HK_GPG_NO_DATA, "nothing is known of that", false};
    return HK_OK;
}

static enum hk_error restart(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    unsigned code;
    (void)arguments;
    (void)end;
    scd->selected = HK_SCD_NONE;
    scd->data_size = 0;
    scd->has_card = false;
    enum hk_error error = scd->real ? hk_scd_forward(scd, "RESTART", true, &code) : HK_OK;
    return error == HK_NOT_FOUND ? HK_OK : error;
}

static enum hk_error accept(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    (void)scd;
    (void)arguments;
    (void)end;
    return HK_OK;
}

static enum hk_error bye(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    (void)arguments;
    (void)end;
    scd->done = true;
    return HK_OK;
}

static enum hk_error kill_all(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    (void)arguments;
    (void)end;
    scd->kill = true;
    return HK_OK;
}

/* ---- the table ---- */

static const struct command {
    const char *name;
    hk_scd_command run;
    bool of_card; /* goes to the real scdaemon while another card is selected */
} commands[] = {
    {"SERIALNO", serialno, false},
    {"LEARN", hk_scd_learn, true},
    {"READKEY", hk_scd_readkey, true},
    {"GETATTR", hk_scd_getattr, true},
    {"KEYINFO", hk_scd_keyinfo, true},
    {"SETDATA", hk_scd_setdata, true},
    {"PKSIGN", hk_scd_pksign, true},
    {"PKDECRYPT", hk_scd_pkdecrypt, true},
    {"LOCK", accept, true},
    {"UNLOCK", accept, true},
    {"CHECKPIN", accept, true},
    {"GETINFO", getinfo, false},
    {"OPTION", accept, false},
    {"RESTART", restart, false},
    {"RESET", restart, false},
    {"NOP", accept, false},
    {"CANCEL", accept, false},
    {"DISCONNECT", accept, false},
    {"KILLSCD", kill_all, false},
    {"BYE", bye, false},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static enum hk_error forward_whole(struct hk_scd *scd, struct hk_scd_end *end)
{
    char command[HK_ASSUAN_LINE_MAX + 1];
    unsigned code;
    strcpy(command, scd->line);
    enum hk_error error = hk_scd_forward(scd, command, false, &code);
    hk_wipe(command, sizeof command);
    end->answered = error != HK_NOT_FOUND;
    if (end->answered)
        return error;
    scd->selected = HK_SCD_NONE;
    *end = (struct hk_scd_end){HK_GPG_CARD_NOT_PRESENT, "the scdaemon of that card has ended", false};
    return HK_OK;
}

static enum hk_error run(struct hk_scd *scd, struct hk_scd_end *end)
{
    char arguments[HK_ASSUAN_LINE_MAX + 1];
    HK_WIPE_AT_EXIT(arguments);
    for (size_t i = 0; i < COMMANDS; i++) {
        char *rest = hk_assuan_is(scd->line, commands[i].name);
        if (!rest)
            continue;
        if (commands[i].of_card && scd->selected == HK_SCD_REAL)
            return forward_whole(scd, end);
        strcpy(arguments, rest); /* scd->line is used again */
        return commands[i].run(scd, arguments, end);
    }
    if (scd->selected == HK_SCD_REAL)
        return forward_whole(scd, end);
    *end = (struct hk_scd_end){HK_GPG_NOT_SUPPORTED,
                               "halfkey's card does not do that: its keys are made and ended by 'halfkey'",
                               false};
    return HK_OK;
}

static enum hk_error answer(struct hk_scd *scd)
{
    struct hk_scd_end end = {0};
    if (!*scd->line || *scd->line == '#')
        return HK_OK;
    enum hk_error error = run(scd, &end);
    if (error || end.answered)
        return error;
    if (end.code)
        return hk_assuan_write(&scd->client, "ERR %u %s <SCD>", SOURCE_SCD | end.code, end.sentence);
    return hk_assuan_write(&scd->client, "OK");
}

enum hk_error hk_scd_converse(struct hk_source source, struct hk_sink sink, const struct hk_scd_agent *agent,
                              const struct hk_scd_start *start, bool *kill)
{
    struct hk_scd *scd = hk_secret_new(sizeof *scd);
    if (!scd)
        return HK_NO_MEMORY;
    scd->agent = agent;
    scd->start = start;
    hk_assuan_init(&scd->client, source, sink);
    enum hk_error error = hk_assuan_write(&scd->client, "OK halfkey's card is ready");
    while (!error && !scd->done && !scd->kill) {
        error = hk_assuan_read(&scd->client, scd->line, &scd->line_size);
        if (!error)
            error = answer(scd);
    }
    *kill = scd->kill;
    hk_secret_free(scd);
    return error == HK_NOT_FOUND ? HK_OK : error;
}
