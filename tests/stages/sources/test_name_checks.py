from __future__ import annotations

import pytest

from stages.sources.name_checks import look_alike, names_fault, quoted_names

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
CYRILLIC_CAT = "c\u0430t"


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["dog", None], "has null in place of name 2"),
        (["dog", 7], "has something that is no text in place of name 2"),
        (["", "dog"], "has an empty text in place of name 1"),
        (["dog", " \u200b"], "has an empty text in place of name 2"),
        (["a\x1b[1m"], "has 'a\ufffd[1m' with the character U+001B in place of name 1"),
        (["a\ud800"], "has 'a\ufffd' with the character U+D800 in place of name 1"),
        (["a\u2028b"], "has 'a\ufffdb' with the character U+2028 in place of name 1"),
        (["a\u202eb"], "has 'a\ufffdb' with the character U+202E in place of name 1"),
        (["dog", "cat", "dog"], "has 'dog' more than once (names 1 and 3)"),
        (["hot dog", "hot  dog"], "has 'hot dog' and 'hot  dog', which differ only in spaces"),
        ([COMPOSED, DECOMPOSED], f"has '{COMPOSED}' (U+00E9) and '{DECOMPOSED}' (U+0301), which"),
        (["fish", "\ufb01sh"], "has 'fish' and '\ufb01sh' (U+FB01), which look alike"),
        (["\uff44og", "dog"], "has '\uff44og' (U+FF44) and 'dog', which look alike"),
        (["hot dog", "hot\u00a0dog"], "has 'hot dog' and 'hot\u00a0dog' (U+00A0), which look"),
        (["dog", "d\u00adog"], "has 'dog' and 'd\ufffdog' (U+00AD), which look alike"),
        (["cat", CYRILLIC_CAT], f"has 'cat' and '{CYRILLIC_CAT}' (U+0430), which look alike"),
        (["\u0391nt", "Ant"], "has '\u0391nt' (U+0391) and 'Ant', which look alike"),
        (["\u2764", "\u2764\ufe0f"], "has '\u2764' and '\u2764\ufe0f' (U+FE0F), which look"),
    ],
)
@pytest.mark.parametrize("ignore_case", [False, True])
def test_names_that_cannot_be_told_apart_are_shown_with_their_code_points(
    names: list[object], fault: str, ignore_case: bool
) -> None:
    assert (names_fault(names, ignore_case=ignore_case) or "").startswith(fault)


def test_names_in_another_case_are_alike_only_where_case_does_not_count() -> None:
    for one, other in (("Dog", "dog"), ("Stra\u00dfe", "STRASSE"), ("\u0422", "\u0442")):
        assert names_fault([one, other], ignore_case=False) is None
        fault = f"has '{one}' and '{other}', which differ only in case (names 1 and 2)"
        assert names_fault([one, other]) == fault


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["dog", "hot dog", "dogs", "dog house"],
        ["\u0441\u043e\u0440", "cop"],  # Russian for litter: another word of another alphabet
        [COMPOSED, "cafe"],
        ["\u732b", "\u72ac", "\u0645\u06cc\u200c\u062e"],  # Persian needs its joiners
        ["bow_(weapon)", "bow_(decorative_ribbons)"],
    ],
)
def test_different_words_are_different(names: list[str]) -> None:
    assert names_fault(names) is None


def test_a_name_that_is_missing_is_shown_beside_the_one_that_looks_like_it() -> None:
    assert look_alike(DECOMPOSED, ["dog", COMPOSED]) == (
        f"'{DECOMPOSED}' (U+0301) looks like '{COMPOSED}' (U+00E9)"
    )
    assert look_alike("dog", ["cat", "dog"]) is None
    assert look_alike("\u0441\u043e\u0440", ["cop"]) is None
    assert quoted_names(["cow", "cat"], ["dog", CYRILLIC_CAT]) == (
        f"'cow', 'cat'; 'cat' looks like '{CYRILLIC_CAT}' (U+0430)"
    )


def test_a_message_shows_five_names_and_nothing_that_a_terminal_obeys() -> None:
    assert quoted_names([]) == ""
    assert quoted_names(list("abcdef")) == "'a', 'b', 'c', 'd', 'e' and 1 more"
    assert quoted_names(["\x1b[31m" + "x" * 100]) == f"'\ufffd[31m{'x' * 55}\u2026'"
