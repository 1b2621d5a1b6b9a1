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


class Client:
    """The peer's command line, unchanged, with a home of its own."""

    def __init__(self, python: pathlib.Path, home: pathlib.Path, env: dict[str, str]):
        """Load it; commands run in home with these variables and no others of ours."""
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.process = subprocess.Popen(
            [str(python), str(HERE / "hawk_cli.py")], env={"PATH": os.environ["PATH"], "HOME": str(home), **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def run(self, *args: str, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        self.process.stdin.write(json.dumps({"args": args, "cwd": str(cwd or self.home), "env": env or {}}) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return subprocess.CompletedProcess(args, said["status"], said["stdout"], said["stderr"])

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(30)
