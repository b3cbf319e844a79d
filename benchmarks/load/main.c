/* Load generator: Socket.IO sessions over WebSocket, driven by lines on stdin.
 *
 *   load PORT AUTH_FILE SESSION_LIMIT TEXT_BYTES
 *
 * connect COUNT ROOMS PREFIX PARALLEL SECONDS   a new group of joined sessions
 * mode GROUP off | closed N | rate X            how its members send in the next run
 * lose GROUP SECONDS                            close it this long into the next run
 * run SECONDS DRAIN_SECONDS                     send, then wait for what is under way
 * idle SECONDS                                  answer heartbeats, count what comes
 * close GROUP                                   close its connections, all at once
 * quit
 *
 * Every command answers with one line of JSON. Heartbeats are answered all the time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "session.h"
#include "traffic.h"

#define STDIN_MARK 0xffffffffu
#define EVENTS 1024

static struct load load;

/* Moves bytes for at most this long; returns 1 if a line waits on stdin. */
static int turn(int64_t until) {
    static struct epoll_event events[EVENTS];
    int64_t now = now_ns();
    int64_t due = traffic_due(&load, now);
    int64_t end = due < until ? due : until;
    int64_t wait = end > now ? end - now : 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    int count = epoll_pwait2(load.epoll, events, EVENTS, &timeout, NULL);
    int line = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == STDIN_MARK) {
            line = 1;
        } else {
            session_event(&load, events[i].data.u32);
        }
    }
    return line;
}

static void end_answer(void) {
    printf(",\"pings\":%llu,\"lost\":%llu,\"full_sockets\":%llu,\"error\":\"%s\"}\n",
           (unsigned long long)load.pings, (unsigned long long)load.lost,
           (unsigned long long)load.full_sockets, load.last_error);
    fflush(stdout);
    load.pings = load.lost = load.full_sockets = 0;
    load.last_error[0] = 0;
}

static void do_connect(const char *line) {
    uint32_t count, rooms, parallel;
    double seconds;
    struct group *group = &load.groups[load.group_count];
    if (load.group_count == MAX_GROUPS ||
        sscanf(line, "connect %u %u %63s %u %lf", &count, &rooms, group->prefix, &parallel,
               &seconds) != 5 ||
        !rooms || rooms > count || load.session_count + count > load.session_limit) {
        printf("{\"joined\":0");
        keep_complaint(load.last_error, "bad command", line);
        end_answer();
        return;
    }
    uint32_t number = load.group_count++;
    group->first = load.session_count;
    group->count = count;
    group->rooms = rooms;
    group->next_sender = calloc(rooms, sizeof *group->next_sender);
    load.session_count += count;
    int64_t begin = now_ns(), until = begin + (int64_t)(seconds * 1e9);
    double cpu = cpu_seconds();
    while (now_ns() < until) {
        group_more(&load, number, parallel);
        if (group->next == count && !group->starting) break;
        turn(now_ns() + 100000000);
    }
    printf("{\"group\":%u,\"joined\":%u,\"seconds\":%.6f,\"load_cpu_seconds\":%.6f", number,
           group->joined, (double)(now_ns() - begin) / 1e9, cpu_seconds() - cpu);
    end_answer();
}

static void do_mode(const char *line) {
    uint32_t number = MAX_GROUPS;
    char name[16] = "";
    double value = 0;
    sscanf(line, "mode %u %15s %lf", &number, name, &value);
    if (number < load.group_count) {
        struct group *group = &load.groups[number];
        group->mode = !strcmp(name, "closed") ? CLOSED : !strcmp(name, "rate") ? RATE : OFF;
        group->in_flight = value < MAX_SLOTS ? (uint32_t)value : MAX_SLOTS;
        group->rate = value > 0 ? value : 1;
    } else {
        keep_complaint(load.last_error, "bad command", line);
    }
    printf("{\"group\":%u", number);
    end_answer();
}

static void do_lose(const char *line) {
    uint32_t number = MAX_GROUPS;
    double after = 0;
    sscanf(line, "lose %u %lf", &number, &after);
    if (number < load.group_count)
        load.groups[number].lose_after_ns = (int64_t)(after * 1e9);
    printf("{\"group\":%u", number);
    end_answer();
}

static uint32_t close_group(struct group *group) {
    uint32_t closed = 0;
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        if (load.sessions[i].connection.fd < 0 || load.sessions[i].state == UNUSED) continue;
        session_close(&load, i);
        closed++;
    }
    group->mode = OFF;
    return closed;
}

static void lose_what_is_due(int64_t since) {
    for (uint32_t i = 0; i < load.group_count; i++) {
        struct group *group = &load.groups[i];
        if (group->lose_after_ns && now_ns() - since >= group->lose_after_ns) {
            group->lose_after_ns = 0;
            close_group(group);
        }
    }
}

static void print_latency(const char *name, const struct histogram *of) {
    printf(",\"%s\":{\"p50_us\":%llu,\"p90_us\":%llu,\"p99_us\":%llu,\"p999_us\":%llu,"
           "\"max_us\":%llu}",
           name, (unsigned long long)histogram_at(of, 0.5),
           (unsigned long long)histogram_at(of, 0.9),
           (unsigned long long)histogram_at(of, 0.99),
           (unsigned long long)histogram_at(of, 0.999), (unsigned long long)of->max_us);
}

static void print_groups(void) {
    printf(",\"groups\":[");
    for (uint32_t i = 0; i < load.group_count; i++) {
        struct group *group = &load.groups[i];
        printf("%s{\"sent\":%llu,\"acked\":%llu,\"refused\":%llu,\"expected\":%llu,"
               "\"delivered\":%llu",
               i ? "," : "", (unsigned long long)group->sent,
               (unsigned long long)group->acked, (unsigned long long)group->refused,
               (unsigned long long)group->expected, (unsigned long long)group->delivered);
        print_latency("delivery", &group->delivery);
        print_latency("ack", &group->ack);
        print_latency("late", &group->late);
        printf("}");
    }
    printf("]");
}

static void do_run(const char *line, int sends) {
    double seconds = 1, drain = 0;
    sscanf(line, sends ? "run %lf %lf" : "idle %lf", &seconds, &drain);
    double cpu = cpu_seconds();
    int64_t begin = now_ns(), until = begin + (int64_t)(seconds * 1e9);
    load.bytes_in = 0;
    if (sends) traffic_begin(&load);
    for (int64_t now = begin; now < until; now = now_ns()) {
        lose_what_is_due(begin);
        turn(until < now + 20000000 ? until : now + 20000000);
    }
    load.sending = 0;
    int64_t stopped = now_ns(), last = stopped + (int64_t)(drain * 1e9);
    while (sends && traffic_outstanding(&load) && now_ns() < last) turn(now_ns() + 1000000);
    printf("{\"seconds\":%.6f,\"drain_seconds\":%.6f,\"load_cpu_seconds\":%.6f,"
           "\"bytes_in\":%llu",
           (double)(now_ns() - begin) / 1e9, (double)(now_ns() - stopped) / 1e9,
           cpu_seconds() - cpu, (unsigned long long)load.bytes_in);
    if (sends) print_groups();
    end_answer();
}

static void do_close(const char *line) {
    uint32_t number = MAX_GROUPS;
    sscanf(line, "close %u", &number);
    printf("{\"closed\":%u", number < load.group_count ? close_group(&load.groups[number]) : 0);
    end_answer();
}

/* The samples of the last run. */
static void do_counts(void) {
    printf("{\"groups\":[");
    for (uint32_t i = 0; i < load.group_count; i++) {
        printf("%s{\"delivery\":", i ? "," : "");
        histogram_print(&load.groups[i].delivery);
        printf(",\"ack\":");
        histogram_print(&load.groups[i].ack);
        printf("}");
    }
    printf("]");
    end_answer();
}

/* 1: the line was `quit`. */
static int obey(const char *line) {
    if (!strncmp(line, "quit", 4)) return 1;
    if (!strncmp(line, "connect ", 8)) do_connect(line);
    else if (!strncmp(line, "mode ", 5)) do_mode(line);
    else if (!strncmp(line, "lose ", 5)) do_lose(line);
    else if (!strncmp(line, "run ", 4)) do_run(line, 1);
    else if (!strncmp(line, "idle ", 5)) do_run(line, 0);
    else if (!strncmp(line, "close ", 6)) do_close(line);
    else if (!strncmp(line, "counts", 6)) do_counts();
    return 0;
}

static void read_auths(const char *path) {
    FILE *file = fopen(path, "r");
    char line[4096];
    uint32_t room = 0;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (load.auth_count == room) {
            room = room ? room * 2 : 1024;
            load.auths = realloc(load.auths, room * sizeof *load.auths);
            if (!load.auths) abort();
        }
        load.auths[load.auth_count++] = strdup(line);
    }
    if (file) fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: load PORT AUTH_FILE SESSION_LIMIT TEXT_BYTES\n");
        return 2;
    }
    load.port = atoi(argv[1]);
    read_auths(argv[2]);
    load.on_message = traffic_message;
    load.on_ack = traffic_ack;
    load.session_limit = (uint32_t)atoi(argv[3]);
    load.text_bytes = (uint32_t)atoi(argv[4]);
    load.sessions = calloc(load.session_limit, sizeof *load.sessions);
    for (uint32_t i = 0; load.sessions && i < load.session_limit; i++)
        load.sessions[i].connection.fd = -1;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load.sessions || !load.auth_count || load.epoll < 0 || load.text_bytes > 4000) {
        fprintf(stderr, "load: nobody to be, no memory or a text too long\n");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN_MARK};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    char line[512];
    for (;;) {
        /* One command at a time: the driver waits for the answer before the next. */
        if (!turn(now_ns() + 1000000000)) continue;
        ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
        if (got <= 0) return 0; /* the driver is gone */
        line[got] = 0;
        if (obey(line)) return 0;
    }
}
