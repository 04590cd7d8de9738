# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds for the fuzz targets: python3 make_corpus.py writes corpus/ beside this script.

Small on purpose (a mutation should hit something that matters), and made with nothing but
the standard library.
"""

import io
import json
import pathlib
import struct
import zipfile

OUT = pathlib.Path(__file__).parent / "corpus"


def write(target, name, data):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def npy(descr, order, shape, data, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    length_size = 2 if version == 1 else 4
    fixed = 8 + length_size
    text += " " * (-(fixed + len(text) + 1) % 16) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def npz(members, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return out.getvalue()


def safetensors(header, data):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


HEADS = {
    "submit": """POST /v1/jobs?dry_run=true HTTP/1.1
Host: localhost:8748
Origin: http://localhost:8748
Content-Type: application/json; charset=utf-8
Prefer: respond-async, wait="10", handling=lenient
Authorization: Bearer tgt_0123456789
Accept: application/json;q=0.5, text/*;q=0.8, */*;q=0.1
""",
    "result": """GET /v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/result/arrays/scores%20%C3%A9?format=npy HTTP/1.1
Host: [::1]:80
Range: bytes=0-99
Range: bytes=-5
Range: bytes=500-
If-None-Match: W/"x", "0123456789abcdef-json", *
Accept: application/x-npy, text/plain;q=0
""",
    "upload": """PUT http://127.0.0.1:8748/v1/data/0123456789abcdef HTTP/1.1
Host: 127.0.0.1
Content-Range: bytes 0-1048575/5368709120
Content-Type: application/octet-stream
Authorization: bearer  tgt_other
""",
    "list": """GET /v1/jobs?since=2026-01-31T12:00:00Z&name=a%2Bb+c&limit=5 HTTP/1.1
Since: 2026-01-31T12:00:00.5+01:00
Since: 2024-02-29T23:59:60Z
Content-Type: max-age=0, no-store
Prefer: wait=1e9
Origin: null
""",
    "odd": """OPTIONS /v1/%2e%2e//livez%00 HTTP/1.1
Host: localhost.evil.example
Accept: ;;,,;q=,
Range: bytes=18446744073709551615-18446744073709551616
Content-Range: bytes 1-0/1
""",
}


def main():
    for name, text in HEADS.items():
        write("header", name, text.encode())

    six = struct.pack("<6d", 1, 2, 3, 4, 5, 6)
    for i, text in enumerate(
        [
            '{"kind":"pca","params":{"components":2},"inputs":{"x":[[1,2.5],[-3e2,4E-1]]}}',
            '{"inputs":{"layers":{"a":[[1,2],[3,4]],"b":[[1],[2]]}},"name":"\\u00e9\\ud83d\\ude00"}',
            '{"inputs":[[[1,2],[3,4]],[[5,6],[7]],[],"x",{"k":[8]},9]}',
            '{"a":[true,false,null,"\\"\\\\\\/\\b\\f\\n\\r\\t"],"b":{"c":[[]]},\n"d":-0.0}',
            '{"inputs":[0.1234567890123456789012345,9007199254740993,1e23,2.2250738585072011e-308]}',
            '{"inputs":[[[[[[[[[1]]]]]]]]]}',
            "[12345678901234567890123,-0,1e-400,179769313486231580e291,5e-324,0.000001e6]",
        ]
    ):
        write("json", f"{i}.json", text.encode())

    write("npy", "f8.npy", npy("<f8", False, "(2, 3)", six))
    write("npy", "f4_fortran.npy", npy(">f4", True, "(3, 2)", six[:24]))
    write("npy", "v2.npy", npy("|u1", False, "(4,)", b"\1\2\3\4", version=2))
    write("npy", "v3.npy", npy("<V2", False, "()", b"\1\2", version=3))
    write("npy", "numbers.csv", b"x,y\n1,2.5\n-3e2,nan\n# end\n")
    write("npy", "numbers.txt", b"1 2\t3\r\n4 5 6\r\n")

    members = {"a.npy": npy("<f8", False, "(2, 3)", six), "b.npy": npy("<i2", False, "(2,)", b"\1\2\3\4")}
    write("npz", "stored.npz", npz(members, zipfile.ZIP_STORED))
    write("npz", "deflated.npz", npz(members, zipfile.ZIP_DEFLATED))
    mixed = {"names.npy": npy("<U1", False, (1,), b"a\0\0\0"), "a.npy": members["a.npy"]}
    write("npz", "mixed.npz", npz(mixed, zipfile.ZIP_STORED))
    write("npz", "other.npz", npz({"readme.txt": b"hello"}, zipfile.ZIP_STORED))

    tensors = {
        "w": {"dtype": "F64", "shape": [2, 3], "data_offsets": [0, 48]},
        "b": {"dtype": "BF16", "shape": [1], "data_offsets": [48, 50]},
        "__metadata__": {"format": "pt"},
    }
    write("safetensors", "two.safetensors", safetensors(tensors, six + b"\x80\x3f"))
    mixed = {
        "scale": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
        "half": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]},
        "steps": {"dtype": "I64", "shape": [], "data_offsets": [4, 12]},
        "mask": {"dtype": "BOOL", "shape": [3], "data_offsets": [12, 15]},
        "wide": {"dtype": "C64", "shape": [1], "data_offsets": [15, 23]},
    }
    write("safetensors", "mixed.safetensors", safetensors(mixed, bytes(range(23))))
    one = {"x": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}}
    write("safetensors", "scalar.safetensors", safetensors(one, b"\7"))


main()
