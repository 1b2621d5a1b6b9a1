"""A collector of OpenTelemetry's traces over HTTP with JSON: keeps what comes, or lets the sender wait."""

import http.server
import json
import threading


class Collector:
    """Listens on a free port; `spans` has what has come, each with the attributes of its resource."""

    def __init__(self):
        """Start to listen."""
        self.spans: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.may_answer.wait(60)
                outer.headers.append(dict(self.headers))
                for resource in body["resourceSpans"]:
                    about = flat(resource["resource"]["attributes"])
                    for scope in resource["scopeSpans"]:
                        outer.spans += [{**span, "path": self.path, "resource": about, "attributes": flat(span["attributes"])} for span in scope["spans"]]
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace_id: str) -> list[dict]:
        """The spans of a trace."""
        return [span for span in self.spans if span["traceId"] == trace_id]

    def close(self) -> None:
        """End it."""
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()


def flat(attributes: list[dict]) -> dict[str, str]:
    """Attributes as name to value."""
    return {item["key"]: next(iter(item["value"].values())) for item in attributes}
