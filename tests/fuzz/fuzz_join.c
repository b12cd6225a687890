/* Join codes, what two devices say to one another behind the handshake, and what keys are handed over with.
 */
#include "device/hand_channel.h"
#include "device/invitation.h"
#include "device/join_channel.h"
#include "tests/fuzz/fuzz.h"

static void code(const uint8_t *data, size_t size)
{
    static char text[HK_INVITATION_TEXT_MAX * 2], printed[HK_INVITATION_TEXT_MAX];
    struct hk_invitation invitation, again;
    const char *reason = NULL;
    if (size >= sizeof(text)) {
        return;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (hk_invitation_parse(&invitation, text, &reason) != HK_OK) {
        MUST(reason != NULL && reason[0] != '\0');
        return;
    }
    MUST(hk_invitation_print(printed, &invitation) == HK_OK);
    MUST(strstr(text, printed) != NULL); /* one code for each invitation, white space around it aside */
    MUST(hk_invitation_parse(&again, printed, NULL) == HK_OK);
}

/* A deposit is spans of its bytes; whatever they hold, judging it ends. */
static void deposit(const uint8_t *data, size_t size)
{
    static const uint8_t account[HK_ACCOUNT_BYTES], serial[HK_ID_BYTES];
    struct hk_hand_parties parties = {account, serial, serial};
    struct hk_hand_deposit opened;
    struct hk_point point;
    if (hk_hand_deposit_open(&opened, data, size) == HK_OK && opened.key != NULL) {
        MUST(opened.point + opened.rest == data + size);
        enum hk_error error = hk_hand_deposit_check(&point, &opened, &hk_edwards25519, &parties);
        MUST(error == HK_BAD_ENCODING || error == HK_BAD_POINT || error == HK_BAD_PROOF);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_join_bundle bundle;
    static uint8_t again[1 << 17];
    struct hk_join_hello hello;
    size_t written = 0;
    code(data, size);
    if (hk_join_hello_decode(&hello, data, size) == HK_OK) {
        MUST(hk_join_hello_encode(&hello, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    if (hk_join_bundle_decode(&bundle, data, size) == HK_OK) {
        MUST(hk_join_bundle_encode(&bundle, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    static struct hk_hand_bundle handed;
    if (hk_hand_bundle_decode(&handed, data, size) == HK_OK) {
        MUST(hk_hand_bundle_encode(&handed, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    deposit(data, size);
    return 0;
}
