from __future__ import annotations

from stages.models.key_report import KeyReport

REPORT = KeyReport(
    "RegionCLIP",
    used=["backbone.bn1.weight", "lang_encoder.ln_final.bias", "backbone.conv1.weight"],
    unused=["roi_heads.mask_head.a", "scalar"],
    missing=["visual.bn1.num_batches_tracked", "logit_scale"],
)


def test_every_name_is_in_the_note_under_its_prefix_and_counted() -> None:
    note = REPORT.note()
    assert note["counts"] == {"used": 3, "unused": 2, "missing": 2}
    assert note["used"]["backbone"] == ["bn1.weight", "conv1.weight"]
    assert note["unused"] == {"roi_heads": ["mask_head.a"], "": ["scalar"]}
    assert note["missing"] == {"": ["logit_scale"], "visual": ["bn1.num_batches_tracked"]}


def test_the_lines_count_tensors_by_prefix() -> None:
    used, unused, missing = REPORT.lines()
    assert used == "RegionCLIP names: 3 tensors used (backbone 2, lang_encoder 1)"
    assert unused == "2 not used (roi_heads 1, scalar 1)"
    assert missing.endswith("(num_batches_tracked 1, logit_scale 1)")
    assert len(KeyReport("x", ["a"], []).lines()) == 1


def test_a_name_reported_as_used_later_is_no_longer_unused() -> None:
    report = REPORT.also_used(["scalar"])
    assert "scalar" in report.used
    assert report.unused == ["roi_heads.mask_head.a"]


def test_a_long_list_of_prefixes_is_shortened() -> None:
    (line,) = KeyReport("x", [f"p{i}.w" for i in range(9)], []).lines()
    assert line.endswith("and 3 more kinds)")
