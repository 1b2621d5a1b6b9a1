"""Scans: Inspect Scout reads the transcripts of eval sets, once for each model of the config.

Each of these is a folder `scan_id=<id>` of the scan's results. A scan that is tried again goes on with those that are not
complete, and begins those that are not there. What has been done of one lies in `.scanbuffer`, in the folder of the job.
"""

import asyncio
import functools
import json
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import inspect_scout
from inspect_ai._util.registry import registry_lookup
from inspect_ai.model import GenerateConfig, Model
from inspect_ai.model._model import init_active_model
from inspect_scout import Column, Condition, Scanner, ScannerWork, Status, Transcripts
from inspect_scout import _scan as scout
from inspect_scout._scanner.scanner import scanner_create
from inspect_scout._scanresults import scan_status_async

from hawk_worker import build
from hawk_worker.report import logger

Json = dict[str, Any]

BUFFER = Path(".scanbuffer")

COMPARISONS: dict[str, Callable[[Column, Any], Condition]] = {
    "like": Column.like,
    "ilike": Column.ilike,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "between": lambda column, bounds: column.between(*bounds),
}
"""What a condition's one key means."""


def _condition_of(name: str, value: Any) -> Condition:
    column = Column(name)
    if value is None:
        return column.is_null()
    if isinstance(value, list):
        return column.in_(value)
    if not isinstance(value, dict):
        return column == value
    if "operator" in value:
        compare = getattr(column, value["operator"], None)
        condition = compare(*value["args"]) if callable(compare) else None
        if not isinstance(condition, Condition):
            raise build.LoadError(f"filter of {name}: Scout's columns have no operator {value['operator']!r}")
        return condition
    ((key, bound),) = value.items()
    return COMPARISONS[key](column, bound)


def _all_of(conditions: list[Condition]) -> Condition:
    return functools.reduce(operator.and_, conditions)


def condition(item: Json) -> Condition:
    """One item of `where`: fields that must all match, or `not`, or `or` with a list."""
    if isinstance(item.get("not"), list):
        return ~_all_of([condition(inner) for inner in item["not"]])
    if isinstance(item.get("or"), list):
        return functools.reduce(operator.or_, [condition(inner) for inner in item["or"]])
    if not item:
        raise build.LoadError("a condition of `where` is empty")
    return _all_of([_condition_of(name, value) for name, value in item.items()])


def _filtered(transcripts: Transcripts, chosen: Json | None) -> Transcripts:
    chosen = chosen or {}
    if chosen.get("where"):
        transcripts = transcripts.where(_all_of([condition(item) for item in chosen["where"]]))
    if chosen.get("limit") is not None:
        transcripts = transcripts.limit(chosen["limit"])
    if chosen.get("shuffle") is not None:
        transcripts = transcripts.shuffle(chosen["shuffle"])
    return transcripts


def _scanner(name: str, item: Json, model: Model | None) -> Scanner[Any]:
    """A scanner; one that asks for the model while it is made gets this one."""
    if model is not None:
        init_active_model(model, model.config)
    registered = registry_lookup("scanner", name)
    if registered is None:
        raise LookupError(f"there is no scanner named {name}")
    build.check_args("scanner", name, registered, item.get("args") or {})
    return scanner_create(name, item.get("args") or {})


def _interruptions() -> list[str]:
    """A list that gets the reasons for which Scout breaks a scan off, which it only shows otherwise."""
    reasons: list[str] = []
    plain = getattr(scout, "handle_scan_interrupted", None)

    async def remembered(why: str | Exception, *rest: Any) -> Status:
        reasons.append(str(why))
        return await plain(why, *rest)

    if plain:
        scout.handle_scan_interrupted = remembered
    return reasons


class Scans:
    """The scans of one job.

    Args:
        user: The job's config.
        infra: What the deployment adds: the folders of the transcripts and of the results.

    Raises:
        LoadError, LookupError, ImportError, TypeError: the config cannot work.
    """

    def __init__(self, user: Json, infra: Json) -> None:
        self.user, self.infra = user, infra
        self.results = infra["results_dir"].rstrip("/")
        self.roles = build.model_roles(user)
        self.models: list[Model | None] = list(build.models(user, GenerateConfig())) or [None]
        self.items = [(item.get("key") or item["name"], name, item) for name, item in build.items(user["scanners"])]
        self.scanners = [
            {key: _scanner(name, item, model) for key, name, item in self.items} for model in self.models
        ]

    def _transcripts(self, chosen: Json | None) -> Transcripts:
        return _filtered(inspect_scout.transcripts_from(list(self.infra["transcripts"])), chosen)

    def _work(self) -> tuple[Transcripts, list[ScannerWork] | None]:
        """The transcripts of all scanners, or of each, when one has a filter of its own."""
        common = self.user["transcripts"].get("filter")
        if not any(item.get("filter") for _, _, item in self.items):
            return self._transcripts(common), None
        work = [
            ScannerWork(scanner=key, transcripts=self._transcripts(item.get("filter") or common))
            for key, _, item in self.items
        ]
        return self._transcripts(None), work

    def _metadata(self) -> Json:
        named = {"name": self.user["name"]} if self.user.get("name") else {}
        return (
            (self.user.get("metadata") or {}) | named | (self.infra.get("metadata") or {}) | {"job_id": self.infra["job_id"]}
        )

    def _known(self) -> dict[str | None, list[str]]:
        """The scans that are there, by the name of their model, oldest first."""
        fs, path = fsspec.url_to_fs(self.results)
        found = []
        for file in fs.glob(f"{path}/scan_id=*/_scan.json"):
            spec = json.loads(fs.cat_file(file))
            model = spec.get("model") or {}
            found.append((spec["timestamp"], model.get("model"), f"{self.results}/{file.split('/')[-2]}"))
        known: dict[str | None, list[str]] = {}
        for _, model_name, folder in sorted(found, key=lambda one: one[0]):
            known.setdefault(model_name, []).append(folder)
        return known

    async def _begin(self, scanners: dict[str, Scanner[Any]], model: Model | None) -> Status:
        transcripts, worklist = self._work()
        return await scout.scan_async(
            scanners=scanners,
            scans=self.results,
            transcripts=transcripts,
            worklist=worklist,
            model=model,
            model_roles=dict(self.roles) or None,
            tags=[*(self.user.get("tags") or []), *(self.infra.get("tags") or [])] or None,
            metadata=self._metadata(),
            log_level=self.infra.get("log_level"),
            max_transcripts=self.user.get("max_transcripts"),
            max_processes=self.user.get("max_processes"),
        )

    async def _go_on(self, folder: str, model: Model | None) -> Status:
        status = await scan_status_async(folder)
        if status.complete:
            return status
        # Scout would make the models anew from its record, which does not have all their arguments.
        if model is not None:
            scout.model_config_to_model = lambda _: model
        if self.roles:
            scout.model_roles_config_to_model_roles = lambda _: dict(self.roles)
        logger.info(f"going on with {folder.rsplit('/', 1)[-1]}")
        return await scout.scan_resume_async(folder, log_level=self.infra.get("log_level"))

    async def _run(self) -> list[Status]:
        known = self._known()
        statuses = []
        for scanners, model in zip(self.scanners, self.models):
            # One after the other: Scout runs one scan at a time.
            folders = known.get(str(model) if model is not None else None, [])
            statuses.append(await (self._go_on(folders.pop(0), model) if folders else self._begin(scanners, model)))
            if not statuses[-1].complete and not statuses[-1].errors:
                break  # it was interrupted
        return statuses

    def run(self) -> str | None:
        """Runs what is not complete; returns what went wrong in one sentence, or None.

        Raises:
            KeyboardInterrupt: it was cancelled; what has been done is kept.
        """
        interruptions = _interruptions()
        os.environ.setdefault("SCOUT_DISPLAY", "log")
        os.environ["SCOUT_SCANBUFFER_DIR"] = str(BUFFER.absolute())
        statuses = asyncio.run(self._run())
        errors = [error for status in statuses for error in status.errors]
        if errors:
            return f"{len(errors)} of the scans of transcripts failed: {errors[0].error}"
        if not all(status.complete for status in statuses):
            return ": ".join(["the scan was not completed", *interruptions[:1]])
        return None
