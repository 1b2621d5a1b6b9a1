"""The server by itself: who gets in, what it refuses, how it starts and ends."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from test_humans import KEY


def test_the_token_is_a_file_that_only_its_user_can_read(hawk):
    """0600, and the folder 0700."""
    assert stat.S_IMODE((hawk.data / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(hawk.data.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "path",
    ["/", "/meta/eval-sets", "/meta/jobs", "/meta/samples", "/api/logs?log_dir=x", "/view/logs/log-headers", "/viewer/",
     "/auth/me", "/monitoring/jobs/x/status", "/eval_sets/x/config"],
)
def test_nothing_is_shown_without_a_credential(shared, path):
    """No token, a wrong one and a wrong cookie all get 401."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "inspect_ai_access_token=wrong"}):
        status, _, body = shared.request("GET", path, headers=headers, token="")
        assert status == 401, (path, headers)
        assert shared.token.encode() not in body


@pytest.mark.parametrize("path", ["/health", "/health/live", "/version", "/auth/config"])
def test_what_everybody_may_know_is_open(shared, path):
    """Health, version and how to log in need no credential."""
    status, answer = shared.get(path, token="")
    assert status == 200 and answer


def test_a_foreign_host_name_is_refused(shared):
    """A page elsewhere that resolves its name to this machine gets nothing (DNS rebinding)."""
    status, _, _ = shared.request("GET", "/version", headers={"Host": "evil.example"})
    assert status == 403


def test_unknown_addresses_and_methods_are_problems(shared):
    """404 and 405 as problem documents that name what was asked for."""
    status, headers, body = shared.request("GET", "/nowhere")
    assert status == 404 and headers["Content-Type"].startswith("application/problem+json")
    assert json.loads(body)["instance"] == "/nowhere"
    assert shared.request("PUT", "/version", b"")[0] == 405


def test_a_picture_of_the_tables_is_not_to_be_had(shared):
    """That is said, and not that there is no such address; and nobody is to remember it."""
    for kind in ("svg", "png", "pdf"):
        status, headers, body = shared.request("GET", f"/schema.{kind}", token="")
        assert (status, headers["Cache-Control"], json.loads(body)["title"]) == (503, "no-store", "Schema unavailable")


def test_a_second_server_on_the_folder_is_refused(hawk):
    """It says who has the folder, and leaves the first alone."""
    done = hawk.run("serve", "--port", "0", check=False)
    assert done.returncode == 6
    assert "another server runs" in done.stderr
    assert hawk.get("/health/live")[0] == 200


def test_a_port_in_use_is_named(home):
    """The port is in the message, the status is that of a conflict."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = home.run("serve", "--port", str(port), check=False)
    assert done.returncode == 6
    assert str(port) in done.stderr


def test_listening_elsewhere_needs_an_identity_provider(home):
    """Without one, everybody on the network would be the user."""
    done = home.run("serve", "--listen", "0.0.0.0", "--port", "0", check=False)
    assert done.returncode == 2
    assert "identity provider" in done.stderr


def test_the_server_ends_in_order_on_sigterm(hawk):
    """Status 0, and server.json is gone."""
    hawk.server.send_signal(signal.SIGTERM)
    assert hawk.server.wait(120) == 0
    assert not (hawk.data / "server.json").exists()


READ_BESIDE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(*(name for name, in db.execute("SELECT name FROM human ORDER BY name")), sep=",")
db.close()
"""


def test_another_program_may_read_the_database_and_close_it_while_the_server_writes(hawk):
    """The log that the server writes to stays where it is, and each sees what came before, also after the server was killed."""
    log = hawk.data / "hawk.db-wal"
    first = log.stat().st_ino
    names = []
    for i in range(3):
        names.append(f"human-{i}")
        assert hawk.request("POST", "/humans/", {"name": names[-1], "ssh_public_key": KEY})[0] == 201
        read = subprocess.run([sys.executable, "-c", READ_BESIDE, hawk.data / "hawk.db"], capture_output=True, text=True, check=True)
        assert read.stdout.strip() == ",".join(names)
        assert log.stat().st_ino == first
    hawk.kill()
    hawk.start()
    assert [human["name"] for human in hawk.get("/humans/")[1]] == names


def test_a_newer_schema_is_refused_in_words(home):
    """An old program does not touch a newer database."""
    import sqlite3

    home.start()
    home.stop()
    with sqlite3.connect(home.data / "hawk.db") as db:
        tables = {row[0] for row in db.execute("select name from sqlite_master where type = 'table'")}
        assert "schema_version" in tables
        component = db.execute("select component from schema_version limit 1").fetchone()[0]
        columns = [row[1] for row in db.execute("pragma table_info(schema_version)")]
        values = {"component": component, "number": 999}
        db.execute(
            f"insert into schema_version ({', '.join(columns)}) values ({', '.join('?' * len(columns))})",
            [values.get(name, 0) for name in columns],
        )
    done = home.run("serve", "--port", "0", check=False)
    assert done.returncode == 6
    assert "999" in done.stderr and "newer" in done.stderr


def raw(hawk, text: bytes) -> bytes:
    """Send bytes, return all that comes back."""
    host, port = hawk.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(text)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer:
                break
    return answer


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /eval_sets/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /eval_sets/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /version HTTP/1.1\r\n\r\n",
    ],
)
def test_ambiguous_framing_is_refused(shared, request_text):
    """Two lengths, a length with chunks, no host (RFC 9112)."""
    assert b" 400 " in raw(shared, request_text).split(b"\r\n")[0]


def test_systemd_is_told_when_the_server_is_ready(home, tmp_path):
    """READY=1 on the socket of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(120)
        server = subprocess.Popen(
            [str(home.program), "serve", "--port", "0"], env={**home.env, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            assert b"READY=1" in listener.recv(4096)
        finally:
            server.terminate()
            server.wait(120)


def test_a_socket_of_systemd_is_used(home):
    """With LISTEN_FDS the server serves on the descriptor it was given."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def pass_on():
            os.dup2(listener.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())

        script = f"import os; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv('{home.program}', ['hawk', 'serve'])"
        home.data.mkdir(mode=0o700)
        home.server = subprocess.Popen(
            ["python3", "-c", script], env={**home.env, "LISTEN_FDS": "1"}, pass_fds=(3,) if listener.fileno() == 3 else (),
            preexec_fn=lambda: os.dup2(listener.fileno(), 3, inheritable=True), close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        home.wait_for(lambda: (home.data / "server.json").exists())
        assert home.url.endswith(f":{port}")
        assert home.get("/health/live")[0] == 200
