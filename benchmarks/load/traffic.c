#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "traffic.h"

/* Sends whose ack is awaited; an older one is overwritten, at 65,536 under way. */
#define ACK_RING 65536
#define MARK '~'
/* ~ + 16 hexadecimal digits of time + 8 of the slot + 8 of the sequence + ~ */
#define STAMP_BYTES 34

static struct {
    int64_t sent_ns;
    uint32_t sequence, group, slot;
} awaited[ACK_RING];

static uint32_t sequence;
static uint32_t salt;
static uint64_t acks_awaited;

static uint32_t room_size(const struct group *group, uint32_t room) {
    return group->count / group->rooms + (room < group->count % group->rooms);
}

/* Session i of a group sits in room i % rooms: members are `rooms` apart. */
static uint32_t pick_sender(struct load *load, struct group *group, uint32_t room) {
    for (uint32_t tries = 0; tries < 100; tries++) {
        uint32_t member = group->next_sender[room]++ % room_size(group, room);
        uint32_t index = group->first + room + member * group->rooms;
        if (load->sessions[index].state == JOINED) return index;
    }
    return NO_SLOT;
}

static void send_one(struct load *load, uint32_t number, uint32_t slot, int64_t when) {
    struct group *group = &load->groups[number];
    /* With a slot or more for each room, each room keeps its own; else all take turns. */
    int own = slot != NO_SLOT && group->in_flight >= group->rooms;
    uint32_t room = (own ? slot : group->next_room++) % group->rooms;
    uint32_t sender = pick_sender(load, group, room);
    if (sender == NO_SLOT) return;
    if (!salt) salt = (uint32_t)now_ns() | 1;
    sequence++;
    char text[4096], packet[PACKET_BYTES];
    int stamp = snprintf(text, sizeof text, "%c%016llx%08x%08x%c", MARK,
                         (unsigned long long)when, slot, sequence, MARK);
    size_t pad = load->text_bytes > STAMP_BYTES ? load->text_bytes - STAMP_BYTES : 0;
    memset(text + stamp, 'x', pad);
    text[(size_t)stamp + pad] = 0;
    int length = snprintf(packet, sizeof packet,
                          "42/chat,%u[\"send\",{\"room\":\"%s%u\",\"clientId\":\"%08x-%08x\","
                          "\"type\":\"text\",\"text\":\"%s\"}]",
                          sequence, group->prefix, room, salt, sequence, text);
    uint32_t place = sequence % ACK_RING;
    awaited[place].sent_ns = when;
    awaited[place].sequence = sequence;
    awaited[place].group = number;
    awaited[place].slot = slot;
    if (slot != NO_SLOT) {
        group->slots[slot].active = 1;
        group->slots[slot].acked = 0;
        group->slots[slot].sequence = sequence;
        group->slots[slot].deliveries_left = room_size(group, room);
    }
    group->sent++;
    group->expected += room_size(group, room);
    acks_awaited++;
    session_write(load, sender, packet, (size_t)length);
}

void group_more(struct load *load, uint32_t number, uint32_t parallel) {
    struct group *group = &load->groups[number];
    while (group->starting < parallel && group->next < group->count) {
        uint32_t index = group->next++;
        session_start(load, group->first + index, number, index % group->rooms);
    }
}

void traffic_begin(struct load *load) {
    int64_t now = now_ns();
    load->sending = 1;
    acks_awaited = 0;
    memset(awaited, 0, sizeof awaited);
    for (uint32_t number = 0; number < load->group_count; number++) {
        struct group *group = &load->groups[number];
        group->sent = group->acked = group->refused = 0;
        group->expected = group->delivered = 0;
        group->next_due_ns = now;
        histogram_clear(&group->delivery);
        histogram_clear(&group->ack);
        histogram_clear(&group->late);
        memset(group->slots, 0, sizeof group->slots);
        if (group->mode != CLOSED) continue;
        for (uint32_t slot = 0; slot < group->in_flight; slot++)
            send_one(load, number, slot, now);
    }
}

int64_t traffic_due(struct load *load, int64_t now) {
    int64_t next = INT64_MAX;
    if (!load->sending) return next;
    for (uint32_t number = 0; number < load->group_count; number++) {
        struct group *group = &load->groups[number];
        if (group->mode != RATE) continue;
        while (group->next_due_ns <= now) {
            histogram_add(&group->late, (now_ns() - group->next_due_ns) / 1000);
            /* The time it was due counts, so that a stall shows in every latency. */
            send_one(load, number, NO_SLOT, group->next_due_ns);
            group->next_due_ns += (int64_t)(1e9 / group->rate);
        }
        if (group->next_due_ns < next) next = group->next_due_ns;
    }
    return next;
}

static void go_on(struct load *load, uint32_t number, uint32_t slot) {
    struct slot *state = &load->groups[number].slots[slot];
    if (!state->active || !state->acked || state->deliveries_left) return;
    state->active = 0;
    if (load->sending) send_one(load, number, slot, now_ns());
}

static uint64_t hexadecimal(const char *text, int digits) {
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

void traffic_message(struct load *load, uint32_t index, const char *text, size_t length) {
    const char *stamp = memchr(text, MARK, length);
    if (!stamp || stamp + STAMP_BYTES > text + length) return;
    uint32_t number = load->sessions[index].group;
    struct group *group = &load->groups[number];
    int64_t sent = (int64_t)hexadecimal(stamp + 1, 16);
    uint32_t slot = (uint32_t)hexadecimal(stamp + 17, 8);
    uint32_t seen = (uint32_t)hexadecimal(stamp + 25, 8);
    group->delivered++;
    histogram_add(&group->delivery, (now_ns() - sent) / 1000);
    if (slot >= MAX_SLOTS) return;
    struct slot *state = &group->slots[slot];
    if (!state->active || state->sequence != seen || !state->deliveries_left) return;
    state->deliveries_left--;
    go_on(load, number, slot);
}

void traffic_ack(struct load *load, uint32_t index, const char *text, size_t length) {
    char *end;
    uint32_t id = (uint32_t)strtoul(text, &end, 10);
    uint32_t place = id % ACK_RING;
    if (!id || awaited[place].sequence != id) return;
    (void)index;
    awaited[place].sequence = 0;
    acks_awaited--;
    struct group *group = &load->groups[awaited[place].group];
    if (memmem(text, length, "\"ok\":true", 9)) {
        group->acked++;
        histogram_add(&group->ack, (now_ns() - awaited[place].sent_ns) / 1000);
    } else {
        group->refused++;
        char seen[200];
        snprintf(seen, sizeof seen, "%.*s", (int)(length < 190 ? length : 190), text);
        keep_complaint(load->last_error, "send refused", seen);
    }
    uint32_t slot = awaited[place].slot;
    if (slot == NO_SLOT) return;
    group->slots[slot].acked = 1;
    go_on(load, awaited[place].group, slot);
}

int traffic_outstanding(const struct load *load) {
    for (uint32_t number = 0; number < load->group_count; number++)
        if (load->groups[number].delivered < load->groups[number].expected) return 1;
    return acks_awaited != 0;
}
