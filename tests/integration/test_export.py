"""Exports against the data frames of Inspect on the same logs, column by column, and how they are asked for."""

import functools
import io
import json
import pathlib
import subprocess
import urllib.request

import pandas as pd
import pytest
from conftest import Hawk
from inspect_ai.analysis import evals_df, events_df, messages_df, samples_df

KINDS = ["tools", "errors", "failed", "limits_messages", "limits_tokens", "intermediate", "unscored", "many"]


def fill(hawk: Hawk, logs: pathlib.Path) -> tuple[Hawk, list[str]]:
    """A server that has logs of many kinds, and their paths in its store."""
    paths = [hawk.add_log(logs / f"{kind}.eval", "set-1" if kind == "tools" else f"set-{kind}") for kind in KINDS]
    hawk.wait_imported()
    return hawk, [str(path) for path in paths]


@pytest.fixture(scope="module")
def filled(logs, shared):
    return fill(shared, logs)


@pytest.fixture(scope="module")
def on_postgresql(logs, cache, tmp_path_factory, postgresql):
    hawk = Hawk(tmp_path_factory.mktemp("on-postgresql"), cache)
    hawk.env["HAWK_API_DATABASE_URL"] = postgresql.url()
    hawk.start()
    yield fill(hawk, logs)
    hawk.stop()


def parquet(hawk, table: str, *ids: str) -> pd.DataFrame:
    path = hawk.home / f"{table}.parquet"
    hawk.run("export", table, *ids, "-o", str(path))
    return pd.read_parquet(path, dtype_backend="pyarrow")


def csv(hawk, table: str, like: pd.DataFrame) -> pd.DataFrame:
    """An export as CSV, read with the types of another frame: CSV has none. An empty text is a gap there."""
    text = hawk.run("export", table, "--format", "csv").stdout
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    for name in frame.columns:
        kind = str(like[name].dtype)
        column = frame[name].where(frame[name] != "", None)
        if "timestamp" in kind:
            column = pd.to_datetime(column, format="ISO8601", utc=True)
        elif "bool" in kind:
            column = column.map({"True": True, "False": False})
        elif "double" in kind or "int64" in kind:
            column = pd.to_numeric(column)
        frame[name] = column.astype(like[name].dtype)
    return frame


def plain(frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """In one order; in CSV an empty text and a gap are one."""
    return frame.sort_values(key).reset_index(drop=True)


def without_empty_texts(frame: pd.DataFrame) -> pd.DataFrame:
    changed = {name: frame[name].where(frame[name] != "", None) for name in frame.columns if "string" in str(frame[name].dtype)}
    return frame.assign(**changed)


def full_samples(logs: list[str], quiet: bool) -> pd.DataFrame:
    """Whole metadata, and models under the names that the warehouse has for them: without their provider."""
    frame = samples_df(logs, full=True, quiet=quiet)
    assert "is_invalid" not in frame
    return with_flags(frame.assign(model_usage=frame.model_usage.str.replace('"mockllm/', '"').astype(frame.model_usage.dtype)))


def with_flags(frame: pd.DataFrame) -> pd.DataFrame:
    """With the column that samples have at the end and Inspect's frame has not; none of these is invalid."""
    return frame.assign(is_invalid=pd.Series(False, index=frame.index, dtype="bool[pyarrow]"))


FRAMES = {
    "evals": (evals_df, ["eval_id"]),
    "samples": (full_samples, ["sample_id"]),
    "messages": (messages_df, ["sample_id", "order"]),
    "events": (events_df, ["sample_id", "order"]),
}


def as_inspect_keeps(ours: pd.DataFrame, theirs: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Without messages and events whose id occurs in an earlier sample: Inspect keeps the first only."""
    if key == ["sample_id", "order"]:
        kept = pd.MultiIndex.from_frame(ours[key]).isin(pd.MultiIndex.from_frame(theirs[key]))
        name = theirs.columns[0]
        assert set(ours[name][~kept]) <= set(theirs[name])
        ours = ours[kept]
    return plain(ours, key)


@functools.cache
def frame_of_inspect(table: str, paths: tuple[str, ...]) -> pd.DataFrame:
    """What Inspect makes of these logs, once for all tests."""
    return FRAMES[table][0](list(paths), quiet=True)


@pytest.mark.parametrize("table", FRAMES)
def test_parquet_is_the_frame_of_inspect(filled, table):
    """Names, order, types and values."""
    hawk, paths = filled
    key = FRAMES[table][1]
    theirs = frame_of_inspect(table, tuple(paths))
    pd.testing.assert_frame_equal(as_inspect_keeps(parquet(hawk, table), theirs, key), plain(theirs, key), check_exact=True)


def with_sorted_keys(value):
    """JSON in one order: jsonb does not keep that of the log."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json.dumps(json.loads(value), sort_keys=True)
    except ValueError:
        return value


def without_order_of_keys(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name in frame.columns if "string" in str(frame[name].dtype)]
    return frame.assign(**{name: frame[name].map(with_sorted_keys).astype(frame[name].dtype) for name in texts})


@pytest.mark.parametrize("table", FRAMES)
def test_parquet_out_of_postgresql_is_the_frame_of_inspect(on_postgresql, filled, table):
    """The logs are the same; only their places differ."""
    hawk, paths = on_postgresql
    key = FRAMES[table][1]
    theirs = frame_of_inspect(table, tuple(filled[1])).copy()
    if "log" in theirs:
        here = dict(zip(filled[1], paths, strict=True))
        theirs["log"] = theirs["log"].map(here).astype(theirs["log"].dtype)
    ours = without_order_of_keys(as_inspect_keeps(parquet(hawk, table), theirs, key))
    pd.testing.assert_frame_equal(ours, without_order_of_keys(plain(theirs, key)), check_exact=True)


@pytest.mark.parametrize("table", FRAMES)
def test_csv_is_the_frame_of_inspect(filled, table):
    hawk, paths = filled
    key = FRAMES[table][1]
    frame = frame_of_inspect(table, tuple(paths))
    ours = as_inspect_keeps(csv(hawk, table, frame), frame, key)
    pd.testing.assert_frame_equal(ours, without_empty_texts(plain(frame, key)), check_exact=True)


@pytest.mark.parametrize("table", ["eval-sets", "evals", "samples", "scores", "messages", "events"])
def test_every_format_has_the_same_rows(filled, table):
    hawk, _ = filled
    frame = parquet(hawk, table)
    array = json.loads(hawk.run("export", table, "--format", "json").stdout)
    lines = [json.loads(line) for line in hawk.run("export", table, "--format", "ndjson").stdout.splitlines()]
    assert array == lines
    assert len(array) == len(frame) > 0
    assert list(array[0]) == list(frame.columns)
    assert len(csv(hawk, table, frame)) == len(frame)


def test_a_score_of_each_sample_and_scorer_is_a_row(filled):
    hawk, paths = filled
    frame = parquet(hawk, "scores").query("not is_intermediate")
    samples = samples_df(paths, full=True, quiet=True)
    for scorer in ("exact", "strange"):
        ours = frame[frame.scorer == scorer].set_index("sample_id")["value"].sort_index()
        theirs = samples.set_index("sample_id")[f"score_{scorer}"].dropna().sort_index()
        if scorer == "exact":
            assert ours.to_dict() == theirs.to_dict()
        else:
            assert set(ours) == {"nan"} and len(theirs) == 0
    exact = frame[frame.scorer == "exact"]
    assert (exact.value_number == exact.value.map({"C": 1.0, "I": 0.0})).all()


def test_only_what_was_asked_for_is_exported(filled):
    hawk, _ = filled
    evals = parquet(hawk, "evals", "set-1", "set-many")
    assert set(evals.task_name) == {"tools", "many"}
    by_eval = parquet(hawk, "samples", evals[evals.task_name == "many"].eval_id.iloc[0])
    assert len(by_eval) == 120


def test_columns_that_no_row_has_are_not_there(filled):
    hawk, _ = filled
    assert "score_exact" in parquet(hawk, "samples", "set-many").columns
    assert "score_exact" not in parquet(hawk, "samples", "set-unscored").columns


@pytest.mark.parametrize(
    ("accept", "media_type", "starts"),
    [
        ("text/csv", "text/csv", b"eval_id,"),
        ("application/x-ndjson", "application/x-ndjson", b'{"eval_id":'),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet", b"PAR1"),
        ("text/html, application/json;q=0.9", "application/json", b"[\n{"),
        ("*/*", "application/json", b"[\n{"),
    ],
)
def test_http_gives_what_accept_asks_for(filled, accept, media_type, starts):
    hawk, _ = filled
    status, headers, body = hawk.request("GET", "/meta/export/evals", headers={"Accept": accept}, timeout=300)
    assert (status, headers["Content-Type"]) == (200, media_type)
    assert headers["Content-Disposition"].startswith('attachment; filename="evals.')
    assert body.startswith(starts)


def test_parquet_over_http_is_that_of_the_command(filled):
    hawk, _ = filled
    status, _, body = hawk.request("GET", "/meta/export/samples?format=parquet", timeout=300)
    assert status == 200
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(body), dtype_backend="pyarrow"), parquet(hawk, "samples"))


@pytest.mark.parametrize(
    ("path", "status"),
    [("nothing", 404), ("evals?format=xls", 400), ("evals?id=nothing", 404), ("evals?id=set-1&id=nothing", 404)],
)
def test_what_cannot_be_exported_is_said(filled, path, status):
    hawk, _ = filled
    assert hawk.get(f"/meta/export/{path}")[0] == status


def test_a_file_is_there_only_when_it_is_whole(filled, tmp_path):
    hawk, _ = filled
    done = hawk.run("export", "samples", "nothing", "-o", str(tmp_path / "out.csv"), check=False)
    assert done.returncode == 5 and list(tmp_path.iterdir()) == []


def test_a_machine_without_python_says_what_to_do(filled, tmp_path):
    hawk, _ = filled
    done = hawk.run("export", "evals", "-o", str(tmp_path / "x.parquet"), check=False, env={"HAWK_PYTHON": "no-such-python", "HAWK_CACHE": str(tmp_path)})
    assert done.returncode == 2
    assert "this machine cannot work with Parquet: there is no python3" in done.stderr
    assert "csv" in done.stderr
    assert not (tmp_path / "x.parquet").exists()


def test_a_reader_that_goes_away_ends_the_export(filled):
    """And the server goes on."""
    hawk, _ = filled
    request = urllib.request.Request(f"{hawk.url}/meta/export/samples?format=csv", headers={"Authorization": f"Bearer {hawk.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.read(100)
    assert hawk.get("/health/live")[0] == 200


def test_a_broken_feed_makes_no_parquet(filled):
    hawk, _ = filled
    parquet(hawk, "evals")  # so that the program is unpacked
    cache = next(p for p in (pathlib.Path(hawk.env["HAWK_CACHE"]) / "frames").iterdir() if (p / "ready").exists())
    feed = b'{"columns":[["a","int"]]}\n[1]\n[2]\n'
    done = subprocess.run([cache / "venv/bin/python", cache / "hawk_frames.py"], input=feed, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"broken off after 2 rows" in done.stderr


def test_imports_are_exported(filled):
    hawk, paths = filled
    frame = parquet(hawk, "imports")
    assert len(frame) == len(paths) and set(frame.state) == {"success"}
    assert list(parquet(hawk, "imports", "set-many").eval_set_id) == ["set-many"]
    items = hawk.get("/meta/imports")[1]["items"]
    lines = [json.loads(line) for line in hawk.request("GET", "/meta/export/imports?format=ndjson")[2].splitlines()]
    assert [line["log"] for line in lines] == [item["log"] for item in items]


@pytest.mark.parametrize("table", ["eval-sets", "evals", "samples", "jobs", "imports"])
def test_lists_come_in_every_format(filled, table):
    hawk, _ = filled
    ids = ["set-1"] if table in ("evals", "samples") else []
    items = hawk.json("list", table, *ids)["items"]
    lines = [json.loads(line) for line in hawk.run("list", table, *ids, "--format", "ndjson").stdout.splitlines()]
    assert len(lines) == len(items)
    assert [list(line) for line in lines] == [list(item) for item in items]
    text = hawk.run("list", table, *ids, "--format", "csv").stdout
    frame = pd.read_csv(io.StringIO(text))
    assert len(frame) == len(items) and (items or "created_at" in frame.columns)
    assert json.loads(hawk.run("list", table, *ids, "--format", "json").stdout) == lines
    assert hawk.run("list", table, *ids, "--format", "table").stdout == hawk.run("list", table, *ids).stdout


def test_columns_of_a_table_without_rows_are_there(filled):
    """A notebook that reads it does not fall over on a quiet day."""
    hawk, _ = filled
    listed = hawk.run("list", "imports", "--state", "failed", "--format", "csv").stdout
    assert set(pd.read_csv(io.StringIO(listed)).columns) == set(hawk.get("/meta/imports")[1]["items"][0])
    assert "job_id" in parquet(hawk, "jobs").columns


def test_texts_that_look_like_formulas_are_marked_for_spreadsheets_only(hawk, logs):
    from inspect_ai.log import read_eval_log, write_eval_log

    log = read_eval_log(str(logs / "unscored.eval"))
    log.samples[0].metadata = {"formula": "=cmd|' /C calc'!A0", "number": -1}
    path = hawk.data / "store/evals/set-f/f.eval"
    path.parent.mkdir(parents=True)
    write_eval_log(log, str(path.with_name("part.eval")))
    path.with_name("part.eval").rename(path)
    hawk.wait_for(lambda: [i for i in hawk.get("/meta/samples")[1]["items"] if not i["is_provisional"]], 60)
    assert ",=cmd|' /C calc'!A0,-1," in hawk.run("export", "samples", "--format", "csv").stdout
    assert ",\"'=cmd|' /C calc'!A0\",-1," in hawk.run("export", "samples", "--format", "csv", "--excel").stdout
