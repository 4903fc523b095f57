from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.concept_groups import ConceptGroups, merge_pool, read_groups

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str | bytes) -> ConceptGroups:
    path = folder / "groups.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_groups(path)


def test_names_of_a_group_count_as_its_first(tmp_path: Path) -> None:
    groups = read(tmp_path, '[groups]\numbrella = ["parasol", "sun shade"]\n"hot dog" = []\n')
    assert groups.members == {"umbrella": ("parasol", "sun shade"), "hot dog": ()}
    assert [groups.head(name) for name in ("parasol", "sun shade", "umbrella", "cat")] == [
        *("umbrella", "umbrella", "umbrella", "cat")
    ]


def test_a_mark_of_order_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf[groups]\na = ['b']\n").members == {"a": ("b",)}


def test_the_digest_knows_the_groups_and_neither_order_nor_comments(tmp_path: Path) -> None:
    written = (
        "[groups]\na = ['b', 'c']\nd = ['e']",
        "# one\n[groups]\nd = ['e'] # two\na = ['c', 'b']",
    )
    one, other = (read(tmp_path, text).digest() for text in written)
    assert one == other
    for text in ("a = ['b']\nd = ['e']", "b = ['a', 'c']\nd = ['e']", "a = ['b', 'c', 'e']"):
        assert read(tmp_path, f"[groups]\n{text}").digest() != one


def test_a_file_without_groups_merges_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing is alike\n[groups]\n").members == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("umbrella = ['parasol']", r"must have the table \[groups\] alone, and have beside it "),
        ("", r"must have the table \[groups\] alone, and have no such table; write \[groups\]"),
        ("groups = 3", r"and have no such table"),
        ("[groups]\na = ['b']\n[more]\n", r"beside it 'more'"),
        ("[groups]\na = 'b'", r"have no list at 'a'"),
        ("[groups]\na = 5", r"have no list at 'a'"),
        ("[groups]\na.b = ['c']", r"have a table at 'a'; .* put a name with dots or spaces in quo"),
        ("[groups]\na = [1]", r"the group of 'a' has something that is no text in place of name 1"),
        ("[groups]\na = [['b']]", r"something that is no text"),
        ("[groups]\na = ['']", r"the group of 'a' has an empty text"),
        ("[groups]\n'' = ['a']", r"has an empty text"),
        ('[groups]\n"a\\u001b[31m" = ["b"]', r"with the character U\+001B"),
        ("[groups]\na = ['b', 'b']", r"have 'b' twice, in the group of 'a'; leave one out"),
        ("[groups]\na = ['b']\nc = ['b']", r"have 'b' twice, in the group of 'a', 'c'"),
        ("[groups]\na = ['a']", r"have 'a' as a group of its own, and in that of 'a'"),
        ("[groups]\na = ['b']\nb = ['c']", r"have 'b' as a group of its own, and in that of 'a'; "),
        ("[groups]\na = ['b']\na = ['c']", r"cannot read the groups .*; write \[groups\], and"),
        ("[groups]\na = ['b'", r"cannot read the groups"),
        ("[groups]\na = " + "[" * 100_000, r"nested too deeply"),
        ("[groups]\na = [" + "9" * 5_000 + "]", r"cannot read the groups"),
        (b"[groups]\na = ['\xff']", r"cannot read the groups"),
    ],
)
def test_what_is_no_list_of_groups_is_one_sentence(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        read(tmp_path, text)
    assert str(tmp_path / "groups.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"cannot read the groups .*none.toml: No such file"):
        read_groups(tmp_path / "none.toml")
    monkeypatch.setattr("stages.sources.concept_groups._MOST_BYTES", 10)
    with pytest.raises(SourceError, match="have more than 10 bytes"):
        read(tmp_path, "[groups]\na = ['b']")


POOL = [["parasol"], ["dog"], ["umbrella"], ["cat", "kitten"]]


def test_a_pool_keeps_its_order_and_a_head_its_place() -> None:
    groups = ConceptGroups({"umbrella": ("parasol", "brolly"), "pet": ("cat", "dog")})
    assert merge_pool(POOL, groups) == [
        ["pet", "dog", "cat", "kitten"],
        ["umbrella", "parasol"],
    ]
    assert merge_pool(POOL, ConceptGroups({})) == POOL


def test_what_a_pool_has_merged_may_be_said_again_and_not_otherwise() -> None:
    assert merge_pool(POOL, ConceptGroups({"cat": ("kitten",)})) == POOL
    for members in ({"dog": ("kitten",)}, {"kitten": ("dog",)}):
        with pytest.raises(SourceError, match=r"have 'kitten', which the pool has as another name"):
            merge_pool(POOL, ConceptGroups(members))  # type: ignore[arg-type]
    both = ConceptGroups({"pet": ("cat", "kitten")})
    assert merge_pool(POOL, both)[-1] == ["pet", "cat", "kitten"]
