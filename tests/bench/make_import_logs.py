"""Make the logs that imports are measured with: samples of an agent with 40 messages each, 0.25 MB of JSON a sample.

Usage: make_import_logs.py FOLDER. Leaves small.eval with 10 samples, medium.eval with 500, and large.eval with 5,000,
1.2 GB of JSON. Medium is made by the real Inspect with its mock model; the others have its samples, under other ids. The
text is words at random, which compresses about as well as prose.
"""

import json
import pathlib
import random
import re
import shutil
import string
import sys
import zipfile

from inspect_ai import Task, eval
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, accuracy, mean, scorer
from inspect_ai.solver import basic_agent, system_message
from inspect_ai.tool import tool

N_SAMPLES = 500
N_CALLS = 19
ZSTD = 93

choose = random.Random(5)
WORDS = ["".join(choose.choices(string.ascii_lowercase + "éß漢", k=choose.randint(2, 9))) for _ in range(3000)]


def prose(n_words: int) -> str:
    """So many words."""
    return " ".join(choose.choices(WORDS, k=n_words)) + ".\n\"Quoted\"\t"


def counted(output: ModelOutput) -> ModelOutput:
    """The output with usage."""
    output.usage = ModelUsage(input_tokens=choose.randint(100, 9000), output_tokens=choose.randint(10, 900), total_tokens=9999)
    return output


@tool
def look():
    """Build the tool."""

    async def execute(place: str) -> str:
        """Look at a place.

        Args:
            place: Where to look.
        """
        return prose(270)

    return execute


@scorer(metrics=[accuracy()])
def exact():
    """Score by equality."""

    async def score(state, target):
        return Score(value="C" if state.output.completion == target.text else "I", answer=state.output.completion, explanation=prose(30))

    return score


@scorer(metrics=[mean()])
def number():
    """Score by a number."""

    async def score(state, target):
        return Score(value=choose.random(), metadata={"words": prose(20)})

    return score


def outputs(n_samples: int):
    """What the model answers in a run."""
    for _ in range(n_samples):
        for _ in range(N_CALLS):
            yield counted(ModelOutput.for_tool_call("mockllm/model", "look", {"place": prose(4)}, content=prose(70)))
        yield counted(ModelOutput.for_tool_call("mockllm/model", "submit", {"answer": "done"}))


def make_medium(path: pathlib.Path) -> None:
    """Run the eval."""
    dataset = [Sample(id=i, input=prose(200), target=choose.choice(["done", "else"]), metadata={"text": prose(50)}) for i in range(N_SAMPLES)]
    task = Task(name="medium", dataset=dataset, solver=[system_message(prose(100)), basic_agent(tools=[look()])], scorer=[exact(), number()])
    scratch = path.with_suffix(".run")
    model = get_model("mockllm/model", custom_outputs=outputs(N_SAMPLES), memoize=False)
    (log,) = eval(task, model=model, log_dir=str(scratch), display="none", max_samples=1, metadata={"eval_set_id": "bench"}, log_realtime=False)
    assert log.status == "success", log.error
    shutil.copyfile(log.location, path)
    shutil.rmtree(scratch)


def copy_samples(source: pathlib.Path, target: pathlib.Path, stem: str, n: int) -> None:
    """Write the log as another eval, with so many samples: those there are, again and again under other ids."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", ZSTD) as new:
        header, summaries = json.loads(old.read("header.json")), json.loads(old.read("summaries.json"))
        header["eval"]["eval_id"] = f"{stem}-{header['eval']['eval_id']}"
        header["results"]["total_samples"] = header["results"]["completed_samples"] = n
        copies = []
        for i in range(n):
            summary = summaries[i % len(summaries)]
            own = {**summary, "id": i, "uuid": f"{stem}{i}-{summary['uuid']}"}
            text = old.read(f"samples/{summary['id']}_epoch_1.json").replace(summary["uuid"].encode(), own["uuid"].encode())
            text = re.sub(rb'"id": ?\d+', b'"id": %d' % own["id"], text, count=1)
            new.writestr(f"samples/{own['id']}_epoch_1.json", text)
            copies.append(own)
        new.writestr("summaries.json", json.dumps(copies))
        new.writestr("header.json", json.dumps(header))


def main() -> None:
    """Make what is missing."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    medium = folder / "medium.eval"
    if not medium.exists():
        make_medium(medium.with_suffix(".part"))
        medium.with_suffix(".part").rename(medium)
    for name, n in [("small", 10), ("large", 5000)]:
        if not (folder / f"{name}.eval").exists():
            copy_samples(medium, folder / f"{name}.part", name, n)
            (folder / f"{name}.part").rename(folder / f"{name}.eval")


if __name__ == "__main__":
    main()
