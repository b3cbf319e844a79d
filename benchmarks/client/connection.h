/* One WebSocket connection over loopback: from connect to the frames that come. */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Longest packet that is written. */
#define PACKET_BYTES 8192

struct connection {
    int fd;     /* -1: there is none */
    char *left; /* bytes of a frame that is not complete yet */
    uint32_t left_length, left_room;
};

/* Begins to connect; epoll tells `index` when it is done. NULL, or what failed (errno). */
const char *connection_open(struct connection *at, int epoll, uint32_t index, uint32_t from,
                            int port);
/* It is done: asks for a WebSocket; epoll tells what comes. NULL, or what failed (errno). */
const char *connection_upgrade(struct connection *at, int epoll, uint32_t index, int port);
/* Where the answer to that ends; 0: more bytes are needed; -1: it is a refusal. */
ssize_t connection_upgraded(const char *bytes, size_t length);
/* Writes a text frame whole. -1: it did not fit into the socket, which is a bad sign. */
int connection_write(struct connection *at, const char *text, size_t length);
/* Points at what was left and what came, in a buffer of all connections, ended by 0; its
 * length. 0: nothing came; -1: the connection is lost (errno; 0 for its end). */
ssize_t connection_read(struct connection *at, const char **bytes);
/* Keeps the beginning of a frame for the next read. */
void connection_keep(struct connection *at, const char *bytes, size_t length);
void connection_close(struct connection *at);

static inline int starts(const char *text, size_t length, const char *with) {
    size_t size = strlen(with);
    return length >= size && memcmp(text, with, size) == 0;
}

#endif
