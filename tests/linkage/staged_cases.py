"""Small ensembles with strain fields, and slow, obvious twins of what staged localization does."""

from itertools import permutations, product

import numpy as np
import xarray as xr

from mksdask import generate
from mksdask.simulate import elasticity
from mksdask.simulate.stiffness import PAIRS, TENSOR

AXES = ("x", "y", "z")


def solved_cells(n, shape, contrast=10.0, seed=0, load=1.0, n_phases=2):
    """Phases and strain fields under a mean strain."""
    if n_phases == 2:
        phase = generate.gaussian_family(n, shape, widths=(1, 2, 3), seed=seed).compute()
    else:
        phase = generate.multiphase(n, shape, grain_size=2, n_phases=n_phases, seed=seed).compute()
    moduli = np.geomspace(1, contrast, n_phases)
    cells = elasticity(
        phase.drop_attrs(),
        moduli,
        [0.3] * n_phases,
        macro_strain=load,
        outputs=("strain",),
        tolerance=1e-10,
    )
    return phase, cells.strain


def random_cells(n, shape, n_states=2, labels=None, seed=0):
    """Random phases, and random fields with the mean 1, 0, 0 ... in every sample."""
    rng = np.random.default_rng(seed)
    labels = labels or TENSOR[len(shape)]
    space = AXES[: len(shape)]
    phase = xr.DataArray(rng.integers(0, n_states, (n, *shape)), dims=("sample", *space))
    field = rng.standard_normal((n, *shape, len(labels)))
    field -= field.mean(axis=tuple(range(1, 1 + len(shape))), keepdims=True)
    field[..., 0] += 1
    return phase, xr.DataArray(
        field, dims=("sample", *space, "tensor"), coords={"tensor": list(labels)}
    )


def all_maps(shape):
    """Signed permutation matrices that take the grid to itself."""
    d = len(shape)
    for axes in permutations(range(d)):
        if all(shape[a] == shape[i] for i, a in enumerate(axes)):
            for signs in product((1, -1), repeat=d):
                q = np.zeros((d, d), int)
                q[range(d), axes] = signs
                yield q


def leaves_load(q):
    """Whether a map leaves the mean strain xx as it is."""
    return abs(q[0, 0]) == 1


def moved(q, values):
    """values (sample, *space, ...) with value(s) at Q s, on the periodic grid."""
    d = len(q)
    shape = values.shape[1 : 1 + d]
    out = np.empty_like(values)
    for s in np.ndindex(*shape):
        target = tuple(int(t) % n for t, n in zip(q @ np.array(s), shape, strict=True))
        out[(slice(None), *target)] = values[(slice(None), *s)]
    return out


def turned_strain(q, values):
    """Strain in Voigt order with engineering shear (..., component), turned as a tensor."""
    d = len(q)
    pairs = PAIRS if d == 3 else ((0, 0), (1, 1), (0, 1))
    tensor = np.empty((*values.shape[:-1], d, d))
    for c, (i, j) in enumerate(pairs):
        tensor[..., i, j] = tensor[..., j, i] = values[..., c] * (1 if i == j else 0.5)
    tensor = q @ tensor @ q.T
    return np.stack([tensor[..., i, j] * (1 if i == j else 2) for i, j in pairs], axis=-1)


def copies(phase, strain, maps):
    """The ensemble with its image under every map."""
    phases = [moved(q, phase.values) for q in maps]
    strains = [turned_strain(q, moved(q, strain.values)) for q in maps]
    return (
        xr.DataArray(np.concatenate(phases), dims=phase.dims),
        xr.DataArray(
            np.concatenate(strains), dims=strain.dims, coords={"tensor": strain.tensor.values}
        ),
    )
