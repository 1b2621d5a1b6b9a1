"""Samples and logs that do not fit in memory are read all the same."""

import io
import json
import random
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from log_compare import dump

MB = 1 << 20
SAMPLE_MB = 80
PEAK_KB = 40 * 1024  # with the address sanitizer, whose own share is the larger one
ZSTD = 93


def pieces(megabytes: int):
    """A sample of that size as pieces of bytes: events of 100 KB, messages, attachments behind what refers to them."""
    chance = random.Random(7)
    texts = [json.dumps(chance.randbytes(50000).hex()).encode() for _ in range(64)]
    yield b'{"id":"big","epoch":1,"input":"x","target":"","messages":[{"role":"user","content":"x"}],"events":['
    for i in range(megabytes * 10):
        yield b'%s{"event":"info","timestamp":"2026-01-31T10:00:00+00:00","data":[%d,%s]}' % (b"," if i else b"", i, texts[i % 64])
    yield b'],"attachments":{"' + b"0" * 32 + b'":"' + b"z" * MB + b'"},"uuid":"u"}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one large sample as .eval by each method and as .json."""
    folder = tmp_path_factory.mktemp("large")
    header = json.dumps({"version": 2, "status": "success", "eval": {"task": "t"}, "plan": {}})
    for name, method in (("zstd", ZSTD), ("deflate", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{name}.eval", "w", method, compresslevel=1 if method != ZSTD else 3) as archive:
            with archive.open("samples/big_epoch_1.json", "w", force_zip64=True) as member:
                for piece in pieces(SAMPLE_MB):
                    member.write(piece)
            archive.writestr("summaries.json", '[{"id":"big","epoch":1,"uuid":"u"}]')
            archive.writestr("header.json", header)
    with io.open(folder / "log.json", "wb") as log:
        log.write(header.encode()[:-1] + b',"samples":[')
        for piece in pieces(SAMPLE_MB):
            log.write(piece)
        log.write(b',{"id":"small","epoch":1}]}')
    return folder


@pytest.mark.parametrize(("name", "samples"), [("zstd.eval", 1), ("deflate.eval", 1), ("log.json", 2)])
def test_a_large_sample_is_read_in_little_memory(folder, name, samples):
    counted = dump(folder / name, "count")
    assert counted["samples"] == samples
    assert counted["parts"] >= SAMPLE_MB * 10 + 5
    assert counted["bytes"] > SAMPLE_MB * MB * 0.9
    assert counted["peak_kb"] < PEAK_KB
