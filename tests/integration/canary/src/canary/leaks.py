"""Whatever can be done wrong with a secret: print it, in pieces too; log it; answer, score and fail with it."""

import logging
import os
import pathlib
import sys

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.log import transcript
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import Score, Target, accuracy, scorer
from inspect_ai.solver import Generate, TaskState, solver

NAMES = ("CANARY_TOKEN", "DECLARED", "CANARY_KEY_QUOTED", "CANARY_KEY_LINES")


def told() -> str:
    """All of them."""
    return " and ".join(os.environ[name] for name in NAMES)


class Leaky(ModelAPI):
    """A model that answers with the secrets."""

    async def generate(self, input, tools, tool_choice, config: GenerateConfig) -> ModelOutput:
        """Tell them."""
        output = ModelOutput.from_content(self.model_name, f"They are {told()}.")
        output.metadata = {"secrets": [os.environ[name] for name in NAMES]}
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output


@modelapi(name="canary")
def canary() -> type[ModelAPI]:
    """The provider."""
    return Leaky


@solver
def leak():
    """Tell them everywhere, then wait until the test has looked."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for stream in (sys.stdout, sys.stderr):
            for name in NAMES:
                value = os.environ[name]
                stream.write("x" * 70000 + value[:5])
                stream.flush()
                await anyio.sleep(0.01)
                stream.write(value[5:] + "\n")
                stream.flush()
        logging.getLogger("canary").warning("a warning with %s", told())
        logging.getLogger("inspect_ai").warning("a warning of Inspect with %s", told())
        transcript().info({"headers": {"Authorization": f"Bearer {os.environ['CANARY_TOKEN']}"}, "all": told()})
        state.metadata["secrets"] = told()
        state.store.set("secrets", told())
        state = await generate(state)
        gate = pathlib.Path(os.environ["CANARY_GATE"])
        while not gate.exists():
            await anyio.sleep(0.05)
        if state.sample_id == 2:
            raise RuntimeError(f"cannot connect with Authorization: Bearer {told()}")
        return state

    return solve


@scorer(metrics=[accuracy()])
def tells():
    """A score with them."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value="C", answer=told(), explanation=told(), metadata={"secrets": told()})

    return score


@task
def leaks() -> Task:
    """Two samples; the second fails."""
    samples = [Sample(id=1, input="tell", target="x"), Sample(id=2, input="tell", target="x")]
    return Task(dataset=samples, solver=leak(), scorer=tells(), fail_on_error=False)
