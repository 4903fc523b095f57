"""Signals of a table of whole images, put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from stages.suspicion.caption_mentions import CaptionMentions
from stages.suspicion.label_signals import Evidence, LabelRows, signals_of
from stages.suspicion.label_survey import COLUMNS, survey
from stages.suspicion.signals import names
from tests.stages.test_audit_draw import labels


def test_every_signal_is_there_and_ranks_are_shares_of_the_sample() -> None:
    rng = np.random.default_rng()
    rows = labels(rng, 200)
    found = survey(rows.select(COLUMNS).to_batches(), 41, 1000, 0)
    evidence = Evidence(found, None, None, np.zeros(41), np.eye(41, dtype=np.float32), 4)
    signals = signals_of(LabelRows(rows, None, None, np.zeros(200, bool)), evidence)
    assert sorted(signals.values) == sorted(names())
    chances = rows["probability"].to_numpy()
    expected = [np.mean((chances > v) + 0.5 * (chances == v)) for v in chances]
    np.testing.assert_allclose(signals.values["low_probability"], expected)
    entropy = rows["entropy"].to_numpy()
    expected = [np.mean((entropy < v) + 0.5 * (entropy == v)) for v in entropy]
    np.testing.assert_allclose(signals.values["high_entropy"], expected)
    for values in signals.values.values():
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()


def test_mentions_decide_by_image_and_name_what_it_may_be() -> None:
    rows = labels(np.random.default_rng(), 10)  # two images
    for name, column in (
        ("concept_id", pa.array([0, 1, 2, 3, 4] * 2, pa.int32())),
        ("kept", pa.array([True] * 4 + [False] + [True] * 5)),
        ("top_ids", pa.array([[n, 5] for n in range(5)] * 2, pa.list_(pa.int32()))),
        ("top_probabilities", pa.array([[0.6, 0.4]] * 10, pa.list_(pa.float32()))),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    told = pa.record_batch({"image_id": ["image 0"] * 2, "concept": ["one", "five"]})
    mentions = CaptionMentions([told], {"one": 1, "five": 5})
    found = survey(rows.select(COLUMNS).to_batches(), 6, 10, 0)
    found = replace(found, expected=np.full(6, 0.5), mentioned=np.full(6, 0.25))
    base = np.full(6, 0.25)
    evidence = Evidence(found, None, mentions, base, np.eye(6, dtype=np.float32), 4)
    signals = signals_of(LabelRows(rows, None, None, np.zeros(10, bool)), evidence)
    silent, told_of = 0.75 / 1.25, 0.25 / 0.75
    expected = [silent, told_of, silent, silent, silent]
    assert signals.values["not_mentioned"][:5] == pytest.approx(expected)
    assert signals.values["attracts"].tolist() == [0.5] * 10
    assert np.isnan(signals.values["not_mentioned"][5:]).all()
    assert signals.values["unmet"][:5].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert signals.missing == 1
    assert signals.instead == [5] * 10


def test_a_table_without_rows_has_signals_without_values() -> None:
    rows = labels(np.random.default_rng(), 10)
    found = survey(rows.select(COLUMNS).to_batches(), 41, 10, 0)
    evidence = Evidence(found, None, None, np.zeros(41), np.eye(41, dtype=np.float32), 4)
    signals = signals_of(LabelRows(rows.slice(0, 0), None, None, np.zeros(0, bool)), evidence)
    assert all(len(values) == 0 for values in signals.values.values())
    with pytest.raises(KeyError):
        signals.values["none"]
