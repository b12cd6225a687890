#include "tests/support/halfkey_join.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The text behind a mark in what its last command wrote, up to the end of its word or, with `line`, of its
 * line. */
static bool find(const char *directory, const char *mark, bool line, char *out, size_t max)
{
    char name[128], text[8192];
    (void)snprintf(name, sizeof(name), "%s/run.out", directory);
    FILE *file = fopen(name, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    text[size] = '\0';
    const char *at = strstr(text, mark);
    size_t length = at != NULL ? strcspn(at, line ? "\n" : " \n") : 0;
    if (at == NULL || at[length] == '\0' || length >= max) {
        return false;
    }
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}

void halfkey_join(struct halfkey_run *run, const char *administrator, const char *device, const char *name)
{
    char code[1024], words[256];
    static struct halfkey_run approved;
    HALFKEY_AT(0, administrator, "device", "invite");
    assert_true(find(administrator, "halfkey-join:", false, code, sizeof(code)));
    pid_t joining = halfkey_start(
        device, NULL,
        (const char *const[]){"device", "join", code, "--device", name, "--no-passphrase", NULL});
    bool shown = false;
    for (int i = 0; i < 400 && !shown; i++) {
        shown = find(device, "words:", true, words, sizeof(words));
        (void)nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL);
    }
    assert_true(shown);
    char *said = words + strlen("words:");
    said += strspn(said, " ");
    pid_t approving =
        halfkey_start(administrator, NULL, (const char *const[]){"device", "approve", "--words", said, NULL});
    halfkey_wait(run, device, joining);
    if (run->status != 0) { /* it waits for a device that will not come: the user gives up */
        (void)kill(approving, SIGINT);
    }
    halfkey_wait(&approved, administrator, approving);
}
