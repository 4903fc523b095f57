from __future__ import annotations

import numpy as np
import pytest

from stages import blas


def test_one_thread_is_used_inside_the_block_and_the_number_is_restored() -> None:
    functions = blas._thread_functions()
    if functions is None:
        pytest.skip("this build of NumPy cannot set its number of threads")
    get_threads, set_threads = functions
    before = get_threads()
    set_threads(2)
    try:
        with blas.one_thread():
            assert get_threads() == 1
        assert get_threads() == 2
        with pytest.raises(ZeroDivisionError), blas.one_thread():
            1 / 0  # noqa: B018
        assert get_threads() == 2
    finally:
        set_threads(before)


def test_matrix_products_are_correct_on_one_thread() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 30)), rng.normal(size=(30, 20))
    with blas.one_thread():
        product = a @ b
    np.testing.assert_allclose(product, np.einsum("ik,kj->ij", a, b), atol=1e-12)


def test_a_library_without_thread_functions_still_multiplies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blas, "_thread_functions", lambda: None)
    assert not blas.can_set_threads()
    with blas.one_thread():
        product = np.ones((2, 3)) @ np.ones((3, 2))
    assert (product == 3).all()
