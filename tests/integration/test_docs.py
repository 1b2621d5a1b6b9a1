"""Every command that the documentation shows is run, in the order of the page, as someone following it would."""

import pathlib
import re
import shlex

import pytest
from conftest import ROOT

PAGES = ["README.md", "docs/guide.md"]
PAGES_ABOUT_RUNS = ["docs/compare.md", "docs/export.md"]  # these need an eval set that has run
COMMAND = re.compile(r"^    (hawk [^#\n]+)", re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return the indented command lines of a page."""
    return [match.group(1).strip() for match in COMMAND.finditer((ROOT / page).read_text())]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_work(home, page):
    """Each ends with status 0 (help and reading commands print something)."""
    shown = commands(page)
    assert len(shown) > 4
    home.start()
    for command in shown:
        words = shlex.split(command)[1:]
        if "UUID" in words:
            items = home.wait_for(lambda: home.get("/meta/samples")[1]["items"])
            words[words.index("UUID")] = items[0]["uuid"]
        if "edits.jsonl" in words:
            items = home.wait_for(lambda: home.get("/meta/samples")[1]["items"])
            lines = re.findall(r"^    (\{.+\})$", (ROOT / page).read_text(), re.MULTILINE)
            path = home.home / "edits.jsonl"
            path.write_text("\n".join(lines).replace('"UUID"', f'"{items[0]["uuid"]}"'))
            words[words.index("edits.jsonl")] = str(path)
        home.run(*words, timeout=600)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES_ABOUT_RUNS)
def test_commands_about_runs_work(hawk, page, tmp_path):
    """SET and OTHER stand for eval sets, UUID for a sample."""
    hawk.run("eval-set", "run", "examples/hello.eval-set.yaml", "--watch", timeout=600)
    (sample, *_) = hawk.wait_for(lambda: hawk.get("/meta/samples")[1]["items"])
    words = {"SET": sample["eval_set_id"], "OTHER": sample["eval_set_id"], "UUID": sample["uuid"]}
    for command in commands(page):
        hawk.run(*(words.get(word, word) for word in shlex.split(command)[1:]), cwd=tmp_path)


@pytest.mark.parametrize("page", [*PAGES, *PAGES_ABOUT_RUNS, "CONTRIBUTING.md", "docs/scans.md", "docs/architecture.md", "docs/decisions.md"])
def test_links_lead_to_files(page):
    """Relative links point at something that is there."""
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()):
        assert (folder / target).exists(), f"{page}: {target}"


def test_options_of_dev_are_listed():
    """`./dev help` names every command that the script has."""
    text = (ROOT / "dev").read_text()
    listed = re.findall(r"^  (\w+) ", text[text.index("usage: ./dev") :], re.MULTILINE)
    assert set(listed) == set(re.findall(r"^cmd_(\w+)\(\)", text, re.MULTILINE)) - {"help"}
    assert pathlib.Path(ROOT / ".ci/run").read_text().count("./dev test") == 1
