"""Every mistake in a pipeline is said before anything runs."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from mksdask.cli import main
from mksdask.pipeline import pipeline_schema, read_pipeline, run_pipeline
from tests.pipeline.pipelines import CELLS, RESPONSE, SCORES, STAGES, STATISTICS, changed, write


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "stages is empty"),
        (["cells"], "stage 1: it is 'cells'; wanted name, do and with"),
        ([{**CELLS, "wiht": {}}], "stage cells: wiht is not a key of a stage"),
        ([{**CELLS, "name": "a b"}], "name is 'a b'; wanted a word"),
        ([{**CELLS, "do": "generate magic"}], "do is 'generate magic'; wanted one of ingest, "),
        ([changed(CELLS, shape=None)], "stage cells: the following arguments are required: --shape"),
        ([changed(CELLS, n_sample=3)], r"n_sample is not an option .*did you mean n_samples\?"),
        ([changed(CELLS, shape="big")], "--shape: found 'big'; wanted whole numbers"),
        ([changed(CELLS, shape=[[1]])], "shape is .*; write it as on the command line"),
        ([changed(CELLS, continuous="yes")], "continuous is 'yes'; wanted true or false"),
        ([changed(CELLS, overwrite=True)], "overwrite is not an option"),
        ([{**CELLS, "from": "other.zarr"}], "from is given, and generate multiphase reads no store"),
        ([CELLS, CELLS], "stage cells: there is another stage of this name"),
        ([STATISTICS], "'cells' is no earlier stage .there is none before it"),
        ([CELLS, {**STATISTICS, "from": "cell"}], "'cell' is no earlier stage"),
        ([CELLS, {k: v for k, v in STATISTICS.items() if k != "from"}], "from is missing"),
        ([CELLS, {**STATISTICS, "from": []}], "from is ..; wanted the name"),
        ([CELLS, {**STATISTICS, "from": ["cells", "cells"]}], "stage f: unrecognized arguments"),
        ([CELLS, {**STATISTICS, "out": "cells.zarr"}], "stages cells and f write the same"),
        ([{**STATISTICS, "from": "f.zarr"}], "stage f would write what it reads"),
        ([CELLS, {**STATISTICS, "from": "cells.zarr"}], "name the stage, cells"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, stages, message):
    with pytest.raises(ValueError, match=message):
        read_pipeline(write(tmp_path, stages))
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]


def test_all_mistakes_are_said_at_once(tmp_path):
    path = write(
        tmp_path,
        [changed(CELLS, shape="big"), {**STATISTICS, "from": "cell"}, {**SCORES, "do": "x"}],
        cluster={"kind": "moon"},
        colour="red",
    )
    with pytest.raises(ValueError, match=r"colour .*moon.*stage cells.*stage f.*stage scores"):
        read_pipeline(path)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([CELLS, changed(STATISTICS, variable="phases")], "stage f: --variable is phases"),
        ([CELLS, changed(STATISTICS, states=1)], "stage f: "),
        ([CELLS, STATISTICS, changed(SCORES, components=8)], "stage scores: .*8; there are 8"),
        ([CELLS, changed(RESPONSE, youngs_modulus=[1])], "stage response: "),
        ([{**STATISTICS, "from": "nothing.zarr"}], "nothing.zarr"),
    ],
)
def test_what_only_the_shapes_tell(tmp_path, stages, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run_pipeline(write(tmp_path, stages), dry_run=True, say=None)
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]


def test_a_share_of_the_variance_needs_no_number_of_samples(tmp_path):
    path = write(tmp_path, [CELLS, STATISTICS, changed(SCORES, components=0.9)])
    assert [r.action for r in run_pipeline(path, dry_run=True, say=None)] == ["make"] * 3


def test_dry_run_says_what_would_be_done(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["run", str(path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "cells: generate multiphase (make)" in said
    assert "phase: 8 x 9 x 8 in chunks of 2 x 9 x 8" in said
    assert "two_point: 8 x 2 x 7 x 7 in chunks of 2 x 2 x 7 x 7" in said
    assert "4 chunks; reads 576 B, writes 6.12 kiB" in said
    assert "a worker of 1 thread needs about" in said
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]


def test_bad_calls(tmp_path, capsys):
    assert main(["run"]) == 2
    assert "PIPELINE is not given" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml does not exist" in capsys.readouterr().err
    assert main(["run", str(write(tmp_path)), "--cluster", "moon"]) == 2
    assert "spec is 'moon'" in capsys.readouterr().err
    (tmp_path / "p.yaml").write_text("cells: 3")
    assert main(["run", str(tmp_path / "p.yaml")]) == 2
    assert "has no list `stages`" in capsys.readouterr().err
    with pytest.raises(ValueError, match="retries is -1"):
        run_pipeline(write(tmp_path), retries=-1)


def test_published_schema_is_that_of_the_program():
    published = Path(__file__).parents[2] / "docs" / "pipeline.schema.json"
    assert json.loads(published.read_text()) == pipeline_schema(), (
        "write it anew: mksdask run --schema > docs/pipeline.schema.json"
    )


def test_schema_accepts_what_runs_and_refuses_mistakes(tmp_path):
    schema = pipeline_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema).is_valid
    assert valid(yaml.safe_load(write(tmp_path).read_text()))
    assert valid({"stages": STAGES, "cluster": {"kind": "local", "n_workers": 2}, "folder": "x"})
    assert not valid({"stages": []})
    assert not valid({"stages": [changed(CELLS, shape=None)]})
    assert not valid({"stages": [changed(CELLS, n_sample=3)]})
    assert not valid({"stages": [{**STATISTICS, "from": None}]})
