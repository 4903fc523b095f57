"""Where a tokenizer comes from: the folder given, beside the weights, the cache, the network."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from stages.models import tokenizer_source
from stages.models.clip_spec import architecture_spec
from stages.models.tokenizer_files import TokenizerFiles, read_tokenizer_folder
from stages.models.tokenizer_source import NO_PLACES, TokenizerPlaces, with_tokenizer
from tests.stages.models.tiny import tiny_clip

pytest.importorskip("transformers")
from tests.stages.models.small_tokenizers import write_kind

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip_spec import ClipSpec

pytestmark = pytest.mark.slow


class Hub:
    """The Hugging Face hub: repositories by name, and whether they were fetched before."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.cached: set[str] = set()
        self.asked: list[str] = []

    def snapshot_download(
        self, name: str, *, allow_patterns: list[str], local_files_only: bool
    ) -> str:
        assert "config.json" in allow_patterns
        assert not [pattern for pattern in allow_patterns if "*" in pattern or ".py" in pattern]
        if local_files_only and name not in self.cached:
            raise FileNotFoundError(name)
        if not local_files_only:
            self.asked.append(name)
        return str(self.repositories[name])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr(tokenizer_source, "huggingface_hub", made)
    monkeypatch.setattr(tokenizer_source.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(tokenizer_source, "reachable", lambda _: True)
    return made


def bare_spec(folder: Path, kind: str) -> ClipSpec:
    """The spec of a kind, whose tokenizer lies in `folder` / "tokenizer"."""
    write_kind(folder / "tokenizer", kind)
    shutil.move(folder / "tokenizer" / "net.json", folder / "net.json")
    return architecture_spec(str(folder / "net.json"))


def test_the_folder_given_comes_first(tmp_path: Path, hub: Hub) -> None:
    spec = bare_spec(tmp_path, "siglip")
    shutil.copytree(tmp_path / "tokenizer", tmp_path / "beside")
    (tmp_path / "beside" / "added_tokens.json").write_text("{}")
    given, beside = tmp_path / "tokenizer", tmp_path / "beside"
    for places, folder in (
        (TokenizerPlaces(given, (beside,)), given),
        (TokenizerPlaces(None, (tmp_path, beside)), beside),
    ):
        assert with_tokenizer(spec, places).tokenizer == read_tokenizer_folder(folder)
    assert not hub.asked


def test_places_are_the_folders_of_files(tmp_path: Path) -> None:
    for name in ("weights.pt", "net.json"):
        (tmp_path / name).touch()
    places = TokenizerPlaces.of(None, tmp_path / "weights.pt", str(tmp_path / "net.json"))
    assert places.beside == (tmp_path,)
    assert TokenizerPlaces.of(tmp_path, "openai", "RN50") == TokenizerPlaces(tmp_path)


def test_a_folder_without_the_files_is_refused(tmp_path: Path, hub: Hub) -> None:
    spec = bare_spec(tmp_path, "roberta")
    with pytest.raises(SourceError, match=r"--tokenizer .* is no folder with tokenizer\.json"):
        with_tokenizer(spec, TokenizerPlaces(tmp_path / "gone", (tmp_path / "tokenizer",)))
    (tmp_path / "tokenizer" / "config.json").unlink()  # the tower cannot be built without it
    with pytest.raises(SourceError, match=r"_config\.json and config\.json, as https://hugging"):
        with_tokenizer(spec, TokenizerPlaces(tmp_path / "tokenizer"))
    assert not hub.asked


def test_a_folder_that_is_not_needed_is_refused(tmp_path: Path) -> None:
    spec = tiny_clip(tmp_path).spec
    assert with_tokenizer(spec, NO_PLACES) is spec
    with pytest.raises(SourceError, match="is not needed: this model has CLIP's own tokenizer"):
        with_tokenizer(spec, TokenizerPlaces(tmp_path))
    mute = dataclasses.replace(bare_spec(tmp_path, "siglip"), language=False)
    assert with_tokenizer(mute, NO_PLACES) is mute
    with pytest.raises(SourceError, match="this model has no language encoder"):
        with_tokenizer(mute, TokenizerPlaces(tmp_path / "tokenizer"))


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(("kind", "name"), [("siglip", "timm/siglip"), ("nllb", "some/tower")])
def test_files_are_fetched_once(
    tmp_path: Path, hub: Hub, kind: str, name: str, cached: bool
) -> None:
    spec = bare_spec(tmp_path, kind)
    hub.repositories[name] = tmp_path / "tokenizer"
    hub.cached |= {name} if cached else set()
    (tmp_path / "tokenizer" / "evil.py").touch()
    found = with_tokenizer(spec, NO_PLACES).tokenizer
    assert found == read_tokenizer_folder(tmp_path / "tokenizer")
    assert hub.asked == ([] if cached else [name])


def test_the_description_of_the_tower_is_fetched_from_its_own_repository(
    tmp_path: Path, hub: Hub
) -> None:
    spec = bare_spec(tmp_path, "roberta")
    text: dict[str, Any] = {**spec.config["text_cfg"], "hf_model_name": "another/tower"}
    spec = dataclasses.replace(spec, config={**spec.config, "text_cfg": text})
    shutil.copytree(tmp_path / "tokenizer", tmp_path / "tower")
    description = b'{"model_type": "roberta", "vocab_size": 300}'
    (tmp_path / "tower" / "config.json").write_bytes(description)
    (tmp_path / "tower" / "vocab.json").write_text("{}")
    hub.repositories = {
        "some/tower": tmp_path / "tokenizer",
        "another/tower": tmp_path / "tower",
    }
    found = with_tokenizer(spec, NO_PLACES).tokenizer
    contents = {**read_tokenizer_folder(tmp_path / "tokenizer").contents}
    assert found == TokenizerFiles({**contents, "config.json": description})


def test_nothing_is_connected_where_that_is_not_wished(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bare_spec(tmp_path, "siglip")
    monkeypatch.setattr(tokenizer_source.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(tokenizer_source, "reachable", lambda _: pytest.fail("it connected"))
    with pytest.raises(SourceError) as refused:
        with_tokenizer(spec, TokenizerPlaces(None, (tmp_path,)))
    assert str(refused.value) == (
        "the language encoder has a tokenizer of its own, 'timm/siglip', whose files are neither "
        "beside the weights nor on this machine, and HF_HUB_OFFLINE is set. Fetch tokenizer.json "
        "(or its sentencepiece model) and tokenizer_config.json from "
        "https://huggingface.co/timm/siglip elsewhere, and give their folder with "
        "--tokenizer FOLDER"
    )
    assert not hub.asked


def test_a_network_without_answer_and_a_hub_without_the_files_are_named(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bare_spec(tmp_path, "siglip")
    with pytest.raises(SourceError, match="it does not hold them, or does not let you have them"):
        with_tokenizer(spec, NO_PLACES)
    monkeypatch.setattr(tokenizer_source, "reachable", lambda _: False)
    with pytest.raises(SourceError, match=r"https://huggingface\.co cannot be reached"):
        with_tokenizer(spec, NO_PLACES)


def test_a_tokenizer_that_makes_none_is_refused_at_once(tmp_path: Path) -> None:
    spec = bare_spec(tmp_path, "siglip")
    (tmp_path / "tokenizer" / "spiece.model").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="make none"):
        with_tokenizer(spec, TokenizerPlaces(tmp_path / "tokenizer"))
