"""Edits samples of a finished eval log: scores, invalidations, events. The changes are made by Inspect's own functions.

Started by the runner as `python -m hawk_worker edit EDITS LOG NEW_LOG`. EDITS has one edit a line:

    {"request_uuid", "author", "sample_uuid", "epoch", "sample_id", "location", "details", "request_timestamp"}

NEW_LOG is written only when the log does not hold all of the edits yet: each leaves the request's uuid in the log, in
its provenance or in the metadata of its event, so that doing it again changes nothing.
"""

import json
import tempfile
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import shortuuid
from inspect_ai._util.json import to_json_safe
from inspect_ai.event import Event, InfoEvent, ScoreEvent
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    EvalSampleSummary,
    ProvenanceData,
    edit_score,
    invalidate_samples,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
    recompute_metrics,
    uninvalidate_samples,
    write_eval_log,
)
from inspect_ai.scorer import Score
from inspect_ai.scorer._metric import ScoreEdit
from pydantic import ValidationError

from hawk_worker.archive import merge

Json = dict[str, Any]

LARGE = {"messages", "events", "events_data", "timelines", "attachments", "store", "output"}
"""Fields of a sample that no metric looks at."""

JOURNAL = "_journal/summaries/"


class EditError(Exception):
    """The edits cannot be applied to this log, however often it is tried."""


def _mark(line: Json) -> Json:
    return {"request_uuid": line["request_uuid"]}


def _provenance(line: Json) -> ProvenanceData:
    return ProvenanceData(
        timestamp=line["request_timestamp"],
        author=line["author"],
        reason=line["details"].get("reason"),
        metadata=_mark(line),
    )


def _is_of(line: Json, provenance: ProvenanceData | None) -> bool:
    return provenance is not None and provenance.metadata.get("request_uuid") == line["request_uuid"]


def _member(summary: EvalSampleSummary) -> str:
    """The name that a sample has in an archive."""
    return f"samples/{summary.id}_epoch_{summary.epoch}.json"


class LogEditor:
    """A log with as many of its samples as its edits need."""

    def __init__(self, path: Path, lines: list[Json]):
        self.path = path
        self.log = read_eval_log(str(path), header_only=True)
        if self.log.status == "started":
            raise EditError("the log was never finished: resume its eval set, then send the edits again")
        self.summaries = read_eval_log_sample_summaries(str(path))
        self.edited = {line["sample_uuid"]: self._find(line) for line in lines}
        self._check_members()
        self.needs_metrics = False
        self.note = ""
        kinds = {line["details"]["type"] for line in lines}
        if kinds & {"score_edit", "uninvalidate_sample"}:
            self._read_all()
        else:
            self.log.samples = [self._read(summary) for summary in self.edited.values()]

    def _find(self, line: Json) -> EvalSampleSummary:
        """The sample that an edit means."""
        for summary in self.summaries:
            if summary.uuid == line["sample_uuid"]:
                return summary
        raise EditError(f"sample {line['sample_uuid']} is not in the log")

    def _check_members(self) -> None:
        with ZipFile(self.path) as archive:
            for uuid, summary in self.edited.items():
                if _member(summary) not in archive.NameToInfo:
                    raise EditError(f"sample {uuid} is kept in parts, which Inspect cannot edit")

    def _read(self, summary: EvalSampleSummary, without: set[str] | None = None) -> EvalSample:
        return read_eval_log_sample(str(self.path), summary.id, summary.epoch, exclude_fields=without)

    def _read_all(self) -> None:
        """The samples that are edited as they are, all others as far as metrics look at them."""
        if "exclude_fields" in signature(read_eval_log).parameters:
            self.log = read_eval_log(str(self.path), exclude_fields=LARGE)
        else:
            self.log.samples = [self._read(summary, LARGE) for summary in self.summaries]
        keys = {(summary.id, summary.epoch): summary for summary in self.edited.values()}
        self.log.samples = [
            self._read(keys[sample.id, sample.epoch]) if (sample.id, sample.epoch) in keys else sample
            for sample in self.log.samples or []
        ]

    def sample(self, line: Json) -> EvalSample:
        """The sample that an edit means."""
        summary = self.edited[line["sample_uuid"]]
        return next(
            sample for sample in self.log.samples or [] if (sample.id, sample.epoch) == (summary.id, summary.epoch)
        )

    def write(self, target: Path) -> None:
        """Writes the log with the edits to a new file."""
        if self.needs_metrics:
            self._recompute()
        keys = {(summary.id, summary.epoch) for summary in self.edited.values()}
        samples = [sample for sample in self.log.samples or [] if (sample.id, sample.epoch) in keys]
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / "part.eval"
            write_eval_log(self.log.model_copy(update={"samples": samples}), str(part))
            taken = [*map(_member, self.edited.values()), "header.json"]
            if self.log.reductions is not None:
                taken.append("reductions.json")
            new = {(summary.id, summary.epoch): summary for summary in read_eval_log_sample_summaries(str(part))}
            summaries = to_json_safe([new.get((old.id, old.epoch), old) for old in self.summaries])
            texts = {f"{JOURNAL}1.json": summaries, "summaries.json": summaries}
            merge(self.path, part, target, taken, texts, JOURNAL)
        self._check(target)

    def _check(self, target: Path) -> None:
        """What was written must be what Inspect can read, for it takes the place of the log."""
        read_eval_log(str(target), header_only=True)
        for uuid, summary in self.edited.items():
            try:
                read_eval_log_sample(str(target), summary.id, summary.epoch)
            except ValidationError as error:
                target.unlink()
                raise EditError(f"sample {uuid} could not be read any more: {error}") from error

    def _recompute(self) -> None:
        """As Inspect does after an edit. Metrics of packages that are not installed here stay as they are."""
        # Inspect would run the task's file, if there is one at this path, to find its metrics.
        task_file, self.log.eval.task_file = self.log.eval.task_file, None
        try:
            recompute_metrics(self.log)
        except LookupError as error:
            self.note = f"the metrics stay as they were: {error}"
        finally:
            self.log.eval.task_file = task_file


def _score_edit(editor: LogEditor, line: Json, _index: int) -> bool:
    details, sample = line["details"], editor.sample(line)
    score = (sample.scores or {}).get(details["scorer"])
    if score and any(_is_of(line, edit.provenance) for edit in score.history):
        return False
    fields = {name: details[name] for name in ("value", "answer", "explanation", "metadata")}
    edit = ScoreEdit(**fields, provenance=_provenance(line))
    try:
        edit_score(editor.log, sample.id, details["scorer"], edit, recompute_metrics=False, epoch=sample.epoch)
    except ValueError as error:
        raise EditError(f"sample {line['sample_uuid']}: {error}") from error
    editor.needs_metrics = True
    return True


def _invalidate(editor: LogEditor, line: Json, _index: int) -> bool:
    if editor.sample(line).invalidation is not None:
        return False
    editor.log = invalidate_samples(editor.log, [line["sample_uuid"]], _provenance(line))
    return True


def _uninvalidate(editor: LogEditor, line: Json, _index: int) -> bool:
    if editor.sample(line).invalidation is None:
        return False
    editor.log = uninvalidate_samples(editor.log, [line["sample_uuid"]])
    return True


def _append(editor: LogEditor, line: Json, index: int, make: Callable[..., Event]) -> bool:
    """Adds an event behind the others. Its uuid is made of the request's and the number of the edit."""
    sample = editor.sample(line)
    uuid = shortuuid.uuid(f"{line['request_uuid']}/{index}")
    if any(event.uuid == uuid for event in sample.events):
        return False
    working_start = sample.events[-1].working_start if sample.events else 0.0
    metadata = {**_mark(line), "author": line["author"]}
    sample.events.append(
        make(uuid=uuid, timestamp=line["request_timestamp"], working_start=working_start, metadata=metadata)
    )
    return True


def _append_info(editor: LogEditor, line: Json, index: int) -> bool:
    details = line["details"]
    return _append(
        editor, line, index, lambda **more: InfoEvent(source=details["source"], data=details["data"], **more)
    )


def _append_score(editor: LogEditor, line: Json, index: int) -> bool:
    details = line["details"]
    more: Json = {"intermediate": details["intermediate"], "target": editor.sample(line).target}
    if "scorer" in ScoreEvent.model_fields:
        more["scorer"] = details["scorer"]

    def make(metadata: Json, **common: Any) -> ScoreEvent:
        score = Score.model_validate(details["score"])
        return ScoreEvent(score=score, metadata={**metadata, "scorer": details["scorer"]}, **more, **common)

    return _append(editor, line, index, make)


KINDS: dict[str, Callable[[LogEditor, Json, int], bool]] = {
    "score_edit": _score_edit,
    "invalidate_sample": _invalidate,
    "uninvalidate_sample": _uninvalidate,
    "append_info_event": _append_info,
    "append_score_event": _append_score,
}
"""What to do for each type of edit; they return whether they changed anything."""


def apply(edits: Path, log: Path, target: Path) -> str:
    """Applies all edits or none; returns in words what there is to say about it.

    Raises:
        EditError: one of them cannot be applied.
    """
    try:
        lines = [json.loads(line) for line in edits.read_text(encoding="utf-8").splitlines()]
        editor = LogEditor(log, lines)
        changes = [KINDS[line["details"]["type"]](editor, line, index) for index, line in enumerate(lines)]
        if any(changes):
            editor.write(target)
    except (EditError, OSError, MemoryError):
        raise
    except Exception as error:
        # The files are copies that nobody else has, so the next time would be like this one.
        raise EditError(f"{type(error).__name__}: {error}") from error
    return editor.note
