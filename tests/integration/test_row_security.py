"""What people see who read the database with a role of their own (PostgreSQL)."""

import re

import pytest

from conftest import ROOT

TABLES = ["eval", "sample", "score", "message", "sample_attachment", "sample_model", "model_role", "event", "message_pool", "model_call_pool"]
CONFIG = {
    "tasks": [{"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples", "items": [{"name": "hello", "args": {"samples": 2}}]}],
    "models": [{"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples", "items": [{"name": "steady"}]}],
}
MODELS = "- {name: a, group: model-access-a}\n- {name: b, group: model-access-b}\n"


@pytest.fixture(scope="module")
def database(postgresql, tmp_path_factory, cache):
    """Two eval sets, one for group a and one for groups a and b, in a database that a server has filled."""
    from conftest import Hawk

    home = Hawk(tmp_path_factory.mktemp("rls"), cache)
    models = home.home / "models.yaml"
    models.write_text(MODELS)
    home.env.update(HAWK_API_DATABASE_URL=postgresql.url(), HAWK_API_MODELS_FILE=str(models))
    home.start()
    try:
        for name in ("one", "two"):
            status, _, body = home.request("POST", "/eval_sets/", {"eval_set_config": {**CONFIG, "eval_set_id": name}})
            assert status == 200, body
            home.wait_job(name, 600)
        home.wait_for(lambda: len(home.get("/meta/samples")[1]["items"]) == 4)
    finally:
        home.stop()
    postgresql.run("""
        UPDATE eval SET model_groups = '{model-access-a}' WHERE eval_set_id = 'one';
        UPDATE eval SET model_groups = '{model-access-a,model-access-b}' WHERE eval_set_id = 'two';
        UPDATE job SET model_groups = '{model-access-a}' WHERE job_id = 'one';
        UPDATE job SET model_groups = '{model-access-a,model-access-b}' WHERE job_id = 'two';
        CREATE ROLE nobody_yet LOGIN; GRANT rls_reader TO nobody_yet;
        CREATE ROLE ann LOGIN; GRANT rls_reader, "model-access-a" TO ann;
        CREATE ROLE ben LOGIN; GRANT rls_reader, "model-access-a", "model-access-b" TO ben;
        CREATE ROLE all_groups LOGIN; GRANT rls_reader, model_access_all TO all_groups;
        CREATE ROLE program LOGIN; GRANT rls_bypass TO program;
    """)
    postgresql.filled_by = home
    return postgresql


def count(database, role: str, table: str) -> int:
    """Return how many rows a role sees."""
    return int(database.run(f'SET ROLE "{role}"; SELECT count(*) FROM {table}').strip())


def test_a_role_sees_the_evals_of_its_groups_only(database):
    """Every group of the eval is needed."""
    seen = {role: count(database, role, "eval") for role in ("nobody_yet", "ann", "ben", "all_groups", "program")}
    assert seen == {"nobody_yet": 0, "ann": 1, "ben": 2, "all_groups": 2, "program": 2}


@pytest.mark.parametrize("table", TABLES)
def test_what_is_below_an_eval_is_seen_with_it(database, table):
    """No table shows more to a person than the evals do."""
    total = count(database, "program", table)
    assert count(database, "nobody_yet", table) == 0
    assert count(database, "ben", table) == total
    assert count(database, "ann", table) * 2 == total


def test_jobs_are_seen_by_their_groups(database):
    """As evals are."""
    assert [count(database, role, "job") for role in ("nobody_yet", "ann", "ben")] == [0, 1, 2]


@pytest.mark.parametrize("groups", ["{}", "{__unresolved__}", "{model-access-a,no-such-role}", "{NULL}"])
def test_groups_that_are_nobody_s_are_seen_by_nobody(database, groups):
    """None, one that could not be found, one without a role."""
    seen = database.run(f"""BEGIN; UPDATE eval SET model_groups = '{groups}' WHERE eval_set_id = 'one';
        SET LOCAL ROLE all_groups; SELECT count(*) FROM eval WHERE eval_set_id = 'one'; ROLLBACK""")
    assert seen.strip() == "0"


def test_a_group_that_is_named_as_another_role_does_not_become_it(database):
    """Whoever may see all model groups is no member of postgres, though the registry has such a group."""
    database.run("INSERT INTO middleman.model_group (pk, created_at, updated_at, name) VALUES (gen_random_uuid(), now(), now(), 'postgres')")
    database.run("SELECT sync_model_group_roles()")
    roles = database.run("SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member "
                         "WHERE u.rolname = 'model_access_all' ORDER BY 1")
    assert roles.split() == ["model-access-a", "model-access-b"]


def test_readers_change_nothing(database):
    """Neither rows nor roles."""
    for statement in ("DELETE FROM eval", "UPDATE sample SET error_message = ''", "SELECT sync_model_group_roles()",
                      "SELECT * FROM import_queue", "SELECT * FROM middleman.model"):
        with pytest.raises(RuntimeError, match="permission denied"):
            database.run(f'SET ROLE "ben"; {statement}')


def test_the_statements_for_operators_show_what_somebody_sees(database):
    """Those of docs/operators.md, as they stand there: one sets the groups, the other makes a role of them."""
    blocks = re.findall(r"^```sql\n(.*?)^```", (ROOT / "docs/operators.md").read_text(), re.MULTILINE | re.DOTALL)
    grant, look = (next(block for block in blocks if word in block) for word in ("carol", "SET LOCAL"))
    assert "'{\"model-access-a\",\"model-access-public\"}'" in look
    assert [row.split("|")[0] for row in database.run(look).split("\n") if "|" in row] == ["one"]
    assert "|" not in database.run(look.replace('"model-access-a",', ""))
    database.run(grant)
    assert count(database, "carol", "eval") == 1


def test_a_check_that_lists_get_wrong_shows_nothing(database):
    """What a list is found with says that bob may see everything; the rows themselves are read as bob, and say otherwise."""
    import identity_provider
    from test_login import token_for

    if reason := identity_provider.why_not():
        pytest.skip(reason)
    provider = identity_provider.Provider()
    home = database.filled_by
    database.run("""
        UPDATE eval SET model_groups = '{model-access-public}' WHERE eval_set_id = 'one';
        UPDATE eval SET model_groups = '{model-access-secret}' WHERE eval_set_id = 'two';
        UPDATE listing_eval SET model_groups = '{model-access-public}';
    """)
    home.env.update(provider.settings())
    home.start()
    home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", HAWK_VERSION_CHECK="off")
    try:
        bob, ada = token_for(home, provider, "bob"), token_for(home, provider, "ada")
        seen = {user: {row["eval_set_id"] for row in home.get("/meta/samples", token=token)[1]["items"]} for user, token in (("bob", bob), ("ada", ada))}
        assert seen == {"bob": {"one"}, "ada": {"one", "two"}}
        sets = {user: [row["eval_set_id"] for row in home.get("/meta/eval-sets", token=token)[1]["items"]] for user, token in (("bob", bob), ("ada", ada))}
        assert sets["bob"] == ["one"] and sorted(sets["ada"]) == ["one", "two"]
        theirs = next(row["uuid"] for row in home.get("/meta/samples", token=ada)[1]["items"] if row["eval_set_id"] == "two")
        assert home.get(f"/meta/samples/{theirs}", token=bob)[0] == 403
        assert home.get("/meta/samples/nothing", token=bob)[0] == 404
    finally:
        home.stop()
        provider.close()
