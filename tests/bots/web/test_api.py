"""What a page can ask for: each call, what is said when it is refused, and that nobody reaches what is another's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from bots.web.server import AddressUnusable
from core.engine import Sampling, numbered_words
from core.limits import Limits
from core.messages import Message
from tests.support.page_server import WORDING, HeldEngine, Site, answered, ask, introduced, shown, site, until


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


@pytest.fixture
async def client(here: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with here.client() as made:
        await introduced(made)
        yield made


def words(question: str) -> str:
    return numbered_words([Message("user", question)], Sampling())


def event() -> str:
    return uuid4().hex


async def test_a_question_is_answered_and_listed_under_its_words(client: httpx.AsyncClient) -> None:
    turn = await ask(client, "What is a conch?\nTell me.")
    [exchange] = await answered(client)
    assert (exchange["id"], exchange["last"], exchange["ended"]) == (turn, turn, "stop")
    assert exchange["question"] == "What is a conch?\nTell me."
    assert exchange["text"] == words(exchange["question"])
    assert exchange["notes"] == []
    [listed] = (await client.get("/api/conversations")).json()
    assert (listed["id"], listed["title"]) == ("first-one", "What is a conch? Tell me.")


async def test_the_same_event_is_one_question_even_at_the_same_moment(here: Site, client: httpx.AsyncClient) -> None:
    here.engine.hold = 3
    same = event()
    turns = await asyncio.gather(*(ask(client, "once", event=same) for _ in range(5)))
    await here.engine.holding.wait()
    here.engine.let_go()
    await answered(client)
    turns.append(await ask(client, "once", event=same))
    assert len(set(turns)) == 1
    assert len(await shown(client)) == 1
    assert len(here.engine.asked) == 1


async def test_the_same_event_from_two_people_is_two_questions(here: Site, client: httpx.AsyncClient) -> None:
    same = event()
    mine = await ask(client, "mine", event=same)
    async with here.client() as other:
        await introduced(other)
        assert await ask(other, "theirs", event=same) != mine
        assert [exchange["question"] for exchange in await answered(other)] == ["theirs"]


async def test_what_is_anothers_is_answered_like_what_never_was(here: Site, client: httpx.AsyncClient) -> None:
    here.engine.hold = 1
    running = await ask(client, "secret", "conversation-1")
    async with here.client() as other:
        await introduced(other)
        calls = {
            "regenerate": {"event": event()},
            "proceed": {"event": event()},
            "edit": {"event": event(), "text": "x"},
            "stop": {},
            "undo": {},
        }
        for turn in (running, 999_999, 2**63 - 1, 2**70):
            for name, body in calls.items():
                answer = await other.post(f"/api/turns/{turn}/{name}", json=body)
                assert answer.status_code == 404, (turn, name)
                assert answer.json() == {"cause": "not_found", "sentence": "That is not here any more."}
        for path, body in {"rename": {"title": "x"}, "persona": {"persona": "pirate"}, "remove": {}}.items():
            assert (await other.post(f"/api/conversations/conversation-1/{path}", json=body)).status_code == 404
        assert (await other.get("/api/conversations/conversation-1")).status_code == 404
        assert (await other.get("/api/conversations")).json() == []
        assert "secret" not in (await other.get("/api/export")).text
        await ask(other, "a conversation of the same name is my own", "conversation-1")
    assert [exchange["question"] for exchange in await shown(client, "conversation-1")] == ["secret"]
    assert here.chat.live(running) is not None


async def test_stop_ends_the_answer_and_keeps_what_there_is(here: Site, client: httpx.AsyncClient) -> None:
    here.engine.hold = 3
    turn = await ask(client, "long")
    await here.engine.holding.wait()
    for _ in range(2):
        assert (await client.post(f"/api/turns/{turn}/stop", json={})).status_code == 200
    [exchange] = await answered(client)
    assert exchange["ended"] == "abort"
    assert exchange["notes"] == ["Stopped."]
    assert exchange["text"] == " ".join(words("long").split()[:3])


async def test_regenerate_replaces_the_answer_once_however_often_it_is_pressed(client: httpx.AsyncClient) -> None:
    first = await ask(client, "again")
    await answered(client)
    pressed = [await client.post(f"/api/turns/{first}/regenerate", json={"event": event()}) for _ in range(2)]
    second = {answer.json()["turn"] for answer in pressed}
    assert len(second) == 1
    [exchange] = await answered(client)
    assert exchange["id"] in second
    assert exchange["question"] == "again"


async def test_an_answer_that_runs_cannot_be_done_again_yet(here: Site, client: httpx.AsyncClient) -> None:
    here.engine.hold = 1
    turn = await ask(client, "running")
    answer = await client.post(f"/api/turns/{turn}/regenerate", json={"event": event()})
    assert (answer.status_code, answer.json()["cause"]) == (409, "still_answering")


async def test_a_cut_answer_is_continued_as_one(tmp_path: Path) -> None:
    async with site(tmp_path, sampling=Sampling(max_tokens=15)) as here, here.client() as client:
        await introduced(client)
        first = await ask(client, "long words=40")
        [cut] = await answered(client)
        assert cut["ended"] == "length"
        assert "Continue" in cut["notes"][0]
        for part in (2, 3):
            answer = await client.post(f"/api/turns/{cut['last']}/proceed", json={"event": event()})
            assert answer.status_code == 200
            [cut] = await answered(client)
            assert cut["id"] == first
            assert len(cut["text"].split()) == min(15 * part, 40)
        assert cut["text"] == words("long words=40")
        assert (cut["ended"], cut["notes"]) == ("stop", [])
        answer = await client.post(f"/api/turns/{cut['last']}/proceed", json={"event": event()})
        assert (answer.status_code, answer.json()["cause"]) == (409, "nothing_to_continue")
        undone = await client.post(f"/api/turns/{first}/undo", json={})
        assert undone.json()["question"] == "long words=40"
        assert await shown(client) == []


async def test_the_page_hears_how_long_all_is_kept_and_where_the_model_is_weak(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.weak_languages = frozenset(("zh", "ko"))
    async with site(tmp_path, engine=engine, options={"retention_days": 7}) as here, here.client() as client:
        me = (await client.post("/api/session", json={}, headers={"Accept-Language": "en"})).json()
        assert me["weak"] == ["ko", "zh"]
        assert me["retention"] == WORDING("en", "privacy-retention", days=7)


async def test_an_edited_question_is_a_branch_from_there(client: httpx.AsyncClient) -> None:
    first = await ask(client, "one")
    await ask(client, "two")
    await answered(client)
    answer = await client.post(f"/api/turns/{first}/edit", json={"event": event(), "text": "uno"})
    assert answer.status_code == 200
    assert [exchange["question"] for exchange in await answered(client)] == ["uno"]
    await ask(client, "due")
    assert [exchange["question"] for exchange in await answered(client)] == ["uno", "due"]


async def test_undo_takes_back_only_the_newest_and_only_once(client: httpx.AsyncClient) -> None:
    turns = [await ask(client, text) for text in ("one", "two")]
    await answered(client)
    assert (await client.post(f"/api/turns/{turns[0]}/undo", json={})).json() == {"question": None}
    for expected in ("two", None):
        assert (await client.post(f"/api/turns/{turns[1]}/undo", json={})).json() == {"question": expected}
    assert [exchange["question"] for exchange in await shown(client)] == ["one"]


async def test_undo_pressed_many_times_at_the_same_moment_is_once(here: Site, client: httpx.AsyncClient) -> None:
    for text in ("one", "two"):
        await ask(client, text)
    await answered(client)
    here.engine.hold = 1
    turn = await ask(client, "three")
    await here.engine.holding.wait()
    presses = await asyncio.gather(*(client.post(f"/api/turns/{turn}/undo", json={}) for _ in range(8)))
    assert sorted(str(press.json()["question"]) for press in presses) == [*["None"] * 7, "three"]
    assert [exchange["question"] for exchange in await shown(client)] == ["one", "two"]


async def test_conversations_are_renamed_and_removed(client: httpx.AsyncClient) -> None:
    await ask(client, "one", "conversation-1")
    await ask(client, "two", "conversation-2")
    await answered(client, "conversation-2")
    await client.post("/api/conversations/conversation-1/rename", json={"title": "A better name"})
    await client.post("/api/conversations/conversation-2/remove", json={})
    assert [one["title"] for one in (await client.get("/api/conversations")).json()] == ["A better name"]
    assert (await client.get("/api/conversations/conversation-2")).status_code == 404


async def test_a_persona_answers_from_the_first_question_or_from_later_on(
    here: Site, client: httpx.AsyncClient
) -> None:
    body = {"text": "ahoy", "event": event(), "persona": "pirate"}
    await client.post("/api/conversations/first-one/send", json=body)
    await answered(client)
    assert here.engine.asked[-1][0] == Message("system", "Speak like a pirate.")
    assert (await client.get("/api/conversations")).json()[0]["persona"] == "pirate"
    await client.post("/api/conversations/first-one/persona", json={"persona": "assistant"})
    await ask(client, "good day")
    await answered(client)
    assert here.engine.asked[-1][0].role == "user"
    for name, where in (("nobody", "first-one"), ("pirate", "not-there-yet")):
        answer = await client.post(f"/api/conversations/{where}/persona", json={"persona": name})
        assert answer.status_code == 404
    body = {"text": "ahoy", "event": event(), "persona": "nobody"}
    assert (await client.post("/api/conversations/first-one/send", json=body)).status_code == 404
    assert len((await client.get("/api/conversations")).json()) == 1


async def test_the_language_of_the_page_is_that_of_the_answer_and_of_its_notes(
    here: Site, client: httpx.AsyncClient
) -> None:
    here.engine.hold = 1
    client.headers["Accept-Language"] = "ko"
    turn = await ask(client, "안녕하세요")
    await client.post(f"/api/turns/{turn}/stop", json={})
    reply = await here.chat.reply(turn, str((await client.post("/api/session", json={})).json()["user"]))
    assert reply.turn.language == "ko"
    assert (await shown(client))[0]["notes"] == ["중지했습니다."]
    assert (await client.post("/api/language", json={"language": "zh"})).status_code == 200
    turn = await ask(client, "你好")
    assert (await here.chat.reply(turn, reply.turn.user)).turn.language == "zh"
    assert (await client.post("/api/language", json={"language": "tlh"})).status_code == 400


async def test_everything_can_be_downloaded_and_forgotten(here: Site, client: httpx.AsyncClient) -> None:
    await ask(client, "remember the 소라")
    await answered(client)
    answer = await client.get("/api/export")
    assert answer.headers["content-disposition"].startswith('attachment; filename="conch-')
    assert "remember the 소라" in answer.text
    assert json.loads(answer.text)
    same = event()
    here.engine.hold = 1
    await ask(client, "and this that runs", "another-one", same)
    await here.engine.holding.wait()
    forgotten = (await client.post("/api/forget", json={})).json()
    assert forgotten == {"count": 2, "sentence": "Deleted: 2 questions with their answers."}
    assert (await client.get("/api/conversations")).json() == []
    assert "소라" not in (await client.get("/api/export")).text
    await ask(client, "and this that runs", "another-one", same)
    assert len(here.engine.asked) == 2, "what was forgotten is not answered again"


# Refusals.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"text": "x"}, 400),
        ({"event": "e" * 32}, 400),
        ({"text": "x", "event": "short"}, 400),
        ({"text": "x", "event": "e" * 65}, 400),
        ({"text": "x", "event": "with spaces and so on"}, 400),
        ({"text": 1, "event": "e" * 32}, 400),
        ({"text": None, "event": "e" * 32}, 400),
        ({"text": "  \n ", "event": "e" * 32}, 422),
    ],
)
async def test_a_question_without_form_is_refused(client: httpx.AsyncClient, body: object, status: int) -> None:
    answer = await client.post("/api/conversations/first-one/send", json=body)
    assert answer.status_code == status
    assert answer.json()["sentence"]
    assert (await client.get("/api/conversations")).json() == []


@pytest.mark.parametrize(
    "name", ["short", "with%20space", "UPPERCASE-1", "x" * 65, "a%2f..%2fb-c-d-e", "%ea%b0%80" * 9]
)
async def test_a_conversation_without_form_is_refused(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post(f"/api/conversations/{name}/send", json={"text": "x", "event": event()})
    assert answer.status_code in (400, 404)
    assert (await client.get(f"/api/stream?conversation={name}")).status_code == 400


async def test_halves_of_characters_and_nul_do_no_harm(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    body = r'{"text": "a\ud83d b\u0000c", "event": "EVENT"}'.replace("EVENT", event())
    assert (await client.post("/api/conversations/first-one/send", content=body, headers=headers)).status_code == 200
    assert (await answered(client))[0]["question"] == "a? b\ufffdc"


async def test_a_refusal_says_why_and_how_long_and_keeps_nothing(tmp_path: Path) -> None:
    limits = Limits(messages_per_minute=1, tokens_per_day=0, characters=10)
    async with site(tmp_path, limits=limits) as here, here.client() as client:
        await introduced(client)
        body = {"text": "x" * 11, "event": event()}
        answer = await client.post("/api/conversations/first-one/send", json=body)
        assert (answer.status_code, answer.json()["cause"]) == (413, "too_long_characters")
        assert "10" in answer.json()["sentence"]
        await ask(client, "one")
        await answered(client)
        body = {"text": "two", "event": event()}
        headers = {"Accept-Language": "zh-CN"}
        answer = await client.post("/api/conversations/first-one/send", json=body, headers=headers)
        assert (answer.status_code, answer.json()["cause"]) == (429, "too_fast")
        assert "1 分钟" in answer.json()["sentence"] or "秒" in answer.json()["sentence"]
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert len(await shown(client)) == 1


async def test_a_full_line_and_a_shutdown_are_said(tmp_path: Path) -> None:
    async with site(tmp_path, waiting=1, load=False) as here, here.client() as client:
        await introduced(client)
        await ask(client, "one")
        body = {"text": "two", "event": event()}
        answer = await client.post("/api/conversations/first-one/send", json=body)
        assert (answer.status_code, answer.json()["cause"]) == (429, "queue_full")
        await here.chat.drain(0)
        answer = await client.post("/api/conversations/first-one/send", json=body)
        assert (answer.status_code, answer.json()["cause"]) == (503, "shutting_down")


async def test_what_breaks_is_said_without_what_broke(here: Site, client: httpx.AsyncClient) -> None:
    async def broken(user: str) -> dict[str, object]:
        raise RuntimeError("secret text")

    here.chat.export = broken
    answer = await client.get("/api/export")
    assert answer.status_code == 500
    assert answer.json() == {"cause": "failed", "sentence": "Sorry, something went wrong. Please try again."}


# Files and states.


async def test_files_are_asked_for_again_only_when_they_have_changed(here: Site, client: httpx.AsyncClient) -> None:
    for path in ("/", "/app.js", "/style.css", "/conch.svg"):
        first = await client.get(path)
        assert first.status_code == 200
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for path in ("/index.html", "/web.py", "/../web.py", "/%2e%2e/web.py", "/static/", "/api", "/api/"):
        assert (await client.get(path)).status_code == 404


async def test_the_words_are_there_in_every_language(client: httpx.AsyncClient) -> None:
    found = {code: (await client.get("/words", params={"language": code})).json() for code in ("en", "ko", "zh")}
    assert [said["language"] for said in found.values()] == ["en", "ko", "zh"]
    assert found["en"]["words"].keys() == found["ko"]["words"].keys() == found["zh"]["words"].keys()
    assert "{title}" in found["ko"]["words"]["web-delete-sure"]
    said = (await client.get("/words?language=tlh", headers={"Accept-Language": "fr, zh-TW;q=0.5"})).json()
    assert said["language"] == "zh"


async def test_readiness_is_told(tmp_path: Path) -> None:
    async with site(tmp_path, load=False) as here, here.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["engine"]) == (503, "loading")


async def test_figures_have_no_names(here: Site, client: httpx.AsyncClient) -> None:
    await ask(client, "secret")
    await answered(client)
    figures = await client.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'conch_accepted_total{kind="send"} 1.0' in figures.text
    assert "web:" not in figures.text


async def test_a_port_in_use_is_said_in_one_sentence(here: Site, tmp_path: Path) -> None:
    with pytest.raises(AddressUnusable, match=f"Port {here.web.port} on 127.0.0.1 is in use"):
        async with site(tmp_path / "other", options={"port": here.web.port}):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-name.invalid"])
async def test_an_address_that_is_not_ours_is_said(tmp_path: Path, host: str) -> None:
    with pytest.raises(AddressUnusable, match=r"web\.host"):
        async with site(tmp_path, options={"host": host}):
            pass


async def test_what_was_accepted_before_a_shutdown_is_there_after_it(tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.hold = 2
    async with site(tmp_path, engine=engine) as here, here.client() as client:
        await introduced(client)
        await ask(client, "survive")
        await engine.holding.wait()
        cookies = client.cookies
    async with site(tmp_path) as here, here.client() as client:
        client.cookies = cookies
        [exchange] = await answered(client)
        assert exchange["text"] == words("survive")
        await until(lambda: here.gate.running == 0)
