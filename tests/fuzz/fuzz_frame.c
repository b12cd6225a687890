#include "protocol/frame.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hk_frame frame;
    uint8_t header[HK_FRAME_HEADER_BYTES], hint[HK_FRAME_HINT_BYTES];
    if (hk_frame_parse(&frame, data, size) != HK_OK) {
        return 0;
    }
    MUST(size <= HK_FRAME_MAX && frame.bytes == data && frame.size == size);
    MUST(frame.body + frame.body_size == data + size && frame.body_size + sizeof(header) == size);
    hk_frame_header(header, frame.type, frame.session, frame.counter);
    SAME_BYTES(header, sizeof(header), data, sizeof(header));
    if (frame.type == HK_FRAME_HINT) {
        enum hk_error error = hk_frame_hinted(&frame);
        MUST(error != HK_OK);
        if (error != HK_BAD_PEER) {
            hk_frame_hint(hint, frame.session, error);
            SAME_BYTES(hint, sizeof(hint), data, size);
        }
    }
    return 0;
}
