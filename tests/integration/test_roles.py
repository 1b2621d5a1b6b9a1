"""Roles of PostgreSQL that somebody else makes than the server."""

import json
import re

import pytest

MODELS = "- {name: a, group: model-access-a}\n- {name: b, group: model-access-b}\n"


@pytest.fixture(scope="module")
def owned(postgresql):
    """A database of a role that may not make roles."""
    postgresql.run("CREATE ROLE small LOGIN; CREATE ROLE looker LOGIN; CREATE ROLE as_server LOGIN; GRANT small TO as_server;")
    postgresql.run("CREATE DATABASE owned OWNER small")
    return postgresql


def url(server, role: str) -> str:
    """The address of the database for a role."""
    return server.url("owned").replace("//hawk@", f"//{role}@")


def warnings(home) -> dict[str, dict]:
    """What the running server has warned of, by event."""
    lines = [json.loads(line) for line in home.server_output().splitlines() if line.startswith("{")]
    return {line["event"]: line for line in lines if line["level"] == "warn"}


def test_all_roles_that_are_missing_are_told_at_once_with_what_makes_them(home, owned):
    """The statements that a server says are enough for the next one."""
    home.env.update(HAWK_API_DATABASE_URL=url(owned, "small"), HAWK_API_MODELS_FILE=str(home.home / "models.yaml"))
    (home.home / "models.yaml").write_text(MODELS)
    said = home.run("serve", "--port", "0", check=False)
    assert said.returncode == 4 and "small may not make them" in said.stderr
    create, grant = re.search(r"database: (CREATE ROLE .*;) (GRANT hawk_caller TO small;)", said.stderr).groups()
    owned.run(create)
    said = home.run("serve", "--port", "0", check=False)
    assert "the role hawk_caller is there, but not granted to small" in said.stderr and grant in said.stderr
    owned.run(grant)
    home.start("--log-json")
    told = warnings(home)["row_security.roles"]
    home.stop()
    assert told["groups"] == "model-access-a model-access-b"
    owned.run(told["fix"])
    (home.home / "server.out").unlink()
    home.start("--log-json")
    assert "row_security.roles" not in warnings(home)


@pytest.mark.parametrize(("role", "words"), [("hawk", "too strong"), ("small", "the server's own role"), ("as_server", "the server's own role"),
                                             ("nobody_at_all", "nobody_at_all")])
def test_statements_of_users_are_not_run_by_a_role_that_may_more_than_read(home, owned, role, words):
    """The server does not start with it."""
    home.env.update(HAWK_API_DATABASE_URL=url(owned, "small"), HAWK_API_READER_DATABASE_URL=url(owned, role))
    said = home.run("serve", "--port", "0", "--adopt-database", check=False)
    assert said.returncode != 0 and "HAWK_API_READER_DATABASE_URL" in said.stderr and words in said.stderr


def test_rows_that_are_hidden_from_statements_are_told(home, owned):
    """At the start and with the answer, until the role may see them."""
    home.env.update(HAWK_API_DATABASE_URL=url(owned, "small"), HAWK_API_READER_DATABASE_URL=url(owned, "looker"))
    home.start("--log-json", "--adopt-database")
    owned.run("GRANT SELECT ON eval TO looker", "owned")
    assert "GRANT rls_bypass TO looker" in warnings(home)["sql.rows_hidden"]["what"]
    done = home.run("sql", "SELECT count(*) FROM eval")
    assert "row security hides everything from looker" in done.stderr
    owned.run("GRANT rls_bypass TO looker")
    assert home.run("sql", "SELECT count(*) FROM eval").stderr == ""


def test_columns_of_one_name_are_all_members(home, owned):
    """A number behind the name tells them apart, as many as PostgreSQL gives."""
    home.env.update(HAWK_API_DATABASE_URL=url(owned, "small"), HAWK_API_READER_DATABASE_URL=url(owned, "looker"))
    home.start("--adopt-database")
    statement = "SELECT 0 AS a_3, " + ", ".join(f"{i} AS a" for i in range(1500))
    row = json.loads(home.run("sql", statement, "--format", "ndjson").stdout)
    assert list(row.values()) == [0, *range(1500)]
    assert list(row)[:4] == ["a_3", "a", "a_2", "a_4"] and list(row)[-1] == "a_1501"


def test_a_server_whose_database_is_away_says_so_while_somebody_still_listens(home, owned):
    """Whoever asks for health has gone after ten seconds."""
    home.env.update(HAWK_API_DATABASE_URL=url(owned, "small"))
    home.start("--adopt-database")
    owned.stop()
    try:
        status, _, body = home.request("GET", "/health", token="", timeout=10)
    finally:
        owned.start()
    assert status == 503 and json.loads(body)["checks"]["database"]["status"] == "error"
