/* Row 33: the place of the agent's socket for SSH: taken by another agent, by a file, by a link; put there
 * after it; handed over by systemd where others can reach it, or by nobody. No other's socket is taken away,
 * and nobody else is served. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/ssh_peer.h"

static struct hk_test_service service;
static struct hk_test_home laptop;
static struct hk_test_output output;
static char place[96];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "git", "--suite", "ed25519");
    HK_EXPECT(&laptop, 0, NULL, "agent", "--stop");
    (void)snprintf(place, sizeof(place), "/tmp/halfkey-row33-%d", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

static int listen_at(const char *path, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

/* How many bytes come back to a request for the keys; 0 if it hangs up. */
static ssize_t ask(int fd)
{
    uint8_t answer[4096];
    return write(fd, "\0\0\0\1\x0b", 5) == 5 ? read(fd, answer, sizeof(answer)) : 0;
}

static void row33_what_is_at_its_place_stays_there(void **state)
{
    (void)state;
    struct stat before, after;
    static const char *const kinds[] = {"another agent's socket", "a link to it", "a file", "a folder"};
    for (size_t kind = 0; kind < 4; kind++) {
        char link_to[128];
        int fd = -1;
        (void)snprintf(link_to, sizeof(link_to), "%s.real", place);
        if (kind == 0) {
            fd = listen_at(place, 0600);
        } else if (kind == 1) {
            fd = listen_at(link_to, 0600);
            assert_int_equal(symlink(link_to, place), 0);
        } else if (kind == 2) {
            FILE *file = fopen(place, "w");
            assert_non_null(file);
            assert_int_equal(fclose(file), 0);
        } else {
            assert_int_equal(mkdir(place, 0700), 0);
        }
        assert_int_equal(lstat(place, &before), 0);
        HK_EXPECT(&laptop, 1, kind < 2 ? NULL : "no socket of ours", "agent", "--ssh-socket", place);
        assert_int_equal(lstat(place, &after), 0);
        assert_true(before.st_ino == after.st_ino && before.st_mode == after.st_mode);
        hk_tried("%s", kinds[kind]);
        if (fd >= 0) {
            int client = dial(place);
            assert_true(client >= 0); /* it still answers */
            close(client);
            close(fd);
        }
        (void)unlink(link_to);
        assert_int_equal(kind == 3 ? rmdir(place) : unlink(place), 0);
    }
}

static void start(struct hk_test_running *running, char line[128], const char *at)
{
    hk_test_begin(&laptop, running, (const char *const[]){"agent", "--ssh-socket", at, NULL});
    hk_test_read_line(running, "", line, 128);
}

static void row33_a_socket_that_nobody_answers_is_replaced_and_one_put_there_later_is_left(void **state)
{
    (void)state;
    struct hk_test_running running;
    char line[128];
    close(listen_at(place, 0666)); /* its process has died */
    start(&running, line, place);
    assert_string_equal(line, place);
    struct stat status;
    assert_int_equal(stat(place, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    hk_tried("a dead socket");
    assert_int_equal(unlink(place), 0);
    int other = listen_at(place, 0600);
    assert_int_equal(kill(running.pid, SIGTERM), 0);
    assert_int_equal(hk_test_finish(&running, &output), 0);
    int client = dial(place);
    assert_true(client >= 0);
    close(client);
    close(other);
    assert_int_equal(unlink(place), 0);
    hk_tried("a socket put in the place of its own");
}

static int given;
static bool as_ours;

/* As systemd hands over a socket, or as it is left over from another process. */
static void hand_over(const struct hk_test_home *home)
{
    char pid[16];
    (void)home;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid() + (as_ours ? 0 : 1));
    (void)dup2(given, 3);
    (void)fcntl(3, F_SETFD, 0); /* it may have been 3 before */
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "1", 1);
}

static void row33_a_socket_from_systemd_is_served_to_its_user_alone(void **state)
{
    (void)state;
    struct hk_test_running running;
    char line[128];
    given = listen_at(place, 0666);
    as_ours = true;
    laptop.in_child = hand_over;
    start(&running, line, "/nowhere/unused");
    laptop.in_child = NULL;
    assert_string_equal(line, place);
    int client = dial(place);
    assert_true(client >= 0 && ask(client) > 5);
    close(client);
    if (geteuid() == 0) {
        pid_t child = fork();
        if (child == 0) {
            int fd = setresuid(65534, 65534, 65534) == 0 ? dial(place) : -1;
            _exit(fd < 0 ? 2 : ask(fd) > 0 ? 1 : 0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        hk_tried("another user at a socket that anybody can reach");
    }
    assert_int_equal(kill(running.pid, SIGTERM), 0);
    assert_int_equal(hk_test_finish(&running, &output), 0);
    assert_int_equal(access(place, F_OK), 0); /* the path is systemd's */
    hk_tried("a socket of systemd's is left at the end");
    close(given);
    assert_int_equal(unlink(place), 0);
}

static void row33_variables_of_another_process_and_other_descriptors_are_not_taken(void **state)
{
    (void)state;
    struct hk_test_running running;
    char line[128], elsewhere[128];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s.own", place);
    for (int kind = 0; kind < 2; kind++) {
        given = kind == 0 ? listen_at(place, 0666) : open("/dev/null", O_RDWR);
        as_ours = kind == 1;
        laptop.in_child = hand_over;
        start(&running, line, elsewhere);
        laptop.in_child = NULL;
        assert_string_equal(line, elsewhere);
        int client = dial(elsewhere);
        assert_true(client >= 0 && ask(client) > 5);
        close(client);
        assert_int_equal(kill(running.pid, SIGTERM), 0);
        assert_int_equal(hk_test_finish(&running, &output), 0);
        assert_int_not_equal(access(elsewhere, F_OK), 0);
        close(given);
        hk_tried("%s", kind == 0 ? "a socket for another process" : "a descriptor that is no socket");
    }
    assert_int_equal(unlink(place), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row33_what_is_at_its_place_stays_there),
        cmocka_unit_test(row33_a_socket_that_nobody_answers_is_replaced_and_one_put_there_later_is_left),
        cmocka_unit_test(row33_a_socket_from_systemd_is_served_to_its_user_alone),
        cmocka_unit_test(row33_variables_of_another_process_and_other_descriptors_are_not_taken),
    };
    return HK_ATTACK_ROW_IN(33, tests, set_up, tear_down);
}
