#include "device/prompt.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "device/settings.h"
#include "device/stream.h"

enum hk_error hk_prompt_read_line(int fd, char *out, size_t max)
{
    size_t n = 0;
    for (;;) {
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (got == 0 && n == 0))
            return HK_IO;
        if (got == 0 || c == '\n')
            break;
        if (n + 1 == max)
            return HK_TOO_LARGE;
        out[n++] = c;
    }
    if (n > 0 && out[n - 1] == '\r')
        n--;
    out[n] = 0;
    return HK_OK;
}

/* ---- the terminal ---- */

static struct termios saved;
static int saved_fd = -1;

/* A user who interrupts the question gets the echo back. */
static void restore_echo(int number)
{
    if (saved_fd >= 0)
        tcsetattr(saved_fd, TCSAFLUSH, &saved);
    signal(number, SIG_DFL);
    raise(number);
}

static enum hk_error ask_terminal(int tty, char *out, const char *prompt)
{
    struct termios quiet;
    if (tcgetattr(tty, &saved) != 0)
        return HK_AGENT_LOCKED;
    quiet = saved;
    quiet.c_lflag &= ~(tcflag_t)(ECHO);
    quiet.c_lflag |= ECHONL;
    saved_fd = tty;
    void (*before)(int) = signal(SIGINT, restore_echo);
    tcsetattr(tty, TCSAFLUSH, &quiet);
    enum hk_error error = dprintf(tty, "%s: ", prompt) < 0 ? HK_AGENT_LOCKED : HK_OK;
    if (!error)
        error = hk_prompt_read_line(tty, out, HK_PASSPHRASE_MAX);
    tcsetattr(tty, TCSAFLUSH, &saved);
    saved_fd = -1;
    signal(SIGINT, before == SIG_ERR ? SIG_DFL : before);
    return error;
}

static enum hk_error ask_terminal_twice(int tty, char *out, const char *prompt)
{
    char again[HK_PASSPHRASE_MAX];
    HK_WIPE_AT_EXIT(again);
    for (int tries = 0; tries < 3; tries++) {
        enum hk_error error = ask_terminal(tty, out, prompt);
        if (!error)
            error = ask_terminal(tty, again, "The same again");
        if (error)
            return error;
        if (strlen(out) == strlen(again) && hk_equal(out, again, strlen(out)))
            return HK_OK;
        dprintf(tty, "These were not the same.\n");
    }
    return HK_AGENT_LOCKED;
}

bool hk_prompt_confirm(const char *question)
{
    char answer[16];
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return false;
    bool yes = dprintf(tty, "%s [yes/no] ", question) > 0 &&
               hk_prompt_read_line(tty, answer, sizeof answer) == HK_OK && strcasecmp(answer, "yes") == 0;
    close(tty);
    return yes;
}

/* ---- pinentry ---- */

#define ASK_SECONDS "120"

struct pinentry {
    pid_t pid;
    int in, out; /* its standard input and output */
};

static bool pinentry_start(struct pinentry *pinentry, const char *program)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0)
        return false;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return false;
    }
    pinentry->pid = fork();
    if (pinentry->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        signal(SIGPIPE, SIG_DFL);
        execlp(program, program, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    pinentry->in = to[1];
    pinentry->out = from[0];
    if (pinentry->pid > 0)
        return true;
    close(to[1]);
    close(from[0]);
    return false;
}

/* Undoes the percent-escapes of Assuan in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])) {
            char digits[3] = {at[1], at[2], 0};
            *to++ = (char)strtoul(digits, NULL, 16);
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = 0;
}

/* Reads lines until OK or ERR; a D line's data goes to `data` if it is not NULL. */
static bool pinentry_answer(struct pinentry *pinentry, char *data)
{
    char line[HK_PASSPHRASE_MAX];
    HK_WIPE_AT_EXIT(line);
    while (hk_prompt_read_line(pinentry->out, line, sizeof line) == HK_OK) {
        if (strncmp(line, "OK", 2) == 0)
            return true;
        if (strncmp(line, "ERR", 3) == 0)
            return false;
        if (data && strncmp(line, "D ", 2) == 0) {
            unescape(line + 2);
            memcpy(data, line + 2, strlen(line + 2) + 1);
        }
    }
    return false;
}

static bool pinentry_command(struct pinentry *pinentry, const char *command, const char *argument, char *data)
{
    return dprintf(pinentry->in, *argument ? "%s %s\n" : "%s%s\n", command, argument) > 0 &&
           pinentry_answer(pinentry, data);
}

static enum hk_error ask_pinentry(const char *program, char *out, const char *prompt, bool twice)
{
    struct pinentry pinentry;
    if (!pinentry_start(&pinentry, program))
        return HK_AGENT_LOCKED;
    *out = 0;
    bool good = pinentry_answer(&pinentry, NULL) &&
                pinentry_command(&pinentry, "SETTITLE", "halfkey", NULL) &&
                pinentry_command(&pinentry, "SETDESC", prompt, NULL) &&
                pinentry_command(&pinentry, "SETPROMPT", "Passphrase", NULL) &&
                (!twice || pinentry_command(&pinentry, "SETREPEAT", "The same again", NULL)) &&
                pinentry_command(&pinentry, "GETPIN", "", out);
    if (good)
        (void)!dprintf(pinentry.in, "BYE\n");
    close(pinentry.in);
    close(pinentry.out);
    waitpid(pinentry.pid, NULL, 0);
    return good && *out ? HK_OK : HK_AGENT_LOCKED;
}

/* As Assuan wants it: no line ends, no bare percent signs. */
static void escape(char *out, size_t max, const char *text)
{
    size_t n = 0;
    for (; *text && n + 4 < max; text++) {
        if (*text == '%' || *text == '\n' || *text == '\r')
            n += (size_t)snprintf(out + n, 4, "%%%02X", (unsigned)(uint8_t)*text);
        else
            out[n++] = *text;
    }
    out[n] = 0;
}

static enum hk_error question_pinentry(const char *program, const char *question)
{
    struct pinentry pinentry;
    char text[2048];
    int status = 0;
    escape(text, sizeof text, question);
    if (!pinentry_start(&pinentry, program))
        return HK_NOT_FOUND;
    bool runs = pinentry_answer(&pinentry, NULL);
    bool good = runs && pinentry_command(&pinentry, "SETTIMEOUT", ASK_SECONDS, NULL) &&
                pinentry_command(&pinentry, "SETTITLE", "halfkey", NULL) &&
                pinentry_command(&pinentry, "SETDESC", text, NULL) &&
                pinentry_command(&pinentry, "CONFIRM", "", NULL);
    if (runs)
        (void)!dprintf(pinentry.in, "BYE\n");
    close(pinentry.in);
    close(pinentry.out);
    waitpid(pinentry.pid, &status, 0);
    return good ? HK_OK : runs ? HK_NOT_ALLOWED : HK_NOT_FOUND;
}

/* ---- a program that is asked ---- */

static enum hk_error question_program(const char *program, const char *question, bool is_askpass)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(127);
        signal(SIGPIPE, SIG_DFL);
        alarm((unsigned)strtoul(ASK_SECONDS, NULL, 10));
        if (is_askpass)
            setenv("SSH_ASKPASS_PROMPT", "confirm", 1);
        execlp(program, program, question, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return HK_NOT_FOUND;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return HK_NOT_FOUND;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? HK_OK : HK_NOT_ALLOWED;
}

enum hk_error hk_prompt_question(const char *question)
{
    const char *program = hk_setting("confirm");
    bool display = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (program)
        return question_program(program, question, false);
    program = hk_setting("pinentry");
    enum hk_error error = program ? question_pinentry(program, question) : HK_NOT_FOUND;
    program = getenv("SSH_ASKPASS");
    if (error == HK_NOT_FOUND && display && program)
        error = question_program(program, question, true);
    if (error == HK_NOT_FOUND && display)
        error = question_pinentry("pinentry", question);
    int tty = error == HK_NOT_FOUND ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (tty < 0)
        return error;
    close(tty);
    return hk_prompt_confirm(question) ? HK_OK : HK_NOT_ALLOWED;
}

/* pinentry that dies must not take this program with it. */
static enum hk_error run_pinentry(const char *program, char *out, const char *prompt, bool twice)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    enum hk_error error = ask_pinentry(program, out, prompt, twice);
    signal(SIGPIPE, before == SIG_ERR ? SIG_DFL : before);
    return error;
}

enum hk_error hk_prompt_passphrase(char out[HK_PASSPHRASE_MAX], int fd, const char *prompt, bool twice)
{
    if (fd >= 0)
        return hk_prompt_read_line(fd, out, HK_PASSPHRASE_MAX);
    const char *program = hk_setting("pinentry");
    if (program)
        return run_pinentry(program, out, prompt, twice);
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return getenv("DISPLAY") || getenv("WAYLAND_DISPLAY") ? run_pinentry("pinentry", out, prompt, twice)
                                                              : HK_AGENT_LOCKED;
    enum hk_error error = twice ? ask_terminal_twice(tty, out, prompt) : ask_terminal(tty, out, prompt);
    close(tty);
    return error == HK_IO ? HK_AGENT_LOCKED : error;
}
