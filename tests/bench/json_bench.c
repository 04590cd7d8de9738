/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON number arrays: the body parser beside jansson, in the same run and in turn.
 *
 *     json_bench [NUMBERS [ROUNDS]]
 *
 * The text holds doubles of 17 digits in rows of 100. Speeds are medians of processor time;
 * memory is what malloc holds for the parsed document (the body parser allocates its numbers
 * once, so that is its peak, too).
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "proto/buf.h"
#include "proto/json.h"

enum { ROW = 100, ROUNDS_MAX = 100 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void make_text(struct tg_buf *text, size_t n)
{
    double row[ROW];
    tg_buf_puts(text, "{\"inputs\": {\"x\": [");
    for (size_t i = 0; i < n; i++) {
        if (i % ROW == 0) {
            tg_rng_uniform(1, 0, i, ROW, row);
            tg_buf_puts(text, i ? "], [" : "[");
        }
        tg_buf_printf(text, "%s%.17f", i % ROW ? ", " : "", row[i % ROW]);
    }
    tg_buf_puts(text, "]]}}");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof(*x), compare);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static void die(const char *what)
{
    fprintf(stderr, "json_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static double parse_ours(const struct tg_buf *text, size_t n, double *bytes)
{
    struct tg_json_body body;
    size_t before = heap_bytes();
    double start = cpu_seconds();
    if (tg_json_body_parse(text->p, text->n, n, &body, NULL))
        die("the body parser failed");
    double seconds = cpu_seconds() - start;
    *bytes = (double)(heap_bytes() - before) / (double)n;
    tg_json_body_release(&body);
    return seconds;
}

static double parse_jansson(const struct tg_buf *text, size_t n, double *bytes)
{
    size_t before = heap_bytes();
    double start = cpu_seconds();
    json_t *root = json_loadb(text->p, text->n, 0, NULL);
    if (!root)
        die("jansson failed");
    double seconds = cpu_seconds() - start;
    *bytes = (double)(heap_bytes() - before) / (double)n;
    json_decref(root);
    return seconds;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoumax(argv[1], NULL, 10) : 1000000;
    size_t rounds = argc > 2 ? strtoumax(argv[2], NULL, 10) : 7;
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], our_bytes, their_bytes;
    struct tg_buf text;
    if (n < ROW || n % ROW || !rounds || rounds > ROUNDS_MAX)
        die("give a multiple of 100 numbers and 1 to 100 rounds");
    tg_buf_init(&text, 32 * n + 100);
    make_text(&text, n);
    if (tg_buf_failed(&text))
        die("no memory");
    for (size_t i = 0; i < rounds; i++) {
        ours[i] = parse_ours(&text, n, &our_bytes);
        theirs[i] = parse_jansson(&text, n, &their_bytes);
    }
    double megabytes = (double)text.n / 1e6, our_time = median(ours, rounds),
           their_time = median(theirs, rounds);
    printf("%zu numbers, %.1f MB of text, median of %zu rounds\n", n, megabytes, rounds);
    printf("body parser  %7.1f MB/s  %5.2f bytes a number\n", megabytes / our_time, our_bytes);
    printf("jansson      %7.1f MB/s  %5.2f bytes a number\n", megabytes / their_time, their_bytes);
    printf("ratio        %7.2f\n", their_time / our_time);
    tg_buf_release(&text);
    return 0;
}
