# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the Python stubs of proto/sluice/v1 into sluice/_generated, with relative imports.

Run it again whenever the proto files change: python client/python/generate_stubs.py
"""

import re
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO_DIR = HERE.parents[1] / "proto"
OUTPUT_DIR = HERE / "sluice" / "_generated"

# `from sluice.v1 import x_pb2 as y` would look for the client's own package.
_ABSOLUTE_IMPORT = re.compile(r"^from sluice\.v1 import ", re.MULTILINE)


def generate() -> None:
    """Replaces the stubs. Raises RuntimeError when protoc refuses the files."""
    sources = sorted((PROTO_DIR / "sluice" / "v1").glob("*.proto"))
    if not sources:
        raise RuntimeError(f"no proto files under {PROTO_DIR}")
    with TemporaryDirectory() as folder:
        arguments = [
            "protoc",
            f"--proto_path={PROTO_DIR}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
            f"--grpc_python_out={folder}",
            *map(str, sources),
        ]
        if protoc.main(arguments) != 0:
            raise RuntimeError("protoc failed")
        OUTPUT_DIR.mkdir(parents=True, exist_ok=True)
        for stub in sorted((Path(folder) / "sluice" / "v1").iterdir()):
            text = _ABSOLUTE_IMPORT.sub("from . import ", stub.read_text())
            (OUTPUT_DIR / stub.name).write_text(text)
    (OUTPUT_DIR / "__init__.py").write_text("")


if __name__ == "__main__":
    generate()
    print(f"stubs written to {OUTPUT_DIR}", file=sys.stderr)
