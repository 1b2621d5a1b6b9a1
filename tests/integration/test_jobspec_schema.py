"""The published JSON Schema says about the golden configs what `hawk validate` says."""

import json
import pathlib
import re

import jsonschema
import pytest
import yaml

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "jobspec"

# Refused for a reason that JSON Schema has no words for, or that only the reader of YAML can see.
BEYOND_SCHEMA = {
    "adaptive-bounds-order", "adaptive-bounds-start", "adaptive-text-large", "adaptive-text-order", "adaptive-text-start",
    "approval-reserved", "checkpoint-relative-path", "checkpoint-turn-without-every", "id-imported", "image-and-tag",
    "image-empty", "image-latest", "image-latest-digest", "image-no-tag", "image-port-no-tag",
    "isolation-standard-exceptions", "isolation-task-weaker", "not-finite", "not-utf8-escape", "online-scan",
    "package-control", "package-empty", "package-option", "scan-keys-repeated", "scan-secrets-duplicate",
    "scan-storage-grants", "secrets-duplicate", "alias-cycle", "duplicate-key", "key-not-text", "billion-laughs", "huge-number",
}


class CoreLoader(yaml.SafeLoader):
    """YAML with the booleans, numbers and nulls of the core schema of 1.2."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?[0-9]+)$", "-+0123456789"),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
     "-+.0123456789"),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


@pytest.fixture(scope="module", params=["eval-set", "scan"])
def schema(request, tmp_path_factory):
    """The kind of config and its published schema."""
    from conftest import Hawk

    home = tmp_path_factory.mktemp("schema")
    hawk = Hawk(home, home / "cache")
    return request.param, json.loads(hawk.run("schema", request.param).stdout), hawk


def configs(kind: str) -> list[pathlib.Path]:
    """The golden configs of a kind that need no option of the test program."""
    found = [path for path in sorted(GOLDEN.glob("*.yaml")) if not path.read_bytes().startswith(b"# options:")]
    return [path for path in found if path.name.startswith("scan-") == (kind == "scan")]


def test_the_schema_is_valid_draft_07(schema):
    """Editors read draft-07."""
    _, document, _ = schema
    assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(document)


def test_every_part_has_a_description(schema):
    """What an editor shows when the mouse rests on a field."""
    _, document, _ = schema
    for name, part in [("", document), *document["definitions"].items()]:
        assert part["description"], name
        for field, value in part["properties"].items():
            assert value.get("description"), f"{name}.{field}"


def test_the_schema_and_validate_agree(schema):
    """What validate refuses the schema refuses, if it can; what the schema refuses validate at least warns about."""
    kind, document, hawk = schema
    validator = jsonschema.Draft7Validator(document)
    paths = configs(kind)
    results = json.loads(hawk.run("validate", "--json", "--kind", kind, *map(str, paths), check=False).stdout)
    assert len(results) == len(paths)
    differing = []
    for path, result in zip(paths, results):
        try:
            config = yaml.load(path.read_bytes(), CoreLoader)
        except (yaml.YAMLError, RecursionError):
            assert not result["valid"], path.stem
            continue
        try:
            is_valid = validator.is_valid(config)
        except RecursionError:
            is_valid = False
        has_warning = any(problem["severity"] != "note" for problem in result["problems"])
        if is_valid and not result["valid"] and path.stem not in BEYOND_SCHEMA:
            differing.append(f"{path.stem}: only validate refuses")
        if not is_valid and result["valid"] and not has_warning:
            differing.append(f"{path.stem}: only the schema refuses")
    assert not differing


def test_the_full_form_of_every_golden_config_fits_the_schema(schema):
    """The defaults are values that the schema accepts."""
    kind, document, hawk = schema
    validator = jsonschema.Draft7Validator(document)
    results = json.loads(
        hawk.run("validate", "--json", "--kind", kind, *map(str, configs(kind)), check=False).stdout
    )
    for result in results:
        if result["valid"] and not any(problem["severity"] == "warning" for problem in result["problems"]):
            errors = [error.message for error in validator.iter_errors(result["config"])]
            assert not errors, f"{result['file']}: {errors}"


def test_the_reference_page_is_up_to_date(schema):
    """`hawk schema KIND --reference > docs/config-KIND.md` makes it."""
    kind, _, hawk = schema
    page = GOLDEN.parents[2] / "docs" / f"config-{kind}.md"
    assert page.read_text() == hawk.run("schema", kind, "--reference").stdout
