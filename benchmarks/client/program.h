/* What every load program needs: its clocks, and the first thing that went wrong. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stdint.h>

#define COMPLAINT_BYTES 256

int64_t now_ns(void);
/* CPU time of this process. */
double cpu_seconds(void);
/* Keeps what was wrong, fit for JSON, unless there is something already: what follows
 * the first complaint is mostly its consequence. */
void keep_complaint(char kept[COMPLAINT_BYTES], const char *what, const char *detail);

#endif
