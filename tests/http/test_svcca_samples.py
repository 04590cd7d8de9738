# SPDX-License-Identifier: GPL-3.0-or-later
"""svcca's measures of samples beside samples, against numpy and permutations."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
from arrays import inline, run
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr
from wire import Wire

N = 90


def result_of(wire: Wire, params: Dict[str, Any], **layers: np.ndarray) -> Dict[str, Any]:
    inputs = {"layers": {name: inline(x) for name, x in layers.items()}}
    document = run(wire, "svcca", inputs, params).json()
    assert document["state"] == "succeeded", document
    result: Dict[str, Any] = document["result"]
    return result


def two_layers() -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    z = rng.normal(size=(N, 3))
    return {"x": z @ rng.normal(size=(3, 5)), "y": np.tanh(z @ rng.normal(size=(3, 4)))}


def apart(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(x[:, None] - x[None], axis=2))


def centred_kernel(x: np.ndarray, share: float) -> np.ndarray:
    d = apart(x)
    sigma = share * np.median(d[np.triu_indices(N, 1)])
    h = np.eye(N) - 1 / N
    return np.asarray(h @ np.exp(-(d**2) / (2 * sigma**2)) @ h)


def test_rbf_cka_and_its_chance(wire: Wire) -> None:
    layers = two_layers()
    params = {"measures": ["cka_rbf", "cka_rbf_debiased"], "rbf_bandwidth": 0.4}
    result = result_of(wire, params, **layers)
    row = result["values"]["pairs"][0]
    k, l = (centred_kernel(x, 0.4) for x in layers.values())
    norm = np.sqrt(np.sum(k * k) * np.sum(l * l))
    assert row["cka_rbf"] == pytest.approx(np.sum(k * l) / norm, abs=1e-12)
    assert row["cka_rbf_distance"] == pytest.approx(np.arccos(row["cka_rbf"]), abs=1e-12)
    rng = np.random.default_rng(12)
    drawn = [np.sum(k * l[np.ix_(p, p)]) / norm for p in (rng.permutation(N) for _ in range(1000))]
    assert row["cka_rbf_null_mean"] == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 1000**0.5)
    assert row["cka_rbf_null_sd"] == pytest.approx(np.std(drawn), rel=0.15)
    assert row["cka_rbf_debiased_null_sd"] == pytest.approx((2 / (N * (N - 3))) ** 0.5, rel=1e-12)
    sigma = 0.4 * np.median(apart(layers["x"])[np.triu_indices(N, 1)])
    assert result["values"]["layers"][0]["rbf_sigma"] == pytest.approx(sigma, rel=1e-12)
    anew = result_of(wire, {**params, "table_memory": 0}, **layers)
    assert anew["values"]["pairs"] == result["values"]["pairs"]


def test_a_layer_of_equal_samples_has_no_bandwidth(wire: Wire) -> None:
    layers = two_layers()
    layers["x"][: N * 3 // 4] = 0
    result = result_of(wire, {"measures": ["cka_rbf"]}, **layers)
    assert result["values"]["pairs"][0]["cka_rbf"] is None
    assert "no-bandwidth" in {warning["code"] for warning in result["quality"]["warnings"]}


def u_centred(x: np.ndarray) -> np.ndarray:
    n = len(x)
    k = x @ x.T * (1 - np.eye(n))
    rows = k.sum(axis=0) / (n - 2)
    k = k - rows[:, None] - rows[None] + k.sum() / ((n - 1) * (n - 2))
    return np.asarray(k * (1 - np.eye(n)))


def test_minibatch_cka_and_its_chance(wire: Wire) -> None:
    layers = two_layers()
    params = {"measures": ["cka_minibatch", "cka_debiased"], "batch_size": 15, "batch_shuffle": False}
    row = result_of(wire, params, **layers)["values"]["pairs"][0]
    k, l = (np.stack([u_centred(part) for part in np.split(x, 6)]) for x in layers.values())
    norm = np.sqrt(np.sum(k * k) * np.sum(l * l))
    assert row["cka_minibatch"] == pytest.approx(np.sum(k * l) / norm, abs=1e-12)
    rng = np.random.default_rng(13)
    drawn = [
        sum(np.sum(a * b[np.ix_(p, p)]) for a, b, p in ((a, b, rng.permutation(15)) for a, b in zip(k, l)))
        / norm
        for _ in range(1000)
    ]
    assert row["cka_minibatch_null_mean"] == 0
    assert row["cka_minibatch_null_sd"] == pytest.approx(np.std(drawn), rel=0.1)
    one = result_of(wire, {**params, "batch_size": 90}, **layers)["values"]["pairs"][0]
    assert one["cka_minibatch"] == pytest.approx(one["cka_debiased"], abs=1e-14)


def test_minibatches_are_drawn_from_the_seed(wire: Wire) -> None:
    layers = two_layers()

    def score(**params: Any) -> float:
        params.update(measures=["cka_minibatch"], batch_size=15)
        return float(result_of(wire, params, **layers)["values"]["pairs"][0]["cka_minibatch"])

    assert score(seed=1) == score(seed=1) != score(seed=2)
    assert score(seed=1, batch_shuffle=False) == score(seed=2, batch_shuffle=False)


RSA = ["rsa_pearson", "rsa_spearman", "rsa_kendall", "rsa_cosine", "rsa_whitened"]


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("correlation", "correlation"),
        ("euclidean", "euclidean"),
        ("squared_euclidean", "sqeuclidean"),
        ("cosine", "cosine"),
    ],
)
def test_rsa_and_its_chance(wire: Wire, name: str, metric: str) -> None:
    layers = two_layers()
    params = {"measures": RSA + ["cka"], "rsa_distance": name}
    result = result_of(wire, params, **layers)
    row = result["values"]["pairs"][0]
    a, b = (pdist(x, metric) for x in layers.values())
    assert row["rsa_pearson"] == pytest.approx(pearsonr(a, b)[0], abs=1e-12)
    assert row["rsa_spearman"] == pytest.approx(spearmanr(a, b)[0], abs=1e-12)
    assert row["rsa_kendall"] == pytest.approx(kendalltau(a, b)[0], abs=1e-12)
    assert row["rsa_kendall_tau_a"] == pytest.approx(row["rsa_kendall"], abs=1e-12)  # no ties
    assert row["rsa_cosine"] == pytest.approx(a @ b / np.sqrt(a @ a * (b @ b)), abs=1e-12)
    h = np.eye(N) - 1 / N
    k, l = (h @ squareform(d) @ h for d in (a, b))
    whitened = np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l))
    assert row["rsa_whitened"] == pytest.approx(whitened, abs=1e-12)
    if name == "squared_euclidean":
        assert row["rsa_whitened"] == pytest.approx(row["cka"], abs=1e-12)
    assert row["rsa_whitened_distance"] == pytest.approx(np.arccos(row["rsa_whitened"]), abs=1e-12)
    assert row["rsa_spearman_distance"] == pytest.approx(1 - row["rsa_spearman"], abs=1e-15)
    rng = np.random.default_rng(14)
    table = squareform(rankdata(b))
    drawn = []
    for _ in range(1000):
        p = rng.permutation(N)
        drawn.append(np.corrcoef(a.argsort().argsort(), squareform(table[np.ix_(p, p)]))[0, 1])
    assert row["rsa_spearman_null_sd"] == pytest.approx(np.std(drawn), rel=0.15)
    assert row["rsa_spearman_null_mean"] == 0
    assert row["rsa_kendall_null_sd"] is None and row["rsa_kendall_null_mean"] == 0
    anew = result_of(wire, {**params, "table_memory": 0}, **layers)
    assert anew["values"]["pairs"] == result["values"]["pairs"]
    assert {"rsa_kendall_heatmap", "rsa_whitened_heatmap"} <= set(result["figures"])


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    d = apart(x)
    np.fill_diagonal(d, np.inf)
    return np.asarray(np.argsort(d, axis=1, kind="stable")[:, :k])


def test_neighbours_and_their_chance(wire: Wire) -> None:
    layers = two_layers()
    row = result_of(wire, {"measures": ["knn"], "neighbours": 7}, **layers)["values"]["pairs"][0]
    a, b = (nearest(x, 7) for x in layers.values())
    shared = np.mean([len(set(p) & set(q)) / 7 for p, q in zip(a, b)])
    assert row["knn"] == pytest.approx(shared, abs=1e-15)
    assert row["knn_null_mean"] == pytest.approx(7 / (N - 1), abs=1e-15)
    assert row["knn_distance"] == pytest.approx(1 - shared, abs=1e-15)
    assert row["knn_z"] > 5


def test_more_neighbours_than_samples_are_refused(wire: Wire) -> None:
    inputs = {"layers": {name: inline(x) for name, x in two_layers().items()}}
    params = {"measures": ["knn"], "neighbours": N}
    answer = wire.json("POST", "/v1/jobs", {"kind": "svcca", "params": params, "inputs": inputs})
    assert answer.status == 422, answer.body
    assert answer.json()["errors"][0]["pointer"] == "/params/neighbours"
    all_others = result_of(wire, {**params, "neighbours": N - 1}, **two_layers())
    assert all_others["values"]["pairs"][0]["knn"] == 1


def test_a_dead_sample_has_no_direction(wire: Wire) -> None:
    layers = two_layers()
    layers["x"][17] = 0.1
    result = result_of(wire, {"measures": RSA + ["knn"]}, **layers)
    row = result["values"]["pairs"][0]
    assert [row[name] for name in RSA] == [None] * 5 and row["knn"] > 0
    warnings = {w["code"]: w["message"] for w in result["quality"]["warnings"]}
    assert "in row 17" in warnings["no-direction"]


def test_permutations_of_tables(wire: Wire) -> None:
    layers = two_layers()
    measures = RSA + ["cka_rbf", "cka_rbf_debiased", "cka_minibatch", "knn"]
    params = {"measures": measures, "permutations": 500, "batch_size": 15}
    values = result_of(wire, params, **layers)["values"]
    row, table = values["pairs"][0], {r["score"]: r for r in values["permutations"]}
    assert set(table) == set(measures)
    for name in measures:
        assert table[name]["p"] == table[name]["p_family"] == pytest.approx(1 / 501)
        sd = table[name]["null_sd"]
        assert table[name]["null_mean"] == pytest.approx(row[f"{name}_null_mean"], abs=4 * sd / 500**0.5)
        if name != "rsa_kendall":
            assert sd == pytest.approx(row[f"{name}_null_sd"], rel=0.2)
    anew = result_of(wire, {**params, "table_memory": 0}, **layers)
    assert anew["values"]["permutations"] == values["permutations"]
