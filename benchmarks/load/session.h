/* One session of the load generator, from connect to join, and what it receives. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "load.h"

void session_start(struct load *load, uint32_t index, uint32_t group, uint32_t room);
void session_event(struct load *load, uint32_t index);
void session_close(struct load *load, uint32_t index);
int session_write(struct load *load, uint32_t index, const char *text, size_t length);

#endif
