"""Names of hosts, links and texts that are made to deceive."""

import os
import pty
import subprocess

import pytest
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
