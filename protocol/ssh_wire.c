#include "protocol/ssh_wire.h"

#include <sodium.h>
#include <string.h>

#include "protocol/encoding.h"

bool hk_ssh_take_bytes(struct hk_bytes *rest, struct hk_bytes *out, size_t size)
{
    const uint8_t *data = rest->data;
    if (size > rest->size) {
        return false;
    }
    *out = HK_BYTES(data, size);
    *rest = HK_BYTES(size != 0 ? data + size : data, rest->size - size);
    return true;
}

bool hk_ssh_take_byte(struct hk_bytes *rest, uint8_t *byte)
{
    struct hk_bytes one;
    if (!hk_ssh_take_bytes(rest, &one, 1)) {
        return false;
    }
    memcpy(byte, one.data, 1);
    return true;
}

bool hk_ssh_take_u32(struct hk_bytes *rest, uint32_t *number)
{
    struct hk_bytes four;
    if (!hk_ssh_take_bytes(rest, &four, 4)) {
        return false;
    }
    const uint8_t *data = four.data;
    *number = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    return true;
}

bool hk_ssh_take_string(struct hk_bytes *rest, struct hk_bytes *string)
{
    struct hk_bytes after = *rest;
    uint32_t size;
    if (!hk_ssh_take_u32(&after, &size) || !hk_ssh_take_bytes(&after, string, size)) {
        return false;
    }
    *rest = after;
    return true;
}

bool hk_ssh_same(struct hk_bytes a, struct hk_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool hk_ssh_is(struct hk_bytes string, const char *text)
{
    return hk_ssh_same(string, HK_BYTES(text, strlen(text)));
}

void hk_ssh_put(struct hk_ssh_writer *writer, const void *data, size_t size)
{
    if (writer->full || size > writer->max - writer->size) {
        writer->full = true;
        return;
    }
    if (size != 0) {
        memcpy(writer->data + writer->size, data, size);
    }
    writer->size += size;
}

void hk_ssh_put_byte(struct hk_ssh_writer *writer, uint8_t byte)
{
    hk_ssh_put(writer, &byte, 1);
}

void hk_ssh_put_u32(struct hk_ssh_writer *writer, uint32_t number)
{
    hk_ssh_put(writer,
               (const uint8_t[]){(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                                 (uint8_t)number},
               4);
}

void hk_ssh_put_string(struct hk_ssh_writer *writer, const void *data, size_t size)
{
    hk_ssh_put_u32(writer, (uint32_t)size);
    hk_ssh_put(writer, data, size);
}

void hk_ssh_fingerprint(char out[HK_SSH_FINGERPRINT_MAX], struct hk_bytes key)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, key.data, key.size);
    memcpy(out, "SHA256:", 7);
    hk_base64_encode(out + 7, hash, sizeof(hash), HK_BASE64_RAW);
}
