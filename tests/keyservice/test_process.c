/* What the service's process cannot do any more, whom it runs as, and how it is started and stopped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/process_view.h"

static struct hk_test_service service;

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unsetenv("HK_SYSCALL");
    (void)unsetenv("NOTIFY_SOCKET");
    if (service.directory[0] != '\0') {
        hk_test_service_end(&service);
    }
    return 0;
}

/* ---- the filter ---- */

/* The signal that ended it within ten seconds; 0 if it lives or ended otherwise. */
static int ended_by(void)
{
    int status;
    for (int i = 0; i < 1000; i++) {
        if (waitpid(service.pid, &status, WNOHANG) == service.pid) {
            service.pid = 0;
            return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return 0;
}

static void ask_for_an_account(void)
{
    struct hk_test_device device;
    hk_test_device_init(&device, &service);
    (void)hk_test_create_account(&device);
    hk_test_device_end(&device);
}

struct forbidden {
    const char *seam;
    long call, a, b, c;
};

static void service_dies_by_sigsys(const struct forbidden *row)
{
    char wanted[128];
    (void)snprintf(wanted, sizeof(wanted), "%s=%ld,%ld,%ld,%ld", row->seam, row->call, row->a, row->b,
                   row->c);
    (void)setenv("HK_SYSCALL", wanted, 1);
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    (void)unsetenv("HK_SYSCALL");
    if (strcmp(row->seam, "service/main") != 0) {
        ask_for_an_account();
    }
    int ended = ended_by();
    if (ended != SIGSYS) {
        print_error("%s did not end the process\n", wanted);
    }
    assert_int_equal(ended, SIGSYS);
    hk_test_service_end(&service);
    service.directory[0] = '\0';
}

/* The three kinds of threads: the transport's, the writer's, the main one. */
static void forbidden_system_calls_end_the_process_in_every_thread(void **state)
{
    (void)state;
    static const struct forbidden rows[] = {
        {"service/request", SYS_execve, 0, 0, 0},
        {"service/before-commit", SYS_execve, 0, 0, 0},
        {"service/main", SYS_execve, 0, 0, 0},
        {"service/request", SYS_ptrace, PTRACE_TRACEME, 0, 0},
        {"service/request", SYS_socket, AF_NETLINK, SOCK_RAW, 0},
        {"service/before-commit", SYS_socket, AF_PACKET, SOCK_RAW, 0},
        {"service/request", SYS_socket, AF_INET, SOCK_STREAM, 0},
        {"service/request", SYS_socket, AF_UNIX, SOCK_STREAM, 0},
        {"service/request", SYS_connect, 0, 0, 0},
        {"service/request", SYS_io_uring_setup, 1, 0, 0},
        {"service/request", SYS_process_vm_readv, 1, 0, 0},
        {"service/before-commit", SYS_clone, SIGCHLD, 0, 0}, /* fork */
        {"service/request", SYS_setuid, 0, 0, 0},
        {"service/request", SYS_bpf, 0, 0, 0},
        {"service/request", SYS_kill, 1, 0, 0},
        {"service/request", SYS_mprotect, 0, 0, 7}, /* executable memory */
    };
    if (SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        service_dies_by_sigsys(&rows[i]);
    }
}

static void allowed_system_call_at_the_same_place_ends_nothing(void **state)
{
    (void)state;
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "service/request=%ld", (long)SYS_getpid);
    (void)setenv("HK_SYSCALL", wanted, 1);
    hk_test_service_start(&service, false);
    struct hk_test_device device;
    hk_test_device_init(&device, &service);
    assert_int_equal(hk_test_init(&device), HK_OK);
    hk_test_device_end(&device);
    assert_int_equal(hk_test_service_stop(&service), 0);
}

static void every_thread_is_confined_and_nothing_can_be_dumped(void **state)
{
    (void)state;
    char path[64], file[300];
    size_t threads = 0;
    hk_test_service_start(&service, false);
    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)service.pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(file, sizeof(file), "task/%s/status", entry->d_name);
            assert_string_equal(hk_process_line(&service, file, "Seccomp:"), SANITIZED ? "0" : "2");
            assert_string_equal(hk_process_line(&service, file, "NoNewPrivs:"), "1");
            threads++;
        }
    }
    (void)closedir(tasks);
    assert_true(threads > 3);
    unsigned long soft = 1, hard = 1;
    assert_int_equal(
        sscanf(hk_process_line(&service, "limits", "Max core file size"), "%lu %lu", &soft, &hard), 2);
    assert_int_equal(soft + hard, 0);
    assert_true(SANITIZED || strtoul(hk_process_line(&service, "status", "VmLck:"), NULL, 10) >= 4);
    unsigned long files = 0, most = 1;
    assert_int_equal(sscanf(hk_process_line(&service, "limits", "Max open files"), "%lu %lu", &files, &most),
                     2);
    assert_int_equal(files, most);
}

/* ---- users ---- */

static const struct passwd *somebody(void)
{
    const struct passwd *entry = getpwnam("nobody");
    return geteuid() == 0 ? entry : NULL;
}

static void started_as_root_it_becomes_its_own_user(void **state)
{
    (void)state;
    const struct passwd *nobody = somebody();
    if (nobody == NULL) {
        skip();
        return;
    }
    hk_process_prepare(&service);
    service.options[0] = "--user";
    service.options[1] = "nobody";
    hk_test_service_restart(&service);
    char wanted[64];
    unsigned uid = (unsigned)nobody->pw_uid;
    (void)snprintf(wanted, sizeof(wanted), "%u\t%u\t%u\t%u", uid, uid, uid, uid);
    assert_string_equal(hk_process_line(&service, "status", "Uid:"), wanted);
    assert_string_equal(hk_process_line(&service, "status", "CapEff:"), "0000000000000000");
    assert_string_equal(hk_process_line(&service, "status", "CapPrm:"), "0000000000000000");
    struct stat found;
    char path[128];
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)service.pid);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_uid, 0); /* cannot be dumped: the kernel says so by root's ownership */
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service.directory);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_uid, nobody->pw_uid);
    struct hk_test_device device;
    hk_test_device_init(&device, &service);
    assert_int_equal(hk_test_init(&device), HK_OK);
    hk_test_device_end(&device);
    assert_int_equal(hk_test_service_stop(&service), 0);
    hk_test_service_restart(&service); /* its own folder is found again */
}

static void folder_of_root_is_not_given_to_another_user_unasked(void **state)
{
    (void)state;
    if (somebody() == NULL) {
        skip();
    }
    hk_process_prepare(&service);
    service.options[0] = NULL;
    hk_test_service_restart(&service);
    assert_int_equal(hk_test_service_stop(&service), 0);
    assert_int_equal(hk_process_refused(&service, (const char *const[]){"--user", "nobody", NULL}, 0), 1);
    assert_non_null(strstr(hk_process_log(&service), "chown -R nobody"));
}

static void user_that_does_not_exist_is_refused_with_what_to_do(void **state)
{
    (void)state;
    if (somebody() == NULL) {
        skip();
    }
    hk_process_prepare(&service);
    assert_int_equal(hk_process_refused(&service, (const char *const[]){"--user", "no-such-user", NULL}, 0),
                     1);
    assert_non_null(strstr(hk_process_log(&service), "useradd --system no-such-user"));
}

static void nobody_but_root_can_change_the_user(void **state)
{
    (void)state;
    const struct passwd *nobody = getpwnam("nobody");
    uid_t as = geteuid() == 0 ? nobody->pw_uid : geteuid();
    hk_process_prepare(&service);
    assert_int_equal(hk_process_refused(&service, (const char *const[]){"--user", "root", NULL}, as), 1);
    assert_non_null(strstr(hk_process_log(&service), "only root can become root"));
}

/* ---- start, reload and end ---- */

static void wait_for_state(int fd, const char *wanted)
{
    char got[128] = "";
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
    assert_string_equal(got, wanted);
}

static void service_manager_hears_of_start_and_end(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/halfkey-notify-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
    hk_test_service_start(&service, false);
    wait_for_state(fd, "READY=1");
    assert_int_equal(kill(service.pid, SIGTERM), 0);
    wait_for_state(fd, "STOPPING=1");
    (void)close(fd);
    (void)unlink(address.sun_path);
}

static void write_config(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum hk_error try_account(void)
{
    struct hk_test_device device;
    hk_test_device_init(&device, &service);
    enum hk_error error = hk_test_create_account(&device);
    hk_test_device_end(&device);
    return error;
}

static void sighup_reads_the_policy_again(void **state)
{
    (void)state;
    char path[128];
    hk_process_prepare(&service);
    (void)snprintf(path, sizeof(path), "%s/conf", service.directory);
    write_config(path, "registration = closed\n");
    service.options[0] = "--config";
    service.options[1] = path;
    hk_test_service_restart(&service);
    assert_int_not_equal(try_account(), HK_OK);
    write_config(path, "registration = sometimes\n"); /* a mistake changes nothing */
    assert_int_equal(kill(service.pid, SIGHUP), 0);
    for (int i = 0; i < 500 && strstr(hk_process_log(&service), "event=policy-not-reloaded") == NULL; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_non_null(strstr(hk_process_log(&service), "event=policy-not-reloaded"));
    assert_int_not_equal(try_account(), HK_OK);
    write_config(path, "registration = open\n");
    assert_int_equal(kill(service.pid, SIGHUP), 0);
    for (int i = 0; i < 500 && strstr(hk_process_log(&service), "event=policy-reloaded") == NULL; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(try_account(), HK_OK);
    service.options[0] = NULL;
}

static struct hk_test_device laptop;
static atomic_uint answered;

static void *sign_until_it_stops(void *unused)
{
    struct hk_test_device mine = laptop;
    uint8_t signature[64];
    (void)unused;
    mine.channel = mine.stranger = NULL;
    size_t n = strcmp(mine.key[0].name, "git") == 0 ? 0 : 1; /* beside the account's own */
    while (hk_test_sign(&mine, &mine.key[n], HK_SIGN_RAW, "message", 7, signature) == HK_OK) {
        (void)atomic_fetch_add(&answered, 1);
    }
    hk_test_hang_up(&mine);
    return NULL;
}

static uint64_t uses(void)
{
    struct hk_message request, answer;
    struct hk_device_row row = {0};
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    const struct hk_bytes *item = &answer.value[HK_F_ROWS].items[0];
    assert_int_equal(hk_row_decode(&row, item->data, item->size), HK_OK);
    return row.uses;
}

/* What was stored was also answered: nothing that had been accepted was thrown away. */
static void sigterm_finishes_what_was_accepted(void **state)
{
    (void)state;
    pthread_t thread[4];
    hk_test_service_start(&service, true);
    hk_test_device_init(&laptop, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    uint64_t before = uses();
    hk_test_hang_up(&laptop);
    atomic_store(&answered, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, sign_until_it_stops, NULL), 0);
    }
    for (int i = 0; i < 10000 && atomic_load(&answered) < 100; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(atomic_load(&answered) >= 100);
    assert_int_equal(hk_test_service_stop(&service), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    hk_test_service_restart(&service);
    assert_int_equal(uses() - before, atomic_load(&answered));
    hk_test_device_end(&laptop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forbidden_system_calls_end_the_process_in_every_thread),
        TEST(allowed_system_call_at_the_same_place_ends_nothing),
        TEST(every_thread_is_confined_and_nothing_can_be_dumped),
        TEST(started_as_root_it_becomes_its_own_user),
        TEST(folder_of_root_is_not_given_to_another_user_unasked),
        TEST(user_that_does_not_exist_is_refused_with_what_to_do),
        TEST(nobody_but_root_can_change_the_user),
        TEST(service_manager_hears_of_start_and_end),
        TEST(sighup_reads_the_policy_again),
        TEST(sigterm_finishes_what_was_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
