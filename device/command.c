#include "device/command.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "device/settings.h"
#include "protocol/version.h"

static const struct hk_option common_json = {.name = "json", .help = "print data for programs"};
static const struct hk_option common_agent = {
    .name = "passphrase-fd", .argument = "N", .help = "read the passphrase from this file descriptor"};
static const struct hk_option common_help = {.name = "help", .letter = 'h', .help = "print this and end"};

size_t hk_command_options(const struct hk_command *command, const struct hk_option *out[HK_OPTIONS_MAX + 3])
{
    size_t n = 0;
    while (n < HK_OPTIONS_MAX && command->options[n].name) {
        out[n] = &command->options[n];
        n++;
    }
    if (command->agent)
        out[n++] = &common_agent;
    if (command->json)
        out[n++] = &common_json;
    out[n++] = &common_help;
    return n;
}

/* ---- which row ---- */

/* How many words of the command line are the row's; -1 if they are others. */
static int match(const struct hk_command *command, int argc, char **argv)
{
    int used = 0;
    const char *at = command->words;
    while (*at) {
        size_t length = strcspn(at, " ");
        if (used + 1 >= argc || strlen(argv[used + 1]) != length || memcmp(argv[used + 1], at, length) != 0)
            return -1;
        used++;
        at += length + (at[length] == ' ');
    }
    return used;
}

static const struct hk_command *find(int argc, char **argv, int *words)
{
    const struct hk_command *best = NULL;
    *words = -1;
    for (size_t i = 0; i < hk_command_count; i++) {
        int used = match(&hk_commands[i], argc, argv);
        if (used > *words) {
            best = &hk_commands[i];
            *words = used;
        }
    }
    return best;
}

/* ---- parsing ---- */

static void option_tables(const struct hk_option *const *options, size_t count, struct option *longs,
                          char *shorts)
{
    *shorts++ = ':';
    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){options[i]->name, options[i]->argument ? required_argument : no_argument,
                                   NULL, (int)(256 + i)};
        if (options[i]->letter) {
            *shorts++ = options[i]->letter;
            if (options[i]->argument)
                *shorts++ = ':';
        }
    }
    longs[count] = (struct option){0};
    *shorts = 0;
}

static const struct hk_option *option_of(int code, const struct hk_option *const *options, size_t count)
{
    if (code >= 256)
        return options[code - 256];
    for (size_t i = 0; i < count; i++)
        if (options[i]->letter == code)
            return options[i];
    return NULL;
}

static enum hk_error parse_options(struct hk_call *call, int argc, char **argv, char problem[256])
{
    const struct hk_option *options[HK_OPTIONS_MAX + 3];
    struct option longs[HK_OPTIONS_MAX + 4];
    char shorts[2 * HK_OPTIONS_MAX + 10];
    size_t count = hk_command_options(call->command, options);
    option_tables(options, count, longs, shorts);
    opterr = 0;
    optind = 0;
    for (int code; (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        const struct hk_option *option = code == '?' || code == ':' ? NULL : option_of(code, options, count);
        if (!option || call->value_count == HK_VALUES_MAX) {
            snprintf(problem, 256, "%s '%.80s'",
                     code == ':' ? "an argument is missing for" : "no such option:", argv[optind - 1]);
            return HK_USAGE;
        }
        call->names[call->value_count] = option->name;
        call->values[call->value_count++] = option->argument ? optarg : "";
    }
    call->arguments = argv + optind;
    call->count = argc - optind;
    call->json = hk_call_option(call, "json") != NULL;
    return HK_OK;
}

static enum hk_error check_call(const struct hk_call *call, char problem[256])
{
    const struct hk_command *command = call->command;
    if (hk_call_option(call, "help"))
        return HK_OK;
    if (!*command->words && call->count > 0) {
        snprintf(problem, 256, "no such command: '%.80s'", call->arguments[0]);
        return HK_USAGE;
    }
    if (call->count < command->least || (command->most >= 0 && call->count > command->most)) {
        snprintf(problem, 256, "%s arguments", call->count < command->least ? "too few" : "too many");
        return HK_USAGE;
    }
    for (size_t i = 0; i < HK_OPTIONS_MAX && command->options[i].name; i++) {
        const struct hk_option *option = &command->options[i];
        if (option->required && !hk_call_setting(call, option->name)) {
            snprintf(problem, 256, "--%s %s is needed", option->name, option->argument);
            return HK_USAGE;
        }
    }
    return HK_OK;
}

enum hk_error hk_command_parse(struct hk_call *call, int argc, char **argv, char problem[256])
{
    int words;
    *call = (struct hk_call){.command = find(argc, argv, &words)};
    assert(call->command != NULL); /* the last row matches everything */
    enum hk_error error = parse_options(call, argc - words, argv + words, problem);
    return error ? error : check_call(call, problem);
}

const char *hk_call_repeated(const struct hk_call *call, const char *name, size_t k)
{
    for (size_t i = 0; i < call->value_count; i++)
        if (strcmp(call->names[i], name) == 0 && k-- == 0)
            return call->values[i];
    return NULL;
}

const char *hk_call_option(const struct hk_call *call, const char *name)
{
    for (size_t i = call->value_count; i-- > 0;)
        if (strcmp(call->names[i], name) == 0)
            return call->values[i];
    return NULL;
}

const char *hk_call_setting(const struct hk_call *call, const char *name)
{
    const char *option = hk_call_option(call, name);
    return option ? option : hk_setting(name);
}

/* ---- what is printed ---- */

static void print_option(FILE *file, const struct hk_option *option)
{
    fprintf(file, option->required ? " --%s" : " [--%s", option->name);
    if (option->argument)
        fprintf(file, " %s", option->argument);
    if (!option->required)
        fputc(']', file);
}

static void print_usage(FILE *file, const struct hk_command *command)
{
    const struct hk_option *options[HK_OPTIONS_MAX + 3];
    size_t count = hk_command_options(command, options);
    fprintf(file, "usage: halfkey%s%s", *command->words ? " " : "", command->words);
    for (size_t i = 0; i + 1 < count; i++)
        print_option(file, options[i]);
    fprintf(file, "%s%s\n", *command->arguments ? " " : "", command->arguments);
}

void hk_command_print_help(FILE *file, const struct hk_command *command)
{
    const struct hk_option *options[HK_OPTIONS_MAX + 3];
    size_t count = hk_command_options(command, options);
    print_usage(file, command);
    fprintf(file, "\n%s\n\n", command->help);
    for (size_t i = 0; i < count; i++) {
        char text[80];
        snprintf(text, sizeof text, "%s%c%s--%s %s", options[i]->letter ? "-" : "",
                 options[i]->letter ? options[i]->letter : ' ', options[i]->letter ? ", " : "   ",
                 options[i]->name, options[i]->argument ? options[i]->argument : "");
        fprintf(file, "  %-34s %s\n", text, options[i]->help);
    }
}

void hk_command_print_list(FILE *file)
{
    fputs("usage: halfkey [COMMAND] [OPTIONS] [ARGUMENTS]\n\n"
          "Keys of which one half is here and the other at a key service. 'halfkey COMMAND --help' says "
          "more.\n\n",
          file);
    for (size_t i = 0; i < hk_command_count; i++)
        if (!hk_commands[i].hidden)
            fprintf(file, "  %-16s %s\n", *hk_commands[i].words ? hk_commands[i].words : "(nothing)",
                    hk_commands[i].help);
}

static void print_mdoc_arguments(FILE *file, const char *arguments)
{
    while (*arguments) {
        size_t length = strcspn(arguments, " ");
        bool optional = *arguments == '[';
        const char *start = arguments + optional;
        size_t size = length - (optional ? 2 : 0);
        bool more = size > 3 && memcmp(start + size - 3, "...", 3) == 0;
        fprintf(file, ".%sAr %.*s%s\n", optional ? "Op " : "", (int)(more ? size - 3 : size), start,
                more ? " ..." : "");
        arguments += length + (arguments[length] == ' ');
    }
}

void hk_command_print_synopsis(FILE *file)
{
    for (size_t i = 0; i < hk_command_count; i++) {
        const struct hk_command *command = &hk_commands[i];
        const struct hk_option *options[HK_OPTIONS_MAX + 3];
        if (command->hidden)
            continue;
        size_t count = hk_command_options(command, options);
        fputs(".Nm\n", file);
        if (*command->words)
            fprintf(file, ".Cm %s\n", command->words);
        for (size_t k = 0; k + 1 < count; k++)
            fprintf(file, ".%sFl -%s%s%s\n", options[k]->required ? "" : "Op ", options[k]->name,
                    options[k]->argument ? " Ar " : "", options[k]->argument ? options[k]->argument : "");
        print_mdoc_arguments(file, command->arguments);
    }
}

/* ---- errors ---- */

int hk_exit_status(enum hk_error error)
{
    switch (error) {
    case HK_OK:
        return HK_EXIT_DONE;
    case HK_USAGE:
        return HK_EXIT_USAGE;
    case HK_UNREACHABLE:
    case HK_TIMEOUT:
        return HK_EXIT_UNREACHABLE;
    case HK_REVOKED:
    case HK_SUSPENDED:
        return HK_EXIT_REVOKED;
    case HK_LOCKED:
    case HK_AGENT_LOCKED:
    case HK_NEEDS_APPROVAL:
        return HK_EXIT_LOCKED;
    default:
        return HK_EXIT_FAILED;
    }
}

int hk_fail(enum hk_error error, const char *what)
{
    if (what)
        fprintf(stderr, "halfkey: %s: %s\n", what, hk_strerror(error));
    else
        fprintf(stderr, "halfkey: %s\n", hk_strerror(error));
    return hk_exit_status(error);
}

int hk_fail_text(int status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("halfkey: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return status;
}

int hk_command_main(int argc, char **argv)
{
    struct hk_call call;
    char problem[256] = "";
    if (argc < 1)
        return HK_EXIT_USAGE;
    enum hk_error error = hk_command_parse(&call, argc, argv, problem);
    if (error) {
        fprintf(stderr, "halfkey: %s; ", problem);
        if (*call.command->words)
            print_usage(stderr, call.command);
        else
            fputs("'halfkey --help' lists them\n", stderr);
        return HK_EXIT_USAGE;
    }
    if (hk_call_option(&call, "version")) {
        puts("halfkey " HK_VERSION);
        return HK_EXIT_DONE;
    }
    if (!hk_call_option(&call, "help"))
        return call.command->run(&call);
    if (*call.command->words)
        hk_command_print_help(stdout, call.command);
    else
        hk_command_print_list(stdout);
    return HK_EXIT_DONE;
}
