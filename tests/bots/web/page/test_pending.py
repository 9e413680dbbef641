"""The page and what is on its way to Conch: shown where it belongs, taken back, refused, given up; never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from core.engine import Sampling, numbered_words
from core.limits import Limits
from core.messages import Message
from tests.support.browsers import Tab, another, chromium, visit
from tests.support.page_server import site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FIRST = "article:first-child"
UNSENT = "Not sent yet. It will be, as soon as the connection is back."
OUTBOX_EMPTY = "() => !Object.keys(localStorage).some(key => key.startsWith('conch.outbox'))"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


def words(question: str) -> str:
    return numbered_words([Message("user", question)], Sampling())


async def offline(tab: Tab) -> None:
    """Without a connection, and told so."""
    await tab.page.context.set_offline(True)
    await tab.say("#banner", "No connection to Conch")


async def online(tab: Tab) -> None:
    """With a connection again, and nothing left to send."""
    await tab.page.context.set_offline(False)
    await expect(tab.page.locator("#banner")).to_be_hidden()
    await tab.page.wait_for_function(OUTBOX_EMPTY)


async def test_a_change_is_said_at_its_turn_until_it_has_arrived(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await offline(tab)
        await tab.named("Answer again").click()
        await tab.say(f"{FIRST} .state", UNSENT)
        assert await tab.texts(tab.answers) == [words("one")], "what there is stays in sight"
        for name, waits in (("Answer again", "true"), ("Take back", "true"), ("Copy", None)):
            button = tab.page.locator(FIRST).locator(f"[aria-label='{name}']")
            assert await button.get_attribute("aria-disabled") == waits, name
        await online(tab)
        await tab.page.wait_for_selector("article[data-turn='2']:not(.live, .waiting)")
        assert await tab.texts(tab.answers) == [words("one")]
        assert len(here.engine.asked) == 2
        await expect(tab.page.locator(f"{FIRST} .state")).to_have_text("")


async def test_an_edit_is_read_at_once_and_taken_back_if_it_is_not_sent(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await offline(tab)
        await tab.named("Edit").click()
        await tab.page.get_by_label("Edit your question").fill("uno")
        await tab.page.keyboard.press("Enter")
        await tab.say(f"{FIRST} .state", UNSENT)
        assert await tab.texts(tab.questions) == ["uno"]
        await tab.named("Edit").click()
        await tab.page.get_by_label("Edit your question").fill("ein")
        await tab.page.keyboard.press("Enter")
        await expect(tab.questions).to_have_text(["ein"])
        for text, below in (("ein", "uno"), ("uno", "one")):
            await tab.page.locator(f"{FIRST} .state").get_by_role("button", name="Take back").click()
            await expect(tab.page.get_by_label("Edit your question")).to_have_value(text)
            await expect(tab.page.get_by_label("Edit your question")).to_be_focused()
            await tab.page.get_by_role("button", name="Cancel").click()
            assert await tab.texts(tab.questions) == [below]
        await expect(tab.page.locator(f"{FIRST} .state")).to_have_text("")
        await expect(tab.named("Answer again")).not_to_have_attribute("aria-disabled", "true")
        await online(tab)
        await tab.ask("two")
        await tab.ended(2)
        assert [messages[-1].content for messages in here.engine.asked] == ["one", "two"]


async def test_a_question_that_is_not_sent_is_taken_back_into_the_box(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await offline(tab)
        await tab.ask("never mind")
        await tab.ask("but this")
        for pending in await tab.page.locator(".pending").all():
            await expect(pending.locator(".state")).to_contain_text(UNSENT)
        await tab.box.fill("typed meanwhile")
        await tab.page.locator(".pending").first.get_by_role("button", name="Take back").click()
        await expect(tab.box).to_have_value("never mind\n\ntyped meanwhile")
        await expect(tab.box).to_be_focused()
        assert await tab.texts(tab.questions) == ["one", "but this"]
        await online(tab)
        await tab.ended(2)
        assert [messages[-1].content for messages in here.engine.asked] == ["one", "but this"]


async def test_changes_that_wait_survive_a_reload_and_arrive_in_their_order(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await tab.page.route("**/api/turns/**", lambda route: route.abort())
        await tab.named("Edit").click()
        await tab.page.get_by_label("Edit your question").fill("uno")
        await tab.page.keyboard.press("Enter")
        await tab.ask("due")
        await tab.say(f"{FIRST} .state", UNSENT)
        await tab.page.reload()
        await tab.say(f"{FIRST} .state", UNSENT)
        assert await tab.texts(tab.questions) == ["uno", "due"]
        await tab.page.unroute("**/api/turns/**")
        await tab.page.evaluate("dispatchEvent(new Event('online'))")
        await tab.page.evaluate("dispatchEvent(new Event('conch-up'))")
        await tab.ended(2)
        assert await tab.texts(tab.questions) == ["uno", "due"]
        assert [messages[-1].content for messages in here.engine.asked] == ["one", "uno", "due"]


async def test_an_edit_that_is_refused_is_open_again_with_its_words(browser: Browser, tmp_path: Path) -> None:
    limits = Limits(messages_per_minute=1, tokens_per_day=0, characters=0)
    async with site(tmp_path, limits=limits) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await tab.named("Edit").click()
        editor = tab.page.get_by_label("Edit your question")
        await editor.fill("uno")
        await editor.press("Enter")
        await tab.say("#refusal", "That was a bit fast")
        await expect(editor).to_have_value("uno")
        await tab.page.get_by_role("button", name="Cancel").click()
        assert await tab.texts(tab.questions) == ["one"]
        await expect(tab.box).to_have_value("")


async def test_two_tabs_that_are_told_no_give_the_text_back_once(browser: Browser, tmp_path: Path) -> None:
    limits = Limits(messages_per_minute=1, tokens_per_day=0, characters=0)
    asked: asyncio.Queue[Route] = asyncio.Queue()
    async with site(tmp_path, limits=limits) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        second = await another(tab.page.context, here)
        await second.named("New conversation").first.click()
        await tab.page.context.route("**/send", asked.put)
        await tab.ask("two")
        first_asked = await asked.get()
        await second.page.reload()
        second_asked = await asked.get()
        for each, route in ((tab, first_asked), (second, second_asked)):
            await route.continue_()
            await each.say("#refusal", "That was a bit fast")
        await expect(tab.box).to_have_value("two")
        assert await tab.page.evaluate("Object.values(localStorage).filter(value => value.includes('two'))") == ["two"]
        assert await tab.texts(tab.questions) == ["one"]


async def test_what_fails_for_good_is_given_up_and_what_a_proxy_says_is_not(browser: Browser, tmp_path: Path) -> None:
    answers: list[str] = []

    async def fail(route: Route) -> None:
        """Three times as if the way to Conch were broken, then as if Conch itself were."""
        if len(answers) < 3:
            answers.append("proxy")
            await route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")
        else:
            answers.append("conch")
            body = '{"cause": "failed", "sentence": "Something went wrong here. Please try again."}'
            await route.fulfill(status=500, content_type="application/json", body=body)

    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.route("**/send", fail)
        await tab.ask("broken")
        await tab.say(".pending .state", UNSENT)
        await tab.page.evaluate(
            """async () => {  // every try at once
                while (document.querySelector('.pending')) {
                    dispatchEvent(new Event('conch-up'));
                    await new Promise(requestAnimationFrame);
                }
            }"""
        )
        await tab.say("#refusal", "Something went wrong here")
        await expect(tab.box).to_have_value("broken")
        assert answers == ["proxy"] * 3 + ["conch"] * 5
        await tab.page.unroute("**/send")
        await tab.ask("whole")
        await tab.ended(1)
        assert await tab.texts(tab.questions) == ["whole"]
