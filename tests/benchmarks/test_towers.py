from __future__ import annotations

import json

import open_clip
import pytest

from benchmarks.tower_checks import COLUMNS, is_affordable, parameters_of, sibling_of
from benchmarks.towers import MARKS, cell_of, check_all, family, rows_of, write_between_marks


@pytest.mark.slow
def test_a_large_tower_is_checked_by_a_sibling_and_only_once(tmp_path) -> None:
    file = tmp_path / "towers.jsonl"
    names = ["ViT-bigG-14", "ViT-B-16-SigLIP", "swin_base_patch4_window7_224"]
    results = check_all(names, file)
    whole = "whole image is `encode_image`"
    assert [result["cells"][whole] for result in results] == ["no", "yes", "no"]
    assert [result["sibling"] for result in results] == [True, True, True]
    assert results[2]["cells"]["load"].startswith("no: regions cannot be read from a timm tower")
    before = file.read_text()
    assert check_all(names, file) == results
    assert file.read_text() == before
    assert len(before.splitlines()) == 3


@pytest.mark.slow
def test_a_sibling_is_small_and_of_the_same_pool_and_grid() -> None:
    config = dict(open_clip.get_model_config("EVA02-B-16"))
    sibling = sibling_of(config)
    assert not is_affordable(config)
    assert is_affordable(sibling)
    assert parameters_of(sibling) < 10_000_000 < parameters_of(config)


def test_every_architecture_of_open_clip_has_its_family() -> None:
    families = {name: family(name) for name in open_clip.list_models()}
    assert families["PE-Core-L-14-336"] == "PE"
    assert families["coca_ViT-L-14"] == "ViT, attention pooling: CoCa"
    assert families["nllb-clip-base-siglip"] == families["ViT-gopt-16-SigLIP2-384"]


def test_a_row_says_how_many_members_have_what_a_column_asks() -> None:
    assert cell_of(["yes", "yes"]) == "yes"
    assert cell_of(["no: refused", "no: refused"]) == "no"
    assert cell_of(["yes", "no", "yes"]) == "yes: 2 of 3"
    cells = dict.fromkeys(COLUMNS, "yes")
    members = [
        {"family": "PE", "sibling": n == 0, "cells": {**cells, "train": t}, "onnx": n == 1}
        for n, t in enumerate(["yes", "no"])
    ]
    (heading, rule, row) = rows_of(members)
    assert heading.count("|") == rule.count("|") == row.count("|")
    assert row == "| PE | 2 (1 by siblings) | yes | yes | yes | yes: 1 of 2 | yes, onnx |"


def test_only_what_is_between_the_marks_of_a_page_is_replaced(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    write_between_marks(page, "| new |")
    assert page.read_text() == f"before\n{MARKS[0]}\n\n| new |\n\n{MARKS[1]}\nafter\n"
    assert json.dumps(page.read_text()).count("new") == 1
