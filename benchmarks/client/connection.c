#define _GNU_SOURCE
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "websocket.h"

/* One read takes a whole burst: many coalesced messages, or a large join ack. */
#define READ_BYTES (1 << 20)

static char scratch[READ_BYTES + 1];

const char *connection_open(struct connection *at, int epoll, uint32_t index, uint32_t from,
                            int port) {
    at->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (at->fd < 0) return "socket";
    int on = 1;
    setsockopt(at->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(at->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
    here.sin_addr.s_addr = htonl(from);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons((uint16_t)port);
    if (bind(at->fd, (struct sockaddr *)&here, sizeof here) < 0) return "bind";
    if (connect(at->fd, (struct sockaddr *)&there, sizeof there) < 0 && errno != EINPROGRESS)
        return "connect";
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, at->fd, &event) < 0 ? "epoll" : NULL;
}

const char *connection_upgrade(struct connection *at, int epoll, uint32_t index, int port) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(at->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    if (error) return "connect";
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(epoll, EPOLL_CTL_MOD, at->fd, &event);
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          port);
    return send(at->fd, request, (size_t)length, MSG_NOSIGNAL) == length ? NULL : "upgrade";
}

ssize_t connection_upgraded(const char *bytes, size_t length) {
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    return starts(bytes, length, "HTTP/1.1 101") ? end - bytes + 4 : -1;
}

int connection_write(struct connection *at, const char *text, size_t length) {
    char frame[PACKET_BYTES + WS_HEADER_BYTES];
    size_t size = ws_build(frame, WS_TEXT, text, length);
    return send(at->fd, frame, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

ssize_t connection_read(struct connection *at, const char **bytes) {
    size_t before = at->left_length;
    errno = EMSGSIZE;
    if (before > READ_BYTES / 2) return -1;
    if (before) memcpy(scratch, at->left, before);
    ssize_t got = recv(at->fd, scratch + before, READ_BYTES - before, 0);
    if (got < 0) return errno == EAGAIN ? 0 : -1;
    errno = 0;
    if (!got) return -1;
    scratch[before + (size_t)got] = 0;
    *bytes = scratch;
    return (ssize_t)before + got;
}

void connection_keep(struct connection *at, const char *bytes, size_t length) {
    if (!length) {
        free(at->left);
        at->left = NULL;
        at->left_room = 0;
    } else if (length > at->left_room) {
        at->left_room = (uint32_t)(length < 4096 ? 4096 : length * 2);
        at->left = realloc(at->left, at->left_room);
        if (!at->left) abort();
    }
    if (length) memmove(at->left, bytes, length);
    at->left_length = (uint32_t)length;
}

void connection_close(struct connection *at) {
    if (at->fd >= 0) close(at->fd);
    at->fd = -1;
    connection_keep(at, NULL, 0);
}
