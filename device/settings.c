#include "device/settings.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *from_environment(const char *name)
{
    char variable[64] = "HALFKEY_";
    size_t n = strlen(variable);
    for (; *name && n + 1 < sizeof variable; name++)
        variable[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    variable[n] = 0;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

static FILE *open_file(void)
{
    char path[4096];
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (folder && *folder == '/')
        snprintf(path, sizeof path, "%s/halfkey/config", folder);
    else if (home && *home == '/')
        snprintf(path, sizeof path, "%s/.config/halfkey/config", home);
    else
        return NULL;
    return fopen(path, "re");
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = 0;
    return text;
}

/* Values from the file, each under its name: a command holds several at once. */
static const char *keep(const char *name, const char *value)
{
    static _Thread_local struct {
        char name[32], value[1024];
    } kept[16];
    size_t i = 0;
    while (i + 1 < sizeof kept / sizeof *kept && *kept[i].name && strcmp(kept[i].name, name) != 0)
        i++;
    snprintf(kept[i].name, sizeof kept[i].name, "%s", name);
    snprintf(kept[i].value, sizeof kept[i].value, "%s", value);
    return kept[i].value;
}

static const char *from_file(const char *name)
{
    char line[2048];
    FILE *file = open_file();
    const char *found = NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *equals = strchr(line, '=');
        if (*trim(line) == '#' || !equals)
            continue;
        *equals = 0;
        if (strcmp(trim(line), name) == 0)
            found = keep(name, trim(equals + 1));
    }
    if (file)
        fclose(file);
    return found && *found ? found : NULL;
}

const char *hk_setting(const char *name)
{
    const char *value = from_environment(name);
    return value ? value : from_file(name);
}
