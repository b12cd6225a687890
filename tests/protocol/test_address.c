/* Addresses as people write them, and what is wrong with the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/frame.h"

#define KEY "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"

static void every_form_is_read(void **state)
{
    static const struct {
        const char *text, *url;
    } cases[] = {
        {"halfkey://" KEY "@127.0.0.1:7700", "tcp://127.0.0.1:7700"},
        {"halfkey://" KEY "@example.org", "tcp://example.org:7700"},
        {"halfkey://" KEY "@[::1]:99", "tcp://[::1]:99"},
        {"halfkey://" KEY "@[::1]", "tcp://[::1]:7700"},
        {"tcp://127.0.0.1:7700#" KEY, "tcp://127.0.0.1:7700"},
        {"ipc:///run/half key.sock#" KEY, "ipc:///run/half key.sock"},
        {"ipc:///run/a#b.sock#" KEY, NULL},
        {"ws://host:80/path#" KEY, "ws://host:80/path"},
        {"tls+tcp://host:443#" KEY, "tls+tcp://host:443"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hk_address address;
        const char *reason = NULL;
        enum hk_error error = hk_address_parse(&address, cases[i].text, &reason);
        if (cases[i].url == NULL) {
            assert_int_equal(error, HK_BAD_ENCODING);
            continue;
        }
        assert_int_equal(error, HK_OK);
        assert_string_equal(address.url, cases[i].url);
        for (int j = 0; j < 32; j++) {
            assert_int_equal(address.service_key[j], j);
        }
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "begins with"},
        {"example.org:7700", "begins with"},
        {"http://example.org:7700#" KEY, "begins with"},
        {"halfkey://example.org:7700", "before an @"},
        {"halfkey://abc@example.org:7700", "52 characters"},
        {"tcp://example.org:7700", "key is missing"},
        {"tcp://example.org:7700#" KEY "a", "52 characters"},
        {"tcp://example.org:7700#1"
         "aaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq",
         "letters"},
        {"tcp://example.org:7700#"
         "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ",
         "letters"},
        {"tcp://example.org#" KEY, "port is missing"},
        {"tcp://::1:7700#" KEY, "host is missing"},
        {"tcp://:7700#" KEY, "host is missing"},
        {"tcp://*:7700#" KEY, "no host"},
        {"tcp://example.org:0#" KEY, "port must be"},
        {"tcp://example.org:65536#" KEY, "port must be"},
        {"tcp://example.org:7x#" KEY, "port must be"},
        {"tcp://example.org:7700/x#" KEY, "nothing may follow"},
        {"tcp://exam ple.org:7700#" KEY, "space"},
        {"ipc://relative#" KEY, "absolute"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hk_address address;
        const char *reason = "none";
        assert_int_equal(hk_address_parse(&address, cases[i].text, &reason), HK_BAD_ENCODING);
        if (strstr(reason, cases[i].part) == NULL) {
            fail_msg("%s: %s", cases[i].text, reason);
        }
    }
}

static void printed_address_reads_back(void **state)
{
    static const char *const urls[] = {"tcp://10.0.0.1:7700", "ipc:///run/halfkey.sock", "tls+tcp://host:1",
                                       "ws://host:80/a", "tcp://[fe80::1]:5"};
    uint8_t key[32];
    char text[HK_ADDRESS_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct hk_address address;
        memset(key, (int)i, sizeof(key));
        assert_int_equal(hk_address_print(text, urls[i], key), HK_OK);
        assert_int_equal(hk_address_parse(&address, text, NULL), HK_OK);
        assert_string_equal(address.url, urls[i]);
        assert_memory_equal(address.service_key, key, 32);
    }
    assert_int_equal(hk_address_print(text, "inproc://a", key), HK_BAD_ENCODING);
}

static void loopback_and_ipc_are_local_and_nothing_else_is(void **state)
{
    (void)state;
    assert_true(hk_address_is_local("tcp://127.0.0.1:7700"));
    assert_true(hk_address_is_local("tcp://localhost:7700"));
    assert_true(hk_address_is_local("tcp://[::1]:7700"));
    assert_true(hk_address_is_local("ipc:///run/a"));
    assert_false(hk_address_is_local("tcp://*:7700"));
    assert_false(hk_address_is_local("tcp://[::]:7700"));
    assert_false(hk_address_is_local("tcp://10.0.0.1:7700"));
    assert_false(hk_address_is_local("tcp://127.example.org:7700"));
}

static void what_names_every_interface_is_told_from_what_can_be_dialled(void **state)
{
    (void)state;
    assert_true(hk_address_is_any("tcp://0.0.0.0:7700"));
    assert_true(hk_address_is_any("tls+tcp://[::]:7700"));
    assert_true(hk_address_is_any("ws://*:80/x"));
    assert_false(hk_address_is_any("tcp://127.0.0.1:7700"));
    assert_false(hk_address_is_any("tcp://0.0.0.01:7700"));
    assert_false(hk_address_is_any("tcp://[::1]:7700"));
    assert_false(hk_address_is_any("ipc:///run/0.0.0.0:1"));
}

static void frames_of_any_other_form_are_refused(void **state)
{
    uint8_t bytes[HK_FRAME_HINT_BYTES + 1] = {0}, session[HK_SESSION_ID_BYTES];
    struct hk_frame frame;
    (void)state;
    memset(session, 7, sizeof(session));
    hk_frame_header(bytes, HK_FRAME_REQUEST, session, 77);
    for (size_t size = 0; size < HK_FRAME_HEADER_BYTES; size++) {
        assert_int_equal(hk_frame_parse(&frame, bytes, size), HK_BAD_ENCODING);
    }
    assert_int_equal(hk_frame_parse(&frame, bytes, HK_FRAME_HEADER_BYTES), HK_OK);
    assert_int_equal(frame.counter, 77);
    for (int type = 0; type < 256; type++) {
        bytes[1] = (uint8_t)type;
        bool good = type == HK_FRAME_REQUEST || type == HK_FRAME_ANSWER;
        assert_int_equal(hk_frame_parse(&frame, bytes, 30), good ? HK_OK : HK_BAD_ENCODING);
    }
    bytes[0] = 2;
    assert_int_equal(hk_frame_parse(&frame, bytes, 30), HK_UNSUPPORTED);
    hk_frame_hint(bytes, NULL, HK_BUSY);
    assert_int_equal(hk_frame_parse(&frame, bytes, HK_FRAME_HINT_BYTES), HK_OK);
    assert_int_equal(hk_frame_hinted(&frame), HK_BUSY);
    assert_int_equal(hk_frame_parse(&frame, bytes, HK_FRAME_HINT_BYTES + 1), HK_BAD_ENCODING);
    hk_put_u64(bytes + HK_FRAME_HEADER_BYTES, 0);
    assert_int_equal(hk_frame_hinted(&frame), HK_BAD_PEER);
    hk_put_u64(bytes + HK_FRAME_HEADER_BYTES, 4711);
    assert_int_equal(hk_frame_hinted(&frame), HK_BAD_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(printed_address_reads_back),
        cmocka_unit_test(loopback_and_ipc_are_local_and_nothing_else_is),
        cmocka_unit_test(what_names_every_interface_is_told_from_what_can_be_dialled),
        cmocka_unit_test(frames_of_any_other_form_are_refused),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
