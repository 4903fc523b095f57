"""The benchmark of presence: shares by hand, and a store from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from benchmarks.presence import JudgedImage, Shares, judge, main, table
from stages.labelling.presence import BestRegions, PresenceRule

if TYPE_CHECKING:
    from pathlib import Path

RULE = PresenceRule(1, 0.5, 0.1)


def image(chances: list[float], mentioned: list[int], there: list[int]) -> JudgedImage:
    flags, truth = torch.zeros(4, dtype=torch.bool), np.zeros(4, np.bool_)
    flags[mentioned], truth[there] = True, True
    values = torch.tensor(chances)
    return JudgedImage(BestRegions(values, torch.zeros(4).long(), values), flags, truth)


def test_each_way_is_judged_by_what_is_there() -> None:
    images = [
        image([0.0, 0.05, 0.3, 0.01], [0], [2]),  # 0 is unmet and not there; 1 and 3 are absent
        image([0.9, 0.0, 0.0, 0.0], [], [0]),  # nothing is mentioned
    ]
    shares = judge(images, torch.eye(4), np.ones(4, np.bool_), RULE)
    assert shares.judged == {
        "listed": 1,
        "absent": 2,
        "not mentioned": 3,
        "likeliest not mentioned": 1,
        "unmet": 1,
        "mentioned": 1,
    }
    assert shares.right("absent") == shares.right("listed") == 1
    assert shares.right("not mentioned") == pytest.approx(2 / 3)
    assert shares.right("likeliest not mentioned") == 0
    assert shares.right("unmet") == 0


def test_concepts_that_ground_truth_does_not_know_are_not_judged() -> None:
    known = np.array([True, False, True, True])
    shares = judge([image([0, 0.05, 0.3, 0.01], [0], [2])], torch.eye(4), known, RULE)
    assert (shares.judged["listed"], shares.judged["absent"]) == (0, 1)


def test_the_table_has_a_line_for_each_threshold() -> None:
    lines = table([(0.01, Shares()), (0.1, Shares())]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {8}


def test_photographs_that_are_not_there_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--store", str(tmp_path / "made"), "--photographs", str(tmp_path)])
    assert "no photographs can be labelled" in capsys.readouterr().err
