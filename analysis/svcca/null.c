/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wachter's law and the moments of inner products of Gram matrices. */
#include "svcca/null.h"

#include <math.h>

#include "stats/stats.h"

enum { NODES = 256, WAVES = 64, BISECTIONS = 60, DE_NODES = 64 };

static const double PI = 3.14159265358979323846;

double tg_chance_z(const struct tg_chance *null, double x)
{
    return null->sd > 0 ? (x - null->mean) / null->sd : NAN;
}

/* A gamma law with shape 4 / skewness^2, moved and, for a negative skewness, turned. */
double tg_chance_p(const struct tg_chance *null, double x)
{
    double z = tg_chance_z(null, x), skew = null->skewness;
    if (isnan(z))
        return NAN;
    if (fabs(skew) < 1e-4) /* beyond chi-square's reach, and the same to 5 digits */
        return tg_normal_cdf(-z);
    double dof = 8 / (skew * skew), chi2 = dof + fabs(z) * sqrt(2 * dof);
    if ((skew < 0) != (z < 0))
        chi2 = 2 * dof - chi2;
    return skew > 0 ? tg_chi2_sf(chi2, dof) : 1 - tg_chi2_sf(chi2, dof);
}

double tg_chance_adjust(const struct tg_chance *null, double x)
{
    return null->mean < 1 ? (x - null->mean) / (1 - null->mean) : NAN;
}

/* Wachter's law of lambda = low + width cos^2(t / 2), 0 <= t <= pi. */
struct wachter {
    double a, b;       /* p / m, q / m */
    double low, width; /* lambda- and lambda+ - lambda- */
    double gap;        /* 1 - lambda+ */
};

static struct wachter wachter_of(const struct tg_cca_null *null)
{
    double a = (double)null->p / (double)null->m, b = (double)null->q / (double)null->m;
    double ab = sqrt(a * (1 - b)) + sqrt(b * (1 - a));
    double rest = (double)(null->m - null->p - null->q) / (double)null->m;
    /* the differences of roots, so that nothing cancels where an end meets 0 or 1 */
    double low = (b - a) / ab, gap = rest / (sqrt((1 - a) * (1 - b)) + sqrt(a * b));
    return (struct wachter){.a = a,
                            .b = b,
                            .low = low * low,
                            .width = 4 * sqrt(a * (1 - a) * b * (1 - b)),
                            .gap = gap * gap};
}

static double rho_at(const struct wachter *law, double t)
{
    double c = cos(t / 2);
    return sqrt(fmin(law->low + law->width * c * c, 1));
}

/* P(lambda > lambda(t)): the integral of the density, by partial fractions. */
static double upper_tail(const struct wachter *law, double t)
{
    double half = tan(t / 2), rest = 1 - law->a - law->b, sum = t;
    if (law->low > 0)
        sum -= 2 * (law->b - law->a) *
               atan(sqrt(law->low / (law->low + law->width)) * half);
    if (law->gap > 0)
        sum -= 2 * rest * atan(sqrt((law->gap + law->width) / law->gap) * half);
    return sum / (2 * PI * law->a);
}

/*
 * E rho under the law: an integral over t whose ends may be corners (lambda- = 0 or
 * lambda+ = 1), so by the double exponential rule (Takahasi and Mori, 1974).
 */
static double mean_rho(const struct wachter *law)
{
    const double step = 6.4 / DE_NODES;
    double sum = 0;
    for (int i = -DE_NODES / 2; i <= DE_NODES / 2; i++) {
        double x = i * step, u = PI / 2 * sinh(x);
        double s = 1 / (1 + exp(2 * u)); /* t = pi s */
        double dt = PI * PI / 4 * cosh(x) / (cosh(u) * cosh(u));
        double c = cos(PI * s / 2), d = sin(PI * s / 2);
        double lambda = law->low + law->width * c * c;
        double rest = law->gap + law->width * d * d;
        if (lambda > 0 && rest > 0)
            sum += dt * (c * c / sqrt(lambda)) * (d * d / rest);
    }
    return law->width * law->width / (2 * PI * law->a) * sum * step;
}

/*
 * What sum rho has beyond p E rho, and its variance, from the cosine series of rho(t) at
 * midpoints; cos(k t) for one k after another by the recurrence of Chebyshev polynomials.
 */
static void finite_size(const struct wachter *law, double *excess, double *variance)
{
    double rho[NODES], cosine[NODES], now[NODES], before[NODES], sum = 0;
    for (int i = 0; i < NODES; i++) {
        double t = (i + 0.5) * PI / NODES;
        rho[i] = rho_at(law, t);
        cosine[i] = now[i] = cos(t);
        before[i] = 1;
        sum += rho[i];
    }
    *excess = (rho_at(law, 0) + sqrt(law->low)) / 4 - sum / NODES / 2;
    *variance = 0;
    for (int k = 1; k <= WAVES; k++) {
        double c = 0;
        for (int i = 0; i < NODES; i++) {
            double next = 2 * cosine[i] * now[i] - before[i];
            c += rho[i] * now[i] * 2 / NODES;
            before[i] = now[i];
            now[i] = next;
        }
        *variance += 0.5 * k * c * c;
    }
}

/* p = 1: rho^2 has the Beta(q/2, (m - q)/2) law, and E rho is a ratio of gammas. */
static double single_mean(double q, double m)
{
    int sign;
    return exp(lgamma_r((q + 1) / 2, &sign) - lgamma_r(q / 2, &sign) +
               lgamma_r(m / 2, &sign) - lgamma_r((m + 1) / 2, &sign));
}

/* Moments of the open correlations' mean, then of all. */
static void fill_moments(struct tg_cca_null *null)
{
    double p = (double)null->p, q = (double)null->q, m = (double)null->m;
    double count = p + (double)null->forced, square = q / m;
    double variance2 = 2 * q * (m - p) * (m - q) / (p * m * m * (m - 1) * (m + 2));
    struct wachter law = wachter_of(null);
    double mean, variance;
    if (null->p == 1) {
        mean = single_mean(q, m);
        variance = fmax(square - mean * mean, 0);
    } else {
        double excess;
        finite_size(&law, &excess, &variance);
        mean = mean_rho(&law) + excess / p;
        variance /= p * p;
    }
    null->floor = sqrt(law.low);
    null->edge = rho_at(&law, 0);
    null->mean.mean = (p * mean + (double)null->forced) / count;
    null->mean.sd = p / count * sqrt(variance);
    null->mean_squared.mean = (p * square + (double)null->forced) / count;
    null->mean_squared.sd = p / count * sqrt(variance2);
    null->spread = fmax(null->mean_squared.mean - null->mean.mean * null->mean.mean -
                            null->mean.sd * null->mean.sd,
                        0);
}

void tg_cca_null(int64_t n, int64_t r_a, int64_t r_b, struct tg_cca_null *null)
{
    int64_t m = n - 1, p = r_a < r_b ? r_a : r_b, q = r_a < r_b ? r_b : r_a;
    *null = (struct tg_cca_null){.m = m, .p = p, .q = q};
    if (p + q > m) {
        null->forced = p + q - m;
        null->p = m - q;
        null->q = m - p;
    }
    if (null->p > 0) {
        fill_moments(null);
        return;
    }
    null->mean = null->mean_squared = (struct tg_chance){.mean = 1};
    null->floor = null->edge = 1;
}

double tg_cca_null_rho(const struct tg_cca_null *null, int64_t k)
{
    if (k <= null->forced)
        return 1;
    struct wachter law = wachter_of(null);
    double tail = ((double)(k - null->forced) - 0.5) / (double)null->p;
    double low = 0, high = PI;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        if (upper_tail(&law, middle) < tail)
            low = middle;
        else
            high = middle;
    }
    return rho_at(&law, low);
}

double tg_cca_null_p(const struct tg_cca_null *null, double mean_squared)
{
    if (null->p == 0)
        return NAN;
    double p = (double)null->p, count = p + (double)null->forced;
    double x = (mean_squared * count - (double)null->forced) / p;
    double mean = (double)null->q / (double)null->m;
    double sd = null->mean_squared.sd * count / p;
    double size = mean * (1 - mean) / (sd * sd) - 1;
    return tg_beta_sf(x, mean * size, (1 - mean) * size);
}

int64_t tg_cca_significant(const struct tg_cca_null *null, const double *rho, double alpha,
                           double *p_value)
{
    double m = (double)null->m, p = (double)null->p, q = (double)null->q;
    double log_rest = 0, inverse = 0;
    if (p_value)
        *p_value = NAN;
    rho += null->forced;
    for (int64_t i = 0; i < null->p; i++)
        log_rest += log1p(-rho[i] * rho[i]);
    for (int64_t k = 0; k < null->p; k++) {
        double done = (double)k, factor = m - done - (p + q + 1) / 2 + inverse;
        double tail = tg_chi2_sf(-factor * log_rest, (p - done) * (q - done));
        if (p_value && k == 0)
            *p_value = tail;
        if (!(tail <= alpha))
            return k;
        inverse += 1 / (rho[k] * rho[k]);
        log_rest = 0; /* summed anew: taking a term away would leave inf - inf */
        for (int64_t i = k + 1; i < null->p; i++)
            log_rest += log1p(-rho[i] * rho[i]);
    }
    return null->p;
}

struct tg_chance tg_cca_null_weighted(const struct tg_cca_null *null, const double *w)
{
    struct tg_chance weighted = null->mean;
    int64_t count = null->p + null->forced;
    double unequal = 0;
    if (count == 1)
        return weighted;
    for (int64_t i = 0; i < count; i++)
        unequal += (w[i] - 1 / (double)count) * (w[i] - 1 / (double)count);
    /* given rho, shuffled weights have the variance unequal * sum (rho - mean)^2 / (count-1) */
    double within = null->spread * (double)count / (double)(count - 1);
    weighted.sd = sqrt(weighted.sd * weighted.sd + unequal * within);
    return weighted;
}

static double disjoint(const struct tg_table_sums *a)
{
    return a->total * a->total - a->same - a->reversed - a->tail - a->head - 2 * a->through;
}

struct tg_chance tg_table_chance(int64_t samples, const struct tg_table_sums *a,
                                 const struct tg_table_sums *b)
{
    double n = (double)samples, two = n * (n - 1), three = two * (n - 2), four = three * (n - 3);
    double mean = a->total * b->total / two;
    double square = (a->same * b->same + a->reversed * b->reversed) / two +
                    (a->tail * b->tail + a->head * b->head + 2 * a->through * b->through) / three +
                    disjoint(a) * disjoint(b) / four;
    return (struct tg_chance){
        .mean = mean, .sd = sqrt(fmax(square - mean * mean, 0)), .skewness = NAN};
}

/* tr (K - tr K / m)^3 over the m dimensions that centring leaves, in units of its sd^3. */
static double third(double m, const struct tg_gram_trace *k)
{
    double two = k->two - k->one * k->one / m;
    double three = k->three - 3 * k->one * k->two / m +
                   2 * k->one * k->one * k->one / (m * m);
    return two > 0 ? three / (two * sqrt(two)) : 0;
}

/* Skewness of tr(A O B O^T) for a random rotation O and traceless A, B of order m. */
static double skewness(double m, const struct tg_gram_trace *a,
                       const struct tg_gram_trace *b)
{
    double coefficient = 64.0 / 15 / (m * (m + 2) * (m + 4)) +
                         12.0 / 5 / (m * (m + 2) * (m - 1)) +
                         4.0 / 3 / (m * (m - 1) * (m - 2));
    return coefficient * third(m, a) * third(m, b) *
           pow((m - 1) * (m + 2) / 2, 1.5);
}

struct tg_chance tg_gram_chance(int64_t samples, const struct tg_gram_trace *a,
                            const struct tg_gram_trace *b)
{
    double n = (double)samples, m = n - 1;
    double rotation = 2 * (m * a->two - a->one * a->one) *
                      (m * b->two - b->one * b->one) / (m * m * (n + 1) * (n - 2));
    double da = n * (n + 1) * a->diagonal2 - m * (a->one * a->one + 2 * a->two);
    double db = n * (n + 1) * b->diagonal2 - m * (b->one * b->one + 2 * b->two);
    double variance = rotation + da * db / ((n + 1) * n * m * (n - 2) * (n - 3));
    return (struct tg_chance){.mean = a->one * b->one / m,
                            .sd = sqrt(fmax(variance, 0)),
                            .skewness = skewness(m, a, b)};
}

struct tg_chance tg_cka_debiased_chance(int64_t samples, const struct tg_gram_trace *a,
                                    const struct tg_gram_trace *b)
{
    double n = (double)samples;
    return (struct tg_chance){.sd = sqrt(2 / (n * (n - 3))),
                            .skewness = skewness(n - 1, a, b)};
}
