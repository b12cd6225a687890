/* What an SSH key is asked to sign, and a key's policy about it: the first two bytes are the length of the
 * policy, which comes before the message. */
#include "device/ssh_policy.h"
#include "protocol/cbor.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX 70000

/* The same bytes from what was read of them: two texts for one login would be two signatures under one line
 * of the log. */
static void encode_login(const struct hk_ssh_signed *login, const uint8_t *data, size_t size)
{
    static uint8_t out[OUT_MAX];
    struct hk_ssh_writer writer = {out, 0, sizeof(out), false};
    const char *method = login->host.size != 0 ? "publickey-hostbound-v00@openssh.com" : "publickey";
    hk_ssh_put_string(&writer, login->session.data, login->session.size);
    hk_ssh_put_byte(&writer, 50);
    hk_ssh_put_string(&writer, login->user.data, login->user.size);
    hk_ssh_put_string(&writer, login->service.data, login->service.size);
    hk_ssh_put_string(&writer, method, strlen(method));
    size_t flag = writer.size;
    hk_ssh_put_byte(&writer, 1);
    hk_ssh_put_string(&writer, login->algorithm.data, login->algorithm.size);
    hk_ssh_put_string(&writer, login->key.data, login->key.size);
    if (login->host.size != 0) {
        hk_ssh_put_string(&writer, login->host.data, login->host.size);
    }
    MUST(!writer.full && writer.size == size);
    out[flag] = data[flag]; /* a truth value: any but zero */
    SAME_BYTES(out, writer.size, data, size);
}

static void check_policy(const struct hk_ssh_policy *policy, const uint8_t *data, size_t size)
{
    uint8_t out[HK_ATTACHMENT_MAX];
    size_t written = 0;
    MUST(hk_ssh_policy_encode(policy, out, sizeof(out), &written) == HK_OK);
    if (size != 0) {
        SAME_BYTES(out, written, data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_ssh_bindings local, forwarded = {.broken = true};
    struct hk_ssh_policy policy;
    struct hk_ssh_signed what;
    char why[HK_SSH_WHY_MAX], text[HK_SSH_WHAT_MAX], logged[HK_SSH_LOGIN_TEXT_MAX];
    size_t length = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0;
    if (size < 2 || length > size - 2 || size > OUT_MAX / 2) {
        return 0;
    }
    const uint8_t *message = data + 2 + length;
    size_t message_size = size - 2 - length;
    hk_ssh_signed_read(&what, message, message_size);
    if (what.kind == HK_SIGN_SSH_LOGIN) {
        encode_login(&what, message, message_size);
        if (what.key.size == 51 && hk_ssh_login_check(&what, (const uint8_t *)what.key.data + 19) == HK_OK) {
            hk_ssh_login_text(logged, &what);
            MUST(hk_text_is_printable(logged, strlen(logged)));
        }
    }
    if (hk_ssh_policy_decode(&policy, data + 2, length) != HK_OK) {
        return 0;
    }
    check_policy(&policy, data + 2, length);
    hk_ssh_describe(text, &policy, &what, &local);
    MUST(hk_text_is_printable(text, strlen(text)));
    /* Nothing is allowed from another host that would not be from this one. */
    enum hk_ssh_verdict here = hk_ssh_decide(&policy, &what, &local, why),
                        there = hk_ssh_decide(&policy, &what, &forwarded, why);
    MUST(there <= here && (what.kind != HK_SIGN_RAW || there == HK_SSH_REFUSE));
    return 0;
}
