#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs print, by running their own code, to peers.txt beside this file.

    peers.py SVCCA ANATOME RESI NOTEBOOK

The first three are checkouts of google/svcca (1f3fbf1), moskomule/anatome (2212a8c) and
mklabunde/resi (24ab9e5); the last holds the functions of representation_similarity/Demo.ipynb of
google-research/google-research. Needs numpy, scipy, einops, loguru, torch and torchvision.
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch

EPSILON = 1e-10


def load(name, path, folder):
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(path):
    """The functions of the notebook's code cells, without its demonstrations."""
    space = {"np": np}
    for cell in json.loads(pathlib.Path(path).read_text())["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "code" and "def " in code:
            exec(code.split("print(")[0], space)
    return space


def cases():
    rng = np.random.default_rng(20171205)

    def short(x):
        """Few digits on paper, exact in binary."""
        return np.round(np.asarray(x) * 1024) / 1024

    def noise(n, d):
        return rng.normal(size=(n, d))

    z = noise(60, 6)
    decay = np.logspace(0, -2.5, 12)
    x = short((z @ noise(6, 12) + 0.4 * noise(60, 12)) * decay)
    y = short((z[:, :4] @ noise(4, 12) + 0.6 * noise(60, 12)) * decay)
    x0, y0 = short(x - x.mean(axis=0)), short(y - y.mean(axis=0))
    yield "nearly_centred_equal_widths", x0, y0
    yield "means_equal_widths", short(x + rng.uniform(0, 2, 12)), y
    relu = short(np.maximum(z @ noise(6, 7) + 0.3 * noise(60, 7) + 0.2, 0))
    yield "relu_narrow_against_wide", relu, y
    yield "wide_against_narrow", y, relu
    yield "small_scale", short(x[:, :8] / 16), short(y[:, :5] / 32)
    dead = relu.copy()
    dead[:, 3] = 0
    yield "dead_unit", dead, y


def scores(x, y, peers):
    """Yield (peer, measure, value); NaN where the peer raises."""
    cca_core, pwcca, anatome, resi, resi_cka, resi_shape, kornblith = peers
    tx, ty = (torch.tensor(v, dtype=torch.float64) for v in (x, y))

    def google(epsilon):
        return cca_core.get_cca_similarity(x.T, y.T, epsilon=epsilon, verbose=False)

    yield "google_cca", "mean", lambda: google(EPSILON)["mean"][0]
    yield "google_pwcca", "pwcca", lambda: pwcca.compute_pwcca(x.T, y.T, epsilon=EPSILON)[0]
    yield "anatome", "svcca", lambda: anatome.svcca_distance(tx, ty, 0.99, "svd")
    yield "anatome", "pwcca", lambda: anatome.pwcca_distance(tx, ty, "svd")
    yield "anatome", "cka", lambda: anatome.linear_cka_distance(tx, ty, False)
    yield "anatome", "cka_debiased", lambda: anatome.linear_cka_distance(tx, ty, True)
    yield "anatome", "procrustes", lambda: anatome.orthogonal_procrustes_distance(
        tx.clone(), ty.clone())
    yield "resi", "svcca", lambda: resi.svcca(x, y, "nd")
    yield "resi", "pwcca", lambda: resi.pwcca(x, y, "nd")
    yield "resi", "cka", lambda: resi_cka.centered_kernel_alignment(x, y, "nd")
    yield "resi", "procrustes", (
        lambda: resi_shape.orthogonal_procrustes_centered_and_normalized(x, y, "nd"))
    yield "kornblith", "cca", lambda: kornblith["cca"](x, y)
    yield "kornblith", "cka", lambda: kornblith["feature_space_linear_cka"](x, y)
    yield "kornblith", "cka_debiased", lambda: kornblith["feature_space_linear_cka"](x, y, True)
    yield "kornblith", "cka_rbf", lambda: kornblith["cka"](
        kornblith["gram_rbf"](x), kornblith["gram_rbf"](y))


def value_of(score):
    try:
        with np.errstate(all="ignore"):
            return float(score())
    except (np.linalg.LinAlgError, IndexError, AssertionError, ValueError):
        return float("nan")


def main():
    svcca, anatome, resi, demo = (pathlib.Path(path) for path in sys.argv[1:])
    cca_core = load("cca_core", svcca / "cca_core.py", svcca)
    pwcca = load("pwcca", svcca / "pwcca.py", svcca)
    peers = [cca_core, pwcca, load("anatome.distance", anatome / "anatome/distance.py", anatome)]
    for name in ("cca", "cka", "procrustes"):
        peers.append(load(f"repsim.measures.{name}", resi / f"repsim/measures/{name}.py", resi))
    peers.append(notebook(demo))
    out = []
    for name, x, y in cases():
        out.append(f"case {name} {x.shape[0]} {x.shape[1]} {y.shape[1]}")
        for matrix in (x, y):
            out.extend(" ".join(repr(float(v)) for v in row) for row in matrix)
        found = [(p, m, value_of(score)) for p, m, score in scores(x, y, peers)]
        out.append(f"scores {len(found)}")
        out.extend(f"{p} {m} {v!r}" for p, m, v in found)
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
