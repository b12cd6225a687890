/* Other cards: the real scdaemon answers, and this passes its lines on. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "device/scd_parts.h"

static enum hk_error connect_real(struct hk_scd *scd)
{
    if (scd->no_real)
        return HK_NOT_FOUND;
    if (scd->real)
        return HK_OK;
    enum hk_error error = scd->agent->real(scd->agent->context, &scd->real);
    scd->no_real = error != HK_OK;
    return error ? HK_NOT_FOUND : HK_OK;
}

/* It asks gpg-agent for something, a PIN: the answer goes back to it, to END or CAN. */
static enum hk_error pass_inquiry(struct hk_scd *scd)
{
    for (;;) {
        enum hk_error error = hk_assuan_read(&scd->client, scd->line, &scd->line_size);
        if (!error)
            error = hk_assuan_pass(scd->real, scd->line, scd->line_size);
        bool ended = !error && (hk_assuan_is(scd->line, "END") || hk_assuan_is(scd->line, "CAN"));
        hk_wipe(scd->line, sizeof scd->line);
        if (error || ended)
            return error;
    }
}

/* One line back; *ended says that it was the last. */
static enum hk_error pass_back(struct hk_scd *scd, bool quiet, unsigned *code, bool *ended)
{
    bool inquires = hk_assuan_is(scd->line, "INQUIRE") != NULL,
         fails = hk_assuan_is(scd->line, "ERR") != NULL;
    *ended = fails || hk_assuan_is(scd->line, "OK");
    if (fails)
        *code = (unsigned)strtoul(scd->line + 3, NULL, 10);
    if (quiet && strncmp(scd->line, "S SERIALNO ", 11) == 0)
        memcpy(scd->found, scd->line, scd->line_size + 1);
    if (quiet) /* nobody is asked for something that nobody has asked for */
        return inquires ? hk_assuan_write(scd->real, "CAN") : HK_OK;
    enum hk_error error = hk_assuan_pass(&scd->client, scd->line, scd->line_size);
    return !error && inquires ? pass_inquiry(scd) : error;
}

enum hk_error hk_scd_forward(struct hk_scd *scd, const char *line, bool quiet, unsigned *code)
{
    bool ended = false, silent = true;
    if (connect_real(scd))
        return HK_NOT_FOUND;
    *code = HK_GPG_OK;
    *scd->found = 0;
    enum hk_error error = hk_assuan_write(scd->real, "%s", line);
    while (!error && !ended) {
        error = hk_assuan_read(scd->real, scd->line, &scd->line_size);
        if (error)
            break;
        silent = false;
        error = pass_back(scd, quiet, code, &ended);
    }
    if (error && silent) { /* it is gone, and nothing was said yet: as if there were none */
        scd->real = NULL;
        scd->no_real = true;
        return HK_NOT_FOUND;
    }
    return error;
}
