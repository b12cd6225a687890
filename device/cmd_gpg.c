/* gpg: a certificate for a key, gpg told about it on every device, the certificate for other people. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "crypto/suite.h"
#include "device/cmd.h"
#include "device/gpg_setup.h"
#include "protocol/cbor.h"

/* ---- making a certificate ---- */

/* The signature that the service helps with when it has seen what it is over. */
static int sign_self(struct hk_console *console, const char *key, const struct hk_openpgp_self *self,
                     struct hk_openpgp_writer *writer)
{
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_SIGN);
    hk_agent_set_text(request, HK_A_KEY, key);
    hk_agent_set_u64(request, HK_A_KIND, HK_SIGN_OPENPGP);
    hk_agent_set_text(request, HK_A_NAMESPACE, self->namespace);
    hk_agent_set_bytes(request, HK_A_MESSAGE, self->signed_data, self->signed_size);
    int status = hk_console_ask(console);
    if (!status)
        hk_openpgp_self_finish(writer, self, hk_console_answer(console)->value[HK_A_SIGNATURE].data);
    return status;
}

static void key_of_row(struct hk_openpgp_key *key, const struct hk_agent_key_row *row)
{
    hk_openpgp_key_init(key, row->suite == HK_SUITE_ED25519 ? HK_OPENPGP_EDDSA : HK_OPENPGP_ECDH,
                        row->public_key, (uint32_t)row->created);
}

/* `subkey` NULL: a key that only signs. */
static int write_certificate(struct hk_console *console, struct hk_openpgp_writer *writer,
                             const struct hk_agent_key_row *row, const struct hk_agent_key_row *subkey,
                             const char *user_id)
{
    struct hk_openpgp_key key, bound;
    struct hk_openpgp_self self;
    uint8_t body[HK_OPENPGP_KEY_MAX];
    uint32_t now = (uint32_t)time(NULL);
    key_of_row(&key, row);
    hk_openpgp_put_packet(writer, HK_OPENPGP_PUBLIC_KEY, body, hk_openpgp_key_encode(body, &key));
    hk_openpgp_put_packet(writer, HK_OPENPGP_USER_ID, user_id, strlen(user_id));
    hk_openpgp_self_user_id(&self, &key, user_id, now);
    int status = sign_self(console, row->name, &self, writer);
    if (!status && subkey) {
        key_of_row(&bound, subkey);
        hk_openpgp_put_packet(writer, HK_OPENPGP_PUBLIC_SUBKEY, body, hk_openpgp_key_encode(body, &bound));
        hk_openpgp_self_subkey(&self, &key, &bound, now);
        status = sign_self(console, row->name, &self, writer);
    }
    return status;
}

/* A key by name that this device has a half of, of the suite that is needed. */
static int find_suited(struct hk_console *console, const char *name, uint64_t suite,
                       struct hk_agent_key_row *row)
{
    int status = hk_find_key(console, name, row);
    if (status)
        return status;
    if (row->suite != suite)
        return hk_fail_text(HK_EXIT_FAILED, "'%s' is no key of suite %s", name, hk_suite_by_id(suite)->name);
    return row->here ? 0 : hk_fail_text(HK_EXIT_FAILED, "this device has no half of '%s'", name);
}

static int attach(struct hk_console *console, const char *key, const uint8_t *bytes, size_t size)
{
    struct hk_agent_message *request = hk_console_request(console, HK_AGENT_ATTACH);
    hk_agent_set_text(request, HK_A_KEY, key);
    hk_agent_set_text(request, HK_A_NAME, HK_CERTIFICATE_ATTACHMENT);
    hk_agent_set_bytes(request, HK_A_ATTACHMENT, bytes, size);
    return hk_console_ask(console);
}

static int make_certificate(struct hk_console *console, const char *name, const char *decrypts,
                            const char *user_id)
{
    uint8_t bytes[HK_ATTACHMENT_MAX];
    struct hk_openpgp_writer writer = {bytes, sizeof bytes, 0, false};
    struct hk_agent_key_row row, subkey;
    struct hk_certificate made;
    if (!*user_id || strlen(user_id) > HK_OPENPGP_USER_ID_MAX ||
        !hk_text_is_printable(user_id, strlen(user_id)))
        return hk_fail_text(HK_EXIT_USAGE,
                            "--user-id has 1 to %d bytes of printable text, such as 'Ann <ann@example.org>'",
                            HK_OPENPGP_USER_ID_MAX);
    int status = find_suited(console, name, HK_SUITE_ED25519, &row);
    if (!status && decrypts)
        status = find_suited(console, decrypts, HK_SUITE_X25519, &subkey);
    if (!status)
        status = write_certificate(console, &writer, &row, decrypts ? &subkey : NULL, user_id);
    if (status)
        return status;
    if (writer.full || hk_certificate_read(&made, HK_BYTES(bytes, writer.size)))
        return hk_fail_text(HK_EXIT_FAILED,
                            "the certificate that was made does not verify; nothing was kept");
    return attach(console, name, bytes, writer.size);
}

/* ---- setup ---- */

struct work {
    struct hk_gpg_certificates certificates;
    char grips[HK_KEYS_MAX][41];
    size_t grip_count;
    char home[HK_GPG_PATH_MAX];
};

static int find_home(struct work *work, const struct hk_call *call)
{
    const char *option = hk_call_option(call, "homedir");
    if (hk_gpg_home(work->home, option, true))
        return hk_fail_file(option ? option : "the folder of GnuPG");
    return 0;
}

/* Learns of certificates that came after this device joined. */
static int refresh_profile(struct hk_console *console)
{
    hk_agent_set_u64(hk_console_request(console, HK_AGENT_KEY_LIST), HK_A_ONLINE, 1);
    return hk_console_ask(console);
}

static void print_setup(const struct work *work)
{
    char text[HK_FINGERPRINT_TEXT], path[HK_GPG_PATH_MAX + 80];
    for (size_t i = 0; i < work->certificates.count; i++) {
        hk_fingerprint_text(text, work->certificates.list[i].read.fingerprint);
        printf("%s  %s\n", text, work->certificates.list[i].read.user_id);
    }
    printf("gpg uses these in %s\n", work->home);
    for (size_t i = 0; i < work->grip_count; i++)
        if (hk_gpg_has_whole(path, work->home, work->grips[i]))
            fprintf(stderr,
                    "halfkey: %s still holds the whole key, and gpg uses that instead of halfkey.\n"
                    "    Delete it, and run 'halfkey gpg setup' again.\n",
                    path);
}

static int set_up(struct hk_console *console, struct work *work)
{
    const struct hk_call *call = console->call;
    const char *user_id = hk_call_option(call, "user-id"), *key = hk_call_setting(call, "key"),
               *decrypts = hk_call_option(call, "decryption-key");
    uint8_t account[HK_ACCOUNT_BYTES];
    char serial[HK_SCD_SERIAL_TEXT];
    if (user_id && !key)
        return hk_fail_text(HK_EXIT_USAGE, "--user-id needs --key NAME, the ed25519 key that is to sign");
    if (!user_id && decrypts)
        return hk_fail_text(HK_EXIT_USAGE,
                            "--decryption-key goes with --user-id, when a certificate is made");
    int status = refresh_profile(console);
    if (!status && user_id)
        status = make_certificate(console, key, decrypts, user_id);
    if (!status)
        status = hk_gpg_list(console, &work->certificates, work->grips, &work->grip_count);
    if (!status && work->certificates.count == 0)
        status = hk_fail_text(
            HK_EXIT_FAILED,
            "no key has a certificate yet: on an administrator's device, 'halfkey gpg setup --key NAME "
            "--decryption-key NAME --user-id \"Ann <ann@example.org>\"' makes one");
    if (!status)
        status = hk_find_account(console, account);
    if (status)
        return status;
    hk_scd_serial(serial, account);
    status = hk_gpg_set(work->home, serial, &work->certificates);
    if (!status)
        print_setup(work);
    return status;
}

int hk_cmd_gpg_setup(const struct hk_call *call)
{
    struct hk_console console;
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = find_home(work, call);
    if (!status) {
        status = hk_console_open(&console, call);
        if (!status && hk_call_option(call, "remove")) {
            status = hk_gpg_list(&console, &work->certificates, work->grips, &work->grip_count);
            if (!status)
                status = hk_gpg_unset(work->home, work->grips, work->grip_count);
        } else if (!status) {
            status = set_up(&console, work);
        }
        hk_console_close(&console);
    }
    free(work);
    return status;
}

/* ---- export ---- */

static int write_under(const char *folder, const char *name, const void *data, size_t size)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return hk_write_file(path, data, size) ? hk_fail_file(path) : 0;
}

/* The files of a web key directory, as draft-koch-openpgp-webkey-service has them. */
static int export_wkd(const char *folder, const struct hk_certificate *certificate, const void *bytes,
                      size_t size)
{
    char name[HK_WKD_NAME_TEXT], domain[256], path[4096];
    if (hk_wkd_name(name, domain, certificate->user_id))
        return hk_fail_text(HK_EXIT_FAILED,
                            "'%s' has no mail address, by which a web key directory finds a certificate",
                            certificate->user_id);
    snprintf(path, sizeof path, "%s/hu", folder);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return hk_fail_file(folder);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return hk_fail_file(path);
    int status = write_under(path, name, bytes, size);
    if (!status)
        status = write_under(folder, "policy", "", 0);
    if (!status)
        printf("Serve %s as https://%s/.well-known/openpgpkey/\n", folder, domain);
    return status;
}

static int export_one(const struct hk_call *call, const struct hk_certificate *certificate, const void *bytes,
                      size_t size)
{
    char text[HK_CERTIFICATE_ARMOR_MAX];
    const char *out = hk_call_option(call, "output"), *folder = hk_call_option(call, "wkd");
    if (folder)
        return export_wkd(folder, certificate, bytes, size);
    if (!hk_call_option(call, "binary")) {
        hk_certificate_armor(text, HK_BYTES(bytes, size));
        bytes = text;
        size = strlen(text);
    }
    return hk_write_file(out ? out : "-", bytes, size) ? hk_fail_file(out ? out : "standard output") : 0;
}

int hk_cmd_gpg_export(const struct hk_call *call)
{
    struct hk_console console;
    struct work *work = calloc(1, sizeof *work);
    const char *name = call->count ? call->arguments[0] : NULL;
    if (!work)
        return hk_fail(HK_NO_MEMORY, NULL);
    int status = hk_console_open(&console, call);
    if (!status)
        status = refresh_profile(&console);
    if (!status)
        status = hk_gpg_list(&console, &work->certificates, work->grips, &work->grip_count);
    size_t at = 0;
    if (!status)
        status = hk_gpg_choose(&work->certificates, name, &at);
    if (!status)
        status = export_one(call, &work->certificates.list[at].read, work->certificates.list[at].bytes,
                            work->certificates.list[at].size);
    hk_console_close(&console);
    free(work);
    return status;
}
