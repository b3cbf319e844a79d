/* A crowd on several nodes, one of which is killed; driven by lines on stdin.
 *
 *   crowd AUTH_FILE VICTIMS OTHERS ROOMS RATE TEXT_BYTES PORT PORT...
 *
 * connect SECONDS      all of them; the victims at the first node, the others behind it
 * run SECONDS          messages flow
 * storm PID SECONDS    kill this process, and go on until all victims are back
 * settle SECONDS       no message more; then compare how far everybody has seen
 *
 * Every command answers with one line of JSON: what happened while it ran.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"

#define STDIN_MARK 0xffffffffu
#define EVENTS 1024
#define ACK_RING 65536
#define LOOK_NS 5000000
/* Below the listen backlog of a node, which takes twice as many. */
#define CONNECTS_AT_ONCE 64

static struct {
    int64_t due_ns;
    uint32_t id, index;
} awaited[ACK_RING];
static uint32_t last_id = FIRST_SEND_ID;
static uint32_t salt;

/* One message: from somebody of the others and a victim in turn, if that one is there. */
static void send_one(int64_t when) {
    uint32_t others = crowd.count - crowd.victims;
    uint32_t index = crowd.victims + (uint32_t)lrand48() % others;
    if (last_id % 2) {
        uint32_t victim = (uint32_t)lrand48() % crowd.victims;
        if (crowd.clients[victim].state == JOINED) index = victim;
    }
    struct client *client = &crowd.clients[index];
    if (client->state != JOINED) return;
    const struct place *at = &client->places[(uint32_t)lrand48() % client->place_count];
    uint32_t id = ++last_id, slot = id % ACK_RING;
    char packet[PACKET_BYTES], filler[4096];
    memset(filler, 'x', crowd.text_bytes);
    filler[crowd.text_bytes] = 0;
    int length = snprintf(packet, sizeof packet,
                          "42/chat,%u[\"send\",{\"room\":\"r%u\",\"clientId\":\"%08x-%u\","
                          "\"type\":\"text\",\"text\":\"~%016llx~%s\"}]",
                          id, at->room, salt, id, (unsigned long long)when, filler);
    awaited[slot].due_ns = when;
    awaited[slot].id = id;
    awaited[slot].index = index;
    if (!is_victim(index)) crowd.sent++;
    client_write(index, packet, (size_t)length);
}

static void take_send_ack(uint32_t index, uint32_t id, int ok, const char *text, size_t length) {
    uint32_t slot = id % ACK_RING;
    if (awaited[slot].id != id || awaited[slot].index != index) return;
    awaited[slot].id = 0;
    if (!ok) {
        char seen[200];
        snprintf(seen, sizeof seen, "%.*s", (int)(length < 190 ? length : 190), text);
        keep_complaint(crowd.last_error, "send refused", seen);
        crowd.refused_sends++;
    } else if (!is_victim(index)) {
        crowd.acked++;
        histogram_add(&crowd.ack, (now_ns() - awaited[slot].due_ns) / 1000);
    }
}

/* Connects who is due, gives up on who takes too long. */
static void look(int64_t now) {
    static int64_t next;
    if (now < next) return;
    next = now + LOOK_NS;
    for (uint32_t i = 0; i < crowd.count; i++) {
        struct client *client = &crowd.clients[i];
        if (client->state == JOINED || client->due_ns > now) continue;
        if (client->state == AWAY) client_start(i);
        else {
            crowd.timeouts[client->state]++;
            client_fail(i, "timeout", "", 0);
        }
    }
}

static int turn(int64_t until) {
    static struct epoll_event events[EVENTS];
    int64_t now = now_ns();
    while (crowd.sending && crowd.next_due_ns <= now) {
        /* The time it was due counts, so that a stall shows in every latency. */
        send_one(crowd.next_due_ns);
        crowd.next_due_ns += (int64_t)(1e9 / crowd.rate);
    }
    look(now);
    int64_t end = now + LOOK_NS < until ? now + LOOK_NS : until;
    if (crowd.sending && crowd.next_due_ns < end) end = crowd.next_due_ns;
    int64_t wait = end > now ? end - now : 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    int count = epoll_pwait2(crowd.epoll, events, EVENTS, &timeout, NULL);
    int line = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == STDIN_MARK) line = 1;
        else client_event(events[i].data.u32);
    }
    return line;
}

static void begin(void) {
    crowd.attempts = crowd.failed_attempts = crowd.refused_connects = 0;
    crowd.refused_joins = crowd.lost = crowd.doubled = crowd.skipped = 0;
    crowd.unrecovered = crowd.wrong_cursor = crowd.recovered_events = 0;
    crowd.sent = crowd.acked = crowd.refused_sends = crowd.messages = 0;
    crowd.last_error[0] = 0;
    memset(crowd.timeouts, 0, sizeof crowd.timeouts);
    histogram_clear(&crowd.ack);
    histogram_clear(&crowd.delivery);
}

static void print_latency(const char *name, const struct histogram *of) {
    printf("\"%s\":{\"count\":%llu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu},", name,
           (unsigned long long)of->count, (unsigned long long)histogram_at(of, 0.5),
           (unsigned long long)histogram_at(of, 0.99), (unsigned long long)of->max_us);
}

#define NUMBER(name) printf("\"" #name "\":%llu,", (unsigned long long)crowd.name)

static void answer(int64_t began, double cpu) {
    printf("{\"seconds\":%.6f,\"load_cpu_seconds\":%.6f,", (double)(now_ns() - began) / 1e9,
           cpu_seconds() - cpu);
    NUMBER(joined);
    NUMBER(attempts);
    NUMBER(failed_attempts);
    NUMBER(refused_connects);
    NUMBER(refused_joins);
    NUMBER(lost);
    NUMBER(doubled);
    NUMBER(skipped);
    NUMBER(unrecovered);
    NUMBER(wrong_cursor);
    NUMBER(recovered_events);
    NUMBER(sent);
    NUMBER(acked);
    NUMBER(refused_sends);
    NUMBER(messages);
    printf("\"timeouts\":[");
    for (int i = CONNECTING; i < JOINED; i++)
        printf("%s%llu", i > CONNECTING ? "," : "", (unsigned long long)crowd.timeouts[i]);
    printf("],");
    print_latency("ack", &crowd.ack);
    print_latency("delivery", &crowd.delivery);
}

static void end_answer(void) {
    printf("\"error\":\"%s\"}\n", crowd.last_error);
    fflush(stdout);
}

static void do_connect(const char *line) {
    double seconds = 0, cpu = cpu_seconds();
    sscanf(line, "connect %lf", &seconds);
    int64_t began = now_ns(), until = began + (int64_t)(seconds * 1e9);
    begin();
    uint32_t next = 0;
    while (now_ns() < until && crowd.joined < crowd.count) {
        uint32_t behind = next > crowd.joined ? next - crowd.joined : 0;
        for (; next < crowd.count && behind < CONNECTS_AT_ONCE; behind++)
            crowd.clients[next++].due_ns = 0;
        turn(now_ns() + LOOK_NS);
    }
    answer(began, cpu);
    end_answer();
}

static void do_run(const char *line) {
    double seconds = 0, cpu = cpu_seconds();
    sscanf(line, "run %lf", &seconds);
    int64_t began = now_ns(), until = began + (int64_t)(seconds * 1e9);
    begin();
    if (!crowd.sending) crowd.next_due_ns = began;
    crowd.sending = 1;
    while (now_ns() < until) turn(until);
    answer(began, cpu);
    end_answer();
}

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void do_storm(const char *line) {
    int pid = 0;
    double seconds = 0, cpu = cpu_seconds();
    sscanf(line, "storm %d %lf", &pid, &seconds);
    begin();
    crowd.dead = 1;
    int64_t began = crowd.kill_ns = now_ns(), until = began + (int64_t)(seconds * 1e9);
    if (pid > 1) kill(pid, SIGKILL);
    uint32_t back = 0;
    while (now_ns() < until && back < crowd.victims) {
        turn(now_ns() + LOOK_NS);
        for (back = 0; back < crowd.victims && crowd.clients[back].back_ns; back++) continue;
    }
    int64_t *times = calloc(crowd.victims + 1, sizeof *times);
    uint32_t count = 0;
    for (uint32_t i = 0; i < crowd.victims; i++)
        if (crowd.clients[i].back_ns) times[count++] = crowd.clients[i].back_ns - began;
    qsort(times, count, sizeof *times, by_time);
    answer(began, cpu);
    if (count)
        printf("\"back\":%u,\"back_p50\":%.3f,\"back_p99\":%.3f,\"back_last\":%.3f,", count,
               (double)times[count / 2] / 1e9, (double)times[count * 99 / 100] / 1e9,
               (double)times[count - 1] / 1e9);
    free(times);
    end_answer();
}

/* Who stands behind another one in the same room, though nothing is said any more. */
static uint32_t behind(void) {
    uint32_t *top = calloc(crowd.rooms, sizeof *top), found = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < crowd.count; i++)
            for (int j = 0; j < crowd.clients[i].place_count; j++) {
                const struct place *at = &crowd.clients[i].places[j];
                if (!pass && at->offset > top[at->room]) top[at->room] = at->offset;
                if (pass) found += at->offset < top[at->room];
            }
    free(top);
    return found;
}

static void do_settle(const char *line) {
    double seconds = 0, cpu = cpu_seconds();
    sscanf(line, "settle %lf", &seconds);
    int64_t began = now_ns(), until = began + (int64_t)(seconds * 1e9);
    begin();
    crowd.sending = 0;
    while (now_ns() < until) turn(until);
    answer(began, cpu);
    printf("\"behind\":%u,", behind());
    end_answer();
}

static int read_auths(const char *path) {
    FILE *file = fopen(path, "r");
    char line[4096];
    uint32_t count = 0;
    while (file && count < crowd.count && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        crowd.auths[count++] = strdup(line);
    }
    if (file) fclose(file);
    return count == crowd.count;
}

/* Everybody attends a room, every second one another as well. */
static void place_all(void) {
    for (uint32_t i = 0; i < crowd.count; i++) {
        struct client *client = &crowd.clients[i];
        uint32_t number = is_victim(i) ? i : i - crowd.victims;
        client->connection.fd = -1;
        client->due_ns = INT64_MAX;
        if (!is_victim(i)) client->node = (uint8_t)(1 + number % (crowd.nodes - 1));
        if (!is_victim(i)) number /= crowd.nodes - 1;
        client->place_count = number % 2 && crowd.rooms > 1 ? 2 : 1;
        client->places[0].room = number % crowd.rooms;
        client->places[1].room = (number + crowd.rooms / 2) % crowd.rooms;
    }
}

int main(int argc, char **argv) {
    if (argc < 9 || argc - 7 > MAX_NODES) {
        fprintf(stderr, "usage: crowd AUTH_FILE VICTIMS OTHERS ROOMS RATE TEXT_BYTES PORT...\n");
        return 2;
    }
    crowd.on_send_ack = take_send_ack;
    crowd.victims = (uint32_t)atoi(argv[2]);
    crowd.count = crowd.victims + (uint32_t)atoi(argv[3]);
    crowd.rooms = (uint32_t)atoi(argv[4]);
    crowd.rate = atof(argv[5]);
    crowd.text_bytes = (uint32_t)atoi(argv[6]);
    while (7 + (int)crowd.nodes < argc) {
        crowd.ports[crowd.nodes] = atoi(argv[7 + crowd.nodes]);
        crowd.nodes++;
    }
    crowd.clients = calloc(crowd.count, sizeof *crowd.clients);
    crowd.auths = calloc(crowd.count, sizeof *crowd.auths);
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!crowd.clients || !crowd.auths || crowd.epoll < 0 || !crowd.victims ||
        crowd.count == crowd.victims || !crowd.rooms || crowd.rate <= 0 ||
        crowd.text_bytes > 4000 || !read_auths(argv[1])) {
        fprintf(stderr, "crowd: wrong arguments, too few lines of auth or no memory\n");
        return 1;
    }
    salt = (uint32_t)now_ns();
    srand48(42);
    place_all();
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN_MARK};
    epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    char line[512];
    for (;;) {
        if (!turn(now_ns() + 1000000000)) continue;
        ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
        if (got <= 0) return 0; /* the driver is gone */
        line[got] = 0;
        if (!strncmp(line, "connect ", 8)) do_connect(line);
        else if (!strncmp(line, "run ", 4)) do_run(line);
        else if (!strncmp(line, "storm ", 6)) do_storm(line);
        else if (!strncmp(line, "settle ", 7)) do_settle(line);
    }
}
