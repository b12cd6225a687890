/* What gpg-agent, and a real scdaemon, say to the card's program. The first byte says how things stand: 1 the
 * agent is locked, 2 the card's number is known beforehand, 4 there is another scdaemon, which says what is
 * behind a line of
 * "----"; all lines are its own otherwise. */
#include <sodium.h>

#include "device/scd.h"
#include "tests/fuzz/fuzz.h"

static bool locked, has_real;
static struct fuzz_memory other;
static struct hk_assuan real;
static size_t count;

static enum hk_error get_card(void *context, struct hk_scd_card *card)
{
    (void)context;
    memset(card, 0, sizeof(*card));
    strcpy(card->serial, "D276000124010304FF48000000000000");
    card->count = 2;
    card->keys[0] = (struct hk_scd_key){.id = {1}, .algorithm = HK_OPENPGP_EDDSA, .point = {5}};
    card->keys[1] = (struct hk_scd_key){.id = {2}, .algorithm = HK_OPENPGP_ECDH, .point = {9}};
    card->slots[0].made = true;
    return locked ? HK_AGENT_LOCKED : HK_OK;
}

static enum hk_error sign(void *context, const uint8_t key[HK_ID_BYTES], const char *hash,
                          const uint8_t *digest, size_t size, uint8_t signature[64])
{
    (void)context;
    const struct hk_openpgp_hash *row = hk_openpgp_hash_by_name(HK_TEXT(hash));
    MUST(row != NULL && row->bytes == size); /* whatever was said, a digest comes out */
    memset(signature, digest[size - 1], 64);
    return locked ? HK_AGENT_LOCKED : key[0] == 1 ? HK_OK : HK_UNKNOWN_KEY;
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t point[32],
                           uint8_t shared[32])
{
    (void)context;
    memcpy(shared, point, 32);
    return locked ? HK_AGENT_LOCKED : key[0] == 2 ? HK_OK : HK_REVOKED;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    (void)context;
    locked = strcmp(passphrase, "correct horse") != 0;
    return locked ? HK_BAD_PASSPHRASE : HK_OK;
}

static const char *sentence(void *context, enum hk_error error)
{
    (void)context;
    return hk_strerror(error);
}

static void tell(void *context, const char *what)
{
    (void)context;
    MUST(strlen(what) > 0);
}

static enum hk_error connect_real(void *context, struct hk_assuan **out)
{
    (void)context;
    hk_assuan_init(&real, (struct hk_source){fuzz_read, &other}, (struct hk_sink){fuzz_count, &count});
    *out = &real;
    return has_real ? HK_OK : HK_NOT_FOUND;
}

/* What is escaped comes back. */
static void escapes(const uint8_t *data, size_t size)
{
    uint8_t back[HK_ASSUAN_LINE_MAX];
    size_t length = 0;
    if (hk_assuan_unescape(back, sizeof(back), &length, (const char *)data, size) == HK_OK) {
        MUST(length <= size && length <= sizeof(back));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hk_scd_agent agent = {get_card, sign, agree,        unlock,
                                              sentence, tell, connect_real, NULL};
    struct hk_scd_start start = {NULL, "/run/S.scd"};
    bool kill;
    if (size == 0) {
        return 0;
    }
    escapes(data, size);
    const uint8_t *cut = size > 5 ? memmem(data + 1, size - 1, "----\n", 5) : NULL;
    size_t first = cut != NULL ? (size_t)(cut - data) : size;
    struct fuzz_memory memory = {data + 1, first - 1, 0};
    other =
        cut != NULL ? (struct fuzz_memory){cut + 5, size - first - 5, 0} : (struct fuzz_memory){data, 0, 0};
    locked = (data[0] & 1) != 0;
    start.known_serial = (data[0] & 2) != 0 ? "D276000124010304FF48000000000000" : NULL;
    has_real = (data[0] & 4) != 0;
    fuzz_random();
    (void)!hk_scd_converse((struct hk_source){fuzz_read, &memory}, (struct hk_sink){fuzz_count, &count},
                           &agent, &start, &kill);
    return 0;
}
