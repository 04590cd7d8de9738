#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for heads on projected layers, straight from the definitions, to svcca_head.txt.

Needs numpy. A layer is projected on directions from its thin SVD, or keeps its units of largest
mean |activation|; then the head is applied anew. Factors come from the pseudo-inverse.
"""
import pathlib

import numpy as np

N, D, C, K = 70, 6, 3, 2


def short(x):
    """Few digits on paper, exact in binary."""
    return np.round(np.asarray(x) * 1024) / 1024


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def curve(layers, x, w, b, labels):
    """Accuracy and share of the outputs' variance lost, of each projected layer."""
    full = x @ w + b
    variance = np.sum((full - full.mean(axis=0)) ** 2)
    for layer in layers:
        y = layer @ w + b
        yield np.mean(y.argmax(axis=1) == labels), np.sum((full - y) ** 2) / variance


def projected(x, u):
    mean = x.mean(axis=0)
    for k in range(u.shape[1] + 1):
        yield mean + u[:, :k] @ u[:, :k].T @ (x - mean)


def kept_units(x, order):
    for k in range(D + 1):
        some = np.tile(x.mean(axis=0), (N, 1))
        some[:, order[:k]] = x[:, order[:k]]
        yield some


def case(offset):
    rng = np.random.default_rng(20171206)
    z = rng.normal(size=(N, 3))
    x = short(z @ rng.normal(size=(3, D)) + 0.4 * rng.normal(size=(N, D)) + offset)
    w, b = short(rng.normal(size=(D, C))), short(rng.normal(size=C))
    y = x @ w + b
    labels = (y - y.mean(axis=0) + rng.normal(size=(N, C))).argmax(axis=1)
    u, _, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    order = np.argsort(-np.abs(x).mean(axis=0), kind="stable")
    inner = np.linalg.pinv(x - x.mean(axis=0)) @ u[:, :K]
    outer = u[:, :K].T @ (y - y.mean(axis=0))
    yield numbers(x)
    yield numbers(w)
    yield numbers(b)
    yield " ".join(str(label) for label in labels)
    yield numbers(list(curve(projected(x, u), x, w, b, labels)))
    yield " ".join(str(unit) for unit in order)
    yield numbers(list(curve(kept_units(x, order), x, w, b, labels)))
    yield numbers(inner @ outer)
    yield numbers(y.mean(axis=0) - x.mean(axis=0) @ inner @ outer)


def main():
    out = [f"{N} {D} {C} {K}"]
    for offset in (0, 300):
        out.extend(case(offset))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
