"""Names of hosts, links and texts that are made to deceive."""

import os
import pty
import re
import subprocess

import one_log
import pytest
from marking_proxy import MarkingProxy
from test_access_matrix import config
from test_server import raw


@pytest.mark.parametrize("host", ["[::1].evil", "[::1]evil:80", "localhost:80@evil", "localhost:x", "[::1", "127.0.0.1:99999"])
def test_a_host_with_more_behind_a_name_of_ours_is_refused(shared, host):
    """Only a port may follow."""
    answer = raw(shared, f"GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert b" 403 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80"])
def test_names_of_this_machine_are_ours(shared, host):
    """With a port and without."""
    answer = raw(shared, f"GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert b" 200 " in answer.split(b"\r\n")[0]


def test_links_out_of_the_store_lead_nowhere(shared):
    """A log that is a symbolic link is none."""
    folder = shared.data / "store/evals/links"
    folder.mkdir(parents=True)
    name = "2026-01-01T00-00-00-00-00_task_abc.eval"
    (folder / name).symlink_to(shared.data / "token")
    for route in ("logs", "log-size", "log-bytes", "log-download", "log-download-url"):
        status, _, body = shared.request("GET", f"/api/{route}/links%2F{name}?start=0&end=9")
        assert status in (403, 404), (route, status)
        assert shared.token.encode() not in body


def test_json_on_a_terminal_has_no_control_sequences(shared):
    """U+009B begins one, and may be in the name of a log; piped output keeps it."""
    folder = shared.data / "store/evals/c1"
    folder.mkdir(parents=True)
    (folder / "2026-01-01T00-00-00-00-00_\u009b2J_abc.eval").write_bytes(b"x")
    master, slave = pty.openpty()
    done = subprocess.run(
        [str(shared.program), "download", "c1", "--list", "--json"], env={**shared.env, "TERM": "xterm"},
        stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE, check=False, timeout=60,
    )
    os.close(slave)
    output = os.read(master, 65536)
    os.close(master)
    assert done.returncode == 0, done.stderr
    assert b"\\u009b2J" in output and b"\xc2\x9b" not in output
    assert "\u009b2J" in shared.run("download", "c1", "--list", "--json").stdout


@pytest.fixture(scope="module")
def hostile(shared, tmp_path_factory):
    """The environment of a command line whose server tells it what terminals obey, of an eval set and of a job."""
    folder = shared.data / "store/evals/marked"
    folder.mkdir(parents=True)
    (folder / "2026-01-01T00-00-00+00-00_task_abc.eval").write_bytes(one_log.make(tmp_path_factory.mktemp("marked"), "text", eval_set_id="marked"))
    assert shared.request("POST", "/eval_sets/", config("marked-job"))[0] == 200
    shared.wait_for(lambda: shared.get("/monitoring/jobs/marked-job/job-status")[1]["status"] == "failed")
    shared.wait_for(lambda: shared.get("/meta/samples?eval_set_id=marked")[1]["items"])
    proxy = MarkingProxy(shared.url)
    yield {**shared.env, "TERM": "xterm", "HAWK_API_URL": proxy.url, "HAWK_ACCESS_TOKEN": shared.token, "HAWK_VERSION_CHECK": "off", "PAGER": "cat"}
    proxy.close()


@pytest.mark.parametrize("command", [
    "list eval-sets", "list jobs --all", "list samples marked", "list evals marked", "list imports", "explain marked-job", "logs marked-job",
    "status marked-job", "watch marked-job", "auth why marked", "compare marked marked", "search text", "usage", "doctor",
    "sql select%201%20as%20x", "explain nowhere",
])
def test_what_a_server_says_does_not_command_the_terminal(shared, hostile, command):
    """But for hawk's own colours."""
    master, slave = pty.openpty()
    words = [word.replace("%20", " ") for word in command.split()]
    with subprocess.Popen([str(shared.program), *words], env=hostile, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
        os.close(slave)
        output = b""
        while piece := read_or_end(master):
            output += piece
        process.wait(60)
    os.close(master)
    assert output
    for sign in ("\x1b]", "\x07", "\u009b", "\u202e"):
        assert sign.encode() not in output
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", output).count(b"\x1b") == 0


def read_or_end(fd: int) -> bytes:
    """What a terminal shows next; nothing when all of its programs have ended."""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
