"""Run commands of the Python hawk's command line, unchanged; a process for each, forked from one that has loaded it. Each line of
its input is a list of {"args", "cwd", "env"}, which run side by side; writes a list of {"status", "stdout", "stderr"}."""

import importlib
import json
import os
import pkgutil
import sys
import tempfile

import hawk.cli
from hawk.cli.cli import cli


def load() -> None:
    """Load what commands load when they need it."""
    for module in pkgutil.walk_packages(hawk.cli.__path__, "hawk.cli."):
        if ".setup" not in module.name and ".seed" not in module.name:
            importlib.import_module(module.name)


def become(task: dict, out: int, err: int) -> None:
    """Be the command; does not return."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    os.environ.update(task.get("env") or {})
    os.chdir(task["cwd"])
    sys.argv = ["hawk", *task["args"]]
    status = 0
    try:
        cli()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  (as the interpreter would)
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Child:
    """A command that runs."""

    def __init__(self, task: dict):
        """Start it."""
        self.files = {"stdout": tempfile.TemporaryFile(), "stderr": tempfile.TemporaryFile()}
        self.pid = os.fork()
        if self.pid == 0:
            become(task, *(file.fileno() for file in self.files.values()))

    def end(self) -> dict:
        """What came of it."""
        said = {"status": os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])}
        for name, file in self.files.items():
            file.seek(0)
            said[name] = file.read().decode(errors="replace")
            file.close()
        return said


def main() -> None:
    """Serve until the input ends."""
    load()
    for line in sys.stdin:
        children = [Child(task) for task in json.loads(line)]
        sys.stdout.write(json.dumps([child.end() for child in children]) + "\n")
        sys.stdout.flush()


main()
