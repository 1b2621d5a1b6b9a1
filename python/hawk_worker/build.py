"""From names and arguments in the config to Inspect's models, solvers and tasks."""

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import Any

from inspect_ai import Task, task_with
from inspect_ai._util.registry import registry_create, registry_lookup
from inspect_ai.agent import Agent, as_solver
from inspect_ai.dataset import Dataset
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.solver import Solver

LOADERS = 8
"""Tasks of different names that load at the same time."""

Json = dict[str, Any]


class LoadError(Exception):
    """The config cannot work, however often it is tried."""


def load_package(name: str) -> None:
    """Imports what a package registers with Inspect, so that an import error is seen and not only logged.

    Raises:
        ImportError: as the package does, or when it has no such entry point.
    """
    found = [entry for entry in entry_points(group="inspect_ai") if entry.name == name]
    if not found:
        known = sorted({entry.name for entry in entry_points(group="inspect_ai")})
        raise ImportError(
            f"no installed package has the entry point {name!r} in group 'inspect_ai'"
            + (f"; there is {', '.join(known)}" if known else "")
        )
    for entry in found:
        entry.load()


def items(groups: list[Json] | None) -> Iterator[tuple[str, Json]]:
    """Each item with its qualified name; the package's entry point has been loaded."""
    for group in groups or []:
        package = group.get("name")
        if package:
            load_package(package)
        for item in group["items"]:
            yield (f"{package}/{item['name']}" if package else item["name"]), item


def _create(kind: str, name: str, args: Json | None) -> Any:
    """An object of the registry, made with the config's arguments.

    Raises:
        LookupError: there is no such object.
        TypeError: it does not take these arguments.
    """
    registered = registry_lookup(kind, name)  # type: ignore[arg-type]
    if registered is None:
        raise LookupError(f"there is no {kind} named {name}")
    check_args(kind, name, registered, args or {})
    return registry_create(kind, name, **(args or {}))  # type: ignore[call-overload]


def check_args(kind: str, name: str, registered: Any, args: Json) -> None:
    """Names an argument that the function does not have; Inspect would drop it in silence."""
    parameters = inspect.signature(registered).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    unknown = [arg for arg in args if arg not in parameters]
    if unknown:
        takes = ", ".join(parameters) or "no arguments"
        raise TypeError(f"{kind} {name} has no argument {unknown[0]!r}; it takes {takes}")


def _model(name: str, item: Json, base: GenerateConfig | None = None) -> Model:
    args = dict(item.get("args") or {})
    config = args.pop("config", None)
    args.pop("api_key", None)
    known = {key: args.pop(key, None) for key in ("role", "default", "base_url")}
    memoize = args.pop("memoize", True)
    try:
        return get_model(
            name,
            config=(base or GenerateConfig()).merge(GenerateConfig(**(config or {}))),
            memoize=memoize,
            **{key: value for key, value in known.items() if value is not None},
            **args,
        )
    except ValueError as error:
        raise LoadError(f"model {name}: {error}") from error


def models(config: Json, base: GenerateConfig) -> list[Model]:
    """The models of the config, in its order.

    Args:
        config: The job's config.
        base: Settings of the whole eval set, which Inspect too notes with models it makes itself.

    Raises:
        LoadError: a provider or an argument is not known, or a key is missing.
    """
    return [_model(name, item, base) for name, item in items(config.get("models"))]


def model_roles(config: Json) -> dict[str, Model]:
    """The model of each role."""
    roles = config.get("model_roles") or {}
    return {role: _model(name, item) for role, group in roles.items() for name, item in items([group])}


def solvers(config: Json) -> list[Solver]:
    """The solvers of the config, then its agents as solvers."""
    made: list[Solver] = [_create("solver", name, item.get("args")) for name, item in items(config.get("solvers"))]
    for name, item in items(config.get("agents")):
        agent: Agent = _create("agent", name, item.get("args"))
        made.append(as_solver(agent))
    return made


def _slice(dataset: Dataset, wanted: list[str | int], task: str) -> Dataset:
    """The samples with these ids; samples without one are numbered from 1, as Inspect does.

    Raises:
        LookupError: an id is not in the dataset.
    """
    for i, sample in enumerate(dataset):
        if sample.id is None:
            sample.id = i + 1
    ids = {str(id) for id in wanted}
    missing = ids - {str(sample.id) for sample in dataset}
    if missing:
        raise LookupError(f"task {task} has no sample {', '.join(sorted(missing))}")
    return dataset.filter(lambda sample: str(sample.id) in ids)


def _tasks_of_one(name: str, item: Json, solvers: list[Solver], models: list[Model]) -> list[Task]:
    """One task for each solver and model. The task is made anew each time, since task_with changes its argument."""
    made = []
    for solver in solvers or [None]:
        for model in models or [None]:
            task: Task = _create("task", name, item.get("args"))
            changes: Json = {}
            if item.get("sample_ids"):
                changes["dataset"] = _slice(task.dataset, item["sample_ids"], name)
            if solver is not None:
                changes["solver"] = solver
            if model is not None:
                changes["model"] = model
            made.append(task_with(task, **changes) if changes else task)
    return made


def tasks(config: Json, solvers: list[Solver], models: list[Model]) -> list[Task]:
    """Tasks x solvers x models, in the order of the config. Tasks of one name are loaded one after the other, for two
    that fill the same cache would be in each other's way.

    Raises:
        LookupError: there is no such task or sample.
        TypeError: a task does not take these arguments.
    """
    wanted = list(items(config["tasks"]))
    names = list(dict.fromkeys(name for name, _ in wanted))

    def load(name: str) -> list[list[Task]]:
        return [_tasks_of_one(name, item, solvers, models) for other, item in wanted if other == name]

    if len(names) == 1:
        loaded = {names[0]: load(names[0])}
    else:
        with ThreadPoolExecutor(LOADERS) as pool:
            loaded = dict(zip(names, pool.map(load, names)))
    return [task for name, _ in wanted for task in loaded[name].pop(0)]
