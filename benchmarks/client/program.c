#define _GNU_SOURCE
#include "program.h"

#include <stdio.h>
#include <time.h>

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

double cpu_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void keep_complaint(char kept[COMPLAINT_BYTES], const char *what, const char *detail) {
    if (kept[0]) return;
    snprintf(kept, COMPLAINT_BYTES, "%.60s: %.180s", what, detail);
    for (char *c = kept; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ' || *c > '~') *c = '\'';
}
