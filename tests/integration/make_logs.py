"""Make eval logs of many kinds, offline, with the real Inspect and its mock model.

Usage: make_logs.py FOLDER. Leaves <kind>.eval or <kind>.json for each kind, and for the running log also the shared
buffer as <kind>.buffer/. Run it with a Python that has inspect-ai.
"""

import contextlib
import math
import pathlib
import shutil
import sys
import time
import zipfile

from inspect_ai import Epochs, Task, eval
from inspect_ai._util import zipfile as inspect_zipfile  # also teaches zipfile about zstd
from inspect_ai.dataset import Sample
from inspect_ai.log._recorders.chunked.convert import convert_eval_logs_to_chunked
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, accuracy, mean, scorer, stderr
from inspect_ai.solver import basic_agent, chain, generate, solver, system_message
from inspect_ai.tool import ToolError, tool

ZSTD = 93
WAIT_SECONDS = 60


def usage(n: int) -> ModelUsage:
    """Usage of one call; without it the mock counts tokens with a vocabulary that it downloads."""
    return ModelUsage(
        input_tokens=10 + n, output_tokens=5, total_tokens=15 + n, input_tokens_cache_read=2, input_tokens_cache_write=1, reasoning_tokens=3
    )


def answer(text: str, n: int = 0) -> ModelOutput:
    """A plain answer."""
    output = ModelOutput.from_content("mockllm/model", text)
    output.usage = usage(n)
    return output


def call(function: str, arguments: dict, n: int = 0) -> ModelOutput:
    """A call of a tool."""
    output = ModelOutput.for_tool_call("mockllm/model", function, arguments)
    output.usage = usage(n)
    return output


def model(outputs) -> object:
    """A mock model with these answers."""
    return get_model("mockllm/model", custom_outputs=outputs, memoize=False)


@tool
def look():
    """Build the tool."""

    async def execute(place: str) -> str:
        """Look at a place.

        Args:
            place: Where to look.
        """
        if place == "nowhere":
            raise ToolError("there is nothing")
        return f"At {place}: " + "a long thing to see, " * 40

    return execute


@scorer(metrics=[accuracy(), stderr()])
def exact():
    """Score by equality, with everything that a score may have."""

    async def score(state, target):
        return Score(
            value="C" if state.output.completion == target.text else "I",
            answer=state.output.completion,
            explanation="because\nof “this”",
            metadata={"n": 1, "long": "x" * 3000},
        )

    return score


@scorer(metrics={"a": [mean()], "b": [mean()]})
def parts():
    """Score by a dictionary."""

    async def score(state, target):
        return Score(value={"a": 1, "b": 0.25})

    return score


@scorer(metrics=[mean()])
def strange():
    """Score by a number that is none."""

    async def score(state, target):
        return Score(value=math.nan)

    return score


@solver
def breaks_on(word: str):
    """Fail for samples with the word."""

    async def solve(state, generate):
        if word in state.input_text:
            raise RuntimeError(f"cannot {word}: \x1b[31mred\x1b[0m \udcff".encode("utf-8", "replace").decode())
        return state

    return solve


@solver
def partial_score():
    """Score in the middle of a sample."""

    async def solve(state, generate):
        from inspect_ai.scorer import score

        await score(state)
        return state

    return solve


IDS = ["plain", 7, "a/b", "caf\u00e9 \u6f22\u5b57", "x_epoch_1", "with space & %2F", "../up"]


def tools_task() -> Task:
    """Tools, several scorers, ids of every shape."""
    dataset = [
        Sample(id=id, input=f"Question {i}", target="done", metadata={"i": i, "deep": {"k": [1, None]}, "text": "y" * 2000})
        for i, id in enumerate(IDS)
    ]
    return Task(
        name="tools",
        dataset=dataset,
        solver=chain(system_message("Be brief. " * 30), basic_agent(tools=[look()], message_limit=20)),
        scorer=[exact(), parts(), strange()],
        version="1.2",
        metadata={"of": "task"},
    )


def tools_model() -> object:
    """Answers of one run of tools_task with two epochs."""
    outputs = []
    for _ in range(2 * len(IDS)):
        outputs += [
            call("look", {"place": "home"}, 1),
            call("look", {"place": "nowhere"}, 2),
            call("submit", {"answer": "done"}, 3),
        ]
    return model(outputs)


def run(
    folder: pathlib.Path, kind: str, task: Task, model_: object, suffix: str = "eval", status: str = "success", **options
) -> None:
    """Run one eval, which must end with the status, and put its log at folder/kind.suffix."""
    scratch = folder / f"{kind}.run"
    options = {"display": "none", "max_samples": 1, "log_format": suffix, **options}
    (log,) = eval(task, model=model_, log_dir=str(scratch), **options)
    assert log.status == status, (kind, log.status, log.error)
    shutil.copyfile(log.location, folder / f"{kind}.{suffix}")
    shutil.rmtree(scratch)


def make_tools(folder: pathlib.Path) -> None:
    """The same task as .eval and .json."""
    options = {
        "epochs": Epochs(2, "mean"),
        "metadata": {"eval_set_id": "set-1", "created_by": "ann@example.com"},
        "tags": ["one", "two"],
        "model_args": {},
        "log_model_api": True,
        "token_limit": 100000,
        "working_limit": 900,
    }
    run(folder, "tools", tools_task(), tools_model(), **options)
    run(folder, "tools_json", tools_task(), tools_model(), suffix="json", **options)


def make_errors(folder: pathlib.Path) -> None:
    """Samples that fail: tolerated, retried, and ending the eval."""

    def task() -> Task:
        dataset = [Sample(id=i, input=text, target="x") for i, text in enumerate(["good", "break this", "good too"], 1)]
        return Task(name="errors", dataset=dataset, solver=[breaks_on("break"), generate()], scorer=exact())

    def answers() -> object:
        return model([answer("x", i) for i in range(20)])

    run(folder, "errors", task(), answers(), fail_on_error=False, retry_on_error=1)
    run(folder, "failed", task(), answers(), status="error", fail_on_error=True)
    run(folder, "errors_json", task(), answers(), suffix="json", fail_on_error=False)


def make_limits(folder: pathlib.Path) -> None:
    """Samples that end at a limit, and scores on the way."""
    forever = [call("look", {"place": f"place {i}"}, i) for i in range(200)]
    task = Task(name="limits", dataset=[Sample(input="go") for _ in range(3)], solver=basic_agent(tools=[look()]), scorer=exact())
    run(folder, "limits_messages", task, model(forever), message_limit=8)
    run(folder, "limits_tokens", task, model(forever), token_limit=100)
    scored = Task(name="scored", dataset=[Sample(id="s", input="go", target="x")], solver=[generate(), partial_score(), generate()], scorer=exact())
    run(folder, "intermediate", scored, model([answer("x"), answer("y")]), model_roles={"grader": model([answer("g")])})


def make_empty(folder: pathlib.Path) -> None:
    """A log without scores and one with many samples."""
    run(folder, "unscored", Task(name="unscored", dataset=[Sample(input="hi")], solver=generate()), model([answer("x")]))
    many = Task(name="many", dataset=[Sample(id=i, input=f"q {i}", target="x") for i in range(120)], solver=generate(), scorer=exact())
    run(folder, "many", many, model([answer("x", i) for i in range(120)]))


@solver
def waits_and_copies(folder: pathlib.Path):
    """At the sample "last": wait until the shared buffer knows the sample, then keep what is on disk."""

    async def solve(state, generate):
        state = await generate(state)
        if state.sample_id != "last":
            return state
        import anyio

        scratch = folder / "running.run"
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            manifests = list(scratch.glob(".buffer/*/manifest.json"))
            with contextlib.suppress(OSError):
                if manifests and '"last"' in manifests[0].read_text() and list(manifests[0].parent.glob("segment.*.zip")):
                    break
            await anyio.sleep(0.1)
        (log,) = scratch.glob("*.eval")
        shutil.copyfile(log, folder / "running.eval")
        shutil.copytree(manifests[0].parent, folder / "running.buffer")
        return await generate(state)

    return solve


def make_running(folder: pathlib.Path) -> None:
    """What lies on disk while an eval runs."""
    dataset = [Sample(id=i, input=f"Question {i}", target="x") for i in ("first", "second", "third", "last")]
    task = Task(name="running", dataset=dataset, solver=waits_and_copies(folder), scorer=exact())
    scratch = folder / "running.run"
    eval(task, model=model([answer("x " * 80, i) for i in range(20)]), log_dir=str(scratch), display="none", max_samples=1,
         log_format="eval", log_buffer=1, log_shared=1, metadata={"eval_set_id": "set-2"}, tags=["t"])
    shutil.rmtree(scratch)


def make_forms(folder: pathlib.Path) -> None:
    """Other archives with the same content."""
    tools = folder / "tools.eval"
    with zipfile.ZipFile(tools) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def write(kind: str, method: int, names, wide: bool = False) -> None:
        limit = zipfile.ZIP_FILECOUNT_LIMIT
        zipfile.ZIP_FILECOUNT_LIMIT = 1 if wide else limit
        with zipfile.ZipFile(folder / f"{kind}.eval", "w", method) as new:
            for name in names:
                info = zipfile.ZipInfo(name)
                info.compress_type = method
                with new.open(info, "w", force_zip64=wide) as member:
                    member.write(members[name])
        zipfile.ZIP_FILECOUNT_LIMIT = limit

    names = list(members)
    write("tools_stored", zipfile.ZIP_STORED, names)
    write("tools_deflate", zipfile.ZIP_DEFLATED, names)
    write("tools_wide", ZSTD, names, wide=True)
    inspect_zipfile._MAX_INPUT_PER_FRAME, limit = 5000, inspect_zipfile._MAX_INPUT_PER_FRAME
    write("tools_frames", ZSTD, names)
    inspect_zipfile._MAX_INPUT_PER_FRAME = limit
    write("crashed", ZSTD, [n for n in names if n not in ("header.json", "summaries.json", "reductions.json")])
    shutil.copyfile(tools, folder / "requeued.eval")
    with zipfile.ZipFile(folder / "requeued.eval", "a", ZSTD) as archive:
        name = "samples/plain_epoch_1.json"
        archive.writestr(name, members[name].replace(b'"Question 0"', b'"Question again"'))
    chunked = folder / "chunked.run"
    convert_eval_logs_to_chunked(str(tools), str(chunked), chunk_size=3, attachments_chunk_bytes=500)
    shutil.copyfile(chunked / "tools.eval", folder / "tools_chunked.eval")
    shutil.rmtree(chunked)


def main() -> None:
    """Make all kinds."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (make_tools, make_errors, make_limits, make_empty, make_running, make_forms):
        make(folder)


if __name__ == "__main__":
    main()
