"""The command line by itself: help, mistakes, completion, documentation, JSON; and what it does with a server."""

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest
from conftest import ROOT

COMMANDS = [
    line.removeprefix("### hawk ")
    for line in (ROOT / "docs/cli.md").read_text().splitlines()
    if line.startswith("### hawk ")
]
READING = [
    ["list", "eval-sets"], ["list", "jobs"], ["list", "evals", "none"], ["list", "samples", "none"], ["config"], ["version"],
    ["serve", "--status"],
]


# ---- without a server ----


def test_no_words_print_help_in_one_screen(home):
    """Status 0, every command named or its group, no line wider than 80 columns."""
    for args in ([], ["--help"], ["help"]):
        done = home.run(*args)
        lines = done.stdout.splitlines()
        assert len(lines) <= 64 and max(map(len, lines)) <= 90
        for command in COMMANDS:
            named = re.sub("^(auth|human|list|local|scan) .*", r"\1 COMMAND", command)
            assert re.search(rf"^  {re.escape(named)} ", done.stdout, re.MULTILINE), command
    assert not home.data.exists(), "help does no work"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(home, command):
    """--help and -h print usage, what it does and every option."""
    done = home.run(*command.split(), "--help")
    assert done.stdout.startswith(f"usage: hawk {command} ") or done.stdout.startswith(f"usage: hawk {command}\n")
    assert "--help" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 90
    assert home.run("help", *command.split()).stdout == done.stdout


def test_help_of_a_group_lists_its_commands(home):
    """`hawk list --help` is fine; `hawk list` alone is a usage error that shows the same."""
    shown = home.run("list", "--help")
    assert "eval-sets" in shown.stdout and "samples" in shown.stdout
    bare = home.run("list", check=False)
    assert bare.returncode == 2 and bare.stdout == shown.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nonsense"], "no such command: hawk nonsense"),
        (["sttaus"], "did you mean hawk status?"),
        (["list", "sampels"], "did you mean hawk list samples?"),
        (["eval-set", "rnu", "x.yaml"], "did you mean hawk eval-set run?"),
        (["list", "samples", "--limt", "3"], "did you mean --limit?"),
        (["list", "samples", "--limit"], "--limit needs a value"),
        (["list", "samples", "--limit", "many"], "--limit wants a whole number"),
        (["list", "samples", "a", "b"], "one argument too many"),
        (["list", "samples", "a", "--everywhere"], "--everywhere is for all eval sets"),
        (["search", "a", "--match-case"], "--match-case needs --regex"),
        (["export", "samples", "-o", "a.xlsx"], "no format has the ending .xlsx"),
        (["transcript"], "missing argument SAMPLE_UUID"),
        (["--nonsense"], "no such option: --nonsense"),
        (["completion", "tcsh"], "bash|zsh|fish"),
        (["delete", "-y"], "--yes needs an id"),
        (["stop"], "no eval set id given"),
    ],
)
def test_a_wrong_command_line_ends_with_2(home, args, says):
    """And says on standard error what is wrong; nothing goes to standard output."""
    done = home.run(*args, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ") and says in done.stderr


def test_with_json_errors_are_json(home):
    """One object with code, message and fix."""
    done = home.run("--no-start", "list", "jobs", "--json", check=False)
    error = json.loads(done.stderr)["error"]
    assert done.returncode == 75 and done.stdout == ""
    assert error["code"] == "unreachable" and "no server runs" in error["message"] and "hawk serve" in error["fix"]


def test_no_start_starts_nothing(home):
    """The data folder is not even made."""
    assert home.run("--no-start", "list", "jobs", check=False).returncode == 75
    assert not home.data.exists()


def test_a_server_that_cannot_be_reached_is_75_and_named(home):
    """HAWK_API_URL is taken from the environment, ./.env and the user's file, in this order."""
    folder = home.home / "work"
    folder.mkdir()
    (home.home / ".config/hawk-cli").mkdir(parents=True)
    (home.home / ".config/hawk-cli/env").write_text("HAWK_API_URL=http://127.0.0.1:3\n")
    for port, prepare in (
        (3, lambda: None),
        (2, lambda: (folder / ".env").write_text('HAWK_API_URL="http://127.0.0.1:2"\n')),
        (1, lambda: home.env.update(HAWK_API_URL="http://127.0.0.1:1")),
    ):
        prepare()
        done = home.run("list", "jobs", "--all", check=False, cwd=folder)
        assert done.returncode == 75 and f"127.0.0.1:{port}" in done.stderr
        shown = home.json("config", cwd=folder)["HAWK_API_URL"]
        assert shown["value"] == f"http://127.0.0.1:{port}"
        assert shown["origin"] == ["environment", "./.env", "~/.config/hawk-cli/env"][port - 1]


def test_a_token_of_the_environment_does_not_go_where_a_folder_says(home):
    """The address of ./.env may be somebody else's; said once more by the user it is meant."""
    folder = home.home / "cloned"
    folder.mkdir()
    (folder / ".env").write_text("HAWK_API_URL=http://127.0.0.1:9\n")
    env = {"HAWK_ACCESS_TOKEN": "of-the-company"}
    done = home.run("list", "jobs", check=False, cwd=folder, env=env)
    assert done.returncode == 2 and "./.env sets HAWK_API_URL" in done.stderr and "export HAWK_API_URL=http://127.0.0.1:9" in done.stderr
    assert home.run("list", "jobs", check=False, cwd=folder, env={**env, "HAWK_API_URL": "http://127.0.0.1:9"}).returncode == 75
    (home.home / ".config/hawk-cli").mkdir(parents=True)
    (home.home / ".config/hawk-cli/env").write_text("HAWK_API_URL=http://127.0.0.1:9\n")
    assert home.run("list", "jobs", check=False, cwd=folder, env=env).returncode == 75


@pytest.mark.parametrize("command", [("list", "jobs"), ("login", "--device")])
def test_nothing_goes_to_another_machine_by_plain_http(home, command):
    """Unless the user says so, and not the folder."""
    url = {"HAWK_API_URL": "http://hawk.invalid", "HAWK_ACCESS_TOKEN": "x"}
    (home.home / ".env").write_text("HAWK_ALLOW_HTTP=1\n")
    done = home.run(*command, check=False, cwd=home.home, env=url)
    assert done.returncode == 2 and "http://hawk.invalid is not https" in done.stderr and "HAWK_ALLOW_HTTP=1" in done.stderr
    assert home.run(*command, check=False, cwd=home.home, env={**url, "HAWK_ALLOW_HTTP": "1"}).returncode == 75


def test_secrets_do_not_go_to_a_server_that_one_is_not_logged_in_to(home):
    """It may be one that only a folder names, and an honest one would take them from nobody."""
    config = home.home / "set.yaml"
    config.write_text("tasks: [{package: a-package, name: a, items: [{name: t}]}]\n")
    env = {"HAWK_API_URL": "https://hawk.invalid", "HAWK_VERSION_CHECK": "off", "HAWK_CREDENTIALS": "file", "A_KEY": "of-mine"}
    command = ("eval-set", "run", str(config), "--skip-confirm")
    done = home.run(*command, "--secret", "A_KEY", check=False, env=env)
    assert done.returncode == 3 and "https://hawk.invalid gets no secrets without a login there" in done.stderr
    assert home.run(*command, check=False, env=env).returncode == 75


@pytest.mark.parametrize(("seconds", "returncode", "asked"), [("1", 0, 2), ("3600", 75, 1)])
def test_a_server_that_is_busy_is_asked_again_when_it_says_so(home, seconds, returncode, asked):
    """For half a minute at most, and the person is told."""
    seen = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_first = self.path.startswith("/meta/jobs") and not seen
            seen.extend([self.path] if self.path.startswith("/meta/jobs") else [])
            self.send_response(429 if is_first else 200)
            body = b"{}" if is_first else b'{"items": [], "total": 0, "counts": {}}'
            self.send_header("Retry-After", seconds)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        env = {"HAWK_API_URL": f"http://127.0.0.1:{server.server_port}", "HAWK_ACCESS_TOKEN": "x", "HAWK_VERSION_CHECK": "off"}
        done = home.run("list", "jobs", "--all", check=False, env=env)
    finally:
        server.shutdown()
        server.server_close()
    assert (done.returncode, len(seen)) == (returncode, asked), done.stderr
    assert ("asking again in 1 s" in done.stderr) == (asked == 2)


def test_a_broken_config_is_shown_with_its_places_and_sends_nothing(home):
    """Every mistake with file, line and column; status 2; no server is started."""
    config = home.home / "broken.yaml"
    config.write_text("tasks: []\nlimit: many\nmodel: x\n")
    done = home.run("eval-set", "run", str(config), check=False)
    assert done.returncode == 2 and not home.data.exists()
    assert f"{config}:2:" in done.stderr and f"{config}:3:" in done.stderr
    done = home.run("run", str(config), "--json", check=False)
    error = json.loads(done.stderr)["error"]
    assert {item["line"] for item in error["diagnostics"]} >= {2, 3}
    assert home.run("run", str(home.home / "nowhere.yaml"), check=False).returncode == 5


def test_docs_are_made_from_the_tables(home):
    """docs/cli.md is what the program prints now: hawk docs-cli > docs/cli.md"""
    assert home.run("docs-cli").stdout == (ROOT / "docs/cli.md").read_text()


def test_the_manual_page_renders_without_warnings(home):
    """And names every command."""
    text = home.run("man").stdout
    done = subprocess.run(["man", "--warnings", "-l", "-"], input=text, capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
    assert done.stderr == ""
    plain = re.sub(r".\x08", "", done.stdout)
    for command in COMMANDS:
        assert f"hawk {command}" in plain


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_read_by_their_shells(home, shell):
    """`bash -n` and the like find nothing wrong."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = home.home / f"hawk.{shell}"
    script.write_text(home.run("completion", shell).stdout)
    subprocess.run([shell, "-n", str(script)], check=True)


def test_bash_completes_commands_options_and_choices(home):
    """As a shell would: the function is called with the words of a line."""
    script = home.home / "hawk.bash"
    script.write_text(home.run("completion", "bash").stdout)

    def complete(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in words)
        done = subprocess.run(
            ["bash", "-c", f"source {script}; COMP_WORDS=({home.program} {line}); COMP_CWORD={len(words)}; _hawk; "
             "printf '%s\\n' \"${COMPREPLY[@]}\""],
            env=home.env, capture_output=True, text=True, check=True, cwd=ROOT,
        )
        return done.stdout.split()

    assert {"list", "logs"} <= set(complete("l")) <= {"list", "local", "login", "logout", "logs"}
    assert complete("list", "ev") == ["eval-sets", "evals"]
    assert "--limit" in complete("list", "samples", "--l")
    assert complete("eval-set", "run", "--priority", "") == ["low", "medium", "high"]
    assert complete("completion", "f") == ["fish"]
    assert "examples" in complete("eval-set", "run", "exam")


def test_version_needs_nothing(home):
    """`hawk --version` is one line; `hawk version` says that no server runs, and starts none."""
    assert re.fullmatch(r"hawk \d+\.\d+\.\d+\n", home.run("--version").stdout)
    assert "no server runs" in home.run("version").stdout
    assert not home.data.exists()


def test_output_that_nobody_reads_is_no_noise(home):
    """A reader that leaves ends the command quietly."""
    done = subprocess.run(["bash", "-o", "pipefail", "-c", f"{home.program} man | head -1"], env=home.env,
                          capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode in (0, 141)
    full = subprocess.run(["bash", "-c", f"{home.program} man > /dev/full"], env=home.env, capture_output=True, text=True,
                          check=False)
    assert full.returncode == 1 and "cannot write the output" in full.stderr


# ---- with a server ----


def test_a_command_starts_the_server_and_two_at_once_start_one(home):
    """Both get their answer, from the same process; --stop ends it."""
    try:
        both = [
            subprocess.Popen([str(home.program), "list", "eval-sets", "--json"], env=home.env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, cwd=home.home)
            for _ in range(2)
        ]
        for one in both:
            out, err = one.communicate(timeout=120)
            assert one.returncode == 0, err
            assert json.loads(out)["items"] == []
        first = home.json("serve", "--status")
        assert home.json("serve", "--background")["pid"] == first["pid"]
        assert pathlib.Path(f"/proc/{first['pid']}").exists()
    finally:
        home.run("serve", "--stop")
    assert home.run("serve", "--status", check=False).returncode == 5
    assert not pathlib.Path(f"/proc/{first['pid']}/cwd").exists()


def test_the_server_gets_no_keys_from_the_command_that_starts_it(home):
    """What outlives the command has none of its environment but what a server needs."""
    try:
        home.run("list", "jobs", env={"OPENAI_API_KEY": "sk-not-for-you", "HAWK_ACCESS_TOKEN": "nor-this"})
        pid = home.json("serve", "--status")["pid"]
        environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        assert b"sk-not-for-you" not in environ and b"nor-this" not in environ
        assert b"PATH=" in environ
    finally:
        home.run("serve", "--stop")


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_reading_commands_print_one_json_document(hawk, args):
    """Nothing else goes to standard output."""
    done = hawk.run(*args, "--json", check=False)
    assert done.returncode in (0, 5), done.stderr
    if done.returncode == 0:
        json.loads(done.stdout)
    else:
        assert json.loads(done.stderr)["error"]["kind"] == "not_found"


def test_what_is_not_there_is_5(hawk):
    """Each command says so and remembers no id."""
    for args in (["status", "nope"], ["logs", "nope"], ["stop", "nope"], ["delete", "nope", "-y"], ["transcript", "nope"],
                 ["watch", "nope"], ["eval-set", "resume", "nope"], ["download", "nope"], ["download", "nope", "--list"]):
        done = hawk.run(*args, check=False)
        assert done.returncode == 5, (args, done.returncode, done.stderr)
        assert done.stderr.startswith("Error: ")
        assert "nope" in done.stderr or args[0] == "transcript"
    assert not (hawk.home / ".config/hawk-cli/last-job-id").exists()


def test_an_import_is_told_from_a_job(hawk):
    """Its logs are named where a job was asked for."""
    done = hawk.run("status", "imported-nope", check=False)
    assert done.returncode == 5 and "'hawk list evals imported-nope'" in done.stderr


@pytest.mark.parametrize("command", ["list evals", "list samples", "transcripts"])
def test_an_id_of_which_nothing_is_found_is_named_and_not_remembered(hawk, command):
    """A slip of the finger is not what the next command means."""
    done = hawk.run(*command.split(), "nope", check=False)
    assert done.returncode == 5 and "nope: there is no eval set" in done.stderr
    assert not (hawk.home / ".config/hawk-cli/last-eval-set-id").exists()


def test_a_wrong_token_is_3(hawk):
    """Through HAWK_API_URL the token is HAWK_ACCESS_TOKEN."""
    url = {"HAWK_API_URL": hawk.url}
    assert hawk.run("list", "jobs", check=False, env=url).returncode == 3
    assert hawk.run("list", "jobs", check=False, env={**url, "HAWK_ACCESS_TOKEN": "wrong"}).returncode == 3
    assert hawk.run("list", "jobs", env={**url, "HAWK_ACCESS_TOKEN": hawk.token}).returncode == 0


def test_delete_does_not_ask_without_a_terminal(hawk):
    """It refuses and says how."""
    done = hawk.run("delete", "something", check=False)
    assert done.returncode == 2 and "hawk delete something --yes" in done.stderr


def test_missing_secrets_are_named_and_nothing_is_sent(hawk):
    """Those that the config declares, and those that --secret names."""
    config = str(ROOT / "examples/secrets.eval-set.yaml")
    done = hawk.run("run", config, check=False)
    assert done.returncode == 2 and "missing secrets" in done.stderr
    done = hawk.run("run", config, "--secret", "NOT_SET_ANYWHERE", check=False)
    assert done.returncode == 2 and "NOT_SET_ANYWHERE" in done.stderr
    assert hawk.json("list", "jobs", "--all")["items"] == []


@pytest.mark.timeout(900)
def test_a_run_from_submit_to_delete(hawk, tmp_path):
    """As a new user would, with nothing but --help."""
    done = hawk.run("eval-set", "run", "examples/hello.eval-set.yaml", "--watch", timeout=600)
    job = re.search(r"^Eval set ID: (\S+)$", done.stdout, re.MULTILINE).group(1)
    assert f"See your eval set log: {hawk.url}/eval-set/{job}" in done.stdout
    assert re.search(r"^Task +Model +Status +Samples +Scorer", done.stdout, re.MULTILINE)
    assert re.search(r"^\S*hello .*success +3/3 ", done.stdout, re.MULTILINE)
    assert "complete, 3/3 samples" in done.stderr and "\x1b" not in done.stderr

    assert hawk.json("list", "eval-sets")["items"][0]["eval_set_id"] == job
    assert job in hawk.run("list", "eval-sets").stdout and job in hawk.run("list", "jobs").stdout
    assert hawk.run("list", "evals").stdout.startswith(f"Eval Set: {job}\n")
    samples = hawk.wait_for(lambda: hawk.json("list", "samples", job)["items"])
    assert len(samples) == 3
    uuid = samples[0]["uuid"]
    assert hawk.json("status")["job_id"] == job
    assert hawk.json("watch", "--no-follow")["status"] == "complete"
    assert hawk.run("watch", "--exit-status").returncode == 0
    assert isinstance(hawk.json("logs"), list)
    assert hawk.run("logs", "-f", "--poll-interval", "0.1").stdout

    page = hawk.run("transcript", uuid).stdout
    assert page.startswith("# Sample ") and "## Messages" in page and "### assistant" in page
    assert json.loads(hawk.run("transcript", uuid, "--raw").stdout)["uuid"] == uuid
    lines = hawk.run("transcripts", job, "--json").stdout.splitlines()
    assert {json.loads(line)["uuid"] for line in lines} == {sample["uuid"] for sample in samples}
    hawk.run("transcripts", "--output-dir", str(tmp_path / "t"))
    assert len(list((tmp_path / "t").glob("*.md"))) == 3

    names = hawk.json("download", "--list")
    assert len(names) == 1 and names[0].endswith(".eval")
    first = hawk.run("download", job, "-o", str(tmp_path / "logs"))
    assert "Downloaded 1 files" in first.stdout
    again = hawk.json("download", job, "-o", str(tmp_path / "logs"))
    assert again["downloaded"] == 0 and again["skipped"] == 1
    assert [p.suffix for p in (tmp_path / "logs").iterdir()] == [".eval"]

    assert hawk.json("web")["url"].startswith(f"{hawk.url}/login?code=")
    assert uuid in hawk.json("view-sample", uuid)["url"]
    assert hawk.run("delete", job, "-y").stdout == f"Eval set {job} deleted.\n"


@pytest.mark.timeout(900)
def test_a_run_that_fails_ends_with_1_and_says_why(hawk):
    """The reason and where to look are on standard error."""
    done = hawk.run("run", "examples/failing.eval-set.yaml", "--watch", check=False, timeout=600)
    assert done.returncode == 1
    assert "Error: eval set " in done.stderr and "hawk logs" in done.stderr


@pytest.mark.timeout(900)
def test_a_config_may_come_from_standard_input(hawk):
    """Paths of packages are then relative to the folder one is in; the answer of --json has the id."""
    config = (ROOT / "examples/hello.eval-set.yaml").read_text()
    done = hawk.run("run", "-", "--json", input=config, cwd=ROOT / "examples")
    job = json.loads(done.stdout)["eval_set_id"]
    saved = hawk.get(f"/eval_sets/{job}/config")[1]
    assert saved["tasks"][0]["package"] == str(ROOT / "examples/hawk_examples")
    assert hawk.wait_job(job)["status"] == "complete"




@pytest.mark.timeout(900)
def test_a_run_can_be_stopped_and_gone_on_with(hawk):
    """`stop` lets it come to an end, `resume` goes on in place; both take the last id when none is given."""
    job = hawk.json("run", "examples/slow.eval-set.yaml")["eval_set_id"]

    def runs():
        now = hawk.json("watch", "--no-follow")
        return now["progress"]["running"] > 0 or now["progress"]["completed"] > 0

    hawk.wait_for(runs)
    assert hawk.run("stop").stdout == ""
    assert hawk.wait_job(job)["status"] in {"complete", "failed"}
    assert hawk.run("eval-set", "resume").stdout.startswith(f"Resuming eval set: {job}\n")
    hawk.run("delete", job, "-y")
    hawk.wait_for(lambda: not hawk.runners())


@pytest.mark.timeout(900)
def test_a_local_run_needs_no_server_and_leaves_only_its_logs(home, tmp_path):
    """Its output and its scores are shown; no data folder is made, no temporary folder is left."""
    temp = tmp_path / "tmp"
    temp.mkdir()
    done = home.run("local", "eval-set", "examples/hello.eval-set.yaml", "--log-dir", str(tmp_path / "logs"), timeout=600,
                    env={"TMPDIR": str(temp)})
    assert re.search(r"^\S*hello .*success +3/3 ", done.stdout, re.MULTILINE)
    assert len(list((tmp_path / "logs").glob("hello-*/*.eval"))) == 1
    assert list(temp.glob("hawk-local-*")) == [] and not home.data.exists()


def commands() -> list[str]:
    """All commands of the tables, as docs/cli.md has them."""
    return re.findall(r"^#+ `?hawk ([a-z- ]+)`?$", (ROOT / "docs/cli.md").read_text(), re.M)


def error_of(done) -> dict:
    """The error that a command has printed as JSON, on the last line of standard error."""
    error = json.loads(done.stderr.strip().splitlines()[-1])["error"]
    assert all(isinstance(error[name], str) and error[name] for name in ("code", "kind", "message", "fix")), done.stderr
    return error


@pytest.mark.parametrize("command", commands())
def test_every_command_says_what_goes_wrong_in_json(home, command):
    """With a code, a message and what to do about it: for an option that is none, and where the server is away."""
    home.env.update(HAWK_API_URL="http://127.0.0.1:9", HAWK_ACCESS_TOKEN="x")
    wrong = home.run(*command.split(), "--no-such-option", "--json", check=False, stdin=subprocess.DEVNULL)
    assert wrong.returncode == 2 and error_of(wrong)["code"] == "usage"
    if command in ("serve", "validate"):  # one starts a server, the other's answer is what is wrong with the files
        return
    arguments = ["--json"]
    for _ in range(3):
        done = home.run(*command.split(), *arguments, check=False, stdin=subprocess.DEVNULL)
        if done.returncode == 0 or not error_of(done)["message"].startswith("missing argument"):
            break
        arguments.insert(0, "x")
