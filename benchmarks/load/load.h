/* What the parts of the load generator share. One thread, one epoll. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "histogram.h"
#include "program.h"

#define MAX_GROUPS 32
#define MAX_SLOTS 4096
#define NO_SLOT 0xffffffffu
#define NAME_BYTES 64

enum state { UNUSED, CONNECTING, UPGRADING, OPENING, AUTHENTICATING, JOINING, JOINED, LOST };

struct session {
    struct connection connection;
    uint8_t state;
    uint8_t group;
    uint32_t room;
};

/* A message under way in a closed loop: done when every member has it and it is acked. */
struct slot {
    uint32_t sequence, deliveries_left;
    uint8_t acked, active;
};

enum mode { OFF, CLOSED, RATE };

struct group {
    char prefix[NAME_BYTES];
    uint32_t first, count, rooms;
    uint32_t starting, joined, next; /* of the connect under way */
    enum mode mode;
    uint32_t in_flight;
    double rate;
    int64_t next_due_ns;
    int64_t lose_after_ns; /* close all sessions this long into the run; 0: never */
    uint32_t next_room;
    uint32_t *next_sender; /* by room */
    struct slot slots[MAX_SLOTS];
    uint64_t sent, acked, refused, expected, delivered;
    struct histogram delivery, ack;
    struct histogram late; /* how long after it was due a message was sent: our own lag */
};

struct load {
    int epoll, port;
    struct session *sessions;
    uint32_t session_count, session_limit;
    struct group groups[MAX_GROUPS];
    uint32_t group_count;
    char **auths; /* what the sessions say at CONNECT, in turn: JSON */
    uint32_t auth_count;
    uint32_t text_bytes;
    uint64_t pings, lost, bytes_in;
    uint64_t full_sockets; /* messages that did not fit into a socket: a bad sign */
    int sending;
    /* What becomes of what a joined session receives: sessions know no traffic. */
    void (*on_message)(struct load *load, uint32_t session, const char *text, size_t length);
    void (*on_ack)(struct load *load, uint32_t session, const char *text, size_t length);
    char last_error[COMPLAINT_BYTES];
};

#endif
