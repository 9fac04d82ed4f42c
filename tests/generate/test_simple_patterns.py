"""Delta cells and checkerboards."""

import numpy as np
import pytest

from mksdask.generate import checkerboard, delta


def test_delta_has_every_ordered_pair_once():
    cells = delta(4, (5, 4, 3), chunks=5)
    assert cells.sizes["sample"] == 12
    assert cells.chunksizes["sample"] == (5, 5, 2)
    seen = set()
    for cell in cells:
        labels, counts = np.unique(cell, return_counts=True)
        assert sorted(counts) == [1, 59]
        assert int(cell[2, 2, 1]) == int(cell.inclusion)
        assert int(cell[0, 0, 0]) == int(cell.matrix)
        seen.add(tuple(labels[np.argsort(counts)]))
    assert len(seen) == 12


def test_checkerboard_is_the_reference_pattern():
    wanted = np.indices((6, 9)) // np.array([2, 3])[:, None, None]
    board = checkerboard((6, 9), (2, 3))
    np.testing.assert_array_equal(board[0], wanted.sum(axis=0) % 2)
    assert board.attrs["periodic"] == []
    assert checkerboard((8, 6), (2, 3)).attrs["periodic"] == ["x", "y"]
    np.testing.assert_array_equal(checkerboard((6,), n_phases=3)[0], [0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: delta(1, (3, 3)), "n_phases is 1"),
        (lambda: delta(2.0, (3, 3)), "n_phases is 2.0"),
        (lambda: delta(300, (3, 3)), "n_phases is 300"),
        (lambda: delta(2, (1,)), "wanted room"),
        (lambda: delta(2, (3, 3), chunks=0), "chunks is 0"),
        (lambda: checkerboard((4, 4), 0), "square is 0"),
        (lambda: checkerboard((4, 4), 1.5), "square is 1.5"),
        (lambda: checkerboard((4, 4), (1, 1, 1)), "square has shape"),
        (lambda: checkerboard((4, 4), n_phases=0), "n_phases is 0"),
    ],
)
def test_bad_calls(call, said):
    with pytest.raises(ValueError, match=said):
        call()
