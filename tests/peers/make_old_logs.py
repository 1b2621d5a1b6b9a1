"""Make eval logs with Inspect of other versions.

Usage: make_old_logs.py FOLDER [VERSION...], with any Python: makes a virtualenv of each version in the development cache
and leaves v<version>_<kind>.eval (.json). With --here it makes the logs of the Inspect that it runs with; that half
keeps to what all the versions have.
"""

import pathlib
import subprocess
import sys

VERSIONS = {
    "0.3.58": "2025-01-20",
    "0.3.70": "2025-03-10",
    "0.3.100": "2025-06-15",
    "0.3.140": "2025-10-25",
    "0.3.188": "2026-03-20",
    "0.3.240": "2026-07-01",
}
"""Version: the day whose packages it runs with, so that it stays what it was."""


def make_with(version: str, folder: pathlib.Path) -> None:
    """Make the logs of one version."""
    import hawk_peer

    requirements = ["--exclude-newer", VERSIONS[version], f"inspect-ai=={version}", "openai"]
    python = hawk_peer.make_venv(hawk_peer.CACHE / f"inspect-{version}", "/usr/bin/python3", *requirements)
    done = subprocess.run([python, __file__, "--here", folder], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Inspect {version}: {done.stderr[-4000:]}")


def main() -> None:
    """Make all logs."""
    if sys.argv[1] == "--here":
        make_here(pathlib.Path(sys.argv[2]))
        return
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for version in sys.argv[2:] or VERSIONS:
        make_with(version, folder)


# --- with the Inspect of that version ---


def make_here(folder: pathlib.Path) -> None:
    """Make the logs of the Inspect at hand."""
    import importlib.metadata
    import math
    import shutil

    from inspect_ai import Epochs, Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.log import transcript
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ContentImage, ContentText, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import Score, accuracy, mean, scorer, stderr
    from inspect_ai.solver import basic_agent, chain, generate, solver, system_message
    from inspect_ai.tool import ToolError, tool
    from inspect_ai.util import store, subtask

    version = importlib.metadata.version("inspect_ai")
    pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

    def counted(output: ModelOutput, n: int) -> ModelOutput:
        output.usage = ModelUsage(input_tokens=10 + n, output_tokens=5, total_tokens=15 + n, input_tokens_cache_read=2)
        return output

    def answer(text: str, n: int = 0) -> ModelOutput:
        return counted(ModelOutput.from_content("mockllm/model", text), n)

    def call(function: str, arguments: dict, n: int = 0) -> ModelOutput:
        return counted(ModelOutput.for_tool_call("mockllm/model", function, arguments), n)

    @tool
    def look():
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
        async def score(state, target):
            value = "C" if state.output.completion == target.text else "I"
            return Score(value=value, answer=state.output.completion, explanation="because\nof \u201cthis\u201d", metadata={"long": "x" * 300})

        return score

    @scorer(metrics=[mean()])
    def strange():
        async def score(state, target):
            return Score(value=math.nan)

        return score

    @subtask
    async def part(n: int) -> int:
        transcript().info({"n": n})
        return n + 1

    @solver
    def busy():
        async def solve(state, generate):
            store().set("k", {"n": [1, 2]})
            await part(2)
            await get_model("mockllm/grader", custom_outputs=[answer("good", 7)], memoize=False).generate("grade")
            return state

        return solve

    @solver
    def breaks():
        async def solve(state, generate):
            if "break" in str(state.input):
                raise RuntimeError("broken \x1b[31mred\x1b[0m")
            return state

        return solve

    def run(kind: str, task: Task, outputs: list, suffix: str = "eval", **options) -> None:
        scratch = folder / f"{version}-{kind}.run"
        model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
        metadata = {"eval_set_id": "old", "created_by": "ann@example.com"}
        (log,) = eval(task, model=model, log_dir=str(scratch), log_format=suffix, display="none", max_samples=1, metadata=metadata, **options)
        found = next(scratch.glob(f"*.{suffix}"))
        shutil.copyfile(found, folder / f"v{version}_{kind}.{suffix}")
        shutil.rmtree(scratch)

    ids = ["plain", 7, "a/b", "caf\u00e9 \u6f22\u5b57"]
    content = [ContentText(text="What is this? " * 20), ContentImage(image=pixel)]
    dataset = [Sample(id=id, input=f"Question {i}", target="done", metadata={"i": i, "text": "y" * 500}) for i, id in enumerate(ids)]
    dataset.append(Sample(id="chat", input=[ChatMessageSystem(content="Be kind."), ChatMessageUser(content=content)], target=["done", "made"]))
    agent = chain(system_message("Be brief. " * 30), busy(), basic_agent(tools=[look()], message_limit=20))
    steps = [call("look", {"place": "home"}, 1), call("look", {"place": "nowhere"}, 2), call("submit", {"answer": "done"}, 3)]
    task = Task(name="agent", dataset=dataset, solver=agent, scorer=[exact(), strange()], version=1, metadata={"of": "task"})
    run("agent", task, steps * 2 * len(dataset), epochs=Epochs(2, "mean"), tags=["one", "two"], log_model_api=True)
    run("agent", task, steps * 2 * len(dataset), suffix="json", epochs=Epochs(2, "mean"))
    broken = Task(name="errors", dataset=[Sample(id=i, input=t, target="x") for i, t in enumerate(["good", "break", "good"], 1)],
                  solver=[breaks(), generate()], scorer=exact())
    run("errors", broken, [answer("x", i) for i in range(20)], fail_on_error=False)
    run("failed", broken, [answer("x", i) for i in range(20)], fail_on_error=True)
    forever = [call("look", {"place": f"place {i}"}, i) for i in range(100)]
    limited = Task(name="limits", dataset=[Sample(input="go"), Sample(input="go on")], solver=basic_agent(tools=[look()]), scorer=exact())
    run("messages", limited, forever, message_limit=8)
    run("tokens", limited, forever, token_limit=100)


if __name__ == "__main__":
    main()
