from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from schemas.errors import SourceError
from stages.models.embeddings_import import read_matrix, read_names, require_as_many

MATRIX = torch.randn(3, 4) * 5


def test_a_matrix_is_read_from_every_kind_of_file_unchanged(tmp_path) -> None:
    torch.save(MATRIX, tmp_path / "bare.pth")
    torch.save({"model": MATRIX}, tmp_path / "wrapped.pth")
    torch.save({"model": {"emb": MATRIX}}, tmp_path / "named.pth")
    save_file({"emb": MATRIX}, tmp_path / "emb.safetensors")
    np.save(tmp_path / "emb.npy", MATRIX.numpy())
    for path in sorted(tmp_path.iterdir()):
        assert torch.equal(read_matrix(path), MATRIX), path.name


def test_a_single_concept_that_was_squeezed_is_a_row(tmp_path) -> None:
    torch.save(MATRIX[0], tmp_path / "one.pth")
    assert torch.equal(read_matrix(tmp_path / "one.pth"), MATRIX[:1])


def test_half_precision_becomes_float32(tmp_path) -> None:
    torch.save(MATRIX.half(), tmp_path / "half.pth")
    assert read_matrix(tmp_path / "half.pth").dtype == torch.float32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(2, 3, 4), r"holds a tensor \(2, 3, 4\)"),
        (torch.ones(2, 3, dtype=torch.int64), "of torch.int64"),
        (torch.zeros(0, 4), r"holds a tensor \(0, 4\)"),
        (torch.tensor([[1.0, torch.nan]]), "NaN or infinite"),
        (torch.tensor([[1.0, 2.0], [0.0, 0.0]]), "row 1 of .* is all zeros"),
        ({"a": MATRIX, "b": MATRIX}, "holds 2 values, 2 of them tensors"),
        ({"a": 3}, "0 of them tensors"),
    ],
)
def test_a_file_without_a_matrix_of_embeddings_is_refused(tmp_path, content, message) -> None:
    torch.save(content, tmp_path / "f.pth")
    with pytest.raises(SourceError, match=message):
        read_matrix(tmp_path / "f.pth")


def test_a_numpy_file_that_could_run_code_is_not_opened(tmp_path) -> None:
    np.save(tmp_path / "f.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(SourceError, match=r"not a complete .npy file"):
        read_matrix(tmp_path / "f.npy")
    with pytest.raises(SourceError, match=r"not a complete .npy file"):
        read_matrix(tmp_path / "none.npy")


def names(tmp_path, text: str) -> list[str]:
    (tmp_path / "names.txt").write_text(text)
    return read_names(tmp_path / "names.txt")


def test_names_are_the_lines_in_their_order(tmp_path) -> None:
    assert names(tmp_path, "dog\n cat \ntraffic light\n\n") == ["dog", "cat", "traffic light"]
    assert names(tmp_path, "\ufeffdog\r\ncat") == ["dog", "cat"]


def test_counts_are_dropped_only_if_every_line_has_one(tmp_path) -> None:
    assert names(tmp_path, "dog,12\nhot dog, 3\n") == ["dog", "hot dog"]
    assert names(tmp_path, "boeing,747\ndog\n") == ["boeing,747", "dog"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog\n\ncat", "line 2 is blank"),
        ("", "it is empty"),
        ("dog\ncat\ndog", r"has 'dog' more than once \(names 1 and 3\)"),
    ],
)
def test_blank_and_repeated_names_are_refused(tmp_path, text, message) -> None:
    with pytest.raises(SourceError, match=message):
        names(tmp_path, text)


def test_an_unreadable_list_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match="cannot be read as a list of names"):
        read_names(tmp_path / "none.txt")


def test_a_list_with_a_name_too_few_is_refused(tmp_path) -> None:
    require_as_many(["dog"], 1, tmp_path, "f")
    with pytest.raises(SourceError, match="has 2 names and f 3 rows"):
        require_as_many(["dog", "cat"], 3, tmp_path, "f")
