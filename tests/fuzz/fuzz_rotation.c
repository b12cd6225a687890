/* The link between an old key and the one in its place, as it stands in a profile. */
#include "device/rotation.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hk_rotation link;
    struct hk_profile_key key = {.suite = HK_SUITE_X25519};
    uint8_t encoded[HK_ROTATION_ENCODED_MAX], account[HK_ACCOUNT_BYTES] = {0};
    char text[HK_ROTATION_TEXT_MAX];
    size_t length = 0;
    if (hk_rotation_decode(&link, HK_BYTES(data, size)) == HK_OK) {
        MUST(hk_rotation_encode(&link, encoded, &length) == HK_OK);
        SAME_BYTES(encoded, length, data, size);
        MUST(link.is_signed == hk_rotation_can_sign(link.old_suite));
        MUST(hk_rotation_text(text, &link, account, &key) == strlen(text));
    }
    return 0;
}
