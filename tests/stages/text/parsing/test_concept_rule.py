from __future__ import annotations

import pytest

from stages.text.parsing.concept_rule import ConceptRule
from stages.text.parsing.noun_compounds import Token
from tests.stages.text.parsing.tagged import tagged

VISUAL = ConceptRule()
PAPER = ConceptRule("paper")


def concepts(text: str) -> list[str]:
    return VISUAL.concepts(tagged(text))


def paper_concepts(text: str) -> list[str]:
    return PAPER.concepts(tagged(text))


def test_a_concept_is_the_head_in_the_singular_with_its_compound_modifiers() -> None:
    assert concepts("Two old/ADJ tennis/NOUN.s.c rackets/NOUN.p") == ["tennis racket"]


def test_modifiers_keep_their_form() -> None:
    assert concepts("sports/NOUN.p.c cars/NOUN.p") == ["sports car"]


def test_at_most_two_modifiers_are_kept() -> None:
    text = "metal/NOUN.s.c city/NOUN.s.c park/NOUN.s.c bench/NOUN.s"
    assert concepts(text) == ["city park bench"]


def test_adjectives_pronouns_and_determiners_are_dropped() -> None:
    assert concepts("She/PRON sees/VERB the/DET red/ADJ one/NOUN.s") == []


def test_every_mention_counts() -> None:
    text = "a dog/NOUN.s and another dog/NOUN.s"
    assert concepts(text) == ["dog", "dog"]


def test_a_quantity_is_dropped_before_of_and_kept_alone() -> None:
    assert concepts("A group/NOUN.s of people/NOUN.p") == ["people"]
    assert concepts("a group/NOUN.s stands/VERB") == ["group"]


def test_a_slice_of_pizza_is_both_a_slice_and_pizza() -> None:
    assert concepts("a slice/NOUN.s of pizza/NOUN.s") == ["slice", "pizza"]


def test_nouns_that_name_nothing_visible_are_dropped() -> None:
    text = "on top/NOUN.s of a hill/NOUN.s in the background/NOUN.s for the third time/NOUN.s"
    assert concepts(text) == ["hill"]


@pytest.mark.parametrize("word", ["happiness", "ability", "tourism", "friendship", "presence"])
def test_abstract_nouns_are_recognised_by_their_endings(word: str) -> None:
    assert concepts(f"{word}/NOUN.s") == []


@pytest.mark.parametrize("word", ["witness", "city", "prism", "ship", "hood", "fence", "audience"])
def test_objects_with_an_abstract_ending_are_kept(word: str) -> None:
    assert concepts(f"{word}/NOUN.s") == [word]


def test_a_non_visual_head_gives_way_to_its_modifier() -> None:
    assert concepts("sky/NOUN.s.c background/NOUN.s") == ["sky"]
    assert concepts("summer/NOUN.s.c day/NOUN.s") == []


def test_some_non_visual_heads_form_visual_names() -> None:
    assert concepts("a chess/NOUN.s.c piece/NOUN.s") == ["chess piece"]
    assert concepts("a piece/NOUN.s") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a hot/ADJ dog/NOUN.s", "hot dog"),
        ("two hot/ADJ dogs/NOUN.p", "hot dog"),
        ("a hot/ADJ -/PUNCT dog/NOUN.s", "hot dog"),
        ("potted/VERB plants/NOUN.p", "potted plant"),
        ("a stop/VERB sign/NOUN.s", "stop sign"),
        ("a hot/ADJ dog/NOUN.s.c bun/NOUN.s", "hot dog bun"),
    ],
)
def test_lexical_names_are_kept_whole_whatever_their_tags(text: str, expected: str) -> None:
    assert concepts(text) == [expected]


def test_a_unit_or_number_before_a_hyphen_is_no_part_of_a_name() -> None:
    assert concepts("a 12/NUM -/PUNCT inch/NOUN.s.c screen/NOUN.s") == ["screen"]
    assert concepts("a two/NUM -/PUNCT story/NOUN.s.c brick/NOUN.s.c house/NOUN.s") == [
        "brick house"
    ]


def test_a_repeated_noun_is_one_name() -> None:
    assert concepts("dog/NOUN.s.c dog/NOUN.s.c dog/NOUN.s") == ["dog"]


def test_a_hyphenated_lexical_name_modifies_the_noun_after_it() -> None:
    assert concepts("an ice/NOUN.s -/PUNCT cream/NOUN.s cone/NOUN.s") == ["ice cream cone"]


def test_colours_are_dropped_as_heads_and_as_modifiers() -> None:
    assert concepts("a man/NOUN.s in red/NOUN.s") == ["man"]
    assert concepts("a lime/NOUN.s.c bus/NOUN.s") == ["bus"]
    assert concepts("an orange/NOUN.s on a table/NOUN.s") == ["orange", "table"]
    assert concepts("a man/NOUN.s in orange/NOUN.s") == ["man"]


def test_orange_is_a_noun_if_it_describes_no_noun() -> None:
    assert concepts("an orange/ADJ on/ADP a table/NOUN.s") == ["orange", "table"]
    assert concepts("an orange/ADJ shirt/NOUN.s") == ["shirt"]
    assert concepts("an orange/ADJ and/CCONJ blue/ADJ bus/NOUN.s") == ["bus"]


def test_gerunds_form_names_only_with_certain_nouns() -> None:
    assert concepts("a swimming/VERB pool/NOUN.s") == ["swimming pool"]
    assert concepts("a smiling/VERB man/NOUN.s") == ["man"]
    assert concepts("skiing/NOUN.s near a building/NOUN.s") == ["building"]


def test_plural_only_names_keep_their_form_but_wine_glasses_do_not() -> None:
    text = "jeans/NOUN.p , scissors/NOUN.p and glasses/NOUN.p"
    assert concepts(text) == ["jeans", "scissors", "glasses"]
    assert concepts("wine/NOUN.s.c glasses/NOUN.p") == ["wine glass"]
    assert concepts("two glasses/NOUN.p of milk/NOUN.s") == ["glass", "milk"]


def test_hyphens_join_nouns_but_spaced_dashes_do_not() -> None:
    assert concepts("a train/NOUN.s -/PUNCT station/NOUN.s") == ["train station"]
    assert concepts("a t/NOUN.s.c -/PUNCT shirt/NOUN.s") == ["t-shirt"]
    dash = [Token("lake", "NOUN", "s", False), Token("- ", "PUNCT"), Token("boats", "NOUN", "p")]
    assert VISUAL.concepts(dash) == ["lake", "boat"]


def test_a_noun_inside_a_hyphenated_adjective_is_no_concept() -> None:
    assert concepts("a snow/NOUN.s -/PUNCT covered/VERB hill/NOUN.s") == ["hill"]
    assert concepts("a close/NOUN.s -/PUNCT up/NOUN.s of a cat/NOUN.s") == ["cat"]


def test_nouns_in_quotation_marks_are_ignored() -> None:
    text = 'a sign/NOUN.s that says "/PUNCT free/ADJ kittens/NOUN.p "/PUNCT on a wall/NOUN.s'
    assert concepts(text) == ["sign", "wall"]


def test_an_open_quotation_mark_hides_nothing() -> None:
    assert concepts('a "/PUNCT dog/NOUN.s') == ["dog"]


def test_without_compound_flags_neighbouring_nouns_are_one_name() -> None:
    tokens = [Token("tennis", "NOUN"), Token("rackets", "NOUN"), Token("fall", "VERB")]
    assert VISUAL.concepts(tokens) == ["tennis racket"]


def test_a_noun_with_a_compound_flag_but_no_head_is_kept() -> None:
    assert concepts("a book/NOUN.s.c filled/VERB shelf/NOUN.s") == ["book", "shelf"]


@pytest.mark.parametrize("word", ["2nd", "#", "a1", "-", "'s", "x", "犬", "z" * 100])
def test_numbers_marks_single_letters_and_overlong_words_are_never_concepts(word: str) -> None:
    assert VISUAL.concepts([Token(word, "NOUN", "s", False)]) == []


def test_a_caption_without_tokens_has_no_concepts() -> None:
    assert VISUAL.concepts([]) == []
    assert PAPER.concepts([]) == []


def test_style_paper_keeps_every_noun_and_lemmatises_every_word_of_a_name() -> None:
    text = "A group/NOUN.s of sports/NOUN.p.c cars/NOUN.p in the background/NOUN.s"
    assert paper_concepts(text) == ["group", "sport car", "background"]


def test_style_paper_has_no_lexical_names() -> None:
    assert paper_concepts("a hot/ADJ dog/NOUN.s") == ["dog"]


def test_lexical_names_are_visual_whatever_their_head() -> None:
    assert concepts("clip/NOUN.s art/NOUN.s on a wall/NOUN.s") == ["clip art", "wall"]


def test_idioms_are_dropped_only_after_their_word() -> None:
    assert concepts("on foot/NOUN.s") == []
    assert concepts("a foot/NOUN.s") == ["foot"]


def test_kept_heads_need_a_visual_modifier() -> None:
    assert concepts("a parking/NOUN.s.c lot/NOUN.s") == ["parking lot"]
    assert concepts("a red/NOUN.s.c lot/NOUN.s") == []


def test_a_quantity_with_modifiers_before_of_is_dropped_too() -> None:
    assert concepts("a photo/NOUN.s.c collection/NOUN.s of stamps/NOUN.p") == ["stamp"]
