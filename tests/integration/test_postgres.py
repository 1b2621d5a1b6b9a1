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
    "test_importer_warehouse",
    "test_queries_warehouse",
    "test_import_queue_warehouse",
    "test_jobs_jobs",
    "test_survive_jobs",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_unit_tests_hold_on_postgresql(postgresql, program):
    env = {**os.environ, "HAWK_TEST_POSTGRES": postgresql.url()}
    done = subprocess.run([BUILD / "tests/unit" / program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
