# SPDX-License-Identifier: GPL-3.0-or-later
"""Array files as numpy and safetensors write them, and what is in them.

    python3 arrays.py     writes arrays/ beside this script

Needs numpy, ml_dtypes and safetensors. expected.json gives dtype, shape and the numbers in C
order of every array that can be read; the files in refused/ must not be read.
"""

import json
import pathlib
import zipfile

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).parent / "arrays"
expected = {}


def expect(file, key, array):
    values = np.asarray(array, dtype=np.float64).ravel(order="C").tolist()
    expected.setdefault(file, {})[key] = {
        "dtype": array.dtype.newbyteorder("=").name,
        "shape": list(array.shape),
        "values": values,
    }


def npy(name, array, version=None):
    with open(OUT / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version, allow_pickle=True)


def main():
    (OUT / "refused").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20240607)
    base = rng.standard_normal((3, 4))
    singles = {
        "f8.npy": base,
        "f8_fortran.npy": np.asfortranarray(base),
        "f8_big_endian.npy": base.astype(">f8"),
        "f8_3d_fortran.npy": np.asfortranarray(rng.standard_normal((2, 3, 4))),
        "f8_vector.npy": base[0],
        "f8_scalar.npy": np.array(-2.5),
        "f8_empty.npy": np.zeros((0, 3)),
        "f4.npy": base.astype("f4"),
        "f4_big_endian_fortran.npy": np.asfortranarray(base.astype(">f4")),
        "f2.npy": np.array([0, -0.0, 1, 65504, 6.1e-5, 6e-8, 1 / 3], "f2"),
        "bf16.npy": np.array([0, 1, -1 / 3, 3e38, 1e-40], ml_dtypes.bfloat16),
        "b1.npy": np.array([[True, False], [False, True]]),
    }
    for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        limits = np.iinfo(code)
        singles[code + ".npy"] = np.array([0, 1, limits.min, limits.max], code)
    for name, array in singles.items():
        npy(name, array)
        expect(name, "", array)
    for version in ((2, 0), (3, 0)):
        name = f"f8_version{version[0]}.npy"
        npy(name, base, version)
        expect(name, "", base)

    named = {"a": base, "layer/b": base.astype("f4"), "c": np.arange(1000).reshape(10, 100)}
    np.savez(OUT / "stored.npz", **named)
    np.savez_compressed(OUT / "deflated.npz", **named)
    # sizes and offsets in 64 bits, as zip has them beyond 4 GiB
    zipfile.ZIP64_LIMIT, limit = 16, zipfile.ZIP64_LIMIT
    with zipfile.ZipFile(OUT / "stored_zip64.npz", "w") as archive:
        archive.comment = b"a comment"
        for key, array in named.items():
            info = zipfile.ZipInfo(key + ".npy")
            with archive.open(info, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array)
    zipfile.ZIP64_LIMIT = limit
    wide = bytearray((OUT / "stored_zip64.npz").read_bytes())
    end = wide.rfind(b"PK\5\6")
    wide[end + 12 : end + 20] = b"\xff" * 8  # size and offset of the central directory
    (OUT / "stored_zip64.npz").write_bytes(wide)
    assert np.array_equal(np.load(OUT / "stored_zip64.npz")["a"], base)
    for key, array in named.items():
        for file in ("stored.npz", "stored_zip64.npz", "deflated.npz"):
            expect(file, key, array)

    tensors = {
        "weight": base,
        "half": base.astype("f2"),
        "brain": base.astype(ml_dtypes.bfloat16),
        "count": np.array([-1, 2**62], "i8"),
        "byte": np.array([1, 255, 7], "u1"),
        "mask": np.array([True, False]),
        "scalar": np.array(1.5, "f4"),
    }
    save_file(tensors, OUT / "tensors.safetensors", metadata={"format": "np"})
    for key, array in tensors.items():
        expect("tensors.safetensors", key, array)

    # beside numbers, what has none: 8-bit floats, complex numbers, text, objects
    mixed = {
        "scale": base.astype(ml_dtypes.float8_e4m3fn),
        "weight": base.astype("f4"),
        "wide": base.astype("c8"),
    }
    save_file(mixed, OUT / "mixed.safetensors")
    expect("mixed.safetensors", "weight", mixed["weight"])
    others = {
        "names": np.array(["one", "two"]),
        "a": base,
        "state": np.array([1, "two"], object),
        "phase": base.astype("c16"),
    }
    with zipfile.ZipFile(OUT / "mixed.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in others.items():
            with archive.open(zipfile.ZipInfo(key + ".npy"), "w") as file:
                np.lib.format.write_array(file, array)
    expect("mixed.npz", "a", base)

    npy("refused/complex.npy", base.astype("c16"))
    npy("refused/object.npy", np.array([1, "two"], object))
    npy("refused/structured.npy", np.zeros(3, [("x", "f8"), ("y", "i4")]))
    npy("refused/text.npy", np.array(["one", "two"]))
    npy("refused/datetime.npy", np.array(["2020-01-01"], "M8[D]"))
    npy("refused/longdouble.npy", base.astype(np.longdouble))
    np.savez(OUT / "refused" / "objects.npz", state=np.array([1, "two"], object))
    save_file({"x": base.astype("c8")}, OUT / "refused" / "complex.safetensors")
    with zipfile.ZipFile(OUT / "refused" / "no_arrays.npz", "w") as archive:
        archive.writestr(zipfile.ZipInfo("readme.txt"), "nothing here")

    text = json.dumps(expected, indent=1)
    (OUT / "expected.json").write_text(text + "\n")


main()
