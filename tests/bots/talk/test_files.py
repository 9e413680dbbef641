"""Files that people send: what is fetched, from where, how much of it, and what counts as text."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from bots.talk.channel import Gone, RetryAfter, Unreachable
from bots.talk.files import LIMIT, TRIES, Unreadable, check_size, fetch, may_be_text, text_from, text_of
from tests.support.virtual_time import now, run


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\r\ntext\rhere\n", "plain\ntext\nhere\n"),
        ("한국어 中文 👍".encode(), "한국어 中文 👍"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("\ufeffUTF-16, 한글".encode("utf-16-le"), "UTF-16, 한글"),
        ("\ufeffUTF-16, 中文".encode("utf-16-be"), "UTF-16, 中文"),
        (b"", ""),
        (b"\x1b[31mcolours\x1b[0m\tof a terminal", "\x1b[31mcolours\x1b[0m\tof a terminal"),
    ],
)
def test_text_is_read_in_its_encoding(data: bytes, text: str) -> None:
    assert text_of(data) == text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\x00", "é".encode("latin-1"), b"a\x00b", b"\xff\xfe\x00\xd8x\x00"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        text_of(data)
    assert refusal.value.cause == "file_not_text"


def test_media_types_that_are_surely_no_text_are_not_even_looked_at() -> None:
    binary = "image/png audio/ogg video/mp4 application/pdf application/zip application/vnd.ms-excel application/msword"
    text = "text/plain text/x-python application/json application/octet-stream application/xml application/x-sh"
    assert not any(map(may_be_text, binary.split()))
    assert all(map(may_be_text, [*text.split(), "", None]))


def test_a_size_that_is_told_is_believed() -> None:
    check_size(None)
    check_size(LIMIT)
    with pytest.raises(Unreadable):
        check_size(LIMIT + 1)


def client(answer: httpx.Response, follow: bool = False) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda request: answer), follow_redirects=follow)


async def endless() -> AsyncIterator[bytes]:
    """More than anybody would read; fails the test if somebody does."""
    for _ in range(LIMIT // 1024 + 1):
        yield b"x" * 1024
    raise AssertionError("read on after the limit")


async def refused(browser: httpx.AsyncClient, url: str = "https://files.example/bot12345:secret/a") -> str:
    with pytest.raises(Unreadable) as refusal:
        async with browser:
            await fetch(browser, url, {"files.example"})
    assert "secret" not in repr(refusal.value)
    assert refusal.value.__cause__ is None
    return refusal.value.cause


async def test_a_file_is_fetched_up_to_the_limit_and_from_its_host_alone() -> None:
    async with client(httpx.Response(200, content=b"x" * LIMIT)) as browser:
        assert await fetch(browser, "https://files.example/a", {"files.example"}) == b"x" * LIMIT
    assert await refused(client(httpx.Response(200, content=endless()))) == "file_too_big"
    assert await refused(client(httpx.Response(200)), "https://elsewhere.example/a") == "file_unreadable"


async def test_nobody_is_sent_on() -> None:
    moved = httpx.Response(302, headers={"location": "http://127.0.0.1:1/"})
    assert await refused(client(moved)) == "file_unreadable"
    assert await refused(client(moved, follow=True)) == "file_unreadable"


async def fetched(*ends: bytes | Exception) -> tuple[str, float]:
    """The text, or why there is none, of a file whose fetching ends like this, one after the other; and the seconds."""
    coming = iter(ends)

    async def fetching() -> bytes:
        if isinstance(end := next(coming), Exception):
            raise end
        return end

    try:
        return await text_from(fetching), now()
    except Unreadable as unreadable:
        return unreadable.cause, now()


def test_a_file_is_fetched_again_after_faults_and_as_late_as_the_platform_wants() -> None:
    assert run(fetched(ConnectionError(), Unreachable(), b"text")) == ("text", 0.75)
    assert run(fetched(*[RetryAfter(30)] * TRIES, b"text")) == ("text", 180.0)
    assert run(fetched(*[ConnectionError()] * TRIES))[0] == "file_unreadable"
    assert run(fetched(Gone())) == ("file_unreadable", 0.0)


async def test_a_fault_on_the_way_may_pass_and_tells_no_secret() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to bot12345:secret")

    for faulty in (broken, lambda request: httpx.Response(502), lambda request: httpx.Response(429)):
        async with httpx.AsyncClient(transport=httpx.MockTransport(faulty)) as browser:
            with pytest.raises(ConnectionError) as fault:
                await fetch(browser, "https://files.example/bot12345:secret/a", {"files.example"})
            assert "secret" not in repr(fault.value)
            assert fault.value.__cause__ is None
    assert await refused(client(httpx.Response(404))) == "file_unreadable"
