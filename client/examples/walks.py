#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a learning-rate schedule explain what PCA shows of training?

Trains the network of digits.py twice from one start and on the same batches, by plain stochastic
gradient descent: once with a constant learning rate, once with a cosine schedule. Each run keeps
400 checkpoints. tangentd sets the path of each beside all null models; above all beside a walk with
the measured step lengths, in which a schedule explains itself. Prints the table; with a file name,
saves the scree of both runs side by side as one Vega-Lite figure.

Needs a running daemon, `pip install scikit-learn`, and this package.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List

import numpy as np
from digits import Network
from sklearn.datasets import load_digits
from tangentd import Tangent, TangentError

CHECKPOINTS = 400
STEPS_APART = 10
BATCH = 32
RATE = 0.05
VEGA_LITE = "https://vega.github.io/schema/vega-lite/v5.json"


def train(schedule: str) -> np.ndarray:
    """The path of theta, a checkpoint a row."""
    digits = load_digits()
    x, y = digits.data / 16.0, digits.target
    network, rng = Network(seed=0), np.random.default_rng(1)
    path: List[np.ndarray] = []
    steps = CHECKPOINTS * STEPS_APART
    for step in range(steps):
        batch = rng.integers(0, len(x), BATCH)
        rate = RATE * (1.0 if schedule == "constant" else (1 + np.cos(np.pi * step / steps)) / 2)
        if step % STEPS_APART == 0:
            path.append(network.theta.copy())
        network.theta -= rate * network.gradient(x[batch], y[batch])
    return np.array(path)


def tell(schedule: str, values: Any) -> None:
    """The measured ratios and what each null model would have shown."""
    print(f"\n{schedule}: {values.verdict}")
    print(f"    {'model':<22}{'first':>8}{'band':>8}{'away':>8}{'AIC':>10}")
    print(f"    {'measured':<22}{100 * values.first_component_ratio:>7.1f}%")
    for row in sorted(values.models, key=lambda row: row["aic"]):
        print(
            f"    {row['model']:<22}{100 * row['ratio_1']:>7.1f}%{100 * row['band_1']:>7.1f}%"
            f"{row['worst']:>8.1f}{row['aic']:>10.0f}"
        )


def main() -> int:
    scree: Dict[str, Any] = {"$schema": VEGA_LITE, "hconcat": []}
    with Tangent() as tg:
        jobs = {
            name: tg.pca(trajectory=train(name), name=f"digits: {name} learning rate")
            for name in ("constant", "cosine")
        }
        for name, job in jobs.items():
            result = job.wait().result()
            tell(name, result.values)
            scree["hconcat"].append({**result.figure("scree").spec, "title": name})
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as out:
            json.dump(scree, out)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TangentError as fault:
        sys.exit(f"walks: {fault}")
