"""Browsers at a server with a real identity provider: cookies, their renewal, and pages of other origins."""

import hashlib
import json
import threading
import urllib.parse

import pytest

import identity_provider
from conftest import Hawk
from identity_provider import Browser

pytestmark = pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not()))

ACCESS, REFRESH = "inspect_ai_access_token", "inspect_ai_refresh_token"


@pytest.fixture(scope="module")
def provider():
    """A running identity provider."""
    running = identity_provider.Provider()
    yield running
    running.close()


def serve(folder, cache, provider, **more: str) -> Hawk:
    """A server that trusts the provider."""
    it = Hawk(folder, cache)
    it.env.update(provider.settings(), **more)
    return it.start()


@pytest.fixture(scope="module")
def plain(tmp_path_factory, cache, provider):
    """A server over plain HTTP, as on one machine."""
    it = serve(tmp_path_factory.mktemp("plain"), cache, provider, HAWK_API_COOKIE_SECURE="false",
               HAWK_API_VIEWER_URL="https://viewer.example.org")
    yield it
    it.stop()


def cookies_of(headers) -> dict[str, tuple[str, set[str]]]:
    """The cookies that an answer sets: name to value and attributes."""
    found = {}
    for line in headers.get_all("Set-Cookie") or []:
        pair, *attributes = line.split("; ")
        name, value = pair.split("=", 1)
        found[name] = value, set(attributes)
    return found


def jar(cookies: dict) -> dict[str, str]:
    """The Cookie header of a browser that has these."""
    return {"Cookie": "; ".join(f"{name}={value[0]}" for name, value in cookies.items())}


def log_in(server, provider, user: str = "ada", next_page: str = "/eval-set/x?a=b"):
    """Log in as a browser does that follows the link of the page; return the cookies and the page it ends at."""
    status, headers, page = server.request("GET", next_page, headers={"Accept": "text/html"}, token="")
    link = "/auth/login?next=" + urllib.parse.quote(next_page)
    assert status == 401 and f'href="{link}"'.encode() in page
    status, headers, _ = _no_redirect(server, link)
    assert status == 302
    begun = cookies_of(headers)
    back = urllib.parse.urlsplit(Browser(provider, user).authorize(headers["Location"]))
    assert back.path == "/oauth/complete"
    status, headers, page = server.request("GET", f"{back.path}?{back.query}", headers=jar(begun), token="")
    assert status == 200, page
    return cookies_of(headers), page.decode()


def _no_redirect(server, path: str):
    """GET without following where it leads."""
    import http.client

    where = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_a_browser_logs_in_and_ends_at_the_page_it_asked_for(plain, provider):
    """Its cookies are out of reach of scripts and let it read."""
    cookies, page = log_in(plain, provider)
    assert "url=/eval-set/x?a=b" in page
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=3600"} <= cookies[ACCESS][1]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"} <= cookies[REFRESH][1]
    status, me = plain.get("/auth/me", headers=jar(cookies), token="")
    assert status == 200 and me["sub"] == "ada"


def test_a_login_that_another_browser_began_is_refused(plain, provider):
    """So nobody is logged in as somebody else by a link."""
    _, headers, _ = _no_redirect(plain, "/auth/login")
    back = urllib.parse.urlsplit(Browser(provider, "bob").authorize(headers["Location"]))
    status, headers, _ = plain.request("GET", f"{back.path}?{back.query}", token="")
    assert status == 401 and ACCESS not in cookies_of(headers)


def test_a_login_link_leads_to_no_other_place(plain, provider):
    """Only to pages of this server."""
    for path in ("//evil.example.org/", "https://evil.example.org/", "/\\evil.example.org"):
        status, headers, _ = _no_redirect(plain, "/auth/login?next=" + urllib.parse.quote(path, safe=""))
        assert status == 302
        begun = cookies_of(headers)["inspect_ai_login"][0]
        assert begun.endswith(":/")


def test_a_page_of_the_viewer_trades_a_code_for_cookies(plain, provider):
    """POST /auth/callback; the tokens are in the cookies and not in the answer."""
    verifier = "v" * 64
    challenge = identity_provider_challenge(verifier)
    redirect = plain.url + "/oauth/complete"
    query = urllib.parse.urlencode({"response_type": "code", "client_id": identity_provider.CLIENT, "redirect_uri": redirect, "state": "s",
                                    "scope": "openid email offline_access", "code_challenge": challenge, "code_challenge_method": "S256"})
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(Browser(provider, "bob").authorize(f"{provider.issuer}/auth?{query}")).query)["code"][0]
    body = {"code": code, "code_verifier": verifier, "redirect_uri": redirect}
    status, headers, answer = plain.request("POST", "/auth/callback", body, headers={"Origin": "https://viewer.example.org"}, token="")
    assert status == 200, answer
    assert json.loads(answer) == {"access_token": "", "token_type": "Bearer", "expires_in": 3600, "id_token": None}
    assert headers["Access-Control-Allow-Origin"] == "https://viewer.example.org"
    assert plain.get("/auth/me", headers=jar(cookies_of(headers)), token="")[1]["sub"] == "bob"
    status, headers, answer = plain.request("POST", "/auth/callback", body, token="")
    assert status == 401 and headers["Content-Type"] == "application/json" and "refuses" in json.loads(answer)["detail"]
    assert plain.request("POST", "/auth/callback", {"code": "x"}, token="")[0] == 422


def identity_provider_challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    import base64

    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_many_pages_renew_one_session_at_a_time(plain, provider):
    """The provider ends a login whose refresh token is used twice; here it is used once, and all get what it gave."""
    cookies, _ = log_in(plain, provider)
    home = {**jar(cookies), "Origin": plain.url}
    results = []

    def renew():
        results.append(plain.request("POST", "/auth/refresh", headers=home, token=""))

    threads = [threading.Thread(target=renew) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in results] == [200] * 6
    renewed = [cookies_of(headers) for _, headers, _ in results]
    assert len({cookies[REFRESH][0] for cookies in renewed}) == 1
    assert renewed[0][REFRESH][0] != cookies[REFRESH][0]
    answer = json.loads(results[0][2])
    assert answer["access_token"] == "" and answer["token_type"] == "Bearer" and set(answer) == {"access_token", "token_type", "expires_in"}
    again = plain.request("POST", "/auth/refresh", headers={**jar(renewed[0]), "Origin": plain.url}, token="")
    assert again[0] == 200


def test_reading_goes_on_when_the_access_token_has_ended(plain, provider):
    """The refresh token is traded on the way, for whatever the browser reads."""
    cookies, _ = log_in(plain, provider)
    only_refresh = jar({REFRESH: cookies[REFRESH]})
    status, headers, _ = plain.request("GET", "/meta/jobs", headers=only_refresh, token="")
    assert status == 200 and {ACCESS, REFRESH} <= set(cookies_of(headers))
    assert plain.request("DELETE", "/eval_sets/nothing", headers={**only_refresh, "Origin": "https://evil.example.org"}, token="")[0] == 401


def test_a_session_is_renewed_for_our_pages_only(plain, provider):
    """403 for others, 401 without a session."""
    cookies, _ = log_in(plain, provider)
    for origin in ({}, {"Origin": "https://evil.example.org"}, {"Origin": "null"}, {"Referer": "https://evil.example.org/x"}):
        status, headers, answer = plain.request("POST", "/auth/refresh", headers={**jar(cookies), **origin}, token="")
        assert status == 403 and json.loads(answer)["detail"] == "CSRF: request origin not allowed"
        assert not cookies_of(headers)
    status, headers, answer = plain.request("POST", "/auth/refresh", headers={"Origin": plain.url}, token="")
    assert status == 401 and headers["Content-Type"] == "application/json"
    gone = {"Cookie": f"{REFRESH}=gone", "Origin": plain.url}
    assert plain.request("POST", "/auth/refresh", headers=gone, token="")[0] == 401


def test_changes_by_cookie_need_an_origin_of_ours(plain, provider):
    """A page elsewhere cannot change anything in somebody's name."""
    cookies, _ = log_in(plain, provider)
    for origin, status in ((plain.url, 404), ("https://viewer.example.org", 404), ("http://localhost:5173", 404),
                           ("https://evil.example.org", 403), ("https://viewer.example.org.evil.org", 403), (None, 403)):
        head = jar(cookies) | ({"Origin": origin} if origin else {})
        assert plain.request("DELETE", "/eval_sets/nothing", headers=head, token="")[0] == status, origin


def test_a_logout_ends_the_session_at_the_provider(plain, provider):
    """Cookies go in any case; the refresh token is revoked when a page of ours asks."""
    cookies, _ = log_in(plain, provider)
    status, headers, answer = plain.request("POST", "/auth/logout", headers=jar(cookies), token="")
    assert status == 200 and json.loads(answer) == {"status": "ok"}
    assert all(value == "" and "Max-Age=0" in attributes for value, attributes in cookies_of(headers).values())
    home = {**jar(cookies), "Origin": plain.url}
    status, headers, _ = plain.request("POST", "/auth/refresh", headers=home, token="")
    assert status == 200
    last = {**jar(cookies_of(headers)), "Origin": plain.url}
    assert plain.request("POST", "/auth/logout", headers=last, token="")[0] == 200
    assert plain.request("POST", "/auth/refresh", headers=last, token="")[0] == 401


def test_pages_of_other_origins_are_told_what_they_may(plain):
    """CORS: the viewer's origin may read and ask with cookies, others get nothing."""
    ask = {"Access-Control-Request-Method": "DELETE", "Origin": "https://viewer.example.org"}
    status, headers, _ = plain.request("OPTIONS", "/eval_sets/x", headers=ask, token="")
    assert status == 200 and headers["Access-Control-Allow-Credentials"] == "true"
    assert "DELETE" in headers["Access-Control-Allow-Methods"] and "X-Inspect-View-Request" in headers["Access-Control-Allow-Headers"]
    assert plain.request("OPTIONS", "/meta/jobs", headers=ask, token="")[0] == 400
    assert plain.request("OPTIONS", "/eval_sets/x", headers={**ask, "Origin": "https://evil.example.org"}, token="")[0] == 400
    for path, origin, allowed in (("/meta/jobs", "https://viewer.example.org", True), ("/meta/jobs", "https://evil.example.org", False),
                                  ("/version", "https://viewer.example.org", False)):
        _, headers, _ = plain.request("GET", path, headers={"Origin": origin}, token="")
        assert (headers.get("Access-Control-Allow-Origin") == origin) is allowed, (path, origin)


def test_cookies_are_for_https_and_this_host_unless_it_is_said_otherwise(tmp_path, cache, provider):
    """The default of a server with a provider."""
    it = serve(tmp_path, cache, provider, HAWK_API_CORS_ALLOWED_ORIGIN_REGEX=r"https://[a-z]+\.example\.net")
    try:
        cookies, _ = log_in(it, provider)
        assert set(cookies) == {"__Host-inspect_ai_login", f"__Host-{ACCESS}", f"__Host-{REFRESH}"}
        assert all("Secure" in attributes for _, attributes in cookies.values())
        assert it.get("/auth/me", headers=jar(cookies), token="")[0] == 200
        bare = {name.removeprefix("__Host-"): value for name, value in cookies.items()}
        assert it.get("/auth/me", headers=jar(bare), token="")[0] == 401
        _, headers, _ = it.request("GET", "/meta/jobs", headers={"Origin": "https://a.example.net"}, token="")
        assert headers["Access-Control-Allow-Origin"] == "https://a.example.net"
        _, headers, _ = it.request("GET", "/meta/jobs", headers={"Origin": "http://localhost:5173"}, token="")
        assert "Access-Control-Allow-Origin" not in headers
    finally:
        it.stop()
