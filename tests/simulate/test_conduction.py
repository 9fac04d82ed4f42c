"""Conduction against exact solutions, an independent sparse solver and bounds."""

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import xarray as xr

from mksdask.errors import DataError
from mksdask.simulate import conduction, effective_conductivity

K = (1.0, 10.0, 0.2)


def labels(shape, n=3, seed=0):
    return np.random.default_rng(seed).integers(0, n, shape)


def by_finite_elements(k, mean, edges=1.0):
    """Mean gradient-to-flux by an assembled matrix of bi- or trilinear elements."""
    d, grid = k.ndim, k.shape
    corners = np.array(list(np.ndindex(*(2,) * d)))
    edges = np.broadcast_to(edges, d)
    points = 0.5 + (corners - 0.5) / 3**0.5
    local = np.zeros((2**d, 2**d))
    slopes = np.zeros((d, 2**d))
    for point in points:
        value = np.where(corners == 1, point, 1 - point)
        b = np.array(
            [
                np.where(corners[:, a] == 1, 1.0, -1.0)
                * np.delete(value, a, axis=1).prod(axis=1)
                / edges[a]
                for a in range(d)
            ]
        )
        local += b.T @ b / 2**d
        slopes += b / 2**d
    numbers = np.arange(k.size).reshape(grid)
    nodes = np.stack([np.roll(numbers, -c, range(d)).ravel() for c in corners], axis=1)
    values = k.ravel()[:, None, None] * local
    matrix = scipy.sparse.coo_matrix(
        (values.ravel(), (np.repeat(nodes, 2**d, 1).ravel(), np.tile(nodes, (1, 2**d)).ravel()))
    ).tocsc()
    force = np.zeros(k.size)
    np.add.at(force, nodes, -(k.ravel()[:, None] * (mean @ slopes)))
    u = np.zeros(k.size)
    u[1:] = scipy.sparse.linalg.spsolve(matrix[1:, 1:], force[1:])
    gradient = (u[nodes] @ slopes.T + mean).reshape(*grid, d)
    return gradient, -k[..., None] * gradient


@pytest.mark.parametrize("shape", [(5, 6), (7, 1), (4, 5, 3), (4, 4, 4)])
def test_fields_are_those_of_the_assembled_elements(shape):
    phase = labels(shape)
    mean = np.array([1.0, -2.0, 0.5])[: len(shape)]
    found = conduction(phase[None], K, macro_gradient=mean, tolerance=1e-12)
    gradient, flux = by_finite_elements(np.array(K)[phase], mean)
    np.testing.assert_allclose(found.gradient[0], gradient, atol=1e-9)
    np.testing.assert_allclose(found.flux[0], flux, atol=1e-9)
    axes = tuple(range(len(shape)))
    np.testing.assert_allclose(found.mean_flux[0], flux.mean(axis=axes), atol=1e-9)
    np.testing.assert_allclose(found.mean_gradient[0], mean, rtol=1e-13)


@pytest.mark.parametrize(("shape", "edges"), [((5, 6), [1.0, 2.5]), ((4, 5, 3), [2.0, 0.5, 1.0])])
def test_boxes_as_voxels_give_the_fields_of_the_assembled_elements(shape, edges):
    phase = xr.DataArray(
        labels((1, *shape)), dims=("sample", *"xyz"[: len(shape)]), attrs={"voxel_size": edges}
    )
    mean = np.array([1.0, -2.0, 0.5])[: len(shape)]
    found = conduction(phase, K, macro_gradient=mean, tolerance=1e-12)
    gradient, flux = by_finite_elements(np.array(K)[phase.values[0]], mean, edges)
    np.testing.assert_allclose(found.gradient[0], gradient, atol=1e-9)
    np.testing.assert_allclose(found.flux[0], flux, atol=1e-9)
    again = conduction(phase, K, macro_flux=found.mean_flux.values[0], tolerance=1e-12)
    np.testing.assert_allclose(again.mean_gradient[0], mean, atol=1e-9)
    parameters = found.attrs["provenance"]["parameters"]
    assert parameters["macro_gradient"] == mean.tolist()
    assert parameters["conductivity"] == list(K)


def test_laminates_and_bounds():
    layers = np.broadcast_to(np.array([0, 1, 1, 2, 0])[None, None, :, None], (1, 3, 5, 2))
    k = np.array(K)[layers[0, 0, :, 0]]
    found = effective_conductivity(layers, K, tolerance=1e-12)[0]
    series, parallel = 1 / np.mean(1 / k), np.mean(k)
    np.testing.assert_allclose(found, np.diag([parallel, series, parallel]), atol=1e-11)
    phase = labels((3, 6, 5, 4))
    c = effective_conductivity(phase, K)
    values = np.linalg.eigvalsh(c)
    local = np.array(K)[phase].reshape(3, -1)
    assert (values <= local.mean(axis=1)[:, None]).all()
    assert (values >= 1 / (1 / local).mean(axis=1)[:, None]).all()


def test_imposed_flux_and_mixed_loads():
    phase = labels((1, 6, 5, 4))
    c = effective_conductivity(phase, K, tolerance=1e-11)[0]
    found = conduction(phase, K, macro_flux=[1.0, 0.0, -0.5], tolerance=1e-11)
    np.testing.assert_allclose(found.mean_flux[0], [1.0, 0.0, -0.5], atol=1e-9)
    np.testing.assert_allclose(-c @ found.mean_gradient.values[0], [1.0, 0.0, -0.5], atol=1e-9)
    mixed = conduction(phase, K, macro_gradient={"x": 1.0}, macro_flux={"y": 0.0, "z": 0.0})
    np.testing.assert_allclose(mixed.mean_flux[0, 1:], 0.0, atol=1e-6)
    np.testing.assert_allclose(mixed.mean_gradient[0, 0], 1.0)


def test_lazy_and_labelled():
    phase = xr.DataArray(labels((4, 6, 5)), dims=("sample", "x", "y"))
    whole = conduction(phase, K, macro_gradient=1.0)
    lazy = conduction(phase.chunk(sample=1), K, macro_gradient=1.0)
    assert isinstance(lazy.flux.data, da.Array)
    xr.testing.assert_allclose(lazy.compute(), whole, rtol=1e-10, atol=1e-13)
    one = conduction(phase[0], K, macro_gradient=1.0, outputs=("flux",), components=("y",))
    assert one.flux.dims == ("x", "y", "direction")
    np.testing.assert_array_equal(one.flux[..., 0], whole.flux[0].sel(direction="y"))
    single = conduction(phase, K, macro_gradient=1.0, dtype="float32")
    assert single.flux.dtype == np.float32
    np.testing.assert_allclose(single.flux, whole.flux, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"conductivity": (1.0, -1.0)}, ValueError, "positive, finite"),
        ({"conductivity": "a"}, TypeError, "one number a phase"),
        ({"conductivity": (1.0,)}, DataError, "label 1, and conductivity is given for 1"),
        ({"macro_gradient": None}, ValueError, "neither macro_gradient nor macro_flux"),
        ({"macro_gradient": np.eye(2)}, ValueError, "macro_gradient has shape"),
        ({"components": ("z",)}, ValueError, "components"),
        ({"outputs": ("strain",)}, ValueError, "outputs"),
        ({"phase": np.ones((1, 4, 4))}, TypeError, "integer labels"),
    ],
)
def test_bad_input_is_said(change, error, message):
    args = {"phase": np.ones((1, 4, 4), int), "conductivity": (1.0, 2.0), "macro_gradient": 1.0}
    args |= change
    with pytest.raises(error, match=message):
        conduction(args.pop("phase"), **args)
