#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference values for DFT-CCA, straight from its definition, to svcca_dft.txt beside this file.

Needs numpy and scipy. numpy.fft of every map, and for each of all h w frequencies (both halves) a
complex QR and SVD; off-block energy from the Gram matrix of all coefficients at once.
"""
import itertools
import pathlib

import numpy as np
import scipy.linalg as la

THRESHOLD = 0.9
EPS = np.finfo(float).eps


def signed(size):
    return np.rint(np.fft.fftfreq(size) * size).astype(int)


def coefficients(x):
    """{(fy, fx): n x c}, centred, by a unitary transform of n x h x w x c."""
    x = x - x.mean(axis=0)
    z = np.fft.fft2(x, axes=(1, 2), norm="ortho")
    return {
        (fy, fx): z[:, i, j, :]
        for i, fy in enumerate(signed(x.shape[1]))
        for j, fx in enumerate(signed(x.shape[2]))
    }


class Layer:
    def __init__(self, x):
        self.h, self.w = x.shape[1:3]
        self.n = len(x)
        self.z = coefficients(x)
        self.s, self.u, self.vt = {}, {}, {}
        for f, z in self.z.items():
            self.u[f], self.s[f], self.vt[f] = la.svd(z, full_matrices=False)
        every = np.sort(np.concatenate(list(self.s.values())))[::-1]
        limit = every[0] * max(self.n, every.size) * EPS
        self.every = every[every > limit]
        self.rank = {f: int(np.sum(s > limit)) for f, s in self.s.items()}
        self.k = [self.cut(power) for power in (2, 1)]

    def cut(self, power):
        """Directions of each frequency; values that are equal (conjugates) go together."""
        share = np.cumsum(self.every**power) / np.sum(self.every**power)
        last = self.every[int(np.argmax(share >= THRESHOLD))]
        return {f: int(np.sum(s[: self.rank[f]] >= last * (1 - 1e-9))) for f, s in self.s.items()}

    def basis(self, f, k):
        q, _, _ = la.qr(self.u[f][:, :k] * self.s[f][:k], mode="economic", pivoting=True)
        return q

    def within(self, f):
        r = self.rank[f]
        return (self.u[f][:, :r] * self.s[f][:r]) @ self.vt[f][:r]

    def whitened(self, f, alpha=0.5):
        r = self.rank[f]
        return (self.u[f][:, :r] * (alpha * self.s[f][:r] + 1 - alpha)) @ self.vt[f][:r]

    def off_block(self):
        """Share of ||Z^H Z||^2 off the blocks, and the same with each product unbiased."""
        fs = list(self.z)
        raw, unbiased = [0.0, 0.0], [0.0, 0.0]
        for f, g in itertools.product(fs, fs):
            off = int(f != g)
            raw[off] += square(self.z[f].conj().T @ self.z[g])
            unbiased[off] += hsic(self.z[f], self.z[g])
        return raw[1] / sum(raw), unbiased[1] / sum(unbiased)


def square(x):
    return float(np.sum(np.abs(x) ** 2))


def hsic(x, y):
    """||X^H Y||^2 with the expectation for unrelated samples taken off; x, y centred."""
    n = len(x)
    p, q = (np.sum(np.abs(v) ** 2, axis=1) for v in (x, y))
    return (square(x.conj().T @ y) - n / (n - 2) * float(p @ q)
            + float(p.sum() * q.sum()) / ((n - 1) * (n - 2)))


def common(a, b):
    """Frequencies of both: all along an axis of one size, else below the smaller Nyquist."""
    for fy, fx in a.z:
        if ((a.h == b.h or 2 * abs(fy) < min(a.h, b.h))
                and (a.w == b.w or 2 * abs(fx) < min(a.w, b.w))):
            yield fy, fx


def correlations(a, b, ka, kb):
    lists = {}
    for f in common(a, b):
        m = a.basis(f, ka[f]).conj().T @ b.basis(f, kb[f])
        lists[f] = np.minimum(la.svdvals(m), 1) if min(m.shape) else np.zeros(0)
    return lists


def mean_correlation(a, b, ka, kb):
    lists = correlations(a, b, ka, kb)
    count = min(sum(ka[f] for f in lists), sum(kb[f] for f in lists))
    return float(sum(v.sum() for v in lists.values())) / count


def explained(x, y):
    """Sum of squares of y that a linear map of x gives."""
    return square(x @ la.lstsq(x, y)[0])


def scores(a, b):
    fs = list(common(a, b))
    lists = correlations(a, b, a.rank, b.rank)
    count = min(sum(a.rank[f] for f in fs), sum(b.rank[f] for f in fs))
    x, y = ({f: v.z[f] for f in fs} for v in (a, b))

    def total(fn, left, right):
        return sum(fn(left[f], right[f]) for f in fs)

    def product(u, v):
        return square(u.conj().T @ v)

    def nuclear(u, v):
        return float(la.svdvals(u.conj().T @ v).sum())

    def norm2(u, v):
        return square(u)

    wa, wb = ({f: v.whitened(f) for f in fs} for v in (a, b))
    return [
        sum(v.sum() for v in lists.values()) / count,
        sum((v**2).sum() for v in lists.values()) / count,
        sum(a.rank[f] * b.rank[f] for f in fs) / (a.n - 1) / count,
        mean_correlation(a, b, a.k[0], b.k[0]),
        mean_correlation(a, b, a.k[1], b.k[1]),
        total(product, x, y) / np.sqrt(total(product, x, x) * total(product, y, y)),
        total(hsic, x, y) / np.sqrt(total(hsic, x, x) * total(hsic, y, y)),
        total(nuclear, x, y) / np.sqrt(total(norm2, x, x) * total(norm2, y, y)),
        total(nuclear, wa, wb) / np.sqrt(total(norm2, wa, wa) * total(norm2, wb, wb)),
        total(explained, x, y) / total(norm2, y, y),
        total(explained, y, x) / total(norm2, x, x),
    ]


def forced(a, b):
    return sum(max(0, a.rank[f] + b.rank[f] - (a.n - 1)) for f in common(a, b))


def map_of(a, b, h, w):
    out = np.full((h, w), np.nan)
    for (fy, fx), rho in correlations(a, b, a.rank, b.rank).items():
        if len(rho):
            out[fy % h, fx % w] = rho.mean()
    return out


def cases():
    rng = np.random.default_rng(20170619)

    def noise(*shape):
        return rng.normal(size=shape)

    def short(x):
        return np.round(np.asarray(x) * 1024) / 1024

    def smooth(x):
        """Neighbours on the torus share half."""
        return x + np.roll(x, 1, axis=1) / 2 + np.roll(x, 1, axis=2) / 2

    x = smooth(noise(30, 4, 4, 3))
    relu = np.maximum(x @ noise(3, 4) + 0.5 * noise(30, 4, 4, 4), 0)
    yield "even", [("x", "nhwc", short(x)), ("relu", "nchw", short(relu))]

    x = smooth(noise(24, 3, 5, 2))
    y = x[:, :, :, :1] + 0.5 * smooth(noise(24, 3, 5, 3))
    yield "odd_and_oblong", [("x", "nchw", short(x)), ("y", "nhwc", short(y + 1e6))]

    x = smooth(noise(26, 6, 4, 2))
    pooled = x.reshape(26, 3, 2, 2, 2, 2).mean(axis=(2, 4)) @ noise(2, 3)
    dense = pooled.mean(axis=(1, 2)) @ noise(3, 2) + 0.3 * noise(26, 2)
    wide = smooth(noise(26, 6, 3, 2))
    yield "sizes", [("x", "nhwc", short(x)), ("pooled", "nhwc", short(pooled)),
                    ("dense", "nhwc", short(dense)[:, None, None, :]), ("wide", "nchw", short(wide))]

    steps = smooth(noise(20, 1, 6, 2))
    dead = np.concatenate([steps[..., :1] * 2, np.full((20, 1, 6, 1), 2.5), steps[..., :1]], axis=3)
    yield "dead_and_duplicate_units", [("steps", "nhwc", short(steps)), ("dead", "nhwc", short(dead))]

    yield "few_samples", [("x", "nchw", short(smooth(noise(6, 2, 3, 5)))),
                          ("y", "nhwc", short(smooth(noise(6, 2, 3, 4))))]


def numbers(values):
    return " ".join(repr(float(v)) for v in np.ravel(values))


def main():
    out = []
    for name, arrays in cases():
        out.append(f"case {name} {len(arrays)}")
        layers = [Layer(x) for _, _, x in arrays]
        h, w = max(v.h for v in layers), max(v.w for v in layers)
        for (label, layout, x), v in zip(arrays, layers):
            n, lh, lw, c = x.shape
            out.append(f"layer {label} {layout} {n} {lh} {lw} {c}")
            ks = [sum(k.values()) for k in v.k]
            out.append(f"{len(v.every)} {ks[0]} {ks[1]} {numbers(v.off_block())}")
            out.append(numbers(v.every))
            out.extend(numbers(r) for r in (x.transpose(0, 3, 1, 2) if layout == "nchw" else x))
        for a, b in itertools.combinations(layers, 2):
            out.append(f"pair {forced(a, b)} {numbers(scores(a, b))}")
            out.append(numbers(map_of(a, b, h, w)))
    path = pathlib.Path(__file__).with_suffix(".txt")
    path.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
