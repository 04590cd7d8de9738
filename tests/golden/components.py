#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for the directions of pca's components, to components.txt beside this file.

Needs numpy: singular value decomposition of the centred points, each tensor's coordinates times
the square root of its weight.
"""
import pathlib

import numpy as np

COMPONENTS = 3


def cases():
    rng = np.random.default_rng(20260104)

    def short(x):
        """Few digits on paper, exact in binary and in single precision."""
        return np.round(np.asarray(x) * 256) / 256

    walk = np.cumsum(rng.normal(size=(14, 36)), axis=0)
    yield "walk", short(walk), [(36, 1.0)]
    yield "layers", short(300 + walk), [(20, 1.0), (1, 4.0), (15, 0.25)]
    yield "tall", short(rng.normal(size=(30, 5)) * np.arange(5, 0, -1)), [(2, 3.0), (3, 1.0)]
    yield "float32", short(walk / 4).astype(np.float32), [(30, 1.0), (6, 2.0)]


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def main():
    out = []
    for name, x, tensors in cases():
        single = x.dtype == np.float32
        root = np.concatenate([np.full(n, w**0.5) for n, w in tensors])
        y = x.astype(np.float64) * root
        y -= y.mean(axis=0)
        u, s, vt = np.linalg.svd(y, full_matrices=False)
        scores = u[:, :COMPONENTS] * s[:COMPONENTS]
        sign = np.sign(scores[np.argmax(np.abs(scores), axis=0), np.arange(COMPONENTS)])
        v = vt[:COMPONENTS] * sign[:, None]
        ends = np.cumsum([n for n, _ in tensors])[:-1]
        out.append(f"case {name} {len(x)} {int(single)} {COMPONENTS} {len(tensors)}")
        out.extend(f"{n} {w}" for n, w in tensors)
        out.extend(numbers(row) for row in x)
        out.extend(numbers(row) for row in v)
        out.extend(numbers([np.sum(part**2) for part in np.split(row, ends)]) for row in v)
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
