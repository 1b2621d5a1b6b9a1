#!/usr/bin/env python3
"""A stand-in for the OpenAI API: chat completions, plain and streamed, with tool calls.

Speaks the protocol of the API reference ("Create chat completion" and "Streaming"). It answers deterministically:
when the request has tools and no tool result yet, it calls the first tool with the arguments {} or, for a parameter
named `cmd`, an echo; otherwise it repeats the last user message. GET /stats tells how many calls it has had, how many
were streamed, and which keys came. Usage: openai_endpoint.py KEY; prints its base URL as the first line.
"""

import http.server
import json
import sys
import threading
import time

KEY = sys.argv[1]
STATS = {"calls": 0, "streamed": 0, "refused": 0, "tool_calls": 0}
LOCK = threading.Lock()


def count(name: str) -> None:
    """Add one to a figure of /stats."""
    with LOCK:
        STATS[name] += 1


def text_of(message: dict) -> str:
    """Return the text of a message whose content is text or a list of parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def answer_message(request: dict) -> dict:
    """Return the assistant's message for a request."""
    messages = request["messages"]
    has_result = any(message["role"] == "tool" for message in messages)
    if request.get("tools") and not has_result:
        function = request["tools"][0]["function"]
        properties = function.get("parameters", {}).get("properties", {})
        arguments = {name: "echo from-the-tool" if name in ("cmd", "command") else "1" for name in properties}
        count("tool_calls")
        call = {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": json.dumps(arguments)}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    said = next(text_of(message) for message in reversed(messages) if message["role"] == "user")
    return {"role": "assistant", "content": said}


def usage(request: dict, message: dict) -> dict:
    """Return token counts: one per word."""
    prompt = sum(len(text_of(message).split()) for message in request["messages"])
    completion = len((message["content"] or "call").split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one connection; HTTP/1.1 so that clients keep it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_args) -> None:
        """Say nothing: the output is for the address."""

    def send_json(self, status: int, body: dict) -> None:
        """Answer with a JSON document."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Tell the figures."""
        self.send_json(200 if self.path == "/stats" else 404, STATS)

    def do_POST(self) -> None:
        """Answer a chat completion."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            count("refused")
            self.send_json(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"}})
            return
        if self.path != "/v1/chat/completions":
            self.send_json(404, {"error": {"message": f"no {self.path} here", "type": "invalid_request_error"}})
            return
        request = json.loads(body)
        message = answer_message(request)
        count("calls")
        head = {"id": "chatcmpl-1", "created": int(time.time()), "model": request["model"]}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        if request.get("stream"):
            count("streamed")
            self.stream(head, request, message, reason)
            return
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        self.send_json(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage(request, message)})

    def stream(self, head: dict, request: dict, message: dict, reason: str) -> None:
        """Answer as server-sent events, a few characters at a time."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        deltas: list[dict] = [{"role": "assistant", "content": ""}]
        if message.get("tool_calls"):
            call = message["tool_calls"][0]
            arguments = call["function"]["arguments"]
            empty = {**call, "index": 0, "function": {**call["function"], "arguments": ""}}
            deltas.append({"tool_calls": [empty]})
            deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": arguments[i : i + 5]}}]} for i in range(0, len(arguments), 5)]
        else:
            text = message["content"]
            deltas += [{"content": text[i : i + 7]} for i in range(0, len(text), 7)]
        for delta in deltas:
            self.event({**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self.event({**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        self.event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage(request, message)})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, body: dict) -> None:
        """Send one event of a stream."""
        self.chunk(f"data: {json.dumps(body)}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked body; an empty one ends it."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def main() -> None:
    """Serve on a free port of the loopback interface until killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
