# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the programs say to a person who called them wrongly."""

import os
import subprocess
from pathlib import Path

import oracle
import pytest
import sluice
from example.daemon import Daemon, find_binary

POOL_BYTES = 16 << 20


def run(program: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and what came on stderr."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--lisen=unix:/tmp/x", "'lisen'"),
        ("--pool_bytes=12GiB", "'12GiB'"),
        ("start", "takes flags only"),
    ],
)
def test_a_wrong_flag_is_named_and_help_is_pointed_to(argument: str, problem: str) -> None:
    code, message = run(find_binary(), argument)
    assert code == 2
    assert problem in message
    assert message.endswith("sluiced: --help lists the flags\n")


def test_a_pool_that_is_too_small_is_told_in_bytes() -> None:
    code, message = run(find_binary(), "--pool_bytes=12", "--check_config")
    assert code == 2
    limits = "[16777216, 1099511627776] bytes (16 MiB to 1 TiB)"
    assert message == f"sluiced: pool.bytes: must be in {limits}, got 12\n"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="a GPU may be here")
def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"backend": "BACKEND_CUDA"}')
    flags = (f"--config={config}", f"--listen=unix:{tmp_path}/socket", "--metrics_address=")
    code, message = run(find_binary(), *flags)
    assert code == 1
    assert "backend: " in message
    assert "CUDA" in message or "driver" in message
    assert "listening" not in message


def test_the_cpp_example_tells_a_refusal_in_words(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"limits": {"sequences": 1}}')
    flags = [f"--config={config}", f"--pool_bytes={POOL_BYTES}"]
    with Daemon(flags=flags) as daemon, sluice.Client(daemon.address) as client:
        example = Path(os.environ["CPP_EXAMPLE"])
        assert run(example, daemon.address) == (0, "")
        client.create_sequence(client.register_model(oracle.spec()))
        code, message = run(example, daemon.address)
    assert code == 1
    assert message.startswith("RESOURCE_EXHAUSTED, reason TENANT_QUOTA: ")
    assert message.rstrip("\n").isprintable()
