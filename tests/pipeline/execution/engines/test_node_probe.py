from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.execution.engines import node_probe
from pipeline.execution.engines.node_probe import NodeProbe, probe_left, program, without_program

if TYPE_CHECKING:
    from pathlib import Path


def test_a_node_that_sees_the_store_and_runs_the_program_is_one_of_ours(tmp_path: Path) -> None:
    with probe_left(tmp_path) as probe:
        assert probe.objection("here") == ""
    assert list(tmp_path.iterdir()) == []  # nothing is left of it


def test_two_probes_of_one_folder_are_two_files(tmp_path: Path) -> None:
    with probe_left(tmp_path) as first, probe_left(tmp_path) as second:
        assert first.path != second.path
        assert first.objection("here") == second.objection("here") == ""


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("no folder", "node gpu-3 does not see the same store: its {folder} is not there; mount"),
        ("no file", "node gpu-3 does not see the same store: its {folder} lacks what was just"),
        ("other file", "node gpu-3 sees another file at {folder}/.probe-"),
        ("no text", "node gpu-3 cannot read the store at {folder}: 'utf-8' codec"),
    ],
)
def test_what_a_node_sees_instead_of_the_store_is_said(
    harm: str, said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with probe_left(folder) as probe:
        if harm == "other file":
            probe.path.write_text("of another store")
        elif harm == "no text":
            probe.path.write_bytes(b"\xff")
        else:
            probe.path.unlink()
        if harm == "no folder":
            folder.rmdir()
        answer = probe.objection("node gpu-3")
    assert answer.startswith(said.format(folder=folder))
    assert answer.endswith("at the same path on every node, or leave the node out")


def test_another_program_is_said_before_anything_else(tmp_path: Path) -> None:
    probe = NodeProbe(tmp_path / "not there", "", "version 9 (code 12345678)")
    assert probe.objection("node gpu-3") == (
        f"node gpu-3 has {program()} of this program, and the machine of this command has "
        "version 9 (code 12345678): install the same on both"
    )
    assert "does not see" in replace(probe, program=program()).objection("node gpu-3")


def test_one_changed_line_is_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "invented").mkdir()
    code = tmp_path / "invented" / "__init__.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(node_probe, "_PACKAGES", ("invented",))
    said = []
    for text in ("a = 1\n", "a = 2\n", "a = 1\n"):
        code.write_text(text)
        said.append(program.__wrapped__())
    assert said[0] == said[2] != said[1]
    assert all(text.startswith("version ") for text in said)


def test_a_node_that_cannot_load_the_program_is_named_with_the_reason() -> None:
    trace = (
        "died (pid=7, ip=10.0.0.7, actor_id=1)\n  ^^^\nModuleNotFoundError: No module named 'x'\n"
    )
    assert without_program(trace) == (
        "node 10.0.0.7 cannot load this program (ModuleNotFoundError: No module named 'x'): "
        "install the same on every node"
    )
    assert without_program("nothing\nbut this").startswith(
        "node unknown cannot load this program ("
    )
