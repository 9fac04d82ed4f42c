"""What each stage would write, as a lazy dataset made of lazy inputs."""

from __future__ import annotations

import argparse

import dask.array as da
import xarray as xr

Inputs = list[xr.Dataset]


def generated(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Microstructures from nothing."""
    from mksdask.cli.generate import generated

    return generated(args)


def ingested(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Files whose headers are read now."""
    from mksdask.cli.ingest import foreign

    return foreign(args)


def simulated(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Responses of cells."""
    from mksdask.cli.simulate import responses

    return responses(args, inputs[0])


def correlated(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Two-point statistics."""
    from mksdask.cli.statistics import correlated

    return correlated(args, inputs[0])


def joined(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Variables of several ensembles."""
    from mksdask.cli.join import joined

    return joined(args, inputs)


def reduced(args: argparse.Namespace, inputs: Inputs) -> xr.Dataset:
    """Scores; how many is known only afterwards where a share of the variance is asked for."""
    from mksdask.cli.reduce import _number
    from mksdask.cli.statistics import read_variable

    data = read_variable(inputs[0], args.variable, "--variable")
    count = _number(args.components) if args.components is not None else None
    samples = data.sizes["sample"]
    width = count if isinstance(count, int) else min(samples, 10)
    if isinstance(count, int) and args.model is None and width >= samples:
        raise ValueError(
            f"--components is {width}; there are {samples} samples, which vary in at most "
            f"{samples - 1} directions: ask for fewer"
        )
    rows = data.chunksizes.get("sample", (samples,))
    scores = da.zeros((samples, width), chunks=(rows, width))
    return xr.Dataset({"scores": (("sample", "component"), scores)})


def homogenized(args: argparse.Namespace, inputs: Inputs) -> None:
    """A model is no ensemble; its data and options are checked."""
    from mksdask.cli.homogenize import chosen, learnt_from
    from mksdask.linkage.material import check_enough

    model, data, _, grid = chosen(args, inputs[0])
    model._check_parameters()
    model._statistics().fit_transform(data)
    check_enough(max(grid["n_components"]), learnt_from(args, data.sizes["sample"]))


def localized(args: argparse.Namespace, inputs: Inputs) -> None:
    """A kernel is no ensemble; its data and options are checked."""
    from mksdask.cli.localize import chosen

    chosen(args, inputs[0])


def predicted(args: argparse.Namespace, inputs: Inputs) -> None:
    """What a model predicts is known when there is one."""
    from mksdask.cli.statistics import read_variable

    read_variable(inputs[0], args.variable, "--variable")
