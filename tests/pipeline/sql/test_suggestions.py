"""A name that does not exist: the nearest names, or the verb that makes the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import sql
from pipeline.sql.suggestions import nearest
from pipeline.store import manifest as manifests
from schemas.errors import QueryError
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("suggestions") / "store"
    make(Ingest(count=3), root)
    make(Propose(regions=1), root)
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT widht FROM images", "there is no column widht; the nearest is width"),
        ("SELECT i.WIDHT FROM images i", "there is no column WIDHT; the nearest is width"),
        ("FROM images WHERE zzz > 0.5", "there is no column zzz; there are image_id, "),
        ("FROM imagse", "there is no table imagse; the nearest are images, "),
        ("FROM zzz", "there is no table zzz; there are artifacts, audits, calibration, captions, "),
        ("FROM features", "there are no features in this store yet: 'rc featurize' makes them"),
        ("FROM Mentions", "there are no Mentions in this store yet: 'rc extract-concepts' makes"),
        ("FROM presence", "there are no presence in this store yet: 'rc label --absent 16' makes"),
        ("FROM curves", "there are no curves in this store yet: 'rc evaluate' makes them"),
        ('SELECT "a\x1b[2J" FROM images', "there is no column a�[2J; there are"),
        ("SELECT nosuch(1)", "Scalar Function with name nosuch does not exist"),
    ],
)
def test_an_unknown_name_brings_a_way_out(store: Path, statement: str, message: str) -> None:
    with sql.connect(store) as connection, pytest.raises(QueryError) as refused:
        sql.query(connection, statement)
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_table_of_another_version_says_which_command_makes_it_again(tmp_path: Path) -> None:
    root = tmp_path / "store"
    images = make(Ingest(count=3), root)
    make(Propose(regions=1), root)
    older = images.manifest.model_copy(update={"version": 1})
    moved = images.path.rename(images.path.with_name(images.path.name.replace("v2-", "v1-")))
    manifests.write(moved, older)
    with sql.connect(root) as connection, pytest.raises(QueryError) as refused:
        sql.query(connection, "FROM images")
    told = "was written by another version of this program: run 'rc ingest' again"
    assert str(refused.value) == f"images/{moved.name} {told}"


def test_only_the_nearest_names_are_shown_or_the_first_of_many() -> None:
    assert nearest("cosin", ["cosine", "cosines", "x0"]) == "the nearest are cosine, cosines"
    many = [f"column_{number}" for number in range(30)]
    assert nearest("q", many).endswith(", column_18, column_19 and 10 more")
