"""Scout's viewer API, out of the installed inspect_scout, for hawk: requests on standard input, answers on standard output.

A request is a line of JSON: method, path, query, body (text or null), root. Paths name folders below root, which is the folder
of all scans; whether the caller may see them has been decided. The answer is a line {"status", "type"}, then pieces, each a
line with its number of bytes and the bytes, and a line 0. What is JSON has locations below root.
"""

import asyncio
import json
import os
import sys

from inspect_scout._view._api_v2 import v2_api_app


def without_root(value, root: str):
    """A value of JSON with the locations in it below root."""
    if isinstance(value, list):
        return [without_root(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item.removeprefix("file://").removeprefix(root) if key == "location" and isinstance(item, str) else without_root(item, root)
        for key, item in value.items()
    }


class Answer:
    """Writes an answer as it is made, JSON when it is whole."""

    def __init__(self, out, root: str):
        self.out, self.root = out, root
        self.status, self.type, self.held = 500, "", []

    def _head(self) -> None:
        self.out.write(json.dumps({"status": self.status, "type": self.type}).encode() + b"\n")

    def _piece(self, data: bytes) -> None:
        if data:
            self.out.write(b"%d\n" % len(data) + data)

    async def send(self, message) -> None:
        """As ASGI has it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.type = dict(message["headers"]).get(b"content-type", b"").decode("latin-1")
            if not self.type.startswith("application/json"):
                self._head()
            return
        body = message.get("body", b"")
        if not self.type.startswith("application/json"):
            self._piece(body)
            return
        self.held.append(body)
        if message.get("more_body"):
            return
        text = b"".join(self.held)
        if text:
            text = json.dumps(without_root(json.loads(text), self.root), ensure_ascii=False).encode("utf-8", "replace")
        self._head()
        self._piece(text)


async def answer(app, request: dict, out) -> None:
    """Answer one request."""
    body = (request.get("body") or "").encode()
    bodies = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if bodies:
            return bodies.pop()
        await asyncio.Event().wait()  # the client stays

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": request["method"],
        "path": request["path"], "raw_path": request["path"].encode(), "query_string": request["query"].encode(), "root_path": "",
        "headers": [(b"host", b"hawk"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        "server": ("hawk", 80), "client": ("hawk", 0),
    }  # fmt: skip
    made = Answer(out, request["root"])
    try:
        await app(scope, receive, made.send)
    except Exception as error:
        print(f"{request['path']}: {type(error).__name__}: {error}", file=sys.stderr)
        if made.status == 500 and not made.type:
            await made.send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"application/json")]})
            await made.send({"type": "http.response.body", "body": b'{"detail":"Scout cannot answer this"}'})
        else:
            raise
    out.write(b"0\n")
    out.flush()


def main() -> None:
    """Answer until standard input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed is none of the answer's
    app = v2_api_app()
    loop = asyncio.new_event_loop()
    for line in sys.stdin.buffer:
        loop.run_until_complete(answer(app, json.loads(line), out))


if __name__ == "__main__":
    main()
