"""Who may call the page: by which name, from which page, with how much; and what goes with every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.web.guard import LONGEST_BODY, names
from core.limits import Limits
from tests.support.page_server import Site, introduced, site


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    options = {"hosts": ("chat.example.org", "other.example:444"), "key": "never", "characters": 8000}
    async with site(tmp_path, options=options) as made:
        yield made


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "chat.example.org"])
async def test_our_names_are_answered(here: Site, name: str) -> None:
    async with here.client() as client:
        answer = await client.get("/", headers={"Host": f"{name}:{here.web.port}"})
        assert answer.status_code == 200


async def test_a_configured_name_may_have_its_own_port_or_none(here: Site) -> None:
    async with here.client() as client:
        for host, status in {"chat.example.org": 200, "other.example:444": 200, "other.example": 403}.items():
            assert (await client.get("/", headers={"Host": host})).status_code == status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", "a\tb"])
async def test_any_other_name_is_refused_with_what_to_do(here: Site, host: str) -> None:
    async with here.client() as client:
        for path in ("/", "/app.js", "/words", "/api/conversations", "/metrics"):
            answer = await client.get(path, headers={"Host": host})
            assert answer.status_code == 403
            assert "web.hosts" in answer.text


@pytest.mark.parametrize("hosts", ["", "Host:\r\n", "Host: {mine}\r\nHost: evil.example\r\n"])
async def test_no_name_or_two_names_are_none(here: Site, hosts: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", here.web.port)
    head = hosts.format(mine=f"127.0.0.1:{here.web.port}")
    writer.write(f"GET /words HTTP/1.{int(bool(hosts))}\r\n{head}Connection: close\r\n\r\n".encode())
    status = (await reader.readline()).split()[1]
    writer.close()
    assert status in (b"400", b"403")


async def test_probes_are_answered_under_any_name(here: Site) -> None:
    async with here.client() as client:
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path, headers={"Host": "10.1.2.3"})).status_code == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://localhost", "ftp://{host}", "{host}"]
)
async def test_a_change_must_come_from_our_own_page(here: Site, origin: str | None) -> None:
    async with here.client() as client:
        del client.headers["Origin"]
        headers = {} if origin is None else {"Origin": origin.format(host=f"127.0.0.1:{here.web.port}")}
        answer = await client.post("/api/session", json={}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["cause"] == "foreign-page"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("site_", ["cross-site", "same-site"])
async def test_what_the_browser_calls_foreign_is_refused(here: Site, site_: str) -> None:
    async with here.client(**{"Sec-Fetch-Site": site_}) as client:
        assert (await client.post("/api/session", json={})).status_code == 403
        assert (await client.get("/api/conversations")).status_code == 403
        assert (await client.get("/")).status_code == 200, "a link from elsewhere may lead here"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_change_must_be_json(here: Site, kind: str) -> None:
    async with here.client() as client:
        answer = await client.post("/api/session", content="{}", headers={"Content-Type": kind})
        assert answer.status_code == 415


@pytest.mark.parametrize("body", ["", "[]", "nonsense", '"x"', "{", "\xff", "[" * 50_000])
async def test_a_body_that_is_no_object_is_refused(here: Site, body: str) -> None:
    async with here.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/api/session", content=body.encode("latin-1"), headers=headers)
        assert answer.status_code == 400
        assert answer.json()["sentence"]


async def test_a_body_is_bounded_whether_it_says_its_length_or_not(here: Site) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LONGEST_BODY // 1000 + 2):
            yield b" " * 1000

    async with here.client() as client:
        headers = {"Content-Type": "application/json"}
        assert (
            await client.post("/api/session", content=b" " * (LONGEST_BODY + 1), headers=headers)
        ).status_code == 413
        assert (await client.post("/api/session", content=chunks(), headers=headers)).status_code == 413


@pytest.mark.parametrize("characters", [8000, 100_000, 0])
async def test_the_longest_question_fits_into_a_call_in_every_script(tmp_path: Path, characters: int) -> None:
    limits = Limits(messages_per_minute=0, tokens_per_day=0, characters=characters)
    options = {"characters": characters}
    text = "🐚" * (characters or 200_000)
    async with site(tmp_path, options=options, limits=limits) as here, here.client() as client:
        assert (await client.post("/api/session", json={})).status_code == 200
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"event": "an-event-of-16-letters", "text": text}, ensure_ascii=False).encode()
        answer = await client.post("/api/conversations/question-0001/send", content=body, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_headers_are_bounded(here: Site) -> None:
    async with here.client() as client:
        for length, status in {8_000: {200}, 20_000: {431}, 300_000: {400, 431}}.items():
            assert (await client.get("/", headers={"X-Long": "x" * length})).status_code in status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_there_are_no_other_methods(here: Site, method: str) -> None:
    async with here.client() as client:
        assert (await client.request(method, "/api/session")).status_code == 405


async def test_whatever_goes_out_carries_the_policy(here: Site) -> None:
    async with here.client() as client:
        await introduced(client)
        for path in ("/", "/app.js", "/conch.svg", "/words", "/healthz", "/api/conversations", "/no/such/page"):
            headers = (await client.get(path)).headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["frame-ancestors"] == "'none'"
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
            assert "server" not in headers
            if path.startswith("/api/"):
                assert headers["cache-control"] == "no-store"


async def test_refusals_speak_the_pages_language(here: Site) -> None:
    async with here.client() as client:
        for language, word in {"ko-KR": "페이지", "zh-TW": "页面", "fr": "page"}.items():
            answer = await client.get("/api/conversations", headers={"Accept-Language": language})
            assert answer.status_code == 401
            assert word in answer.json()["sentence"]


def test_names_are_loopbacks_the_hosts_own_and_those_configured() -> None:
    assert names("192.0.2.7", 80, ["Chat.Example"]) == {
        *("127.0.0.1", "127.0.0.1:80", "localhost", "localhost:80", "[::1]", "[::1]:80"),
        *("192.0.2.7", "192.0.2.7:80", "chat.example", "chat.example:80"),
    }
    assert "[2001:db8::1]:8765" in names("2001:db8::1", 8765, [])
