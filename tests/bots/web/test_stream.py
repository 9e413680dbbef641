"""How an open page follows what happens: whole at first, then only what is new, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import httpx

from bots.text.html import Renderer
from bots.web.feed import LONG, Feed, Viewer
from bots.web.stream import MOST_STREAMS
from bots.web.view import LiveView, exchanges
from core.messages import Turn
from tests.support.page_server import WORDING, Events, HeldEngine, Site, answered, ask, introduced, site, stream, until

SAY = WORDING.bind("en")


class Page:
    """What a page has drawn, by the rules that the page's script follows."""

    def __init__(self) -> None:
        self.exchanges: list[dict[str, Any]] = []
        self.blocks: dict[int, list[str]] = {}
        self.states: list[str] = []
        self.mark = ""

    def hear(self, name: str, data: Any) -> None:
        if name == "path":
            self.exchanges = [*self.exchanges[: data["keep"]], *data["exchanges"]]
            self.mark = data["mark"]
            for view in data["exchanges"]:
                if not view["live"]:
                    self.blocks[view["id"]] = view["blocks"]
        elif name == "answer":
            old = self.blocks.setdefault(data["id"], [])
            new = list(data["blocks"])
            if new and data["same"]:
                units = old[data["from"]].encode("utf-16-le")[: 2 * data["same"]]
                new[0] = units.decode("utf-16-le") + new[0]
            self.blocks[data["id"]] = [*old[: data["from"]], *new]
            self.states.append(data["state"])

    async def follow(self, events: Events, count: int = 1) -> None:
        """Until there are so many exchanges and none waits or runs any more."""
        while len(self.exchanges) < count or any(view["live"] for view in self.exchanges):
            self.hear(*await events.next())


async def test_a_page_gets_everything_and_then_what_changes(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        await ask(client, "one")
        await answered(client)
        async with stream(client) as events:
            assert (await events.next())[0] == "hello"
            name, listed = await events.next()
            assert (name, [one["title"] for one in listed]) == ("list", ["one"])
            name, path = await events.next()
            assert (name, path["keep"], [view["question"] for view in path["exchanges"]]) == ("path", 0, ["one"])
            await ask(client, "two")
            _, path = await events.next("path")
            assert (path["keep"], [view["question"] for view in path["exchanges"]]) == (1, ["two"])


async def test_a_growing_answer_is_the_whole_answer_in_the_end(tmp_path: Path) -> None:
    text = (
        "# 제목 🐚\n\nwords 🐚🐚 and **more**\n\n```py\nprint('🐚')\n```\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n- x\n- y\n"
    )
    engine = HeldEngine(delay=0.002)
    async with site(tmp_path, engine=engine, options={"pace": 0.003}) as here, here.client() as client:
        await introduced(client)
        page = Page()
        async with stream(client) as events:
            turn = await ask(client, f"echo {text}")
            await page.follow(events)
        assert len(page.states) > 3, "it grew"
        assert page.blocks[turn] == list(Renderer().blocks(text))
        assert page.exchanges[0]["text"] == text


async def test_only_the_changed_end_is_sent() -> None:
    class Growing:
        text, queued = "", None

    turn = _turn(1)
    reply = Growing()
    view = LiveView(exchanges([turn])[0], reply, Renderer())
    page, sent, text = Page(), 0, "a line of words 🐚 that goes on and on. " * 40
    for end in range(0, len(text), 7):
        reply.text = text[:end]
        if change := view.change(SAY):
            sent += sum(len(block) for block in change["blocks"])
            page.hear("answer", change)
    assert page.blocks[1] == list(Renderer().blocks(text[:end]))
    assert sent < 2 * len(text)
    assert view.change(SAY) is None


async def test_what_takes_long_to_draw_holds_up_nobody(tmp_path: Path) -> None:
    """A list is parsed from its start at each look: a long one apart from the loop."""
    parsed: list[tuple[int, bool]] = []

    class Watched(Renderer):
        def parse(self, text: str, env: dict[str, Any]) -> list[tuple[int, str]]:
            parsed.append((len(text), current_thread() is main_thread()))
            return super().parse(text, env)

    text = "\n".join(f"- item {i}" for i in range(600))
    async with site(tmp_path) as here, here.client() as client:
        user = await introduced(client)
        here.engine.hold = 1_790
        turn = await ask(client, f"echo {text}")
        viewer = Viewer(user, f"{user}:", "first-one", "en")
        feed = Feed(here.chat, Watched(), SAY, viewer, pace=0.0, heartbeat=60.0)
        page, events = Page(), feed.events()
        try:
            while "item 590" not in "".join(page.blocks.get(turn, [])):
                name, data = (await anext(events)).removeprefix("event: ").rstrip().split("\ndata: ")
                page.hear(name, json.loads(data))
        finally:
            await events.aclose()
        await _idle(here)
    assert max(length for length, _ in parsed) > LONG
    assert [length for length, on_the_loop in parsed if length > LONG and on_the_loop] == []


async def test_a_late_page_and_a_second_one_see_the_same(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        here.engine.hold = 5
        pages = [Page(), Page()]
        async with stream(client) as first:
            turn = await ask(client, "both")
            await here.engine.holding.wait()
            while "5-" not in "".join(pages[0].blocks.get(turn, [])):
                pages[0].hear(*await first.next())
            async with stream(client) as second:
                while turn not in pages[1].blocks:
                    pages[1].hear(*await second.next())
                assert pages[0].blocks == pages[1].blocks
                here.engine.let_go()
                await asyncio.gather(pages[0].follow(first), pages[1].follow(second))
        assert pages[0].blocks == pages[1].blocks
        assert pages[0].exchanges[0]["text"] == pages[1].exchanges[0]["text"]


async def test_the_place_in_line_is_told_and_falls(tmp_path: Path) -> None:
    async with site(tmp_path, load=False) as here, here.client() as client, here.client() as other:
        await introduced(client)
        await introduced(other)
        page = Page()
        async with stream(client) as events:
            await ask(client, "waiting")
            while not page.states:
                page.hear(*await events.next())
            assert page.states == [WORDING("en", "loading")]
            here.engine.hold = 0
            await here.engine.ready()
            await ask(other, "somebody else", "another-one")
            here.gate.resize(1)
            await here.engine.holding.wait()
            here.engine.hold = None
            here.engine.let_go()
            await page.follow(events)
        assert page.exchanges[0]["ended"] == "stop"


async def test_what_the_page_still_has_is_not_sent_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        for text in ("one", "two"):
            await ask(client, text)
        await answered(client)
        async with stream(client) as events:
            _, path = await events.next("path")
        known = {"count": "2", "mark": path["mark"]}
        async with stream(client, **known) as events:
            _, path = await events.next("path")
            assert (path["keep"], path["exchanges"]) == (2, [])
        for wrong in ({"count": "1", "mark": path["mark"]}, {"count": "9", "mark": path["mark"]}, {"count": "x"}):
            async with stream(client, **wrong) as events:
                assert (await events.next("path"))[1]["keep"] == 0
        client.headers["Accept-Language"] = "ko"
        async with stream(client, **known) as events:
            assert (await events.next("path"))[1]["keep"] == 0, "other words stand around it"


async def test_a_new_branch_keeps_what_is_before_it(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        turns = [await ask(client, text) for text in ("one", "two", "three")]
        await answered(client)
        async with stream(client) as events:
            await events.next("path")
            await client.post(f"/api/turns/{turns[1]}/edit", json={"event": "e" * 32, "text": "zwei"})
            _, path = await events.next("path")
            assert (path["keep"], [view["question"] for view in path["exchanges"]]) == (1, ["zwei"])


async def test_the_list_follows_what_happens_elsewhere(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        async with stream(client, None) as events:
            assert (await events.next("list"))[1] == []
            await ask(client, "elsewhere")
            assert [one["title"] for one in (await events.next("list"))[1]] == ["elsewhere"]
            await client.post("/api/conversations/first-one/rename", json={"title": "renamed"})
            while (await events.next("list"))[1][0]["title"] != "renamed":
                pass
            await client.post("/api/forget", json={})
            while (await events.next("list"))[1]:
                pass


async def test_nobody_hears_of_anothers_conversation(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client, here.client() as other:
        await introduced(client)
        await introduced(other)
        async with stream(other) as events:
            assert (await events.next("path"))[1]["exchanges"] == []
            await ask(client, "secret")
            await ask(other, "my own", "another-one")
            assert [one["title"] for one in (await events.next("list"))[1]] == ["my own"]


async def test_a_page_that_goes_ends_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await introduced(client)
        here.engine.hold = 2
        async with stream(client) as events:
            await ask(client, "go on")
            await events.next("answer")
        await here.engine.holding.wait()
        here.engine.let_go()
        assert (await answered(client))[0]["ended"] == "stop"


async def test_a_page_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async with site(tmp_path, options={"pace": 0.0}) as here, here.client() as client:
        await introduced(client)
        async with stream(client) as events:
            await events.next("path")
            long = "echo " + "x" * 30_000
            for _ in range(20):
                await ask(client, long)
            assert len(await answered(client)) == 20, "nobody waited for the page"
            page = Page()
            await page.follow(events, 20)


async def test_too_many_open_pages_send_the_oldest_to_rest(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        client.timeout = httpx.Timeout(10)
        await introduced(client)
        opened = [stream(client, None) for _ in range(MOST_STREAMS + 1)]
        events = [await one.__aenter__() for one in opened]
        await events[0].next("crowded")
        await ask(client, "the others go on")
        for follower in events[1:]:
            while not (await follower.next("list"))[1]:
                pass
        for one in opened:
            await one.__aexit__(None, None, None)


async def test_silence_is_broken_by_heartbeats(tmp_path: Path) -> None:
    async with site(tmp_path, options={"heartbeat": 0.01}) as here, here.client() as client:
        await introduced(client)
        async with client.stream("GET", "/api/stream") as response:
            lines = response.aiter_lines()
            async for line in lines:
                if line.startswith(":"):
                    break


async def test_a_shutdown_says_goodbye_to_every_page(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        async with site(tmp_path) as here:
            client = here.client()
            await introduced(client)
            here.engine.hold = 1
            await ask(client, "unfinished")
            opened = stream(client)
            events = await opened.__aenter__()
            await events.next("answer")
        await events.next("bye")
        await opened.__aexit__(None, None, None)
        await client.aclose()


async def test_a_feed_leaves_nothing_behind(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        user = await introduced(client)
        here.engine.hold = 1
        await ask(client, "watched")
        before = asyncio.all_tasks()
        viewer = Viewer(user, f"{user}:", "first-one", "en")
        feed = Feed(here.chat, Renderer(), SAY, viewer, pace=0.0, heartbeat=60.0)
        events = feed.events()
        while "event: answer" not in await anext(events):
            pass
        assert asyncio.all_tasks() - before
        await events.aclose()
        await until(lambda: not asyncio.all_tasks() - before)
        await _idle(here)


async def _idle(here: Site) -> None:
    await here.engine.holding.wait()
    here.engine.let_go()
    await until(lambda: here.gate.running == 0)


def test_a_deleted_exchange_is_not_shown_and_a_continuation_belongs_to_its_question() -> None:
    path = [
        _turn(1, prompt="a", reply="A"),
        _turn(2, prompt="", reply="B", kind="proceed"),
        _turn(3, prompt="", deleted=True),
        _turn(4, prompt="", kind="proceed", reply="lost"),
        _turn(5, prompt="c", reply="C"),
    ]
    assert [[turn.id for turn in exchange.turns] for exchange in exchanges(path)] == [[1, 2], [5]]
    assert exchanges(path)[0].settled_text == "AB"


def _turn(number: int, **values: Any) -> Turn:
    empty: dict[str, Any] = dict.fromkeys(Turn.__dataclass_fields__, 0)
    empty |= {"prompt": "question", "reply": "", "kind": "send", "deleted": False, "finish_reason": None, "cause": None}
    return Turn(**{**empty, "id": number, **values})
