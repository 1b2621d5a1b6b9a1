"""An OpenID provider in a process of its own (tests/peers/oidc), and a person who logs in to it with a browser."""

import hashlib
import html
import http.cookiejar
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from postgres import free_port

HERE = pathlib.Path(__file__).resolve().parent / "oidc"
FILES = ("package.json", "package-lock.json", "provider.mjs")
CLIENT = "hawk-cli"


def why_not() -> str | None:
    """Return why there can be no provider here, or None."""
    return None if shutil.which("npm") and shutil.which("node") else "no node and npm are installed"


def install() -> pathlib.Path:
    """Install the pinned packages once, outside of the tree; return the folder."""
    cache = pathlib.Path(os.environ.get("HAWK_DEV_CACHE") or pathlib.Path.home() / ".cache/hawk-dev")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = cache / f"oidc-{digest}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    making = pathlib.Path(tempfile.mkdtemp(prefix="oidc-", dir=cache))
    for name in FILES:
        shutil.copy(HERE / name, making)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=making, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"npm ci: {done.stdout}{done.stderr}")
    try:
        making.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(making)
    return folder


class Provider:
    """A running provider."""

    def __init__(self, access_token_seconds: int = 3600):
        """Start it and wait until it listens."""
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            ["node", "provider.mjs", str(self.port)], cwd=install(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "ACCESS_TOKEN_SECONDS": str(access_token_seconds), "NODE_NO_WARNINGS": "1"},
        )
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
        raise RuntimeError("the identity provider does not start")

    def settings(self) -> dict[str, str]:
        """Environment variables of a server that trusts this provider."""
        names = {
            "ISSUER": self.issuer,
            "AUDIENCE": "hawk",
            "CLIENT_ID": CLIENT,
            "SCOPES": "openid email offline_access",
            "SCOPES_SUPPORTED": '["openid", "email", "offline_access"]',
            "JWKS_URI": f"{self.issuer}/jwks",
            "TOKEN_ENDPOINT": f"{self.issuer}/token",
            "AUTHORIZATION_ENDPOINT": f"{self.issuer}/auth",
            "DEVICE_AUTHORIZATION_ENDPOINT": f"{self.issuer}/device/auth",
            "REVOCATION_ENDPOINT": f"{self.issuer}/token/revocation",
            "EMAIL_FIELD": "email",
            "DEFAULT_PERMISSIONS": "model-access-public",
        }
        return {**{f"HAWK_API_MODEL_ACCESS_TOKEN_{name}": value for name, value in names.items()},
                "HAWK_API_ADMIN_PERMISSIONS": '["hawk-admin"]'}

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


class _Stop(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the provider only; another place is where the browser would end."""

    def __init__(self, origin: str):
        self.origin = origin

    def redirect_request(self, request, fp, code, message, headers, url):
        if not url.startswith(self.origin):
            raise Arrived(url)
        return super().redirect_request(request, fp, code, message, headers, url)


class Arrived(Exception):
    """The browser was sent away from the provider, to the address that is the argument."""


class Browser:
    """A person with a browser that keeps cookies and fills in the provider's forms."""

    def __init__(self, provider: Provider, user: str):
        self.user = user
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar, _Stop(provider.issuer))

    def _open(self, url: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        with self.opener.open(url, data, timeout=30) as answer:
            return answer.url, answer.read().decode()

    def _fill_in(self, url: str, page: str, **values: str) -> tuple[str, str]:
        """Submit the first form of a page."""
        form = re.search(r"<form[^>]*>.*?</form>", page, re.S)
        assert form, page
        action = re.search(r'action="([^"]*)"', form[0])
        fields = {}
        for tag in re.findall(r"<input[^>]*>", form[0]):
            name = re.search(r'name="([^"]*)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name:
                fields[name[1]] = html.unescape(value[1]) if value else ""
        fields.update(values)
        return self._open(urllib.parse.urljoin(url, html.unescape(action[1])) if action else url, fields)

    def _log_in(self, url: str, page: str) -> tuple[str, str]:
        """Answer login and consent until the provider is done."""
        for _ in range(6):
            if 'name="login"' in page:
                url, page = self._fill_in(url, page, login=self.user, password="any")
            elif 'value="consent"' in page:
                url, page = self._fill_in(url, page)
            else:
                return url, page
        raise AssertionError(page)

    def authorize(self, url: str) -> str:
        """Open an authorization address and log in; return the address where the browser ends."""
        try:
            self._log_in(*self._open(url))
        except Arrived as arrived:
            return str(arrived)
        raise AssertionError("the provider did not send the browser back")

    def enter_code(self, url: str) -> None:
        """Open a verification address with its code, confirm it and log in."""
        where, page = self._open(url)
        for _ in range(4):
            if "<form" not in page or 'name="login"' in page:
                break
            where, page = self._fill_in(where, page, confirm="yes")
        where, page = self._log_in(where, page)
        assert "Success" in page or "success" in page.lower(), page
