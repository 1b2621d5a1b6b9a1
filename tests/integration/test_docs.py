"""Every command that the documentation shows is run, in the order of the page, as someone following it would."""

import json
import pathlib
import re
import shlex
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import ROOT
from postgres import free_port

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


def blocks(kind: str) -> list[str]:
    """The blocks of a language in what operators read, in the order of the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / "docs/operators.md").read_text(), re.MULTILINE | re.DOTALL)


def test_what_operators_are_told_makes_a_server(home, postgresql):
    """The statements and the settings, as they stand there; the cluster of the test has a superuser hawk, so theirs is called op."""
    roles, group = (re.sub(r"\bhawk\b", "op", block) for block in blocks("sql")[:2])
    postgresql.run(roles)
    postgresql.run(group)
    (settings,) = blocks("ini")
    models = home.home / "models.yaml"
    models.write_text(blocks("yaml")[0].split("- name: gpt-3")[0])
    for line in settings.splitlines():
        name, value = line.split("=", 1)
        value = re.sub(r"postgresql://(\w+):[^@]+@.*", lambda match: postgresql.url("op").replace("//hawk@", f"//{match[1].replace('hawk_sql', '_').replace('hawk', 'op').replace('_', 'hawk_sql')}@"), value)
        home.env[name] = str(models) if name.endswith("MODELS_FILE") else value.strip('"')
    home.start("--log-json")
    lines = [json.loads(line) for line in home.server_output().splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines if line["level"] in ("warn", "error")] == []


def test_nginx_in_front_lets_clients_in_and_closes_the_metrics(hawk):
    """With the configuration of the page and a certificate of one's own, which clients take when they are told of it."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not pathlib.Path(nginx).exists():
        pytest.skip("no nginx is installed")
    port, cert, key = free_port(), hawk.home / "cert.pem", hawk.home / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    (site,) = blocks("nginx")
    for old, new in (("listen 443", f"listen 127.0.0.1:{port}"), ("hawk.example.org", "localhost"), ("/etc/ssl/hawk/cert.pem", str(cert)),
                     ("/etc/ssl/hawk/key.pem", str(key)), ("http://127.0.0.1:8137", hawk.url)):
        assert old in site
        site = site.replace(old, new)
    temp = "".join(f"{name}_temp_path {hawk.home}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (hawk.home / "nginx.conf").write_text(f"daemon off; pid {hawk.home}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temp}{site}}}\n")
    hawk.home.chmod(0o755)
    child = subprocess.Popen([nginx, "-p", str(hawk.home), "-c", str(hawk.home / "nginx.conf")], stderr=subprocess.DEVNULL)
    env = {"HAWK_API_URL": f"https://localhost:{port}", "HAWK_ACCESS_TOKEN": hawk.token, "SSL_CERT_FILE": str(cert)}
    try:
        hawk.wait_for(lambda: hawk.run("list", "jobs", "--json", check=False, env=env).returncode == 0, 30)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"https://localhost:{port}/metrics", context=ssl.create_default_context(cafile=str(cert)), timeout=30)
        refused = hawk.run("list", "jobs", check=False, env={**env, "SSL_CERT_FILE": ""})
        assert refused.returncode not in (0, 75) and "certificate is not trusted" in refused.stderr and "SSL_CERT_FILE" in refused.stderr
    finally:
        child.terminate()
        child.wait(30)
