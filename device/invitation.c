#include "device/invitation.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "protocol/address.h"
#include "protocol/encoding.h"
#include "protocol/object_fields.h"

#define CHECK_BYTES 5
#define CODE_BYTES_MAX ((HK_INVITATION_TEXT_MAX - sizeof(HK_INVITATION_PREFIX)) * 5 / 8)

enum { ADDRESS = 1, ACCOUNT = 2, ADMINISTRATOR = 3, EXPIRES = 4, SECRET = 5, FIELDS = 5 };

enum hk_error hk_invitation_make(struct hk_invitation *out, const char *address,
                                 const uint8_t account[HK_ACCOUNT_BYTES], const uint8_t administrator[32],
                                 uint64_t expires)
{
    size_t length = strlen(address);
    if (length == 0 || length > HK_ADDRESS_MAX || !hk_text_is_printable(address, length)) {
        return HK_BAD_ENCODING;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->address, address, length);
    memcpy(out->account, account, HK_ACCOUNT_BYTES);
    memcpy(out->administrator, administrator, 32);
    out->expires = expires;
    hk_random(out->secret, sizeof(out->secret));
    return HK_OK;
}

void hk_invitation_derive(struct hk_invitation_keys *out, const struct hk_invitation *invitation)
{
    struct hk_bytes secret = HK_BYTES(invitation->secret, sizeof(invitation->secret));
    hk_hash_name(out->gate, "join/gate", 1, &secret);
    hk_gate_hash(out->gate_hash, out->gate);
    hk_hash_name(out->psk.bytes, "join/e2e", 1, &secret);
}

/* Catches what was typed or copied wrong, so that nobody has to guess why a join fails. */
static void checksum(uint8_t out[HK_NAME_BYTES], const uint8_t *encoded, size_t size)
{
    hk_hash_name(out, "join/code", 1, (struct hk_bytes[]){HK_BYTES(encoded, size)});
}

enum hk_error hk_invitation_print(char out[HK_INVITATION_TEXT_MAX], const struct hk_invitation *invitation)
{
    uint8_t code[CODE_BYTES_MAX], sum[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(code);
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, code, sizeof(code) - CHECK_BYTES);
    hk_cbor_put_map(&writer, FIELDS);
    hk_put_name_field(&writer, ADDRESS, invitation->address, HK_ADDRESS_MAX);
    hk_put_bytes_field(&writer, ACCOUNT, invitation->account, HK_ACCOUNT_BYTES);
    hk_put_bytes_field(&writer, ADMINISTRATOR, invitation->administrator, 32);
    hk_put_uint_field(&writer, EXPIRES, invitation->expires);
    hk_put_bytes_field(&writer, SECRET, invitation->secret, sizeof(invitation->secret));
    size_t size;
    enum hk_error error = hk_cbor_writer_finish(&writer, &size);
    if (error != HK_OK) {
        return error;
    }
    checksum(sum, code, size);
    memcpy(code + size, sum, CHECK_BYTES);
    memcpy(out, HK_INVITATION_PREFIX, sizeof(HK_INVITATION_PREFIX) - 1);
    hk_base32_encode(out + sizeof(HK_INVITATION_PREFIX) - 1, code, size + CHECK_BYTES, HK_BASE32_LOWER);
    return HK_OK;
}

static enum hk_error decode(struct hk_invitation *out, const uint8_t *encoded, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, encoded, size);
    struct hk_fields fields = hk_fields_begin(&reader, FIELDS);
    hk_fields_name(&fields, ADDRESS, out->address, HK_ADDRESS_MAX);
    hk_fields_fixed(&fields, ACCOUNT, out->account, HK_ACCOUNT_BYTES);
    hk_fields_fixed(&fields, ADMINISTRATOR, out->administrator, 32);
    out->expires = hk_fields_uint(&fields, EXPIRES, INT64_MAX);
    hk_fields_fixed(&fields, SECRET, out->secret, sizeof(out->secret));
    hk_fields_end(&fields);
    return hk_cbor_reader_finish(&reader);
}

static bool is_space(char c)
{
    unsigned d = (uint8_t)c, none = (d ^ ' ') * (d ^ '\t') * (d ^ '\r') * (d ^ '\n'); /* no branches */
    bool space = none == 0;
    HK_PUBLIC(space);
    return space;
}

/* As strnlen, which may branch on more than the end of the text. Where the text and white space end is
 * public, though what is between them holds k. */
static size_t length_of(const char *text, size_t max)
{
    size_t length = 0;
    for (bool more = true; more; length += more) {
        if (length == max) {
            break;
        }
        more = text[length] != '\0';
        HK_PUBLIC(more);
    }
    return length;
}

enum hk_error hk_invitation_parse(struct hk_invitation *out, const char *text, const char **reason)
{
    const char *unused;
    reason = reason == NULL ? &unused : reason;
    while (is_space(*text)) {
        text++;
    }
    size_t length = length_of(text, HK_INVITATION_TEXT_MAX), prefix = sizeof(HK_INVITATION_PREFIX) - 1;
    while (length > 0 && is_space(text[length - 1])) {
        length--;
    }
    if (length <= prefix || length >= HK_INVITATION_TEXT_MAX ||
        memcmp(text, HK_INVITATION_PREFIX, prefix) != 0) {
        *reason = "an invitation's code begins with " HK_INVITATION_PREFIX;
        return HK_BAD_ENCODING;
    }
    uint8_t code[CODE_BYTES_MAX], sum[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(code);
    struct hk_invitation found;
    HK_WIPE_AT_EXIT(found);
    memset(&found, 0, sizeof(found));
    size_t size;
    *reason = "the code is not complete, or a character of it is wrong";
    if (hk_base32_decode(code, sizeof(code), &size, text + prefix, length - prefix, HK_BASE32_LOWER) !=
            HK_OK ||
        size <= CHECK_BYTES) {
        return HK_BAD_ENCODING;
    }
    size -= CHECK_BYTES;
    checksum(sum, code, size);
    if (!hk_equal(sum, code + size, CHECK_BYTES)) {
        return HK_BAD_ENCODING;
    }
    *reason = "the code is of another version of halfkey";
    struct hk_address address;
    if (size > sizeof(found.secret)) {
        HK_PUBLIC_BYTES(code, size - sizeof(found.secret)); /* all but k, which is last */
    }
    if (decode(&found, code, size) != HK_OK || hk_address_parse(&address, found.address, NULL) != HK_OK) {
        return HK_BAD_ENCODING;
    }
    *out = found;
    return HK_OK;
}
