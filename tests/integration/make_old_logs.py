"""Make small eval logs with whatever Inspect this Python has, old or new.

Usage: make_old_logs.py FOLDER. Leaves old.json and, from the version on that knows it, old.eval. Only what all versions
share is used, and what differs is looked up.
"""

import inspect
import pathlib
import shutil
import sys
import tempfile

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate, solver, system_message, use_tools
from inspect_ai.tool import tool

LONG = "a long thing to see, " * 40


def with_usage(output: ModelOutput) -> ModelOutput:
    """Without usage the mock of newer versions counts tokens with a vocabulary that it downloads."""
    output.usage = ModelUsage(input_tokens=10, output_tokens=5, total_tokens=15)
    return output


@tool
def look():
    """Build the tool."""

    async def execute(place: str) -> str:
        """Look at a place.

        Args:
            place: Where to look.
        """
        return f"At {place}: {LONG}"

    return execute


@solver
def breaks_on(word: str):
    """Fail for samples with the word."""

    async def solve(state, generate):
        if word in str(state.input):
            raise ValueError(f"no {word} here")
        return state

    return solve


def task() -> Task:
    """Three samples: a plain one, one with a list for its target and metadata, one that fails where that is allowed."""
    samples = [
        Sample(id="plain", input="Question 0", target="done"),
        Sample(id=2, input="Question 1 é “quoted”", target=["done", "ready"], metadata={"n": 1, "deep": {"list": [1, 2.5, None]}}),
        Sample(id="bad one", input="break this", target="done"),
    ]
    steps = [system_message("Be good. " + LONG), use_tools([look()]), breaks_on("break"), generate()]
    key = "solver" if "solver" in inspect.signature(Task.__init__).parameters else "plan"
    return Task(dataset=samples, scorer=[includes(), match()], **{key: steps})


def outputs():
    """What the model says: now a call of the tool, now an answer."""
    while True:
        yield with_usage(ModelOutput.for_tool_call("mockllm/model", "look", {"place": "home"}))
        yield with_usage(ModelOutput.from_content("mockllm/model", "done and ready"))


def run(folder: pathlib.Path, suffix: str) -> None:
    """Run the task and put its log at folder/old.suffix."""
    scratch = tempfile.mkdtemp()
    known = inspect.signature(eval).parameters
    wanted = {"log_format": suffix, "display": "none", "fail_on_error": False, "max_samples": 1, "epochs": 2}
    options = {key: value for key, value in wanted.items() if key in known}
    (log,) = eval(task(), model=get_model("mockllm/model", custom_outputs=outputs()), log_dir=scratch, **options)
    (made,) = pathlib.Path(scratch).glob(f"*.{suffix}")
    shutil.move(made, folder / f"old.{suffix}")
    shutil.rmtree(scratch)


def main() -> None:
    """Make the logs."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    run(folder, "json")
    if "log_format" in inspect.signature(eval).parameters:
        run(folder, "eval")


if __name__ == "__main__":
    main()
