#include "crypto/suite.h"

#include <string.h>

static const struct hk_suite suites[] = {
    {HK_SUITE_X25519, "x25519", HK_PURPOSE_AGREE, &hk_edwards25519},
    {HK_SUITE_ED25519, "ed25519", HK_PURPOSE_SIGN, &hk_edwards25519},
    {HK_SUITE_ACCOUNT, "account", HK_PURPOSE_ACCOUNT, &hk_edwards25519},
};

const struct hk_suite *hk_suite_by_id(uint64_t id)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        if (suites[i].id == id) {
            return &suites[i];
        }
    }
    return NULL;
}

const struct hk_suite *hk_suite_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        if (strcmp(suites[i].name, name) == 0) {
            return &suites[i];
        }
    }
    return NULL;
}
