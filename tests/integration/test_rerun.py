"""Running an eval set again: with what it was made of, or not at all."""

import json
import shutil

from test_runner import EXAMPLES, Job, config_of


def capsule_of(home, job_id: str) -> dict:
    """Read the capsule beside the logs of a job."""
    return json.loads((home.data / f"store/evals/{job_id}/.hawk/capsule.json").read_text())


def rerun(home, job_id: str) -> dict:
    """Run it again, frozen; return its job-status when it is over, with its id."""
    again = home.json("rerun", job_id, "--frozen")["eval_set_id"]
    return {"id": again, **home.wait_job(again)}


def test_a_frozen_rerun_is_made_of_the_same_or_says_what_is_not(home, tmp_path):
    """The second run has the same lock and packages; after a change of a local package there is no third."""
    package = tmp_path / "package"
    shutil.copytree(EXAMPLES, package)
    config = tmp_path / "set.json"
    home.start()
    config.write_text(json.dumps({**config_of(package=package), "eval_set_id": "first"}))
    home.run("eval-set", str(config), "--watch")
    again = rerun(home, "first")
    assert again["status"] == "complete" and again["id"] != "first"
    first, second = capsule_of(home, "first"), capsule_of(home, again["id"])
    assert first["lock"] == second["lock"] and first["packages"] == second["packages"] and first["local"]
    source = next((package / "src/hawk_examples" if (package / "src").exists() else package / "hawk_examples").glob("*.py"))
    source.write_text(source.read_text() + "\n# changed\n")
    refused = rerun(home, "first")
    assert refused["status"] == "failed"
    told = home.run("status", refused["id"]).stdout
    assert f"the local package {package} has changed" in told
    none = home.run("rerun", refused["id"], "--frozen", check=False)
    assert none.returncode != 0 and "has no capsule" in none.stderr


def test_a_package_with_other_files_or_another_python_is_refused_by_name(tmp_path, cache):
    """Though it has the same version."""
    first = Job(tmp_path / "first", cache, config_of())
    first.run()
    capsule = json.loads((first.folder / "capsule.json").read_text())
    (package,) = [item for item in capsule["packages"] if item["name"].startswith("inspect_ai-")]
    other_files = {**capsule, "packages": [*[item for item in capsule["packages"] if item != package], {**package, "digest": "0"}]}
    for name, bound, words in [
        ("files", other_files, f"what was installed is not what it was: {package['name']}"),
        ("python", {**capsule, "python": "3.9.1-x86_64"}, "it ran with Python 3.9.1-x86_64, and here is Python"),
    ]:
        end = Job(tmp_path / name, cache, config_of(), frozen=bound).run()
        assert (end["exit_code"], end["reason"]) == (78, "install.failed") and words in end["detail"]
