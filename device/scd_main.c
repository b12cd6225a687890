/* halfkey-scd: the card's program, as gpg-agent starts it: one conversation over its standard input and
 * output, more over a socket, and halfkey's agent and the real scdaemon behind them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/agent_backend.h"
#include "device/cmd.h"
#include "device/gpg_home.h"
#include "device/scd_process.h"
#include "device/scd_tell.h"

static const char *socket_path; /* for GETINFO; NULL if there is none */

/* ---- one conversation ---- */

struct backend {
    struct hk_agent_backend agent;
    struct hk_scd_real_link real;
};

static struct hk_agent_backend *agent_of(void *context)
{
    return &((struct backend *)context)->agent;
}

/* An agent that was ended since is started again, once. */
static bool is_gone(struct hk_agent_backend *backend, enum hk_error error)
{
    if (error != HK_IO && error != HK_BAD_PEER)
        return false;
    hk_agent_client_free(backend->client);
    backend->client = NULL;
    return true;
}

static enum hk_error list_rows(struct hk_agent_backend *backend)
{
    for (int tries = 0; tries < 2; tries++) {
        enum hk_error error = hk_agent_backend_open(backend);
        if (error)
            return error;
        (void)!hk_agent_request(backend->client, HK_AGENT_KEY_LIST);
        error = hk_agent_backend_call(backend);
        if (error && is_gone(backend, error))
            continue;
        if (error)
            return error;
        const struct hk_value *rows = &hk_agent_answer(backend->client)->value[HK_A_ROWS];
        backend->count = 0;
        for (size_t i = 0; i < rows->count && backend->count < HK_KEYS_MAX; i++) {
            struct hk_agent_key_row *row = &backend->rows[backend->count];
            if (hk_agent_key_row_decode(row, rows->items[i]) == HK_OK && row->here &&
                (row->suite == HK_SUITE_ED25519 || row->suite == HK_SUITE_X25519))
                backend->count++;
        }
        return HK_OK;
    }
    return HK_UNREACHABLE;
}

/* Fingerprints of the first key that has a certificate: gpg asks for an OpenPGP card's. */
static void fill_slots(struct hk_agent_backend *backend, struct hk_scd_card *card)
{
    struct hk_certificate certificate;
    for (size_t i = 0; i < backend->count && !card->slots[0].made; i++) {
        if (hk_certificate_fetch(&certificate, NULL, backend->client, backend->rows[i].name) != HK_OK)
            continue;
        const struct hk_openpgp_key *keys[] = {&certificate.key, certificate.subkey};
        for (size_t k = 0; k < 1 + (certificate.subkey_count > 0); k++) {
            card->slots[k].made = true;
            card->slots[k].created = keys[k]->created;
            hk_openpgp_fingerprint(card->slots[k].fingerprint, keys[k]);
        }
    }
}

static enum hk_error get_card(void *context, struct hk_scd_card *card)
{
    struct hk_agent_backend *backend = agent_of(context);
    enum hk_error error = list_rows(backend);
    if (error)
        return error;
    memset(card, 0, sizeof *card);
    for (size_t i = 0; i < backend->count; i++) {
        struct hk_scd_key *key = &card->keys[card->count++];
        memcpy(key->id, backend->rows[i].id, sizeof key->id);
        memcpy(key->point, backend->rows[i].public_key, sizeof key->point);
        key->algorithm = backend->rows[i].suite == HK_SUITE_ED25519 ? HK_OPENPGP_EDDSA : HK_OPENPGP_ECDH;
        key->created = backend->rows[i].created;
    }
    fill_slots(backend, card);
    uint8_t account[HK_ACCOUNT_BYTES];
    error = hk_agent_backend_account(backend, account);
    if (!error)
        hk_scd_serial(card->serial, account);
    return error;
}

/* The agent is asked by name; the names are got when an id is not known. */
static enum hk_error find_name(struct hk_agent_backend *backend, const uint8_t id[HK_ID_BYTES],
                               const char **name)
{
    for (int tries = 0; tries < 2; tries++) {
        for (size_t i = 0; i < backend->count; i++)
            if (memcmp(backend->rows[i].id, id, HK_ID_BYTES) == 0) {
                *name = backend->rows[i].name;
                return hk_agent_backend_open(backend);
            }
        enum hk_error error = list_rows(backend);
        if (error)
            return error;
    }
    snprintf(backend->sentence, sizeof backend->sentence, "this device has no half of that key");
    return HK_UNKNOWN_KEY;
}

static enum hk_error sign(void *context, const uint8_t key[HK_ID_BYTES], const char *hash,
                          const uint8_t *digest, size_t size, uint8_t signature[64])
{
    struct hk_agent_backend *backend = agent_of(context);
    const char *name = NULL;
    for (int tries = 0; tries < 2; tries++) {
        enum hk_error error = find_name(backend, key, &name);
        if (error)
            return error;
        struct hk_agent_message *request = hk_agent_request(backend->client, HK_AGENT_SIGN);
        hk_agent_set_text(request, HK_A_KEY, name);
        hk_agent_set_u64(request, HK_A_KIND, HK_SIGN_OPENPGP);
        hk_agent_set_text(request, HK_A_NAMESPACE, hash);
        hk_agent_set_bytes(request, HK_A_MESSAGE, digest, size);
        error = hk_agent_backend_call(backend);
        if (error && is_gone(backend, error))
            continue;
        if (!error)
            memcpy(signature, hk_agent_answer(backend->client)->value[HK_A_SIGNATURE].data, 64);
        return error;
    }
    return HK_UNREACHABLE;
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t point[32],
                           uint8_t shared[32])
{
    struct hk_agent_backend *backend = agent_of(context);
    const char *name = NULL;
    for (int tries = 0; tries < 2; tries++) {
        enum hk_error error = find_name(backend, key, &name);
        if (error)
            return error;
        struct hk_agent_message *request = hk_agent_request(backend->client, HK_AGENT_AGREE);
        hk_agent_set_text(request, HK_A_KEY, name);
        if (!hk_agent_add(request, HK_A_POINTS, point, 32))
            return HK_TOO_LARGE;
        error = hk_agent_backend_call(backend);
        if (error && is_gone(backend, error))
            continue;
        const struct hk_value *results = &hk_agent_answer(backend->client)->value[HK_A_RESULTS];
        if (error)
            return error;
        if (results->count != 1)
            return HK_BAD_PEER;
        if (results->items[0].size != 32)
            return HK_BAD_POINT;
        memcpy(shared, results->items[0].data, 32);
        return HK_OK;
    }
    return HK_UNREACHABLE;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    struct hk_agent_backend *backend = agent_of(context);
    return hk_agent_backend_unlock(backend, passphrase);
}

static const char *sentence(void *context, enum hk_error error)
{
    const struct hk_agent_backend *backend = agent_of(context);
    return hk_agent_backend_sentence(backend, error);
}

static char gnupg_home[HK_GPG_PATH_MAX];

static void tell(void *context, const char *what)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* settings are one conversation's at a time */
    (void)context;
    pthread_mutex_lock(&lock);
    hk_scd_tell(gnupg_home, what);
    pthread_mutex_unlock(&lock);
}

static enum hk_error real(void *context, struct hk_assuan **out)
{
    struct backend *backend = context;
    return hk_scd_real_connect(&backend->real, out);
}

/* True if the program was told to end. */
static bool converse(int in, int out, const char *serial)
{
    struct backend *backend = calloc(1, sizeof *backend);
    bool kill = false;
    if (!backend)
        return false;
    hk_scd_real_init(&backend->real);
    struct hk_source source = {hk_fd_read, &in};
    struct hk_sink sink = {hk_fd_write, &out};
    struct hk_scd_agent agent = {get_card, sign, agree, unlock, sentence, tell, real, backend};
    struct hk_scd_start start = {serial, socket_path};
    (void)!hk_scd_converse(source, sink, &agent, &start, &kill);
    hk_scd_real_close(&backend->real);
    hk_agent_client_free(backend->agent.client);
    free(backend);
    return kill;
}

/* ---- the program ---- */

static struct hk_gpg_settings settings;

static const char *known_serial(void)
{
    return *settings.serial ? settings.serial : NULL;
}

static bool converse_on(int fd)
{
    return converse(fd, fd, known_serial());
}

static int usage(FILE *file, int status)
{
    fputs("usage: halfkey-scd --multi-server|--server [--homedir DIR]\n\n"
          "gpg-agent starts this program in scdaemon's place; 'halfkey gpg setup' tells it to.\n",
          file);
    return status;
}

static void use_settings(const char *folder)
{
    if (hk_gpg_home(gnupg_home, folder, false) || hk_gpg_settings_read(&settings, gnupg_home))
        return;
    if (*settings.home)
        setenv("HALFKEY_HOME", settings.home, 1);
}

int hk_scd_main(int argc, char **argv)
{
    const char *folder = NULL;
    bool serves = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--homedir") == 0 && i + 1 < argc)
            folder = argv[++i];
        else if (strcmp(argv[i], "--multi-server") == 0 || strcmp(argv[i], "--server") == 0)
            serves = true;
        else if (strcmp(argv[i], "--help") == 0)
            return usage(stdout, 0);
        else
            return usage(stderr, HK_EXIT_USAGE);
    }
    if (!serves)
        return usage(stderr, HK_EXIT_USAGE);
    use_settings(folder);
    hk_scd_real_setup(*settings.scdaemon ? settings.scdaemon : NULL, folder);
    socket_path = hk_scd_listen(converse_on);
    (void)!converse(STDIN_FILENO, STDOUT_FILENO, known_serial());
    hk_scd_shut();
    return 0;
}
