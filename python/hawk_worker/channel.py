"""Inspect's control channel of this very process: HTTP over a socket in the file system, where the installed version has it
(`inspect ctl` speaks the same). Old versions have none; what they can do without is in commands.py.
"""

import http.client
import json
import os
import socket
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]

ANSWER_MAX = 4 << 20
TIMEOUT = 10.0
HTTP_OK = 200


class ChannelError(Exception):
    """The channel is not there, does not answer, or refuses; the text says which."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("inspect", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def is_known() -> bool:
    """Whether the installed Inspect has a control channel."""
    try:
        import inspect_ai._control.discovery  # noqa: F401
    except ImportError:
        return False
    return True


def ask(method: str, path: str, **query: Any) -> Any:
    """Sends one request; returns the answer, read.

    Raises:
        ChannelError: with the channel's own words when it refuses.
    """
    from inspect_ai._control.discovery import default_socket_path

    connection = _Connection(str(default_socket_path(os.getpid())))
    given = {key: value for key, value in query.items() if value is not None}
    try:
        connection.request(method, f"{path}?{urlencode(given)}" if given else path)
        answer = connection.getresponse()
        body = json.loads(answer.read(ANSWER_MAX) or b"null")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChannelError(f"Inspect's control channel does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if answer.status != HTTP_OK:
        reason = body.get("error") if isinstance(body, dict) else None
        raise ChannelError(str(reason or f"Inspect's control channel answers with {answer.status}"))
    return body
