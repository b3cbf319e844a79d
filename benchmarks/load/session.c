#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "websocket.h"

/* Sessions from one source address: below the 28,000 ephemeral ports of Linux. */
#define SESSIONS_A_SOURCE 20000
/* One read takes a whole burst: many coalesced messages, or a large join ack. */
#define READ_BYTES (1 << 20)
#define PACKET_BYTES 8192
#define NAMESPACE "/chat,"

static char scratch[READ_BYTES];

static void fail(struct load *load, uint32_t index, const char *what, const char *detail) {
    complain(load, what, detail);
    struct session *session = &load->sessions[index];
    if (session->state == LOST || session->state == UNUSED) return;
    struct group *group = &load->groups[session->group];
    if (session->state < JOINED) group->starting--;
    session_close(load, index);
    session->state = LOST;
    load->lost++;
}

void session_close(struct load *load, uint32_t index) {
    struct session *session = &load->sessions[index];
    (void)load;
    if (session->fd >= 0) close(session->fd);
    session->fd = -1;
    free(session->left);
    session->left = NULL;
    session->left_length = session->left_room = 0;
    session->state = UNUSED;
}

int session_write(struct load *load, uint32_t index, const char *text, size_t length) {
    char frame[PACKET_BYTES + WS_HEADER_BYTES];
    struct session *session = &load->sessions[index];
    if (length > PACKET_BYTES || session->fd < 0) return -1;
    size_t size = ws_build(frame, WS_TEXT, text, length);
    ssize_t written = send(session->fd, frame, size, MSG_NOSIGNAL);
    if (written == (ssize_t)size) return 0;
    load->full_sockets++;
    fail(load, index, "short write", strerror(errno));
    return -1;
}

void session_start(struct load *load, uint32_t index, uint32_t group, uint32_t room) {
    struct session *session = &load->sessions[index];
    memset(session, 0, sizeof *session);
    session->group = (uint8_t)group;
    session->room = room;
    session->state = CONNECTING;
    load->groups[group].starting++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0) {
        fail(load, index, "socket", strerror(errno));
        return;
    }
    int on = 1;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(session->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000002u + index / SESSIONS_A_SOURCE);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)load->port);
    if (bind(session->fd, (struct sockaddr *)&from, sizeof from) < 0) {
        fail(load, index, "bind", strerror(errno));
        return;
    }
    if (connect(session->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        fail(load, index, "connect", strerror(errno));
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, session->fd, &event);
}

static void ask_upgrade(struct load *load, uint32_t index) {
    struct session *session = &load->sessions[index];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        fail(load, index, "connect", strerror(error));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(load->epoll, EPOLL_CTL_MOD, session->fd, &event);
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          load->port);
    session->state = UPGRADING;
    if (send(session->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        fail(load, index, "upgrade", strerror(errno));
}

static void say_token(struct load *load, uint32_t index) {
    char packet[PACKET_BYTES];
    const char *token = load->tokens[index % load->token_count];
    int length = snprintf(packet, sizeof packet, "40" NAMESPACE "{\"token\":\"%s\"}", token);
    load->sessions[index].state = AUTHENTICATING;
    session_write(load, index, packet, (size_t)length);
}

static void ask_join(struct load *load, uint32_t index) {
    char packet[256];
    struct session *session = &load->sessions[index];
    int length = snprintf(packet, sizeof packet, "42" NAMESPACE "0[\"join\",{\"room\":\"%s%u\"}]",
                          load->groups[session->group].prefix, session->room);
    session->state = JOINING;
    session_write(load, index, packet, (size_t)length);
}

static int starts(const char *text, size_t length, const char *with) {
    size_t size = strlen(with);
    return length >= size && memcmp(text, with, size) == 0;
}

static void first_lines(struct load *load, uint32_t index, const char *text, size_t length) {
    struct session *session = &load->sessions[index];
    char seen[120];
    snprintf(seen, sizeof seen, "%.*s", (int)(length < 100 ? length : 100), text);
    if (session->state == OPENING && starts(text, length, "0{")) {
        say_token(load, index);
    } else if (session->state == AUTHENTICATING && starts(text, length, "40" NAMESPACE)) {
        ask_join(load, index);
    } else if (session->state == JOINING && starts(text, length, "43" NAMESPACE "0[")) {
        if (!memmem(text, length, "\"ok\":true", 9)) {
            fail(load, index, "join refused", seen);
            return;
        }
        session->state = JOINED;
        load->groups[session->group].joined++;
        load->groups[session->group].starting--;
    } else if (!starts(text, length, "42")) {
        fail(load, index, "unexpected packet", seen);
    }
}

static void take_packet(struct load *load, uint32_t index, const char *text, size_t length) {
    struct session *session = &load->sessions[index];
    if (length && text[0] == '2') {
        load->pings++;
        session_write(load, index, "3", 1);
    } else if (session->state < JOINED) {
        first_lines(load, index, text, length);
    } else if (starts(text, length, "42" NAMESPACE)) {
        traffic_message(load, index, text, length);
    } else if (starts(text, length, "43" NAMESPACE)) {
        size_t prefix = sizeof "43" NAMESPACE - 1;
        traffic_ack(load, index, text + prefix, length - prefix);
    }
}

/* Takes what is complete; returns the number of bytes used up. */
static size_t take(struct load *load, uint32_t index, const char *bytes, size_t length) {
    struct session *session = &load->sessions[index];
    size_t used = 0;
    if (session->state == UPGRADING) {
        const char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (!end) return 0;
        if (!starts(bytes, length, "HTTP/1.1 101")) {
            char seen[80];
            snprintf(seen, sizeof seen, "%.*s", (int)(length < 60 ? length : 60), bytes);
            fail(load, index, "upgrade refused", seen);
            return length;
        }
        session->state = OPENING;
        used = (size_t)(end - bytes) + 4;
    }
    struct ws_frame frame;
    int found = 0;
    while (session->fd >= 0 && (found = ws_parse(bytes + used, length - used, &frame)) == 1) {
        used += frame.consumed;
        if (frame.opcode == WS_TEXT) {
            take_packet(load, index, frame.payload, frame.length);
        } else if (frame.opcode == WS_CLOSE) {
            fail(load, index, "closed by the server", "");
        }
    }
    if (found < 0) fail(load, index, "bad frame", "");
    return used;
}

static void keep(struct session *session, const char *bytes, size_t length) {
    if (length > session->left_room) {
        session->left_room = (uint32_t)(length < 4096 ? 4096 : length * 2);
        session->left = realloc(session->left, session->left_room);
        if (!session->left) abort();
    }
    memmove(session->left, bytes, length);
    session->left_length = (uint32_t)length;
    if (!length) {
        free(session->left);
        session->left = NULL;
        session->left_room = 0;
    }
}

void session_event(struct load *load, uint32_t index, uint32_t events) {
    struct session *session = &load->sessions[index];
    if (session->fd < 0) return;
    if (session->state == CONNECTING) {
        ask_upgrade(load, index);
        return;
    }
    (void)events;
    size_t before = session->left_length;
    if (before > READ_BYTES / 2) {
        fail(load, index, "frame too large", "");
        return;
    }
    if (before) memcpy(scratch, session->left, before);
    ssize_t got = recv(session->fd, scratch + before, READ_BYTES - before, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return;
        fail(load, index, "lost", got ? strerror(errno) : "end of stream");
        return;
    }
    load->bytes_in += (uint64_t)got;
    size_t length = before + (size_t)got;
    size_t used = take(load, index, scratch, length);
    if (session->fd >= 0) keep(session, scratch + used, length - used);
}
