"""Settings of a server that are wrong, and what is said about them at its start."""

import json

import pytest

PROVIDER = "HAWK_API_MODEL_ACCESS_TOKEN_"
ISSUER = {
    f"{PROVIDER}ISSUER": "https://id.example", f"{PROVIDER}AUDIENCE": "hawk", f"{PROVIDER}CLIENT_ID": "cli", f"{PROVIDER}JWKS_URI": "https://id.example/keys",
}


def refused(home, env: dict[str, str]) -> str:
    """What a server says that does not start."""
    done = home.run("serve", "--port", "0", env=env, check=False)
    assert done.returncode not in (0, -6), done.stderr
    return done.stderr


@pytest.mark.parametrize(("name", "value"), [
    (f"{PROVIDER}JWKS_URI", "foo"), (f"{PROVIDER}TOKEN_ENDPOINT", "id.example/token"), ("HAWK_API_PUBLIC_URL", "foo"), ("HAWK_API_PUBLIC_URL", "https://"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"), ("HAWK_API_WEBHOOK_EVENTS", "job.complete job.bogus"), ("HAWK_API_S3_BUCKET_NAME", "No Bucket"),
    ("HAWK_API_MODELS_FILE", "/nowhere/models.yaml"), ("HAWK_API_DATABASE_URL", "postgresql://127.0.0.1:9/hawk"),
])
def test_a_value_that_cannot_work_is_named(home, name, value):
    """By its variable, and the server does not start."""
    assert name in refused(home, {**ISSUER, "HAWK_API_OTEL_TRACING_ENABLED": "true", name: value})


@pytest.mark.parametrize("name", ["AUDIENCE", "CLIENT_ID", "JWKS_URI", "EMAIL_FIELD"])
def test_a_provider_without_its_issuer_is_no_server_for_one(home, name):
    """Such a server would take everybody on its machine for its user."""
    said = refused(home, {PROVIDER + name: "https://id.example"})
    assert f"{PROVIDER}{name} is set, but {PROVIDER}ISSUER is not" in said and not home.data.exists()


@pytest.mark.parametrize(("models", "words"), [
    ("- {name: a, group: model-access-secret}\n- {name: b, group: model-access-b}\n- {name: a, group: model-access-public}\n", "models.yaml:3: a is in another group already at line 1"),
    ("- {name: a, group: bogus}\n", "has to begin with model-access-"),
])
def test_a_file_of_models_that_says_two_things_is_refused(home, models, words):
    """With its lines."""
    (home.home / "models.yaml").write_text(models)
    said = refused(home, {"HAWK_API_MODELS_FILE": str(home.home / "models.yaml")})
    assert words in said and "HAWK_API_MODELS_FILE" in said


def test_what_is_hardly_meant_is_told_at_the_start(home):
    """A name that nobody knows, with the nearest, and that nobody can log in; not a setting of the Python hawk."""
    home.env.update(ISSUER, HAWK_API_PUBLIC_URI="https://hawk.example", HAWK_API_RUNNER_MEMORY="16Gi")
    home.start("--log-json")
    home.env["HAWK_API_URL"] = home.url
    lines = [json.loads(line) for line in home.server_output().splitlines() if line.startswith("{")]
    said = [line for line in lines if line["event"].startswith("setting.")]
    assert [(line["event"], line["name"]) for line in said] == [("setting.missing", f"{PROVIDER}TOKEN_ENDPOINT"), ("setting.unknown", "HAWK_API_PUBLIC_URI")]
    assert said[1]["nearest"] == "HAWK_API_PUBLIC_URL"
    done = home.run("login", "--device", check=False)
    assert done.returncode != 0 and f"its operator sets {PROVIDER}TOKEN_ENDPOINT" in done.stderr
