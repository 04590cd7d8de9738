/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What similarity unrelated layers show, in closed form.
 *
 * DESIGN. Two layers of n samples are subspaces of dimensions r_a and r_b of the m = n - 1
 * dimensions that are left after centring. When one is turned at random against the other
 * (Gaussian data are), the squared canonical correlations are the roots of a matrix-variate
 * Beta. With a = p/m, b = q/m, p <= q the dimensions, they fill the interval
 *   lambda+- = (sqrt(a (1 - b)) +- sqrt(b (1 - a)))^2
 * by the law of Wachter (Ann. Statist. 8, 1980). Sums of f(rho^2) have the mean
 *   p E_Wachter f + (f(lambda+) + f(lambda-)) / 4 - E_arcsine f / 2 + O(1/m)
 * and, f = sum_k c_k cos(k t) on the interval, the variance sum_k k c_k^2 / 2 (Johansson,
 * Duke Math. J. 91, 1998, with beta = 1; for Jacobi ensembles Dumitriu and Paquette, 2012).
 * Of the sum of squares (Pillai's trace) mean and variance are exact for every m:
 *   p q / m   and   2 p q (m - p) (m - q) / (m^2 (m - 1) (m + 2)).
 * When r_a + r_b > m, r_a + r_b - m correlations are 1 whatever the data, and the others
 * are those of the complements, of dimensions m - r_a and m - r_b.
 *
 * Measures that are inner products of two centred Gram matrices, such as CKA, have under
 * permutation of one layer's samples the exact moments of Kazi-Aoual et al. (CSDA 20, 1995).
 */
#ifndef TG_SVCCA_NULL_H
#define TG_SVCCA_NULL_H

#include <stdint.h>

/* Mean, standard deviation and skewness of a measure between unrelated layers. */
struct tg_chance { double mean, sd, skewness; };

/* (x - mean) / sd; NaN when sd is 0. */
double tg_chance_z(const struct tg_chance *null, double x);

/*
 * P(X >= x) by the Pearson type III law of these three moments, which is the normal one for
 * skewness 0. NaN when sd is 0.
 */
double tg_chance_p(const struct tg_chance *null, double x);

/*
 * x moved so that unrelated layers have 0 on average and equal ones 1:
 * (x - mean) / (1 - mean). NaN when the mean is 1.
 */
double tg_chance_adjust(const struct tg_chance *null, double x);

/* Canonical correlations of unrelated layers. */
struct tg_cca_null {
    int64_t m;      /* n - 1 */
    int64_t p, q;   /* dimensions that leave the correlations open, p <= q, p + q <= m */
    int64_t forced; /* correlations that are 1 whatever the data */
    struct tg_chance mean;         /* of rho, over all p + forced; skewness as 0 */
    struct tg_chance mean_squared; /* of rho^2, the same; skewness as 0 */
    double spread;               /* expected mean (rho - mean rho)^2 over all */
    double floor, edge;          /* ends of Wachter's law of rho, of those not forced */
};

/*
 * For ranks r_a, r_b >= 1 of layers of n > max(r_a, r_b) samples. The mean of rho is exact
 * for p = 1; else its error is at p = 2 up to an eighth of its sd, from p = 5 a twentieth
 * or less.
 */
void tg_cca_null(int64_t n, int64_t r_a, int64_t r_b, struct tg_cca_null *null);

/*
 * The expected k-th largest correlation, k = 1 .. p + forced: 1 for those forced, then the
 * quantiles of Wachter's law at the middle of the k-th of p equal parts.
 */
double tg_cca_null_rho(const struct tg_cca_null *null, int64_t k);

/*
 * P(mean rho^2 >= x) by the Beta law of the exact mean and variance; exact for p = 1. NaN
 * when every correlation is forced.
 */
double tg_cca_null_p(const struct tg_cca_null *null, double mean_squared);

/*
 * How many correlations, of rho[p + forced] descending, stand out at level `alpha`, not
 * counting those forced: the first k, until Bartlett's chi-square for "no more than k" with
 * Lawley's correction (Biometrika 46, 1959) has a tail above alpha:
 *   -(m - k - (p + q + 1)/2 + sum_{i<=k} rho_i^-2) ln prod_{i>k} (1 - rho_i^2),
 * with (p - k)(q - k) degrees of freedom. *p_value gets that of k = 0; may be NULL.
 */
int64_t tg_cca_significant(const struct tg_cca_null *null, const double *rho, double alpha,
                           double *p_value);

/*
 * The null of the mean of rho weighted by w[p + forced] >= 0, sum 1, where the weights come
 * from one layer's units, as PWCCA's do: directions are then turned at random, so the weights
 * are exchangeable and independent of rho. The mean is that of the plain mean; the variance
 * adds sum (w - 1/count)^2 times the spread of rho within a draw.
 */
struct tg_chance tg_cca_null_weighted(const struct tg_cca_null *null, const double *w);

/* Traces of a centred n x n Gram matrix K = H K H. */
struct tg_gram_trace {
    double one, two, three; /* tr K, tr K^2, tr K^3 */
    double diagonal2;       /* sum_i K_ii^2 */
};

/*
 * Sums over the entries of an n x n table, i, j, l all different: of A_ij, A_ij^2, A_ij A_ji,
 * A_ij A_il, A_ij A_lj and A_ij A_jl.
 */
struct tg_table_sums { double total, same, reversed, tail, head, through; };

/*
 * T = sum_{i != j} A_ij B_{pi(i) pi(j)} over all permutations pi, n >= 4: mean and sd exact
 * (Mantel, Cancer Research 27, 1967), for tables that need not be symmetric. With the falling
 * factorials (n)_k,
 *   E T   = total total' / (n)_2
 *   E T^2 = (same same' + reversed reversed') / (n)_2
 *         + (tail tail' + head head' + 2 through through') / (n)_3 + disjoint disjoint' / (n)_4,
 * disjoint what is left of total^2. The skewness is not known (NaN). The variance is a
 * difference of these: tables less their mean keep its digits.
 */
struct tg_chance tg_table_chance(int64_t n, const struct tg_table_sums *a,
                                 const struct tg_table_sums *b);

/*
 * tr(K_a P K_b P^T) over all permutations P, n >= 4: mean and sd exact, the skewness that of
 * random rotations (James, Ann. Math. Statist. 35, 1964: zonal polynomials of order three).
 */
struct tg_chance tg_gram_chance(int64_t n, const struct tg_gram_trace *a,
                            const struct tg_gram_trace *b);

/*
 * Debiased CKA over all permutations: mean 0 and sd sqrt(2 / (n (n - 3))) exactly, whatever
 * the layers; the skewness as above.
 */
struct tg_chance tg_cka_debiased_chance(int64_t n, const struct tg_gram_trace *a,
                                    const struct tg_gram_trace *b);

#endif
