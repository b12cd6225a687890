/* The card's conversation, with a gpg-agent made of a few lines and a second card behind it, over socket
 * pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/scd.h"
#include "protocol/encoding.h"

/* ---- an account with whole keys, in tests only ---- */

#define SERIAL "D276000124010304FF48AABBCCDD0000"
#define OTHER "D2760001240102000005000012340000"
static const uint8_t sign_id[HK_ID_BYTES] = {1}, agree_id[HK_ID_BYTES] = {2};
#define SIGN "HALFKEY.01000000000000000000000000000000"
#define AGREE "HALFKEY.02000000000000000000000000000000"

static struct account {
    uint8_t sign_secret[64], agree_secret[32];
    struct hk_scd_card card;
    bool locked;
    enum hk_error refuse;
    size_t unlocks, uses;
    char told[256];
    int real_fd; /* -1: no other scdaemon */
    struct hk_assuan real;
} ann;

static enum hk_error get_card(void *context, struct hk_scd_card *card)
{
    (void)context;
    if (ann.locked)
        return HK_AGENT_LOCKED;
    *card = ann.card;
    return HK_OK;
}

static enum hk_error sign(void *context, const uint8_t key[HK_ID_BYTES], const char *hash,
                          const uint8_t *digest, size_t size, uint8_t signature[64])
{
    (void)context;
    if (ann.locked)
        return HK_AGENT_LOCKED;
    if (ann.refuse)
        return ann.refuse;
    if (memcmp(key, sign_id, HK_ID_BYTES) != 0)
        return HK_UNKNOWN_KEY;
    assert_non_null(hk_openpgp_hash_by_name(HK_TEXT(hash)));
    ann.uses++;
    crypto_sign_detached(signature, NULL, digest, size, ann.sign_secret);
    return HK_OK;
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t point[32],
                           uint8_t shared[32])
{
    (void)context;
    if (ann.locked)
        return HK_AGENT_LOCKED;
    if (ann.refuse)
        return ann.refuse;
    if (memcmp(key, agree_id, HK_ID_BYTES) != 0)
        return HK_UNKNOWN_KEY;
    ann.uses++;
    return crypto_scalarmult(shared, ann.agree_secret, point) == 0 ? HK_OK : HK_BAD_POINT;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    (void)context;
    ann.unlocks++;
    if (strcmp(passphrase, "correct horse") != 0)
        return HK_BAD_PASSPHRASE;
    ann.locked = false;
    return HK_OK;
}

static const char *sentence(void *context, enum hk_error error)
{
    (void)context;
    return hk_strerror(error);
}

static void tell(void *context, const char *what)
{
    (void)context;
    snprintf(ann.told, sizeof ann.told, "%s", what);
}

static enum hk_error connect_real(void *context, struct hk_assuan **out)
{
    (void)context;
    if (ann.real_fd < 0)
        return HK_NOT_FOUND;
    hk_assuan_init(&ann.real, (struct hk_source){hk_fd_read, &ann.real_fd},
                   (struct hk_sink){hk_fd_write, &ann.real_fd});
    *out = &ann.real;
    return HK_OK;
}

/* ---- gpg-agent's side ---- */

static struct talk {
    int fd, scd_fd, card_fd; /* ours, the session's, the other card's */
    const char *known;
    bool kill;
    enum hk_error result;
    pthread_t thread, card;
    struct hk_assuan assuan;
    char line[HK_ASSUAN_LINE_MAX + 1];
    size_t size;
} talk;

static void *run_session(void *context)
{
    (void)context;
    static const struct hk_scd_agent agent = {get_card, sign, agree,        unlock,
                                              sentence, tell, connect_real, NULL};
    struct hk_scd_start start = {talk.known, "/run/S.scd"};
    talk.result = hk_scd_converse((struct hk_source){hk_fd_read, &talk.scd_fd},
                                  (struct hk_sink){hk_fd_write, &talk.scd_fd}, &agent, &start, &talk.kill);
    shutdown(talk.scd_fd, SHUT_RDWR);
    return NULL;
}

/* A scdaemon with one card: it asks for a PIN before it signs. */
static void *run_card(void *context)
{
    (void)context;
    static struct hk_assuan assuan;
    static char line[HK_ASSUAN_LINE_MAX + 1];
    size_t size;
    bool asked = false;
    hk_assuan_init(&assuan, (struct hk_source){hk_fd_read, &talk.card_fd},
                   (struct hk_sink){hk_fd_write, &talk.card_fd});
    while (hk_assuan_read(&assuan, line, &size) == HK_OK) {
        char *rest = hk_assuan_is(line, "SERIALNO");
        if (rest && (!*rest || strstr(rest, OTHER)))
            (void)!hk_assuan_write(&assuan, "S SERIALNO " OTHER);
        else if (rest && strstr(rest, "--demand"))
            (void)!hk_assuan_write(&assuan, "ERR 100663408 Card not present");
        if (rest && *rest && !strstr(rest, OTHER) && strstr(rest, "--demand"))
            continue;
        if (hk_assuan_is(line, "PKSIGN")) {
            (void)!hk_assuan_write(&assuan, "INQUIRE NEEDPIN ||Please enter the PIN");
            asked = true;
            continue;
        }
        if (asked && strncmp(line, "D ", 2) == 0)
            continue;
        if (asked && hk_assuan_is(line, "END"))
            (void)!hk_assuan_write_data(&assuan, "signed\0by card", 14);
        asked = false;
        (void)!hk_assuan_write(&assuan, "OK");
    }
    return NULL;
}

static const char *hear(void)
{
    assert_int_equal(hk_assuan_read(&talk.assuan, talk.line, &talk.size), HK_OK);
    return talk.line;
}

static void begin(bool locked, const char *known, bool has_other)
{
    int pair[2];
    ann.locked = locked;
    ann.refuse = HK_OK;
    ann.unlocks = ann.uses = 0;
    *ann.told = 0;
    ann.real_fd = -1;
    if (has_other) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ann.real_fd = pair[0];
        talk.card_fd = pair[1];
        assert_int_equal(pthread_create(&talk.card, NULL, run_card, NULL), 0);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    talk.fd = pair[0];
    talk.scd_fd = pair[1];
    talk.known = known;
    hk_assuan_init(&talk.assuan, (struct hk_source){hk_fd_read, &talk.fd},
                   (struct hk_sink){hk_fd_write, &talk.fd});
    assert_int_equal(pthread_create(&talk.thread, NULL, run_session, NULL), 0);
    assert_true(strncmp(hear(), "OK ", 3) == 0);
}

static void end(void)
{
    shutdown(talk.fd, SHUT_WR);
    pthread_join(talk.thread, NULL);
    close(talk.fd);
    close(talk.scd_fd);
    if (ann.real_fd >= 0) {
        close(ann.real_fd);
        pthread_join(talk.card, NULL);
        close(talk.card_fd);
    }
}

static void say(const char *line)
{
    assert_int_equal(hk_assuan_write(&talk.assuan, "%s", line), HK_OK);
}

/* Says it and hears these lines, in this order. */
static void exchange(const char *line, size_t count, const char *const *wanted)
{
    say(line);
    for (size_t i = 0; i < count; i++) {
        const char *got = hear();
        if (strncmp(got, wanted[i], strlen(wanted[i])) != 0)
            fail_msg("%s: '%s', not '%s'", line, got, wanted[i]);
    }
}
#define EXCHANGE(line, ...)                                                                                  \
    exchange(line, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static int fresh_account(void **state)
{
    (void)state;
    uint8_t point[32];
    memset(&ann, 0, sizeof ann);
    crypto_sign_keypair(point, ann.sign_secret);
    strcpy(ann.card.serial, SERIAL);
    ann.card.count = 2;
    memcpy(ann.card.keys[0].id, sign_id, HK_ID_BYTES);
    memcpy(ann.card.keys[0].point, point, 32);
    ann.card.keys[0].algorithm = HK_OPENPGP_EDDSA;
    randombytes_buf(ann.agree_secret, 32);
    crypto_scalarmult_base(point, ann.agree_secret);
    memcpy(ann.card.keys[1].id, agree_id, HK_ID_BYTES);
    memcpy(ann.card.keys[1].point, point, 32);
    ann.card.keys[1].algorithm = HK_OPENPGP_ECDH;
    return 0;
}

/* ---- */

static void the_card_is_learnt_as_an_openpgp_card(void **state)
{
    (void)state;
    static const char ours[] = "S SERIALNO " SERIAL;
    char pair[256], grip[HK_HEX_SIZE(20)];
    uint8_t bytes[20];
    hk_openpgp_keygrip(bytes, HK_OPENPGP_EDDSA, ann.card.keys[0].point);
    for (size_t i = 0; i < 20; i++)
        snprintf(grip + 2 * i, 3, "%02X", bytes[i]);
    snprintf(pair, sizeof pair, "S KEYPAIRINFO %s " SIGN " sc", grip);
    begin(false, NULL, false);
    EXCHANGE("SERIALNO", "S SERIALNO " SERIAL, "OK");
    EXCHANGE("SERIALNO --demand=" SERIAL, "S SERIALNO " SERIAL, "OK");
    EXCHANGE("LEARN --force", ours, "S APPTYPE OPENPGP", "S EXTCAP ", "S CHV-STATUS ", "S SIG-COUNTER ", pair,
             "S KEYPAIRINFO ", "OK");
    EXCHANGE("LEARN --keypairinfo", pair, "S KEYPAIRINFO ", "OK");
    EXCHANGE("READKEY --info-only HALFKEY.00", "ERR 100663414 ");
    EXCHANGE("READKEY --info-only " SIGN, pair, "OK");
    say("READKEY " SIGN);
    uint8_t sexp[512];
    size_t size = 0;
    hear();
    assert_int_equal(hk_assuan_unescape(sexp, sizeof sexp, &size, talk.line + 2, talk.size - 2), HK_OK);
    static const char head[] = "(10:public-key(3:ecc(5:curve7:Ed25519)(5:flags5:eddsa)(1:q33:@";
    assert_int_equal(size, sizeof head - 1 + 35);
    assert_memory_equal(sexp, head, sizeof head - 1);
    assert_memory_equal(sexp + sizeof head - 1, ann.card.keys[0].point, 32);
    assert_string_equal(hear(), "OK");
    say("READKEY ");
    assert_true(strncmp(hear(), "ERR 100663414 ", 14) == 0);
    EXCHANGE("GETATTR SERIALNO", "S SERIALNO " SERIAL, "OK");
    EXCHANGE("GETATTR KEY-FPR", "OK"); /* no certificate yet */
    EXCHANGE("GETATTR PRIVATE-DO-1", "ERR ");
    EXCHANGE("KEYINFO --list", "S KEYINFO ", "S KEYINFO ", "OK");
    EXCHANGE("KEYINFO --list=encr", "S KEYINFO ", "OK");
    EXCHANGE("GETINFO socket_name", "D /run/S.scd", "OK");
    EXCHANGE("GETINFO version", "D 9.", "OK");
    EXCHANGE("GETINFO reader_list", "ERR 100663354 ");
    EXCHANGE("BYE", "OK");
    end();
    assert_int_equal(talk.result, HK_OK);
    assert_false(talk.kill);
}

static void set_digest(const char *prefix, const uint8_t *digest, size_t size)
{
    char line[300], text[HK_HEX_SIZE(64)];
    hk_hex_encode(text, digest, size);
    snprintf(line, sizeof line, "SETDATA %s%s", prefix, text);
    EXCHANGE(line, "OK");
}

static void hear_signature(const uint8_t *digest, size_t size)
{
    uint8_t signature[64];
    size_t length = 0;
    hear();
    assert_memory_equal(talk.line, "D ", 2);
    assert_int_equal(hk_assuan_unescape(signature, sizeof signature, &length, talk.line + 2, talk.size - 2),
                     HK_OK);
    assert_int_equal(length, 64);
    assert_int_equal(crypto_sign_verify_detached(signature, digest, size, ann.card.keys[0].point), 0);
    assert_string_equal(hear(), "OK");
}

static void digests_are_signed_and_nothing_else(void **state)
{
    (void)state;
    uint8_t digest[64];
    randombytes_buf(digest, sizeof digest);
    begin(false, SERIAL, false);
    EXCHANGE("SERIALNO --demand=" SERIAL, "S SERIALNO " SERIAL, "OK");
    set_digest("3031300d060960864801650304020105000420", digest, 32); /* DER of SHA-256 */
    say("PKSIGN --hash=sha256 " SIGN);
    hear_signature(digest, 32);
    EXCHANGE("PKSIGN --hash=sha256 " SIGN, "ERR 100663301 "); /* data counts once */
    set_digest("3051300d060960864801650304020305000440", digest, 64);
    say("PKSIGN " SIGN); /* its prefix names the hash */
    hear_signature(digest, 64);
    set_digest("", digest, 48);
    say("PKSIGN --hash=sha384 " SIGN);
    hear_signature(digest, 48);
    set_digest("", digest, 20);
    EXCHANGE("SETDATA --append 0011", "OK");
    static const char *const refused[] = {"PKSIGN --hash=sha1 " SIGN, "PKSIGN --hash=sha256 " SIGN,
                                          "PKSIGN --hash=none " SIGN, "PKSIGN " SIGN};
    for (size_t i = 0; i < 4; i++)
        EXCHANGE(refused[i], "ERR 100663301 ");
    set_digest("", digest, 63); /* longer than any of theirs */
    for (size_t i = 0; i < 4; i++)
        EXCHANGE(refused[i], "ERR 100663301 ");
    set_digest("3031300d060960864801650304020105000420", digest, 32);
    EXCHANGE("PKSIGN --hash=sha512 " SIGN, "ERR 100663301 "); /* another hash than its prefix's */
    EXCHANGE("PKSIGN --hash=sha256 OPENPGP.1", "ERR 100663414 ");
    EXCHANGE("PKSIGN --hash=sha256", "ERR 100663414 ");
    EXCHANGE("PKSIGN --hash=sha256 " SIGN " " SIGN, "ERR 100663414 ");
    EXCHANGE("PKSIGN --hash=sha256 " AGREE, "ERR 100663313 "); /* no secret key */
    EXCHANGE("SETDATA xyz", "ERR ");
    EXCHANGE("SETDATA 123", "ERR ");
    EXCHANGE("SETDATA", "ERR ");
    static const char *const never[] = {"PKAUTH " SIGN, "GENKEY 1", "WRITEKEY OPENPGP.1", "PASSWD 1",
                                        "SETATTR x y",  "APDU 00",  "RANDOM 16",          "READCERT " SIGN};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        EXCHANGE(never[i], "ERR 100663356 ");
    assert_int_equal(ann.uses, 3);
    end();
}

static void data_has_a_limit_however_it_comes(void **state)
{
    (void)state;
    char line[HK_ASSUAN_LINE_MAX + 1];
    begin(false, SERIAL, false);
    for (int i = 0; i < 8; i++) {
        memset(line, '0', sizeof line);
        memcpy(line, "SETDATA --append ", 17);
        line[17 + 128] = 0;
        EXCHANGE(line, "OK");
    }
    EXCHANGE("SETDATA --append 00", "ERR 100663386 ");
    EXCHANGE("SETDATA 00", "OK");
    end();
}

static void what_was_encrypted_is_agreed_on(void **state)
{
    (void)state;
    uint8_t ephemeral[32], secret[32], shared[32], got[32];
    size_t size = 0;
    randombytes_buf(secret, 32);
    crypto_scalarmult_base(ephemeral, secret);
    assert_int_equal(crypto_scalarmult(shared, secret, ann.card.keys[1].point), 0);
    begin(false, SERIAL, false);
    for (int marked = 0; marked < 2; marked++) {
        set_digest(marked ? "40" : "", ephemeral, 32);
        EXCHANGE("PKDECRYPT " AGREE, "S PADDING 0");
        hear();
        assert_int_equal(hk_assuan_unescape(got, sizeof got, &size, talk.line + 2, talk.size - 2), HK_OK);
        assert_memory_equal(got, shared, 32);
        assert_string_equal(hear(), "OK");
    }
    set_digest("04", ephemeral, 32);
    EXCHANGE("PKDECRYPT " AGREE, "ERR 100663351 ");
    set_digest("", (uint8_t[32]){0}, 32);
    EXCHANGE("PKDECRYPT " AGREE, "ERR 100663385 "); /* no honest sender's */
    end();
}

static void a_locked_agent_is_opened_by_what_gpg_agent_asks_for(void **state)
{
    (void)state;
    uint8_t digest[32] = {5};
    begin(true, SERIAL, false);
    EXCHANGE("SERIALNO --demand=" SERIAL, "S SERIALNO " SERIAL, "OK"); /* without a word to the agent */
    set_digest("", digest, 32);
    EXCHANGE("PKSIGN --hash=sha256 " SIGN, "INQUIRE NEEDPIN ||");
    EXCHANGE("CAN", "ERR 100663469 "); /* Locked */
    set_digest("", digest, 32);
    EXCHANGE("PKSIGN --hash=sha256 " SIGN, "INQUIRE NEEDPIN ||");
    say("D battery staple");
    EXCHANGE("END", "INQUIRE NEEDPIN ||Wrong");
    say("D correct%20horse"); /* and zeros behind it, as gpg-agent sends them */
    assert_int_equal(hk_assuan_pass(&talk.assuan, "D correct horse\0\0\0", 18), HK_OK);
    say("END");
    hear_signature(digest, 32);
    assert_int_equal(ann.unlocks, 2);
    set_digest("", digest, 32);
    say("PKSIGN --hash=sha256 " SIGN);
    hear_signature(digest, 32);
    ann.locked = true;
    EXCHANGE("PKSIGN --hash=sha256 " SIGN, "ERR "); /* its data is gone: nobody is asked for nothing */
    set_digest("", digest, 32);
    say("PKSIGN --hash=sha256 " SIGN);
    for (int i = 0; i < 3; i++) {
        assert_true(strncmp(hear(), "INQUIRE NEEDPIN", 15) == 0);
        say("D wrong");
        say("END");
    }
    assert_true(strncmp(hear(), "ERR 100663383 ", 14) == 0); /* Bad PIN, after three */
    end();
}

static void a_refusal_is_told_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum hk_error error;
        const char *line;
    } rows[] = {{HK_REVOKED, "ERR 100663390 this device is revoked"},
                {HK_SUSPENDED, "ERR 100663548 this device is susp"},
                {HK_UNREACHABLE, "ERR 100663344 "},
                {HK_TIMEOUT, "ERR 100663358 "},
                {HK_UNKNOWN_KEY, "ERR 100663313 "},
                {HK_BUSY, "ERR 100663297 "}};
    uint8_t digest[32] = {5};
    begin(false, SERIAL, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ann.refuse = rows[i].error;
        *ann.told = 0;
        set_digest("", digest, 32);
        EXCHANGE("PKSIGN --hash=sha256 " SIGN, rows[i].line);
        assert_string_equal(ann.told, hk_strerror(rows[i].error));
    }
    end();
}

static void another_card_is_left_to_the_real_scdaemon(void **state)
{
    (void)state;
    uint8_t digest[32] = {5};
    begin(false, SERIAL, true);
    EXCHANGE("SERIALNO --demand=" OTHER, "S SERIALNO " OTHER, "OK");
    EXCHANGE("SETDATA 00", "OK");
    EXCHANGE("PKSIGN --hash=sha1 OPENPGP.1",
             "INQUIRE NEEDPIN ||Please"); /* its PIN goes there and nowhere else */
    say("D 123456");
    say("END");
    hear();
    assert_int_equal(talk.size, 16);
    assert_memory_equal(talk.line, "D signed\0by card", 16);
    assert_string_equal(hear(), "OK");
    EXCHANGE("GENKEY 1", "OK"); /* whatever that card can do */
    assert_int_equal(ann.unlocks, 0);
    EXCHANGE("SERIALNO --demand=" SERIAL, "S SERIALNO " SERIAL, "OK");
    set_digest("", digest, 32);
    say("PKSIGN --hash=sha256 " SIGN); /* ours again */
    hear_signature(digest, 32);
    EXCHANGE("SERIALNO", "S SERIALNO " SERIAL, "OK"); /* stays */
    EXCHANGE("RESTART", "OK");
    EXCHANGE("SERIALNO", "S SERIALNO " OTHER, "OK"); /* the one in the reader comes first */
    EXCHANGE("RESTART", "OK");
    EXCHANGE("SERIALNO --demand=D2760001240102000005000099990000", "ERR 100663408 ");
    EXCHANGE("GETINFO card_list", "S SERIALNO " SERIAL, "OK");
    end();
    begin(false, SERIAL, false); /* and where there is none */
    EXCHANGE("SERIALNO --demand=" OTHER, "ERR 100663408 ");
    EXCHANGE("SERIALNO piv", "ERR 100663408 ");
    EXCHANGE("SERIALNO openpgp", "S SERIALNO " SERIAL, "OK");
    end();
}

static void nonsense_gets_an_answer_or_the_end(void **state)
{
    (void)state;
    char line[1200];
    begin(false, SERIAL, false);
    EXCHANGE("FROBNICATE", "ERR 100663356 ");
    EXCHANGE("pksignature", "ERR 100663356 ");
    say("");
    say("# a remark");
    EXCHANGE("NOP", "OK");
    memset(line, 'x', sizeof line);
    assert_int_equal(hk_assuan_pass(&talk.assuan, line, sizeof line), HK_OK);
    assert_int_equal(hk_assuan_read(&talk.assuan, talk.line, &talk.size), HK_NOT_FOUND); /* hung up */
    end();
    assert_int_equal(talk.result, HK_TOO_LARGE);
    begin(false, SERIAL, false);
    EXCHANGE("KILLSCD", "OK");
    end();
    assert_true(talk.kill);
}

static void the_serial_number_follows_the_account(void **state)
{
    (void)state;
    char serial[HK_SCD_SERIAL_TEXT];
    uint8_t account[HK_ACCOUNT_BYTES] = {0xaa, 0xbb, 0xcc, 0xdd};
    hk_scd_serial(serial, account);
    assert_string_equal(serial, SERIAL);
}

#define TEST(function) cmocka_unit_test_setup(function, fresh_account)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_card_is_learnt_as_an_openpgp_card),
        TEST(digests_are_signed_and_nothing_else),
        TEST(data_has_a_limit_however_it_comes),
        TEST(what_was_encrypted_is_agreed_on),
        TEST(a_locked_agent_is_opened_by_what_gpg_agent_asks_for),
        TEST(a_refusal_is_told_with_its_reason),
        TEST(another_card_is_left_to_the_real_scdaemon),
        TEST(nonsense_gets_an_answer_or_the_end),
        TEST(the_serial_number_follows_the_account),
    };
    alarm(60); /* nobody waits for an answer that does not come */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
