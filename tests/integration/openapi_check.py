"""Holds every answer of the server against what its /openapi.json says of it.

The document leaves objects open, so that clients survive new members; here they are closed, so that a member that the
document does not know is found.
"""

import json
import re

import jsonschema_rs

PROBLEM = "application/problem+json"


def closed(node):
    """The same schema, where objects with properties have no others."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: closed(value) for key, value in node.items()}
    if "properties" in node and node.get("type") == "object":
        node.setdefault("additionalProperties", False)
    return node


class Document:
    """One server's /openapi.json."""

    def __init__(self, document: dict):
        self.document = document
        self.schemas = closed(document["components"]["schemas"])
        self.validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self.paths = [(expression, item) for segment in ("[^/]+", ".+") for expression, item in self.expressions(segment)]

    def expressions(self, last: str):
        """What matches the addresses of each path, the longest first; a parameter at the end matches `last`."""
        for path, item in sorted(self.document["paths"].items(), key=lambda each: -len(re.sub(r"\{.*?\}", "", each[0]))):
            *parts, end = re.split(r"\{[^}]*\}", path)
            ends_so = [last] if not end and parts else []
            between = ["[^/]+"] * (len(parts) - len(ends_so)) + ends_so
            yield re.compile("".join(re.escape(part) + one for part, one in zip(parts, between)) + re.escape(end)), item

    def operation(self, method: str, path: str) -> dict | None:
        """The operation that answers a request, or None: of the most exact path."""
        method = "get" if method == "HEAD" else method.lower()
        literal = self.document["paths"].get(path, {}).get(method)
        found = (item[method] for expression, item in self.paths if method in item and expression.fullmatch(path))
        return literal or next(found, None)

    def answer(self, operation: dict | None, status: int) -> dict | None:
        """What the document says of an answer, or None when it says nothing."""
        answers = (operation or {}).get("responses", {})
        otherwise = answers.get("default", {"$ref": "#/components/responses/Problem"})
        answer = answers.get(str(status)) or (otherwise if status >= 400 else None)
        if answer and "$ref" in answer:
            return self.document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
        return answer

    def validator(self, schema: dict) -> jsonschema_rs.Draft202012Validator:
        """A validator of a schema that may refer to others."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {"allOf": [closed(schema)], "components": {"schemas": self.schemas}}
            self.validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return self.validators[key]

    def trouble(self, method: str, path: str, status: int, content_type: str | None, body: bytes) -> str | None:
        """What is wrong with an answer, or None. OpenAPI says nothing of what browsers ask by OPTIONS."""
        if method == "OPTIONS":
            return None
        operation = self.operation(method, path.split("?")[0])
        answer = self.answer(operation, status)
        if answer is None:
            return f"there is no word of an answer {status}"
        contents = answer.get("content")
        if not contents:
            return None if not body else f"{status} was to have no body, but has {body[:200]!r}"
        media = (content_type or "").split(";")[0].strip()
        if media not in contents and "*/*" not in contents:
            return f"{status} is {media or 'of no type'}; expected {', '.join(contents)}"
        if method == "HEAD" or media not in ("application/json", PROBLEM) or media not in contents:
            return None
        validator = self.validator(contents[media]["schema"])
        wrong = [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(json.loads(body))]
        return "; ".join(wrong[:3])[:3000] or None
