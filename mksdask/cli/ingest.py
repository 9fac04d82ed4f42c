"""Read image, HDF5, DREAM.3D, VTK or raw files into a new ensemble.

examples:
  mksdask ingest 'scans/*.tif' steel.zarr --threshold otsu --voxel-size 0.5 --unit um
  mksdask ingest 'labels/*.tif' steel.zarr --properties props.csv --skip-bad
  mksdask ingest slices/ rock.zarr --samples folders --dtype uint8
  mksdask ingest stacks.h5 cells.zarr --dataset /labels --samples 'first axis'
  mksdask ingest 'rve/*.dream3d' grains.zarr
  mksdask ingest 'out/*.raw' sim.zarr --raw-shape 64,64,64 --raw-dtype uint8 --raw-order F
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mksdask.cli.values import crop, floats, remap, texts, threshold, whole, wholes
from mksdask.ensemble.formats import FORMATS, RawLayout
from mksdask.ensemble.ingest import FILES, FIRST_AXIS, FOLDERS, ingest, lazy_files

if TYPE_CHECKING:
    import xarray as xr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pattern", nargs="+", help="quoted pattern, files, or a folder")
    parser.add_argument("store", metavar="STORE", help="path or URL of the new ensemble")
    what = parser.add_argument_group("what to read")
    what.add_argument("--variable", help="name of the variable (default: phase)")
    what.add_argument("--format", choices=sorted(FORMATS), help="default: from the file ending")
    what.add_argument(
        "--dataset",
        action="append",
        metavar="[VARIABLE=]PATH",
        help="HDF5 dataset, or array of a .vti or .npz file; repeat with VARIABLE= for several",
    )
    what.add_argument(
        "--samples",
        choices=(FILES, FOLDERS, FIRST_AXIS),
        default=FILES,
        help="what is one sample: a file, a folder of slices, or an entry of the first axis",
    )
    what.add_argument("--axes", help="order of the axes in the files, such as zyx")
    what.add_argument("--channel", type=whole, help="which channel of colour images")
    what.add_argument(
        "--raw-shape", type=wholes, metavar="NX,NY,NZ", help="raw binary: voxels along each axis"
    )
    what.add_argument("--raw-dtype", default="uint8", help="raw binary: type (default: uint8)")
    what.add_argument(
        "--raw-order", choices=("C", "F"), default="C", help="raw binary: F if x runs fastest"
    )
    what.add_argument("--raw-offset", type=whole, default=0, help="raw binary: bytes of the header")
    how = parser.add_argument_group("how to convert it")
    how.add_argument(
        "--crop",
        action="append",
        type=crop,
        metavar="AXIS=START:STOP",
        default=[],
        help="voxels to keep, counted from 0, STOP excluded; repeat for other axes",
    )
    how.add_argument("--stride", type=whole, default=1, help="keep every n-th voxel (default: 1)")
    how.add_argument(
        "--threshold",
        type=threshold,
        metavar="V[,V...]|otsu",
        help="gray values to labels: 0 up to V, 1 above, and so on; otsu finds V for each sample",
    )
    how.add_argument(
        "--remap", type=remap, metavar="OLD:NEW,...", help="change labels, such as 0:0,255:1"
    )
    how.add_argument("--dtype", help="type to store, such as uint8")
    about = parser.add_argument_group("what to say about it")
    about.add_argument(
        "--names",
        choices=("file", "path"),
        default="file",
        help="call samples after the file name or its whole path (default: file)",
    )
    about.add_argument(
        "--properties",
        metavar="CSV",
        help="table of measured properties, a row a sample, with a column of file names",
    )
    about.add_argument(
        "--voxel-size",
        type=floats,
        metavar="S[,S,S]",
        help="edge of a voxel, one number or one an axis",
    )
    about.add_argument("--unit", help="unit of the voxel size, such as um")
    about.add_argument(
        "--phase-names", type=texts, metavar="NAME,...", help="names of the labels 0, 1, ..."
    )
    about.add_argument("--periodic", type=texts, metavar="AXIS,...|all|none", help="periodic axes")
    run = parser.add_argument_group("how to run")
    run.add_argument("--skip-bad", action="store_true", help="leave out bad files and record them")
    run.add_argument("--overwrite", action="store_true", help="replace an existing ensemble")
    run.add_argument("--resume", action="store_true", help="finish an ingest that was killed")
    run.add_argument("--memory", help="memory of one worker, such as '4 GiB'")
    run.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Ingest, and say what came of it."""
    ds = ingest(
        store=args.store,
        overwrite=args.overwrite,
        resume=args.resume,
        progress=False if args.quiet else None,
        **_parameters(args),
    )
    sizes = " x ".join(str(n) for d, n in ds.sizes.items() if d in ("x", "y", "z"))
    print(
        f"{args.store}: {ds.sizes['sample']} samples of {sizes}: {', '.join(map(str, ds.data_vars))}"
    )
    skipped = ds.attrs["provenance"]["skipped"]
    if skipped:
        print(f"skipped {len(skipped)} files:")
        for entry in skipped[:10]:
            print(f"  {entry['file']} {entry['reason']}")
        if len(skipped) > 10:
            print("  ... all are in attrs['provenance']['skipped']")
    return 0


def foreign(args: argparse.Namespace) -> xr.Dataset:
    """The lazy dataset that the arguments describe."""
    return lazy_files(progress=False, **_parameters(args))


def _parameters(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say about the files."""
    raw = None
    if args.raw_shape:
        raw = RawLayout(tuple(args.raw_shape), args.raw_dtype, args.raw_order, args.raw_offset)
    periodic: Any = args.periodic
    if periodic in (["all"], ["none"]):
        periodic = periodic == ["all"]
    size = args.voxel_size
    return {
        "pattern": args.pattern[0] if len(args.pattern) == 1 else args.pattern,
        "variable": args.variable,
        "format": args.format,
        "dataset": _datasets(args.dataset),
        "samples": args.samples,
        "axes": args.axes,
        "channel": args.channel,
        "raw": raw,
        "crop": dict(args.crop),
        "stride": args.stride,
        "dtype": args.dtype,
        "remap": args.remap,
        "threshold": args.threshold,
        "names": args.names,
        "properties": args.properties,
        "voxel_size": size[0] if size and len(size) == 1 else size,
        "voxel_unit": args.unit,
        "phase_names": args.phase_names,
        "periodic": periodic,
        "skip_bad": args.skip_bad,
        "memory": args.memory,
    }


def _datasets(given: list[str] | None) -> Any:
    if not given:
        return None
    pairs = [g.split("=", 1) for g in given]
    if all(len(p) == 2 and p[0].isidentifier() for p in pairs):
        return dict(pairs)
    if len(given) > 1:
        raise ValueError("several --dataset need their variables: --dataset phase=/labels ...")
    return given[0]
