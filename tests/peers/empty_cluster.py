"""What the Python hawk's server wants around it and cannot be had here: a cluster, in which there is nothing, and a
registry of models. Both answer on one port of the loopback."""

import http.server
import json
import pathlib
import threading
import urllib.parse


class _Handler(http.server.BaseHTTPRequestHandler):
    """Lists without items; groups of models."""

    protocol_version = "HTTP/1.1"
    groups: dict[str, str] = {}

    def do_GET(self):
        """Answer any question."""
        url = urllib.parse.urlparse(self.path)
        if url.path == "/model_groups":
            asked = urllib.parse.parse_qs(url.query).get("model", [])
            answer = {"groups": {name: self.groups[name] for name in asked if name in self.groups}, "labs": {}, "dead": [], "providers": {}}
        elif url.path == "/apis":
            answer = {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
        else:
            answer = {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


class Cluster:
    """The stand-in, in a thread of this process."""

    def __init__(self, groups: dict[str, str], folder: pathlib.Path):
        """Start it; folder gets a kubeconfig."""
        handler = type("Handler", (_Handler,), {"groups": groups})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}], "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(config))

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
