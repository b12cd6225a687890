/* The certificates of an account, from the attachments of its keys. */
#include <stdlib.h>
#include <string.h>

#include "crypto/suite.h"
#include "device/gpg_setup.h"

int hk_gpg_list(struct hk_console *console, struct hk_gpg_certificates *out, char (*grips)[41],
                size_t *grip_count)
{
    struct hk_agent_key_row *rows = calloc(HK_KEYS_MAX, sizeof *rows);
    size_t count = 0;
    if (!rows)
        return hk_fail(HK_NO_MEMORY, NULL);
    (void)!hk_console_request(console, HK_AGENT_KEY_LIST);
    int status = hk_console_ask(console);
    const struct hk_value *list = &hk_console_answer(console)->value[HK_A_ROWS];
    for (size_t i = 0; !status && i < list->count && count < HK_KEYS_MAX; i++)
        if (hk_agent_key_row_decode(&rows[count], list->items[i]) == HK_OK &&
            (rows[count].suite == HK_SUITE_ED25519 || rows[count].suite == HK_SUITE_X25519))
            count++;
    out->count = *grip_count = 0;
    for (size_t i = 0; !status && i < count; i++) {
        struct hk_bytes bytes;
        uint8_t grip[HK_OPENPGP_KEYGRIP_BYTES];
        bool signs = rows[i].suite == HK_SUITE_ED25519;
        hk_openpgp_keygrip(grip, signs ? HK_OPENPGP_EDDSA : HK_OPENPGP_ECDH, rows[i].public_key);
        if (rows[i].here)
            hk_fingerprint_text(grips[(*grip_count)++], grip);
        if (!signs || out->count == HK_GPG_CERTIFICATES)
            continue;
        enum hk_error error =
            hk_certificate_fetch(&out->list[out->count].read, &bytes, console->client, rows[i].name);
        if (error && error != HK_NOT_FOUND)
            status = hk_fail_text(HK_EXIT_FAILED,
                                  "the certificate of '%s' is not valid; an administrator's device makes "
                                  "another one with --user-id",
                                  rows[i].name);
        if (error)
            continue;
        memcpy(out->list[out->count].bytes, bytes.data, bytes.size);
        out->list[out->count].size = bytes.size;
        strcpy(out->list[out->count++].name, rows[i].name);
    }
    free(rows);
    return status;
}

int hk_gpg_choose(const struct hk_gpg_certificates *certificates, const char *name, size_t *at)
{
    size_t i = 0, count = certificates->count;
    while (name && i < count && strcmp(certificates->list[i].name, name) != 0)
        i++;
    if (i == count)
        return hk_fail_text(HK_EXIT_FAILED, "no such certificate; 'halfkey gpg setup' makes one");
    if (!name && count > 1)
        return hk_fail_text(HK_EXIT_USAGE, "which key's? The account has %zu certificates", count);
    *at = i;
    return 0;
}
