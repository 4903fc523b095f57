from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import OptionError, SourceError
from stages.text.parsing.cleaning import CLEANING_VERSION
from stages.text.parsing.concept_rule import RULE_VERSION
from stages.text.parsing.engines import (
    bundled_parser_path,
    load_parser,
    parser_identity,
    parser_language,
)
from stages.text.parsing.spacy_parser import pipeline_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stages.text.parsing.engines import CaptionParser

pytestmark = pytest.mark.slow

ENGINES = ("bundled", "lexicon", "ngram:3")
HOSTILE = (
    "",
    "   \n\t ",
    "a dog " * 17_000,
    "b" * 100_000,
    "".join(map(chr, range(32))) * 10,
    "\ud800 \udfff",
    "🐶👨\u200d👩\u200d👧" * 50,
    "?!.,;:-()[]{}<>\"'" * 50,
    "-" * 500,
    "dog-" * 200,
    "of of the and",
    "犬が走る",
)
COCO_80 = """
person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign
parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella
handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard
surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl banana apple sandwich orange
broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table toilet tv laptop
mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors
teddy_bear hair_drier toothbrush
"""


@pytest.fixture(scope="module")
def bundled() -> CaptionParser:
    return load_parser()


def parse(parser: CaptionParser, caption: str) -> list[str]:
    (concepts,) = parser.concepts([caption])
    return concepts


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man riding a skateboard down a city street.", ["man", "skateboard", "city street"]),
        ("a group of people near a traffic light", ["people", "traffic light"]),
        ("A slice of pizza on top of a white plate", ["slice", "pizza", "plate"]),
        ("TWO WOMEN WITH A TENNIS RACKET", ["woman", "tennis racket"]),
        ("the dog watches as a boy plays in the snow", ["dog", "boy", "snow"]),
        ("a snow-covered hill behind a train-station", ["hill", "train station"]),
    ],
)
def test_the_bundled_parser_reads_captions(
    bundled: CaptionParser, caption: str, expected: list[str]
) -> None:
    assert parse(bundled, caption) == expected


@pytest.mark.parametrize("name", [name.replace("_", " ") for name in COCO_80.split()])
def test_every_coco_category_is_found_under_its_own_name(bundled: CaptionParser, name: str) -> None:
    article = "an" if name[0] in "aeiou" else "a"
    assert name in parse(bundled, f"A man with {article} {name} in a room.")


@pytest.mark.parametrize("engine", ENGINES)
def test_any_caption_is_accepted(engine: str, bundled: CaptionParser) -> None:
    parser = bundled if engine == "bundled" else load_parser(engine, names=["dog"])
    concepts = list(parser.concepts(HOSTILE))
    assert len(concepts) == len(HOSTILE)
    assert concepts[0] == concepts[1] == concepts[7] == concepts[10] == []
    assert all(len(name.split()) <= 3 for name in concepts[2])


def test_concepts_come_in_the_order_of_any_number_of_captions(bundled: CaptionParser) -> None:
    captions = ["a dog", "", "a cat and a cat", "very slowly", "a horse"]
    expected = [["dog"], [], ["cat", "cat"], [], ["horse"]]
    assert list(bundled.concepts(captions)) == expected
    assert list(bundled.concepts([])) == []


def test_captions_are_read_as_a_stream(bundled: CaptionParser) -> None:
    num_read = 0

    def endless() -> Iterator[str]:
        nonlocal num_read
        while True:
            num_read += 1
            yield "a dog" if num_read == 1 else ""

    assert next(iter(bundled.concepts(endless()))) == ["dog"]
    assert num_read <= 10_000


def test_words_of_past_captions_leave_the_vocabulary(bundled: CaptionParser) -> None:
    list(bundled.concepts(f"a dog and a zq{i}x" for i in range(300)))
    strings = bundled._nlp.vocab.strings  # type: ignore[attr-defined]
    assert not any(f"zq{i}x" in strings for i in range(300))


def test_style_paper_keeps_nouns_that_name_nothing_visible() -> None:
    caption = "A group of dogs in the background"
    assert parse(load_parser(style="paper"), caption) == ["group", "dog", "background"]


def test_the_language_of_a_parser_is_known() -> None:
    languages = [load_parser(engine, names=["dog"]).language for engine in ENGINES]
    assert languages == ["en", "", ""]


@pytest.mark.parametrize("engine", ["bundled", "lexicon", "ngram", "ngram:4"])
@pytest.mark.parametrize("style", ["visual", "paper"])
def test_identity_is_known_without_loading(engine: str, style: str) -> None:
    names = ["dog", "hot dog"] if engine == "lexicon" else []
    parser = load_parser(engine, style, names)
    assert parser.identity == parser_identity(engine, style, names)


def test_identity_does_not_import_spacy() -> None:
    code = (
        "import sys; from stages.text.parsing.engines import parser_identity; parser_identity(); "
        "sys.exit('spacy' in sys.modules)"
    )
    root = Path(__file__).parents[4]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_identity_changes_with_everything_that_changes_concepts() -> None:
    identities = [
        parser_identity(),
        parser_identity(style="paper"),
        parser_identity("lexicon", names=["hot dog"]),
        parser_identity("lexicon", names=["dog"]),
        parser_identity("ngram"),
        parser_identity("ngram:5"),
    ]
    assert len(set(identities)) == len(identities)


def test_identity_depends_on_the_weights_and_not_on_their_folder(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(bundled_parser_path(), copy)
    (copy / "README.md").write_text("other words")
    assert parser_identity(f"spacy:{copy}") == parser_identity()
    weights = copy / "tagger" / "model"
    weights.write_bytes(weights.read_bytes() + b"\0")
    assert parser_identity(f"spacy:{copy}") != parser_identity()


def test_the_bundled_pipeline_can_be_named_by_its_folder(bundled: CaptionParser) -> None:
    parser = load_parser(f"spacy:{bundled_parser_path()}")
    assert parse(parser, "a tennis racket") == parse(bundled, "a tennis racket")


@pytest.mark.parametrize("name", ["no_such_pipeline", "no/such/folder", "..", "stages"])
def test_a_missing_pipeline_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match=r"there is no spaCy pipeline|cannot be loaded"):
        load_parser(f"spacy:{name}")


def test_a_broken_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text("[nlp]\nlang = 'none'\n")
    with pytest.raises(SourceError, match="cannot be loaded"):
        load_parser(f"spacy:{tmp_path}")


def test_a_pipeline_without_parts_of_speech_is_refused(tmp_path: Path) -> None:
    import spacy

    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(SourceError, match="gives no parts of speech"):
        load_parser(f"spacy:{tmp_path}")


@pytest.mark.parametrize("engine", ["", "spacy", "spacy:", "bundled:x", "lexicon:x", "ngram:x"])
def test_an_unknown_engine_is_refused(engine: str) -> None:
    with pytest.raises(OptionError, match="unknown caption parser"):
        load_parser(engine)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(OptionError, match="unknown style 'poem'"):
        load_parser(style="poem")


def test_the_bundled_pipeline_is_small_and_names_its_licence() -> None:
    folder = bundled_parser_path()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 4_000_000
    assert "CC BY-SA 4.0" in (folder / "README.md").read_text(encoding="utf-8")
    assert "ShareAlike 4.0" in (folder / "LICENSE.txt").read_text(encoding="utf-8")


# captions as the web has them, by what is special in them, and what one could point at
_OF_THE_WEB = {
    "hyphens": ("A girl in a T-Shirt holds an x-ray", "girl; t-shirt; x-ray"),
    "non-breaking hyphen": ("a girl in a t\u2011shirt", "girl; t-shirt"),
    "dash for a hyphen": ("a girl in a t\u2013shirt", "girl; t-shirt"),
    "t shirt": ("a girl in a tee shirt", "girl; tee shirt"),
    "lenses": ("two lenses and a camera lens on a desk", "lens; camera lens; desk"),
    "-ss": ("a glass, a mattress and three dresses", "glass; mattress; dress"),
    "names in -s": ("a Lexus behind a Mercedes", "lexus; mercedes"),
    "possessives": ("a girl's scarf and the horses' stable", "girl; scarf; horse; stable"),
    "curly apostrophe": ("a girl\u2019s scarf", "girl; scarf"),
    "capitals": ("A GIRL FEEDS A GOAT NEAR A FENCE", "girl; goat; fence"),
    "title case": ("A Girl Feeds A Goat Near A Fence", "girl; goat; fence"),
    "names of two words": ("two fire hydrants and a hot dog", "fire hydrant; hot dog"),
    "NFC": ("a caf\u00e9 and a pi\u00f1ata", "caf\u00e9; pi\u00f1ata"),
    "NFD": ("a cafe\u0301 and a pin\u0303ata", "caf\u00e9; pi\u00f1ata"),
    "mojibake": (
        "a caf\u00c3\u00a9 near a girl\u00e2\u20ac\u2122s scarf",
        "caf\u00e9; girl; scarf",
    ),
    "entities": ("a goat &amp; a horse on a sofa &#39;bed&#39;", "goat; horse; sofa bed"),
    "tags": ("<p>a goat on a <b>bench</b></p><br>", "goat; bench"),
    "no-break space": ("a hot&nbsp;dog on a plate", "hot dog; plate"),
    "soft hyphen": ("a foot\u00adball on the grass", "football; grass"),
    "zero width": ("a \u200bgoat and a foot\u200bball", "goat; football"),
    "hashtags": ("cute #goat on the #beach", "goat; beach"),
    "addresses": ("a goat www.goats.org at http://y.org/horse.jpg", "goat"),
    "file name": ("DSC_0042.jpg", ""),
    "placeholder": ("<PERSON> feeds a goat", "person; goat"),
    "numbers": ("2 goats and a 12-inch screen", "goat; screen"),
    "no full stop": ("a blue car", "car"),
    "dots": ("a goat...a horse...a girl", "goat; horse; girl"),
    "slashes": ("a goat/horse on a bed", "goat; horse; bed"),
    "line break": ("a goat eats\nthe grass", "goat; grass"),
    "commas": ("goat,horse,girl", "goat; horse; girl"),
    "tags of pictures": (
        "goat, horse, 2girls, solo, looking_at_viewer, blue_sky",
        "goat; horse; sky",
    ),
    "underscores": ("traffic_light and fire_hydrant", "traffic light; fire hydrant"),
    "emoji": ("a goat \ud83d\udc10 and a horse\ud83d\udc0e", "goat; horse"),
    "text on a sign": ("a sign that says \u201cSLOW\u201d and a 'big' goat", "sign; goat"),
    "guillemets": ("a sign \u00abSLOW\u00bb on a fence", "sign; fence"),
    "plurals": (
        "wolves, geese, mice, oxen, leaves, cacti and sheep",
        "wolf; goose; mouse; ox; leaf; cactus; sheep",
    ),
    "compounds": ("a coffee table near a tennis court fence", "coffee table; tennis court fence"),
    "brands": ("an iPhone beside a Pepsi-Cola can", "iphone; pepsi cola can"),
    "diacritics": ("a sm\u00f8rrebr\u00f8d and an \u00fcber taxi", "sm\u00f8rrebr\u00f8d; taxi"),
    "full width": ("\uff41 \uff47\uff4f\uff41\uff54", "goat"),
    "ligatures": ("a \ufb01reman with a \ufb02ag", "fireman; flag"),
    "decades": ("a 60's diner and '80s cars", "diner; car"),
    "ampersand": ("a horse & carriage", "horse; carriage"),
    "lost spaces": ("a girl in a suit.A goat in a barn", "girl; suit; goat; barn"),
    "repeated": ("goat goat goat", "goat"),
    "dashes": ("a goat - a horse -- a girl \u2014 a cow", "goat; horse; girl; cow"),
    "colons": ("Photo: a goat; a horse: a girl", "goat; horse; girl"),
    "acronyms": ("two TVs, a DVD and CDs, an LED lamp", "tv; dvd; cd; led lamp"),
    "cans": ("a trash can and a can of soda", "trash can; can; soda"),
    "hyphens of names": (
        "an ice-cream cone on a ping-pong table",
        "ice cream cone; ping pong table",
    ),
    "hyphens of adjectives": ("a well-known blue-eyed goat in a snow-covered park", "goat; park"),
}


@pytest.mark.slow
def test_captions_of_the_web_name_what_one_could_point_at() -> None:
    captions, expected = zip(*_OF_THE_WEB.values(), strict=True)
    named = load_parser().concepts(captions)
    assert dict(zip(_OF_THE_WEB, map("; ".join, named), strict=True)) == dict(
        zip(_OF_THE_WEB, expected, strict=True)
    )


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A German pipeline with parts of speech and lemmas for a few words."""
    return pipeline(
        tmp_path_factory.mktemp("german"),
        "de",
        {"hunde": ("NOUN", "Hund"), "katze": ("NOUN", "Katze"), "foto": ("NOUN", "Foto")},
    )


def pipeline(folder: Path, language: str, table: dict[str, tuple[str, str]]) -> Path:
    """A pipeline that knows part of speech and lemma of the words in a table; others are X."""
    import spacy

    nlp = spacy.blank(language)
    ruler: Any = nlp.add_pipe("attribute_ruler")
    ruler.add([[{"IS_PUNCT": True}], [{"IS_PUNCT": False}]], {"POS": "X"})
    for word, (pos, lemma) in table.items():
        ruler.add([[{"LOWER": word}]], {"POS": pos, "LEMMA": lemma})
    nlp.to_disk(folder)
    return folder


def test_a_pipeline_of_another_language_is_read_by_the_rule_of_its_language(german: Path) -> None:
    parser = load_parser(f"spacy:{german}")
    assert parser.language == "de"
    assert parse(parser, "Ein Foto: zwei Hunde und die Katze") == ["Hund", "Katze"]
    paper = load_parser(f"spacy:{german}", "paper")
    assert parse(paper, "Ein Foto: zwei Hunde") == ["Foto", "Hund"]


def test_a_spanish_pipeline_joins_nouns_by_de(tmp_path: Path) -> None:
    table = {
        "sillas": ("NOUN", "silla"), "ruedas": ("NOUN", "rueda"), "mesa": ("NOUN", "mesa"),
        "madera": ("NOUN", "madera"), "de": ("ADP", "de"),
    }  # fmt: skip
    parser = load_parser(f"spacy:{pipeline(tmp_path, 'es', table)}")
    caption = "Dos sillas de ruedas junto a una mesa de madera"
    assert parse(parser, caption) == ["silla de ruedas", "mesa"]


def test_a_pipeline_for_many_languages_is_told_which(tmp_path: Path) -> None:
    folder = pipeline(tmp_path, "xx", {"hund": ("NOUN", "hund"), "foto": ("NOUN", "foto")})
    engine = f"spacy:{folder}"
    assert load_parser(engine, language="de").language == "de"
    assert parse(load_parser(engine, language="de"), "Foto vom Hund") == ["Hund"]
    assert parse(load_parser(engine), "Foto vom Hund") == ["foto", "hund"]
    assert parser_identity(engine, language="de") != parser_identity(engine)


def test_the_identity_of_another_language_has_its_own_rule_and_language(german: Path) -> None:
    parser = load_parser(f"spacy:{german}")
    assert parser.identity == parser_identity(f"spacy:{german}")
    assert re.fullmatch(r"spacy-[0-9a-f]{12}-de-rule\d+-cleaning\d+-visual", parser.identity)


def test_the_identity_of_english_is_that_of_before_other_languages() -> None:
    digest = pipeline_digest(str(bundled_parser_path()))
    versions = f"rule{RULE_VERSION}-cleaning{CLEANING_VERSION}"
    assert parser_identity() == f"spacy-{digest}-{versions}-visual"
    assert parser_identity(language="en") == parser_identity()


def test_the_language_of_a_parser_is_known_without_loading(german: Path) -> None:
    assert parser_language() == "en"
    assert parser_language("lexicon") == parser_language("ngram:2") == ""
    assert parser_language(f"spacy:{german}") == "de"
    assert [parser_language("bundled", code) for code in ("zh", "ja", "en")] == ["zh", "ja", "en"]


@pytest.mark.parametrize(
    ("engine", "language", "message"),
    [
        (
            "bundled",
            "de",
            "only for en, zh and ja: name a spaCy pipeline, such as --parser spacy:de",
        ),
        ("bundled", "eo", "name a spaCy pipeline for it"),
        ("bundled", "Deutsch", "takes a code of ISO 639 in small letters"),
        ("lexicon", "zh", "reads any language: leave out --language zh"),
        ("ngram:3", "de", "reads any language"),
    ],
)
def test_a_language_that_an_engine_does_not_read_is_refused(
    engine: str, language: str, message: str
) -> None:
    for call in (load_parser, parser_identity):
        with pytest.raises(OptionError, match=message):
            call(engine, language=language)


def test_a_pipeline_of_another_language_than_asked_for_is_refused(german: Path) -> None:
    with pytest.raises(OptionError, match="reads 'de': leave out --language es"):
        load_parser(f"spacy:{german}", language="es")
