"""An identity provider as far as a server sees one: a key at an address, and tokens of any kind that it signs."""

import base64
import http.server
import json
import threading
import time

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """A key, and its address on a port of this machine."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        number = lambda n: encode(n.to_bytes((n.bit_length() + 7) // 8, "big"))  # noqa: E731
        keys = {"keys": [{"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}]}

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(keys).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def settings(self) -> dict[str, str]:
        """The environment of a server that trusts it."""
        names = {"ISSUER": self.url, "AUDIENCE": "hawk", "CLIENT_ID": "hawk-cli", "JWKS_URI": f"{self.url}/jwks", "EMAIL_FIELD": "email"}
        return {**{f"HAWK_API_MODEL_ACCESS_TOKEN_{name}": value for name, value in names.items()},
                "HAWK_API_ADMIN_PERMISSIONS": "hawk-admin"}

    def token(self, sub: str, groups: list[str], alg: str = "RS256", kid: str = "k1", **claims) -> str:
        """A token of a person; claims and header as asked for."""
        body = {"iss": self.url, "aud": "hawk", "sub": sub, "exp": int(time.time()) + 3600, "permissions": groups, **claims}
        signed = encode(json.dumps({"alg": alg, "kid": kid, "typ": "JWT"}).encode()) + "." + encode(json.dumps(body).encode())
        if alg == "RS256":
            return f"{signed}.{encode(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
        if alg == "HS256":
            pem = self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            mac = hmac.HMAC(pem, hashes.SHA256())
            mac.update(signed.encode())
            return f"{signed}.{encode(mac.finalize())}"
        return f"{signed}."

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
