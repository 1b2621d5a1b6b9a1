"""Configs are taken, refused and filled in as the Python hawk 3.7.2 does, but for what ours refuses on purpose.

Skipped where the Python hawk cannot be installed (tests/peers/hawk_peer.py).
"""

import copy
import json
import pathlib
import random
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden" / "jobspec"
N_MUTANTS = 600
BATCH = 250

# Beginnings of messages of ours for what the peer lets through: it fails later, or has another meaning there.
STRICTER = (
    "a bound is too large", "more than 200000 values", "nested deeper", "ids that begin with imported-",
    "expected a finite number", "the text has a zero byte", "the package is empty", "the package has a control character",
    "expected a package, found an option", "storage grants are for eval sets only", "expected at most 20 items",
    "expected at most 45 characters", "this cannot be the name of an environment variable",
    "scanning while samples run is not switched on", "expected a whole number, found the number 9",
)
# Paths below which ours refuses more: conditions are never taken for fields named `not` and `or`, ids are checked at once.
STRICTER_PATHS = (".not", ".or", "].eval_set_id")

VALUES = [
    None, True, False, 0, 1, -1, 5, 70000, 1.5, -0.5, "", "x", "5", "1.5", "yes", "no", "true", "1-5", "5-1", "1-2-3",
    "strict", "standard", "time", "inspect-ai", "inspect_ai", "a/b", "latest", "a:latest", "a:v1@b", "8Gi", "env",
    "aws-secrets-manager", " 7 ", [], [1], ["a"], [1, 2], [[1, 2]], {}, {"a": 1}, {"name": "x"}, {"gt": None},
    {"like": "a"}, {"level": "strict"}, {"package": "p", "name": "n", "items": []},
    {"package": "inspect-ai", "items": [{"name": "openai/q"}]}, [{"name": "A"}], [{"name": "A"}, {"name": "A"}],
    [{"type": "x", "name": "b"}], {"min": 1, "max": 2}, {"openai": 1},
]
KEYS = [
    "extra", "name", "args", "secrets", "isolation", "type", "arn", "model", "scans", "limit", "role", "key", "filter",
    "temperature", "scanners", "tasks", "config",
]


def batches(paths: list[pathlib.Path]):
    """Yield the paths in groups that fit a command line."""
    for start in range(0, len(paths), BATCH):
        yield [str(path) for path in paths[start : start + BATCH]]


def ours(home, paths: list[pathlib.Path]) -> list[dict]:
    """What `hawk validate` says."""
    results = []
    for kind in ("eval-set", "scan"):
        own = [path for path in paths if path.name.startswith("scan-") == (kind == "scan")]
        for group in batches(own):
            results += json.loads(home.run("validate", "--json", "--kind", kind, *group, check=False).stdout)
    by_file = {result["file"]: result for result in results}
    return [by_file[str(path)] for path in paths]


def theirs(peer: pathlib.Path, paths: list[pathlib.Path]) -> list[dict | None]:
    """What the peer says: the config in full, or None."""
    lines = []
    for group in batches(paths):
        command = [str(peer), str(HERE / "peer_configs.py"), *group]
        lines += subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    return [json.loads(line) for line in lines]


def is_same(a, b) -> bool:
    """Equality that tells 1, 1.0 and true apart and looks at the order of keys."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(is_same, a, b))
    return type(a) is type(b) and a == b


def is_stricter_on_purpose(result: dict) -> bool:
    """Whether each error is one of those that the peer does not have."""
    errors = [problem for problem in result["problems"] if problem["severity"] == "error"]
    return bool(errors) and all(
        error["message"].startswith(STRICTER) or any(part in error["path"] for part in STRICTER_PATHS) for error in errors
    )


def differences(home, peer, paths: list[pathlib.Path]) -> list[str]:
    """One line for each config on which the two differ without a reason."""
    found = []
    for path, own, other in zip(paths, ours(home, paths), theirs(peer, paths), strict=True):
        if own["valid"] and other is None:
            found.append(f"{path.name}: only the peer refuses")
        elif not own["valid"] and other is not None and not is_stricter_on_purpose(own):
            found.append(f"{path.name}: only ours refuses: {own['problems']}")
        elif own["valid"] and not is_same(own["config"], other):
            found.append(f"{path.name}: the full forms differ")
    return found


def nodes(value, path=()):
    """Yield the path of every node below the document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from nodes(child, (*path, key))


def mutated(choose: random.Random, document: dict) -> dict:
    """A copy with one thing, sometimes two, taken out, replaced or added."""
    document = copy.deepcopy(document)
    for _ in range(choose.choice([1, 1, 1, 2])):
        *parents, last = choose.choice(list(nodes(document)))
        owner = document
        for key in parents:
            owner = owner[key]
        kind = choose.random()
        if kind < 0.2:
            del owner[last]
        elif kind < 0.8 or isinstance(owner, list):
            owner[last] = copy.deepcopy(choose.choice(VALUES))
        else:
            owner[choose.choice(KEYS)] = copy.deepcopy(choose.choice(VALUES))
    return document


def test_golden_configs_are_taken_as_by_the_peer(home, peer):
    """Each rule and each refusal of the golden configs."""
    paths = [path for path in sorted(GOLDEN.glob("*.yaml")) if not path.read_bytes().startswith(b"# options:")]
    assert not differences(home, peer, paths)


def test_mutants_of_full_configs_are_taken_as_by_the_peer(home, peer, tmp_path):
    """Configs with every field, each with something wrong or odd about it; the same ones on each run."""
    choose = random.Random(7)
    full = json.loads(home.run("validate", "--json", str(GOLDEN / "full.yaml")).stdout)[0]["config"]
    scan = json.loads(home.run("validate", "--json", str(GOLDEN / "scan-full.yaml")).stdout)[0]["config"]
    paths = []
    for i in range(N_MUTANTS):
        prefix, base = choose.choice([("set-", full), ("scan-", scan)])
        path = tmp_path / f"{prefix}{i}.json"
        path.write_text(json.dumps(mutated(choose, base)))
        paths.append(path)
    found = differences(home, peer, paths)
    assert not found, "\n".join(found)
