/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moments by merging, the normal distribution through erfc, chi-square through Q(a, x),
 * Beta through I_x(a, b). */
#include "stats/stats.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK = 512, MAX_TERMS = 100000 };

static const double PI = 3.14159265358979323846;

/* Two passes over a block that stays in the cache. */
static struct tg_moments of_block(size_t n, const double *x)
{
    struct tg_moments block = {.count = (int64_t)n};
    double sum = 0, rest = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    block.mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double deviation = x[i] - block.mean;
        block.m2 += deviation * deviation;
        rest += deviation;
    }
    block.m2 -= rest * rest / (double)n;
    return block;
}

void tg_moments_add(struct tg_moments *moments, size_t n, const double *x)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        struct tg_moments block = of_block(n - i < BLOCK ? n - i : BLOCK, x + i);
        tg_moments_merge(moments, &block);
    }
}

/* Chan, Golub and LeVeque (1983), eq. 2.1. */
void tg_moments_merge(struct tg_moments *moments, const struct tg_moments *other)
{
    if (!other->count)
        return;
    double na = (double)moments->count, nb = (double)other->count, n = na + nb;
    double delta = other->mean - moments->mean;
    moments->count += other->count;
    moments->mean += delta * (nb / n);
    moments->m2 += other->m2 + delta * delta * (na * nb / n);
}

double tg_moments_variance(const struct tg_moments *moments)
{
    return moments->count > 1 ? moments->m2 / (double)(moments->count - 1) : NAN;
}

double tg_moments_sem(const struct tg_moments *moments)
{
    return sqrt(tg_moments_variance(moments) / (double)moments->count);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void tg_sort(double *x, size_t n)
{
    qsort(x, n, sizeof(*x), ascending);
}

double tg_quantile(const double *sorted, size_t n, double p)
{
    double place = p * ((double)n + 1) - 1;
    if (!(place > 0))
        return sorted[0];
    if (place >= (double)(n - 1))
        return sorted[n - 1];
    size_t below = (size_t)place;
    double share = place - (double)below;
    return sorted[below] + share * (sorted[below + 1] - sorted[below]);
}

double tg_normal_cdf(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

/*
 * Newton's method from the start sqrt(-2 log p) less its first correction: in the tail on
 * log P(Z <= x), elsewhere on P(Z <= x) - 1/2, whose small values keep their digits.
 */
double tg_normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1))
        return NAN;
    if (p == 0 || p == 1)
        return p == 0 ? -INFINITY : INFINITY;
    if (p >= 0.5)
        return p == 0.5 ? 0 : -tg_normal_quantile(1 - p);
    double t = sqrt(-2 * log(p)), x = -t + log(t + 1) / (t + 1);
    for (int i = 0; i < 20; i++) {
        double cdf = tg_normal_cdf(x), pdf = exp(-0.5 * x * x) / sqrt(2 * PI);
        double miss = p < 0.1 ? log(cdf / p) * cdf : 0.5 * erf(x * sqrt(0.5)) - (p - 0.5);
        double step = miss / pdf;
        x -= step;
        if (fabs(step) <= 4 * DBL_EPSILON * fabs(x))
            break;
    }
    return x;
}

/* x^a e^-x / Gamma(a + 1), for large a about its peak so that no digits cancel. */
static double poisson_term(double a, double x)
{
    int sign;
    if (a < 20)
        return exp(a * log(x) - x - lgamma_r(a + 1, &sign));
    double u = (x - a) / a, r = 1 / (a * a);
    double stirling = (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / a;
    return exp(a * (log1p(u) - u) - stirling) / sqrt(2 * PI * a);
}

/*
 * Q(a, x), the regularised upper incomplete gamma function: below its peak one minus the
 * series of P, above it Legendre's continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31).
 */
static double upper_gamma(double a, double x)
{
    if (x < a + 1) {
        double term = 1, sum = 1;
        for (int n = 1; n < MAX_TERMS && term > sum * DBL_EPSILON / 4; n++) {
            term *= x / (a + n);
            sum += term;
        }
        return 1 - sum * poisson_term(a, x);
    }
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;
    for (int n = 1; n < MAX_TERMS; n++) { /* Lentz's method */
        double numerator = -n * (n - a);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        h *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON)
            break;
    }
    return h * a * poisson_term(a, x);
}

double tg_chi2_sf(double x, double dof)
{
    if (isnan(x) || !(dof > 0))
        return NAN;
    if (x <= 0)
        return 1;
    return isinf(x) ? 0 : upper_gamma(dof / 2, x / 2);
}

/*
 * I_x(a, b), the regularised incomplete beta function, for x up to about the mean
 * (Abramowitz and Stegun 26.5.8).
 */
static double lower_beta(double a, double b, double x)
{
    int sign;
    double front = exp(a * log(x) + b * log1p(-x) + lgamma_r(a + b, &sign) -
                       lgamma_r(a, &sign) - lgamma_r(b, &sign)) /
                   a;
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;
    for (int i = 1; i < MAX_TERMS; i++) { /* Lentz's method, two terms at a time */
        double even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i));
        double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= c * d;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        h *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON)
            break;
    }
    return front * h;
}

double tg_beta_sf(double x, double a, double b)
{
    if (isnan(x) || !(a > 0 && b > 0))
        return NAN;
    if (x <= 0 || x >= 1)
        return x <= 0 ? 1 : 0;
    if (x > (a + 1) / (a + b + 2))
        return lower_beta(b, a, 1 - x);
    return 1 - lower_beta(a, b, x);
}

/* dof / (dof + t^2) has the Beta(dof/2, 1/2) law; small where t is large, and so not 1 - x. */
double tg_t_two_sided(double t, double dof)
{
    if (isnan(t) || !(dof > 0))
        return NAN;
    double square = t * t, y = dof / (dof + square), a = dof / 2;
    if (t == 0 || y <= 0)
        return t == 0 ? 1 : 0;
    if (y < (a + 1) / (a + 2.5))
        return lower_beta(a, 0.5, y);
    return 1 - lower_beta(0.5, a, square / (dof + square));
}

double tg_t_quantile(double p, double dof)
{
    if (!(p >= 0 && p <= 1) || !(dof > 0))
        return NAN;
    if (p < 0.5)
        return -tg_t_quantile(1 - p, dof);
    double tail = 2 * (1 - p), low = 0, high = 1;
    if (tail <= 0)
        return INFINITY;
    while (tg_t_two_sided(high, dof) > tail && high < DBL_MAX / 2)
        high *= 2;
    for (double middle = high / 2; middle > low && middle < high; middle = (low + high) / 2)
        if (tg_t_two_sided(middle, dof) > tail)
            low = middle;
        else
            high = middle;
    return high;
}
