#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two small networks, one question each: do they see the same, and is training more than a walk?

Trains two multilayer perceptrons (64-64-64-10, ReLU) on scikit-learn's handwritten digits from
different seeds, in numpy. Then asks tangentd

  svcca  how alike the layers of both networks are, on digits neither has been trained on;
  pca    what the first network's path through its 8,970 weights looks like, and whether a random
         walk of the same length would have looked the same.

Needs a running daemon, `pip install scikit-learn`, and this package.
"""

from __future__ import annotations

import sys
import time
from typing import Dict, List, Tuple

import numpy as np
from sklearn.datasets import load_digits
from tangentd import Job, Tangent, TangentError

WIDTHS = (64, 64, 64, 10)
EPOCHS = 15
BATCH = 32
STEP = 0.05
MOMENTUM = 0.9
CHECKPOINTS = 120


class Network:
    """A multilayer perceptron with ReLU units and a softmax at the end."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.theta = np.zeros(sum(a * b + b for a, b in zip(WIDTHS, WIDTHS[1:])))
        self.layers: List[Tuple[np.ndarray, np.ndarray]] = []  # views into theta
        start = 0
        for a, b in zip(WIDTHS, WIDTHS[1:]):
            weight = self.theta[start : start + a * b].reshape(a, b)
            weight[:] = self.rng.normal(0, np.sqrt(2 / a), (a, b))
            self.layers.append((weight, self.theta[start + a * b : start + a * b + b]))
            start += a * b + b

    def activations(self, x: np.ndarray) -> List[np.ndarray]:
        """What each layer puts out; the last is the logits."""
        outputs = []
        for i, (weight, bias) in enumerate(self.layers):
            x = x @ weight + bias
            if i + 1 < len(self.layers):
                x = np.maximum(x, 0)
            outputs.append(x)
        return outputs

    def gradient(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Gradient of the mean cross-entropy with respect to theta."""
        outputs = self.activations(x)
        delta = np.exp(outputs[-1] - outputs[-1].max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        parts: List[np.ndarray] = []
        for i in reversed(range(len(self.layers))):
            below = outputs[i - 1] if i else x
            parts = [(below.T @ delta).ravel(), delta.sum(axis=0), *parts]
            if i:
                delta = (delta @ self.layers[i][0].T) * (below > 0)
        return np.concatenate(parts)

    def train(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Stochastic gradient descent with momentum; returns theta along the way."""
        steps = EPOCHS * (len(x) // BATCH)
        kept = set(np.linspace(0, steps - 1, CHECKPOINTS).astype(int))
        path = []
        velocity = np.zeros_like(self.theta)
        for step in range(steps):
            if step % (len(x) // BATCH) == 0:
                order = self.rng.permutation(len(x))
            at = (step % (len(x) // BATCH)) * BATCH
            batch = order[at : at + BATCH]
            velocity = MOMENTUM * velocity - STEP * self.gradient(x[batch], y[batch])
            self.theta += velocity
            if step in kept:
                path.append(self.theta.astype(np.float32))
        return np.stack(path)

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(self.activations(x)[-1].argmax(axis=1) == y))


def show(job: Job, lines: int) -> None:
    """The head of the result's table, indented."""
    text = job.result().text().rstrip().splitlines()
    print("\n" + "\n".join(f"    {line}"[:110] for line in text[:lines]))
    if len(text) > lines:
        print(f"    ... {len(text) - lines} more lines with ?format=text")
    print()


def compare(job: Job) -> None:
    """The layers of the one network beside those of the other."""
    result = job.result()
    names = [row["name"] for row in result.values.layers]
    ours, theirs = ([name for name in names if name.startswith(which)] for which in ("a.", "b."))
    for title, matrix in (("SVCCA", result["svcca"]), ("CKA", result["cka"])):
        print(f"    {title:<10}" + "".join(f"{name:>10}" for name in theirs))
        for name in ours:
            row = (matrix[names.index(name), names.index(other)] for other in theirs)
            print(f"    {name:<10}" + "".join(f"{value:>10.2f}" for value in row))


def judge(job: Job) -> None:
    """Is the path of training a random walk?"""
    values = job.result().values
    ratio, chance = values.first_component_ratio, values.random_walk_first_component_ratio
    steps = values.step_null_first_component_ratio
    print(
        f"    The first component explains {100 * ratio:.1f} %; a random walk of this length "
        f"gives {100 * chance:.1f} %,"
    )
    print(f"    and one with the step lengths of this training {100 * steps:.1f} %.")


def main() -> int:
    digits = load_digits()
    x, y = digits.data / 16.0, digits.target
    x_train, y_train, x_test, y_test = x[:900], y[:900], x[900:], y[900:]

    started = time.perf_counter()
    first, second = Network(seed=1), Network(seed=2)
    path = first.train(x_train, y_train)
    second.train(x_train, y_train)
    print(
        f"Trained two networks on {len(x_train)} digits in {time.perf_counter() - started:.1f} s; "
        f"on {len(x_test)} others they are right in {100 * first.accuracy(x_test, y_test):.1f} % "
        f"and {100 * second.accuracy(x_test, y_test):.1f} %."
    )

    layers: Dict[str, np.ndarray] = {
        f"{name}.{layer}": output
        for name, network in (("a", first), ("b", second))
        for layer, output in zip(("fc1", "fc2", "logits"), network.activations(x_test))
    }
    with Tangent() as tg:
        alike = tg.svcca(layers=layers, name="digits: layers of two networks")
        walk = tg.pca(trajectory=path, name="digits: path of training")

        print(f"\nsvcca of {len(layers)} layers, {len(x_test)} images (job {alike.id})")
        alike.wait()
        show(alike, 14)
        compare(alike)

        print(f"\npca of {path.shape[0]} checkpoints of {path.shape[1]} weights (job {walk.id})")
        walk.wait()
        show(walk, 14)
        judge(walk)

        print("\nFigures (Vega-Lite; a notebook draws result.figure(name)):")
        for job in (alike, walk):
            for name in job.result().figures:
                print(f"    {tg.url}/v1/jobs/{job.id}/result/figures/{name}")
        print(f"\nThe page: {tg.url}/")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TangentError as fault:
        sys.exit(f"digits: {fault}")
