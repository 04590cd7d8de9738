# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a running daemon."""

from __future__ import annotations

import datetime
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import numpy as np
import pytest
import tangentd
from harness import Daemon, free_port
from tangentd import Job, Tangent, _arrays


@pytest.fixture
def tg(daemon: Daemon) -> Iterator[Tangent]:
    with Tangent(daemon.url) as client:
        yield client


def walk(seed: int, t: int = 60, d: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(t, d)).cumsum(axis=0)


def long_layers(seed: int) -> List[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(3000, 1400)) for _ in range(4)]


class Requests(List[str]):
    """Methods and paths that a client sends."""

    def __init__(self, tg: Tangent) -> None:
        super().__init__()
        hooks = tg._transport.http.event_hooks
        hooks["request"].append(lambda request: self.append(f"{request.method} {request.url.path}"))
        tg._transport.http.event_hooks = hooks


# Numbers


def test_pca_agrees_with_numpy(tg: Tangent) -> None:
    x = walk(1)
    result = tg.pca(trajectory=x).result()
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    ratio = result["explained_variance_ratio"]
    np.testing.assert_allclose(ratio, (s / s.sum())[: len(ratio)], rtol=1e-9)


def test_cca_and_cka_agree_with_numpy(tg: Tangent) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=(200, 8))
    b = a @ rng.normal(size=(8, 6)) + rng.normal(size=(200, 6))
    result = tg.svcca(a=a, b=b).result()
    qa, qb = (np.linalg.qr(x - x.mean(axis=0))[0] for x in (a, b))
    cca = np.linalg.svd(qa.T @ qb, compute_uv=False).mean()
    ca, cb = (x - x.mean(axis=0) for x in (a, b))
    cka = np.linalg.norm(ca.T @ cb) ** 2 / (
        np.linalg.norm(ca.T @ ca) * np.linalg.norm(cb.T @ cb)
    )
    np.testing.assert_allclose(result["cca"][0, 1], cca, rtol=1e-10)
    np.testing.assert_allclose(result["cka"][0, 1], cka, rtol=1e-10)


# Arrays


def test_an_array_travels_once(tg: Tangent) -> None:
    x = walk(3)
    requests = Requests(tg)
    tg.pca(trajectory=x).wait()
    assert sum(line.startswith("PUT") for line in requests) == 1
    del requests[:]
    job = tg.pca(trajectory=x)
    assert not any(line.startswith("PUT") for line in requests)
    assert job.cache == "hit" and job.is_done


def test_small_arrays_travel_in_the_request(tg: Tangent) -> None:
    requests = Requests(tg)
    tg.pca(trajectory=walk(4, 10, 5)).wait()
    assert not any("/v1/data" in line for line in requests)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24.0).reshape(4, 6)[::2, ::3],
        np.arange(12, dtype=">i4").reshape(3, 4),
        np.arange(12, dtype=np.float16).reshape(3, 4),
        np.array(3.5),
        np.zeros((0, 4)),
        np.array([True, False]),
        np.arange(5.0)[::-1],
    ],
    ids=["C", "F", "strided", "big-endian", "half", "0-d", "empty", "bool", "reversed"],
)
def test_npy_bodies_are_what_numpy_reads(array: np.ndarray, tmp_path: Path) -> None:
    body = _arrays.NpyBody(array)
    path = tmp_path / "x.npy"
    path.write_bytes(b"".join(body.pieces(0)))
    back = np.load(path)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype and path.stat().st_size == body.size
    for offset in (0, 1, 70, 128, 130, body.size):
        assert b"".join(body.pieces(offset)) == path.read_bytes()[offset:]


def test_contiguous_arrays_are_not_copied() -> None:
    for array in (np.zeros((1000, 100)), np.zeros((1000, 100), order="F")):
        view = np.frombuffer(_arrays.NpyBody(array)._parts[1], np.uint8)
        assert np.shares_memory(view, array)


def test_what_cannot_be_sent_is_said_before_anything_is_sent(tg: Tangent) -> None:
    requests = Requests(tg)
    with pytest.raises(TypeError, match="complex128"):
        tg.pca(trajectory=np.zeros((3, 3), complex))
    with pytest.raises(TypeError, match="object"):
        tg.pca(trajectory=np.array([[1, None]]))
    with pytest.raises(ValueError, match="NaN"):
        tg.pca(trajectory=[[1.0, float("nan")], [0.0, 1.0]])
    assert requests == []


class Tensor:
    """What the client uses of a torch tensor."""

    dtype = "torch.float32"

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self.array


class JaxArray:
    """What the client uses of a jax array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.array


def test_arrays_of_any_library_are_the_same_job(tg: Tangent) -> None:
    x = walk(5, 20, 200).astype(np.float32)
    hashes = {tg.pca(trajectory=form).info["hash"] for form in (x, Tensor(x), JaxArray(x))}
    assert len(hashes) == 1


def test_lists_and_mappings_of_arrays(tg: Tangent) -> None:
    rng = np.random.default_rng(6)
    one, two = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    named = tg.svcca(layers={"one": one, "two": two}).result()
    listed = tg.svcca(layers=[one, two]).result()
    nested = tg.svcca(layers=[one.tolist(), two.tolist()]).result()
    np.testing.assert_array_equal(named["cka"], listed["cka"])
    np.testing.assert_array_equal(named["cka"], nested["cka"])
    assert "one" in named.text() and "two" in named.text()


def test_files_and_their_members(tg: Tangent, tmp_path: Path) -> None:
    x = walk(7, 30, 80)
    np.savez(tmp_path / "x.npz", x=x, y=x[:5])
    ref = tg.upload(tmp_path / "x.npz")
    assert {member["name"] for member in ref.members} == {"x", "y"}
    from_file = tg.pca(trajectory=ref["x"]).result()
    np.testing.assert_array_equal(
        from_file["explained_variance_ratio"],
        tg.pca(trajectory=x).result()["explained_variance_ratio"],
    )
    assert tg.upload(x) == tg.upload(np.array(x))


def test_arrays_by_name_become_one_file(tg: Tangent, tmp_path: Path) -> None:
    """As a state dict: wide and narrow numbers, a scalar, an empty and a strided array."""
    rng = np.random.default_rng(17)
    state = {
        "bn.num_batches_tracked": np.array(12, dtype=np.int64),
        "fc.weight": np.asfortranarray(rng.normal(size=(9, 5))),
        "half": rng.normal(size=(3, 2, 2)).astype(np.float16)[:, ::2],
        "mask": np.array([True, False, True]),
        "none": np.zeros((0, 4), dtype=">f4"),
        "tensor": Tensor(np.arange(6.0).reshape(2, 3)),
    }
    ref = tg.upload(state)
    found = {m["name"]: (m["dtype"], tuple(m["shape"])) for m in ref.members}
    assert found == {
        "bn.num_batches_tracked": ("int64", ()),
        "fc.weight": ("float64", (9, 5)),
        "half": ("float16", (3, 1, 2)),
        "mask": ("bool", (3,)),
        "none": ("float32", (0, 4)),
        "tensor": ("float64", (2, 3)),
    }
    assert tg.upload(dict(reversed(list(state.items())))) == ref
    np.testing.assert_array_equal(
        tg.pca(trajectory=ref["fc.weight"]).result()["scores"],
        tg.pca(trajectory=np.array(state["fc.weight"])).result()["scores"],
    )
    with pytest.raises(TypeError, match="object"):
        tg.upload({"w": np.array([None])})
    with pytest.raises(ValueError, match="at least one"):
        tg.upload({})


def test_safetensors_reads_what_is_sent() -> None:
    load = pytest.importorskip("safetensors.numpy").load
    state = {"w": np.arange(6.0).reshape(2, 3).T, "n": np.array(3, dtype=np.int8)}
    loaded = load(_arrays.TensorsBody(state).getvalue())
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


def test_entries_may_be_labelled_files_or_state_dicts(tg: Tangent, tmp_path: Path) -> None:
    small, large = np.ones((2, 2)), np.random.default_rng(18).normal(size=(50, 100))
    np.save(tmp_path / "x.npy", large)
    ref = tg.upload(large)
    state = tg.upload({"w": large, "b": small})
    sent = _arrays.encode_input(
        tg._transport,
        [
            {"name": "conv1", "model": "a", "step": np.int64(7), "data": large},
            {"name": "conv1", "step": 8, "data": tmp_path / "x.npy", "model": None},
            {"step": 9, "data": state["w"]},
            {"step": 10, "data": [[1, 2], [3, 4]]},
            {"step": 11, "data": {"w": large, "b": small}},
            {"w": large, "b": small},
            tmp_path / "x.npy",
        ],
    )
    assert sent == [
        {"name": "conv1", "model": "a", "step": 7, "sha256": ref.sha256},
        {"name": "conv1", "step": 8, "sha256": ref.sha256},
        {"step": 9, "sha256": state.sha256, "key": "w"},
        {"step": 10, "data": [[1, 2], [3, 4]]},
        {"step": 11, "sha256": state.sha256},
        {"sha256": state.sha256},
        {"sha256": ref.sha256},
    ]
    one, two = large[:, :4], large[:, 4:9]
    named = tg.svcca(layers=[{"name": "one", "data": one}, {"name": "two", "data": two}])
    assert named.info["hash"] == tg.svcca(layers={"one": one, "two": two}).info["hash"]


def test_a_registered_file_is_not_sent(
    make_daemon: Callable[..., Daemon], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    daemon = make_daemon("--data-folders", str(folder)).start()
    x = walk(19)
    np.savez(folder / "walk.npz", x=x, y=x[:4])
    monkeypatch.chdir(folder)
    with Tangent(daemon.url) as tg:
        ref = tg.register("walk.npz")
        assert [member["name"] for member in ref.members] == ["x", "y"]
        assert ref.info["path"] == str(folder / "walk.npz")
        result = tg.pca(trajectory=ref["x"]).result()
        np.testing.assert_array_equal(
            result["scores"], tg.pca(trajectory=x).result()["scores"]
        )
        outside = tmp_path / "x.npy"
        np.save(outside, x)
        with pytest.raises(tangentd.Forbidden, match="data-folders"):
            tg.register(outside)
        np.savez(folder / "walk.npz", x=x + 1, y=x[:4])
        with pytest.raises(tangentd.Conflict, match="register"):
            tg.pca(trajectory=ref["x"], cache=False).result()
        again = tg.register("walk.npz")
        assert again.sha256 != ref.sha256


def test_many_files_are_uploaded_side_by_side(tg: Tangent) -> None:
    """Every upload waits until another is under way too."""
    rng = np.random.default_rng(int(time.time()))
    together = threading.Barrier(2)
    plain = _arrays.upload

    def meeting(transport: Any, body: Any) -> Any:
        together.wait(timeout=20)
        return plain(transport, body)

    arrays = [rng.normal(size=(40, 40)) for _ in range(24)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_arrays, "upload", meeting)
        sent = _arrays.encode_input(tg._transport, arrays)
    assert [entry["sha256"] for entry in sent] == [_arrays.NpyBody(a).digest() for a in arrays]
    assert all(tg.upload(a).info["bytes"] == 128 + 12800 for a in arrays)


def test_a_broken_upload_goes_on(tg: Tangent) -> None:
    """The connection breaks in the middle; what arrived is not sent again."""
    x = np.random.default_rng(int(time.time())).normal(size=(3000, 500))
    body = _arrays.NpyBody(x)
    sent: List[int] = []
    pieces = body.pieces

    def breaking(offset: int) -> Iterator[memoryview]:
        sent.append(offset)
        for i, piece in enumerate(pieces(offset)):
            if len(sent) == 1 and i == 5:
                time.sleep(0.3)
                raise tangentd._http.httpx.WriteError("the cable was pulled")
            yield piece

    body.pieces = breaking  # type: ignore[method-assign]
    ref = _arrays.upload(tg._transport, body)
    assert ref.sha256 == body.digest()
    assert len(sent) >= 2 and sent[-1] > 0


# Results


def test_a_result_in_every_form(tg: Tangent, tmp_path: Path) -> None:
    result = tg.pca(trajectory=walk(8)).result()
    assert result.kind == "pca" and result.values and result.arrays and result.figures
    name = next(iter(result.values))
    assert getattr(result.values, name) == result.values[name]
    result.save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as saved:
        assert set(saved.files) == set(result.arrays)
        for array in result.arrays:
            np.testing.assert_array_equal(saved[array], result[array])
    for figure in result.figures:
        bundle = result.figure(figure)._repr_mimebundle_()
        assert "vega-lite" in bundle["application/vnd.vegalite.v5+json"]["$schema"]
        assert bundle["text/plain"]
        result.figure(figure).save(tmp_path / "f.json")
        assert json.loads((tmp_path / "f.json").read_text()) == result.figure(figure).spec
        result.figure(figure).save(tmp_path / "f.html")
        page = (tmp_path / "f.html").read_text()
        start = page.index('vegaEmbed("#figure", ') + len('vegaEmbed("#figure", ')
        drawn, _ = json.JSONDecoder().raw_decode(page[start:].replace("<\\/", "</"))
        assert drawn == result.figure(figure).spec
    with pytest.raises(KeyError, match=result.arrays[0]):
        result.numpy("nonsense")
    assert "pca" in repr(result) and "pca" in result._repr_html_()
    assert result.provenance and isinstance(result.warnings, list)


def test_dry_run_kinds_status_and_lists(tg: Tangent) -> None:
    cost = tg.dry_run("pca", inputs={"trajectory": walk(9)})
    assert cost["valid"] and cost["cost"]["peak_bytes"] > 0
    assert {"pca", "svcca"} <= set(tg.kinds())
    assert tg.status()
    name = f"list {time.time()}"
    ids = [tg.pca(trajectory=walk(i, 6, 3), name=name).id for i in range(3)]
    assert [job.id for job in tg.jobs(name=name)] == ids[::-1]
    assert [job.id for job in tg.jobs(name=name, limit=2)] == ids[:0:-1]
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert tg.jobs(name=name, since=soon) == []
    assert tg.job(ids[0]).wait().name == name


# Problems


def test_problems_are_typed_and_say_what_to_do(tg: Tangent) -> None:
    with pytest.raises(tangentd.InvalidJob) as caught:
        tg.submit("pca", {"nonsense": 1}, {"other": [1.0]})
    pointers = {fault["pointer"] for fault in caught.value.errors}
    assert {"/params/nonsense", "/inputs/other"} <= pointers
    assert all(pointer in str(caught.value) for pointer in pointers)
    with pytest.raises(tangentd.NotFound):
        tg.job("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    with pytest.raises(tangentd.UnknownData):
        tg.pca(trajectory=tangentd.DataRef("0" * 64))


def test_nobody_there_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANGENTD_URL", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(tangentd.Unreachable, match="Is the daemon running"):
        Tangent().kinds()
    assert time.monotonic() - began < 5


def test_cancelled_and_expired_jobs_have_no_result(tg: Tangent) -> None:
    layers = long_layers(1)
    job = tg.svcca(layers=layers, cache=False)
    assert job.cancel().wait(20).state == "cancelled"
    with pytest.raises(tangentd.JobCancelled) as caught:
        job.result()
    assert caught.value.job == job.id
    again = job.retry()
    assert again.id != job.id and again.cancel().wait(20).state == "cancelled"
    with pytest.raises(tangentd.JobExpired):
        tg.svcca(layers=layers, cache=False, max_run_s=0.3).result(30)


def test_a_wait_that_takes_too_long_leaves_the_job_alone(tg: Tangent) -> None:
    job = tg.svcca(layers=long_layers(2), cache=False)
    with pytest.raises(tangentd.TangentTimeout):
        job.wait(0.2)
    assert job.refresh().state in ("queued", "running")
    job.cancel()


# Events and restarts


def test_events_of_a_job(tg: Tangent) -> None:
    job = tg.pca(trajectory=walk(10), cache=False)
    types = [event.type for event in job.events() if event.id]
    assert types == ["queued", "running", "succeeded"] and job.is_done
    assert [event.type for event in job.events()][-1] == "succeeded"


def test_a_restart_of_the_daemon_goes_unnoticed(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon("--workers", "1", "--drain", "0").start()
    with Tangent(daemon.url) as tg:
        job = tg.svcca(layers=long_layers(3), cache=False)
        types: List[str] = []
        reader = threading.Thread(
            target=lambda: types.extend(event.type for event in job.events() if event.id)
        )
        reader.start()
        while job.refresh().state != "running":
            time.sleep(0.05)
        daemon.kill()
        waiter = threading.Timer(1.0, daemon.start)
        waiter.start()
        assert tg.pca(trajectory=walk(11), priority="high").id
        waiter.join()
        tg.job(job.id).cancel()
        reader.join(60)
        assert not reader.is_alive()
    assert types[0] == "queued" and types[-1] == "cancelled"
    assert types.count("cancelled") == 1 and types.count("running") >= 1


def test_ctrl_c_detaches_and_a_second_one_cancels(daemon: Daemon, tmp_path: Path) -> None:
    script = tmp_path / "wait.py"
    script.write_text(
        "import sys\n"
        "import numpy as np\n"
        "from tangentd import Tangent\n"
        "rng = np.random.default_rng(int(sys.argv[1]))\n"
        "tg = Tangent()\n"
        "layers = [rng.normal(size=(3000, 1400)) for _ in range(4)]\n"
        "job = tg.svcca(layers=layers, cache=False)\n"
        "print(job.id, flush=True)\n"
        "job.wait()\n"
    )
    for seed, presses in ((21, 1), (22, 2)):
        process = subprocess.Popen(
            [sys.executable, str(script), str(seed)],
            env={**os.environ, "TANGENTD_URL": daemon.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout and process.stderr
        id = process.stdout.readline().strip()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        while "detached" not in process.stderr.readline():
            pass
        if presses == 2:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) != 0
        process.stdout.close()
        process.stderr.close()
        with Tangent(daemon.url) as tg:
            job = tg.job(id)
            if presses == 1:
                assert job.state in ("queued", "running")
                job.cancel()
            assert job.wait(20).state == "cancelled"


# Form


def test_every_kind_is_a_method_with_a_signature_and_a_docstring(tg: Tangent) -> None:
    for name, kind in tg.kinds().items():
        method = getattr(Tangent, name)
        doc = inspect.getdoc(method) or ""
        parameters = inspect.signature(method).parameters
        described = tg.kind(name)
        wanted = set(described["params"]["properties"]) | {i["name"] for i in described["inputs"]}
        assert wanted <= set(parameters), name
        assert "Parameters\n----------" in doc and kind["title"].split()[0].lower() in doc.lower()
        assert all(part in doc for part in wanted), name
        assert inspect.signature(method).return_annotation in ("Job", Job)
        assert all(p.annotation is not p.empty for n, p in parameters.items() if n != "self")


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(tangentd.__file__).parent / "py.typed").exists()
    assert set(tangentd.__all__) <= set(dir(tangentd))
