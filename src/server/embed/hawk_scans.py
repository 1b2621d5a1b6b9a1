"""Results of scans, which lie in Parquet files, in other forms: hawk_scans.py rows FOLDER | csv FILE | parquet FILE.

rows: lines of JSON for the warehouse. The first is {"scan": ...} of `_scan.json` and `_errors.jsonl`, then one for each
result (a scanner that gave a list made several), at the end {"rows": N}, without which it was broken off.
csv, parquet: the file without the columns that hold whole transcripts.
Memory is bounded by a batch. Ends with 1 and a line on standard error when something cannot be read.
"""

import json
import math
import sys
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

BATCH_ROWS = 1024
ERRORS_MAX = 100  # of a scan, as texts
TEXT_MAX = 1 << 20  # characters of a text; more are cut
WHOLE = {"input", "scan_events"}
TIMES = ("transcript_date", "timestamp")
TEXTS = ("transcript_task_set", "transcript_task_id", "scanner_version", "scanner_package_version", "label", "answer")
COLUMNS = [
    "transcript_id", "transcript_source_type", "transcript_source_id", "transcript_source_uri", "transcript_date",
    "transcript_task_set", "transcript_task_id", "transcript_task_repeat", "scanner_key", "scanner_name", "scanner_version",
    "scanner_package_version", "scanner_file", "scanner_params", "input_type", "input_ids", "uuid", "label", "value",
    "value_type", "answer", "explanation", "metadata", "timestamp", "scan_tags", "scan_total_tokens", "scan_model_usage",
    "scan_error", "scan_error_traceback", "scan_error_type", "validation_target", "validation_result", "message_references",
    "event_references",
]  # fmt: skip
JSON_COLUMNS = {
    "scanner_params", "input_ids", "metadata", "scan_tags", "scan_model_usage", "validation_result", "message_references",
    "event_references",
}  # fmt: skip


def clean(value):
    """A value that databases take: no zero bytes, no numbers that JSON does not have, no endless texts."""
    if isinstance(value, str):
        return value.replace("\0", "")[:TEXT_MAX]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


def type_of(value) -> str:
    """The name that Scout has for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    names = {int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def typed(value, kind: str):
    """A value as it was: a column of mixed types has texts for all of them."""
    if not isinstance(value, str) or kind == "string":
        return value
    if kind == "boolean":
        return value.lower() == "true"
    if kind == "number":
        number = float(value)
        return int(number) if number.is_integer() and "." not in value else number
    return json.loads(value)


def one_result(row: dict, result: dict) -> dict:
    """A row for one result of a list. What the scan cost stays with the first one."""
    value = result.get("value")
    references = result.get("references") or []
    return row | {
        "uuid": result.get("uuid"),
        "label": result.get("label"),
        "value": value,
        "value_type": result.get("type") or type_of(value),
        "answer": result.get("answer"),
        "explanation": result.get("explanation"),
        "metadata": result.get("metadata") or {},
        "message_references": [one for one in references if one.get("type") == "message"],
        "event_references": [one for one in references if one.get("type") == "event"],
    }


def instant(text: str | None) -> str | None:
    """A time in the one form that is read."""
    if not text:
        return None
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def results_of(row: dict):
    """The results of a row of the file."""
    for name in TIMES:
        row[name] = instant(row.get(name))
    for name in TEXTS:
        row[name] = None if row.get(name) is None else str(row[name])
    for name in JSON_COLUMNS & row.keys():
        if isinstance(row[name], str):
            row[name] = json.loads(row[name])
    kind = row.get("value_type") or "null"
    if kind != "resultset":
        yield row | {"value": typed(row.get("value"), kind)}
        return
    for number, result in enumerate(json.loads(row["value"]) if row.get("value") else []):
        made = one_result(row, result)
        if number > 0:
            made |= {"scan_total_tokens": 0, "scan_model_usage": None}
        yield made


def batches(path: Path, wanted: list[str]):
    """The file's rows with the wanted columns, in batches."""
    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name in wanted]
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names)


def scan_of(folder: Path) -> dict:
    """What the scan says of itself."""
    spec = json.loads((folder / "_scan.json").read_bytes())
    lines = (folder / "_errors.jsonl").read_text(encoding="utf-8").splitlines() if (folder / "_errors.jsonl").exists() else []
    errors = [json.loads(line).get("error") or "" for line in lines[:ERRORS_MAX] if line.strip()]
    kept = {name: spec.get(name) for name in ("scan_id", "scan_name", "metadata", "model", "model_roles")}
    return kept | {"timestamp": instant(spec.get("timestamp")), "errors": errors or None}


def put(out, line: dict) -> None:
    """Write a line of JSON."""
    out.write(json.dumps(clean(line), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")


def rows(folder: Path, out) -> None:
    """Write the lines of a scan."""
    put(out, {"scan": scan_of(folder)})
    n_rows = 0
    for path in sorted(folder.glob("*.parquet")):
        for batch in batches(path, COLUMNS):
            for row in batch.to_pylist():
                if row.get("scanner_key") != path.stem:
                    raise ValueError(f"{path.name} has results of another scanner, {row.get('scanner_key')!r}")
                for result in results_of(row):
                    value = result["value"]
                    is_number = isinstance(value, (int, float)) and math.isfinite(value)
                    put(out, result | {"value_float": float(value) if is_number else None})
                    n_rows += 1
    put(out, {"rows": n_rows})


def columns_to_show(path: Path) -> list[str]:
    """All but those with whole transcripts."""
    return [name for name in pq.read_schema(path).names if name not in WHOLE]


def csv(path: Path, out) -> None:
    """Write the file as CSV."""
    has_header = True
    for batch in batches(path, columns_to_show(path)):
        buffer = pa.BufferOutputStream()
        pa_csv.write_csv(pa.Table.from_batches([batch]), buffer, pa_csv.WriteOptions(include_header=has_header))
        out.write(buffer.getvalue())
        has_header = False


def parquet(path: Path, out) -> None:
    """Write the file as Parquet."""
    names = columns_to_show(path)
    schema = pa.schema([field for field in pq.read_schema(path) if field.name in names])
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
        for batch in batches(path, names):
            writer.write_batch(batch)
    out.write(buffer.getvalue())


FORMS = {"rows": rows, "csv": csv, "parquet": parquet}


def main() -> int:
    """Return the exit status."""
    try:
        FORMS[sys.argv[1]](Path(sys.argv[2]), sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except (ValueError, LookupError, TypeError, AttributeError, OSError, pa.ArrowException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
