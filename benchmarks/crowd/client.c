#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "websocket.h"

#define EVENT "[\"message\",{\"offset\":"
/* The defaults of socket.io-client: reconnectionDelay, its maximum, its
 * randomizationFactor, and timeout. */
#define DELAY_NS 1000000000LL
#define LONGEST_DELAY_NS 5000000000LL
#define JITTER 0.5
#define TIMEOUT_NS 20000000000LL

/* Each client has an address of its own, as on the Internet. */
#define FIRST_SOURCE 0x7f010000u

struct crowd crowd;

static int64_t delay_ns(uint32_t failed) {
    double delay = (double)DELAY_NS * (double)(1u << (failed < 8 ? failed : 8));
    delay *= 1 + JITTER * (2 * drand48() - 1);
    return delay < (double)LONGEST_DELAY_NS ? (int64_t)delay : LONGEST_DELAY_NS;
}

/* Lets go of the connection; the client comes again after a while. */
void client_fail(uint32_t index, const char *what, const char *detail, int64_t wait_ns) {
    struct client *client = &crowd.clients[index];
    connection_close(&client->connection);
    if (client->state == JOINED) {
        crowd.joined--;
        if (!is_victim(index) || !crowd.dead) {
            crowd.lost++;
            keep_complaint(crowd.last_error, what, detail);
        }
    } else if (client->state != AWAY) {
        crowd.failed_attempts++;
        client->attempts++;
        keep_complaint(crowd.last_error, what, detail);
    }
    client->state = AWAY;
    for (int i = 0; i < client->place_count; i++) client->places[i].joined = 0;
    if (is_victim(index) && crowd.dead)
        client->node = (uint8_t)(crowd.dead + (uint32_t)lrand48() % (crowd.nodes - crowd.dead));
    client->due_ns = now_ns() + (wait_ns ? wait_ns : delay_ns(client->attempts));
}

int client_write(uint32_t index, const char *text, size_t length) {
    struct client *client = &crowd.clients[index];
    if (length > PACKET_BYTES || client->connection.fd < 0) return -1;
    if (!connection_write(&client->connection, text, length)) return 0;
    client_fail(index, "short write", strerror(errno), 0);
    return -1;
}

void client_start(uint32_t index) {
    struct client *client = &crowd.clients[index];
    crowd.attempts++;
    client->state = CONNECTING;
    client->due_ns = now_ns() + TIMEOUT_NS;
    const char *failed = connection_open(&client->connection, crowd.epoll, index,
                                         FIRST_SOURCE + index, crowd.ports[client->node]);
    if (failed) client_fail(index, failed, strerror(errno), 0);
}

static void ask_upgrade(uint32_t index) {
    struct client *client = &crowd.clients[index];
    client->state = UPGRADING;
    const char *failed = connection_upgrade(&client->connection, crowd.epoll, index,
                                            crowd.ports[client->node]);
    if (failed) client_fail(index, failed, strerror(errno), 0);
}

static void ask_joins(uint32_t index) {
    struct client *client = &crowd.clients[index];
    client->state = JOINING;
    for (int i = 0; i < client->place_count && client->state == JOINING; i++) {
        const struct place *at = &client->places[i];
        char packet[256], cursor[64] = "";
        if (at->known) snprintf(cursor, sizeof cursor, ",\"cursor\":\"%u:%s\"", at->offset, at->uid);
        int length = snprintf(packet, sizeof packet, "42/chat,%d[\"join\",{\"room\":\"r%u\"%s}]",
                              i + 1, at->room, cursor);
        client_write(index, packet, (size_t)length);
    }
}

static void copy_uid(struct place *at, const char *from, const char *end) {
    size_t length = 0;
    while (from + length < end && from[length] != '"' && length < UID_BYTES - 1) length++;
    memcpy(at->uid, from, length);
    at->uid[length] = 0;
}

/* Takes one event of a room's log: the next offset, or something went wrong. */
static void follow(struct place *at, const char *event, const char *end) {
    char *next;
    uint32_t offset = (uint32_t)strtoul(event + sizeof EVENT - 1, &next, 10);
    if (offset <= at->offset) {
        crowd.doubled++;
        return;
    }
    if (offset > at->offset + 1) crowd.skipped++;
    at->offset = offset;
    const char *uid = next + sizeof ",\"uid\":\"" - 1;
    if (uid < end) copy_uid(at, uid, end);
}

/* `wait` in the answer, in ns; 0 if there is none. */
static int64_t retry_after(const char *text, size_t length) {
    static const char name[] = "\"retryAfter\":";
    const char *found = memmem(text, length, name, sizeof name - 1);
    return found ? strtoll(found + sizeof name - 1, NULL, 10) * 1000000 : 0;
}

static void take_join(uint32_t index, struct place *at, const char *text, size_t length) {
    struct client *client = &crowd.clients[index];
    const char *end = text + length;
    const char *cursor = memmem(text, length, "\"cursor\":\"", 10);
    if (!memmem(text, length < 60 ? length : 60, "\"ok\":true", 9) || !cursor) {
        crowd.refused_joins++;
        client_fail(index, "join refused", text, retry_after(text, length));
        return;
    }
    char *colon;
    uint32_t top = (uint32_t)strtoul(cursor + 10, &colon, 10);
    if (at->known && memmem(text, length, "\"recovered\":true", 16)) {
        const char *event = text;
        while ((event = memmem(event, (size_t)(end - event), EVENT, sizeof EVENT - 1))) {
            follow(at, event, end);
            crowd.recovered_events++;
            event += sizeof EVENT - 1;
        }
        if (at->offset != top) crowd.wrong_cursor++;
    } else if (at->known) {
        crowd.unrecovered++;
        keep_complaint(crowd.last_error, "not recovered", text);
    }
    at->offset = top;
    copy_uid(at, colon + 1, end);
    at->joined = at->known = 1;
    for (int i = 0; i < client->place_count; i++)
        if (!client->places[i].joined) return;
    client->state = JOINED;
    client->attempts = 0;
    crowd.joined++;
    if (crowd.dead && is_victim(index) && !client->back_ns) client->back_ns = now_ns();
}

static void take_message(uint32_t index, const char *event, size_t length) {
    struct client *client = &crowd.clients[index];
    const char *room = memmem(event, length, "\"room\":\"r", 9);
    uint32_t number = room ? (uint32_t)strtoul(room + 9, NULL, 10) : UINT32_MAX;
    for (int i = 0; i < client->place_count; i++)
        if (client->places[i].room == number) follow(&client->places[i], event, event + length);
    crowd.messages++;
    const char *stamp = memchr(event, '~', length);
    if (stamp && !is_victim(index)) {
        int64_t sent = (int64_t)strtoull(stamp + 1, NULL, 16);
        histogram_add(&crowd.delivery, (now_ns() - sent) / 1000);
    }
}

static void take_ack(uint32_t index, const char *text, size_t length) {
    struct client *client = &crowd.clients[index];
    char *rest;
    uint32_t id = (uint32_t)strtoul(text, &rest, 10);
    if (id >= FIRST_SEND_ID) {
        crowd.on_send_ack(index, id, !!memmem(text, length, "\"ok\":true", 9), text, length);
    } else if (client->state == JOINING && id >= 1 && id <= client->place_count) {
        take_join(index, &client->places[id - 1], rest, length - (size_t)(rest - text));
    }
}

static void take_packet(uint32_t index, const char *text, size_t length) {
    struct client *client = &crowd.clients[index];
    if (length && text[0] == '2') {
        client_write(index, "3", 1);
    } else if (starts(text, length, "42/chat," EVENT)) {
        take_message(index, text + 8, length - 8);
    } else if (starts(text, length, "43/chat,")) {
        take_ack(index, text + 8, length - 8);
    } else if (client->state == OPENING && starts(text, length, "0{")) {
        char packet[PACKET_BYTES];
        int size = snprintf(packet, sizeof packet, "40/chat,%s", crowd.auths[index]);
        client->state = AUTHENTICATING;
        client_write(index, packet, (size_t)size);
    } else if (client->state == AUTHENTICATING && starts(text, length, "40/chat,")) {
        ask_joins(index);
    } else if (starts(text, length, "44/chat,")) {
        crowd.refused_connects++;
        client_fail(index, "connect refused", text, retry_after(text, length));
    }
}

/* Takes what is complete; returns the number of bytes used up. */
static size_t take(uint32_t index, const char *bytes, size_t length) {
    struct client *client = &crowd.clients[index];
    size_t used = 0;
    if (client->state == UPGRADING) {
        ssize_t end = connection_upgraded(bytes, length);
        if (!end) return 0;
        if (end < 0) {
            crowd.refused_connects++;
            client_fail(index, "upgrade refused", bytes, 0);
            return length;
        }
        client->state = OPENING;
        used = (size_t)end;
    }
    struct ws_frame frame;
    int found = 0;
    while (client->connection.fd >= 0 &&
           (found = ws_parse(bytes + used, length - used, &frame)) == 1) {
        used += frame.consumed;
        if (frame.opcode == WS_TEXT) take_packet(index, frame.payload, frame.length);
        else if (frame.opcode == WS_CLOSE) client_fail(index, "closed by the server", "", 0);
    }
    if (found < 0) client_fail(index, "bad frame", "", 0);
    return used;
}

void client_event(uint32_t index) {
    struct client *client = &crowd.clients[index];
    struct connection *connection = &client->connection;
    if (connection->fd < 0) return;
    if (client->state == CONNECTING) {
        ask_upgrade(index);
        return;
    }
    const char *bytes;
    ssize_t length = connection_read(connection, &bytes);
    if (length < 0) client_fail(index, "lost", errno ? strerror(errno) : "end of stream", 0);
    if (length <= 0) return;
    size_t used = take(index, bytes, (size_t)length);
    if (connection->fd >= 0) connection_keep(connection, bytes + used, (size_t)length - used);
}
