"""The published example at its full size: chosen parameters and how well it predicts.

1,200 cells of 21 x 21 in six classes, statistics (0,0) and (1,1), degree 1 to 3 and 2 to 11
components chosen by cross-validation among four fifths of the cells, judged by the others.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from mksdask import generate, simulate
from mksdask.bases import PrimitiveBasis
from mksdask.linkage import HomogenizationModel, LocalizationModel, tune

E = (310.0, 200.0)
SOLVING = {"youngs_modulus": E, "poissons_ratio": (0.28, 0.3), "macro_strain": 0.001}
GRAINS = ((15, 2), (2, 15), (7, 7), (8, 3), (3, 9), (2, 2))
PAIRS = [(0, 0), (1, 1)]


@pytest.fixture(scope="module")
def cells():
    return generate.multiphase(
        shape=(21, 21),
        n_phases=2,
        classes=[{"n_samples": 200, "grain_size": size} for size in GRAINS],
        seed=0,
        chunks=100,
    ).compute()


@pytest.fixture(scope="module")
def split():
    train, test = train_test_split(np.arange(1200), test_size=0.2, random_state=3)
    return np.sort(train), np.sort(test)


@pytest.fixture(scope="module")
def solved(cells):
    found = simulate.elasticity(cells.chunk(sample=100), outputs=("mean_stress",), **SOLVING)
    return found.mean_stress.sel(tensor="xx").compute()


@pytest.fixture(scope="module")
def by_kernel(cells):
    """Mean of the local modulus times the strain that a first-order kernel predicts."""
    delta = generate.delta(2, (21, 21))
    strain = simulate.elasticity(delta, outputs=("strain",), **SOLVING).strain.sel(tensor="xx")
    kernel = LocalizationModel(PrimitiveBasis(2)).fit(delta, strain.drop_vars("tensor"))
    return (kernel.predict(cells) * np.array(E)[cells.values]).mean(["x", "y"])


def search(cells, y, train, most=11):
    degrees = [1, 2, 3] if most == 11 else [1, 2]
    grid = {"degree": degrees, "n_components": list(range(2, most + 1))}
    model = HomogenizationModel(PrimitiveBasis(2), pairs=PAIRS)
    return tune(model, cells[train], y[train], grid, cv=5)


@pytest.mark.slow
def test_solved_stress(cells, solved, split):
    train, test = split
    found = search(cells, solved, train)
    assert found.best_params["n_components"] <= 11
    assert found.model.score(cells[test], solved[test]) >= 0.9993


@pytest.mark.slow
def test_stress_of_the_first_order_kernel(cells, by_kernel, split):
    """The published parameters are chosen; more components than in that search reach its R^2.

    Published is 0.999808 with 11 components, the upper end of what draws of such cells give.
    """
    train, test = split
    found = search(cells, by_kernel, train)
    assert found.best_params == {"degree": 2, "n_components": 11}
    assert found.model.score(cells[test], by_kernel[test]) >= 0.9997
    wider = search(cells, by_kernel, train, most=20)
    assert wider.best_params["degree"] == 2
    assert wider.model.score(cells[test], by_kernel[test]) >= 0.9998


def test_stress_of_the_kernel_is_linear_in_all_statistics(cells, by_kernel, split):
    """Exactly: it is a sum over pairs of voxels. Tests the whole chain to rounding."""
    train, test = split
    model = HomogenizationModel(PrimitiveBasis(2), pairs=PAIRS, n_components=221, degree=1)
    model.fit(cells[train], by_kernel[train])
    predicted = model._predicted(cells[test], warn=False)
    np.testing.assert_allclose(predicted, by_kernel[test], rtol=1e-9)


def test_solved_stress_with_the_published_parameters(cells, split):
    """On a fifth of the cells, which are solved in a moment."""
    some = cells[::5]
    found = simulate.elasticity(some, outputs=("mean_stress",), **SOLVING)
    y = found.mean_stress.sel(tensor="xx").compute()
    test = np.arange(240) % 5 == 0
    model = HomogenizationModel(PrimitiveBasis(2), pairs=PAIRS, n_components=8, degree=2)
    assert model.fit(some[~test], y[~test]).score(some[test], y[test]) >= 0.999
