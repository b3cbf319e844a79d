/* The floor: rooms over WebSocket with one send() a delivery and nothing else.
 *
 *   raw PORT
 *
 * No Redis, no authentication, no heartbeats, no JSON parser: it looks for the fields
 * where the load generator puts them. It answers connect, join and send as the chat
 * server does, so that the same load runs against it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSIONS 65536 /* by descriptor */
#define ROOMS 65536    /* slots of the table; a power of two, never near full */
#define INPUT_BYTES 16384
#define EVENTS 1024

struct session {
    char *left;
    size_t left_length;
    uint8_t upgraded;
};

struct room {
    char name[64];
    int *members;
    uint32_t count, capacity;
};

static struct session sessions[SESSIONS];
static struct room *rooms;
static char input[INPUT_BYTES * 2];

static struct room *room_of(const char *name, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    struct room *room = &rooms[hash % ROOMS];
    while (room->name[0] && (strncmp(room->name, name, length) || room->name[length]))
        room = room + 1 < rooms + ROOMS ? room + 1 : rooms;
    if (!room->name[0]) memcpy(room->name, name, length);
    return room;
}

static void enter(struct room *room, int fd) {
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 16;
        room->members = realloc(room->members, room->capacity * sizeof *room->members);
        if (!room->members) abort();
    }
    room->members[room->count++] = fd;
}

static size_t build(char *frame, const char *text, size_t length) {
    frame[0] = (char)0x81;
    size_t header = length < 126 ? 2 : 4;
    frame[1] = (char)(length < 126 ? length : 126);
    if (header == 4) {
        frame[2] = (char)(length >> 8);
        frame[3] = (char)length;
    }
    memcpy(frame + header, text, length);
    return header + length;
}

static void say(int fd, const char *text, size_t length) {
    char frame[8192];
    size_t size = build(frame, text, length);
    if (send(fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
        fprintf(stderr, "raw: a session does not keep up\n");
}

static void forget(int fd) {
    for (struct room *room = rooms; room < rooms + ROOMS; room++)
        for (uint32_t i = 0; i < room->count; i++)
            if (room->members[i] == fd) room->members[i] = room->members[--room->count];
    free(sessions[fd].left);
    memset(&sessions[fd], 0, sizeof sessions[fd]);
    close(fd);
}

/* The value of the first member of that name, up to its closing quote. */
static const char *value(const char *text, size_t length, const char *name, size_t *size) {
    const char *start = memmem(text, length, name, strlen(name));
    if (!start) return NULL;
    start += strlen(name);
    const char *end = memchr(start, '"', (size_t)(text + length - start));
    *size = end ? (size_t)(end - start) : 0;
    return end && *size < 4096 ? start : NULL;
}

static void take_event(int fd, const char *text, size_t length) {
    size_t name_size, text_size;
    unsigned id = (unsigned)strtoul(text + 8, NULL, 10);
    const char *name = value(text, length, "\"room\":\"", &name_size);
    if (!name || !name_size || name_size > 60) return;
    struct room *room = room_of(name, name_size);
    static unsigned number;
    char packet[8192];
    int size;
    if (memmem(text, length, "[\"join\"", 7)) {
        enter(room, fd);
    } else {
        const char *said = value(text, length, "\"text\":\"", &text_size);
        if (!said) return;
        size = snprintf(packet, sizeof packet,
                        "42/chat,[\"message\",{\"message\":%u,\"room\":\"%s\",\"user\":\"u%d\","
                        "\"type\":\"text\",\"text\":\"%.*s\"}]",
                        ++number, room->name, fd, (int)text_size, said);
        char frame[8192];
        size_t frame_size = build(frame, packet, (size_t)size);
        for (uint32_t i = 0; i < room->count; i++)
            if (send(room->members[i], frame, frame_size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                fprintf(stderr, "raw: a session does not keep up\n");
    }
    size = snprintf(packet, sizeof packet, "43/chat,%u[{\"ok\":true,\"message\":%u}]", id, number);
    say(fd, packet, (size_t)size);
}

static void take_packet(int fd, char *text, size_t length) {
    static const char accepted[] = "40/chat,{\"sid\":\"raw\"}";
    if (length > 7 && !memcmp(text, "40/chat", 7)) say(fd, accepted, sizeof accepted - 1);
    if (length > 8 && !memcmp(text, "42/chat,", 8)) take_event(fd, text, length);
}

static size_t take_frames(int fd, char *bytes, size_t length) {
    size_t used = 0;
    while (length - used >= 6) {
        uint8_t *frame = (uint8_t *)bytes + used;
        size_t size = frame[1] & 0x7f, header = 6;
        if (size == 126) {
            size = (size_t)frame[2] << 8 | frame[3];
            header = 8;
        }
        if (length - used < header + size) break;
        uint8_t *key = frame + header - 4, *text = frame + header;
        for (size_t i = 0; i < size; i++) text[i] ^= key[i & 3];
        used += header + size;
        if ((frame[0] & 0x0f) == 1) take_packet(fd, (char *)text, size);
    }
    return used;
}

static void read_session(int fd) {
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        /* The answer to the one key that the load generator sends. */
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char open[] = "0{\"sid\":\"raw\",\"upgrades\":[],\"pingInterval\":25000,"
                               "\"pingTimeout\":20000,\"maxPayload\":1000000}";
    struct session *session = &sessions[fd];
    memcpy(input, session->left, session->left_length);
    ssize_t got = recv(fd, input + session->left_length, INPUT_BYTES, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) forget(fd);
        return;
    }
    size_t length = session->left_length + (size_t)got, used = 0;
    if (!session->upgraded) {
        if (!memmem(input, length, "\r\n\r\n", 4)) return;
        session->upgraded = 1;
        used = length;
        send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        say(fd, open, sizeof open - 1);
    } else {
        used = take_frames(fd, input, length);
    }
    session->left_length = length - used;
    if (!session->left_length) return;
    session->left = realloc(session->left, INPUT_BYTES);
    if (!session->left || session->left_length > INPUT_BYTES) abort();
    memcpy(session->left, input + used, session->left_length);
}

static void accept_all(int listener, int epoll) {
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= SESSIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    rooms = calloc(ROOMS, sizeof *rooms);
    if (!rooms || bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("raw");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) accept_all(listener, epoll);
            else read_session(events[i].data.fd);
        }
    }
}
