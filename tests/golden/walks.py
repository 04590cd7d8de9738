#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for the null models of pca, to walks.txt beside this file.

Needs numpy and scipy. Everything is dense and from the definitions: a walk is a matrix that
takes independent noise to points, its spectrum that of the centred product; a likelihood is
slogdet and an inverse, its maximum scipy's, its interval a root of the profile.
"""
import pathlib

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar

MODES = 5
DROP = 1.9207294103470623  # half of chi-square's 95 % point, one degree of freedom


def chain(m, g, first):
    """Covariance of a_1 .. a_m, a_t = g a_{t-1} + noise, Var a_1 = first."""
    solve = np.linalg.inv(np.eye(m) - g * np.eye(m, k=-1))
    noise = np.ones(m)
    noise[0] = first
    return solve @ np.diag(noise) @ solve.T


def trap(m, alpha):
    """Takes z_1 .. z_m to u_0 .. u_m, u_t = (1 - alpha) u_{t-1} + z_t from 0."""
    inner = np.linalg.inv(np.eye(m) - (1 - alpha) * np.eye(m, k=-1))
    return np.vstack([np.zeros(m), inner])


def steps(m, kind):
    s = np.arange(m)
    return {"ones": np.ones(m), "cosine": (1 + np.cos(np.pi * s / m)) / 2,
            "drop": np.where(s < m // 2, 1, 0.1)}[kind] ** 2


def nulls():
    for n in (3, 12, 50, 200):
        m = n - 1
        yield n, 0, 0, 1, 0, "none"
        yield n, 0, 0.9, 1, 0, "none"
        yield n, 0, -0.5, 1 / 0.75, 0, "none"
        yield n, 0.02, 0, 1, 0, "none"
        yield n, 0.02, 0, 1, 0.02 / 1.98, "none"
        yield n, 0, 0, 1, 0.3, "none"
        yield n, 0.1, 0.4, 1, 0.2, "cosine"
        yield n, 0, 0, 1, 0, "drop"


def spectrum(n, alpha, g, first, shared, kind):
    m = n - 1
    cov = chain(m, g, first) + shared
    if kind != "none":
        scale = np.sqrt(steps(m, kind) / np.diag(cov))
        cov = scale[:, None] * cov * scale
    lift = trap(m, alpha)
    lift = lift - lift.mean(axis=0)
    values, vectors = np.linalg.eigh(lift @ cov @ lift.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors * np.where(vectors[0] < 0, -1, 1)
    ratio = values / values.sum()
    k = min(MODES, m)
    return k, values.sum(), np.sum(ratio**2), ratio[:k], vectors[:, 0]


def bands():
    """Standard deviations of the ratios of 4000 walks with noise of unequal spread."""
    rng = np.random.default_rng(60792)
    n, d = 30, 150
    spread = 1 / (1 + np.arange(d) / 100)
    ratios = []
    for _ in range(4000):
        x = np.cumsum(spread * rng.normal(size=(n, d)), axis=0)
        x -= x.mean(axis=0)
        values = np.linalg.eigvalsh(x @ x.T)[::-1]
        ratios.append(values[:3] / values.sum())
    variance = spread**2
    return n, variance.sum() ** 2 / np.sum(variance**2), np.std(ratios, axis=0)


class Model:
    """One null: the covariance of the steps over its parameters, up to sigma^2."""

    def __init__(self, x):
        self.u = x - x[0]
        self.m = len(x) - 1
        self.steps = np.diff(x, axis=0)

    def cov(self, p):
        return np.eye(self.m)

    def log_likelihood(self, p):
        cov = self.cov(p)
        trace = np.trace(np.linalg.solve(cov, self.steps @ self.steps.T))
        return -0.5 * (self.m * np.log(trace / self.m) + np.linalg.slogdet(cov)[1])


def walk(x):
    return Model(x), []


def root(cov):
    values, vectors = np.linalg.eigh(cov)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def drift(x):
    model = Model(x)
    model.cov = lambda p: np.eye(model.m) + p[0]
    return model, ["shared"]


def momentum(x, stationary):
    model = Model(x)
    model.cov = lambda p: chain(model.m, p[0], 1 / (1 - p[0]**2) if stationary else 1)
    return model, ["momentum"]


def trap_model(x, shared):
    """shared(p): what z_t have in common. Steps are differences of the lifted z."""
    model = Model(x)

    def cov(p):
        lift = np.diff(trap(model.m, p[0]), axis=0)
        return lift @ (np.eye(model.m) + shared(p)) @ lift.T
    model.cov = cov
    return model, ["alpha"]


def unit(x):
    """The walk whose steps are x's, each of length 1."""
    s = np.diff(x, axis=0)
    s /= np.linalg.norm(s, axis=1, keepdims=True)
    return np.vstack([np.zeros(x.shape[1]), np.cumsum(s, axis=0)])


def models(x):
    plain = Model(x)
    length2 = np.sum(plain.steps**2, axis=1)
    yield "walk", *walk(x), 0
    yield "walk_steps", *walk(unit(x)), np.sum(np.log(length2))
    yield "drift", *drift(x), 0
    yield "drift_steps", *drift(unit(x)), np.sum(np.log(length2))
    yield "momentum", *momentum(x, False), 0
    yield "momentum_stationary", *momentum(x, True), 0
    yield "momentum_steps", *momentum(unit(x), True), np.sum(np.log(length2))
    yield "trap", *trap_model(x, lambda p: 0), 0
    yield "trap_stationary", *trap_model(x, lambda p: p[0] / (2 - p[0])), 0
    model, names = trap_model(x, lambda p: p[1])
    yield "trap_far", model, names + ["shared"], 0


BOUNDS = {"alpha": (0, 1), "momentum": (-1 + 1e-9, 1 - 1e-9), "shared": (0, 1e3)}


def best_scalar(f, lo, hi):
    """Maximum over a fine grid, polished."""
    grid = np.linspace(lo, hi, 400) if lo < 0 else hi * np.linspace(0, 1, 400) ** 3
    i = int(np.argmax([f(v) for v in grid]))
    got = minimize_scalar(lambda v: -f(v), bounds=(grid[max(i - 1, 0)], grid[min(i + 1, 399)]),
                          method="bounded", options={"xatol": 1e-12})
    return (got.x, -got.fun) if -got.fun >= f(grid[i]) else (grid[i], f(grid[i]))


def profile(model, names, which, value):
    """Highest likelihood with parameter number `which` held."""
    if len(names) == 1:
        return model.log_likelihood([value])
    other = 1 - which

    def f(v):
        p = [0.0, 0.0]
        p[which], p[other] = value, v
        return model.log_likelihood(p)
    lo, hi = BOUNDS[names[other]]
    # one smooth valley each way; a start at several places stands for a grid
    tries = [minimize_scalar(lambda v: -f(v), bounds=(lo, b), method="bounded",
                             options={"xatol": 1e-13}) for b in (hi, hi / 30, hi / 900)]
    return max([-t.fun for t in tries] + [f(lo), f(hi)])


def fit(model, names):
    if not names:
        return [], model.log_likelihood([])
    if len(names) == 1:
        value, top = best_scalar(lambda v: model.log_likelihood([v]), *BOUNDS[names[0]])
        return [value], top
    best = None
    for a in (1e-3, 1e-2, 0.1, 0.5):
        for s in (1e-3, 0.1, 3):
            got = minimize(lambda p: -model.log_likelihood(np.exp(p)), np.log([a, s]),
                           method="Nelder-Mead",
                           options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000,
                                    "maxfev": 8000})
            if best is None or got.fun < best.fun:
                best = got
    return list(np.exp(best.x)), -best.fun


def interval(model, names, which, value, top, d):
    f = lambda v: profile(model, names, which, v) - (top - DROP / d)
    lo, hi = BOUNDS[names[which]]
    if names[which] == "shared":
        hi = 1.0 + 2 * value
        while f(hi) > 0:
            hi *= 2
    edge = [b if f(b) >= 0 else brentq(f, value, b, xtol=1e-14, rtol=1e-12) for b in (lo, hi)]
    return edge


def innovations(name, x, p):
    """Independent noise: lower triangular for chains and traps, symmetric for common parts."""
    s = np.diff(unit(x) if name.endswith("_steps") else x, axis=0)
    m = len(s)
    if name.startswith("momentum"):
        return np.vstack([s[:1], s[1:] - p[0] * s[:-1]])
    alpha = p[0] if name.startswith("trap") else 0
    u = x - x[0]
    z = s + alpha * u[:-1] if alpha else s
    shared = {"drift": lambda: p[0], "drift_steps": lambda: p[0],
              "trap_stationary": lambda: p[0] / (2 - p[0]),
              "trap_far": lambda: p[1]}.get(name, lambda: 0)()
    return root(np.eye(m) + shared) @ z


def d_eff(z):
    length = np.linalg.norm(z, axis=1)
    cosine = (z @ z.T / np.outer(length, length))[np.triu_indices(len(z), 1)]
    return min(1 / np.var(cosine, ddof=1), z.shape[1])


def trajectories():
    rng = np.random.default_rng(18060888)
    n, d = 24, 30
    spread = 1 / (1 + np.arange(d) / 6)

    def noise():
        return spread * rng.normal(size=(n - 1, d))
    yield "a walk", np.vstack([np.zeros(d), np.cumsum(noise(), axis=0)])
    mu = 0.5 * spread * rng.normal(size=d)
    yield "drifting", np.vstack([np.zeros(d), np.cumsum(noise() + mu, axis=0)])
    v = np.zeros(d)
    path = [np.zeros(d)]
    for z in noise():
        v = 0.7 * v + z
        path.append(path[-1] + v)
    yield "momentum", np.array(path)
    x = 12 * spread * rng.normal(size=d)
    path = [x]
    for z in noise():
        x = 0.8 * x + z
        path.append(x)
    yield "falling", np.array(path)
    decay = np.exp(-np.arange(n - 1) / 6)[:, None]
    yield "cooling", np.vstack([np.zeros(d), np.cumsum(decay * noise(), axis=0)])


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def fit_lines(name, x):
    found = {}
    for label, model, names, offset in models(x):
        p, top = fit(model, names)
        found[label] = (model, names, p, top - 0.5 * offset)
    base = found["walk"][3]
    likeliest = max(found, key=lambda label: found[label][3])
    d = d_eff(innovations(likeliest, x, found[likeliest][2]))
    yield f"fit {x.shape[0]} {x.shape[1]} {name.replace(' ', '_')}"
    yield from (numbers(row) for row in x)
    yield f"{likeliest} {numbers([d])}"
    m = len(x) - 1
    for label, (model, names, p, top) in found.items():
        count = len(names) + (m if label.endswith("_steps") else 1)
        aic = 2 * count - 2 * d * (top - base)
        own = model.log_likelihood(p)
        line = [f"{label} {len(names)} {numbers([top - base, aic])}"]
        for i, parameter in enumerate(names):
            lo, hi = interval(model, names, i, p[i], own, d)
            line.append(f"{parameter} {numbers([p[i], lo, hi])}")
        yield " ".join(line)


def main():
    out = []
    for spec in nulls():
        k, trace, square, ratio, mode = spectrum(*spec)
        out.append(f"null {spec[0]} {numbers(spec[1:5])} {spec[5]} {k}")
        out.append(numbers([trace, square, *ratio]))
        out.append(numbers(mode))
    n, effective, band = bands()
    out.append(f"bands {n} {numbers([effective, *band])}")
    for name, x in trajectories():
        out.extend(fit_lines(name, np.round(x * 1024) / 1024))
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
