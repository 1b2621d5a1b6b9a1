"""A database belongs to one store and, once it had one, an identity provider; its jobs to the data folder that they run from."""

import shutil

import one_log
import pytest
from conftest import Hawk, ROOT

REFUSED = 6
CONFIG = {
    "tasks": [{"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples", "items": [{"name": "slow"}]}],
    "models": [{"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples", "items": [{"name": "steady"}]}],
}
PROVIDER = {
    f"HAWK_API_MODEL_ACCESS_TOKEN_{name}": value
    for name, value in {
        "ISSUER": "https://login.invalid", "AUDIENCE": "hawk", "CLIENT_ID": "hawk", "JWKS_URI": "https://login.invalid/keys",
    }.items()
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of one sample."""
    folder = tmp_path_factory.mktemp("log")
    one_log.make(folder, "paired")
    return next(folder.glob("*.eval"))


def fill(it: Hawk, log) -> Hawk:
    """Start a server and have it import the log; return it."""
    it.start()
    it.add_log(log, "paired-set")
    it.wait_for(lambda: it.get("/meta/imports")[1]["counts"].get("success") == 1)
    return it


def refusal(it: Hawk, *args: str, **env: str) -> str:
    """Start a server that refuses to; return what it says."""
    done = it.run("serve", "--port", "0", *args, check=False, timeout=120, env=env)
    assert done.returncode == REFUSED, done.stderr
    return done.stderr


def evals(it: Hawk) -> list[str]:
    """The eval sets that the server shows."""
    return [item["id"] for item in it.get("/meta/evals?eval_set_id=paired-set")[1]["items"]]


@pytest.fixture(scope="module")
def database(postgresql, log, tmp_path_factory, cache):
    """A PostgreSQL that a server has filled from a store in its data folder; the server is at `team`, and may be up or not."""
    team = Hawk(tmp_path_factory.mktemp("team"), cache)
    team.env["HAWK_API_DATABASE_URL"] = postgresql.url()
    postgresql.team = fill(team, log)
    yield postgresql
    team.stop()


@pytest.fixture
def other(database, tmp_path, cache):
    """A home with another data folder for the same database."""
    it = Hawk(tmp_path, cache)
    it.env["HAWK_API_DATABASE_URL"] = database.url()
    yield it
    it.stop()


def up(it: Hawk) -> Hawk:
    """A home whose server runs."""
    return it if it.server else it.start()


def test_a_second_server_with_another_store_is_refused(database, other):
    """It names both, and what the first one has stays."""
    team = up(database.team)
    said = refusal(other)
    assert f"{team.data}/store" in said and f"{other.data}/store" in said and "--adopt-database" in said
    assert database.run("SELECT count(*) FROM eval").strip() == "1" and len(evals(team)) == 1


def test_a_second_server_with_the_same_data_folder_is_refused(database):
    """By the folder's lock."""
    assert "another server runs on" in refusal(up(database.team))


def test_a_data_folder_that_was_copied_whole_is_the_same(database, other):
    """With its id and that of its store."""
    database.team.stop()
    shutil.copytree(database.team.data, other.data)
    assert len(evals(other.start())) == 1


def test_a_store_without_id_and_logs_is_refused(database, tmp_path):
    """Say a disk that is not mounted: its rows are there when it is."""
    team = database.team
    team.stop()
    store = (team.data / "store").rename(tmp_path / "away")
    said = refusal(team)
    shutil.rmtree(team.data / "store")
    store.rename(team.data / "store")
    assert f"(id {(team.data / 'store/.hawk-store').read_text().strip()}), not to {team.data}/store (id none)" in said
    assert len(evals(team.start())) == 1


def test_a_database_from_before_ids_does_not_take_a_store_without_its_logs(database, other):
    """As if a mistyped --data had been the first start of a new version."""
    database.team.stop()
    database.run("DELETE FROM pairing")
    assert "none of them is in the store" in refusal(other)
    assert database.run("SELECT count(*) FROM pairing").strip() == "0"


def test_a_database_from_before_ids_takes_the_store_with_its_logs(database):
    """It gets an id again."""
    team = database.team
    team.stop()
    database.run("DELETE FROM pairing")
    (team.data / "store/.hawk-store").unlink()
    assert len(evals(team.start())) == 1
    assert database.run("SELECT kind FROM pairing ORDER BY kind").split() == ["store"]


def test_a_job_of_another_data_folder_is_left_to_its_server(postgresql, bucket, tmp_path, cache):
    """With the same bucket and database a second server starts, but not that job; once told that it takes over, it has it."""
    homes = [Hawk(tmp_path / name, cache) for name in ("one", "two")]
    name = postgresql.make("bucket")
    for it in homes:
        it.home.mkdir()
        it.env.update(bucket.environment(), HAWK_API_DATABASE_URL=postgresql.url(name), HAWK_API_S3_BUCKET_NAME=bucket.name)
    one, two = homes
    try:
        one.start()
        status, _, body = one.request("POST", "/eval_sets/", {"eval_set_config": {**CONFIG, "eval_set_id": "held"}})
        assert status == 200, body
        two.start().stop()
        assert '"held"' in two.server_output() or "job=held" in two.server_output()
        assert "job.elsewhere" in two.server_output() and "taken_over" not in two.server_output()
        assert one.runners() and not (two.data / "jobs/held").exists()
        one.stop()
        two.start("--adopt-database")
        assert "job.taken_over" in two.server_output()
    finally:
        for it in homes:
            it.stop()


def test_a_server_without_the_identity_provider_of_its_database_is_refused(home):
    """Until it is told once that the database is one person's."""
    home.env.update(PROVIDER)
    home.start().stop()
    for name in PROVIDER:
        del home.env[name]
    assert "https://login.invalid" in refusal(home)
    home.start("--single-user").stop()
    assert home.start().get("/meta/evals?eval_set_id=x")[0] == 200


def test_a_laptop_s_store_that_was_emptied_by_hand_is_taken(home, log):
    """Its logs are gone, and so are their rows."""
    fill(home, log).stop()
    shutil.rmtree(home.data / "store")
    home.start()
    home.wait_for(lambda: not evals(home))
    assert (home.data / "store/.hawk-store").exists()


def test_a_store_of_another_database_is_refused_with_sqlite(home, log):
    """Put in the place of the database's own; given to it once, it is taken."""
    fill(home, log).stop()
    (home.data / "store/.hawk-store").write_text("a" * 24 + "\n")
    assert f"(id {'a' * 24})" in refusal(home)
    home.start("--adopt-database").stop()
    assert len(evals(home.start())) == 1
