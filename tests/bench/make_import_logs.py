"""Logs for bench_import: small and medium ones as Inspect itself writes them, and large ones cloned from a medium one.

make_import_logs.py FOLDER writes small.eval (10 samples), medium.eval (500 samples of 40 messages, about 125 MB of JSON),
medium_deflate.eval (the same, compressed as old logs are) and large.eval (5,000 samples); what is there already stays."""

import json
import pathlib
import random
import shutil
import string
import sys
import tempfile
import zipfile

from inspect_ai import Task, eval as inspect_eval
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, accuracy, scorer
from inspect_ai.solver import generate, solver
from inspect_ai.tool import tool

ZSTD = 93
TURNS = 13
WORDS = ["".join(random.Random(seed).choices(string.ascii_lowercase, k=random.Random(seed).randint(2, 11))) for seed in range(4000)]
EXTRAS = ["naïve", "zürich", "\n", "\"quoted\"", "{\"key\": [1, 2]}", "東京", "\t", "https://example.org/a?b=c", "0x7ffe", "\\path\\to"]


def text(rng: random.Random, n_words: int) -> str:
    """Return words with a few strange ones among them."""
    return " ".join(rng.choice(EXTRAS) if rng.random() < 0.03 else rng.choice(WORDS) for _ in range(n_words))


@tool
def look():
    async def execute(place: str, depth: int) -> str:
        """Look at a place.

        Args:
            place: Where to look.
            depth: How deep.
        """
        rng = random.Random(f"{place}{depth}")
        return text(rng, rng.randint(20, 560))

    return execute


@solver
def wander():
    """Use a tool in each turn, and talk in between."""

    async def solve(state, generate):
        rng = random.Random(str(state.sample_id))
        state.tools = [look()]
        for turn in range(TURNS):
            state = await generate(state, tool_calls="single")
            state.store.set("turn", turn)
            state.messages.append(ChatMessageUser(content=text(rng, rng.randint(5, 60))))
        return state

    return solve


def answers(n: int):
    """Return what the model says, in turn."""
    rng = random.Random(7)
    for _ in range(n * (TURNS + 1)):
        arguments = {"place": text(rng, 4), "depth": rng.randint(1, 9)}
        output = ModelOutput.for_tool_call("mockllm/model", "look", arguments, content=text(rng, rng.randint(10, 330)))
        output.usage = ModelUsage(input_tokens=rng.randint(10, 9999), output_tokens=rng.randint(1, 99), total_tokens=10000)
        yield output


@scorer(metrics=[accuracy()])
def fair():
    async def score(state, target):
        return Score(value=len(state.messages) % 2, answer=state.output.completion[:200], explanation=text(random.Random(1), 80))

    return score


@scorer(metrics=[accuracy()])
def harsh():
    async def score(state, target):
        return Score(value="C" if state.epoch else "I", metadata={"why": text(random.Random(2), 20)})

    return score


def run(folder: pathlib.Path, n_samples: int, path: pathlib.Path) -> None:
    """Let Inspect write a log."""
    rng = random.Random(3)
    samples = [Sample(id=f"sample-{i}", input=text(rng, 80), target=text(rng, 5), metadata={"difficulty": i % 7, "note": text(rng, 30)})
               for i in range(n_samples)]
    task = Task(dataset=samples, solver=[wander(), generate(tool_calls="none")], scorer=[fair(), harsh()], name="wander")
    model = get_model("mockllm/model", custom_outputs=answers(n_samples), config=GenerateConfig())
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none", max_samples=20, log_buffer=100, metadata={"eval_set_id": "bench"})
    assert log.status == "success", log.error.message[:500]
    shutil.move(log.location.removeprefix("file://"), path)


def recompress(source: pathlib.Path, target: pathlib.Path, method: int) -> None:
    """Write a log's members again, compressed in another way."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


def shuffled(rng: random.Random) -> dict[int, int]:
    """Return a permutation of small letters."""
    letters = list(string.ascii_lowercase)
    rng.shuffle(letters)
    return str.maketrans(string.ascii_lowercase, "".join(letters))


def clone(sample: str, number: int) -> tuple[str, str]:
    """Return (id, JSON) of a sample that says the same in other words: its texts have their letters changed."""
    rng = random.Random(number)
    table = shuffled(rng)
    kept = {"id", "role", "event", "type", "function", "uuid", "span_id", "timestamp", "hash", "scorer", "source", "model", "cache", "format"}

    def change(value, key=""):
        if isinstance(value, dict):
            return {k: change(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [change(v, key) for v in value]
        if isinstance(value, str) and key not in kept and not value.startswith("attachment://") and not value[:4].isdigit():
            return value.translate(table)
        return value

    document = change(json.loads(sample))
    document["id"], document["uuid"] = f"clone-{number}", f"clone{number:017}"
    return document["id"], json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def grow(source: pathlib.Path, target: pathlib.Path, n_samples: int) -> None:
    """Write a log of n_samples out of one with fewer."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", ZSTD) as new:
        names = [name for name in old.namelist() if name.startswith("samples/")]
        originals = [old.read(name).decode() for name in names]
        header = json.loads(old.read("header.json"))
        summaries = {item["id"]: item for item in json.loads(old.read("summaries.json"))}
        lines = []
        for number in range(n_samples):
            name, text_of = clone(originals[number % len(originals)], number)
            new.writestr(f"samples/{name}_epoch_1.json", text_of)
            lines.append({**summaries[json.loads(originals[number % len(originals)])["id"]], "id": name, "uuid": f"clone{number:017}"})
        header["eval"]["eval_id"] = "large" + header["eval"]["eval_id"][5:]
        header["results"]["total_samples"] = header["results"]["completed_samples"] = n_samples
        new.writestr("summaries.json", json.dumps(lines))
        new.writestr("header.json", json.dumps(header))


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        for name, n in [("small", 10), ("medium", 500)]:
            if not (folder / f"{name}.eval").exists():
                run(work, n, work / f"{name}.eval")
                shutil.move(work / f"{name}.eval", folder / f"{name}.eval")
        for name, make in [("medium_deflate", lambda path: recompress(folder / "medium.eval", path, zipfile.ZIP_DEFLATED)),
                           ("large", lambda path: grow(folder / "medium.eval", path, 5000))]:
            if not (folder / f"{name}.eval").exists():
                make(work / f"{name}.eval")
                shutil.move(work / f"{name}.eval", folder / f"{name}.eval")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
