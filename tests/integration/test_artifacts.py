"""Files that an evaluation left for its samples: lists, links and `hawk download-artifacts`, from a folder and from a bucket."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import Hawk

FILES = ["a.txt", "sub/b.txt", "sub/deep/c.bin", ".git/HEAD", ".git/objects/aa", "sub/node_modules/x/y.js", "sp ace+é.txt"]


class Kept:
    """A server with one imported eval set, whose first sample has artifacts and a report."""

    def __init__(self, hawk: Hawk, logs, put):
        self.hawk = hawk
        self.id = hawk.json("import", str(logs / "tools.eval"), "--wait")["eval_set_id"]
        self.sample = hawk.get(f"/meta/samples?eval_set_id={self.id}")[1]["items"][0]
        for name in FILES:
            put(f"evals/{self.id}/artifacts/{self.sample['uuid']}/{name}", b"hello")
        put(f"evals/{self.id}/reports/{self.sample['uuid']}/report.md", b"# r")
        put(f"evals/{self.id}/reports/only-html/report.html", b"<p>")
        self.base = f"/meta/samples/{self.id}/{self.sample['uuid']}"


@pytest.fixture(scope="module")
def folder(shared, logs):
    """A server whose store is a folder."""

    def put(key, data):
        path = shared.data / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return Kept(shared, logs, put)


@pytest.fixture(scope="module")
def in_bucket(tmp_path_factory, cache, logs, bucket):
    """A server whose store is a bucket."""
    hawk = Hawk(tmp_path_factory.mktemp("bucket"), cache)
    hawk.env.update(bucket.environment(), HAWK_API_S3_BUCKET_NAME=bucket.name)
    hawk.start()
    yield Kept(hawk, logs, lambda key, data: bucket.put(key, data))
    hawk.stop()


@pytest.fixture(params=["folder", "in_bucket"])
def kept(request):
    """Both, one after the other."""
    return request.getfixturevalue(request.param)


def test_folders_that_nobody_looks_into_are_one_entry(kept):
    """The list in the order of the keys, with what each holds, as the Python hawk answers it."""
    status, answer = kept.hawk.get(kept.base + "/artifacts")
    assert status == 200 and answer["truncated"] is False
    assert all(entry.pop("last_modified").endswith("Z") for entry in answer["entries"])
    assert answer["entries"] == [
        {"name": ".git", "key": ".git/", "size_bytes": 10, "collapsed": True, "file_count": 2},
        {"name": "a.txt", "key": "a.txt", "size_bytes": 5, "collapsed": False, "file_count": None},
        {"name": "sp ace+é.txt", "key": "sp ace+é.txt", "size_bytes": 5, "collapsed": False, "file_count": None},
        {"name": "b.txt", "key": "sub/b.txt", "size_bytes": 5, "collapsed": False, "file_count": None},
        {"name": "c.bin", "key": "sub/deep/c.bin", "size_bytes": 5, "collapsed": False, "file_count": None},
        {"name": "node_modules", "key": "sub/node_modules/", "size_bytes": 5, "collapsed": True, "file_count": 1},
    ]


def test_a_summary_tells_what_there_is(kept):
    """A report is report.md, else report.html; a sample without files has neither."""
    answer = kept.hawk.get(kept.base + "/summary")[1]
    assert answer["has_artifacts"] is True and answer["has_report"] is True
    assert (answer["report_entry"]["key"], answer["report_entry"]["size_bytes"]) == ("report.md", 3)
    answer = kept.hawk.get(f"/meta/samples/{kept.id}/only-html/summary")[1]
    assert answer["has_artifacts"] is False and answer["report_entry"]["name"] == "report.html"
    assert kept.hawk.get(f"/meta/samples/{kept.id}/nothing/summary")[1] == {"has_artifacts": False, "has_report": False, "report_entry": None}
    assert kept.hawk.get(f"/meta/samples/{kept.id}/nothing/artifacts")[1] == {"entries": [], "truncated": False}


def test_a_link_gives_the_file_without_credentials(kept):
    """For a quarter of an hour, with ranges."""
    for name in ("sub/b.txt", "sp ace+é.txt"):
        status, answer = kept.hawk.get(f"{kept.base}/artifacts/file/{urllib.parse.quote(name)}")
        assert status == 200 and answer["expires_in_seconds"] == 900
        request = urllib.request.Request(answer["url"], headers={"Range": "bytes=1-3"})
        with urllib.request.urlopen(request, timeout=60) as file:
            assert file.status == 206 and file.read() == b"ell"


@pytest.mark.parametrize(("headers", "status", "body"), [
    ({"Range": "bytes=1-"}, 206, b"ello"), ({"Range": "bytes=-2"}, 206, b"lo"), ({"Range": "bytes=3-9"}, 206, b"lo"),
    ({"Range": "bytes=5-"}, 416, b""), ({"Range": "bytes=-0"}, 416, b""),
    ({"Range": "bytes=0-0,2-2"}, 200, b"hello"), ({"Range": "lines=1-2"}, 200, b"hello"), ({"Range": "bytes=3-1"}, 200, b"hello"),
    ({"Range": "bytes=1-3", "If-Range": '"another"'}, 200, b"hello"),
])
def test_a_part_of_a_file_is_given_as_http_has_it(folder, headers, status, body):
    """Several parts, other units and a part of another version are the whole."""
    url = folder.hawk.get(f"{folder.base}/artifacts/file/sub/b.txt")[1]["url"]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            assert (answer.status, answer.read()) == (status, body)
    except urllib.error.HTTPError as answer:
        assert (answer.code, answer.read(), answer.headers["Content-Range"]) == (status, body, "bytes */5")


def test_a_part_of_the_version_that_one_has_is_given(folder):
    """If-Range with the ETag."""
    url = folder.hawk.get(f"{folder.base}/artifacts/file/sub/b.txt")[1]["url"]
    with urllib.request.urlopen(url, timeout=60) as whole:
        headers = {"Range": "bytes=4-", "If-Range": whole.headers["ETag"]}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        assert (answer.status, answer.read()) == (206, b"o")


@pytest.mark.parametrize("path", ["..%2F..%2Fx", "a/../../x", "%2Fetc", "a//b"])
def test_a_path_that_leads_out_is_refused(folder, path):
    """400, whatever is there."""
    assert folder.hawk.get(f"{folder.base}/artifacts/file/{path}")[0] == 400


def test_what_is_no_eval_set_or_tree_is_refused(folder):
    """An eval set that is not there looks like one that one may not see."""
    it = folder.hawk
    assert it.get("/meta/samples/nope/u/artifacts")[0] in (200, 403)  # the single user sees everything
    assert it.get("/meta/samples/..%2Fx/u/artifacts")[0] == 403
    assert it.get(f"/meta/samples/{folder.id}/u%2Fv/artifacts")[0] == 404
    assert it.get(folder.base + "/other")[0] == 422


def test_download_artifacts_writes_a_folder_for_each_sample(kept, tmp_path):
    """Once: the second time everything is there."""
    done = kept.hawk.json("download-artifacts", kept.id, "--sample", kept.sample["uuid"], "-o", str(tmp_path / "out"))
    assert done["downloaded"] == 4 and done["skipped"] == 0
    (made,) = (tmp_path / "out").iterdir()
    assert made.name.endswith(f"_epoch{kept.sample['epoch']}_{kept.sample['uuid']}")
    assert sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()) == ["a.txt", "sp ace+é.txt", "sub/b.txt", "sub/deep/c.bin"]
    again = kept.hawk.json("download-artifacts", kept.id, "-o", str(tmp_path / "out"))
    assert again["downloaded"] == 0 and again["skipped"] == 4
    missing = kept.hawk.run("download-artifacts", kept.id, "--sample", "nobody", check=False)
    assert missing.returncode == 5


def test_logs_can_be_downloaded_from_a_bucket_too(in_bucket, tmp_path):
    """By a link to the bucket, and by range through the server."""
    it = in_bucket.hawk
    assert it.json("download", in_bucket.id, "-o", str(tmp_path))["downloaded"] == 1
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    status, _, part = it.request("GET", f"/view/logs/log-bytes/{in_bucket.id}%2F{urllib.parse.quote(file.name)}?start=5&end=4004")
    assert status == 200 and part == data[5:4005]
    status, _, whole = it.request("GET", f"/view/logs/log-download/{in_bucket.id}/{urllib.parse.quote(file.name)}")
    assert status == 200 and whole == data
    assert json.loads(it.run("transcript", in_bucket.sample["uuid"], "--raw").stdout)["uuid"] == in_bucket.sample["uuid"]
