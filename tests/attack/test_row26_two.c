/* Row 26: two of a kind: two services on one store, two commands on one device, two agents on one folder,
 * also from what looks like another machine. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"

static struct hk_test_service service;
static struct hk_test_home home;
static struct hk_test_output output;
static char shared[sizeof(output.out)];

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"
#define COMMANDS 8

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&home, &service, "home");
    hk_test_home_account(&home, &service, "laptop");
    HK_EXPECT(&home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    assert_int_equal(HK_RUN(&home, &output, AGREE), 0);
    memcpy(shared, output.out, sizeof(shared));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&home);
    hk_test_service_end(&service);
    return 0;
}

static void expect_same_x(void)
{
    if (HK_RUN(&home, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) {
        fail_msg("%s%s", output.out, output.err);
    }
}

/* ---- services ---- */

/* Starts halfkeyd itself, with these arguments, as the command line is started elsewhere. */
static int run_service(const char *data, const char *listen)
{
    static char path[512];
    struct hk_test_home plain = home;
    ssize_t length = readlink("/proc/self/exe", path, 400);
    assert_true(length > 0);
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    *strrchr(path, '/') = '\0';
    strcat(path, "/halfkeyd");
    plain.program = path;
    return HK_RUN(&plain, &output, "--data", data, "--listen", listen);
}

static void row26_a_second_service_on_a_store_refuses_to_start(void **state)
{
    (void)state;
    char data[128], other[128], link_path[128];
    (void)snprintf(data, sizeof(data), "%s/data", service.directory);
    (void)snprintf(other, sizeof(other), "ipc://%s/other", service.directory);
    (void)snprintf(link_path, sizeof(link_path), "%s/link", service.directory);
    assert_int_not_equal(run_service(data, other), 0);
    assert_true(strlen(output.err) > 20);
    expect_same_x();
    hk_tried("a second service, at another address");
    assert_int_not_equal(run_service(data, service.listen), 0);
    expect_same_x();
    hk_tried("a second service, at the same address");
    assert_int_equal(symlink(data, link_path), 0);
    assert_int_not_equal(run_service(link_path, other), 0);
    expect_same_x();
    hk_tried("a second service, through a link to the store");
    HK_EXPECT(&home, 0, "verified", "log", "--verify");
}

static void row26_a_service_that_was_killed_leaves_no_lock_behind(void **state)
{
    (void)state;
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    expect_same_x();
    hk_tried("started again after a kill");
}

/* ---- commands ---- */

static void together(const char *const arguments[COMMANDS][8], const char *expected)
{
    struct hk_test_running running[COMMANDS];
    for (int i = 0; i < COMMANDS; i++) {
        hk_test_begin(&home, &running[i], arguments[i]);
    }
    for (int i = 0; i < COMMANDS; i++) {
        int status = hk_test_finish(&running[i], &output);
        bool is_agree = strcmp(arguments[i][0], "agree") == 0;
        if (status != 0 || (is_agree && strcmp(output.out, expected) != 0)) {
            fail_msg("%s: exit %d, %s%s", arguments[i][0], status, output.out, output.err);
        }
    }
}

static void row26_commands_at_once_on_one_device_all_work(void **state)
{
    (void)state;
    static const char *const uses[COMMANDS][8] = {{AGREE}, {AGREE}, {AGREE}, {AGREE},
                                                  {AGREE}, {AGREE}, {AGREE}, {AGREE}};
    static const char *const changes[COMMANDS][8] = {{AGREE},
                                                     {"key", "create", "a", "--suite", "x25519"},
                                                     {"refresh"},
                                                     {"key", "create", "b", "--suite", "ed25519"},
                                                     {AGREE},
                                                     {"refresh"},
                                                     {"log", "--verify"},
                                                     {AGREE}};
    together(uses, shared);
    hk_tried("eight uses at once");
    hk_test_agent_kill(&home);
    together(uses, shared);
    hk_tried("eight commands that all find no agent");
    together(changes, shared);
    hk_tried("uses, new keys and refreshes at once");
    hk_test_agent_kill(&home);
    together((const char *const[COMMANDS][8]){{AGREE},
                                              {"key", "create", "c", "--suite", "x25519"},
                                              {"refresh"},
                                              {AGREE},
                                              {"key", "create", "d", "--suite", "ed25519"},
                                              {"refresh"},
                                              {"device", "list"},
                                              {AGREE}},
             shared);
    hk_tried("the same, with no agent at first");
    assert_int_equal(HK_RUN(&home, &output, "key", "list", "--json"), 0);
    for (const char *name = "abcd"; *name != '\0'; name++) {
        char member[32];
        (void)snprintf(member, sizeof(member), "\"name\": \"%c\"", *name);
        assert_non_null(strstr(output.out, member));
    }
    expect_same_x();
}

/* ---- agents ---- */

static void row26_a_second_agent_says_which_one_runs(void **state)
{
    (void)state;
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%ld", (long)hk_test_agent(&home));
    assert_string_not_equal(pid, "0");
    HK_EXPECT(&home, 1, pid, "agent");
    expect_same_x();
    hk_tried("a second agent");
    HK_EXPECT(&home, 1, pid, "agent", "--daemon");
    expect_same_x();
    hk_tried("a second agent in the background");
    struct hk_test_home linked = home;
    char link_path[128];
    (void)snprintf(link_path, sizeof(link_path), "%s/linked", service.directory);
    assert_int_equal(symlink(home.path, link_path), 0);
    (void)snprintf(linked.path, sizeof(linked.path), "%s", link_path);
    HK_EXPECT(&linked, 1, pid, "agent");
    HK_EXPECT(&linked, 0, NULL, AGREE); /* the same folder: the same agent */
    hk_tried("a second agent, through a link to the folder");
}

/* The mark that an agent of another machine leaves in a folder that both share; locks do not reach so far. */
static void mark(const char *text, time_t age)
{
    char path[192];
    (void)snprintf(path, sizeof(path), "%s/lock", home.path);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    const struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(futimens(fd, times), 0);
    (void)close(fd);
}

static void row26_an_agent_of_another_host_is_respected(void **state)
{
    (void)state;
    hk_test_agent_kill(&home);
    mark("4711 elsewhere 11111111-2222-3333-4444-555555555555\n", 60);
    HK_EXPECT(&home, 1, "4711", "agent");
    HK_EXPECT(&home, 1, "elsewhere", AGREE);
    hk_tried("an agent on another host");
    mark("4711 elsewhere 11111111-2222-3333-4444-555555555555\n", 2 * 86400);
    expect_same_x();
    hk_test_agent_kill(&home);
    hk_tried("one that has not been heard of for two days");
    mark("garbage\n", 60);
    expect_same_x();
    hk_test_agent_kill(&home);
    mark("", 0);
    expect_same_x();
    hk_tried("a mark that says nothing");
}

/* The agent learns of each answer late: a look at the log meets a use's leaf before the use knows of its
 * answer. */
static void row26_a_look_at_the_log_while_an_answer_is_on_its_way_accuses_nobody(void **state)
{
    (void)state;
    char late[64];
    (void)snprintf(late, sizeof(late), "HK_SYSCALL=client/after-answer=%d,0,0,300", SYS_poll);
    hk_test_agent_kill(&home);
    home.set[0] = late;
    expect_same_x();
    for (int i = 0; i < 3; i++) {
        struct hk_test_running use;
        hk_test_begin(&home, &use, (const char *const[]){AGREE, NULL});
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        HK_EXPECT(&home, 0, "verified", "log", "--verify");
        if (hk_test_finish(&use, &output) != 0 || strcmp(output.out, shared) != 0) {
            fail_msg("%s%s", output.out, output.err);
        }
        HK_EXPECT(&home, 0, "verified", "log", "--verify");
        hk_tried("the log is looked at between a use's leaf and its answer");
    }
    home.set[0] = NULL;
    hk_test_agent_kill(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row26_a_second_service_on_a_store_refuses_to_start),
        TEST(row26_a_service_that_was_killed_leaves_no_lock_behind),
        TEST(row26_commands_at_once_on_one_device_all_work),
        TEST(row26_a_look_at_the_log_while_an_answer_is_on_its_way_accuses_nobody),
        TEST(row26_a_second_agent_says_which_one_runs),
        TEST(row26_an_agent_of_another_host_is_respected),
    };
    return HK_ATTACK_ROW(26, tests);
}
