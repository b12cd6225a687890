#include "protocol/address.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[2048], printed[HK_ADDRESS_MAX + 1];
    const char *reason = NULL;
    struct hk_address address, again;
    if (size >= sizeof(text)) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (hk_address_parse(&address, text, &reason) == HK_OK) {
        MUST(hk_address_check_url(address.url, false, NULL) == HK_OK);
        if (hk_address_print(printed, address.url, address.service_key) == HK_OK) {
            MUST(hk_address_parse(&again, printed, NULL) == HK_OK);
            MUST(strcmp(again.url, address.url) == 0);
            SAME_BYTES(again.service_key, 32, address.service_key, 32);
        }
    } else {
        MUST(reason != NULL && reason[0] != '\0');
    }
    reason = NULL;
    if (hk_address_check_url(text, true, &reason) == HK_OK) {
        (void)!hk_address_is_local(text);
    } else {
        MUST(reason != NULL && reason[0] != '\0');
    }
    return 0;
}
