/* What goes over the wire, kept for whoever wants to send it again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/client_lies.h"

static _Thread_local struct hk_test_recording *recording;

void hk_test_record(struct hk_test_recording *into)
{
    recording = into;
}

void hk_test_recording_free(struct hk_test_recording *of)
{
    for (size_t i = 0; i < of->count; i++) {
        free(of->at[i].frame);
        free(of->at[i].answer);
    }
    of->count = 0;
}

static uint8_t *copy(const uint8_t *bytes, size_t size)
{
    uint8_t *made = malloc(size);
    assert_non_null(made);
    memcpy(made, bytes, size);
    return made;
}

enum hk_error hk_test_exchange(struct hk_endpoint *endpoint, struct hk_channel *channel, enum hk_op op,
                               const uint8_t *request, size_t size, uint8_t *answer, size_t *answer_size)
{
    static _Thread_local uint8_t frame[HK_FRAME_MAX], back[HK_FRAME_MAX];
    struct hk_session *session = hk_channel_session(channel);
    struct hk_frame parsed;
    size_t frame_size, back_size;
    uint64_t counter;
    if (recording == NULL) {
        return hk_channel_call(channel, request, size, answer, HK_PLAINTEXT_MAX, answer_size, 10000);
    }
    enum hk_error error =
        hk_session_seal_request(session, request, size, frame, sizeof(frame), &frame_size, &counter);
    if (error == HK_OK) {
        error = hk_endpoint_call(endpoint, frame, frame_size, back, sizeof(back), &back_size, 10000);
    }
    if (error != HK_OK) {
        return error;
    }
    assert_true(recording->count < HK_TEST_RECORDED);
    recording->at[recording->count++] =
        (struct hk_test_recorded){op, copy(frame, frame_size), copy(back, back_size), frame_size, back_size};
    error = hk_frame_parse(&parsed, back, back_size);
    if (error == HK_OK && parsed.type == HK_FRAME_HINT) {
        return hk_frame_hinted(&parsed);
    }
    return error == HK_OK
               ? hk_session_open_answer(session, &parsed, counter, answer, HK_PLAINTEXT_MAX, answer_size)
               : error;
}
