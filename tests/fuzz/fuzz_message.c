#include "protocol/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_message message;
    static uint8_t again[1 << 17];
    static const uint8_t id[HK_ID_BYTES];
    const struct hk_op_row *row = NULL;
    size_t written = 0;
    if (size > sizeof(again) || hk_message_decode(&message, data, size) != HK_OK) {
        MUST(size > sizeof(again) || message.present == 0);
        return 0;
    }
    MUST(hk_message_encode(&message, again, sizeof(again), &written) == HK_OK);
    SAME_BYTES(again, written, data, size);
    for (unsigned caller = HK_STRANGER; caller <= HK_ADMIN; caller *= 2) {
        if (hk_message_check_request(&message, (enum hk_caller)caller, &row) == HK_OK) {
            MUST(row != NULL && (message.present & row->request) == row->request);
        }
    }
    for (uint64_t op = 1; (row = hk_op_row(op)) != NULL; op++) {
        if (hk_message_check_answer(&message, row, id) == HK_OK) {
            MUST((message.present & row->answer) == row->answer);
        }
    }
    return 0;
}
