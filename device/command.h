/* command.h - the command line as a table: help, usage errors and the manual's synopsis come from its rows.
 *
 * A command is a row: its words, what it does in one sentence, its arguments and options, its function. Exit
 * statuses: 0 done, 1 refused or failed, 2 wrong usage, 3 service not reachable, 4 this device is revoked or
 * suspended, 5 locked or needs approval. An error is one line on standard error that says what to do next. */
#ifndef HALFKEY_DEVICE_COMMAND_H
#define HALFKEY_DEVICE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "crypto/error.h"

enum hk_exit {
    HK_EXIT_DONE,
    HK_EXIT_FAILED,
    HK_EXIT_USAGE,
    HK_EXIT_UNREACHABLE,
    HK_EXIT_REVOKED,
    HK_EXIT_LOCKED
};

/* An option of a command. Ends a list if `name` is NULL. */
struct hk_option {
    const char *name;     /* without dashes */
    char letter;          /* its short form, or 0 */
    const char *argument; /* what its argument is called, or NULL if it has none */
    const char *help;
    bool required;
};

#define HK_OPTIONS_MAX 10
struct hk_call;
struct hk_command {
    const char *words;     /* "key create"; "" for the program alone */
    const char *arguments; /* "NAME [FILE]", or "" */
    int least, most;       /* number of arguments; most < 0: no limit */
    const char *help;      /* one sentence */
    int (*run)(const struct hk_call *call);
    bool json;   /* prints data, so has --json */
    bool agent;  /* needs the unlocked agent, so has --passphrase-fd */
    bool hidden; /* not shown in help or the manual */
    struct hk_option options[HK_OPTIONS_MAX];
};

/* The table of `halfkey`. */
extern const struct hk_command hk_commands[];
extern const size_t hk_command_count;

/* A command line that fits a row. */
#define HK_VALUES_MAX 64
struct hk_call {
    const struct hk_command *command;
    const char *names[HK_VALUES_MAX], *values[HK_VALUES_MAX]; /* the options given, in order */
    size_t value_count;
    char *const *arguments;
    int count;
    bool json;
};

/* The last value given to an option ("" if it has no argument); NULL if it was not given. */
const char *hk_call_option(const struct hk_call *call, const char *name);
/* The value of a setting: option, else the variable HALFKEY_NAME, else `name = value` in
 * $XDG_CONFIG_HOME/halfkey/config; NULL if it is nowhere. */
const char *hk_call_setting(const struct hk_call *call, const char *name);
/* The k-th value given to an option that may be repeated; NULL after the last. */
const char *hk_call_repeated(const struct hk_call *call, const char *name, size_t k);

/* Runs the command of a command line (argv[0] is the program) and returns the exit status. */
int hk_command_main(int argc, char **argv);

/* Fits a command line to a row, without running it. On failure writes the sentence to `problem`. */
HK_CHECK enum hk_error hk_command_parse(struct hk_call *call, int argc, char **argv, char problem[256]);

/* The options of a row with those that all have; returns their number. */
size_t hk_command_options(const struct hk_command *command, const struct hk_option *out[HK_OPTIONS_MAX + 3]);

/* What `halfkey CMD --help` prints; the list of all commands; the synopsis of the manual in mdoc; a
 * completion script for bash. */
void hk_command_print_help(FILE *file, const struct hk_command *command);
void hk_command_print_list(FILE *file);
void hk_command_print_synopsis(FILE *file);
void hk_command_print_completion(FILE *file);

/* The exit status that belongs to an error. */
int hk_exit_status(enum hk_error error) HK_CHECK;
/* Prints "halfkey: what: sentence" (without `what` if it is NULL) and returns the exit status. */
int hk_fail(enum hk_error error, const char *what) HK_CHECK;
/* Prints "halfkey: " and the text, and returns `status`. */
int hk_fail_text(int status, const char *format, ...) HK_CHECK __attribute__((format(printf, 2, 3)));

#endif
