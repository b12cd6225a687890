/* What the operator sees: metrics, health, and a log with nothing secret in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyservice/metrics.h"
#include "tests/support/attack.h"
#include "tests/support/client.h"
#include "tests/support/raw_peer.h"

static struct hk_test_service service;
static struct hk_test_device laptop;
static char url[64], page[HK_METRICS_TEXT_MAX + 4096];
static uint16_t port;

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    port = free_port();
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    service.options[0] = "--metrics";
    service.options[1] = url;
    service.options[2] = "--log";
    service.options[3] = "requests";
    service.options[4] = "--quota";
    service.options[5] = "20";
    hk_test_service_start(&service, false);
    hk_test_device_init(&laptop, &service);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

/* The status of a page; its text is in `page`. */
static int get(const char *path)
{
    char request[256];
    size_t size = 0;
    int status = 0, fd = raw_connect(1, port);
    assert_true(fd >= 0);
    int length = snprintf(request, sizeof(request),
                          "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
    for (ssize_t got = 1; got > 0 && size < sizeof(page) - 1;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 10000), 1);
        got = recv(fd, page + size, sizeof(page) - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    page[size] = '\0';
    (void)close(fd);
    assert_int_equal(sscanf(page, "HTTP/1.1 %d", &status), 1);
    return status;
}

/* The value of a line; -1 if there is none. */
static double value(const char *name)
{
    size_t length = strlen(name);
    for (const char *line = page; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            return strtod(line + length, NULL);
        }
    }
    return -1;
}

static struct hk_test_key *git_key(void)
{
    return hk_test_key_of(&laptop, HK_SUITE_ED25519);
}

static void make_account(void)
{
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
}

static void metrics_count_operations_by_kind_and_outcome(void **state)
{
    (void)state;
    uint8_t signature[64];
    make_account();
    assert_int_equal(get("/metrics"), 200);
    double before = value("halfkey_operations_total{operation=\"sign\",outcome=\"ok\"}");
    double answers = value("halfkey_answer_seconds_count"), commits = value("halfkey_fsync_seconds_count");
    assert_true(commits >= 1 && value("halfkey_fsync_seconds_sum") > 0);
    before = before < 0 ? 0 : before;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hk_test_sign(&laptop, git_key(), HK_SIGN_RAW, "message", 7, signature), HK_OK);
    }
    assert_int_equal(get("/metrics"), 200);
    assert_true(value("halfkey_operations_total{operation=\"sign\",outcome=\"ok\"}") == before + 5);
    assert_true(value("halfkey_answer_seconds_count") >= answers + 5);
    assert_true(value("halfkey_answer_seconds_bucket{le=\"+Inf\"}") == value("halfkey_answer_seconds_count"));
    assert_true(value("halfkey_fsync_seconds_count") > commits);
    assert_true(value("halfkey_sessions{kind=\"device\"}") == 1);
    assert_true(value("halfkey_connections") >= 1);
    assert_true(value("halfkey_handshakes_total") >= 2);
    assert_true(value("halfkey_queue_depth") >= 0);
    enum hk_error error = HK_OK;
    size_t refused = 0;
    for (int i = 0; i < 30; i++) {
        error = hk_test_sign(&laptop, git_key(), HK_SIGN_RAW, "message", 7, signature);
        refused += error == HK_OVER_QUOTA ? 1 : 0;
    }
    assert_true(refused > 0);
    assert_int_equal(get("/metrics"), 200);
    assert_true(value("halfkey_quota_refusals_total") == (double)refused);
    assert_true(value("halfkey_operations_total{operation=\"sign\",outcome=\"over-quota\"}") ==
                (double)refused);
}

static void every_line_of_the_metrics_is_of_prometheus_text_form(void **state)
{
    (void)state;
    make_account();
    assert_int_equal(get("/metrics"), 200);
    assert_non_null(strstr(page, "text/plain; version=0.0.4"));
    char *line = strstr(page, "\r\n\r\n"), *rest = NULL;
    size_t values = 0;
    assert_non_null(line);
    for (line = strtok_r(line + 4, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '#') {
            assert_true(strncmp(line, "# HELP halfkey_", 15) == 0 ||
                        strncmp(line, "# TYPE halfkey_", 15) == 0);
            continue;
        }
        char *end, *space = strrchr(line, ' ');
        assert_true(strncmp(line, "halfkey_", 8) == 0);
        assert_non_null(space);
        (void)strtod(space + 1, &end);
        assert_true(end != space + 1 && *end == '\0');
        values++;
    }
    assert_true(values > 40);
}

static void health_is_ok_and_then_nobody_is_there(void **state)
{
    (void)state;
    assert_int_equal(get("/healthz"), 200);
    assert_non_null(strstr(page, "\r\n\r\nok\n"));
    assert_int_equal(get("/other"), 404);
    assert_int_equal(hk_test_service_stop(&service), 0);
    assert_int_equal(raw_connect(1, port), -1);
}

static void health_says_that_a_restored_store_is_in_quarantine(void **state)
{
    (void)state;
    char command[512];
    make_account();
    assert_int_equal(hk_test_service_stop(&service), 0);
    (void)snprintf(command, sizeof(command), "cd '%s/data' && mkdir old && cp -p store.db* old",
                   service.directory);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 2; i++) {
        hk_test_service_restart(&service);
        assert_int_equal(hk_test_service_stop(&service), 0);
    }
    (void)snprintf(command, sizeof(command), "cd '%s/data' && rm -f store.db* && cp -p old/* .",
                   service.directory);
    assert_int_equal(system(command), 0);
    hk_test_service_restart(&service);
    assert_int_equal(get("/healthz"), 503);
    assert_non_null(strstr(page, "quarantine"));
    assert_int_equal(get("/metrics"), 200);
    assert_true(value("halfkey_quarantine") == 1);
}

static void metrics_address_beyond_this_machine_has_to_be_asked_for(void **state)
{
    (void)state;
    char path[512], command[1024];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    strcpy(strrchr(path, '/'), "/halfkeyd");
    static const char *const urls[] = {"http://0.0.0.0:7799", "http://192.0.2.1:7799", "http://[::]:7799",
                                       "http://127.0.0.1.example.net:7799"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        (void)snprintf(command, sizeof(command),
                       "HALFKEYD_USER=root timeout 5 '%s' --data '%s/other' --listen ipc://%s/o --metrics "
                       "'%s' 2>&1 | grep -q 'say --metrics http://127.0.0.1:PORT, or --metrics-anywhere yes'",
                       path, service.directory, service.directory, urls[i]);
        assert_int_equal(system(command), 0);
    }
}

/* ---- the log ---- */

static const char *log_text(size_t *size)
{
    static char text[1 << 20];
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/log", service.directory);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    *size = fread(text, 1, sizeof(text) - 1, file);
    text[*size] = '\0';
    (void)fclose(file);
    return text;
}

/* In no form in which a program might print bytes: raw, hexadecimal, base64. */
static void assert_absent(const char *what, const void *secret, size_t size)
{
    size_t length;
    const char *text = log_text(&length);
    char hex[512], base64[512];
    assert_true(size >= 7 && 2 * size < sizeof(hex));
    (void)sodium_bin2hex(hex, sizeof(hex), secret, size);
    (void)sodium_bin2base64(base64, sizeof(base64), secret, size, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    bool there = memmem(text, length, secret, size) != NULL || strcasestr(text, hex) != NULL ||
                 strstr(text, base64) != NULL;
    if (there) {
        print_error("%s is in the log\n", what);
    }
    assert_false(there);
}

static void log_names_requests_and_holds_nothing_secret(void **state)
{
    (void)state;
    static const char message[] = "a message that nobody else is to read";
    uint8_t signature[64], shared[32];
    struct hk_message request, answer;
    struct hk_test_epoch next = {.seed = {1, 2, 3}};
    make_account();
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_test_sign(&laptop, git_key(), HK_SIGN_RAW, message, sizeof(message), signature),
                     HK_OK);
    static const uint8_t u[32] = {9};
    assert_int_equal(hk_test_agree(&laptop, hk_test_key_of(&laptop, HK_SUITE_X25519), u, shared), HK_OK);
    uint8_t old_tag[HK_TAG_BYTES];
    memcpy(old_tag, laptop.tag, sizeof(old_tag));
    randombytes_buf(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
    assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
    hk_test_adopt(&laptop, &next);
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    uint8_t id[HK_ID_BYTES];
    memcpy(id, request.value[HK_F_REQUEST].data, sizeof(id));
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);

    size_t length;
    char wanted[128], hex[13];
    (void)sodium_bin2hex(hex, sizeof(hex), id, 6);
    (void)snprintf(wanted, sizeof(wanted), "event=request request=%s operation=status device=", hex);
    const char *line = strstr(log_text(&length), wanted);
    assert_non_null(line);
    assert_non_null(strstr(line, " outcome=ok us="));
    assert_absent("a whole request id", id, sizeof(id));
    assert_absent("the message", message, sizeof(message) - 1);
    assert_absent("a signature", signature, sizeof(signature));
    assert_absent("a shared secret", shared, sizeof(shared));
    assert_absent("the static key", laptop.static_key.bytes, 32);
    assert_absent("the report key", laptop.report_secret, 64);
    assert_absent("the printed code", laptop.code, sizeof(laptop.code));
    assert_absent("a tag", old_tag, sizeof(old_tag));
    assert_absent("a tag", laptop.tag, sizeof(laptop.tag));
    assert_absent("a seed", next.seed, sizeof(next.seed));
    assert_absent("the service's seed", next.service_seed, sizeof(next.service_seed));
    for (size_t i = 0; i < laptop.key_count; i++) {
        assert_absent("a half", laptop.key[i].half.bytes, 32);
        assert_absent("a half of the next epoch", next.half[i].bytes, 32);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(metrics_count_operations_by_kind_and_outcome),
        TEST(every_line_of_the_metrics_is_of_prometheus_text_form),
        TEST(health_is_ok_and_then_nobody_is_there),
        TEST(health_says_that_a_restored_store_is_in_quarantine),
        TEST(metrics_address_beyond_this_machine_has_to_be_asked_for),
        TEST(log_names_requests_and_holds_nothing_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
