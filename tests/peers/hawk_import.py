"""Run by the peer's Python: imports the logs and results of scans that standard input names, each a line DATABASE LOCATION,
as its own jobs do it.

Prints a line of JSON for each log, with the seconds it took, by the clock and of the processor, and one with the most memory held.
"""

import asyncio
import json
import logging
import os
import resource
import sys
import time

os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
logging.disable(logging.ERROR)

from hawk.core.importer.eval import importer  # noqa: E402
from hawk.core.importer.scan import importer as scan_importer  # noqa: E402


async def import_one(database: str, location: str) -> dict:
    """Import a log; return what came of it."""
    begun, cpu_begun = time.perf_counter(), time.process_time()
    error, result = None, None
    try:
        if "/scan_id=" in location:
            result = {"scan_id": await scan_importer.import_scan(location, database)}
        else:
            (answer,) = await importer.import_eval(database, location)
            result = json.loads(answer.model_dump_json())
    except Exception as problem:  # noqa: BLE001 - whatever it is, the log is not imported
        error = f"{type(problem).__name__}: {problem}"[:1000]
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    return {"location": location, "seconds": seconds, "cpu_seconds": cpu_seconds, "error": error, "result": result}


async def main() -> None:
    """Import them all in one event loop."""
    for line in sys.stdin:
        print(json.dumps(await import_one(*line.rstrip("\n").split(" ", 1))), flush=True)


asyncio.run(main())
print(json.dumps({"max_kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}), flush=True)
