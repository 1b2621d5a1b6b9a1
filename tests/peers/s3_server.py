"""Run moto's S3 on a free port and print the port.

It is the server of `moto_server` but for one thing: requests are answered one after the other, because moto looks
whether an object exists and writes it in two steps, which S3 does in one. GET /-/traces says what requests said of the traces that
they belong to: [path, traceparent, X-Amzn-Trace-Id].
"""

import json
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class OneAtATime:
    """A WSGI application whose calls do not overlap."""

    def __init__(self, application):
        self.application = application
        self.lock = threading.Lock()
        self.traces = []

    def __call__(self, environ, start_response):
        with self.lock:
            if environ["PATH_INFO"] == "/-/traces":
                start_response("200 OK", [("Content-Type", "application/json")])
                return [json.dumps(self.traces).encode()]
            if trace := environ.get("HTTP_TRACEPARENT"):
                self.traces.append([environ["PATH_INFO"], trace, environ.get("HTTP_X_AMZN_TRACE_ID")])
            return [b"".join(self.application(environ, start_response))]


class Quiet(WSGIRequestHandler):
    """Keeps connections open and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_args):
        pass


server = make_server("127.0.0.1", 0, OneAtATime(DomainDispatcherApplication(create_backend_app)), threaded=True, request_handler=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
