# SPDX-License-Identifier: MIT
"""Arrays on their way to the daemon: named by digest, sent once, never copied on the way.

The `.npy` form of an array is a small header and the array's own memory. Both the SHA-256 and the
upload read that memory in place; only arrays that are neither C- nor Fortran-contiguous are copied.
A mapping of arrays (a state dict) becomes one safetensors file in the same way, without pickle.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Sequence, Union

import httpx
import numpy as np

from ._http import Transport, pause_after

INLINE_MAX = 8 * 1024
CHUNK = 1 << 20
UPLOADS = 8  # at a time: small files wait for the disk, not for the wire
LABELS = frozenset({"name", "model", "step"})

ArrayLike = Any


@dataclass(frozen=True)
class DataRef:
    """Stored data, usable as an input; ``ref["name"]`` is a member of an npz or safetensors file.

    Attributes
    ----------
    sha256 : str
        Digest of the stored file.
    key : str or None
        Member of the file.
    info : dict
        What the daemon says about the file: format, bytes, members.
    """

    sha256: str
    key: Optional[str] = None
    info: Dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, key: str) -> DataRef:
        return replace(self, key=key)

    @property
    def members(self) -> List[Dict[str, Any]]:
        """Name, dtype and shape of each array in the file."""
        return list(self.info.get("members", []))

    def to_json(self) -> Dict[str, str]:
        """The reference as it stands in a job."""
        return {"sha256": self.sha256, **({} if self.key is None else {"key": self.key})}


def check_dtype(array: np.ndarray) -> None:
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise TypeError(
            f"arrays of {array.dtype} cannot be sent; the daemon takes real numbers: "
            "float16, float32, float64, integers and bool"
        )


class MemoryBody:
    """The bytes of a file that is made of views of memory."""

    def __init__(self, parts: Sequence[memoryview]) -> None:
        self._parts = list(parts)
        self.size = sum(len(part) for part in self._parts)

    def digest(self) -> str:
        sha = hashlib.sha256()
        for part in self._parts:
            sha.update(part)
        return sha.hexdigest()

    def pieces(self, offset: int) -> Iterator[Any]:
        """The bytes from `offset` on, as views."""
        for part in self._parts:
            for start in range(offset, len(part), CHUNK):
                yield part[start : start + CHUNK]
            offset = max(0, offset - len(part))

    def getvalue(self) -> bytes:
        return b"".join(self._parts)


class NpyBody(MemoryBody):
    """The bytes of an array's `.npy` file, as a header and a view of the array's memory."""

    def __init__(self, array: np.ndarray) -> None:
        check_dtype(array)
        if not (array.flags.c_contiguous or array.flags.f_contiguous):
            array = np.ascontiguousarray(array)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, np.lib.format.header_data_from_array_1_0(array)
        )
        flat = (array if array.flags.c_contiguous else array.T).reshape(-1)
        self._array = array
        super().__init__([memoryview(header.getvalue()), flat.view(np.uint8).data])


class TensorsBody(MemoryBody):
    """A safetensors file of named arrays: a header and views of the arrays' memory.

    The widest numbers come first, so that every tensor is aligned; of equally wide ones the order
    is that of their names. The same arrays so make the same file, whatever their order was.
    """

    def __init__(self, tensors: Mapping[str, ArrayLike]) -> None:
        arrays = {str(name): as_array(value) for name, value in tensors.items()}
        if not arrays:
            raise ValueError("a file of tensors holds at least one array")
        header: Dict[str, Any] = {}
        self._arrays: List[np.ndarray] = []
        end = 0
        for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
            check_dtype(array)
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            kind = {"f": "F", "i": "I", "u": "U", "b": "BOOL"}[array.dtype.kind]
            header[name] = {
                "dtype": kind if kind == "BOOL" else f"{kind}{8 * array.itemsize}",
                "shape": list(arrays[name].shape),
                "data_offsets": [end, end + array.nbytes],
            }
            end += array.nbytes
            self._arrays.append(array)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        head = len(text).to_bytes(8, "little") + text
        super().__init__(
            [memoryview(head), *(a.reshape(-1).view(np.uint8).data for a in self._arrays)]
        )


class FileBody:
    """The bytes of a file, read piece by piece."""

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self.path = Path(path)
        self.size = self.path.stat().st_size

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        while True:
            piece = file.read(CHUNK)
            if not piece:
                return
            yield piece

    def digest(self) -> str:
        sha = hashlib.sha256()
        for piece in self.pieces(0):
            sha.update(piece)
        return sha.hexdigest()

    def pieces(self, offset: int) -> Iterator[Any]:
        """The bytes from `offset` on."""
        with self.path.open("rb") as file:
            file.seek(offset)
            yield from self._read(file)


Body = Union[MemoryBody, FileBody]


def as_array(value: ArrayLike) -> np.ndarray:
    """A numpy array over the memory of a torch, jax or any other array where that is possible."""
    if isinstance(value, np.ndarray):
        array = value
    elif hasattr(value, "detach"):
        tensor = value.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        array = tensor.numpy()
    else:
        array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    return array


def is_array(value: Any) -> bool:
    """Whether `value` is an array of some library, or data that is already stored."""
    if isinstance(value, np.generic):
        return False
    return isinstance(value, (np.ndarray, DataRef)) or any(
        hasattr(value, name) for name in ("detach", "__array__", "__array_interface__")
    )


def encode_input(transport: Transport, value: Any) -> Any:
    """An input as it stands in a job, its arrays uploaded where they are not stored yet.

    Mappings are lists of named arrays; lists are taken as they come, so that a list of arrays is
    a list, and nested lists of numbers are an array in JSON. An entry of either may be a mapping
    of arrays, which becomes a file of tensors; an entry of a list may be labelled, see
    ``is_labelled()``.
    """
    if isinstance(value, Mapping):
        entries = encode_entries(transport, list(value.values()))
        return dict(zip(map(str, value), entries))
    return encode_entry(transport, value)


def is_labelled(value: Any) -> bool:
    """Whether this is ``{"data": ...}`` and one or more of "name", "model" and "step"."""
    if not isinstance(value, Mapping) or "data" not in value or len(value) == 1:
        return False
    return LABELS.issuperset(value.keys() - {"data"})


def encode_entries(transport: Transport, values: Sequence[Any]) -> List[Any]:
    """Entries of a list; what has to be uploaded goes side by side."""
    kinds = (str, os.PathLike, Mapping)
    if sum(isinstance(value, kinds) or is_array(value) for value in values) < 2:
        return [encode_entry(transport, value) for value in values]
    with ThreadPoolExecutor(UPLOADS, "tangentd-upload") as pool:
        return list(pool.map(lambda value: encode_entry(transport, value), values))


def encode_labelled(transport: Transport, value: Mapping[str, Any]) -> Dict[str, Any]:
    data = encode_entry(transport, value["data"])
    labels = {key: value[key] for key in value if key != "data" and value[key] is not None}
    return {**labels, **(data if isinstance(data, dict) else {"data": data})}


def encode_entry(transport: Transport, value: Any) -> Any:
    """One array, one file, or one labelled entry of a list."""
    if isinstance(value, DataRef):
        return value.to_json()
    if isinstance(value, (str, os.PathLike)):
        return upload(transport, FileBody(value)).to_json()
    if isinstance(value, np.generic):
        return value.item()
    if is_array(value):
        body = NpyBody(as_array(value))
        if body.size <= INLINE_MAX:
            return {"npy": base64.b64encode(body.getvalue()).decode("ascii")}
        return upload(transport, body).to_json()
    if is_labelled(value):
        return encode_labelled(transport, value)
    if isinstance(value, Mapping):
        return upload(transport, TensorsBody(value)).to_json()
    if isinstance(value, (list, tuple)):
        return encode_entries(transport, value)
    return value


def upload(transport: Transport, body: Body) -> DataRef:
    """Store a body under its digest unless it is there, going on where an upload broke off."""
    sha256 = body.digest()
    path = f"/v1/data/{sha256}"
    for attempt in itertools.count():
        head = transport.request("HEAD", path, allow=(404,))
        if head.is_success:
            return DataRef(sha256)
        offset = int(head.headers.get("Upload-Offset", 0))
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(body.size - offset),
        }
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{body.size - 1}/{body.size}"
        retry_after = None
        try:
            answer = transport.http.put(path, content=body.pieces(offset), headers=headers)
            if answer.status_code not in (409, 429, 503) or attempt >= transport.retries():
                return DataRef(sha256, info=transport.checked(answer).json())
            retry_after = answer.headers.get("Retry-After")
        except httpx.TransportError as fault:
            if attempt >= transport.retries():
                raise transport.unreachable(fault) from fault
        time.sleep(pause_after(attempt, retry_after))
    raise AssertionError
