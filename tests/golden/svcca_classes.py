#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for layers beside single outputs and subsets of units, to svcca_classes.txt.

Needs numpy. Shares of variance by least squares, on the data themselves.
"""
import pathlib

import numpy as np

N, D, C, M, Q = 40, 6, 3, 3, 4


def short(x):
    """Few digits on paper, exact in binary."""
    return np.round(np.asarray(x) * 1024) / 1024


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def explained(x, y):
    """R squared of each column of y by linear regression on x."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - np.sum(rest**2, axis=0) / np.sum(y**2, axis=0)


def main():
    rng = np.random.default_rng(20171207)
    z = rng.normal(size=(N, 4))
    x = short(z @ rng.normal(size=(4, D)) + 0.3 * rng.normal(size=(N, D)) + 100)
    y = short(z @ rng.normal(size=(4, C)) + rng.normal(size=(N, C)))
    labels = y.argmax(axis=1)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    k = int(np.argmax(np.cumsum(s**2) >= 0.9 * np.sum(s**2))) + 1
    units = rng.permutation(D)[:M]
    out = [f"{N} {D} {C} {M} {Q} {k}", numbers(x), numbers(y)]
    out.append(" ".join(str(label) for label in labels))
    for target in (y, np.eye(C)[labels]):
        r2 = explained(x, target)
        out.append(numbers(np.sqrt(r2)))
        out.append(numbers(np.sqrt(explained(u[:, :k], target))))
        out.append(numbers(1 - (1 - r2) * (N - 1) / (N - 1 - D)))
    out.append(" ".join(str(unit) for unit in units))
    out.append(numbers(explained(x[:, units], u[:, :Q])))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
