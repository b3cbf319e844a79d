#include "histogram.h"

#include <stdio.h>
#include <string.h>

static unsigned bucket_of(uint64_t us) {
    if (us < 128) return (unsigned)us;
    unsigned shift = (unsigned)(63 - __builtin_clzll(us)) - 6;
    unsigned bucket = (shift << 6) + (unsigned)(us >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t edge_of(unsigned bucket) {
    if (bucket < 128) return bucket;
    unsigned shift = (bucket >> 6) - 1;
    return ((uint64_t)(bucket - (shift << 6)) + 1) << shift;
}

void histogram_clear(struct histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, int64_t us) {
    uint64_t value = us > 0 ? (uint64_t)us : 0;
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max_us) histogram->max_us = value;
}

uint64_t histogram_at(const struct histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)(share * (double)histogram->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (histogram->buckets[i] && seen >= wanted) {
            uint64_t edge = edge_of(i);
            return edge < histogram->max_us ? edge : histogram->max_us;
        }
    }
    return 0;
}

void histogram_print(const struct histogram *histogram) {
    const char *separator = "";
    printf("[");
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (!histogram->buckets[i]) continue;
        printf("%s[%llu,%lu]", separator, (unsigned long long)edge_of(i),
               (unsigned long)histogram->buckets[i]);
        separator = ",";
    }
    printf("]");
}
