"""Stress of known strains: that of the solver, in all kinds of materials."""

import dask.array as da
import numpy as np
import pytest

from mksdask import generate
from mksdask.simulate import cubic, elasticity, stress

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "materials"),
    [
        ((6, 5), {"youngs_modulus": (1, 5), "poissons_ratio": (0.3, 0.2)}),
        ((6, 5), {"youngs_modulus": (1, 5), "poissons_ratio": (0.3, 0.2), "plane": "stress"}),
        ((4, 5, 3), {"youngs_modulus": (1, 5), "poissons_ratio": (0.3, 0.2)}),
        (
            (4, 3, 3),
            {
                "stiffness": [cubic(168.4, 121.4, 75.4), cubic(250, 150, 85)],
                "orientation": RNG.uniform(0, 3, (3, 4, 3, 3, 3)),
            },
        ),
    ],
)
def test_stress_is_that_of_the_solver(shape, materials):
    phase = generate.multiphase(3, shape, grain_size=2, seed=1).values
    cells = elasticity(phase, **materials, macro_strain=0.01)
    found = stress(cells.strain.values, phase, **materials)
    np.testing.assert_allclose(found, cells.stress, atol=1e-12 * abs(cells.stress).max())


def test_kinds():
    phase = generate.multiphase(4, (6, 5), grain_size=2, seed=1).compute()
    cells = elasticity(phase, (1, 5), (0.3, 0.3), macro_strain=0.01)
    named = stress(cells.strain.chunk(sample=1), phase.chunk(sample=2), (1, 5), (0.3, 0.3))
    assert isinstance(named.data, da.Array)
    assert named.dims == cells.stress.dims
    np.testing.assert_allclose(named, cells.stress, rtol=1e-12)
    mean = named.mean(("x", "y"))
    np.testing.assert_allclose(mean, cells.mean_stress, rtol=1e-9, atol=1e-12)
    single = stress(cells.strain[1], phase[1], (1, 5), (0.3, 0.3))
    assert single.dims == ("x", "y", "tensor")
    np.testing.assert_allclose(single, cells.stress[1], rtol=1e-12)
    narrow = stress(cells.strain.astype(np.float32), phase, (1, 5), (0.3, 0.3))
    assert narrow.dtype == np.float32


def test_bad_strain():
    phase = generate.multiphase(2, (6, 5), grain_size=2, seed=1).compute()
    strain = elasticity(phase, (1, 5), (0.3, 0.3), macro_strain=0.01).strain.compute()
    moduli = ((1, 5), (0.3, 0.3))
    with pytest.raises(ValueError, match=r"components .*'xx', 'xy'.* wanted"):
        stress(strain.sel(tensor=["xx", "xy"]), phase, *moduli)
    with pytest.raises(ValueError, match="2 components; wanted 3"):
        stress(strain.values[..., :2], phase.values, *moduli)
    with pytest.raises(TypeError, match="floating-point"):
        stress(strain.astype(int), phase, *moduli)
    with pytest.raises(ValueError, match="length"):
        stress(strain.values[:1], phase.values, *moduli)
