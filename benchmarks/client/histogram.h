/* Latencies in microseconds, in buckets at most 1.6 % wide. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (40 * 64)

struct histogram {
    uint64_t count;
    uint64_t max_us;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t us);
/* The upper edge of the bucket that holds this share (0 to 1); 0 without samples. */
uint64_t histogram_at(const struct histogram *histogram, double share);
/* Prints [[upper edge, samples],...] of the buckets that hold any. */
void histogram_print(const struct histogram *histogram);

#endif
