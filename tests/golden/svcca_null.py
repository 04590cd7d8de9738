#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes svcca_null.txt: what unrelated layers show, by integration, enumeration and simulation."""
import itertools
import pathlib

import numpy as np
import scipy.linalg as la
from scipy import integrate, optimize, stats

RNG = np.random.default_rng(19801205)


def ends(p, q, m):
    a, b = p / m, q / m
    return [(np.sqrt(a * (1 - b)) + sign * np.sqrt(b * (1 - a))) ** 2 for sign in (-1, 1)]


def wachter(p, q, m):
    """E rho, the edge, and the quantiles of rho at 1 - (k - 1/2) / p, by integrating the density."""
    low, high = ends(p, q, m)

    def mass(f, start):
        # x = high - (high - low) u^2 takes the root of the density out of the integrand
        def g(u):
            x = high - (high - low) * u * u
            root = np.sqrt((high - x) * (x - low))
            return f(x) * root / (2 * np.pi * (p / m) * x * (1 - x)) * 2 * (high - low) * u
        end = np.sqrt((high - start) / (high - low))
        return integrate.quad(g, 0, end, limit=400, epsabs=1e-13)[0]

    quantiles = []
    for k in (1, (p + 1) // 2, p):
        tail = (k - 0.5) / p
        quantiles.append(np.sqrt(optimize.brentq(lambda x: mass(np.ones_like, x) - tail, low, high, xtol=1e-15)))
    return [mass(np.sqrt, low), np.sqrt(high), *quantiles]


def exact_two(q, m):
    """Mean and sd of the mean of two correlations, from their joint density."""
    def density(y, x):  # in rho: (rho_1 rho_2)^(q-2) ((1-rho_1^2)(1-rho_2^2))^((m-q-3)/2) |rho_1^2-rho_2^2|
        return (x * y) ** (q - 2) * ((1 - x * x) * (1 - y * y)) ** ((m - q - 3) / 2) * (x * x - y * y)

    def moment(f):
        return integrate.dblquad(lambda y, x: f((x + y) / 2) * density(y, x), 0, 1, 0, lambda x: x,
                                 epsabs=1e-12)[0]
    total = moment(lambda s: 1)
    mean = moment(lambda s: s) / total
    return mean, np.sqrt(moment(lambda s: (s - mean) ** 2) / total)


def draws(n, r1, r2, count):
    """Canonical correlations of unrelated Gaussian layers."""
    out = np.empty((count, min(r1, r2)))
    for row in out:
        q1, q2 = (la.qr(x - x.mean(0), mode="economic")[0]
                  for x in (RNG.normal(size=(n, r1)), RNG.normal(size=(n, r2))))
        row[:] = np.minimum(la.svdvals(q1.T @ q2), 1)
    return out


def gram(n, d):
    x = np.round(RNG.normal(size=(n, d)) ** 3 * 64) / 64
    x -= x.mean(0)
    return x @ x.T


def traces(k):
    return [np.trace(k), np.trace(k @ k), np.trace(k @ k @ k), np.sum(np.diag(k) ** 2)]


def u_centred(k):
    n = len(k)
    k = k - np.diag(np.diag(k))
    rows = k.sum(0) / (n - 2)
    k = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    return k - np.diag(np.diag(k))


def enumerated(k, l):
    """Mean and sd over every permutation: of the inner product, and of debiased CKA."""
    ku, lu = u_centred(k), u_centred(l)
    plain, debiased = [], []
    for order in itertools.permutations(range(len(k))):
        pick = np.ix_(order, order)
        plain.append(np.sum(k * l[pick]))
        debiased.append(np.sum(ku * lu[pick]) / np.sqrt(np.sum(ku**2) * np.sum(lu**2)))
    return np.mean(plain), np.std(plain), np.mean(debiased), np.std(debiased)


def rotated_skewness(k, l, count):
    """Of tr(K O L O^T) over random rotations that fix the mean, with its standard error."""
    n = len(k)
    basis = la.svd(np.eye(n) - 1 / n)[0][:, : n - 1]
    a, b = la.eigvalsh(basis.T @ k @ basis), la.eigvalsh(basis.T @ l @ basis)
    values = []
    for _ in range(count):
        o = stats.ortho_group.rvs(n - 1, random_state=RNG)
        values.append(a @ o**2 @ b)
    parts = [stats.skew(part) for part in np.array_split(values, 20)]
    return stats.skew(values), np.std(parts) / np.sqrt(20)


def bartlett(rho, p, q, m, alpha=0.05):
    found, first = p, None
    for k in range(p):
        factor = m - k - (p + q + 1) / 2 + np.sum(rho[:k] ** -2.0)
        tail = stats.chi2.sf(-factor * np.sum(np.log1p(-rho[k:] ** 2)), (p - k) * (q - k))
        first = tail if k == 0 else first
        if tail > alpha:
            found = k
            break
    return found, first


def main():
    out = []

    def line(name, *values):
        out.append(" ".join([name, *(repr(float(v)) for v in values)]))

    for p, q, m in [(2, 2, 30), (5, 9, 40), (20, 20, 199), (10, 30, 40), (50, 100, 1999), (500, 500, 9999),
                    (40, 60, 120)]:
        line("wachter", p, q, m, *wachter(p, q, m))
    for q, m in [(2, 9), (2, 49), (3, 20), (12, 60)]:
        line("two", q, m, *exact_two(q, m))
    for n, r1, r2, count in [(40, 3, 3, 20000), (60, 6, 4, 10000), (50, 30, 25, 3000), (200, 30, 90, 400)]:
        rho = draws(n, r1, r2, count)
        mean, square = rho.mean(1), (rho**2).mean(1)
        line("draws", n, r1, r2, count, mean.mean(), mean.std(), square.mean(), square.std(),
             *np.quantile(square, [0.5, 0.95, 0.99]))
    for d1, d2 in [(1, 1), (2, 5), (4, 3), (9, 9)]:
        k, l = gram(7, d1), gram(7, d2)
        line("permuted", 7, *traces(k), *traces(l), *enumerated(k, l))
    for n, d1, d2 in [(6, 1, 2), (9, 3, 3), (20, 4, 30)]:
        k, l = gram(n, d1), gram(n, d2)
        line("rotated", n, *traces(k), *traces(l), *rotated_skewness(k, l, 20000))
    for p, q, m in [(4, 6, 60), (5, 5, 400)]:
        rho = np.sort(np.round(RNG.uniform(0.02, 0.4, p), 3))[::-1]
        rho[:2] = 0.9, 0.75
        line("bartlett", p, q, m, *bartlett(rho, p, q, m), *rho)
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
