"""What Inspect finds through the entry point `hawk_examples`."""

from hawk_examples.model import HawkExamplesModel, hawk_examples
from hawk_examples.tasks import (
    agent,
    careful,
    counting_agent,
    failing,
    hello,
    judged,
    needs_secret,
    slow,
    sums,
    wait,
)

__all__ = [
    "HawkExamplesModel",
    "agent",
    "careful",
    "counting_agent",
    "failing",
    "hawk_examples",
    "hello",
    "judged",
    "needs_secret",
    "slow",
    "sums",
    "wait",
]
