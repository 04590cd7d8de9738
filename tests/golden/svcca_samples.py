#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures that compare samples with samples, straight from the definitions, to
svcca_samples.txt beside this file.

Needs numpy and scipy. RBF kernels with explicit centring matrices, debiased by U-centring, which
minibatches go by, too. RSA by scipy's pdist, spearmanr and kendalltau, whitened by the
covariance matrix of dissimilarities itself (as rsatoolbox's cosine_cov has it).
"""
import itertools
import pathlib

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, pearsonr, spearmanr

BANDWIDTHS = (0.2, 1, 50)
BATCH_SIZES = (5, 16, 100)
DISTANCES = {"correlation": "correlation", "euclidean": "euclidean", "squared": "sqeuclidean", "cosine": "cosine"}
NEIGHBOURS = (("euclidean", 1), ("euclidean", 7), ("cosine", 3), ("correlation", 5))


def centred(x):
    return x - x.mean(axis=0)


def u_centred(k):
    n = len(k)
    k = k - np.diag(np.diag(k))
    rows = k.sum(axis=0) / (n - 2)
    k = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    return k - np.diag(np.diag(k))


def cosine(k, l):
    return float(np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l)))


def kernel(x, share):
    apart = pdist(x)
    sigma = share * np.median(apart)
    return np.exp(-(squareform(apart) ** 2) / (2 * sigma**2))


def cka_rbf(x, y, share):
    h = np.eye(len(x)) - 1 / len(x)
    k, l = kernel(x, share), kernel(y, share)
    return [cosine(h @ k @ h, h @ l @ h), cosine(u_centred(k), u_centred(l))]


def cka_minibatch(x, y, size):
    """Of unbiased HSICs, each the mean over batches."""
    batches = max(1, len(x) // size)
    cuts = [i * len(x) // batches for i in range(batches + 1)]

    def hsic(a, b):
        values = []
        for first, last in zip(cuts, cuts[1:]):
            n = last - first
            k, l = (u_centred(z @ z.T) for z in (centred(a[first:last]), centred(b[first:last])))
            values.append(np.sum(k * l) / (n * (n - 3)))
        return np.mean(values)

    return [hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))]


def noise_covariance(n):
    """Of dissimilarities of samples with independent noise: (C C^T)^2, entry by entry."""
    i, j = np.triu_indices(n, 1)
    contrast = np.zeros((len(i), n))
    contrast[np.arange(len(i)), i] = 1
    contrast[np.arange(len(i)), j] = -1
    return (contrast @ contrast.T) ** 2


def rsa(x, y, distance):
    """Pearson, Spearman, Kendall's tau-b and tau-a, cosine and whitened cosine."""
    a, b = pdist(x, DISTANCES[distance]), pdist(y, DISTANCES[distance])
    whitened = np.linalg.solve(noise_covariance(len(x)), np.stack([a, b], axis=1))
    count = len(a) * (len(a) - 1) / 2
    tied = [count - sum(t * (t - 1) / 2 for t in np.unique(z, return_counts=True)[1]) for z in (a, b)]
    tau = kendalltau(a, b)[0]
    return [
        pearsonr(a, b)[0],
        spearmanr(a, b)[0],
        tau,
        tau * np.sqrt(tied[0] * tied[1]) / count,
        a @ b / np.sqrt(a @ a * (b @ b)),
        a @ whitened[:, 1] / np.sqrt(a @ whitened[:, 0] * (b @ whitened[:, 1])),
    ]


def knn(x, y, distance, k):
    def of(z):
        d = squareform(pdist(z, distance))
        if np.isnan(d).any():
            return np.full((len(z), k), np.nan)
        np.fill_diagonal(d, np.inf)
        return np.argsort(d, axis=1, kind="stable")[:, :k]

    a, b = of(x), of(y)
    if np.isnan(a).any() or np.isnan(b).any():
        return [np.nan]
    return [np.mean([len(set(p) & set(q)) / k for p, q in zip(a, b)])]


def scores(x, y, case):
    """Name, options and values of each measure."""
    # Rounding breaks ties of angles, and leaves nothing of them far from the origin.
    exact = {"ties": ("euclidean", "squared"), "large_means": ("euclidean", "squared", "correlation")}
    distances = exact.get(case, DISTANCES)
    for share in BANDWIDTHS:
        yield f"rbf {share}", cka_rbf(x, y, share)
    for size in BATCH_SIZES:
        yield f"minibatch {size}", cka_minibatch(x, y, size)
    for distance in distances:
        yield f"rsa {distance}", rsa(x, y, distance)
    for distance, k in NEIGHBOURS:
        if distance in distances:
            yield f"knn {distance} {k}", knn(x, y, distance, k)


def cases():
    rng = np.random.default_rng(20190501)

    def noise(n, d):
        return rng.normal(size=(n, d))

    def short(x):
        """Few digits on paper, exact in binary."""
        return np.round(np.asarray(x) * 1024) / 1024

    z = noise(71, 4)  # more than one block, and no multiple of anything
    x = short(z @ noise(4, 6) + 0.3 * noise(71, 6))
    w = short(np.maximum(z @ noise(4, 3) + 0.5 * noise(71, 3), 0) + 0.125)
    yield "plain", {"x": x, "y": short(z[:, :2] @ noise(2, 3) + noise(71, 3)), "w": w}

    yield "large_means", {"x": x[:30] + 2.0**20, "w": w[:30] - 5 * 2.0**18}

    grid = rng.integers(0, 3, size=(33, 3)).astype(float) + [1, 0, 0]
    yield "ties", {"grid": grid, "pairs": rng.integers(1, 4, size=(33, 2)).astype(float)}


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def main():
    out = []
    for name, layers in cases():
        out.append(f"case {name} {len(layers)}")
        for label, x in layers.items():
            out.append(f"layer {label} {x.shape[0]} {x.shape[1]}")
            out.extend(numbers(row) for row in x)
        pairs = list(itertools.combinations(layers, 2))
        rows = [scores(layers[a], layers[b], name) for a, b in pairs]
        for together in zip(*rows):  # one measure of all pairs
            out.append(f"score {together[0][0]}")
            out.extend(numbers(values) for _, values in together)
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\nend\n")


if __name__ == "__main__":
    main()
