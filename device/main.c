/* halfkey; under the name age-plugin-halfkey the plugin that age starts, under halfkey-scd the card of
 * gpg-agent. */
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>

#include "device/cmd.h"

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = argc == 0 ? "" : slash ? slash + 1 : argv[0];
    /* Imported keys and passphrases pass through this process. */
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return hk_fail(HK_INTERNAL, "no source of randomness");
    if (strcmp(name, "age-plugin-halfkey") == 0)
        return hk_plugin_main(argc, argv);
    if (strcmp(name, "halfkey-scd") == 0)
        return hk_scd_main(argc, argv);
    return hk_command_main(argc, argv);
}
