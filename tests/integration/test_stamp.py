"""Logs written again for another eval set: Inspect reads the same in them, but for whose they are."""

import copy
import json
import os
import pathlib
import subprocess
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries, write_eval_log

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
STAMP = BUILD / "tests" / "tools" / "evallog_stamp"

ARCHIVES = ["tools.eval", "tools_stored.eval", "tools_deflate.eval", "tools_wide.eval", "requeued.eval", "errors.eval",
            "failed.eval", "many.eval", "unscored.eval"]
IDENTITY = {"created_by": "bob “the” builder", "eval_set_id": "imported-x-1", "imported": True}


def stamped(log: pathlib.Path, out: pathlib.Path, *held: str, **kwargs) -> subprocess.CompletedProcess:
    """Stamp a log, of which no more bytes are held at once."""
    return subprocess.run([STAMP, log, out, IDENTITY["eval_set_id"], IDENTITY["created_by"], *held], capture_output=True,
                          text=True, timeout=120, check=False, **kwargs)


def document(log) -> dict:
    """A log as JSON, without where it lies."""
    return json.loads(log.model_dump_json(exclude={"location", "etag"}))


def with_identity(value: dict) -> dict:
    """What stamping may change, changed."""
    value = copy.deepcopy(value)
    value["eval"]["eval_set_id"] = IDENTITY["eval_set_id"]
    value["eval"]["metadata"] = {**(value["eval"].get("metadata") or {}), **IDENTITY}
    value["metadata"] = {**(value.get("metadata") or {}), **IDENTITY}
    return value


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_stamped_archive_differs_in_its_identity_only(logs, tmp_path, kind):
    out = tmp_path / "out.eval"
    assert stamped(logs / kind, out).returncode == 0
    assert document(read_eval_log(str(out))) == with_identity(document(read_eval_log(str(logs / kind))))
    with zipfile.ZipFile(out) as new, zipfile.ZipFile(logs / kind) as old:
        assert new.testzip() is None
        assert set(new.namelist()) == set(old.namelist())
        assert len(new.namelist()) == len(set(new.namelist()))
        start = json.loads(new.read("_journal/start.json"))
        for name in set(new.namelist()) - {"header.json", "_journal/start.json"}:
            assert new.read(name) == old.read(name)
    assert start["eval"]["eval_set_id"] == IDENTITY["eval_set_id"]
    assert IDENTITY.items() <= start["eval"]["metadata"].items()


@pytest.mark.parametrize("kind", ["tools_json.json", "errors_json.json"])
@pytest.mark.parametrize("held", [[], ["1000"]], ids=["whole", "in pieces"])
def test_a_json_log_becomes_an_archive_with_the_same_in_it(logs, tmp_path, kind, held):
    out = tmp_path / "out.eval"
    assert stamped(logs / kind, out, *held).returncode == 0
    old = read_eval_log(str(logs / kind))
    new = read_eval_log(str(out))
    assert document(new) == with_identity(document(old))
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
    summaries = read_eval_log_sample_summaries(str(out))
    assert [(s.id, s.epoch, s.uuid) for s in summaries] == [(s.id, s.epoch, s.uuid) for s in old.samples]


@pytest.mark.parametrize("name", ["crashed.eval", "crashed.json", "header.eval"])
def test_a_log_that_was_never_finished_is_refused(logs, tmp_path, name):
    """As the run that died has left it, and as Inspect writes such a log again."""
    log = logs / name
    if not log.exists():
        log = tmp_path / name
        write_eval_log(read_eval_log(str(logs / "crashed.eval")), str(log))
    done = stamped(log, tmp_path / "out.eval")
    assert done.returncode != 0
    assert "never finished" in done.stderr


def test_an_archive_cut_off_at_any_place_is_refused(logs, tmp_path):
    whole = (logs / "errors.eval").read_bytes()
    for n in range(0, len(whole), len(whole) // 9):
        (tmp_path / "cut.eval").write_bytes(whole[:n])
        assert stamped(tmp_path / "cut.eval", tmp_path / "out.eval").returncode not in (0, -6)


def test_an_archive_of_more_members_than_16_bits_count_stays_whole(logs, tmp_path):
    out = tmp_path / "out.eval"
    big = tmp_path / "big.eval"
    with zipfile.ZipFile(logs / "unscored.eval") as old, zipfile.ZipFile(big, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        for i in range(66000):
            new.writestr(f"extra/{i}", b"")
    assert stamped(big, out).returncode == 0
    with zipfile.ZipFile(out) as new, zipfile.ZipFile(big) as old:
        assert set(new.namelist()) == set(old.namelist())
    assert read_eval_log(str(out)).status == "success"
