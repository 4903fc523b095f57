"""The file of proposed groups is one that can be read, whatever the names are."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.groups_file import groups_text, summary
from pipeline.analysis.synonym_groups import NamePair, ProposedGroups
from stages.sources.concept_groups import read_groups

if TYPE_CHECKING:
    from pathlib import Path


def proposal(*groups: list[str], loose: tuple[str, str] | None = None) -> ProposedGroups:
    of_groups = [tuple(sorted(pair)) for group in groups for pair in combinations(group, 2)]
    pairs = {(a, b): NamePair(0.98765, 9, 0) for a, b in [*of_groups, *([loose] if loose else [])]}
    names = [name for group in groups for name in group] + list(loose or ())
    mentions = {name: 1000 * (len(names) - k) for k, name in enumerate(names)}
    return ProposedGroups([*groups], pairs, mentions, 0.9, 7, True, ("a", "b", 0.8), 0)


@pytest.mark.parametrize(
    "groups",
    [
        [["umbrella", "parasol"], ["traffic light", "stop-light", "semaphore_1"]],
        [['5" pipe', "back\\slash"], ["new\nline", "#hash"], ["naïve café", "猫"], ["a.b", "[x]"]],
        [["'", "=" * 3], ["true", "1979-05-27"], ["1e5", "groups"]],
        [],
    ],
)
def test_what_is_written_is_read_again(tmp_path: Path, groups: list[list[str]]) -> None:
    path = tmp_path / "groups.toml"
    groups = [[name.replace("\n", " ") for name in group] for group in groups]
    path.write_text(groups_text(proposal(*groups)), "utf-8")
    assert read_groups(path).members == {head: tuple(names) for head, *names in groups}


def test_each_name_has_its_reasons_beside_it() -> None:
    text = groups_text(proposal(["umbrella", "parasol"], ["cat", "kitten", "puss"]))
    assert (
        'umbrella = ["parasol"]  # cosine 0.9877; mentioned 5,000 and 4,000 times; by different '
        "captions of one image 9 times, by one caption 0\n"
    ) in text
    assert 'cat = [\n    "kitten",  # cosine' in text
    assert "# 2 groups with 5 of 5 concepts\n" in text


def test_pairs_of_no_group_are_comments() -> None:
    proposed = proposal(["cat", "kitten"], loose=("cat", "dog\n[groups]"))
    tail = groups_text(proposed).split("Alike too")[1]
    assert '\n# "cat", "dog\\n[groups]": cosine 0.9877' in tail
    assert tail.count("\n[") == 0
    many = {(f"a{n:03}", "z"): NamePair(1.0, 3, 0) for n in range(203)}
    mentions = {name: 1 for pair in many for name in pair}
    text = groups_text(replace(proposed, groups=[], pairs=many, mentions=mentions))
    assert text.endswith("by one caption 0\n# and 3 pairs more\n")
    assert text.count("cosine 1.0000") == 200


def test_the_summary_says_why_there_is_nothing_and_what_to_doubt() -> None:
    nothing = replace(proposal(), similar=0)
    assert summary(nothing)[1] == (
        'no two concepts have a cosine of at least 0.9: the highest is 0.8000, of "a" and "b"; '
        "lower --min-cosine"
    )
    doubtful = replace(proposal(["a", "b"]), comparable=False, without_embedding=3)
    assert summary(doubtful) == [
        "1 group with 2 of 2 concepts",
        "7 pairs have a cosine of at least 0.9; captions do not speak against 1 as one thing",
        "3 concepts without an embedding left out",
        "most images have one caption, which says little about two names: look at each group, or "
        "raise --min-cosine",
    ]
