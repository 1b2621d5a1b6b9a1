"""hawk validate, plan and schema as a user meets them."""

import json

import pytest
from conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
TASKS = "tasks: [{package: p, name: y, items: [{name: t}]}]\n"


def test_every_example_is_valid(home):
    """Without a single problem."""
    for result in home.json("validate", *map(str, EXAMPLES)):
        assert result["valid"] and not result["problems"], result


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_a_plan(home, example):
    """In both forms."""
    assert home.json("plan", str(example))["n_evaluations"] >= 1
    assert ("scans" if example.stem.endswith(".scan") else "evaluation") in home.run("plan", str(example)).stdout


def test_all_problems_of_all_files_are_shown(home, tmp_path):
    """With place, what was expected and what was probably meant; the status is 2."""
    (tmp_path / "a.yaml").write_text("modles: []\nlimit: ten\n" + TASKS)
    (tmp_path / "b.yaml").write_text(TASKS)
    done = home.run("validate", "a.yaml", "b.yaml", "missing.yaml", check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "a.yaml:1:1: warning: modles: " in done.stdout and "did you mean 'models'?" in done.stdout
    assert "a.yaml:2:8: error: limit: expected a whole number or a list" in done.stdout
    assert "    limit: ten\n           ^\n" in done.stdout
    assert "b.yaml: valid eval-set" in done.stdout
    assert "missing.yaml: error: " in done.stdout


def test_standard_input_is_read(home):
    """And --strict makes a warning count."""
    assert home.run("validate", "-", input=TASKS).stdout == "<stdin>: valid eval-set\n"
    assert home.run("validate", "--strict", "-", input=TASKS + "foo: 1\n", check=False).returncode == 2


def test_a_huge_file_is_refused_at_once(home, tmp_path):
    """A sparse file of 200 MB."""
    with open(tmp_path / "huge.yaml", "wb") as file:
        file.truncate(200 << 20)
    done = home.run("validate", str(tmp_path / "huge.yaml"), check=False)
    assert done.returncode == 2 and "over the limit of 8388608" in done.stdout


def test_the_plan_names_variables_and_shows_no_value(home, tmp_path):
    """Neither of the environment nor of the config."""
    config = tmp_path / "c.yaml"
    config.write_text(
        TASKS + "models: [{package: openai, name: openai, items: [{name: gpt-4o}]}]\n"
        "runner: {environment: {PASSWORD: hunter2}}\npackages: ['git+https://u:hunter2@example.test/x']\n"
    )
    for args in (["plan", str(config)], ["plan", "--json", str(config)]):
        shown = home.run(*args, env={"OPENAI_API_KEY": "sk-hunter2"}).stdout
        assert "OPENAI_API_KEY" in shown and "hunter2" not in shown
    assert "OPENAI_API_KEY" not in home.run("plan", "--no-env", str(config)).stdout


def test_the_plan_says_where_each_value_comes_from(home, tmp_path):
    """Config before server before default."""
    config = tmp_path / "c.yaml"
    config.write_text(TASKS + "max_tasks: 4\n")
    settings = {setting["name"]: setting for setting in home.json("plan", str(config))["settings"]}
    assert (settings["max_tasks"]["value"], settings["max_tasks"]["origin"], settings["max_tasks"]["line"]) == (4, "config", 2)
    assert settings["max_samples"]["origin"] == "server"
    assert settings["score"]["origin"] == "default"


def test_a_broken_config_has_no_plan(home):
    """The reason is on standard error, nothing on standard output."""
    done = home.run("plan", "-", input="tasks: [\n", check=False)
    assert done.returncode == 2 and not done.stdout and "<stdin>:" in done.stderr


def test_json_of_a_broken_config_is_json(home):
    """Problems as data."""
    result = json.loads(home.run("validate", "--json", "-", input="limit: x\n", check=False).stdout)[0]
    assert not result["valid"] and result["config"] is None
    assert [problem["path"] for problem in result["problems"]] == ["", "limit"]
