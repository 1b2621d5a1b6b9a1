"""Make a Parquet file of a feed of rows: hawk_frames.py < feed > file.parquet.

The feed is what hawk writes as FRAME_FEED: a line {"columns": [[name, kind], ...]}, a JSON array per row, and at the end a
line {"rows": N}, without which it was broken off. Ends with 1 and a line on standard error when the feed is not whole.
Memory is bounded by a row group.
"""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_MAX = 65536  # of a row group
BYTES_MAX = 32 << 20  # of the feed's text in a row group
KINDS = {
    "none": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "real": pa.float64(),
    "text": pa.large_string(),
    "time": pa.timestamp("us", tz="UTC"),
}


class Out:
    """A file for pyarrow that may be a pipe: it wants to know where it is."""

    closed = False

    def __init__(self, raw):
        self.raw = raw
        self.position = 0

    def write(self, data) -> int:
        """Write all of the data."""
        self.raw.write(data)
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how much has been written."""
        return self.position

    def flush(self) -> None:
        """Pass on what is buffered."""
        self.raw.flush()

    def close(self) -> None:
        """Leave the file open: it is not ours."""
        self.flush()

    def readable(self) -> bool:
        """Say no."""
        return False

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say no."""
        return False


def convert(feed, out) -> None:
    """Write the rows of the feed; raise ValueError when it is broken off."""
    head = json.loads(feed.readline() or b"{}")
    if "columns" not in head:
        raise ValueError("the feed has no columns")
    schema = pa.schema([pa.field(name, KINDS[kind]) for name, kind in head["columns"]])
    n_rows, n_bytes, rows, end = 0, 0, [], None
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:

        def flush() -> None:
            arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema), row_group_size=ROWS_MAX)
            rows.clear()

        for line in feed:
            if line.startswith(b"{"):
                end = json.loads(line)
                break
            rows.append(json.loads(line))
            n_rows, n_bytes = n_rows + 1, n_bytes + len(line)
            if len(rows) == ROWS_MAX or n_bytes >= BYTES_MAX:
                flush()
                n_bytes = 0
        if end is None or end.get("rows") != n_rows:
            raise ValueError(f"the feed was broken off after {n_rows} rows")
        if rows:
            flush()


def main() -> int:
    """Convert standard input; return the exit status."""
    try:
        convert(sys.stdin.buffer, Out(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    except (ValueError, OSError, pa.ArrowException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
