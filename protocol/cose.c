#include "protocol/cose.h"

#include <sodium.h>
#include <string.h>

#include "protocol/cbor.h"

#define TAG_SIGN1 18
#define HEADER_ALGORITHM 1
#define HEADER_KID 4
#define HEADER_TYPE 16
#define ALGORITHM_ED25519 (-19)
#define CONTEXT "Signature1"
#define AAD_PREFIX "halfkey/v1/"
#define AAD_PREFIX_BYTES (sizeof(AAD_PREFIX) - 1)
#define PROTECTED_MAX 160

/* ---- writing ---- */

/* The protected header as the byte string that both structures hold. */
static void put_protected(struct hk_cbor_writer *writer, const char *type, const uint8_t *account)
{
    uint8_t header[PROTECTED_MAX];
    struct hk_cbor_writer inner;
    size_t size;
    hk_cbor_writer_init(&inner, header, sizeof(header));
    hk_cbor_put_map(&inner, 3);
    hk_cbor_put_uint(&inner, HEADER_ALGORITHM);
    hk_cbor_put_int(&inner, ALGORITHM_ED25519);
    hk_cbor_put_uint(&inner, HEADER_KID);
    hk_cbor_put_bytes(&inner, account, HK_ACCOUNT_BYTES);
    hk_cbor_put_uint(&inner, HEADER_TYPE);
    hk_cbor_put_text(&inner, type, strlen(type));
    if (strlen(type) > HK_COSE_TYPE_MAX || hk_cbor_writer_finish(&inner, &size) != HK_OK) {
        writer->error = HK_TOO_LARGE;
        return;
    }
    hk_cbor_put_bytes(writer, header, size);
}

enum hk_error hk_cose_to_be_signed(uint8_t *out, size_t max, size_t *size, const char *type,
                                   const uint8_t *account, struct hk_bytes payload)
{
    struct hk_cbor_writer writer;
    uint8_t aad[AAD_PREFIX_BYTES + HK_COSE_TYPE_MAX];
    size_t type_size = strlen(type);
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_array(&writer, 4);
    hk_cbor_put_text(&writer, CONTEXT, sizeof(CONTEXT) - 1);
    put_protected(&writer, type, account);
    if (type_size <= HK_COSE_TYPE_MAX) {
        memcpy(aad, AAD_PREFIX, AAD_PREFIX_BYTES);
        memcpy(aad + AAD_PREFIX_BYTES, type, type_size); /* NOLINT(bugprone-not-null-terminated-result) */
        hk_cbor_put_bytes(&writer, aad, AAD_PREFIX_BYTES + type_size);
    }
    hk_cbor_put_bytes(&writer, payload.data, payload.size);
    return hk_cbor_writer_finish(&writer, size);
}

enum hk_error hk_cose_assemble(uint8_t *out, size_t max, size_t *size, const char *type,
                               const uint8_t *account, struct hk_bytes payload, const uint8_t signature[64])
{
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, out, max);
    hk_cbor_put_tag(&writer, TAG_SIGN1);
    hk_cbor_put_array(&writer, 4);
    put_protected(&writer, type, account);
    hk_cbor_put_map(&writer, 0);
    hk_cbor_put_bytes(&writer, payload.data, payload.size);
    hk_cbor_put_bytes(&writer, signature, 64);
    return hk_cbor_writer_finish(&writer, size);
}

/* ---- reading ---- */

/* The algorithm comes first in the map, so it is judged before anything else. */
static enum hk_error parse_protected(struct hk_cose *out, struct hk_bytes header)
{
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    uint64_t key = 0;
    hk_cbor_reader_init(&reader, header.data, header.size);
    hk_cbor_get_map(&reader, &map, 3);
    if (map.left != 3 || !hk_cbor_map_next_uint(&reader, &map, &key) || key != HEADER_ALGORITHM) {
        return HK_BAD_ENCODING;
    }
    int64_t algorithm = hk_cbor_get_int(&reader);
    if (reader.error == HK_OK && algorithm != ALGORITHM_ED25519) {
        return HK_UNSUPPORTED;
    }
    if (!hk_cbor_map_next_uint(&reader, &map, &key) || key != HEADER_KID) {
        return HK_BAD_ENCODING;
    }
    out->account = hk_cbor_get_bytes(&reader, HK_ACCOUNT_BYTES, HK_ACCOUNT_BYTES).data;
    if (!hk_cbor_map_next_uint(&reader, &map, &key) || key != HEADER_TYPE) {
        return HK_BAD_ENCODING;
    }
    out->type = hk_cbor_get_text(&reader, 1, HK_COSE_TYPE_MAX);
    return hk_cbor_reader_finish(&reader);
}

/* Tells another algorithm from nonsense also where the header has other members than ours. */
static enum hk_error parse_header(struct hk_cose *out, struct hk_bytes header)
{
    enum hk_error error = parse_protected(out, header);
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    uint64_t key;
    if (error != HK_BAD_ENCODING) {
        return error;
    }
    hk_cbor_reader_init(&reader, header.data, header.size);
    hk_cbor_get_map(&reader, &map, 16);
    if (hk_cbor_map_next_uint(&reader, &map, &key) && key == HEADER_ALGORITHM) {
        int64_t algorithm = hk_cbor_get_int(&reader);
        if (reader.error == HK_OK && algorithm != ALGORITHM_ED25519) {
            return HK_UNSUPPORTED;
        }
    }
    return HK_BAD_ENCODING;
}

enum hk_error hk_cose_parse(struct hk_cose *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    struct hk_cose parsed = {.signature = NULL};
    hk_cbor_reader_init(&reader, data, size);
    hk_cbor_get_tag(&reader, TAG_SIGN1);
    uint64_t elements = hk_cbor_get_array(&reader, 4);
    struct hk_bytes header = hk_cbor_get_bytes(&reader, 1, PROTECTED_MAX);
    if (reader.error != HK_OK || elements != 4) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error = parse_header(&parsed, header);
    if (error != HK_OK) {
        return error;
    }
    hk_cbor_get_map(&reader, &map, 0);
    parsed.payload = hk_cbor_get_bytes(&reader, 0, size);
    parsed.signature = hk_cbor_get_bytes(&reader, 64, 64).data;
    error = hk_cbor_reader_finish(&reader);
    if (error == HK_OK) {
        *out = parsed;
    }
    return error;
}

/* The parts are in their one encoding, so what is written again from them are the received bytes. */
static bool signature_holds(const struct hk_cose *cose, const char *type, const uint8_t public_key[32])
{
    uint8_t to_be_signed[HK_PLAINTEXT_MAX + HK_COSE_OVERHEAD_MAX];
    size_t length;
    return hk_cose_to_be_signed(to_be_signed, sizeof(to_be_signed), &length, type, cose->account,
                                cose->payload) == HK_OK &&
           crypto_sign_verify_detached(cose->signature, to_be_signed, length, public_key) == 0;
}

enum hk_error hk_cose_verify(struct hk_cose *out, const void *data, size_t size, const char *type,
                             const uint8_t public_key[32])
{
    struct hk_cose parsed;
    enum hk_error error = hk_cose_parse(&parsed, data, size);
    if (error != HK_OK) {
        return error;
    }
    if (parsed.type.size != strlen(type) || memcmp(parsed.type.data, type, parsed.type.size) != 0 ||
        !signature_holds(&parsed, type, public_key)) {
        return HK_BAD_SIGNATURE;
    }
    *out = parsed;
    return HK_OK;
}

enum hk_error hk_cose_parse_to_be_signed(struct hk_cose *out, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    struct hk_cose parsed = {.signature = NULL};
    hk_cbor_reader_init(&reader, data, size);
    uint64_t elements = hk_cbor_get_array(&reader, 4);
    struct hk_bytes context = hk_cbor_get_text(&reader, sizeof(CONTEXT) - 1, sizeof(CONTEXT) - 1);
    struct hk_bytes header = hk_cbor_get_bytes(&reader, 1, PROTECTED_MAX);
    if (reader.error != HK_OK || elements != 4 || memcmp(context.data, CONTEXT, context.size) != 0) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error = parse_header(&parsed, header);
    if (error != HK_OK) {
        return error;
    }
    struct hk_bytes aad = hk_cbor_get_bytes(&reader, AAD_PREFIX_BYTES, AAD_PREFIX_BYTES + HK_COSE_TYPE_MAX);
    parsed.payload = hk_cbor_get_bytes(&reader, 0, size);
    error = hk_cbor_reader_finish(&reader);
    if (error != HK_OK) {
        return error;
    }
    if (aad.size != AAD_PREFIX_BYTES + parsed.type.size ||
        memcmp(aad.data, AAD_PREFIX, AAD_PREFIX_BYTES) != 0 ||
        memcmp((const uint8_t *)aad.data + AAD_PREFIX_BYTES, parsed.type.data, parsed.type.size) != 0) {
        return HK_BAD_ENCODING;
    }
    *out = parsed;
    return HK_OK;
}
