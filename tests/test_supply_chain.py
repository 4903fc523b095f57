"""What is installed and bundled is named by its SHA-256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "data" / "demo"


def test_ci_installs_every_constraint_by_its_hash() -> None:
    wheels = (ROOT / ".ci" / "wheels.txt").read_text("utf-8").splitlines()[1:]
    assert all(
        re.fullmatch(r"[\w.-]+==[\w.+]+ --hash=sha256:[0-9a-f]{64}", line) for line in wheels
    )
    pins = {line.split()[0] for line in wheels}
    constraints = (ROOT / "constraints.txt").read_text("utf-8").split()
    assert {pin.replace("_", "-").lower() for pin in pins} == {
        pin.replace("_", "-").lower() for pin in constraints
    }


def test_the_bundled_weights_are_those_that_are_listed() -> None:
    listed = dict(
        reversed(line.split("  ")) for line in (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    )
    assert listed.keys() == {path.name for path in WEIGHTS.glob("*.safetensors")}
    for name, digest in listed.items():
        assert hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest() == digest
