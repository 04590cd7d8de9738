#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a learning-rate schedule explain what PCA shows of training?

Trains the network of digits.py twice from one start and on the same batches, by plain stochastic
gradient descent: once with a constant learning rate, once with a cosine schedule. Each run keeps
400 checkpoints. tangentd sets the path of each beside all null models; above all beside a walk with
the measured step lengths, in which a schedule explains itself. Prints the table; with a file name,
saves the scree of both runs side by side as one Vega-Lite figure.

Then it asks the same where noise moves the network and not the loss: late in training with a fifth
of the labels drawn at random, where each of 400 successive steps is kept. One run alone tells
little, for its noise fills some forty dimensions only, so this is done from 16 starts; what counts is
the mean difference between the schedules' first ratios, measured and as the null has it.

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
STARTS = range(100, 116)  # none with which the setting below was chosen
BURN_IN = 8000
FLIPPED = 0.2
VEGA_LITE = "https://vega.github.io/schema/vega-lite/v5.json"


def rate_of(schedule: str, step: int, steps: int) -> float:
    """The learning rate of a step."""
    return RATE * (1.0 if schedule == "constant" else (1 + np.cos(np.pi * step / steps)) / 2)


def train(schedule: str) -> np.ndarray:
    """The path of theta, a checkpoint a row."""
    digits = load_digits()
    x, y = digits.data / 16.0, digits.target
    network, rng = Network(seed=0), np.random.default_rng(1)
    path: List[np.ndarray] = []
    steps = CHECKPOINTS * STEPS_APART
    for step in range(steps):
        batch = rng.integers(0, len(x), BATCH)
        rate = rate_of(schedule, step, steps)
        if step % STEPS_APART == 0:
            path.append(network.theta.copy())
        network.theta -= rate * network.gradient(x[batch], y[batch])
    return np.array(path)


def noisy_step(
    network: Network, digits: Any, rng: np.random.Generator, rate: float
) -> None:
    """A step on a batch in which every fifth label is drawn."""
    batch = rng.integers(0, len(digits.target), BATCH)
    labels = digits.target[batch]
    flipped = rng.random(BATCH) < FLIPPED
    labels[flipped] = rng.integers(0, 10, flipped.sum())
    network.theta -= rate * network.gradient(digits.data[batch] / 16.0, labels)


def late_paths(seed: int) -> Dict[str, np.ndarray]:
    """400 successive steps by each schedule, from one trained network and on the same batches."""
    digits = load_digits()
    network, rng = Network(seed), np.random.default_rng(1000 + seed)
    for _ in range(BURN_IN):
        noisy_step(network, digits, rng, RATE)
    start, paths = network.theta.copy(), {}
    for schedule in ("constant", "cosine"):
        network.theta[:] = start
        rng, path = np.random.default_rng(5000 + seed), []
        for step in range(CHECKPOINTS):
            path.append(network.theta.copy())
            noisy_step(network, digits, rng, rate_of(schedule, step, CHECKPOINTS))
        paths[schedule] = np.array(path)
    return paths


def compare_schedules(tg: Tangent) -> None:
    """How far the first ratios of both schedules are apart, over all starts."""
    rows: Dict[str, List[float]] = {"measured": []}
    for seed in STARTS:
        jobs = {name: tg.pca(trajectory=path) for name, path in late_paths(seed).items()}
        values = {name: job.wait().result().values for name, job in jobs.items()}
        rows["measured"].append(
            values["cosine"].first_component_ratio - values["constant"].first_component_ratio
        )
        for constant, cosine in zip(values["constant"].models, values["cosine"].models):
            if cosine["model"] in ("walk", "walk_steps", "trap"):
                apart = cosine["ratio_1"] - constant["ratio_1"]
                rows.setdefault(cosine["model"], []).append(apart)
    print(f"\nnoise alone, {len(STARTS)} starts: first ratio, cosine less constant")
    for name, differences in rows.items():
        error = np.std(differences, ddof=1) / np.sqrt(len(differences))
        print(f"    {name:<22}{100 * np.mean(differences):>7.1f}% +-{100 * error:>4.1f}%")


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
        compare_schedules(tg)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as out:
            json.dump(scree, out)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TangentError as fault:
        sys.exit(f"walks: {fault}")
