"""The tests of the database face and of the warehouse, unchanged, on a real PostgreSQL of their own."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))


def run_as(user: str | None, *args: object) -> None:
    """Run a program as a user; PostgreSQL refuses root."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, user=user, cwd="/", timeout=120)
    assert done.returncode == 0, f"{args[0]}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def url():
    """The address of an empty database on a server that ends with the tests."""
    if not PROGRAMS:
        pytest.skip("no PostgreSQL is installed")
    user = None
    if os.getuid() == 0:
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root and there is no user postgres")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-pg-"))
    if user:
        shutil.chown(folder, user)
    folder.chmod(0o755)
    programs, data = PROGRAMS[-1], folder / "data"
    run_as(user, programs / "initdb", "-D", data, "-U", "hawk", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c unix_socket_permissions=0777"
    run_as(user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://hawk@/postgres?host={folder}"
    finally:
        run_as(user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.parametrize("program", ["test_sql_sql", "test_importer_warehouse", "test_queries_warehouse"])
def test_the_unit_tests_hold_on_postgresql(url, program):
    env = {**os.environ, "HAWK_TEST_POSTGRES": url}
    done = subprocess.run([BUILD / "tests/unit" / program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
