#include "protocol/cose.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 17];
    char type[HK_COSE_TYPE_MAX + 1];
    struct hk_cose cose;
    size_t written = 0;
    if (size > sizeof(again) / 2) {
        return 0;
    }
    bool is_signed = hk_cose_parse(&cose, data, size) == HK_OK;
    if (!is_signed && hk_cose_parse_to_be_signed(&cose, data, size) != HK_OK) {
        return 0;
    }
    MUST(cose.type.size <= HK_COSE_TYPE_MAX);
    memcpy(type, cose.type.data, cose.type.size);
    type[cose.type.size] = '\0';
    if (strlen(type) != cose.type.size) {
        return 0; /* a typ with a zero in it is nobody's */
    }
    enum hk_error error =
        is_signed ? hk_cose_assemble(again, sizeof(again), &written, type, cose.account, cose.payload,
                                     cose.signature)
                  : hk_cose_to_be_signed(again, sizeof(again), &written, type, cose.account, cose.payload);
    MUST(error == HK_OK);
    SAME_BYTES(again, written, data, size);
    if (is_signed) {
        static const uint8_t key[32] = {0xd7, 0x5a, 0x98, 0x01};
        MUST(hk_cose_verify(&cose, data, size, type, key) != HK_OK);
    }
    return 0;
}
