#include "protocol/object.h"
#include "tests/fuzz/fuzz.h"

#define ROUND_TRIP(type, decode, encode)                                                                     \
    do {                                                                                                     \
        static type object;                                                                                  \
        if (decode(&object, data, size) == HK_OK) {                                                          \
            size_t length = 0;                                                                               \
            MUST(encode(&object, again, sizeof(again), &length) == HK_OK);                                   \
            SAME_BYTES(again, length, data, size);                                                           \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 17];
    static struct hk_profile profile;
    static const uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_attachment list[HK_ATTACHMENTS];
    size_t count = 0, written = 0;
    ROUND_TRIP(struct hk_device_record, hk_record_decode, hk_record_encode);
    ROUND_TRIP(struct hk_revocation, hk_revocation_decode, hk_revocation_encode);
    ROUND_TRIP(struct hk_profile, hk_profile_decode, hk_profile_encode);
    ROUND_TRIP(struct hk_leaf, hk_leaf_decode, hk_leaf_encode);
    ROUND_TRIP(struct hk_device_row, hk_row_decode, hk_row_encode);
    MUST(hk_profile_open_named(&profile, data, size, account) != HK_OK);
    if (hk_attachments_decode(list, &count, (struct hk_bytes){data, size}) == HK_OK && count > 0) {
        MUST(hk_attachments_encode(list, count, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    return 0;
}
