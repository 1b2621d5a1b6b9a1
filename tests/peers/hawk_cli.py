"""Run commands of the Python hawk's command line, unchanged, one after the other; a process for each, forked from one that
has loaded it. Reads {"args", "cwd", "env"} from each line of its input; writes {"status", "stdout", "stderr"}."""

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


def main() -> None:
    """Serve until the input ends."""
    load()
    for line in sys.stdin:
        task = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                become(task, out.fileno(), err.fileno())
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said = {}
            for name, file in (("stdout", out), ("stderr", err)):
                file.seek(0)
                said[name] = file.read().decode(errors="replace")
        sys.stdout.write(json.dumps({"status": status, **said}) + "\n")
        sys.stdout.flush()


main()
