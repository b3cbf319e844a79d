/* The client's half of RFC 6455, as far as a load generator needs it. */
#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

enum { WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* Longest header of a masked frame: 2 + 8 bytes of length + 4 of mask. */
#define WS_HEADER_BYTES 14

struct ws_frame {
    int opcode;
    const char *payload; /* points into the buffer that was parsed */
    size_t length;
    size_t consumed; /* header included */
};

/* 1: a whole frame was found; 0: more bytes are needed; -1: not a server's frame. */
int ws_parse(const char *buffer, size_t length, struct ws_frame *frame);

/* Writes a masked frame to `out` (length + WS_HEADER_BYTES must fit); its size. */
size_t ws_build(char *out, int opcode, const char *payload, size_t length);

#endif
