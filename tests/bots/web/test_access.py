"""Sessions, the access key, and whose address counts: who somebody is to the page, and how often they may try."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import Headers

from bots.web.access import Allowance, Cookies, Proxies, kept_key, make_key
from core.errors import StoreError
from tests.support.page_server import Site, ask, introduced, site
from tests.support.whole_core import Clock


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        answer = await client.post("/api/session", json={})
        cookie = answer.headers["set-cookie"]
        value = cookie.partition("=")[2].partition(";")[0]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
        assert answer.json()["user"] == "web:" + hashlib.sha256(value.encode()).hexdigest()[:32]
        assert (await client.post("/api/session", json={})).json()["user"] == answer.json()["user"], "the same again"


async def test_a_page_opened_from_elsewhere_gets_no_new_session(tmp_path: Path) -> None:
    """Browsers keep a strict cookie back there; setting one then would replace it."""
    async with site(tmp_path) as here, here.client() as client:
        assert "set-cookie" not in (await client.get("/")).headers


async def test_a_session_lasts_over_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        user = await introduced(client)
        cookies = client.cookies
    async with site(tmp_path) as here, here.client() as client:
        client.cookies = cookies
        assert await introduced(client) == user


@pytest.mark.parametrize("change", [lambda v: v[:-1] + "x", lambda v: "~" + v[1:], lambda v: v.partition(".")[0]])
async def test_a_session_that_we_did_not_make_is_none(tmp_path: Path, change: Callable[[str], str]) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        [(name, value)] = client.cookies.items()
        client.cookies.clear()
        answer = await client.get("/api/conversations", headers={"Cookie": f"{name}={change(value)}"})
        assert answer.status_code == 401
        assert answer.json()["cause"] == "session-needed"


async def test_behind_ones_own_tls_the_cookies_are_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    options = {"hosts": ("chat.example.org",), "trusted_proxies": ("127.0.0.1",), "key": "never"}
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "chat.example.org",
        "Origin": "https://chat.example.org",
    }
    async with site(tmp_path, options=options) as here, here.client(**forwarded) as client:
        answer = await client.post("/api/session", json={})
        assert answer.status_code == 200
        assert answer.headers["set-cookie"].startswith("__Host-conch_")
        assert "; Secure" in answer.headers["set-cookie"]
        answer = await client.post("/api/session", json={}, headers={"Origin": "http://chat.example.org"})
        assert answer.status_code == 403, "a page without TLS is not ours"


async def test_nobody_elses_forwarded_headers_are_believed(tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example.org"}
    options = {"hosts": ("chat.example.org",), "key": "never"}
    async with site(tmp_path, options=options) as here, here.client(**forwarded) as client:
        answer = await client.post("/api/session", json={})
        assert "Secure" not in answer.headers["set-cookie"]


async def test_new_sessions_are_limited_by_address(tmp_path: Path) -> None:
    options = {"sessions_per_hour": 2, "trusted_proxies": ("127.0.0.0/8",), "key": "never"}
    async with site(tmp_path, options=options) as here:

        async def new(address: str) -> httpx.Response:
            async with here.client(**{"X-Forwarded-For": address}) as client:
                return await client.post("/api/session", json={})

        assert [(await new("1.2.3.4")).status_code for _ in range(2)] == [200, 200]
        refused = await new("6.6.6.6, 1.2.3.4")
        assert refused.status_code == 429, "what a visitor claims in front of it does not help"
        assert refused.json()["cause"] == "too-many-sessions"
        assert int(refused.headers["retry-after"]) > 3000
        assert (await new("1.2.3.5")).status_code == 200
        assert (await new("2001:db8:0:1::1")).status_code == 200
        assert (await new("2001:db8:0:1::2")).status_code == 200
        assert (await new("2001:db8:0:1::3")).status_code == 429, "one network of 64 bits is one visitor"


def test_an_allowance_comes_back_and_forgets_strangers() -> None:
    clock = Clock(0.0)
    allowance = Allowance(2, 60.0, clock)
    for address in ("10.0.0.1", "10.0.0.1", *(f"10.1.{i // 250}.{i % 250}" for i in range(10_000))):
        allowance.count(address)
    assert allowance.wait("10.0.0.1") == 0.0, "the stalest is dropped before the table grows"
    allowance.count("10.0.0.2")
    clock.now = 20.0
    allowance.count("10.0.0.2")
    assert allowance.wait("10.0.0.2") == 40.0
    assert allowance.wait("::ffff:10.0.0.2") == 40.0
    clock.now = 60.0
    assert allowance.wait("10.0.0.2") == 0.0
    assert Allowance(0, 60.0, clock).wait("10.0.0.2") == 0.0


def test_the_client_is_the_last_that_is_no_proxy_of_ours() -> None:
    def address(peer: str, *forwarded: str) -> str:
        headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
        scope = {"type": "http", "client": (peer, 1), "server": ("10.0.0.1", 80), "headers": headers, "scheme": "http"}
        return Proxies(["10.0.0.0/8", "2001:db8::/32"]).caller(scope).address

    assert address("8.8.8.8", "1.1.1.1") == "8.8.8.8"
    assert address("10.0.0.9", "1.1.1.1") == "1.1.1.1"
    assert address("10.0.0.9", "1.1.1.1, 2.2.2.2, 10.0.0.8") == "2.2.2.2"
    assert address("::ffff:10.0.0.9", "1.1.1.1", "2.2.2.2") == "2.2.2.2"
    assert address("10.0.0.9", "nonsense") == "nonsense"
    assert address("10.0.0.9") == "10.0.0.9"
    assert address("2001:db8::5", "10.0.0.3") == "10.0.0.3"


# The access key.


def abroad(tmp_path: Path) -> AbstractAsyncContextManager[Site]:
    """A house that listens on every address."""
    return site(tmp_path, options={"host": "0.0.0.0"})


def guest(here: Site) -> httpx.AsyncClient:
    """A browser that comes in by the loopback, whatever address the house prefers to print."""
    origin = f"http://127.0.0.1:{here.web.port}"
    client = here.client(Origin=origin)
    client.base_url = origin
    return client


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, False),
        ({"key": "always"}, True),
        ({"hosts": ("chat.example.org",)}, True),
        ({"trusted_proxies": ("127.0.0.1",)}, True),
        ({"hosts": ("chat.example.org",), "trusted_proxies": ("127.0.0.1",), "key": "never"}, False),
    ],
)
async def test_on_a_loopback_the_key_is_asked_for_as_soon_as_others_may_come(
    tmp_path: Path, options: dict[str, object], asked: bool
) -> None:
    async with site(tmp_path, options=options) as here, here.client() as client:
        assert (await client.post("/api/session", json={})).status_code == (401 if asked else 200)
        assert (here.web.key is not None) == asked


async def test_beyond_this_machine_the_key_is_asked_for(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here, guest(here) as client:
        for path in ("/", "/app.js", "/words", "/healthz", "/readyz"):
            assert (await client.get(path)).status_code == 200, path
        for path in (
            "/metrics",
            "/api/conversations",
            "/api/conversations/first-one",
            "/api/stream",
            "/api/export",
        ):
            assert (await client.get(path)).status_code == 401, path
        answer = await client.post("/api/session", json={})
        assert answer.status_code == 401
        assert answer.json()["cause"] == "key-needed"
        assert "set-cookie" not in answer.headers
        for path in ("/api/forget", "/api/turns/1/stop", "/api/conversations/first-one/send"):
            assert (await client.post(path, json={})).status_code == 401, path


async def test_the_invitation_lets_a_browser_in_and_leaves_the_address_bar(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here:
        assert here.web.new
        key = re.fullmatch(r"http://[^/]+/\?key=([\w-]{43})", here.web.invitation)
        assert key
        async with guest(here) as client:
            answer = await client.get("/", params={"key": key[1]})
            assert answer.status_code == 303
            assert answer.headers["location"] == "/"
            assert "HttpOnly" in answer.headers["set-cookie"]
            assert key[1] not in answer.headers["set-cookie"]
            await introduced(client)
            assert await ask(client, "hello") == 1
            assert (await client.get("/metrics")).status_code == 200


async def test_the_key_can_be_typed_and_shown_by_a_machine(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here, guest(here) as client:
        assert (await client.post("/api/key", json={"key": here.web.key})).status_code == 200
        await introduced(client)
        async with guest(here) as client:
            headers = {"Authorization": f"Bearer {here.web.key}"}
            assert "conch_queue_length" in (await client.get("/metrics", headers=headers)).text
            assert (await client.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_wrong_keys_are_limited_and_keep_nobody_out_who_has_the_right_one(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here, guest(here) as client:
        for key in ("", "x", None, 1, *"abcdef"):
            answer = await client.post("/api/key", json={"key": key})
            assert (answer.status_code, answer.json()["cause"]) == (403, "key-wrong")
        answer = await client.post("/api/key", json={"key": "x"})
        assert (answer.status_code, answer.json()["cause"]) == (429, "too-many-keys")
        answer = await client.get("/", params={"key": "x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/#too-many-keys")
        answer = await client.get("/", params={"key": str(here.web.key)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await client.post("/api/key", json={"key": here.web.key})).status_code == 200


async def test_the_key_is_kept_for_the_owner_alone_and_for_the_next_start(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here:
        key = here.web.key
    assert kept_key(tmp_path) == key
    for name in ("access-key", "web-secret"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    async with abroad(tmp_path) as here:
        assert (here.web.key, here.web.new) == (key, False)


async def test_on_this_machine_alone_there_is_no_key(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        assert here.web.key is None
        assert here.web.invitation == here.web.address
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/", params={"key": "x"})).status_code == 303
    assert kept_key(tmp_path) is None


async def test_the_address_of_the_connection_is_a_name_of_ours(tmp_path: Path) -> None:
    async with abroad(tmp_path) as here, guest(here) as client:
        for host in (f"127.0.0.1:{here.web.port}", f"localhost:{here.web.port}"):
            assert (await client.get("/", headers={"Host": host})).status_code == 200
        assert (await client.get("/", headers={"Host": f"127.0.0.2:{here.web.port}"})).status_code == 403


def test_a_key_that_others_could_read_is_closed_and_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    key, new = make_key(tmp_path)
    assert new
    (tmp_path / "access-key").chmod(0o644)
    assert make_key(tmp_path) == (key, False)
    assert stat.S_IMODE((tmp_path / "access-key").stat().st_mode) == 0o600
    with pytest.raises(StoreError, match="access-key"):
        make_key(tmp_path / "nowhere")
    (tmp_path / "access-key").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="access-key"):
        kept_key(tmp_path)


def test_two_houses_on_one_machine_do_not_take_each_others_cookies(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Cookies(tmp_path / "a", None), Cookies(tmp_path / "b", None)
    value, session = one.new_session()
    name = one.session_header(Headers(), value, secure=False).partition("=")[0]
    assert one.session(Headers({"cookie": f"{name}={value}"}), secure=False) == session
    name = other.session_header(Headers(), value, secure=False).partition("=")[0]
    assert other.session(Headers({"cookie": f"{name}={value}"}), secure=False) is None
