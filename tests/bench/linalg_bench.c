/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our drivers beside LAPACK's, and how soon a stop is obeyed.
 *
 * DESIGN. The clock of a shared machine is noisy: runs of the two sides alternate, CPU time
 * of the thread is counted, and the medians are compared.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cblas.h>
#include <lapacke.h>

#include "core/rng.h"
#include "linalg/linalg.h"

enum { ROUNDS = 5, STOPS = 100 };

static double *numbers(int64_t n)
{
    double *x = calloc((size_t)n, sizeof(*x));
    if (!x)
        abort();
    return x;
}

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Operations on the symmetric n x n matrix `a`; each works in its own copy. */
struct setting {
    int64_t n;
    const double *a;
    double *x, *y, *z, *work;
};

static enum tg_err our_gemm(const struct tg_ctx *ctx, const struct setting *s)
{
    size_t n = (size_t)s->n;
    return tg_gemm(ctx, TG_N, TG_N, s->n, s->n, s->n, 1, s->a, n, s->a, n, 0, s->x, n);
}

static enum tg_err our_eigh(const struct tg_ctx *ctx, const struct setting *s)
{
    memcpy(s->x, s->a, (size_t)(s->n * s->n) * sizeof(double));
    return tg_eigh(ctx, s->n, true, s->x, (size_t)s->n, s->y, s->work);
}

static enum tg_err our_values(const struct tg_ctx *ctx, const struct setting *s)
{
    memcpy(s->x, s->a, (size_t)(s->n * s->n) * sizeof(double));
    return tg_svd(ctx, s->n, s->n, s->x, (size_t)s->n, s->y, NULL, 0, NULL, 0, s->work);
}

static enum tg_err our_vectors(const struct tg_ctx *ctx, const struct setting *s)
{
    size_t n = (size_t)s->n;
    memcpy(s->x, s->a, n * n * sizeof(double));
    return tg_svd(ctx, s->n, s->n, s->x, n, s->y, s->z, n, s->z + n * n, n, s->work);
}

static void plain_gemm(const struct setting *s)
{
    int n = (int)s->n;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, s->a, n, s->a, n, 0, s->x,
                n);
}

static void plain_eigh(const struct setting *s)
{
    lapack_int n = (lapack_int)s->n;
    memcpy(s->x, s->a, (size_t)(s->n * s->n) * sizeof(double));
    LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', n, s->x, n, s->y);
}

static void plain_values(const struct setting *s)
{
    lapack_int n = (lapack_int)s->n;
    memcpy(s->x, s->a, (size_t)(s->n * s->n) * sizeof(double));
    LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', n, n, s->x, n, s->y, NULL, 1, NULL, 1);
}

static void plain_vectors(const struct setting *s)
{
    lapack_int n = (lapack_int)s->n;
    memcpy(s->x, s->a, (size_t)(s->n * s->n) * sizeof(double));
    LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', n, n, s->x, n, s->y, s->z, n, s->z + s->n * s->n, n);
}

static const struct {
    const char *name;
    int64_t n, n_stop;
    enum tg_err (*ours)(const struct tg_ctx *, const struct setting *);
    void (*plain)(const struct setting *);
} rows[] = {
    {"gemm", 2000, 2000, our_gemm, plain_gemm},
    {"eigh", 1000, 1500, our_eigh, plain_eigh},
    {"svd values", 1000, 1500, our_values, plain_values},
    {"svd vectors", 1000, 1000, our_vectors, plain_vectors},
};

static struct setting set_up(int64_t n)
{
    double *g = numbers(n * n), *a = numbers(n * n);
    struct tg_ctx ctx = {.lanes = 1};
    tg_rng_normal(1, 0, 0, (size_t)(n * n), g);
    if (tg_syrk(&ctx, TG_N, n, n, 1.0 / (double)n, g, (size_t)n, 0, a, (size_t)n))
        abort();
    free(g);
    size_t work = tg_eigh_work(n, true), svd = tg_svd_work(n, n, true);
    return (struct setting){n,          a, numbers(n * n), numbers(n), numbers(2 * n * n),
                            numbers((int64_t)(work > svd ? work : svd))};
}

static void tear_down(struct setting *s)
{
    free((void *)(uintptr_t)s->a);
    free(s->x);
    free(s->y);
    free(s->z);
    free(s->work);
}

static void compare_speed(size_t row)
{
    struct setting s = set_up(rows[row].n);
    struct tg_ctx ctx = {.lanes = 1};
    double ours[ROUNDS], plain[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) { /* the first touches the memory */
        double t0 = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (rows[row].ours(&ctx, &s))
            abort();
        double t1 = seconds(CLOCK_THREAD_CPUTIME_ID);
        rows[row].plain(&s);
        double t2 = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (round >= 0) {
            ours[round] = t1 - t0;
            plain[round] = t2 - t1;
        }
    }
    qsort(ours, ROUNDS, sizeof(*ours), compare);
    qsort(plain, ROUNDS, sizeof(*plain), compare);
    printf("%-12s n %4d: ours %.3f s, plain %.3f s, speed ratio %.2f\n", rows[row].name,
           (int)s.n, ours[ROUNDS / 2], plain[ROUNDS / 2], plain[ROUNDS / 2] / ours[ROUNDS / 2]);
    tear_down(&s);
}

struct stopper {
    atomic_int stop;
    clockid_t clock; /* of the thread that computes */
    double after, at;
};

static void *stop_later(void *arg)
{
    struct stopper *stopper = arg;
    struct timespec wait = {(time_t)stopper->after,
                            (long)(1e9 * (stopper->after - (double)(time_t)stopper->after))};
    nanosleep(&wait, NULL);
    stopper->at = seconds(stopper->clock);
    atomic_store(&stopper->stop, TG_STOP_CANCEL);
    return NULL;
}

/* CPU time from a stop, set at moments spread over the whole run, to the return. */
static void measure_stops(size_t row)
{
    struct setting s = set_up(rows[row].n_stop);
    struct tg_ctx free_ctx = {.lanes = 1};
    double latency[STOPS], whole = seconds(CLOCK_MONOTONIC);
    if (rows[row].ours(&free_ctx, &s))
        abort();
    whole = seconds(CLOCK_MONOTONIC) - whole;
    for (int i = 0; i < STOPS; i++) {
        struct stopper stopper = {.stop = TG_GO, .after = whole * (i + 0.5) / STOPS};
        struct tg_ctx ctx = {.stop = &stopper.stop, .lanes = 1};
        pthread_t thread;
        if (pthread_getcpuclockid(pthread_self(), &stopper.clock) ||
            pthread_create(&thread, NULL, stop_later, &stopper))
            abort();
        while (!rows[row].ours(&ctx, &s)) { /* done before the stop: begin again */
        }
        latency[i] = seconds(stopper.clock);
        pthread_join(thread, NULL);
        latency[i] -= stopper.at;
    }
    qsort(latency, STOPS, sizeof(*latency), compare);
    printf("%-12s n %4d: stop obeyed after %.0f ms (median), %.0f ms (p99), %.0f ms (longest)\n",
           rows[row].name, (int)s.n, 1e3 * latency[STOPS / 2], 1e3 * latency[STOPS * 99 / 100 - 1],
           1e3 * latency[STOPS - 1]);
    tear_down(&s);
}

int main(void)
{
    struct tg_blas_info info = tg_blas_describe();
    if (tg_blas_start(NULL))
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s, %s\n", info.config, info.core);
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
        compare_speed(row);
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
        measure_stops(row);
    return 0;
}
