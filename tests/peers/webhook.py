"""A receiver of webhooks: checks each message's signature as Standard Webhooks says, and answers as it is told."""

import base64
import hashlib
import hmac
import http.server
import json
import threading


class Webhook:
    """Listens on a free port; `messages` has what has come: headers, body, and whether the signature is right."""

    def __init__(self, secret: str):
        """Start to listen; messages are signed with this secret ("whsec_...")."""
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.messages: list[dict] = []
        self.answers: list[int] = []  # statuses of the next answers; then 204
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 204
                outer.messages.append({"id": self.headers["Webhook-Id"], "body": json.loads(body), "status": status, "is_signed": outer.is_signed(self.headers, body)})
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def is_signed(self, headers, body: bytes) -> bool:
        """Whether the signature is of this id, time and body."""
        signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(headers["Webhook-Signature"] or "", wanted)

    def taken(self) -> list[dict]:
        """The messages that were taken."""
        return [message for message in self.messages if message["status"] == 204]

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
