"""Make the logs of bench_evallog.py with the real Inspect: FOLDER gets small.eval, medium.eval, deflate.eval, fat.eval, huge.eval.

A few samples are run; the many of medium.eval are clones with other ids and with the capital letters exchanged, of which
all random text and all identifiers are made, so that clones do not compress as one.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile
import zipfile

from inspect_ai import Task, eval
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes, match
from inspect_ai.solver import basic_agent, system_message
from inspect_ai.tool import tool

ZSTD = 93
LETTERS = "ABDEFGHJKLMOPQRSUVWXYZ"  # without those of NaN, Infinity, C and I for scores, T in timestamps
SAMPLES = 20
MEDIUM = 500
HUGE_BYTES = 2 << 30


def vocabulary(chance: random.Random) -> list[str]:
    """Words to make texts of."""
    return ["".join(chance.choices(LETTERS, k=chance.randint(2, 9))) for _ in range(3000)] + ["é", "“so”", "\n", '"', "\\"]


class Text:
    """Random texts, the same in each run."""

    def __init__(self) -> None:
        self.chance = random.Random(285)
        self.words = vocabulary(self.chance)

    def of(self, size: int) -> str:
        """A text of about that many bytes."""
        return " ".join(self.chance.choices(self.words, k=max(1, size // 6)))


@tool
def look():
    """Build the tool."""

    async def execute(place: str, size: int) -> str:
        """Look at a place.

        Args:
            place: Where to look.
            size: How much to see.
        """
        return TEXT.of(size)

    return execute


TEXT = Text()


def outputs(turns: int, size: int):
    """What the model says in one sample after the other."""
    while True:
        for turn in range(turns):
            name, arguments = ("submit", {"answer": "done"}) if turn == turns - 1 else ("look", {"place": TEXT.of(30), "size": size})
            output = ModelOutput.for_tool_call("mockllm/model", name, arguments, content=TEXT.of(size // 2))
            output.usage = ModelUsage(input_tokens=1000 + turn, output_tokens=50, total_tokens=1050 + turn)
            yield output


def run(folder: pathlib.Path, name: str, samples: int, turns: int, size: int) -> pathlib.Path:
    """Run an eval; its log is folder/name.eval."""
    dataset = [Sample(id=f"sample-{i:06d}", input=TEXT.of(2000), target="done") for i in range(samples)]
    solver = basic_agent(init=system_message(TEXT.of(1500)), tools=[look()], message_limit=4 * turns)
    task = Task(name="bench", dataset=dataset, solver=solver, scorer=[includes(), match()])
    scratch = tempfile.mkdtemp()
    model = get_model("mockllm/model", custom_outputs=outputs(turns, size), memoize=False)
    (log,) = eval(task, model=model, log_dir=scratch, display="none", max_samples=1, metadata={"eval_set_id": "bench"})
    assert log.status == "success", log.error
    path = folder / f"{name}.eval"
    shutil.copyfile(log.location, path)
    shutil.rmtree(scratch)
    return path


def exchange(chance: random.Random) -> bytes:
    """A table that permutes the letters."""
    mixed = list(LETTERS)
    chance.shuffle(mixed)
    return bytes.maketrans(LETTERS.encode(), "".join(mixed).encode())


def clone(source: pathlib.Path, to: pathlib.Path, samples: int, method: int) -> None:
    """Write a log with that many samples made from those of another."""
    chance = random.Random(1)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(to, "w", method) as new:
        names = [name for name in old.namelist() if name.startswith("samples/")]
        bodies = {name: old.read(name) for name in names}
        summaries = {item["id"]: item for item in json.loads(old.read("summaries.json"))}
        made = []
        new.writestr("_journal/start.json", old.read("_journal/start.json"))
        for i in range(samples):
            name = names[i % len(names)]
            was = name.removeprefix("samples/").removesuffix("_epoch_1.json")
            becomes = f"sample-{i:06d}"
            table = exchange(chance)
            body = bodies[name].translate(table).replace(was.encode(), becomes.encode())
            new.writestr(f"samples/{becomes}_epoch_1.json", body)
            summary = json.loads(json.dumps(summaries[was]).encode().translate(table))
            made.append({**summary, "id": becomes})
        new.writestr("summaries.json", json.dumps(made))
        for name in ("reductions.json", "header.json"):
            if name in old.namelist():
                new.writestr(name, old.read(name))


def make_huge(source: pathlib.Path, to: pathlib.Path) -> None:
    """One sample of HUGE_BYTES: the events of another, again and again."""
    chance = random.Random(2)
    with zipfile.ZipFile(source) as old:
        (name,) = [name for name in old.namelist() if name.startswith("samples/")]
        sample = json.loads(old.read(name))
        header = old.read("header.json")
        summaries = old.read("summaries.json")
    events = json.dumps(sample["events"] + [{"event": "info", "data": text} for text in sample["attachments"].values()])[1:-1].encode()
    with zipfile.ZipFile(to, "w", ZSTD) as new:
        with new.open(name, "w", force_zip64=True) as member:
            member.write(json.dumps({**sample, "events": [], "attachments": {}}).encode()[:-1].replace(b'"events": [],', b"") + b',"events":[')
            for i in range(HUGE_BYTES // len(events) + 1):
                member.write((b"," if i else b"") + events.translate(exchange(chance)))
            member.write(b"]}")
        new.writestr("summaries.json", summaries)
        new.writestr("header.json", header)


def main() -> None:
    """Make those that are not there yet."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "huge.eval").exists():
        return
    run(folder, "small", 10, 20, 2500)
    base = run(folder, "base", SAMPLES, 20, 2500)
    clone(base, folder / "medium.eval", MEDIUM, ZSTD)
    clone(base, folder / "deflate.eval", MEDIUM, zipfile.ZIP_DEFLATED)
    fat = run(folder, "fat", 1, 200, 25000)
    make_huge(fat, folder / "huge.part")
    (folder / "huge.part").rename(folder / "huge.eval")


if __name__ == "__main__":
    main()
