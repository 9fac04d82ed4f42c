"""Bases: values, domains, printing, saving, expansion of whole arrays."""

import json
import pickle
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.polynomial import legendre

from mksdask.bases import (
    FourierBasis,
    LegendreBasis,
    PrimitiveBasis,
    basis_from_dict,
    discretize,
)
from mksdask.errors import DataError

REFERENCE = Path(__file__).parents[1] / "reference" / "pymks_statistics.npz"
BASES = [
    PrimitiveBasis(),
    PrimitiveBasis(3, domain=(-1, 2)),
    LegendreBasis(4, domain=(-1, 2)),
    FourierBasis(5, domain=(-1, 2)),
]


@pytest.mark.parametrize("basis", BASES)
def test_saved_as_json_and_equal_when_read(basis):
    again = basis_from_dict(json.loads(json.dumps(basis.to_dict())))
    assert again == basis
    assert hash(again) == hash(basis)
    assert eval(repr(basis)) == basis  # noqa: S307
    assert pickle.loads(pickle.dumps(basis)) == basis  # noqa: S301


def test_bases_differ_by_kind_states_and_domain():
    assert len({*BASES, PrimitiveBasis(3), LegendreBasis(3), PrimitiveBasis(n_states=2)}) == 6


@pytest.mark.parametrize(
    ("name", "basis"),
    [
        ("basis_primitive_n5_domain(-1,2)", PrimitiveBasis(5, (-1, 2))),
        ("basis_legendre_n6_domain(-1,2)", LegendreBasis(6, (-1, 2))),
        ("basis_fourier_n5_domain(-1,2)", FourierBasis(5, (-1, 2))),
    ],
)
def test_reference_numbers(name, basis):
    with np.load(REFERENCE) as numbers:
        np.testing.assert_allclose(
            basis.expand(numbers["basis_field"]), numbers[name], rtol=0, atol=1e-13
        )


def test_legendre_is_numpys_polynomial_times_its_norm():
    x = np.linspace(-1, 1, 7)
    m = LegendreBasis(8, domain=(-1, 1)).expand(x)
    for h in range(8):
        np.testing.assert_allclose(m[:, h], (h + 0.5) * legendre.Legendre.basis(h)(x), atol=1e-13)


def test_legendre_coefficients_are_those_of_the_expansion_of_the_state():
    # sum_h m_h(x0) P_h(x) is the delta function at x0: it reproduces low polynomials.
    nodes, weights = legendre.leggauss(8)
    m = LegendreBasis(5, domain=(-1, 1)).expand(np.array([0.3]))[0]
    delta = sum(m[h] * legendre.Legendre.basis(h)(nodes) for h in range(5))
    for degree in range(5):
        assert np.sum(weights * delta * nodes**degree) == pytest.approx(0.3**degree, abs=1e-12)


def test_fourier_states_come_in_conjugate_pairs():
    m = FourierBasis(5, domain=(0, 2 * np.pi)).expand(np.linspace(0, 6, 5))
    np.testing.assert_allclose(m[:, 1], m[:, 2].conj())
    np.testing.assert_allclose(m[:, 3], m[:, 4].conj())


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_labels_become_one_hot(dtype):
    labels = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    np.testing.assert_array_equal(PrimitiveBasis(2).expand(labels), np.eye(2)[labels.astype(int)])


def test_labels_need_not_start_at_zero():
    m = PrimitiveBasis(3, domain=(-1, 1)).expand(np.array([-1, 1, 0]))
    np.testing.assert_array_equal(m, np.eye(3)[[0, 2, 1]])


def test_labels_on_a_wider_domain_are_interpolated():
    m = PrimitiveBasis(2, domain=(0, 4)).expand(np.array([0, 1, 4]))
    np.testing.assert_allclose(m, [[1, 0], [0.75, 0.25], [0, 1]])


@pytest.mark.parametrize("basis", BASES)
def test_single_precision_stays_single(basis):
    m = basis.expand(np.array([0, 0.5, 1], np.float32))
    assert m.dtype == (np.complex64 if basis.is_complex else np.float32)
    np.testing.assert_allclose(m, basis.expand(np.array([0, 0.5, 1.0])), atol=1e-6)


def test_redundant_means_that_the_states_add_up_to_one():
    x = np.random.default_rng(0).random(50)
    for basis in (PrimitiveBasis(4, (0, 1)), LegendreBasis(4), FourierBasis(3)):
        assert basis.redundant == np.allclose(basis.expand(x).sum(-1), 1)


@pytest.mark.parametrize("values", [[0.0, 2.5], [-1.5, 0.0]])
@pytest.mark.parametrize("basis", BASES[1:])
def test_leaving_the_domain_names_values_and_domain(basis, values):
    with pytest.raises(DataError, match=rf"from {min(values):g} to {max(values):g}.*\[-1, 2\]"):
        basis.expand(np.array(values))


def test_labels_outside_the_domain():
    with pytest.raises(DataError, match=r"from 0 to 2, outside the domain \[0, 1\]"):
        PrimitiveBasis(2).expand(np.array([0, 2], np.uint8))


def test_nan_is_said():
    with pytest.raises(DataError, match="1 NaN values"):
        LegendreBasis(2).expand(np.array([0.5, np.nan]))


def test_complex_fields_are_refused():
    with pytest.raises(DataError, match="complex128"):
        LegendreBasis(2).expand(np.array([0.5 + 1j]))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: PrimitiveBasis(1), ValueError, "n_states is 1; wanted an integer of at least 2"),
        (lambda: LegendreBasis(0), ValueError, "n_states is 0"),
        (lambda: FourierBasis(2.5), TypeError, "n_states is 2.5"),
        (lambda: PrimitiveBasis(2, domain=(1, 0)), ValueError, "a < b"),
        (lambda: PrimitiveBasis(2, domain=(0, np.inf)), ValueError, "finite"),
        (lambda: PrimitiveBasis(2, domain=3), TypeError, "two numbers"),
        (lambda: PrimitiveBasis(2, domain=(0, 1, 2)), TypeError, "two numbers"),
        (lambda: basis_from_dict({"kind": "wavelet"}), ValueError, "'wavelet' is unknown"),
    ],
)
def test_bad_definitions(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_discretize_keeps_kind_names_and_coordinates():
    basis = PrimitiveBasis(3)
    labels = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    expected = np.eye(3)[labels]
    assert isinstance(discretize(labels, basis), np.ndarray)
    np.testing.assert_array_equal(discretize(labels, basis), expected)
    lazy = discretize(da.from_array(labels, chunks=(2, 3, 4)), basis)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy, expected)
    named = xr.DataArray(
        labels, dims=("sample", "x", "y"), coords={"sample": list("abcd")}, attrs={"voxel_size": 2}
    )
    m = discretize(named.chunk(x=2), basis)
    assert m.dims == ("sample", "x", "y", "state")
    assert m.attrs == {"voxel_size": 2}
    assert list(m.sample.values) == list("abcd")
    np.testing.assert_array_equal(m, expected)


def test_discretize_refuses_what_it_cannot_expand():
    with pytest.raises(TypeError, match="basis is 'primitive'; wanted a basis such as"):
        discretize(np.zeros(3), "primitive")
    expanded = discretize(xr.DataArray([0, 1], dims="x"), PrimitiveBasis(2))
    with pytest.raises(ValueError, match="expanded already"):
        discretize(expanded, PrimitiveBasis(2))
    with pytest.raises(DataError, match="outside the domain"):
        discretize(da.from_array(np.array([0, 5])), PrimitiveBasis(2)).compute()
