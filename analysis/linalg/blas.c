/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which BLAS this is, whether it computes right, and what it may print. */
#include <pthread.h>
#include <string.h>

#include "linalg/lapack.h"

char *openblas_get_config(void);
char *openblas_get_corename(void);
int openblas_get_parallel(void);
void openblas_set_num_threads(int n);
void xerbla_(const char *name, const lapack_int *argument, size_t name_length);

/* LAPACK's complaint about an argument is a bug of ours; its own version prints and goes on. */
void xerbla_(const char *name, const lapack_int *argument, size_t name_length)
{
    (void)name;
    (void)argument;
    (void)name_length;
    TG_BUG("an illegal argument reached BLAS or LAPACK");
}

struct tg_blas_info tg_blas_describe(void)
{
    return (struct tg_blas_info){.config = openblas_get_config(),
                                 .core = openblas_get_corename()};
}

enum { ORDER = 96, ROUNDS = 8, POSIX_THREADS = 1 };

/* a_ij = i + j, b_ij = i - j: (AB)_ij = sum_k (i + k)(k - j), integers that doubles hold. */
static void *multiply(void *arg)
{
    const double n = ORDER;
    double a[ORDER * ORDER], b[ORDER * ORDER], c[ORDER * ORDER];
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) {
            a[i * ORDER + j] = i + j;
            b[i * ORDER + j] = i - j;
        }
    double s1 = n * (n - 1) / 2, s2 = (n - 1) * n * (2 * n - 1) / 6;
    int *wrong = arg;
    for (int round = 0; round < ROUNDS; round++) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ORDER, ORDER, ORDER, 1, a, ORDER, b,
                    ORDER, 0, c, ORDER);
        for (int i = 0; i < ORDER; i++)
            for (int j = 0; j < ORDER; j++)
                *wrong |= c[i * ORDER + j] != s2 + (double)(i - j) * s1 - n * (double)i * j;
    }
    return NULL;
}

enum tg_err tg_blas_start(struct tg_report *report)
{
    if (openblas_get_parallel() != POSIX_THREADS)
        return tg_fault_add(report, TG_INTERNAL, NULL,
                            "this OpenBLAS (%s) is not the build with POSIX threads, the only one "
                            "that may be called from several threads; install Debian's "
                            "libopenblas0-pthread and build again",
                            openblas_get_config());
    openblas_set_num_threads(1);
    pthread_t thread;
    int wrong[2] = {0, 0};
    if (pthread_create(&thread, NULL, multiply, &wrong[1]))
        return TG_NOMEM;
    multiply(&wrong[0]);
    pthread_join(thread, NULL);
    if (wrong[0] || wrong[1])
        return tg_fault_add(report, TG_INTERNAL, NULL,
                            "this OpenBLAS (%s) gives wrong products on this processor; "
                            "OPENBLAS_CORETYPE=Haswell or another release may mend it",
                            openblas_get_config());
    return TG_OK;
}
