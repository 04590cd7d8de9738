#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for the plane of pca's first components, to plane.txt beside this file.

Needs numpy: points and steps are projected on singular vectors of the centred points, and what
is left is measured; the point of least loss is numpy.nanargmin's.
"""
import pathlib

import numpy as np


def cases():
    """Name, points, first points of runs, components, every how manieth point is taken."""
    rng = np.random.default_rng(1806)

    def short(x):
        """Few digits on paper, exact in binary and in single precision."""
        return np.round(np.asarray(x) * 256) / 256

    def walk(n, d):
        return np.cumsum(rng.normal(size=(n, d)), axis=0)

    yield "walk", short(walk(20, 30)), [0], 4, 1
    bend = np.linspace(0, 3, 25)[:, None]
    yield "bend", short(np.hstack([9 * np.cos(bend), 9 * np.sin(bend), 0.1 * walk(25, 12)])), [0], 3, 1
    yield "line", short(walk(12, 16)), [0], 1, 1
    yield "stride", short(walk(31, 20)), [0], 5, 3
    yield "runs", short(np.vstack([walk(9, 24), 5 + walk(14, 24), walk(7, 24)])), [0, 9, 23], 4, 1
    yield "float32", short(20 + walk(16, 40)).astype(np.float32), [0], 4, 1


def losses(n):
    """With a point of which nothing is known, and one without bound."""
    loss = np.round(np.random.default_rng(n).exponential(size=n), 3)
    loss[[n // 3, n // 2]] = np.nan, np.inf
    return loss


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def describe(runs, k):
    """Rows of one case: each run's steps and their sums."""
    points = np.vstack(runs)
    mean = points.mean(axis=0)
    axes = np.linalg.svd(points - mean, full_matrices=False)[2][: min(k, 2)]
    for x in runs:
        steps = np.diff(x, axis=0)
        length2 = np.sum(steps**2, axis=1)
        hidden2 = np.sum((steps - steps @ axes.T @ axes) ** 2, axis=1)
        off = x - mean - (x - mean) @ axes.T @ axes
        steps_off = np.linalg.norm(off[1:], axis=1) / np.sqrt(length2)
        walk = 1 - len(axes) / len(steps) if len(runs) == 1 else np.nan
        yield hidden2 / length2
        yield steps_off
        yield [
            np.mean(2 * hidden2 > length2), hidden2.sum() / length2.sum(), walk,
            np.median(steps_off),
        ]


def main():
    out = []
    for name, x, first, k, stride in cases():
        exact, loss = x.astype(np.float64), losses(len(x))
        out.append(f"case {name} {len(x)} {x.shape[1]} {int(x.dtype == np.float32)} {len(first)} {k} {stride}")
        out.append(" ".join(map(str, first)))
        out.extend(numbers(row) for row in x)
        runs = [run[::stride] for run in np.split(exact, first[1:])]
        out.extend(numbers(row) for row in describe(runs, k))
        out.append(numbers(loss))
        for run, own in zip(runs, np.split(loss, first[1:])):
            least = np.nanargmin(own[::stride])
            out.append(f"{least} " + numbers(np.linalg.norm(run - run[least], axis=1)))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
