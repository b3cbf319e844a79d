/* Who of the load generator's sessions sends when, and what becomes of it. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "load.h"

void group_more(struct load *load, uint32_t group, uint32_t parallel);
void traffic_begin(struct load *load);
/* Sends what is due; returns when the next is due (ns), or INT64_MAX. */
int64_t traffic_due(struct load *load, int64_t now);
/* For `on_message` and `on_ack` of a load. */
void traffic_message(struct load *load, uint32_t session, const char *text, size_t length);
void traffic_ack(struct load *load, uint32_t session, const char *text, size_t length);
int traffic_outstanding(const struct load *load);

#endif
