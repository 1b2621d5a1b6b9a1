"""A proxy whose server seems to have been written to by somebody hostile: each text of its JSON has what terminals obey."""

import http.server
import json
import threading
import urllib.error
import urllib.request

MARK = "\x1b]0;title\x07\x1b[31m\u009b2J\u202e\r\n"
OURS = ("/auth/config", "/version")  # what a client has to understand to go on


def marked(value):
    """The same JSON with the mark in every text that is a value."""
    if isinstance(value, dict):
        return {key: marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item) for item in value]
    return value[:3] + MARK + value[3:] if isinstance(value, str) else value


class MarkingProxy:
    """In front of a server, on a port of this machine."""

    def __init__(self, upstream: str):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                n = int(self.headers.get("Content-Length") or 0)
                head = {name: value for name, value in self.headers.items() if name.lower() in ("authorization", "accept", "content-type")}
                request = urllib.request.Request(upstream + self.path, self.rfile.read(n) if n else None, head, method=self.command)
                try:
                    answer = urllib.request.urlopen(request, timeout=60)
                except urllib.error.HTTPError as error:
                    answer = error
                body, kind = answer.read(), answer.headers.get("Content-Type", "")
                if kind.endswith("json") and "ndjson" not in kind and not self.path.startswith(OURS):
                    body = json.dumps(marked(json.loads(body)), ensure_ascii=False).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
