/* Row 41: lines to the card's program that no gpg-agent sends. The attacker is a program of the same user
 * that has found the socket, or a gpg-agent that was taken over; it wants the program to fall, to stop
 * serving others, to say yes to what is no use of a key, or to leave something behind. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/assuan.h"
#include "tests/support/attack.h"
#include "tests/support/service.h"

#define IDLE 200

static char folder[64];
static pid_t program;
static int to, from;
static struct hk_assuan agent; /* the honest conversation, over the pipe */
static char line[HK_ASSUAN_LINE_MAX + 1];
static size_t line_size;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* The program as gpg-agent starts it, with nothing but an empty state folder. */
static void become_card(int in, int out)
{
    char path[512], state[128];
    hk_test_service_program(path, sizeof(path));
    path[strlen(path) - 1] = '\0'; /* halfkeyd's neighbour */
    (void)snprintf(state, sizeof(state), "%s/state", folder);
    (void)setenv("HALFKEY_HOME", state, 1);
    (void)setenv("XDG_RUNTIME_DIR", folder, 1);
    (void)dup2(in, STDIN_FILENO);
    (void)dup2(out, STDOUT_FILENO);
    (void)execl(path, "halfkey-scd", "--multi-server", "--homedir", folder, (char *)NULL);
    _exit(127);
}

static const char *hear(struct hk_assuan *assuan)
{
    if (hk_assuan_read(assuan, line, &line_size) != HK_OK) {
        strcpy(line, "(hung up)");
    }
    return line;
}

static int start(void **state)
{
    (void)state;
    int in[2], out[2];
    strcpy(folder, "/tmp/hk-row41.XXXXXX");
    if (mkdtemp(folder) == NULL || pipe(in) != 0 || pipe(out) != 0) {
        return -1;
    }
    program = fork();
    if (program == 0) {
        close(in[1]);
        close(out[0]);
        become_card(in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    to = in[1];
    from = out[0];
    hk_assuan_init(&agent, (struct hk_source){hk_fd_read, &from}, (struct hk_sink){hk_fd_write, &to});
    if (strncmp(hear(&agent), "OK ", 3) != 0 || hk_assuan_write(&agent, "GETINFO socket_name") != HK_OK ||
        strncmp(hear(&agent), "D /", 3) != 0) {
        return -1;
    }
    strcpy(address.sun_path, line + 2);
    return strcmp(hear(&agent), "OK") == 0 ? 0 : -1;
}

/* With its pipe it ends, and nothing of it stays. */
static int finish(void **state)
{
    (void)state;
    int status = -1;
    char command[128];
    close(to);
    close(from);
    bool ended = waitpid(program, &status, 0) == program && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool is_gone = access(address.sun_path, F_OK) != 0;
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) == 0 && ended && is_gone ? 0 : -1;
}

/* The honest gpg-agent is answered, at once and rightly, while the attacker does what it does. */
static void serves_others(const char *what)
{
    assert_int_equal(hk_assuan_write(&agent, "GETINFO status"), HK_OK);
    assert_string_equal(hear(&agent), "D u");
    assert_string_equal(hear(&agent), "OK");
    assert_int_equal(hk_assuan_write(&agent, "PKSIGN --hash=sha256 HALFKEY.00000000000000000000000000000000"),
                     HK_OK);
    assert_memory_equal(hear(&agent), "ERR ", 4);
    hk_tried("%s", what);
}

/* One more conversation, as its socket gives them. */
struct door {
    int fd;
    struct hk_assuan assuan;
};
static void knock(struct door *door)
{
    door->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(door->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    hk_assuan_init(&door->assuan, (struct hk_source){hk_fd_read, &door->fd},
                   (struct hk_sink){hk_fd_write, &door->fd});
    assert_memory_equal(hear(&door->assuan), "OK ", 3);
}

static void row41_lines_without_end_end_the_conversation_alone(void **state)
{
    (void)state;
    static const size_t sizes[] = {HK_ASSUAN_LINE_MAX + 1, HK_ASSUAN_LINE_MAX + 2, 4096, 1 << 20};
    static const char *const fronts[] = {"", "SETDATA ", "D ", "SERIALNO --demand=", "# "};
    char *big = malloc(1 << 20);
    assert_non_null(big);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (size_t k = 0; k < sizeof(fronts) / sizeof(*fronts); k++) {
            struct door door;
            char what[80];
            memset(big, '0', sizes[i]);
            memcpy(big, fronts[k], strlen(fronts[k]));
            knock(&door);
            (void)!send(door.fd, big, sizes[i], MSG_NOSIGNAL);
            (void)!send(door.fd, "\nGETINFO status\n", 16, MSG_NOSIGNAL);
            assert_string_equal(hear(&door.assuan), "(hung up)"); /* what is behind it is not run */
            close(door.fd);
            (void)snprintf(what, sizeof(what), "'%s' and %zu bytes", fronts[k], sizes[i]);
            serves_others(what);
        }
    }
    free(big);
}

static void row41_nothing_but_a_use_of_a_key_is_a_use(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "PKSIGN",
        "PKSIGN HALFKEY.",
        "PKSIGN --hash=sha256 HALFKEY.0000000000000000000000000000000",
        "PKSIGN --hash=sha256 HALFKEY.00000000000000000000000000000000 x",
        "PKSIGN --hash=sha256 halfkey.00000000000000000000000000000000",
        "PKSIGN --hash=sha256 ../../etc/passwd",
        "PKSIGN --hash=%n%n%n HALFKEY.00000000000000000000000000000000",
        "PKAUTH HALFKEY.00000000000000000000000000000000",
        "PKDECRYPT HALFKEY.00000000000000000000000000000000",
        "READKEY OPENPGP.1",
        "READCERT OPENPGP.3",
        "WRITEKEY --force OPENPGP.1",
        "WRITECERT OPENPGP.3",
        "GENKEY --force 1",
        "SETATTR LOGIN-DATA x",
        "PASSWD --reset 1",
        "APDU 00A4040006D27600012401",
        "RANDOM 1000000",
        "SETDATA",
        "SETDATA 0",
        "SETDATA zz",
        "GETATTR",
        "GETATTR %00",
        "KEYINFO",
        "LEARN --force",
        "D 3132333435360A",
        "END",
        "INQUIRE NEEDPIN",
        "ERR 1",
        "S SERIALNO D276000124010304FF48000000000000",
    };
    struct door door;
    knock(&door);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_int_equal(hk_assuan_write(&door.assuan, "%s", lines[i]), HK_OK);
        assert_memory_equal(hear(&door.assuan), "ERR ", 4);
        serves_others(lines[i]);
    }
    (void)!send(door.fd, "GETINFO\0status\n", 15, MSG_NOSIGNAL); /* a zero byte outside of data */
    assert_string_equal(hear(&door.assuan), "(hung up)");
    close(door.fd);
    serves_others("a zero byte");
}

static void row41_idle_conversations_keep_nobody_out(void **state)
{
    (void)state;
    static struct door doors[IDLE];
    for (size_t i = 0; i < IDLE; i++) {
        knock(&doors[i]);
        (void)!send(doors[i].fd, "SETDATA 00", 10, MSG_NOSIGNAL); /* half a line */
    }
    serves_others("200 half lines");
    struct door one;
    knock(&one);
    assert_int_equal(hk_assuan_write(&one.assuan, "GETINFO status"), HK_OK);
    assert_string_equal(hear(&one.assuan), "D u");
    close(one.fd);
    for (size_t i = 0; i < IDLE; i++) {
        close(doors[i].fd);
    }
    serves_others("and when they hang up");
}

/* Root may be anybody: the child becomes nobody. */
static void row41_the_socket_is_this_users_alone(void **state)
{
    (void)state;
    struct stat status;
    char parent[128];
    (void)snprintf(parent, sizeof(parent), "%s", address.sun_path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(stat(parent, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    hk_tried("the folder is closed");
    if (geteuid() != 0) {
        return;
    }
    assert_int_equal(chmod(parent, 0755), 0); /* even if it were open */
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(address.sun_path, 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bool became = setgid(65534) == 0 && setuid(65534) == 0;
        bool reached = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
        _exit(became && reached && read(fd, &byte, 1) <= 0 ? 0 : 1);
    }
    int ended = -1;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0); /* reached it, and was told nothing */
    serves_others("another user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row41_lines_without_end_end_the_conversation_alone),
        cmocka_unit_test(row41_nothing_but_a_use_of_a_key_is_a_use),
        cmocka_unit_test(row41_idle_conversations_keep_nobody_out),
        cmocka_unit_test(row41_the_socket_is_this_users_alone),
    };
    return HK_ATTACK_ROW_IN(41, tests, start, finish);
}
