from __future__ import annotations

import pytest

from stages.models.weights_files import config_beside, is_file, printable


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("openai", False),
        ("laion2b_s34b_b79k", False),
        ("somewhere/gone.safetensors", True),
        ("RN50.pt", True),
        ("model_final.pkl", True),
    ],
)
def test_a_file_is_told_from_a_tag_by_its_suffix(source, expected) -> None:
    assert is_file(source) is expected


def test_a_file_that_exists_needs_no_suffix(tmp_path, monkeypatch) -> None:
    (tmp_path / "weights").touch()
    monkeypatch.chdir(tmp_path)
    assert is_file("weights")


def test_the_description_beside_weights_has_open_clips_name(tmp_path) -> None:
    assert config_beside(tmp_path / "w.bin") is None
    (tmp_path / "open_clip_config.json").write_text("{}")
    assert config_beside(tmp_path / "w.bin") == tmp_path / "open_clip_config.json"


def test_text_of_a_file_is_shown_short_and_without_control_characters() -> None:
    assert printable("visual.proj") == "visual.proj"
    assert printable("\x1b[2Jä\n") == r"\x1b[2J\xe4\n"
    assert printable("a" * 101) == "a" * 100 + "…"
