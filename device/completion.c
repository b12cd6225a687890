/* The completion script for bash, from the table of commands. */
#include <string.h>

#include "crypto/suite.h"
#include "device/command.h"

static const char head[] =
    "# bash completion for halfkey; printed by 'halfkey help --bash-completion'\n"
    "_halfkey() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local line=\"${COMP_WORDS[*]:1:COMP_CWORD - 1} \" words= options= values= want\n"
    "    case $line in\n";
static const char tail[] =
    "    esac\n"
    "    case \"$values\" in\n"
    "        *\" $before=\"*) want=${values#*\" $before=\"}; want=${want%% *}; want=${want//|/ } ;;\n"
    "        *) if [[ $word == -* ]]; then want=$options; else want=$words; fi ;;\n"
    "    esac\n"
    "    COMPREPLY=($(compgen -W \"$want\" -- \"$word\"))\n"
    "    [[ ${#COMPREPLY[@]} -gt 0 || -n $words ]] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "}\n"
    "complete -o filenames -F _halfkey halfkey\n";

/* A choice is what an option's argument names with bars between: age|ssh|raw; SUITE is any that a key can be
 * of. */
static bool is_choice(const struct hk_option *option)
{
    return option->argument != NULL &&
           (strchr(option->argument, '|') != NULL || strcmp(option->argument, "SUITE") == 0);
}

static void print_choices(FILE *file, const struct hk_option *option)
{
    fprintf(file, "--%s=", option->name);
    if (strcmp(option->argument, "SUITE") != 0) {
        fprintf(file, "%s ", option->argument);
        return;
    }
    const struct hk_suite *suite;
    for (size_t i = 0; (suite = hk_suite_at(i)) != NULL; i++)
        if (suite->purpose != HK_PURPOSE_ACCOUNT)
            fprintf(file, "%s%s", i > 0 ? "|" : "", suite->name);
    fputs(" ", file);
}

/* Whether the row's words go on from those of `start`, and with which: "key" goes on with "create". */
static const char *continues(const struct hk_command *command, const char *start)
{
    size_t length = strlen(start);
    bool fits = strncmp(command->words, start, length) == 0 &&
                (length == 0 || command->words[length] == ' ') && !command->hidden && *command->words;
    return fits ? command->words + length + (length != 0) : NULL;
}

static void print_next_words(FILE *file, const char *start)
{
    fputs(" words='", file);
    for (size_t i = 0; i < hk_command_count; i++) {
        const char *next = continues(&hk_commands[i], start);
        if (next != NULL)
            fprintf(file, "%.*s ", (int)strcspn(next, " "), next);
    }
    fputs("'", file);
}

static void print_row(FILE *file, const struct hk_command *command)
{
    const struct hk_option *options[HK_OPTIONS_MAX + 3];
    size_t count = hk_command_options(command, options);
    fprintf(file, "        '%s%s'*)", command->words, *command->words ? " " : "");
    print_next_words(file, command->words);
    fputs(" options='", file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "--%s ", options[i]->name);
    fputs("' values=' ", file);
    for (size_t i = 0; i < count; i++)
        if (is_choice(options[i]))
            print_choices(file, options[i]);
    fputs("' ;;\n", file);
}

/* "key" and "device" are no commands, only the first word of some. */
static void print_first_words(FILE *file)
{
    for (size_t i = 0; i < hk_command_count; i++) {
        const char *words = hk_commands[i].words, *space = strchr(words, ' ');
        bool first = space != NULL;
        for (size_t k = 0; first && k < i; k++)
            first = strncmp(hk_commands[k].words, words, (size_t)(space - words)) != 0;
        if (first) {
            char start[32];
            snprintf(start, sizeof start, "%.*s", (int)(space - words), words);
            fprintf(file, "        '%s '*)", start);
            print_next_words(file, start);
            fputs(" ;;\n", file);
        }
    }
}

void hk_command_print_completion(FILE *file)
{
    fputs(head, file);
    for (size_t i = hk_command_count; i-- > 1;) /* "log accept" before "log" */
        if (!hk_commands[i].hidden)
            print_row(file, &hk_commands[i]);
    print_first_words(file);
    print_row(file, &hk_commands[0]); /* '' fits everything, so it is last */
    fputs(tail, file);
}
