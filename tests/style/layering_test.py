# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Includes and link dependencies follow the arrows between the layers, down only.

Includes of our own files are written from the repository root. Some libraries
belong to some layers: FOREIGN lists them.
"""

import pathlib
import re
import unittest

import cpp_text
import repository

# A folder may include its own files and what its arrows lead to, over any number
# of arrows. Tests may include everything; nothing includes tests.
ARROWS = {
    "kernels": {"kernels/core"},
    "kernels/core": {"kernels"},
    "kernels/reference": {"kernels"},
    "kernels/cpu": {"kernels"},
    "kernels/device": {"kernels"},
    "kernels/cuda": {"kernels/device"},
    "daemon/base": set(),
    "daemon/memory": {"daemon/base"},
    "daemon/cache": {"daemon/base"},
    "daemon/policy": {"daemon/base"},
    "daemon/engine": {"daemon/policy", "daemon/cache", "daemon/memory", "kernels"},
    "daemon/rpc": {"daemon/engine", "proto"},
    "daemon/shm": {"daemon/engine"},
    "daemon/server": {"daemon/rpc", "daemon/shm"},
    "daemon": {"daemon/server"},
    "proto": set(),
    "client/cpp": {"proto"},
    "client/ctl": {"client/cpp"},
}
# The file that picks a backend knows all of them; so does its target.
BACKEND_CHOOSERS = {"kernels/make_backend.cc", "kernels/CMakeLists.txt"}
BACKENDS = {"kernels/reference", "kernels/cpu", "kernels/cuda"}

# (what, pattern of the included header, pattern of the files that may)
FOREIGN = [
    ("Abseil", r"absl/", r"(?!kernels/)"),
    ("protobuf", r"google/protobuf/|.*\.pb\.h$", r"proto/|daemon/rpc/|daemon/server/|client/|tests/"),
    ("gRPC", r"grpc(pp)?/|grpc", r"daemon/rpc/|daemon/server/|client/|tests/"),
    ("CUDA", r"cuda|cublas|cub/|thrust/|cute/|cutlass/",
     r"kernels/cuda/|daemon/memory/cuda_|tests/kernels/cuda/|tests/daemon/memory/cuda_"
     r"|tests/bench/gpu/"),
    ("a lock, thread or clock",
     r"(atomic|mutex|shared_mutex|thread|condition_variable|future|semaphore|barrier|latch"
     r"|stop_token|chrono|ctime|pthread\.h|time\.h|sys/time\.h|absl/time/clock\.h"
     r"|daemon/base/(mutex|clock)\.h)$",
     r"(?!daemon/(cache|policy)/)"),
    ("input or output",
     r"(fstream|iostream|cstdio|stdio\.h|filesystem|unistd\.h|fcntl\.h|sys/.*|netinet/.*"
     r"|daemon/base/(logging|unique_fd)\.h)$",
     r"(?!daemon/(cache|policy)/)"),
    ("a type that the prebuilt Abseil makes unusable (see daemon/base/mutex.h and std)",
     r"absl/(synchronization/|types/(optional|variant|span|any)\.h)", r"(?!)"),
]
BANNED_NAME = re.compile(
    r"\babsl::(?:Mutex|MutexLock|CondVar|Notification|BlockingCounter|optional|variant|Span)\b")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path: str) -> str | None:
    """The longest folder of ARROWS that holds the file; None outside of all."""
    if path.startswith("sluice/") and ".pb." in path:
        return "proto"
    folders = [folder for folder in ARROWS if path.startswith(folder + "/")]
    return max(folders, key=len, default=None)


def reachable(layer: str) -> set[str]:
    found = {layer}
    pending = [layer]
    while pending:
        for below in ARROWS[pending.pop()] - found:
            found.add(below)
            pending.append(below)
    return found


def allowed(path: str) -> set[str]:
    layers = reachable(layer_of(path) or "")
    return layers | BACKENDS if path in BACKEND_CHOOSERS else layers


def include_fault(path: str, quoted: bool, header: str) -> str | None:
    for what, header_pattern, file_pattern in FOREIGN:
        if re.match(header_pattern, header) and not re.match(file_pattern, path):
            return f"includes {what}: {header}"
    layer = layer_of(path)
    if layer is None:
        return None
    if header.startswith("tests/"):
        return f"product code includes {header}"
    included = layer_of(header)
    if included is not None and included not in allowed(path):
        return f"{layer} includes {included}: {header}"
    if quoted and "/" not in header:
        return f"not written from the repository root: {header}"
    return None


def cpp_faults(path: str, text: str) -> list[str]:
    faults = []
    for quote, header in INCLUDE.findall(text):
        if fault := include_fault(path, quote == '"', header):
            faults.append(f"{path}: {fault}")
    code = cpp_text.blank_comments_and_strings(text)
    faults += [f"{path}: uses {name}" for name in BANNED_NAME.findall(code)]
    return faults


DEFINITION = re.compile(r"\b(?:sluice_library|sluice_executable|add_library|add_executable)"
                        r"\s*\(\s*(\w+)")
LINK = re.compile(r"\b(?:sluice_library|sluice_executable|target_link_libraries)\s*\(([^)]*)\)")


def cmake_faults(lists: dict[str, str]) -> list[str]:
    """`lists` maps paths of CMakeLists.txt files to their text."""
    lists = {path: re.sub(r"#[^\n]*", "", text) for path, text in lists.items()}
    owners = {name: layer_of(path) for path, text in lists.items()
              for name in DEFINITION.findall(text)}
    faults = []
    for path, text in lists.items():
        if layer_of(path) is None:
            continue
        for arguments in LINK.findall(text):
            target, *words = arguments.split()
            for word in words:
                if word in owners and owners[word] not in allowed(path):
                    faults.append(f"{path}: {target} links {word} of {owners[word]}")
    return faults


class RepositoryTest(unittest.TestCase):
    def test_includes_go_down(self):
        faults = []
        for path in repository.cpp_files():
            faults += cpp_faults(str(path), repository.read(path) or "")
        self.assertFalse(faults, "\n" + "\n".join(faults))

    def test_links_go_down(self):
        lists = {str(path): repository.read(path) or ""
                 for path in repository.files() if path.name == "CMakeLists.txt"}
        faults = cmake_faults(lists)
        self.assertFalse(faults, "\n" + "\n".join(faults))

    def test_every_product_folder_has_a_layer(self):
        folders = {str(path.parent) for path in repository.cpp_files()
                   if path.parts[0] in ("kernels", "daemon", "client")}
        self.assertLessEqual(folders, set(ARROWS) | {"client/python"})


class CheckerTest(unittest.TestCase):
    def faults(self, path, include):
        return cpp_faults(path, f"#include {include}\n")

    def test_includes_against_the_arrows_are_found(self):
        for path, header in (
            ("daemon/cache/a.h", "daemon/engine/engine.h"),
            ("daemon/cache/a.h", "daemon/policy/policy.h"),
            ("daemon/memory/a.h", "kernels/tensor.h"),
            ("daemon/engine/a.cc", "kernels/cpu/attend.h"),
            ("daemon/engine/a.cc", "sluice/v1/types.pb.h"),
            ("daemon/base/a.h", "daemon/cache/a.h"),
            ("kernels/cpu/a.cc", "kernels/reference/a.h"),
            ("kernels/core/a.h", "daemon/base/check.h"),
            ("client/cpp/a.cc", "daemon/base/check.h"),
            ("daemon/engine/a.cc", "tests/testing/fake_clock.h"),
            ("daemon/base/a.cc", "check.h"),
        ):
            self.assertTrue(self.faults(path, f'"{header}"'), f"{path} {header}")

    def test_foreign_headers_in_the_wrong_layer_are_found(self):
        for path, header in (
            ("kernels/cpu/a.cc", "absl/status/status.h"),
            ("daemon/engine/a.cc", "grpcpp/grpcpp.h"),
            ("daemon/engine/a.cc", "google/protobuf/message.h"),
            ("daemon/cache/a.h", "mutex"),
            ("daemon/policy/a.h", "chrono"),
            ("daemon/policy/a.h", "daemon/base/clock.h"),
            ("daemon/cache/a.cc", "iostream"),
            ("kernels/make_backend.cc", "cuda_runtime.h"),
            ("tests/daemon/base/a.cc", "absl/synchronization/notification.h"),
        ):
            self.assertTrue(self.faults(path, f"<{header}>"), f"{path} {header}")

    def test_includes_along_the_arrows_pass(self):
        for path, header in (
            ("daemon/engine/a.cc", "kernels/core/view.h"),
            ("daemon/rpc/a.cc", "daemon/policy/policy.h"),
            ("daemon/rpc/a.cc", "sluice/v1/types.pb.h"),
            ("daemon/server/a.cc", "grpcpp/server.h"),
            ("daemon/cache/a.cc", "absl/time/time.h"),
            ("daemon/memory/cuda_store.cc", "cuda_runtime.h"),
            ("tests/bench/gpu/a.cc", "cuda_runtime.h"),
            ("kernels/make_backend.cc", "kernels/cpu/backend.h"),
            ("tests/sim/a.cc", "daemon/cache/a.h"),
        ):
            self.assertFalse(self.faults(path, f"<{header}>"), f"{path} {header}")

    def test_banned_names_are_found_in_code_only(self):
        self.assertTrue(cpp_faults("tests/a.cc", "absl::Mutex mu;"))
        self.assertFalse(cpp_faults("tests/a.cc", "// not absl::Mutex\n"))

    def test_links_against_the_arrows_are_found(self):
        lists = {
            "daemon/cache/CMakeLists.txt": "sluice_library(sluice_cache SRCS a.cc DEPS sluice_engine)",
            "daemon/engine/CMakeLists.txt": "sluice_library(sluice_engine DEPS sluice_cache)",
        }
        self.assertEqual(len(cmake_faults(lists)), 1)


if __name__ == "__main__":
    unittest.main()
