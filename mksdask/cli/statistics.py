"""Compute the two-point statistics of an ensemble into a new one.

examples:
  mksdask statistics steel.zarr --states 2 --pairs 0-0,0-1 --cutoff 20 --out f.zarr
  mksdask statistics steel.zarr --states 2 --pairs auto --boundary z=nonperiodic --out auto.zarr
  mksdask statistics grown.zarr --variable concentration --basis legendre --states 3 \\
      --domain=-1.2,1.2 --out field.zarr
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mksdask.cli.results import add_store_options, origin, store_result
from mksdask.cli.values import whole

if TYPE_CHECKING:
    import xarray as xr

    from mksdask.bases import Basis

BASES = ("primitive", "legendre", "fourier")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument("--out", required=True, metavar="STORE2", help="where to store the result")
    parser.add_argument(
        "--pairs",
        default="all",
        help="all, auto, cross, or pairs of states or phase names such as 0-0,0-1 (default: all)",
    )
    parser.add_argument(
        "--cutoff", help="largest lag in voxels, one number or one an axis: 20 or 20,20,8"
    )
    parser.add_argument(
        "--boundary",
        help="periodic, nonperiodic, or one an axis: x=periodic,z=nonperiodic, others periodic "
        "(default: what the ensemble says of itself, else periodic)",
    )
    parser.add_argument(
        "--states", type=whole, help="number of states (default: that of the named phases)"
    )
    parser.add_argument(
        "--basis",
        choices=BASES,
        default="primitive",
        help="local states: primitive for labels and binned fields, legendre or fourier for smooth "
        "functions of a field (default: primitive)",
    )
    parser.add_argument(
        "--domain",
        help="range of the field, written --domain=-1,1 (default: the labels are the states)",
    )
    parser.add_argument("--variable", default="phase", help="what to correlate (default: phase)")
    parser.add_argument("--mask", metavar="VARIABLE", help="variable with weights in [0, 1]")
    parser.add_argument(
        "--skip-bad", action="store_true",
        help="leave out samples with values that the basis does not know, and record them; all "
        "samples are read once more for that",
    )  # fmt: skip
    add_store_options(parser, "STORE2")


def run(args: argparse.Namespace) -> int:
    """Compute, store and summarize."""
    from mksdask.ensemble import open_ensemble

    ds = open_ensemble(args.store)
    skipped: dict[str, str] = {}
    if args.skip_bad:
        ds, skipped = without_bad(args, ds)
    result = correlated(args, ds)
    if args.skip_bad:
        result.attrs["provenance"]["skipped"] = skipped
    written = store_result(args, args.out, result)
    if not args.quiet:
        lags = " x ".join(str(n) for d, n in written.sizes.items() if str(d).startswith("lag_"))
        pairs = "; ".join(map(str, written["pair"].values))
        print(f"{args.out}: {written.sizes['sample']} samples, pairs {pairs}; {lags} lags")
        if skipped:
            print(f"skipped {len(skipped)} samples: {', '.join(list(skipped)[:10])}")
    return 0


def without_bad(args: argparse.Namespace, ds: xr.Dataset) -> tuple[xr.Dataset, dict[str, str]]:
    """The samples that can be used, and the others with what is wrong with them."""
    from mksdask.errors import DataError
    from mksdask.statistics.bad_samples import bad_samples

    if args.mask is not None:
        raise ValueError("--skip-bad and --mask are given; wanted one of them")
    data = read_variable(ds, args.variable, "--variable")
    skipped = bad_samples(data, read_basis(args, data), False if args.quiet else None)
    good = [i for i, name in enumerate(ds.indexes["sample"]) if str(name) not in skipped]
    if not good:
        raise DataError(f"all {len(skipped)} samples are bad: {next(iter(skipped.values()))}")
    return (ds.isel(sample=good) if skipped else ds), skipped


def correlated(args: argparse.Namespace, ds: xr.Dataset) -> xr.Dataset:
    """The lazy statistics that the arguments describe."""
    from mksdask.statistics import two_point_statistics
    from mksdask.statistics.bad_samples import naming_bad

    data = read_variable(ds, args.variable, "--variable")
    mask = None if args.mask is None else read_variable(ds, args.mask, "--mask")
    space = [d for d in ("x", "y", "z") if d in data.dims]
    basis = read_basis(args, data)
    f = two_point_statistics(
        data if mask is not None else naming_bad(data, basis),
        basis,
        parse_pairs(args.pairs),
        parse_cutoff(args.cutoff),
        parse_boundary(args.boundary, ds.attrs.get("periodic"), space),
        mask,
    )
    result = f.rename("two_point").to_dataset()
    result.attrs["provenance"] = provenance(args)
    return result


def read_variable(ds: xr.Dataset, name: str, option: str) -> xr.DataArray:
    """A variable with what the ensemble says of its voxels and phases."""
    if name not in ds:
        raise ValueError(
            f"{option} is {name}, and the ensemble has {sorted(map(str, ds.data_vars))} only"
        )
    known = {k: ds.attrs[k] for k in ("voxel_size", "voxel_unit", "phase_names") if k in ds.attrs}
    return ds[name].assign_attrs({**known, **ds[name].attrs})


def read_basis(args: argparse.Namespace, data: xr.DataArray) -> Basis:
    """The basis that the options describe."""
    from mksdask.bases import basis_from_dict

    n_states = args.states
    if n_states is None:
        names = data.attrs.get("phase_names")
        if not names or args.basis != "primitive":
            raise ValueError(
                "--states is not given and the ensemble does not name its phases: say --states 2 "
                "for two of them"
            )
        n_states = len(names)
    fields: dict[str, Any] = {"kind": args.basis, "n_states": n_states}
    if args.domain is not None:
        fields["domain"] = numbers(args.domain, "--domain", float, 2)
    return basis_from_dict(fields)


def parse_pairs(text: str) -> str | list[tuple[int | str, int | str]]:
    """Pairs of states or names, or the keyword.

    >>> parse_pairs("0-0,0-1"), parse_pairs("bcc-fcc"), parse_pairs("auto")
    ([(0, 0), (0, 1)], [('bcc', 'fcc')], 'auto')
    """
    if text in ("all", "auto", "cross"):
        return text
    pairs = []
    for item in text.split(","):
        ends = item.strip().split("-")
        if len(ends) != 2 or not all(ends):
            raise ValueError(
                f"--pairs has {item!r}; wanted all, auto, cross or pairs such as 0-0,0-1 (phases "
                "with a hyphen in their name go by their number)"
            )
        pairs.append(tuple(int(e) if e.isdecimal() else e for e in ends))
    return pairs  # type: ignore[return-value]


def parse_cutoff(text: str | None) -> int | list[int] | None:
    """One number for all axes or one an axis.

    >>> parse_cutoff("20"), parse_cutoff("20,8"), parse_cutoff(None)
    (20, [20, 8], None)
    """
    if text is None:
        return None
    found = numbers(text, "--cutoff", int)
    return found[0] if len(found) == 1 else found


def parse_boundary(text: str | None, stored: Sequence[str] | None, space: Sequence[str]) -> Any:
    """A boundary for all axes or by axis; without one, what the ensemble says.

    >>> parse_boundary("z=nonperiodic", None, ["x", "z"]), parse_boundary(None, ["x"], ["x", "y"])
    ({'x': 'periodic', 'z': 'nonperiodic'}, {'x': 'periodic', 'y': 'nonperiodic'})
    """
    if text is None:
        if stored is None:
            return "periodic"
        return {d: "periodic" if d in stored else "nonperiodic" for d in space}
    if "=" not in text:
        return text
    by_axis = dict.fromkeys(space, "periodic")
    for item in text.split(","):
        axis, _, boundary = (part.strip() for part in item.partition("="))
        if axis not in space:
            raise ValueError(f"--boundary has {item!r}; wanted axes out of {space}")
        by_axis[axis] = boundary
    return by_axis


def numbers(text: str, option: str, kind: type, count: int | None = None) -> list[Any]:
    """Numbers between commas."""
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or (count is not None and len(found) != count):
        wanted = "whole numbers" if kind is int else "numbers"
        raise ValueError(
            f"{option} is {text!r}; wanted {count or 'one or more'} {wanted} with commas between"
        )
    return found


def provenance(args: argparse.Namespace) -> dict[str, Any]:
    """Where the result comes from, for its attributes."""
    options = ("pairs", "cutoff", "boundary", "states", "basis", "domain", "variable", "mask")
    given = {o: getattr(args, o) for o in options if getattr(args, o) is not None}
    return origin("two_point_statistics", args.store, given)
