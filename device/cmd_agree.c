/* The bare key agreement. */
#include <stdlib.h>
#include <string.h>

#include "crypto/agreement.h"
#include "device/cmd.h"
#include "device/json.h"
#include "protocol/encoding.h"

/* Points as they were given, all of one length. */
struct points {
    size_t size; /* of each */
    uint8_t bytes[HK_AGREE_POINTS_MAX][HK_AGREE_INPUT_BYTES_MAX];
};

static void print_agreed(const struct hk_console *console, const struct hk_value *results)
{
    char text[HK_HEX_SIZE(HK_AGREE_INPUT_BYTES_MAX)];
    HK_WIPE_AT_EXIT(text);
    struct hk_json json;
    hk_json_start(&json, stdout);
    if (console->call->json)
        hk_json_list(&json, NULL);
    for (size_t i = 0; i < results->count; i++) {
        bool refused = results->items[i].size == 0;
        if (!refused)
            hk_hex_encode(text, results->items[i].data, results->items[i].size);
        if (console->call->json)
            hk_json_text(&json, NULL, refused ? NULL : text);
        else
            puts(refused ? "bad-point" : text);
    }
    if (console->call->json)
        hk_json_end_list(&json);
}

static int agree(struct hk_console *console, struct hk_agent_message *request, const struct points *points)
{
    const struct hk_call *call = console->call;
    hk_agent_set_text(request, HK_A_KEY, hk_call_setting(call, "key"));
    if (hk_call_option(call, "prove"))
        hk_agent_set_u64(request, HK_A_PROVE, 1);
    for (int i = 0; i < call->count; i++)
        if (!hk_agent_add(request, HK_A_POINTS, points->bytes[i], points->size))
            return hk_fail(HK_TOO_LARGE, "agree");
    int status = hk_console_ask(console);
    if (status)
        return status;
    const struct hk_value *results = &hk_console_answer(console)->value[HK_A_RESULTS];
    print_agreed(console, results);
    for (size_t i = 0; i < results->count; i++)
        if (results->items[i].size == 0)
            return hk_fail_text(HK_EXIT_FAILED, "point %zu is not an honest public key", i + 1);
    return 0;
}

static int read_points(struct points *points, const struct hk_call *call)
{
    points->size = strlen(call->arguments[0]) / 2;
    bool known =
        points->size == hk_agree_x25519.input_bytes || points->size == hk_agree_secp256k1.input_bytes;
    for (int i = 0; i < call->count; i++) {
        const char *text = call->arguments[i];
        if (!known || strlen(text) != 2 * points->size ||
            hk_hex_decode(points->bytes[i], points->size, text, strlen(text)))
            return hk_fail_text(
                HK_EXIT_USAGE,
                "'%.80s' is not 64 hexadecimal digits (x25519), or 66 (secp256k1-ecdh), as the "
                "others are",
                text);
    }
    return 0;
}

int hk_cmd_agree(const struct hk_call *call)
{
    struct hk_console console;
    struct points points;
    int status = read_points(&points, call);
    if (status)
        return status;
    status = hk_console_open(&console, call);
    if (!status)
        status = agree(&console, hk_console_request(&console, HK_AGENT_AGREE), &points);
    hk_console_close(&console);
    return status;
}
