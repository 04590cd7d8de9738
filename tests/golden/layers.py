#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for pca's layers, to layers.txt beside this file.

Needs numpy: each tensor's coordinates by themselves, in the window, from their definitions.
"""
import pathlib

import numpy as np


def cases():
    rng = np.random.default_rng(20260117)

    def short(x):
        """Few digits on paper, exact in binary and in single precision."""
        return np.round(np.asarray(x) * 256) / 256

    walk = np.cumsum(rng.normal(size=(14, 36)) * np.repeat([3, 1, 0.25], 12), axis=0)
    yield "walk", short(walk), [(20, 1.0), (1, 1.0), (15, 1.0)], (0, 14, 1)
    yield "weighted", short(200 + walk), [(12, 0.25), (12, 1.0), (12, 9.0)], (0, 14, 1)
    yield "window", short(walk), [(30, 2.0), (6, 1.0)], (3, 13, 2)
    still = short(walk)
    still[:, 10:20] = 7
    yield "still", still, [(10, 1.0), (10, 1.0), (16, 1.0)], (0, 14, 1)
    yield "float32", short(walk).astype(np.float32), [(18, 1.0), (18, 4.0)], (1, 14, 1)


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def describe(part):
    """ratio, d_eff, step_norm, path, distance"""
    centred = part - part.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False) ** 2
    steps = np.diff(part, axis=0)
    norms = np.linalg.norm(steps, axis=1)
    if not norms.any():
        return [np.nan, np.nan, 0, 0, 0]
    unit = steps / norms[:, None]
    cosines = (unit @ unit.T)[np.tril_indices(len(unit), -1)]
    distance = np.linalg.norm(part[-1] - part[0])
    return [values[0] / values.sum(), 1 / np.mean(cosines**2), norms.mean(), norms.sum(), distance]


def main():
    out = []
    for name, x, tensors, window in cases():
        points = x.astype(np.float64)[slice(*window)]
        ends = np.cumsum([n for n, _ in tensors])[:-1]
        parts = np.split(points, ends, axis=1)
        spread = [w * np.sum((p - p.mean(0)) ** 2) for p, (_, w) in zip(parts, tensors)]
        single = x.dtype == np.float32
        out.append(f"case {name} {len(x)} {int(single)} {len(tensors)} {window[0]} {window[1]} {window[2]}")
        out.extend(f"{n} {w}" for n, w in tensors)
        out.extend(numbers(row) for row in x)
        out.extend(numbers([s / sum(spread), *describe(p)]) for s, p in zip(spread, parts))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
