from __future__ import annotations

import hashlib
import re

import pytest

from schemas.errors import SourceError
from stages.models.weights_files import SAFE_FILE, config_beside, is_file, printable, sha256


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


def test_a_folder_in_place_of_weights_is_answered_with_the_file_to_name(tmp_path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    assert sha256(tmp_path / "w.pt") == hashlib.sha256(b"weights").hexdigest()
    told = f"{tmp_path} is a folder; name the file in it, such as {tmp_path / SAFE_FILE}"
    with pytest.raises(SourceError, match=re.escape(told)):
        sha256(tmp_path)
    with pytest.raises(SourceError, match=r"gone.pt cannot be read .No such file.*check its name"):
        sha256(tmp_path / "gone.pt")
