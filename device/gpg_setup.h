/* gpg_setup.h - GnuPG told about the account's keys, and untold: configuration, certificates, stubs.
 *
 * Works with the stock programs gpg, gpgconf and gpg-connect-agent, and leaves no trace of itself after
 * hk_gpg_unset. Functions that return an int return an exit status and have said what is wrong. */
#ifndef HALFKEY_DEVICE_GPG_SETUP_H
#define HALFKEY_DEVICE_GPG_SETUP_H

#include "device/certificate.h"
#include "device/console.h"
#include "device/gpg_home.h"
#include "device/scd.h"

/* Certificates of the account, as they are put into the keyring. */
#define HK_GPG_CERTIFICATES 16
struct hk_gpg_certificates {
    size_t count;
    struct {
        struct hk_certificate read;
        char name[HK_NAME_MAX + 1]; /* of the key */
        size_t size;
        uint8_t bytes[HK_ATTACHMENT_MAX];
    } list[HK_GPG_CERTIFICATES];
};

/* Every certificate of the account, and the keygrips of all keys that this device has a half of: HK_KEYS_MAX
 * places. */
HK_CHECK int hk_gpg_list(struct hk_console *console, struct hk_gpg_certificates *out, char (*grips)[41],
                         size_t *grip_count);
/* The one of this key, or the only one (NULL). */
HK_CHECK int hk_gpg_choose(const struct hk_gpg_certificates *certificates, const char *name, size_t *at);

/* Points gpg-agent to halfkey-scd, which stands beside this very program; puts the certificates into the
 * keyring with full trust; has gpg-agent make a stub for every key. Once more changes nothing. */
HK_CHECK int hk_gpg_set(const char *home, const char *serial, const struct hk_gpg_certificates *certificates);
/* The contrary. `grips` are the keys' whose stubs are taken away, in hexadecimal. */
HK_CHECK int hk_gpg_unset(const char *home, char (*grips)[41], size_t count);

/* Where GnuPG still has the private key whole; true if it has, and then the file is in `path`. */
bool hk_gpg_has_whole(char path[HK_GPG_PATH_MAX + 80], const char *home, const char *grip) HK_CHECK;

#endif
