#!/usr/bin/env python3
# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Checks that everything in the .proto files is documented.

Every service, RPC, message, field, oneof, enum and enum value needs a comment before it, and the
comment of an RPC a list of its errors. protoc itself says what there is and which comment belongs
to it; its descriptor set is read in protobuf's text form, so no Python package is needed.

Usage: documented_test.py PROTO_ROOT [PROTOC]
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROTO_ROOT = pathlib.Path("proto")
PROTOC = "protoc"

# Field numbers in descriptor.proto, by what is being described: number -> (kind, next place).
CHILDREN = {
    "file": {4: "message", 5: "enum", 6: "service"},
    "message": {2: "field", 3: "message", 4: "enum", 8: "oneof"},
    "enum": {2: "value"},
    "service": {2: "rpc"},
}
DECLARATION = re.compile(r"^\s*(message|enum|service|rpc|oneof)\s+\w+|=\s*-?\d+\s*(\[.*\])?;")


def protoc(arguments, data=None):
    """Runs protoc and returns its standard output."""
    command = [PROTOC, *arguments]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def descriptor_text(root, proto):
    """Returns the FileDescriptorProto of one file, with its comments, in text form."""
    with tempfile.NamedTemporaryFile() as out:
        protoc([f"-I{root}", "--include_source_info", f"--descriptor_set_out={out.name}", proto])
        return protoc(
            ["--decode=google.protobuf.FileDescriptorSet", "google/protobuf/descriptor.proto"],
            pathlib.Path(out.name).read_bytes(),
        ).decode()


def kind_of(path):
    """Returns what a source location's path points at, or None if it is not a declaration."""
    kind = "file"
    if len(path) % 2 or not path:
        return None
    for number in path[::2]:
        kind = CHILDREN.get(kind, {}).get(number)
        if kind is None:
            return None
    return kind


def declarations(root, proto):
    """Yields (kind, line, comment) of every declaration of a file."""
    text = descriptor_text(root, proto)
    for block in re.findall(r"^ {4}location \{\n(.*?)^ {4}\}", text, re.M | re.S):
        path = [int(number) for number in re.findall(r"^ +path: (\d+)", block, re.M)]
        line = int(re.search(r"^ +span: (\d+)", block, re.M).group(1)) + 1
        comment = re.search(r'^ +leading_comments: "(.*)"$', block, re.M)
        if kind_of(path):
            yield kind_of(path), line, comment.group(1) if comment else ""


def all_declarations(root):
    """Yields (file, declarations of the file) of every .proto file below a folder."""
    for path in sorted(root.rglob("*.proto")):
        proto = str(path.relative_to(root))
        yield proto, list(declarations(root, proto))


def findings(root, proto):
    """Returns one line for each declaration of a file that is not documented as it must be."""
    result = []
    for kind, line, comment in declarations(root, proto):
        if not comment.strip():
            result.append(f"{proto}:{line}: {kind} without a comment before it")
        elif kind == "rpc" and "Errors:" not in comment:
            result.append(f"{proto}:{line}: rpc whose comment lists no errors")
    return result


class DocumentedTest(unittest.TestCase):
    def test_everything_is_documented(self):
        missing = []
        for proto, _ in all_declarations(PROTO_ROOT):
            missing += findings(PROTO_ROOT, proto)
        self.assertEqual([], missing, "\n" + "\n".join(missing))

    def test_no_declaration_is_overlooked(self):
        for proto, found in all_declarations(PROTO_ROOT):
            lines = (PROTO_ROOT / proto).read_text().splitlines()
            code = [line for line in lines if not line.lstrip().startswith("//")]
            expected = sum(bool(DECLARATION.search(line)) for line in code)
            self.assertEqual(expected, len(found), proto)

    def test_both_services_are_found(self):
        kinds = [kind for _, found in all_declarations(PROTO_ROOT) for kind, _, _ in found]
        self.assertEqual(2, kinds.count("service"))

    def test_what_is_missing_is_reported(self):
        bad = """syntax = "proto3";
            service S { // Does something.
              rpc Call(M) returns (M);
              // Does something else.
              rpc Other(M) returns (M); }
            message M { oneof o { int32 a = 1; } enum E { ZERO = 0; } }"""
        with tempfile.TemporaryDirectory() as root:
            (pathlib.Path(root) / "bad.proto").write_text(bad)
            found = [line.split(": ")[1].split(" ")[0] for line in findings(root, "bad.proto")]
        expected = ["service", "rpc", "rpc", "message", "oneof", "field", "enum", "value"]
        self.assertEqual(sorted(expected), sorted(found))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        PROTO_ROOT = pathlib.Path(sys.argv.pop(1))
    if len(sys.argv) > 1:
        PROTOC = sys.argv.pop(1)
    unittest.main()
