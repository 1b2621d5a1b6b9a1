"""Scanners: one looks for a pattern, one asks a model, one shows that secrets are hidden."""

import os
import re

from inspect_scout import Result, Scanner, Transcript, llm_scanner, scanner


@scanner(messages="all")
def mentions(pattern: str = "hello", fail_on: str | None = None) -> Scanner[Transcript]:
    """How often a pattern occurs in the messages of a transcript.

    Args:
        pattern: A regular expression; case does not matter.
        fail_on: Raise an error where this text occurs, to see what a scanner that fails looks like.
    """

    async def scan(transcript: Transcript) -> Result:
        texts = [message.text for message in transcript.messages]
        if fail_on and any(fail_on in text for text in texts):
            raise ValueError(f"found {fail_on}")
        found = [text for text in texts if re.search(pattern, text, re.IGNORECASE)]
        return Result(value=len(found), explanation="\n".join(found) or None)

    return scan


@scanner(messages="all")
def polite() -> Scanner[Transcript]:
    """Whether the assistant was polite, as the model sees it."""
    return llm_scanner(question="Was the assistant polite?", answer="boolean")


@scanner(messages="all")
def variable(name: str, fail: bool = False) -> Scanner[Transcript]:
    """The value of a variable of the environment, to see what becomes of secrets.

    Args:
        name: Name of the variable.
        fail: Raise an error with the value instead.
    """

    async def scan(transcript: Transcript) -> Result:
        if fail:
            raise ValueError(os.environ[name])
        return Result(value=os.environ[name], metadata={"value": os.environ[name]})

    return scan
