"""Our texts of JSON values against Python's own: json.dumps, str, repr and pprint on values made at random."""

import json
import math
import os
import pathlib
import pprint
import random
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))

WORDS = ["a", "it's", 'say "so"', "both ' and \"", "line\nline", "tab\t", "caf\u00e9", "\u6f22\u5b57", "\U0001f600", "\x07", "\x7f",
         "\u00a0", "\u200b", "\u2028", "\ufeff", "\ue000", "back\\slash", "", " ", "long word " * 12, "x" * 120, "/path/to",
         "if a:\r\n    b()\n\n\x0c"]
NUMBERS = [0, -0.0, 1, -1, 1.0, 0.1, 1e16, 1e15, 123456789012345678, 10**30, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 2.5e-7,
           123456.789, math.nan, math.inf, -math.inf, 1 / 3, 1e22, 9007199254740993.0]


def make(chance: random.Random, depth: int = 0):
    """A value of any kind."""
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return chance.choice(NUMBERS)
    if kind < 5:
        return "".join(chance.choice(WORDS) for _ in range(chance.randrange(4)))
    if kind == 5:
        return chance.choice([True, False, None])
    if kind == 6:
        return [make(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {chance.choice(WORDS) + str(i): make(chance, depth + 1) for i in range(chance.randrange(5))}


@pytest.fixture(scope="module")
def values() -> list:
    chance = random.Random(11)
    return [*WORDS, *NUMBERS, True, None, [], {}, *(make(chance) for _ in range(1500))]


def ours(how: str, values: list) -> list[str]:
    """What the tool writes for each value."""
    text = "".join(json.dumps(value, ensure_ascii=i % 2 == 0) + "\n" for i, value in enumerate(values))
    done = subprocess.run([BUILD / "tests/tools/python_text", how], input=text.encode("utf-8", "surrogatepass"), capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("how", "python"), [("dumps", json.dumps), ("str", str), ("repr", repr)])
def test_values_are_written_as_python_writes_them(values, how, python):
    for value, text in zip(values, ours(how, values), strict=True):
        assert text == python(value)


@pytest.mark.parametrize("width", [20, 80, 1000])
def test_pprint_breaks_lines_where_pythons_does(values, width):
    if sys.version_info < (3, 11):
        pytest.skip("the order of pieces changed with 3.11")
    for value, text in zip(values, ours(str(width), values), strict=True):
        assert text == pprint.pformat(value, width=width)
