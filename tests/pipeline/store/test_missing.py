"""An artifact that is not there: the message says what is, and what makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.store.missing import not_found, nothing_in

if TYPE_CHECKING:
    from pathlib import Path

THERE = {"v2-0123456789ab": "images", "v1-ba9876543210": "proposals"}


@pytest.mark.parametrize(
    ("name", "table", "end"),
    [
        ("imgaes", "imgaes", "there is no table imgaes, but images"),
        ("images@99", "images", "the images there are v2-0123456789ab"),
        ("features", "features", "there are no features yet, 'rc featurize' makes them"),
        ("mentions", "mentions", "there are no mentions yet"),
    ],
)
def test_the_way_out_is_named(tmp_path: Path, name: str, table: str, end: str) -> None:
    message = not_found(tmp_path, name, table, THERE, {})
    assert message == f"no artifact matches '{name}' in {tmp_path}: {end}"


def test_of_many_artifacts_a_few_are_named(tmp_path: Path) -> None:
    many = {f"v2-{number:012x}": "images" for number in range(8)}
    assert not_found(tmp_path, "images@9", "images", many, {}).endswith(
        "v2-000000000004 and 3 more"
    )


def test_an_artifact_with_a_name_is_named_by_it(tmp_path: Path) -> None:
    there, called = {"v1-0123456789ab": "audits"}, {"v1-0123456789ab": "first"}
    message = not_found(tmp_path, "audits@fist", "audits", there, called)
    assert message.endswith("the audits there are v1-0123456789ab (called first)")


def test_an_empty_store_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path.relative_to(tmp_path) / "store"
    assert nothing_in(store).startswith(f"nothing is in {tmp_path / 'store'} yet (there is no")
    store.mkdir()
    start = f"no artifact matches 'images': nothing is in {tmp_path / 'store'} yet; begin with"
    assert not_found(store, "images", "images", {}, {}).startswith(start)
