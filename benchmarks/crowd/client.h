/* One client of the crowd: it connects, joins, follows its rooms, and comes back. */
#ifndef BENCH_CROWD_CLIENT_H
#define BENCH_CROWD_CLIENT_H

#include "crowd.h"

void client_start(uint32_t index);
void client_event(uint32_t index);
void client_fail(uint32_t index, const char *what, const char *detail, int64_t wait_ns);
int client_write(uint32_t index, const char *text, size_t length);

#endif
