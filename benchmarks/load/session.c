#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "websocket.h"

/* Sessions from one source address: below the 28,000 ephemeral ports of Linux. */
#define SESSIONS_A_SOURCE 20000
#define FIRST_SOURCE 0x7f000002u
#define NAMESPACE "/chat,"

static void fail(struct load *load, uint32_t index, const char *what, const char *detail) {
    keep_complaint(load->last_error, what, detail);
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
    connection_close(&session->connection);
    session->state = UNUSED;
}

int session_write(struct load *load, uint32_t index, const char *text, size_t length) {
    struct session *session = &load->sessions[index];
    if (length > PACKET_BYTES || session->connection.fd < 0) return -1;
    if (!connection_write(&session->connection, text, length)) return 0;
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
    uint32_t from = FIRST_SOURCE + index / SESSIONS_A_SOURCE;
    const char *failed =
        connection_open(&session->connection, load->epoll, index, from, load->port);
    if (failed) fail(load, index, failed, strerror(errno));
}

static void ask_upgrade(struct load *load, uint32_t index) {
    struct session *session = &load->sessions[index];
    session->state = UPGRADING;
    const char *failed = connection_upgrade(&session->connection, load->epoll, index, load->port);
    if (failed) fail(load, index, failed, strerror(errno));
}

static void say_who(struct load *load, uint32_t index) {
    char packet[PACKET_BYTES];
    const char *auth = load->auths[index % load->auth_count];
    int length = snprintf(packet, sizeof packet, "40" NAMESPACE "%s", auth);
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

static void first_lines(struct load *load, uint32_t index, const char *text, size_t length) {
    struct session *session = &load->sessions[index];
    char seen[120];
    snprintf(seen, sizeof seen, "%.*s", (int)(length < 100 ? length : 100), text);
    if (session->state == OPENING && starts(text, length, "0{")) {
        say_who(load, index);
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
        load->on_message(load, index, text, length);
    } else if (starts(text, length, "43" NAMESPACE)) {
        size_t prefix = sizeof "43" NAMESPACE - 1;
        load->on_ack(load, index, text + prefix, length - prefix);
    }
}

/* Takes what is complete; returns the number of bytes used up. */
static size_t take(struct load *load, uint32_t index, const char *bytes, size_t length) {
    struct session *session = &load->sessions[index];
    size_t used = 0;
    if (session->state == UPGRADING) {
        ssize_t end = connection_upgraded(bytes, length);
        if (!end) return 0;
        if (end < 0) {
            char seen[80];
            snprintf(seen, sizeof seen, "%.*s", (int)(length < 60 ? length : 60), bytes);
            fail(load, index, "upgrade refused", seen);
            return length;
        }
        session->state = OPENING;
        used = (size_t)end;
    }
    struct ws_frame frame;
    int found = 0;
    while (session->connection.fd >= 0 &&
           (found = ws_parse(bytes + used, length - used, &frame)) == 1) {
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

void session_event(struct load *load, uint32_t index) {
    struct session *session = &load->sessions[index];
    struct connection *connection = &session->connection;
    if (connection->fd < 0) return;
    if (session->state == CONNECTING) {
        ask_upgrade(load, index);
        return;
    }
    const char *bytes;
    uint32_t before = connection->left_length;
    ssize_t length = connection_read(connection, &bytes);
    if (length < 0) fail(load, index, "lost", errno ? strerror(errno) : "end of stream");
    if (length <= 0) return;
    load->bytes_in += (uint64_t)length - before;
    size_t used = take(load, index, bytes, (size_t)length);
    if (connection->fd >= 0) connection_keep(connection, bytes + used, (size_t)length - used);
}
