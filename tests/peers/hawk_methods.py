"""Call every method of the Python hawk's HawkClient. Reads {"url", "token", "calls": [[name, args, kwargs]]} from its
input; prints for each call what it returned, or the kind and text of what it raised, as a list in JSON."""

import asyncio
import datetime
import inspect
import json
import pathlib
import sys
import typing

import pydantic
from hawk.client.client import HawkClient


def plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def typed(method: typing.Callable, args: list, kwargs: dict) -> tuple[list, dict]:
    """Arguments as the method takes them."""
    names = list(inspect.signature(method).parameters)
    args = [pathlib.Path(arg) if name == "destination" else arg for name, arg in zip(names, args, strict=False)]
    kwargs = {name: datetime.datetime.fromisoformat(arg) if name == "since" else arg for name, arg in kwargs.items()}
    return args, kwargs


async def call(client: HawkClient, name: str, args: list, kwargs: dict) -> object:
    """What a method returns; of a stream its items."""
    method = getattr(client, name)
    args, kwargs = typed(method, args, kwargs)
    answer = method(*args, **kwargs)
    if inspect.isasyncgen(answer):
        return plain([item async for item in answer])
    return plain(await answer)


async def main() -> None:
    """Call one after the other."""
    task = json.load(sys.stdin)
    answers = []
    async with HawkClient(api_url=task["url"], token=task["token"]) as client:
        for name, args, kwargs in task["calls"]:
            try:
                answers.append({"returned": await call(client, name, args, kwargs)})
            except Exception as error:  # noqa: BLE001  (it is what is compared)
                answers.append({"raised": type(error).__name__, "text": str(error)})
    json.dump(answers, sys.stdout)


asyncio.run(main())
