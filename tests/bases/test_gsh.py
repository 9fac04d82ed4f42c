"""Generalized spherical harmonics: values, symmetry, orthogonality, conjugates, what is refused."""

import json
import pickle
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.polynomial.legendre import leggauss

from mksdask.bases import GSHBasis, basis_from_dict, discretize
from mksdask.bases.invariants import invariants
from mksdask.bases.wigner import rotation_matrices
from mksdask.errors import DataError
from mksdask.euler_angles import euler_to_matrix, matrix_to_euler
from mksdask.generate import uniform_orientations
from mksdask.laue_groups import LAUE_GROUPS, laue_group
from mksdask.simulate import cubic, hexagonal
from mksdask.simulate.stiffness import rotated

REFERENCE = Path(__file__).parents[1] / "reference" / "pymks_gsh.npz"
NAMES = [group.name for group in LAUE_GROUPS]
FORMS = ["real", "complex"]


def some(n, seed=0):
    return uniform_orientations(np.random.default_rng(seed), n)


@pytest.mark.parametrize("symmetry", NAMES)
@pytest.mark.parametrize("sample", ["triclinic", "orthotropic"])
def test_values_are_those_of_the_definition(symmetry, sample):
    basis = GSHBasis(symmetry, max_degree=6, form="complex", sample_symmetry=sample)
    g = some(20)
    values = basis.expand(g)
    for h, (degree, m, mu) in enumerate(basis.functions):
        right = invariants(symmetry, degree).vectors[:, mu - 1]
        if sample == "triclinic":
            left = np.eye(2 * degree + 1)[m + degree]
        else:
            left = invariants("orthorhombic", degree).vectors[:, m - 1]
        expected = (2 * degree + 1) * np.einsum(
            "pnm,n,m->p", rotation_matrices(degree, g), right, left
        )
        np.testing.assert_allclose(values[:, h], expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("symmetry", ["triclinic", "hexagonal", "cubic"])
def test_reference_columns(symmetry):
    with np.load(REFERENCE) as numbers:
        euler, index, columns = (
            numbers[k] for k in ("gsh_bunge_euler", f"gsh_{symmetry}_index", f"gsh_{symmetry}")
        )
    if symmetry == "triclinic":  # there the third index is n, from -l to l
        index = [(degree, m, n + degree + 1) for degree, m, n in index.tolist()]
    if symmetry == "cubic":  # there phi1 and phi2 are exchanged
        euler = euler[:, ::-1]
    basis = GSHBasis(symmetry, indices=[tuple(i) for i in np.array(index).tolist()], form="complex")
    order = [basis.functions.index(tuple(i)) for i in np.array(index).tolist()]
    # The reference's polynomials lose digits at higher degrees.
    tolerance = 1e-10 if symmetry == "cubic" else 1e-11
    np.testing.assert_allclose(basis.expand(euler)[:, order], columns, rtol=0, atol=tolerance)


def test_high_degrees_are_accurate():
    basis = GSHBasis("triclinic", indices=[(32, m, mu) for m in (-32, -7, 0, 32) for mu in (1, 40)],
                     form="complex")  # fmt: skip
    g = np.concatenate([some(20), [[0.1, 1e-7, 0.2], [0.1, np.pi - 1e-7, 0.2]]])
    u = rotation_matrices(32, g)
    for h, (_, m, mu) in enumerate(basis.functions):
        np.testing.assert_allclose(
            basis.expand(g)[:, h] / 65, u[:, mu - 1, m + 32], rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("symmetry", NAMES)
def test_rotations_of_the_crystal_change_nothing(symmetry, form):
    basis = GSHBasis(symmetry, max_degree=9 if symmetry.startswith("cubic") else 6, form=form)
    g = some(4)
    values = basis.expand(g)
    for rotation in laue_group(symmetry).matrices:
        turned = matrix_to_euler(rotation @ euler_to_matrix(g))
        np.testing.assert_allclose(basis.expand(turned), values, rtol=0, atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_half_turns_of_the_sample_change_nothing_if_it_is_orthotropic(form):
    basis = GSHBasis("cubic", max_degree=9, form=form, sample_symmetry="orthotropic")
    g = some(4)
    for rotation in laue_group("orthorhombic").matrices:
        turned = matrix_to_euler(euler_to_matrix(g) @ rotation)
        np.testing.assert_allclose(basis.expand(turned), basis.expand(g), rtol=0, atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("symmetry", "degree", "sample"),
    [("cubic", 6, "triclinic"), ("hexagonal", 4, "triclinic"), ("triclinic", 2, "triclinic"),
     ("trigonal_low", 3, "triclinic"), ("cubic", 9, "orthotropic")],
)  # fmt: skip
def test_functions_are_orthogonal(symmetry, degree, sample, form):
    """By a quadrature on the rotations that is exact for products of these degrees."""
    basis = GSHBasis(symmetry, max_degree=degree, form=form, sample_symmetry=sample)
    turns = np.arange(2 * degree + 1) * 2 * np.pi / (2 * degree + 1)
    nodes, weights = leggauss(degree + 1)
    phi1, phi, phi2 = np.meshgrid(turns, np.arccos(nodes), turns, indexing="ij")
    values = basis.expand(np.stack([phi1, phi, phi2], axis=-1))
    weight = np.broadcast_to(weights[None, :, None] / 2 / len(turns) ** 2, phi.shape)
    gram = np.einsum("abch,abc,abck->hk", values.conj(), weight, values)
    np.testing.assert_allclose(gram, np.diag(2 * basis.degrees + 1.0), rtol=0, atol=1e-10)


def test_addition_theorem():
    """sum_m conj(T(g)) T(h) depends on h g^-1 only: the zonal function of the crystal."""
    basis = GSHBasis("cubic", max_degree=4)
    g, h = some(2)
    turn = euler_to_matrix(some(1, 5)[0])
    before, after = (
        (basis.expand(a) * basis.expand(b)).sum()
        for a, b in (
            (g, h),
            (
                matrix_to_euler(euler_to_matrix(g) @ turn),
                matrix_to_euler(euler_to_matrix(h) @ turn),
            ),
        )
    )
    assert after == pytest.approx(before, abs=1e-10)
    assert (basis.expand(g)[1:] ** 2).sum() == pytest.approx(9**2, abs=1e-10)


@pytest.mark.parametrize("symmetry", NAMES)
@pytest.mark.parametrize("sample", ["triclinic", "orthotropic"])
def test_conjugate_pairs(symmetry, sample):
    basis = GSHBasis(symmetry, max_degree=5 if symmetry != "cubic" else 9, form="complex",
                     sample_symmetry=sample)  # fmt: skip
    values = basis.expand(some(10))
    for h in range(basis.n_states):
        partner, sign = basis.conjugate(h)
        np.testing.assert_allclose(values[:, h].conj(), sign * values[:, partner], atol=1e-12)
        assert basis.conjugate(partner) == (h, sign)


@pytest.mark.parametrize("symmetry", ["cubic", "trigonal_low", "triclinic"])
def test_the_real_form_spans_the_same(symmetry):
    degree = 9 if symmetry == "cubic" else 3
    real, full = (GSHBasis(symmetry, max_degree=degree, form=form) for form in FORMS)
    assert real.functions == full.functions
    g = some(400)
    a, b = real.expand(g), full.expand(g)
    assert a.dtype == float
    mixing = np.linalg.lstsq(b, a, rcond=None)[0]
    np.testing.assert_allclose(b @ mixing, a, atol=1e-9)
    np.testing.assert_allclose(mixing.conj().T @ mixing, np.eye(len(mixing)), atol=1e-9)


@pytest.mark.parametrize(
    ("stiffness", "symmetry"),
    [
        (cubic(168.4, 121.4, 75.4), "cubic"),
        (hexagonal(162.4, 92.0, 69.0, 180.7, 46.7), "hexagonal"),
    ],
)
def test_stiffness_is_linear_in_the_functions_up_to_degree_four(stiffness, symmetry):
    g = some(200)
    turned = rotated(stiffness, g).reshape(len(g), -1)
    m = GSHBasis(symmetry, max_degree=4).expand(g)
    coefficients = np.linalg.lstsq(m, turned, rcond=None)[0]
    np.testing.assert_allclose(m @ coefficients, turned, rtol=0, atol=1e-10)
    exchanged = GSHBasis(symmetry, max_degree=4).expand(g[:, ::-1])
    wrong = np.linalg.lstsq(exchanged, turned, rcond=None)
    assert np.abs(exchanged @ wrong[0] - turned).max() > 5


def test_chosen_functions_are_those_of_the_whole_basis():
    whole = GSHBasis("hexagonal", max_degree=6)
    chosen = GSHBasis("hexagonal", indices=[(6, 3, 2), (2, -1, 1)])
    assert chosen.functions == ((2, -1, 1), (6, 3, 2))
    columns = [whole.functions.index(f) for f in chosen.functions]
    g = some(5)
    np.testing.assert_allclose(chosen.expand(g), whole.expand(g)[:, columns], atol=1e-13)


@pytest.mark.parametrize(
    "basis",
    [GSHBasis("cubic", 4), GSHBasis("622", indices=[(2, 0, 1)], form="complex"),
     GSHBasis("mmm", 2, sample_symmetry="orthotropic")],
)  # fmt: skip
def test_saved_as_json_and_equal_when_read(basis):
    again = basis_from_dict(json.loads(json.dumps(basis.to_dict())))
    assert again == basis
    assert hash(again) == hash(basis)
    assert eval(repr(basis)) == basis  # noqa: S307
    assert pickle.loads(pickle.dumps(basis)) == basis  # noqa: S301
    assert again.n_states == basis.n_states


def test_grains_are_evaluated_once_with_the_same_result(monkeypatch):
    from mksdask.bases import gsh

    sizes = []
    plain = gsh._evaluate
    monkeypatch.setattr(
        gsh, "_evaluate", lambda e, g, out: (sizes.append(len(g)), plain(e, g, out))
    )
    basis = GSHBasis("cubic", 4)
    grains = some(7)
    field = np.repeat(grains[np.random.default_rng(0).integers(0, 7, (6, 5))], 4, axis=1)
    np.testing.assert_array_equal(basis.expand(field), basis.expand(grains)[
        np.argmax((field[..., None, :] == grains).all(-1), axis=-1)])  # fmt: skip
    assert sizes[0] == 7
    many = some(5000)
    np.testing.assert_allclose(basis.expand(many)[4990:], basis.expand(many[4990:]), atol=1e-13)


def test_kinds_of_arrays_and_precision():
    basis = GSHBasis("cubic", 4)
    g = some(24).reshape(2, 3, 4, 3)
    expected = basis.expand(g)
    assert isinstance(discretize(da.from_array(g, chunks=(1, 2, 4, 3)), basis), da.Array)
    np.testing.assert_allclose(discretize(da.from_array(g, chunks=(1, 2, 4, 3)), basis), expected,
                               rtol=0, atol=1e-13)  # fmt: skip
    named = xr.DataArray(g, dims=("sample", "x", "y", "euler")).transpose("euler", ...)
    m = discretize(named, basis)
    assert m.dims == ("sample", "x", "y", "state")
    np.testing.assert_array_equal(m, expected)
    single = basis.expand(g.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=2e-5)
    assert GSHBasis("cubic", 4, form="complex").expand(g.astype("f4")).dtype == np.complex64


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: GSHBasis("bcc", 4), ValueError, "'bcc'; wanted one of triclinic.*hexagonal"),
        (lambda: GSHBasis("cubic"), ValueError, "wanted one of them"),
        (lambda: GSHBasis("cubic", 4, [(0, 0, 1)]), ValueError, "wanted one of them"),
        (lambda: GSHBasis("cubic", -1), ValueError, "max_degree is -1"),
        (lambda: GSHBasis("cubic", 4.5), TypeError, "max_degree is 4.5"),
        (lambda: GSHBasis("cubic", 4, form="polar"), ValueError, "form is 'polar'; wanted one of"),
        (lambda: GSHBasis("cubic", 4, sample_symmetry="cubic"), ValueError, "orthotropic"),
        (lambda: GSHBasis("cubic", indices=[(2, 0, 1)]), ValueError, "'cubic' has no function"),
        (
            lambda: GSHBasis("cubic", indices=[(4, 5, 1)]),
            ValueError,
            r"\(4, -4, 1\) to \(4, 4, 1\)",
        ),
        (lambda: GSHBasis("cubic", indices=[(4, 0)]), ValueError, "a list of"),
        (lambda: GSHBasis("cubic", indices=[("a", 0, 1)]), ValueError, "a list of"),
        (lambda: GSHBasis("cubic", indices=[(4, 0.5, 1)]), ValueError, "a list of"),
        (lambda: GSHBasis("cubic", indices=5), TypeError, "a list of"),
        (lambda: GSHBasis("cubic", indices=[(0, 0, 1)] * 2), ValueError, "each function once"),
    ],
)
def test_bad_definitions(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_bad_orientations():
    basis = GSHBasis("cubic", 4)
    g = some(6).reshape(2, 3, 3)
    with pytest.raises(DataError, match=r"from .* to 3\d\d.*look like degrees.*deg2rad"):
        basis.expand(np.rad2deg(some(50)))
    holes = g.copy()
    holes[0, 1, 2] = np.nan
    with pytest.raises(DataError, match="1 of 6 orientations are NaN"):
        discretize(holes, basis)
    with pytest.raises(DataError, match="complex128; wanted real numbers"):
        basis.expand(g.astype(complex))
    for wrong in (
        g[..., :2],
        da.ones((2, 4)),
        xr.DataArray(g[..., :2], dims=("sample", "x", "euler")),
    ):
        with pytest.raises(ValueError, match="wanted .*euler.* of lengths"):
            discretize(wrong, basis)
    with pytest.raises(ValueError, match=r"wants a dimension \['euler'\]"):
        discretize(xr.DataArray(g, dims=("sample", "x", "angle")), basis)
