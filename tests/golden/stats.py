#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes stats.txt: values of the distributions of analysis/stats from SciPy."""
from pathlib import Path

from scipy import special

lines = []
for x in [-37.0, -20.0, -8.5, -5.0, -3.0, -1.96, -1.0, -0.1, 0.0, 0.3, 1.0, 2.5, 6.0]:
    lines.append(("normal_cdf", x, 0.0, special.ndtr(x)))
for p in [1e-300, 1e-100, 1e-16, 1e-5, 0.025, 0.2, 0.5, 0.7, 0.975, 0.999, 0.5 + 1e-9]:
    lines.append(("normal_quantile", p, 0.0, special.ndtri(p)))
for dof in [1, 2, 3, 7.5, 30, 39.9, 41, 100, 1000, 250000]:
    for at in [0.01, 0.3, 0.9, 1.0, 1.1, 1.5, 3.0]:
        value = special.chdtrc(dof, at * dof)
        if value > 1e-250:
            lines.append(("chi2_sf", at * dof, dof, value))
for a, b in [(0.5, 0.5), (1, 3), (0.5, 49), (7.5, 0.5), (30, 200), (450, 450), (2e4, 3e5)]:
    mean = a / (a + b)
    for at in [-6, -2, -0.5, 0, 0.5, 2, 6]:
        x = mean + at * (mean * (1 - mean) / (a + b + 1)) ** 0.5
        if 0 < x < 1:
            lines.append(("beta_sf", x, (a, b), special.betainc(b, a, 1 - x)))
for dof in [1, 2, 5, 19, 99, 999]:
    for t in [0.01, 0.5, 1.96, 4.0, 30.0]:
        lines.append(("t_two_sided", t, dof, 2 * special.stdtr(dof, -t)))
    for p in [0.01, 0.25, 0.6, 0.975, 0.9995]:
        lines.append(("t_quantile", p, dof, special.stdtrit(dof, p)))


def row(name, x, shape, value):
    first, second = shape if isinstance(shape, tuple) else (shape, 0.0)
    return " ".join([name, *(float(v).hex() for v in (x, first, second, value))]) + "\n"


text = "".join(row(*line) for line in lines)
Path(__file__).with_suffix(".txt").write_text(text)
