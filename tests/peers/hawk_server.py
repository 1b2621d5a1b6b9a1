"""The Python hawk's server and its command line, unchanged, each in a process of its own."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request

from empty_cluster import Cluster
from postgres import free_port

HERE = pathlib.Path(__file__).resolve().parent


class Server:
    """The peer's server, on a database with its schema and a bucket. It answers what needs no cluster; the one that it is
    told of is empty."""

    def __init__(self, python: pathlib.Path, folder: pathlib.Path, env: dict[str, str], groups: dict[str, str]):
        """Start it with these settings; models are in these groups. It may be asked after wait()."""
        self.cluster = Cluster(groups, folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        needed = {
            "HAWK_API_MIDDLEMAN_API_URL": self.cluster.url, "HAWK_API_KUBECONFIG_FILE": str(self.cluster.kubeconfig),
            "HAWK_API_RUNNER_DEFAULT_IMAGE_URI": "hawk:1", "HAWK_API_TASK_BRIDGE_REPOSITORY": "x", "HAWK_API_DOCKER_IMAGE_REPO": "x",
        }
        helm = folder / "bin/helm"  # asked for its version at the start; only jobs need more of it
        helm.parent.mkdir()
        helm.write_text("#!/bin/sh\nprintf v3.14.0\n")
        helm.chmod(0o755)
        needed["PATH"] = f"{helm.parent}:{os.environ['PATH']}"
        self.log = folder / "peer.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(python), "-m", "uvicorn", "hawk.api.server:app", "--host", "127.0.0.1", "--port", str(self.port), "--no-access-log"],
                env={**os.environ, **needed, **env}, stdout=log, stderr=log, cwd=folder,
            )

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(3000):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/version", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(self.log.read_text()[-4000:])

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)
        self.cluster.close()


class Program:
    """The peer's command line, loaded once."""

    def __init__(self, python: pathlib.Path, env: dict[str, str]):
        """Load it; commands have these variables and no others of ours."""
        self.process = subprocess.Popen(
            [str(python), str(HERE / "hawk_cli.py")], env={"PATH": os.environ["PATH"], **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def run(self, tasks: list[dict]) -> list[dict]:
        """Run commands side by side to their ends."""
        self.process.stdin.write(json.dumps(tasks) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(30)


class Client:
    """Somebody with a home and settings of his own who uses it."""

    def __init__(self, program: Program, home: pathlib.Path, env: dict[str, str]):
        """Make the home."""
        home.mkdir(parents=True, exist_ok=True)
        self.program, self.home, self.env = program, home, env

    def task(self, *args: str, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None) -> dict:
        """A command for Program.run."""
        return {"args": args, "cwd": str(cwd or self.home), "env": {"HOME": str(self.home), **self.env, **(env or {})}}

    def run(self, *args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Run one by itself."""
        (said,) = self.program.run([self.task(*args, env=env)])
        return subprocess.CompletedProcess(args, said["status"], said["stdout"], said["stderr"])
