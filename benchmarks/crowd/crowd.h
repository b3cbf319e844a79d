/* Clients that follow rooms by their offsets, and come back when their node dies. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "histogram.h"
#include "program.h"

#define ROOMS_EACH 2
#define MAX_NODES 8
#define UID_BYTES 24
#define FIRST_SEND_ID 1000

enum state { AWAY, CONNECTING, UPGRADING, OPENING, AUTHENTICATING, JOINING, JOINED };

struct place { /* a room that a client attends, and how far it has seen it */
    uint32_t room, offset;
    char uid[UID_BYTES];
    uint8_t joined, known;
};

struct client {
    struct connection connection;
    uint8_t state, node, place_count;
    uint32_t attempts; /* failed since the last success */
    int64_t due_ns;    /* AWAY: when to connect; before JOINED: when to give up */
    int64_t back_ns;   /* when it had everything again; 0: not yet */
    struct place places[ROOMS_EACH];
};

struct crowd {
    int epoll, ports[MAX_NODES];
    uint32_t nodes, dead; /* of them the first, once it was killed */
    struct client *clients;
    uint32_t victims, count; /* the victims come first */
    uint32_t rooms, joined, text_bytes;
    double rate;
    int sending;
    int64_t next_due_ns, kill_ns;
    char **auths; /* what they say at CONNECT: JSON */
    /* what went wrong, and how often; all but the first four must stay 0 */
    uint64_t attempts, failed_attempts, refused_connects, refused_joins;
    uint64_t lost, doubled, skipped, unrecovered, wrong_cursor;
    uint64_t recovered_events, sent, acked, refused_sends, messages;
    uint64_t timeouts[JOINED + 1]; /* by what was waited for */
    struct histogram ack, delivery; /* of those whose node lives */
    /* What becomes of the ack of a send: clients receive it, and know no sender. */
    void (*on_send_ack)(uint32_t index, uint32_t id, int ok, const char *text, size_t length);
    char last_error[COMPLAINT_BYTES];
};

extern struct crowd crowd; /* client.c */

static inline int is_victim(uint32_t index) { return index < crowd.victims; }

#endif
