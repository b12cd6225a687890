/* The first byte chooses: one Noise handshake of a pattern, in a role, fed with messages; or a service's
 * session table, fed with frames. Messages and frames are each a length (u16, big endian) and so many bytes.
 */
#include "tests/fuzz/channel.h"

static size_t next_part(const uint8_t **data, const uint8_t *end, const uint8_t **part)
{
    if (end - *data < 2) {
        *data = end;
        return SIZE_MAX;
    }
    size_t size = (size_t)(*data)[0] << 8 | (*data)[1];
    *part = *data + 2;
    size = size < (size_t)(end - *part) ? size : (size_t)(end - *part);
    *data = *part + size;
    return size;
}

static void feed_handshake(uint8_t choice, const uint8_t *data, const uint8_t *end)
{
    static uint8_t out[HK_NOISE_MESSAGE_MAX];
    struct hk_noise noise;
    struct hk_noise_result result;
    uint8_t other[32];
    const uint8_t *part;
    size_t size, length;
    bool initiator = (choice & FUZZ_INITIATOR) != 0;
    hk_noise_public(other, initiator ? &fuzz_service_key : &fuzz_device_key);
    struct hk_noise_setup setup = {.static_key = initiator ? &fuzz_device_key : &fuzz_service_key,
                                   .remote_static = other,
                                   .psk = &fuzz_psk};
    MUST(hk_noise_init(&noise, fuzz_patterns[(choice & 0x3f) % FUZZ_PATTERNS],
                       initiator ? HK_NOISE_INITIATOR : HK_NOISE_RESPONDER, &setup) == HK_OK);
    while (noise.alive && !hk_noise_is_finished(&noise)) {
        if (hk_noise_is_my_turn(&noise)) {
            (void)!hk_noise_write(&noise, "", 0, out, sizeof(out), &length);
        } else if ((size = next_part(&data, end, &part)) == SIZE_MAX) {
            break;
        } else if (hk_noise_read(&noise, part, size, out, sizeof(out), &length) != HK_OK) {
            MUST(!noise.alive); /* a handshake that failed stays dead */
            MUST(hk_noise_read(&noise, part, size, out, sizeof(out), &length) == HK_CONFLICT);
        }
    }
    if (hk_noise_split(&noise, &result) == HK_OK) {
        hk_wipe(&result, sizeof(result));
    }
    hk_noise_wipe(&noise);
}

static enum hk_error admit(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES], unsigned *caller)
{
    (void)argument;
    *caller = 2;
    return (static_key[0] & 1) != 0 ? HK_UNKNOWN_DEVICE : HK_OK;
}

static void feed_table(const uint8_t *data, const uint8_t *end)
{
    static uint8_t out[HK_FRAME_MAX];
    struct hk_session_table *table;
    struct hk_session_table_setup setup = {
        .service = {.static_key = &fuzz_service_key, .admit = admit}, .unconfirmed = 4, .strangers = 4};
    struct hk_session_counts counts;
    const uint8_t *part;
    size_t size, length;
    hk_noise_public(setup.service.static_public, &fuzz_service_key);
    MUST(hk_session_table_new(&table, &setup) == HK_OK);
    for (int frames = 0; frames < 16 && (size = next_part(&data, end, &part)) != SIZE_MAX; frames++) {
        struct hk_frame frame;
        struct hk_session *session;
        enum hk_opened what;
        if (hk_frame_parse(&frame, part, size) != HK_OK) {
            continue;
        }
        if (frame.type == HK_FRAME_HANDSHAKE_IK || frame.type == HK_FRAME_HANDSHAKE_NK) {
            (void)!hk_session_table_accept(table, &frame, out, &length);
        } else if (hk_session_table_open(table, &frame, &session, &what, out, &length) == HK_OK) {
            if (what == HK_OPENED_NEW) {
                MUST(hk_session_seal_answer(session, frame.counter, "done", 4, out, sizeof(out), &length) ==
                     HK_OK);
                hk_session_keep(session, frame.counter, out, length);
            }
            hk_session_table_release(table, session);
        }
        hk_session_table_count(table, &counts);
        MUST(counts.unconfirmed <= 4 && counts.strangers <= 4 &&
             counts.sessions <= HK_SESSIONS_A_DEVICE * 16);
    }
    hk_session_table_sweep(table);
    hk_session_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_random();
    if (size == 0) {
        return 0;
    }
    if ((data[0] & FUZZ_TABLE) != 0) {
        feed_table(data + 1, data + size);
    } else {
        feed_handshake(data[0], data + 1, data + size);
    }
    return 0;
}
