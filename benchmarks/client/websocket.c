#include "websocket.h"

#include <string.h>

int ws_parse(const char *buffer, size_t length, struct ws_frame *frame) {
    const uint8_t *bytes = (const uint8_t *)buffer;
    if (length < 2) return 0;
    /* Servers here neither fragment nor compress nor mask. */
    if ((bytes[0] & 0xf0) != 0x80 || bytes[1] & 0x80) return -1;
    size_t size = bytes[1], header = 2;
    if (size >= 126) {
        header = size == 126 ? 4 : 10;
        if (length < header) return 0;
        size = 0;
        for (size_t i = 2; i < header; i++) size = size << 8 | bytes[i];
    }
    if (length < header + size) return 0;
    frame->opcode = bytes[0] & 0x0f;
    frame->payload = buffer + header;
    frame->length = size;
    frame->consumed = header + size;
    return 1;
}

size_t ws_build(char *out, int opcode, const char *payload, size_t length) {
    /* xorshift: a mask that is never zero, so that servers do the work of unmasking. */
    static uint32_t mask = 2463534242u;
    mask ^= mask << 13;
    mask ^= mask >> 17;
    mask ^= mask << 5;
    size_t header = 2;
    out[0] = (char)(0x80 | opcode);
    if (length < 126) {
        out[1] = (char)(0x80 | length);
    } else if (length < 65536) {
        out[1] = (char)(0x80 | 126);
        out[2] = (char)(length >> 8);
        out[3] = (char)length;
        header = 4;
    } else {
        out[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++) out[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
        header = 10;
    }
    uint8_t key[4];
    memcpy(key, &mask, 4);
    memcpy(out + header, key, 4);
    header += 4;
    for (size_t i = 0; i < length; i++) out[header + i] = (char)(payload[i] ^ key[i & 3]);
    return header + length;
}
