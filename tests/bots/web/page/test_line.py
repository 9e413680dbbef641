"""The page and its connection: several tabs, reloads, breaks and restarts; nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from core.engine import Sampling, numbered_words
from core.messages import Message
from tests.support.browsers import PATIENCE_MS, another, chromium, visit
from tests.support.page_server import HeldEngine, site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


def words(question: str) -> str:
    return numbered_words([Message("user", question)], Sampling())


async def test_two_tabs_show_the_same_while_it_happens(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 4
        await tab.ask("both of us")
        await tab.say(".answer", "4-")
        second = await another(tab.page.context, here, await tab.page.evaluate("location.hash"))
        await second.say(".answer", "4-")
        here.engine.let_go()
        await tab.ended(1)
        await second.ended(1)
        here.engine.hold = 2
        await second.ask("from the other")
        await tab.say("article:last-child .answer", "2-")
        await tab.named("Stop").click()
        await second.say("article:last-child .notes", "Stopped.")
        assert (
            await tab.texts(tab.questions) == await second.texts(second.questions) == ["both of us", "from the other"]
        )
        assert await tab.texts(tab.answers) == await second.texts(second.answers)
        assert second.complaints == []


async def test_a_reload_in_mid_answer_goes_on_where_it_was(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 4
        await tab.ask("reload me")
        await tab.say(".answer", "4-")
        await tab.page.reload()
        await tab.say(".answer", "4-")
        here.engine.let_go()
        await tab.ended(1)
        assert await tab.texts(tab.answers) == [words("reload me")]
        assert len(here.engine.asked) == 1


async def test_closed_while_it_was_written_it_is_there_at_the_next_visit(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 2
        await tab.ask("read me later")
        await tab.say(".answer", "2-")
        context = tab.page.context
        await tab.page.close()
        here.engine.let_go()
        later = await another(context, here)
        await later.ended(1)
        assert await later.texts(later.answers) == [words("read me later")]
        assert await later.texts(later.page.locator("#list a")) == ["read me later"]


async def test_offline_is_said_and_what_is_sent_meanwhile_arrives_once(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("before")
        await tab.ended(1)
        await tab.page.context.set_offline(True)
        await tab.say("#banner", "No connection to Conch")
        await tab.ask("meanwhile")
        await tab.say(".pending .state", "Not sent yet")
        assert await tab.texts(tab.questions) == ["before", "meanwhile"]
        await tab.page.context.set_offline(False)
        await tab.ended(2)
        await expect(tab.page.locator("#banner")).to_be_hidden()
        assert await tab.texts(tab.questions) == ["before", "meanwhile"]
        assert await tab.texts(tab.answers) == [words("before"), words("meanwhile")]


async def test_an_answer_that_went_on_during_a_break_is_whole_afterwards(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 3
        await tab.ask("break in it")
        await tab.say(".answer", "3-")
        await tab.page.context.set_offline(True)
        await tab.say("#banner", "No connection")
        here.engine.let_go()
        await tab.page.context.set_offline(False)
        await tab.ended(1)
        assert await tab.texts(tab.answers) == [words("break in it")]


async def test_a_lost_acknowledgement_doubles_nothing(browser: Browser, tmp_path: Path) -> None:
    """Conch accepts, but the page never hears of it and sends again."""
    lost = []

    async def lose(route: Route) -> None:
        if len(lost) < 2:
            lost.append(await route.fetch())
            await route.abort()
        else:
            await route.continue_()

    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.route("**/send", lose)
        await tab.ask("once")
        await tab.ended(1)
        await tab.page.wait_for_function("() => !Object.keys(localStorage).some(key => key.startsWith('conch.outbox'))")
        assert [response.status for response in lost] == [200, 200]
        assert await tab.texts(tab.questions) == ["once"]
        assert len(here.engine.asked) == 1


async def test_a_question_survives_the_page_being_closed_before_it_was_sent(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.route("**/send", lambda route: route.abort())
        await tab.ask("hold on to me")
        await tab.say(".pending .state", "Not sent yet")
        await tab.box.fill("and to this draft")
        context = tab.page.context
        await tab.page.close()
        later = await another(context, here)
        await later.ended(1)
        assert await later.texts(later.answers) == [words("hold on to me")]
        await expect(later.box).to_have_value("and to this draft")


async def test_a_restart_of_conch_in_mid_answer_is_healed(browser: Browser, tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.hold = 3
    async with site(tmp_path, engine=engine) as here:
        opened = visit(browser, here)
        tab = await opened.__aenter__()
        await tab.ask("restart")
        await tab.say(".answer", "3-")
        port = here.web.port
    await tab.say("#banner", "No connection to Conch")
    await tab.ask("asked while it was down")
    await tab.say(".pending .state", "Not sent yet")
    async with site(tmp_path, options={"port": port}):
        await tab.page.get_by_role("button", name="Try now").click()
        await tab.ended(2)
        assert await tab.texts(tab.questions) == ["restart", "asked while it was down"]
        assert await tab.texts(tab.answers) == [words("restart"), words("asked while it was down")]
        await expect(tab.page.locator("#banner")).to_be_hidden()
        await opened.__aexit__(None, None, None)


async def test_a_lost_session_is_made_anew(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("before")
        await tab.ended(1)
        await tab.page.context.clear_cookies()
        await tab.named("New conversation").first.click()
        await tab.ask("as somebody new")
        await tab.ended(1)
        await expect(tab.page.locator("#list a")).to_have_count(1)


async def test_a_session_lost_in_mid_conversation_is_said_and_the_question_answered(
    browser: Browser, tmp_path: Path
) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("before")
        await tab.ended(1)
        await tab.page.context.clear_cookies()
        await tab.ask("after")
        await tab.say("#banner", "Conch does not know this browser any more")
        await tab.page.wait_for_function("() => document.querySelector('.question').textContent === 'after'")
        await tab.ended(1)
        assert await tab.texts(tab.questions) == ["after"]
        assert await tab.texts(tab.answers) == [words("after")]
        assert len(here.engine.asked) == 2


async def test_a_choice_that_does_not_arrive_is_said_and_not_shown_as_made(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("before")
        await tab.ended(1)
        await tab.page.context.set_offline(True)
        await tab.page.get_by_label("Who answers").select_option("Pirate")
        await tab.say("#refusal", "Conch could not be reached.")
        await expect(tab.page.get_by_label("Who answers")).to_have_value("assistant")
        await tab.page.get_by_label("Language").select_option("한국어")
        await expect(tab.page.get_by_label("Language")).to_have_value("en")
        await tab.named("Take back").click()
        await tab.say("#refusal", "Conch could not be reached.")
        assert await tab.texts(tab.questions) == ["before"]
        await tab.page.context.set_offline(False)
        await expect(tab.page.locator("#banner")).to_be_hidden()
        await tab.page.reload()
        await tab.ended(1)
        assert await tab.page.evaluate("document.documentElement.lang") == "en"


async def test_a_connection_that_stands_and_says_nothing_is_a_lost_one(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, options={"heartbeat": 60.0}) as here, visit(browser, here) as tab:
        await tab.page.clock.install()
        async with tab.page.expect_response("**/api/stream**"):
            await tab.page.reload()
        await tab.ask("before")
        await tab.ended(1)
        await tab.page.evaluate(
            """() => {
                window.heard = [];
                new MutationObserver(([{target}]) => heard.push(target.textContent))
                    .observe(document.querySelector('#banner-text'), {childList: true});
            }"""
        )
        async with tab.page.expect_response("**/api/stream**"):
            await tab.page.clock.fast_forward(71_000)
        await expect(tab.page.locator("#banner")).to_be_hidden()
        assert await tab.page.evaluate("heard") == ["No connection to Conch. Trying again…", ""]
        await tab.ask("after")
        await tab.ended(2)


@pytest.mark.parametrize(
    "storage",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
    ],
    ids=["forbidden", "full"],
)
async def test_where_nothing_can_be_kept_the_page_works_as_long_as_it_is_open(
    browser: Browser, tmp_path: Path, storage: str
) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.add_init_script(storage)
        await tab.page.reload()
        await tab.ready()
        await tab.ask("one")
        await tab.ended(1)
        await tab.page.context.set_offline(True)
        await tab.say("#banner", "No connection to Conch")
        await tab.ask("two")
        await tab.say(".pending .state", "Not sent yet")
        await tab.page.context.set_offline(False)
        await tab.ended(2)
        await tab.page.get_by_label("Language").select_option("한국어")
        await tab.named("새 대화").first.click()
        await tab.page.locator("#list a").click()
        await tab.ended(2)
        assert len(here.engine.asked) == 2


async def test_too_many_tabs_rest_until_they_are_wanted(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("first")
        await tab.ended(1)
        others = [await another(tab.page.context, here) for _ in range(5)]
        await tab.say("#banner", "This page rests")
        await others[-1].ask("second")
        await others[-1].ended(2)
        await tab.named("Go on here").click()
        await tab.ended(2)
        await expect(tab.page.locator("#banner")).to_be_hidden()


async def test_beyond_this_machine_the_key_opens_the_page(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, options={"host": "0.0.0.0"}) as here:
        context = await browser.new_context()
        page = await context.new_page()
        address = f"http://127.0.0.1:{here.web.port}/"
        await page.goto(f"{address}?key=wrong")
        await expect(page.locator("#key-refusal")).to_have_text("That is not the access key.")
        assert page.url == address
        for _ in range(3):  # of two in a row a page can hold back one
            await page.keyboard.press("Escape")
        await expect(page.locator("#key-dialog")).to_be_visible()
        await page.get_by_role("textbox", name="Access key").fill("wrong again")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-refusal")).to_have_text("That is not the access key.")
        await page.get_by_role("textbox", name="Access key").fill(str(here.web.key))
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-dialog")).to_be_hidden()
        await page.locator("#question").fill("let in")
        await page.keyboard.press("Enter")
        await expect(page.locator(".answer")).to_contain_text("40-")
        await context.close()

        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{address}?key={here.web.key}")
        await expect(page.locator("#empty")).to_be_visible()
        assert page.url == address
        await context.close()


async def test_a_changed_key_is_asked_for_and_what_was_written_meanwhile_arrives(
    browser: Browser, tmp_path: Path
) -> None:
    async with site(tmp_path, options={"host": "0.0.0.0"}) as here:
        context = await browser.new_context()
        page = await context.new_page()
        port = here.web.port
        await page.goto(f"http://127.0.0.1:{port}/?key={here.web.key}")
        await page.locator("#question").fill("before")
        await page.keyboard.press("Enter")
        await expect(page.locator(".answer")).to_contain_text("40-")
    (tmp_path / "access-key").unlink()
    await page.locator("#question").fill("meanwhile")
    await page.keyboard.press("Enter")
    async with site(tmp_path, options={"host": "0.0.0.0", "port": port}) as here:
        await page.get_by_role("textbox", name="Access key").fill(str(here.web.key), timeout=PATIENCE_MS)
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-dialog")).to_be_hidden()
        await expect(page.locator(".answer").last).to_contain_text(words("meanwhile"), timeout=PATIENCE_MS)
        await expect(page.locator("article:not(.pending) .question")).to_have_text(["before", "meanwhile"])
        await context.close()
