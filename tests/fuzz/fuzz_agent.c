#include "device/agent_protocol.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_agent_message message;
    static uint8_t again[HK_AGENT_FRAME_MAX];
    struct hk_agent_key_row key;
    struct hk_agent_device_row device;
    char text[300];
    size_t written = 0;
    if (hk_agent_decode(&message, data, size) == HK_OK) {
        MUST(hk_agent_encode(&message, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
        hk_agent_text(&message, HK_A_NAME, text, sizeof(text));
        MUST(strlen(text) < sizeof(text));
    }
    if (hk_agent_key_row_decode(&key, (struct hk_bytes){data, size}) == HK_OK) {
        MUST(hk_agent_key_row_encode(&key, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    if (hk_agent_device_row_decode(&device, (struct hk_bytes){data, size}) == HK_OK) {
        MUST(hk_agent_device_row_encode(&device, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    return 0;
}
