#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training run out of its saved checkpoints: where it was, and what chance alone would show.

Trains the network of digits.py by stochastic gradient descent with momentum and saves a
checkpoint now and then, as any training does: a file of named tensors each. Then asks tangentd
what the path of those files is, with the loss at each of them:

  which null models would have drawn the same, above all a random walk;
  where the loss is least, and how far the path is from there;
  whether a picture in two components shows the path at all;
  which layers moved.

Needs a running daemon, `pip install scikit-learn`, and this package.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from digits import BATCH, MOMENTUM, STEP, Network
from sklearn.datasets import load_digits
from tangentd import Tangent, TangentError

STEPS = 1200
APART = 8


def tensors(network: Network) -> Dict[str, np.ndarray]:
    """What a framework would call the state of the network."""
    named = {}
    for i, (weight, bias) in enumerate(network.layers):
        named[f"fc{i + 1}.weight"] = weight.astype(np.float32)
        named[f"fc{i + 1}.bias"] = bias.astype(np.float32)
    return named


def loss(network: Network, x: np.ndarray, y: np.ndarray) -> float:
    """Mean cross-entropy."""
    logits = network.activations(x)[-1]
    top = logits.max(axis=1)
    return float(
        np.mean(np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - logits[range(len(y)), y])
    )


def train(folder: Path) -> Tuple[List[Dict[str, Any]], List[float]]:
    """Files with their steps, and the loss on unseen digits at each."""
    digits = load_digits()
    x, y = digits.data / 16.0, digits.target
    network, rng = Network(seed=3), np.random.default_rng(4)
    velocity = np.zeros_like(network.theta)
    files, losses = [], []
    for step in range(STEPS):
        if step % APART == 0:
            path = folder / f"step{step:05d}.npz"
            np.savez(path, **tensors(network))
            files.append({"data": path, "step": step})
            losses.append(loss(network, x[900:], y[900:]))
        batch = rng.integers(0, 900, BATCH)
        velocity = MOMENTUM * velocity - STEP * network.gradient(x[batch], y[batch])
        network.theta += velocity
    return files, losses


def tell(values: Any) -> None:
    """The answer in lines of text."""
    print(f"{values.n} checkpoints of {values.d} weights. {values.verdict}")
    print(f"\n    {'component':<12}{'measured':>10}{'a walk':>10}{'its steps':>10}{'error':>10}")
    for row in values.components[:3]:
        ratios = (row["ratio"], row["random_walk_ratio"], row["step_null_ratio"])
        shares = "".join(f"{100 * ratio:>9.1f}%" for ratio in ratios)
        print(f"    {row['k']:<12}{shares}{row['ratio_error']:>10.0e}")
    (minimum,) = values.minima
    print(
        f"\nThe loss is least at step {minimum['step']}, {minimum['loss']:.3f}, "
        f"{minimum['from_start']:.2f} from the start and {minimum['from_end']:.2f} from the end, "
        f"where it is {minimum['last_loss']:.3f}."
    )
    (plane,) = values.faithfulness
    print(
        f"The plane of the first two components hides {100 * plane['hidden']:.0f} % of the steps "
        f"(a walk's {100 * plane['walk_hidden']:.0f} %);\n"
        f"points lie {plane['steps_off']:.1f} steps off it."
    )
    print(f"\n    {'layer':<12}{'weights':>10}{'variance':>10}{'distance':>10}")
    for row in values.layers:
        print(
            f"    {row['layer']:<12}{row['coordinates']:>10}{100 * row['share']:>9.1f}%"
            f"{row['distance']:>10.2f}"
        )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, Tangent() as tg:
        files, losses = train(Path(folder))
        job = tg.pca(checkpoints=files, loss=losses, name="digits: saved checkpoints")
        tell(job.wait().result().values)
        half = tg.pca(checkpoints=files, loss=losses, start=len(files) // 2).wait().result()
        print(
            f"\nThe second half alone: {half.values.verdict}\n"
            f"{half.quality['data_bytes_read']} bytes were read for this."
        )
        print(f"\nFigures: {tg.url}/v1/jobs/{job.id}/result/figures/panels, path, scree, layers")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TangentError as fault:
        sys.exit(f"checkpoints: {fault}")
