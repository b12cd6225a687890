#include "device/settings.h"

#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"service", "timeout", "key", "passphrase-fd"};
    char folder[128];
    snprintf(folder, sizeof(folder), "%s/halfkey", fuzz_folder());
    mkdir(folder, 0700);
    setenv("XDG_CONFIG_HOME", fuzz_folder(), 1);
    (void)fuzz_file("halfkey/config", data, size);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value = hk_setting(names[i]);
        if (value != NULL) {
            MUST(value[0] != '\0' && strlen(value) < 1024 && strchr(value, '\n') == NULL);
            MUST(memmem(data, size, value, strlen(value)) != NULL);
        }
    }
    return 0;
}
