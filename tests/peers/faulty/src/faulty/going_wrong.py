"""One task whose samples do what its argument says, and models, a sandbox and an approver that do not do their work."""

import os
import signal
import time
from typing import Any

import anyio
import httpx
from inspect_ai import Task, task
from inspect_ai.approval import Approval, Approver, approver
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log._samples import sample_active
from inspect_ai.model import ChatMessageUser, GenerateConfig, ModelAPI, ModelOutput, modelapi
from inspect_ai.scorer import Score, Scorer, Target, accuracy, match, scorer
from inspect_ai.solver import Generate, Solver, TaskState, chain, generate, solver, use_tools
from inspect_ai.tool import Tool, tool
from inspect_ai.util import SandboxEnvironment, concurrency, sandboxenv
from tenacity.wait import wait_fixed

PATIENCE = 10
"""Seconds until `asking` takes a server that says nothing for one that hangs; a busy machine is slow to answer, and slower to be connected to."""

ANSWERS = {429: "RateLimitError", 500: "InternalServerError"}


class AnswerError(Exception):
    """What a server has answered instead of a completion."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"{ANSWERS[status_code]}: the server answered {status_code}")
        self.status_code = status_code


class Faulty(ModelAPI):
    """`faulty/ok` answers, `faulty/slow` after a minute, `faulty/500` and `faulty/429` with that status, `faulty/tool` with
    a call of a tool, `faulty/asking` with what the server at its base URL says.
    """

    def __init__(self, model_name: str, base_url: str | None = None, api_key: str | None = None,
                 config: GenerateConfig = GenerateConfig()) -> None:
        super().__init__(model_name, base_url, api_key, [], config)

    def should_retry(self, ex: Exception) -> bool:
        """As a provider says of a server's answer."""
        return isinstance(ex, (AnswerError, httpx.HTTPError))

    def retry_wait(self) -> Any:
        """Less than Inspect waits."""
        return wait_fixed(0.2)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        """The output, or an error."""
        if self.model_name == "slow":
            await anyio.sleep(60)
        if self.model_name == "asking":
            sample = sample_active()
            async with httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE, connect=60)) as client:
                answer = await client.post(self.base_url, json=f"{input[-1].text}.{sample.epoch if sample else 0}")
            if answer.is_error:
                raise AnswerError(500)
            held = b"x" * (answer.json().get("hold_mb", 0) << 20)
            del held
        if self.model_name.isdigit():
            raise AnswerError(int(self.model_name))
        if self.model_name == "tool" and isinstance(input[-1], ChatMessageUser):
            return ModelOutput.for_tool_call(self.model_name, "ring", {})
        return ModelOutput.from_content(self.model_name, "hello")


@modelapi(name="faulty")
def faulty() -> type[ModelAPI]:
    """The provider of models named `faulty/<what they do>`."""
    return Faulty


@sandboxenv(name="slow_box")
class slow_box(SandboxEnvironment):  # noqa: N801 - Inspect knows it by this name
    """A sandbox that takes a minute to start."""

    @classmethod
    async def sample_init(cls, task_name: str, config: Any, metadata: dict[str, str]) -> dict[str, SandboxEnvironment]:
        """Begins, late."""
        await anyio.sleep(60)
        return {"default": cls()}

    @classmethod
    async def sample_cleanup(cls, task_name: str, config: Any, environments: Any, interrupted: bool) -> None:
        """Nothing is left."""

    async def exec(self, *args: Any, **kwargs: Any) -> Any:
        """Does nothing."""
        raise NotImplementedError

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Does nothing."""

    async def read_file(self, file: str, text: bool = True) -> Any:
        """Has none."""
        raise FileNotFoundError(file)


@approver(name="waiting_approver")
def waiting_approver() -> Approver:
    """Takes a minute to approve."""

    async def approve(message: str, call: Any, view: Any, history: Any) -> Approval:
        await anyio.sleep(60)
        return Approval(decision="approve")

    return approve


@tool
def ring() -> Tool:
    """Rings."""

    async def execute() -> str:
        """Ring a bell."""
        return "ding"

    return execute


def _note(path: str, text: str) -> None:
    if path:
        with open(path, "a") as file:
            file.write(f"{os.getpid()} {text}\n")


async def _swallow() -> None:
    while True:
        try:
            await anyio.sleep(60)
        except BaseException:  # noqa: B902 - that is what is wrong with it
            time.sleep(0.05)


async def _do(kind: str, seconds: float, number: int) -> None:
    if kind == "wait":
        await anyio.sleep(seconds)
    elif kind == "block":
        time.sleep(seconds)
    elif kind == "swallow":
        await _swallow()
    elif kind == "error":
        raise RuntimeError("the sky is falling")
    elif kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "narrow":
        async with concurrency("narrow gate", 1):
            await anyio.sleep(seconds)
    elif kind == "grow":
        held = [bytearray(10 << 20) for _ in range(number)]
        await anyio.sleep(seconds)
        del held


@solver
def _going_wrong(kind: str, seconds: float, path: str, every: int) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        _note(path, f"begin {state.sample_id}.{state.epoch}")
        number = int(state.sample_id)
        if kind == "error_or_wait":
            await _do("wait" if number % every else "error", seconds, number)
        elif number % every == 0:
            await _do(kind, seconds, number)
        _note(path, f"end {state.sample_id}.{state.epoch}")
        return state

    return solve


@scorer(metrics=[accuracy()])
def late(seconds: float) -> Scorer:
    """Takes so long to score."""

    async def score(state: TaskState, target: Target) -> Score:
        await anyio.sleep(seconds)
        return Score(value="C")

    return score


@task
def fault(kind: str = "none", samples: int = 2, seconds: float = 60.0, path: str = "", every: int = 1, sandbox: str = "", label: str = "",
          scores: float = 0) -> Task:
    """Samples that do what `kind` says, each whose number `every` divides, and then ask the model once.

    Args:
        kind: error_or_wait (all others wait), wait, block, swallow, error, segfault, killed, narrow, grow, or none of it.
        samples: How many.
        seconds: How long they wait or block.
        path: A file in which begins and ends are noted.
        every: Which samples.
        sandbox: Of this kind; none.
        label: What the samples say before their number, instead of "hello".
        scores: How long scoring takes.
    """
    inputs = [f"{label} {i + 1}" if label else "hello" for i in range(samples)]
    dataset = MemoryDataset([Sample(id=i + 1, input=text, target="hello") for i, text in enumerate(inputs)])
    return Task(dataset=dataset, solver=chain(use_tools(ring()), _going_wrong(kind, seconds, path, every), generate()),
                scorer=late(scores) if scores else match(), sandbox=sandbox or None)
