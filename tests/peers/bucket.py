"""A bucket on a real S3 server in a process of its own (moto's)."""

import email.utils
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request

SERVER = pathlib.Path(__file__).resolve().parent / "s3_server.py"
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Bucket:
    """An empty bucket; the server takes any signature."""

    def __init__(self, name: str = "hawk-test"):
        """Start a server and make the bucket."""
        self.name = name
        self.process = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        self._put(f"/{name}", None)

    def keep_versions(self) -> None:
        """Have the bucket keep what its objects held before."""
        form = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        self._put(f"/{self.name}?versioning", form)

    def _put(self, path: str, body: bytes | None) -> None:
        headers = {"Authorization": SIGNED, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self.endpoint + path, data=body, method="PUT", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200

    @property
    def env(self) -> dict[str, str]:
        """What a program needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.endpoint,
        }

    def environment(self) -> dict[str, str]:
        """The caller's environment with this bucket's settings for AWS and no others."""
        return {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")}, **self.env}

    def put(self, key: str, body: bytes) -> str:
        """Put an object, return its address."""
        self._put(f"/{self.name}/{urllib.parse.quote(key)}", body)
        return f"s3://{self.name}/{key}"

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.endpoint + path, headers={"Authorization": SIGNED}), timeout=60) as answer:
            return answer.read()

    def get(self, key: str) -> bytes:
        """What an object holds."""
        return self._get(f"/{self.name}/{urllib.parse.quote(key)}")

    def modified(self, key: str) -> str:
        """The instant at which an object was written."""
        request = urllib.request.Request(f"{self.endpoint}/{self.name}/{urllib.parse.quote(key)}", headers={"Authorization": SIGNED}, method="HEAD")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return email.utils.parsedate_to_datetime(answer.headers["Last-Modified"]).isoformat()

    def traces(self) -> list[list[str]]:
        """Of requests that said which trace they belong to: path, traceparent, X-Amzn-Trace-Id."""
        return json.loads(self._get("/-/traces"))

    def keys(self, prefix: str) -> list[str]:
        """The first thousand keys that begin so."""
        listed = self._get(f"/{self.name}?list-type=2&prefix={urllib.parse.quote(prefix, safe='')}").decode()
        return [html.unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", listed)]

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait()
