"""A real provider of Inspect's with nothing but its key and address in the submitter's environment."""

import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import textwrap
import urllib.request

import pytest
from conftest import ROOT

CONFIG = """
name: openai
eval_set_id: openai
packages: [openai]
tasks:
  - package: {root}/examples/hawk_examples
    name: hawk_examples
    items:
      - name: hello
        args: {{samples: 2}}
      - name: agent
        args: {{samples: 1}}
models:
  - package: inspect-ai
    items:
      - name: openai/gpt-4o-mini
        args: {{streaming: {streaming}, responses_api: false}}
message_limit: 12
"""


@pytest.fixture
def endpoint():
    """The stand-in endpoint as a process of its own; yields (base URL, key)."""
    key = "sk-canary-" + secrets.token_hex(16)
    program = ROOT / "tests/peers/openai_endpoint.py"
    with subprocess.Popen([sys.executable, str(program), key], stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip(), key
        process.kill()


def stats(base: str) -> dict:
    """Return what the endpoint has counted."""
    with urllib.request.urlopen(base.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)


def files_with(folder: pathlib.Path, needle: bytes) -> list[pathlib.Path]:
    """Return the files below a folder that hold the bytes, logs also when they are unpacked."""
    import zipfile

    from inspect_ai.log import read_eval_log

    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".eval" and zipfile.is_zipfile(path):
            data += read_eval_log(str(path)).model_dump_json().encode()
        if needle in data:
            found.append(path)
    return found


def processes_with(needle: bytes, part: str) -> list[str]:
    """Return the commands whose cmdline or environ (`part`) holds the bytes."""
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int(proc.name) != os.getpid() and needle in (proc / part).read_bytes():
                found.append((proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("streaming", ["true", "false"])
def test_key_and_address_arrive_and_leak_nowhere(hawk, endpoint, tmp_path, streaming):
    """Plain and streamed calls and tool calls work, and the key is in no file, answer or command line."""
    base, key = endpoint
    config = tmp_path / "openai.eval-set.yaml"
    config.write_text(textwrap.dedent(CONFIG.format(root=ROOT, streaming=streaming)))
    env = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": base}
    submitted = hawk.run("eval-set", "run", str(config), env=env)
    seen_in_environment: list[str] = []

    def over():
        assert [c for c in processes_with(key.encode(), "cmdline") if "openai_endpoint" not in c] == []
        seen_in_environment.extend(processes_with(key.encode(), "environ"))
        return hawk.get("/monitoring/jobs/openai/job-status")[1]["status"] in ("complete", "failed")

    hawk.wait_for(over, 500, 0.5)
    logs = hawk.run("logs", "openai", "-n", "1000").stdout
    assert hawk.get("/monitoring/jobs/openai/job-status")[1]["status"] == "complete", logs
    counted = stats(base)
    assert counted["calls"] >= 4 and counted["tool_calls"] >= 1 and counted["refused"] == 0
    assert counted["streamed"] == (counted["calls"] if streaming == "true" else 0)
    assert seen_in_environment and all("runner" in c or "hawk_worker" in c for c in seen_in_environment)
    assert files_with(hawk.home, key.encode()) == []
    shown = submitted.stdout + submitted.stderr + logs + hawk.run("status", "openai").stdout
    shown += hawk.run("plan", str(config), env=env).stdout
    assert key not in shown
    assert re.search(r"OPENAI_API_KEY", submitted.stdout + submitted.stderr)


@pytest.mark.timeout(600)
def test_a_dotenv_file_beside_the_config_is_enough(hawk, endpoint, tmp_path):
    """The same from `.env`, and not with --no-env."""
    base, key = endpoint
    config = tmp_path / "openai.eval-set.yaml"
    config.write_text(CONFIG.format(root=ROOT, streaming="false"))
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={key}\nOPENAI_BASE_URL={base}\n")
    hawk.run("eval-set", "run", config.name, cwd=tmp_path)
    assert hawk.wait_job("openai", 500)["status"] == "complete"
    refused = hawk.run("eval-set", "run", config.name, "--no-env", cwd=tmp_path, check=False)
    assert refused.returncode in (0, 2, 6)
    assert stats(base)["refused"] == 0
