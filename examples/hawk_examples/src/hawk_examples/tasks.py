"""The example tasks, and a solver and an agent to combine with them."""

import os

import anyio
from inspect_ai import Task, task
from inspect_ai.agent import Agent, agent as agent_decorator, react
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Score,
    Scorer,
    Target,
    accuracy,
    choice,
    exact,
    includes,
    scorer,
    stderr,
)
from inspect_ai.solver import Generate, Solver, TaskState, chain, generate, multiple_choice, solver, system_message
from inspect_ai.tool import bash

WORDS = ["hello", "bonjour", "hola", "ciao", "hallo", "salut", "ahoy", "hej", "namaste", "merhaba"]


@task
def hello(samples: int = 3) -> Task:
    """Say one word, compared exactly.

    Args:
        samples: Number of samples; the words repeat after ten.
    """
    words = [WORDS[i % len(WORDS)] for i in range(samples)]
    return Task(
        dataset=MemoryDataset(
            [Sample(id=i + 1, input=f"Say exactly: {word}", target=word) for i, word in enumerate(words)]
        ),
        solver=generate(),
        scorer=exact(),
    )


@task
def sums(samples: int = 6) -> Task:
    """Multiple choice: one sum, four results.

    Args:
        samples: Number of samples.
    """

    def sample(i: int) -> Sample:
        total = 3 * i + 7
        place = i % 4
        return Sample(
            id=f"sum-{i}",
            input=f"What is {i + 2} + {2 * i + 5}?",
            choices=[str(total + offset - place) for offset in range(4)],
            target="ABCD"[place],
            metadata={"total": total},
        )

    return Task(
        dataset=MemoryDataset([sample(i) for i in range(samples)]), solver=multiple_choice(), scorer=choice()
    )


@agent_decorator
def counting_agent(attempts: int = 1) -> Agent:
    """Runs commands in the sandbox until it submits an answer.

    Args:
        attempts: Answers it may submit.
    """
    prompt = "You can run commands. Submit the answer when you know it."
    return react(prompt=prompt, tools=[bash(timeout=30)], attempts=attempts)


@task
def agent(samples: int = 2) -> Task:
    """An agent with tools counts the lines of a file in the `local` sandbox.

    Args:
        samples: Number of samples; sample n has n + 2 lines.
    """
    return Task(
        dataset=MemoryDataset(
            [
                Sample(
                    id=i + 1,
                    input="How many lines has notes.txt? Find out with `grep -c . notes.txt`.",
                    target=str(i + 3),
                    files={"notes.txt": "a line\n" * (i + 3)},
                )
                for i in range(samples)
            ]
        ),
        solver=counting_agent(),
        scorer=includes(),
        sandbox="local",
    )


@solver
def wait(seconds: float = 1.0) -> Solver:
    """Does nothing for a while.

    Args:
        seconds: How long.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        await anyio.sleep(seconds)
        return state

    return solve


@task
def slow(samples: int = 3, seconds: float = 60.0) -> Task:
    """As `hello`, but every sample waits first; for trying out stop and watch.

    Args:
        samples: Number of samples.
        seconds: How long each waits.
    """
    return Task(dataset=hello(samples).dataset, solver=chain(wait(seconds), generate()), scorer=exact())


@solver
def careful() -> Solver:
    """Asks for care before it generates; to be combined with any task."""
    return chain(system_message("Think before you answer."), generate())


@solver
def _raise_for(every: int) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if int(state.sample_id) % every == 0:
            raise RuntimeError(f"sample {state.sample_id} fails on purpose")
        return await generate(state)

    return solve


@task
def failing(samples: int = 3, every: int = 1) -> Task:
    """Samples that end with an error.

    Args:
        samples: Number of samples.
        every: Each sample whose number this divides fails: 1 for all, 2 for half.
    """
    return Task(dataset=hello(samples).dataset, solver=_raise_for(every), scorer=exact())


@solver
def _with_secret(name: str) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if not os.environ.get(name):
            raise RuntimeError(f"the environment has no {name}")
        return await generate(state)

    return solve


@task
def needs_secret(name: str = "EXAMPLE_API_KEY") -> Task:
    """As `hello`, but fails without a secret in the environment.

    Args:
        name: The variable that must be set.
    """
    return Task(dataset=hello(1).dataset, solver=_with_secret(name), scorer=exact())


@scorer(metrics=[accuracy(), stderr()])
def same_by_grader() -> Scorer:
    """Asks the model in the role `grader` whether answer and target are the same."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion
        asked = await get_model(role="grader").generate(f'Is "{answer}" the same as "{target.text}"?')
        return Score(
            value=CORRECT if asked.completion == "yes" else INCORRECT, answer=answer, explanation=asked.completion
        )

    return score


@task
def judged(samples: int = 5) -> Task:
    """As `hello`, graded by a second model in the role `grader`.

    Args:
        samples: Number of samples.
    """
    return Task(dataset=hello(samples).dataset, solver=generate(), scorer=same_by_grader())
