#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for pca, to pca.txt beside this file.

Needs numpy and scikit-learn: variances, ratios and scores are those of sklearn's PCA with
svd_solver="full" in double precision; the null of measured steps, the effective dimension and
the walk's ratios come from dense eigenvalues and plain sums.
"""
import pathlib

import numpy as np
from sklearn.decomposition import PCA

COMPONENTS = 4


def walk_ratios(step2):
    """Explained variance of a walk with orthogonal steps of these squared lengths."""
    path = np.vstack([np.zeros(len(step2)), np.tril(np.ones((len(step2),) * 2)) * np.sqrt(step2)])
    values = np.linalg.svd(path - path.mean(axis=0), compute_uv=False) ** 2
    return values[:COMPONENTS] / values.sum()


def d_eff(steps):
    unit = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    cosine = unit @ unit.T
    return 1 / np.mean(cosine[np.triu_indices(len(steps), 1)] ** 2)


def cases():
    rng = np.random.default_rng(20181209)

    def short(x):
        """Few digits on paper, exact in binary and in single precision."""
        return np.round(np.asarray(x) * 256) / 256

    walk = np.cumsum(rng.normal(size=(24, 60)), axis=0)
    yield "wide", short(walk)
    yield "tall", short(rng.normal(size=(50, 6)) * np.arange(6, 0, -1) + 4)
    drift = np.linspace(0, 3, 20)[:, None] * rng.normal(size=40)
    decay = np.exp(-np.arange(20) / 8)[:, None]
    yield "far_from_origin", short(1e5 + drift + np.cumsum(decay * rng.normal(size=(20, 40)), axis=0))
    yield "float32", short(5 + walk[:20, :40] / 4).astype(np.float32)
    tall = np.cumsum(rng.normal(size=(40, 5)), axis=0)
    yield "tall_float32", short(100 + tall).astype(np.float32)


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def main():
    out = []
    for name, x in cases():
        dtype = {"float64": 0, "float32": 1}[str(x.dtype)]
        exact = x.astype(np.float64)
        pca = PCA(n_components=COMPONENTS, svd_solver="full")
        scores = pca.fit_transform(exact)
        scores *= np.sign(scores[np.argmax(np.abs(scores), axis=0), np.arange(COMPONENTS)])
        steps = np.diff(exact, axis=0)
        n = len(x)
        out.append(f"case {name} {x.shape[0]} {x.shape[1]} {dtype} {COMPONENTS}")
        out.extend(numbers(row) for row in x)
        out.append(numbers(pca.explained_variance_))
        out.append(numbers(pca.explained_variance_ratio_))
        out.append(numbers(walk_ratios(np.ones(n - 1))))
        out.append(numbers(walk_ratios(np.sum(steps**2, axis=1))))
        out.append(numbers([exact.var(axis=0, ddof=1).sum(), d_eff(steps)]))
        out.extend(numbers(row) for row in scores)
        out.append(numbers(np.linalg.norm(steps, axis=1)))
        out.append(numbers(np.linalg.norm(exact - exact[0], axis=1)))
        out.append(numbers(np.linalg.norm(exact - exact[-1], axis=1)))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
