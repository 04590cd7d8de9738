#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for svcca, straight from the definitions, to svcca.txt beside this file.

Needs numpy and scipy. CCA by pivoted QR and singular values, SVCCA by a thin SVD of each
layer, CKA in sample space with explicit centring matrices, debiased CKA by U-centring.
"""
import itertools
import pathlib

import numpy as np
import scipy.linalg as la

THRESHOLD = 0.99


def centred(x):
    x = x.astype(np.longdouble)
    return (x - x.mean(axis=0)).astype(np.float64)


def rank_of(s, shape):
    return int(np.sum(s > s[0] * max(shape) * np.finfo(float).eps))


def cca(x, y):
    bases = []
    for z in (x, y):
        q, _, _ = la.qr(z, mode="economic", pivoting=True)
        bases.append(q[:, : rank_of(la.svdvals(z), z.shape)])
    return np.minimum(la.svdvals(bases[0].T @ bases[1]), 1)


def leading(s, power):
    share = np.cumsum(s**power) / np.sum(s**power)
    return int(np.argmax(share >= THRESHOLD)) + 1


def svcca(x, y, power):
    parts, ks = [], []
    for z in (x, y):
        u, s, vt = la.svd(z, full_matrices=False)
        s = s[: rank_of(s, z.shape)]
        k = leading(s, power)
        parts.append(u[:, :k] * s[:k])
        ks.append(k)
    return float(np.mean(cca(*parts))), ks


def cka(x, y):
    n = len(x)
    h = np.eye(n) - 1 / n
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    return float(np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l)))


def u_centred(x):
    n = len(x)
    k = x @ x.T
    np.fill_diagonal(k, 0)
    rows = k.sum(axis=0) / (n - 2)
    k = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(k, 0)
    return k


def cka_debiased(x, y):
    k, l = u_centred(x), u_centred(y)
    return float(np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l)))


def pwcca(x, y):
    """By the weights of x: alpha_i = sum_j |<h_i, x_j>| with h the variates of x."""
    bases = []
    for z in (x, y):
        u, s, _ = la.svd(z, full_matrices=False)
        bases.append(u[:, : rank_of(s, z.shape)])
    left, rho, _ = la.svd(bases[0].T @ bases[1], full_matrices=False)
    alpha = np.abs((bases[0] @ left).T @ x).sum(axis=1)
    return float(alpha @ np.minimum(rho, 1) / alpha.sum())


def procrustes(x, y):
    return float(la.svdvals(x.T @ y).sum() / (la.norm(x) * la.norm(y)))


def whitened(x, alpha=0.5):
    """X (alpha I + (1 - alpha) (X^T X)^(-1/2)) within the rank."""
    u, s, vt = la.svd(x, full_matrices=False)
    r = rank_of(s, x.shape)
    return (u[:, :r] * (alpha * s[:r] + 1 - alpha)) @ vt[:r]


def regression(x, y):
    """R squared of y explained by x."""
    fit = la.lstsq(x, y)[0]
    return 1 - float(la.norm(y - x @ fit) ** 2 / la.norm(y) ** 2)


def cases():
    rng = np.random.default_rng(20171205)

    def noise(n, d):
        return rng.normal(size=(n, d))

    def short(x):
        """Few digits on paper, exact in binary."""
        return np.round(np.asarray(x) * 1024) / 1024

    z = noise(48, 5)
    x = short(z @ noise(5, 7) + 0.3 * noise(48, 7))
    y = short(z[:, :3] @ noise(3, 5) + 0.5 * noise(48, 5))
    w = short(np.maximum(z @ noise(5, 9), 0))
    yield "plain", {"x": x, "y": y, "w": w}

    yield "large_means", {"x": x[:40] + 1e6, "y": y[:40] - 3e5 * np.arange(1, 6)}

    relu = np.column_stack([w[:, :6], w[:, 2], np.zeros(48), np.full(48, 2.5), w[:, 0] - w[:, 1]])
    yield "dead_and_duplicate_units", {"relu": relu, "y": y}

    yield "float32", {
        "x": (x[:36] / 3).astype(np.float32), "y": (y[:36] * 0.7).astype(np.float32)}

    yield "few_samples", {"x": short(noise(16, 14)), "y": short(noise(16, 6))}

    u = la.qr(noise(30, 6), mode="economic")[0]
    ill = (u * np.logspace(0, -4, 6)) @ la.qr(noise(6, 6))[0]
    yield "condition_1e4", {"ill": ill, "y": short(u[:, :4] @ noise(4, 4) + 0.2 * noise(30, 4))}


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def main():
    out = []
    for name, layers in cases():
        out.append(f"case {name} {len(layers)}")
        for label, x in layers.items():
            dtype = {"float64": 0, "float32": 1}[str(x.dtype)]
            s = la.svdvals(centred(x))
            s = s[: rank_of(s, x.shape)]
            out.append(f"layer {label} {x.shape[0]} {x.shape[1]} {dtype}")
            out.append(f"{len(s)} {leading(s, 2)} {leading(s, 1)} {numbers(s)}")
            out.extend(numbers(row) for row in x)
        for (_, x), (_, y) in itertools.combinations(layers.items(), 2):
            x, y = centred(x), centred(y)
            rho = cca(x, y)
            ranks = [rank_of(la.svdvals(v), v.shape) for v in (x, y)]
            forced = max(0, sum(ranks) - (len(x) - 1))
            out.append(
                f"pair {forced} " + numbers(
                    [rho.mean(), np.mean(rho**2), svcca(x, y, 2)[0], svcca(x, y, 1)[0],
                     cka(x, y), cka_debiased(x, y), pwcca(x, y), pwcca(y, x),
                     procrustes(x, y), procrustes(whitened(x), whitened(y)),
                     regression(x, y), regression(y, x)]))
            out.append(f"{len(rho)} {numbers(rho)}")
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
