"""The tests of the database face and of the warehouse, unchanged, on a real PostgreSQL of their own."""

import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
PROGRAMS = [
    "test_sql_sql",
    "test_types_sql",
    "test_load_sql",
    "test_untrusted_sql",
    "test_compare_warehouse",
    "test_export_warehouse",
    "test_importer_warehouse",
    "test_queries_warehouse",
    "test_listing_warehouse",
    "test_search_warehouse",
    "test_import_queue_warehouse",
    "test_jobs_jobs",
    "test_models_access",
    "test_survive_jobs",
    "test_edits_edits",
    "test_row_security_server",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_unit_tests_hold_on_postgresql(postgresql, program):
    env = {**os.environ, "HAWK_TEST_POSTGRES": postgresql.url()}
    done = subprocess.run([BUILD / "tests/unit" / program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def await_line(program, beginning):
    """Read what a program prints up to a line that begins so."""
    for line in program.stdout:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"no line {beginning!r}: {program.stderr.read()}")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_server_costs_no_row_and_doubles_none(postgresql, mode):
    postgresql.run("DROP TABLE IF EXISTS ride")
    command = [BUILD / "tests/tools/sql_ride", postgresql.url()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ride:
        for _ in range(3):
            await_line(ride, "done")
            postgresql.stop(mode)
            postgresql.start()
        await_line(ride, "done")
        ride.stdin.close()
        rows = await_line(ride, "rows")
        assert ride.wait(timeout=60) == 0, ride.stderr.read()
    assert rows.split()[1] == postgresql.run("SELECT count(*) FROM ride").strip()
