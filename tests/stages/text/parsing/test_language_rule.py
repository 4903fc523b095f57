from __future__ import annotations

import pytest

from stages.text.parsing.language_rule import SUFFIX, LanguageRule, TaggedWord


def words(text: str) -> list[TaggedWord]:
    """Words of "text/POS/lemma/c": c says that the noun modifies the next, n that it does not."""
    rows = [[*item.split("/"), "", "", ""][:4] for item in text.split()]
    flags = {"c": True, "n": False}
    return [TaggedWord(text, pos or "X", lemma, flags.get(flag)) for text, pos, lemma, flag in rows]


def concepts(language: str, text: str, style: str = "visual") -> list[str]:
    return LanguageRule(language, style).concepts(words(text))


def test_a_concept_is_the_lemma_of_a_noun() -> None:
    assert concepts("de", "Zwei/NUM Hunde/NOUN/Hund und/CCONJ eine Katze/NOUN") == ["Hund", "Katze"]
    assert concepts("es", "Dos perros/NOUN/perro corren/VERB") == ["perro"]
    assert concepts("fr", "Deux chiens/NOUN/chien courent/VERB") == ["chien"]


def test_german_nouns_have_a_capital_and_keep_others_inside() -> None:
    assert concepts("de", "hund/NOUN/hund T-Shirt/NOUN/T-shirt") == ["Hund", "T-Shirt"]


def test_nouns_of_the_plural_alone_keep_their_form() -> None:
    assert concepts("es", "Gafas/NOUN/gafa de/ADP sol/NOUN") == ["gafas de sol"]
    assert concepts("es", "paraguas/NOUN/paragua") == ["paraguas"]
    assert concepts("de", "Jeans/NOUN/Jean und Leute/NOUN/Leute") == ["Jeans", "Leute"]


def test_other_nouns_are_in_lower_case() -> None:
    assert concepts("es", "Perro/NOUN/Perro") == ["perro"]
    assert concepts("nl", "HOND/NOUN") == ["hond"]


def test_names_of_persons_and_places_are_nouns_only_for_paper() -> None:
    text = "Anna/PROPN mit Hund/NOUN"
    assert concepts("de", text) == ["Hund"]
    assert concepts("de", text, "paper") == ["Anna", "Hund"]


def test_every_mention_counts() -> None:
    assert concepts("zh", "狗/NOUN 和/CCONJ 狗/NOUN") == ["狗", "狗"]


def test_neighbouring_nouns_are_one_name_in_chinese_and_japanese() -> None:
    assert concepts("zh", "足球/NOUN 运动员/NOUN 在 草地/NOUN") == ["足球运动员", "草地"]
    assert concepts("ja", "野球/NOUN 選手/NOUN が バット/NOUN") == ["野球選手", "バット"]
    assert concepts("ja", "red/NOUN box/NOUN と USB/NOUN メモリ/NOUN") == [
        "red",
        "box",
        "usbメモリ",
    ]
    assert concepts("es", "coche/NOUN patrulla/NOUN") == ["coche", "patrulla"]


def test_a_dependency_parser_decides_about_compounds_where_there_is_one() -> None:
    assert concepts("zh", "女孩/NOUN//n 狗/NOUN//n") == ["女孩", "狗"]
    assert concepts("sv", "buss/NOUN//c hållplats/NOUN//n") == ["buss hållplats"]


def test_at_most_two_modifiers_are_kept() -> None:
    text = "a1/X metal/NOUN//c city/NOUN//c park/NOUN//c bench/NOUN//n"
    assert concepts("xx", text) == ["city park bench"]


def test_suffixes_continue_a_noun_and_are_nothing_alone() -> None:
    assert concepts("ja", f"消防/NOUN 車/{SUFFIX} が 車/{SUFFIX}") == ["消防車"]
    assert concepts("ja", f"子供/NOUN たち/{SUFFIX} が") == ["子供"]
    assert concepts("ja", "子供たち/NOUN") == ["子供"]
    assert concepts("zh", "孩子们/NOUN 和 人们/NOUN") == ["孩子", "人"]
    assert concepts("ja", "たち/NOUN") == ["たち"]


def test_a_spanish_noun_and_the_noun_after_de_are_one_name() -> None:
    assert concepts("es", "sillas/NOUN/silla de/ADP ruedas/NOUN/rueda") == ["silla de ruedas"]
    assert concepts("es", "campo/NOUN de/ADP fútbol/NOUN") == ["campo de fútbol"]
    assert concepts("es", "rama/NOUN de/ADP un/DET pino/NOUN") == ["rama", "pino"]
    assert concepts("es", "playa/NOUN De/ADP") == ["playa"]


def test_a_spanish_amount_vessel_or_material_is_not_part_of_a_name() -> None:
    assert concepts("es", "grupo/NOUN de/ADP personas/NOUN/persona") == ["persona"]
    assert concepts("es", "grupo/NOUN espera/VERB") == ["grupo"]
    assert concepts("es", "plato/NOUN de/ADP sopa/NOUN") == ["plato", "sopa"]
    assert concepts("es", "mesa/NOUN de/ADP madera/NOUN y silla/NOUN") == ["mesa", "silla"]
    assert concepts("es", "mesa/NOUN de/ADP noche/NOUN") == ["mesa de noche"]
    assert concepts("es", "foto/NOUN de/ADP día/NOUN") == []
    assert concepts("es", "árbol/NOUN de/ADP otoño/NOUN") == ["árbol"]


def test_german_amounts_are_dropped_before_what_they_count() -> None:
    assert concepts("de", "Gruppe/NOUN von/ADP Kindern/NOUN/Kind") == ["Kind"]
    assert concepts("de", "ein Paar/NOUN alte/ADJ Schuhe/NOUN/Schuh") == ["Schuh"]
    assert concepts("de", "ein Paar/NOUN tanzt/VERB") == ["Paar"]
    assert concepts("de", "eine Gruppe/NOUN") == ["Gruppe"]


def test_what_a_thing_is_made_of_is_no_concept() -> None:
    assert concepts("de", "Tisch/NOUN aus/ADP dunklem/ADJ Holz/NOUN") == ["Tisch"]
    assert concepts("de", "ein Stück/NOUN Holz/NOUN") == ["Holz"]
    assert concepts("ja", "石/NOUN の/ADP 橋/NOUN") == ["橋"]
    assert concepts("ja", "石/NOUN が/ADP ある/VERB") == ["石"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Hintergrund/NOUN Hund/NOUN", ["Hund"]),
        ("es", "fondo/NOUN", []),
        ("zh", "草地/NOUN 背景/NOUN", ["草地"]),
        ("zh", "红色/NOUN 汽车/NOUN", ["汽车"]),
        ("zh", "红色/NOUN", []),
        ("ja", "写真/NOUN 二人/NOUN 木製/NOUN ベンチ/NOUN", ["ベンチ"]),
    ],
)
def test_what_names_nothing_visible_is_dropped(
    language: str, text: str, expected: list[str]
) -> None:
    if language == "ja":
        text = text.replace(" 二人", " の 二人").replace(" 木製", " の 木製")
    assert concepts(language, text) == expected


def test_paper_drops_nothing() -> None:
    text = "Gruppe/NOUN von/ADP Hunden/NOUN/Hund im/ADP Hintergrund/NOUN"
    assert concepts("de", text, "paper") == ["Gruppe", "Hund", "Hintergrund"]


@pytest.mark.parametrize("word", ["2", "#", "a", "x" * 41, "dog1", "-", "www.x.de", "😀"])
@pytest.mark.parametrize("language", ["de", "zh", "xx"])
def test_numbers_marks_and_overlong_words_are_never_concepts(language: str, word: str) -> None:
    expected = [word] if (language, word) == ("zh", "a") else []
    assert concepts(language, f"{word}/NOUN") == expected


def test_words_keep_their_marks_in_any_script() -> None:
    assert concepts("hi", "कुत्ता/NOUN") == ["कुत्ता"]
    assert concepts("th", "สุนัข/NOUN") == ["สุนัข"]
    assert concepts("ja", "コーヒー・カップ/NOUN") == ["コーヒー・カップ"]


def test_a_caption_without_words_has_no_concepts() -> None:
    assert LanguageRule("de").concepts([]) == []
    assert LanguageRule("es").concepts(words("de/ADP")) == []
