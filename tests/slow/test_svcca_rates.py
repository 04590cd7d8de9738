# SPDX-License-Identifier: GPL-3.0-or-later
"""How often svcca's p values and intervals err, over thousands of simulated pairs.

Of unrelated layers, 5 % of the p values have to be below 0.05, give or take a hundredth. Of
layers whose population is known, 95 % of the intervals have to hold the population's score,
give or take two hundredths; where the job itself says that they do not (`undercovers`), it is
that statement which is tested. Rates are printed with their standard errors.
"""

from __future__ import annotations

import base64
import io
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import pytest
from harness import Daemon

LEVEL = 0.05
LINEAR = ["cca", "svcca", "cka", "cka_debiased", "pwcca", "procrustes", "shape", "regression"]


def inline(array: np.ndarray) -> Dict[str, str]:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return {"npy": base64.b64encode(out.getvalue()).decode()}


def values_of(daemon: Daemon, layers: Any, **params: Any) -> Dict[str, Any]:
    body = {"kind": "svcca", "params": params, "inputs": {"layers": layers}}
    document = daemon.json("POST", "/v1/jobs", body, Prefer="wait=60").json()
    assert document.get("state") == "succeeded", document
    values: Dict[str, Any] = document["result"]["values"]
    return values


class Rates:
    """Of each name, how often something was the case, counted by jobs, which are independent."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.jobs: Dict[str, List[Tuple[int, int]]] = {}

    def add(self, name: str, cases: List[bool]) -> None:
        if cases:
            self.jobs.setdefault(name, []).append((sum(cases), len(cases)))

    def rate(self, name: str) -> float:
        hits, cases = np.sum(self.jobs[name], axis=0)
        return float(hits / cases)

    def error(self, name: str) -> float:
        """Standard error of the rate, whatever ties the cases of a job to each other."""
        hits, cases = np.array(self.jobs[name], dtype=float).T
        rest = hits - self.rate(name) * cases
        return float(np.sqrt(np.sum(rest**2) * len(hits) / (len(hits) - 1)) / np.sum(cases))

    def show(self) -> None:
        print(f"\n{self.title}")
        for name, jobs in self.jobs.items():
            cases = sum(count for _, count in jobs)
            print(
                f"  {name:<34}{100 * self.rate(name):7.2f} % +- {100 * self.error(name):.2f}"
                f"  of {cases}"
            )


def assert_near(rates: Rates, name: str, expected: float, tolerance: float) -> None:
    assert rates.error(name) < tolerance / 3, f"{name}: too few cases"
    assert rates.rate(name) == pytest.approx(expected, abs=tolerance), name


# Nulls


def unrelated(rng: np.random.Generator, n: int, widths: List[int]) -> List[Dict[str, str]]:
    """Gaussian layers with spectra that fall off, so that SVCCA leaves some directions out."""
    return [inline(rng.normal(size=(n, d)) * np.arange(1.0, d + 1) ** -1.5) for d in widths]


@pytest.mark.parametrize("n, widths", [(60, [1, 2, 3, 5, 8, 13]), (300, [2, 4, 9, 20, 33, 50])])
def test_closed_form_p_values_are_right(daemon: Daemon, n: int, widths: List[int]) -> None:
    rng = np.random.default_rng(n)
    rates = Rates(f"p < 0.05 in closed form, {n} samples of {widths[0]} to {widths[-1]} units")
    names = ["cca_p", "svcca_p", "cka_p", "cka_debiased_p"]
    for _ in range(60):
        layers = unrelated(rng, n, widths * 3)
        pairs = values_of(daemon, layers, measures=LINEAR[:4])["pairs"]
        for name in names:
            rates.add(name, [pair[name] < LEVEL for pair in pairs])
        for name in ("cca_significant_directions", "svcca_significant_directions"):
            rates.add(name, [pair[name] > 0 for pair in pairs])
    rates.show()
    for name in rates.jobs:
        assert_near(rates, name, LEVEL, 0.01)


def test_permutations_are_right_for_any_data(daemon: Daemon) -> None:
    """Far from Gaussian, where the closed forms promise nothing; every score that has them."""
    rng = np.random.default_rng(4)
    rates = Rates("p <= 0.05 by permutation, heavy tails")
    kind = daemon.request("GET", "/v1/kinds/svcca").json()
    measures = kind["params"]["properties"]["measures"]["items"]["enum"]
    for seed in range(1000):
        layers = [inline(rng.standard_t(2, size=(30, d))) for d in (2, 3, 4, 5)]
        rows = values_of(daemon, layers, measures=measures, permutations=99, seed=seed)
        by_score: Dict[str, List[Any]] = {}
        for row in rows["permutations"]:
            if row["p"] is not None:
                by_score.setdefault(row["score"], []).append(row)
        for score, found in by_score.items():
            rates.add(score, [row["p"] <= LEVEL + 1e-9 for row in found])
            rates.add(f"{score}, any pair", [any(row["p_family"] <= LEVEL + 1e-9 for row in found)])
    rates.show()
    assert set(LINEAR[:7]) <= set(rates.jobs)
    for name in rates.jobs:
        family = name.endswith("any pair")  # one case a job: three times as uncertain
        assert_near(rates, name, LEVEL, 0.025 if family else 0.0125)


# Intervals

N, ALPHA, THRESHOLD, GROUPS = 400, 0.5, 0.9, 50


class Population(NamedTuple):
    """Three layers of Gaussian latents: layer i is latent @ mix[i]."""

    name: str
    mix: List[np.ndarray]
    zeros: bool  # whether some of the correlations are 0


def populations() -> Iterator[Population]:
    rng = np.random.default_rng(7)

    def turned(d: int) -> np.ndarray:
        return np.asarray(np.linalg.qr(rng.normal(size=(d, d)))[0])

    scale = np.array([3.0, 2.5, 0.7, 0.5]) / 20  # two directions hold 0.9 of each layer
    for name, shared in (("all directions shared", 4), ("two of four directions shared", 2)):
        mix = []
        for i, noise in enumerate((0.5, 0.6, 0.8)):
            own = np.zeros((4, 12))
            own[:, 4 * i : 4 * i + 4] = noise * np.diag([1.0, 0.5, 1.5, 0.75])  # none equal
            common = np.diag(np.arange(4) < shared).astype(float)
            both = np.hstack([common, own])
            both /= np.linalg.norm(both, axis=1, keepdims=True)
            order = [0, 2, 1, 3] if shared == 2 else [0, 1, 2, 3]  # shared ones in both halves
            mix.append((scale[:, None] * both[order]).T @ turned(4))
        yield Population(name, mix, shared < 4)


def root(s: np.ndarray, power: float) -> np.ndarray:
    w, v = np.linalg.eigh(s)
    return np.asarray(v * w**power @ v.T)


def scores_of(x: np.ndarray, y: np.ndarray) -> Dict[str, float]:
    """The population's scores of latent @ x and latent @ y."""
    xx, yy, xy = x.T @ x, y.T @ y, x.T @ y
    norm = np.linalg.norm
    left, rho, right = np.linalg.svd(root(xx, -0.5) @ xy @ root(yy, -0.5))
    weights = (np.abs(left.T @ root(xx, 0.5)).sum(axis=1), np.abs(right @ root(yy, 0.5)).sum(axis=1))
    kept = []
    for s in (xx, yy):
        w, v = np.linalg.eigh(s)
        k = int(np.argmax(np.cumsum(w[::-1]) >= THRESHOLD * w.sum())) + 1
        kept.append(v[:, ::-1][:, :k] / np.sqrt(w[::-1][:k]))
    cka = norm(xy) ** 2 / (norm(xx) * norm(yy))
    shaped = [ALPHA * np.eye(4) + (1 - ALPHA) * root((N - 1) * s, -0.5) for s in (xx, yy)]
    shape = norm(shaped[0] @ xy @ shaped[1], "nuc") / np.sqrt(
        np.trace(shaped[0] @ xx @ shaped[0]) * np.trace(shaped[1] @ yy @ shaped[1])
    )
    return {
        "cca": rho.mean(),
        "cca_mean_squared": (rho**2).mean(),
        "svcca": np.linalg.svd(kept[0].T @ xy @ kept[1], compute_uv=False).mean(),
        "cka": cka,
        "cka_debiased": cka,
        "pwcca": np.mean([w @ rho / w.sum() for w in weights]),
        "procrustes": norm(xy, "nuc") / np.sqrt(np.trace(xx) * np.trace(yy)),
        "shape": shape,
        "regression_a_to_b": np.trace(xy.T @ np.linalg.solve(xx, xy)) / np.trace(yy),
        "regression_b_to_a": np.trace(xy @ np.linalg.solve(yy, xy.T)) / np.trace(xx),
    }


def drawn(rng: np.random.Generator, mix: List[np.ndarray]) -> Iterator[Dict[str, Any]]:
    """Many samples of the three layers, each under a name of its own."""
    for group in range(GROUPS):
        latent = rng.normal(size=(N, 16))
        for i, m in enumerate(mix):
            yield {"name": f"r{group}", "model": str(i)} | inline(latent @ m)


@pytest.mark.parametrize("how", ["jackknife", "bootstrap"])
@pytest.mark.parametrize("population", list(populations()), ids=lambda population: population.name)
def test_intervals_hold_the_population_or_say_that_they_do_not(
    daemon: Daemon, population: Population, how: str
) -> None:
    rng = np.random.default_rng(12)
    truth = {
        (a, b): scores_of(population.mix[a], population.mix[b]) for a, b in ((0, 1), (0, 2), (1, 2))
    }
    rates = Rates(f"95 % intervals by {how} that hold the score: {population.name}")
    told = Rates("told that they may not")

    def pair_of(row: Dict[str, Any], a: str, b: str) -> Tuple[int, int]:
        return int(row[a].split("/")[0]), int(row[b].split("/")[0])

    for _ in range(40):
        values = values_of(
            daemon,
            list(drawn(rng, population.mix)),
            measures=LINEAR,
            pairs="same_layer",
            intervals=how,
            threshold=THRESHOLD,
            shape_alpha=ALPHA,
        )
        held: Dict[str, List[bool]] = {}
        doubt: Dict[str, List[bool]] = {}
        for row in values["intervals"]:
            true = truth[pair_of(row, "a", "b")][row["score"]]
            held.setdefault(row["score"], []).append(row["low"] <= true <= row["high"])
            doubt.setdefault(row["score"], []).append(row["undercovers"] == "small-correlations")
            assert row["undercovers"] in (None, "small-correlations")
        for row in values["differences"]:
            true = (
                truth[pair_of(row, "a", "b")][row["score"]]
                - truth[pair_of(row, "other_a", "other_b")][row["score"]]
            )
            name = f"difference of {row['score']}"
            held.setdefault(name, []).append(row["low"] <= true <= row["high"])
        for name, cases in held.items():
            rates.add(name, cases)
        for name, cases in doubt.items():
            told.add(name, cases)
    rates.show()
    told.show()
    not_smooth = {"cca", "svcca", "pwcca", "procrustes", "shape"} if population.zeros else set()
    for name in rates.jobs:
        score = name.replace("difference of ", "")
        if score in not_smooth:
            assert told.rate(score) > 0.9, f"{score} is trusted"
        else:
            assert_near(rates, name, 0.95, 0.02)
            assert told.rate(score) < 0.1, f"{score} is doubted"
