/* The device's state: as the codec sees it behind the seal, and, after a first byte of 1, the file itself. */
#include "device/state.h"
#include "tests/fuzz/fuzz.h"

static void whole_file(const uint8_t *data, size_t size)
{
    struct hk_state *state = NULL;
    struct hk_state_seal seal = {0};
    struct hk_home home = {0};
    char reason[256] = "";
    bool has_passphrase = false;
    (void)fuzz_file("0000000000000000.share", data, size);
    snprintf(home.path, sizeof(home.path), "%s", fuzz_folder());
    if (hk_state_look(&home, &has_passphrase, reason) != HK_OK) {
        MUST(reason[0] != '\0');
        MUST(has_passphrase || hk_state_read(&state, &seal, &home, NULL, 0, reason) != HK_OK);
        return;
    }
    if (!has_passphrase && hk_state_read(&state, &seal, &home, NULL, 0, reason) == HK_OK) {
        hk_state_free(state);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_state state;
    static uint8_t again[1 << 18], third[1 << 18];
    size_t written = 0, length = 0;
    if (size != 0 && data[0] == 1) {
        whole_file(data + 1, size - 1);
    } else if (size != 0 && hk_state_decode(&state, data + 1, size - 1) == HK_OK) {
        /* A file of an earlier version reads too, and is written in today's form: that one comes back as it
         * is. */
        MUST(hk_state_encode(&state, again, sizeof(again), &written) == HK_OK);
        MUST(hk_state_decode(&state, again, written) == HK_OK);
        MUST(hk_state_encode(&state, third, sizeof(third), &length) == HK_OK);
        SAME_BYTES(again, written, third, length);
    }
    return 0;
}
