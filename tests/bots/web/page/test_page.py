"""The page in a real browser: asking, reading, changing one's mind, keeping and throwing away."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from core.engine import Sampling, numbered_words
from core.limits import Limits
from core.messages import Message
from tests.support.browsers import another, chromium, visit
from tests.support.page_server import site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


def words(question: str) -> str:
    return numbered_words([Message("user", question)], Sampling())


async def test_a_question_is_answered_while_one_looks(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await expect(tab.page.locator("#empty")).to_be_visible()
        here.engine.hold = 5
        await tab.ask("What is a conch?")
        await tab.say(".answer", words("What is a conch?")[:20])
        await expect(tab.page.locator("#empty")).to_be_hidden()
        await expect(tab.named("Stop")).to_be_visible()
        await expect(tab.box).to_have_value("")
        here.engine.let_go()
        await tab.ended(1)
        assert await tab.texts(tab.answers) == [words("What is a conch?")]
        await expect(tab.named("Stop")).to_be_hidden()
        await expect(tab.page.locator("h1")).to_have_text("What is a conch?")
        assert await tab.page.title() == "What is a conch? · Conch"
        assert re.fullmatch(r"#/[a-z0-9-]{36}", await tab.page.evaluate("location.hash"))


async def test_markdown_is_shown_with_code_to_copy(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here, permissions=["clipboard-read", "clipboard-write"]) as tab:
        source = "## Hi\n\nA **bold** word.\n\n```python\nprint('<b>')\n```\n\n| a | b |\n|-|-|\n| 1 | 2 |"
        await tab.ask(f"echo {source}")
        await tab.ended(1)
        await expect(tab.page.locator(".answer h3")).to_have_text("Hi")
        await expect(tab.page.locator(".answer strong")).to_have_text("bold")
        await expect(tab.page.locator(".answer td")).to_have_count(2)
        await expect(tab.page.locator(".code-bar span")).to_have_text("python")
        await tab.named("Copy the code").click()
        assert await tab.page.evaluate("navigator.clipboard.readText()") == "print('<b>')\n"
        await tab.named("Copy").click()
        assert await tab.page.evaluate("navigator.clipboard.readText()") == source


async def test_the_place_in_line_is_shown_before_the_answer(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, load=False) as here, visit(browser, here) as tab, visit(browser, here) as other:
        await tab.ask("first")
        await tab.say(".state", "The model is still loading")
        here.engine.hold = 0
        await here.engine.ready()
        here.gate.resize(1)
        await other.ask("second")
        await other.say(".state", "1 ahead of you")
        here.engine.hold = None
        here.engine.let_go()
        await tab.ended(1)
        await other.ended(1)


async def test_stop_ends_the_answer(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 3
        await tab.ask("long")
        await tab.say(".answer", "3-")
        await tab.named("Stop").click()
        await tab.ended(1)
        assert await tab.texts(tab.page.locator(".notes")) == ["Stopped."]
        assert await tab.texts(tab.answers) == [" ".join(words("long").split()[:3])]
        await expect(tab.box).to_be_focused()


async def test_an_answer_is_made_again_or_continued(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, sampling=Sampling(max_tokens=25)) as here, visit(browser, here) as tab:
        await tab.ask("words=40 please")
        await tab.ended(1)
        await tab.say(".notes", "greatest length")
        await tab.named("Continue").click()
        await expect(tab.page.locator(".notes")).to_have_text("")
        await tab.ended(1)
        assert await tab.texts(tab.answers) == [words("words=40 please")]
        assert await tab.named("Continue").count() == 0
        await tab.named("Answer again").click()
        await tab.say(".notes", "greatest length")
        await tab.ended(1)
        assert len((await tab.texts(tab.answers))[0].split()) == 25


async def test_a_question_is_edited_into_a_branch(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await tab.ask("two")
        await tab.ended(2)
        first = tab.page.locator("article").first
        await first.hover()
        await first.get_by_role("button", name="Edit").click()
        editor = tab.page.get_by_label("Edit your question")
        await expect(editor).to_have_value("one")
        await editor.press("Escape")
        assert await tab.texts(tab.questions) == ["one", "two"]
        await expect(first.get_by_role("button", name="Edit")).to_be_focused()
        await first.get_by_role("button", name="Edit").click()
        await editor.fill("uno")
        await editor.press("Enter")
        await tab.ended(1)
        assert await tab.texts(tab.questions) == ["uno"]
        assert await tab.texts(tab.answers) == [words("uno")]


async def test_taking_back_puts_the_question_into_the_box(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await tab.ask("two")
        await tab.ended(2)
        await tab.named("Take back").click()
        await tab.ended(1)
        await expect(tab.box).to_have_value("two")
        await expect(tab.box).to_be_focused()


async def test_a_list_of_conversations_to_go_between_to_rename_and_to_delete(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        for text in ("apples", "pears"):
            await tab.named("New conversation").first.click()
            await tab.ask(text)
            await tab.ended(1)
        assert await tab.texts(tab.page.locator("#list a")) == ["pears", "apples"]
        await tab.page.locator("#list a", has_text="apples").click()
        await tab.say("h1", "apples")
        await expect(tab.questions).to_have_text(["apples"])
        await tab.page.go_back()
        await tab.say("h1", "pears")

        await tab.named("Rename “pears”").click()
        await tab.page.get_by_label("Title of the conversation").fill("Fruit & <b>more</b>")
        await tab.page.keyboard.press("Enter")
        await tab.say("h1", "Fruit & <b>more</b>")

        await tab.named("Delete “Fruit & <b>more</b>”").click()
        await tab.named("Cancel").click()
        await expect(tab.page.locator("#list a")).to_have_count(2)
        await tab.named("Delete “Fruit & <b>more</b>”").click()
        await tab.page.locator("#sure-yes").click()
        await expect(tab.page.locator("#list a")).to_have_count(1)
        await expect(tab.page.locator("#empty")).to_be_visible()
        await expect(tab.box).to_be_focused()


async def test_a_persona_is_chosen_before_and_within_a_conversation(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.get_by_label("Who answers").select_option("Pirate")
        await tab.ask("ahoy")
        await tab.ended(1)
        assert here.engine.asked[-1][0].role == "system"
        await tab.page.get_by_label("Who answers").select_option("Assistant")
        await tab.page.reload()
        await tab.ready()
        await expect(tab.page.get_by_label("Who answers")).to_have_value("assistant")
        await tab.ask("hello")
        await tab.ended(2)
        assert here.engine.asked[-1][0].role == "user"


async def test_my_data_can_be_downloaded_and_deleted(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("remember me")
        await tab.ended(1)
        await tab.box.fill("a draft")
        await tab.named("My data").click()
        await tab.say("#data-id", "web:")
        async with tab.page.expect_download() as download:
            await tab.named("Download everything", "link").click()
        file = await (await download.value).path()
        assert "remember me" in json.dumps(json.loads(Path(file).read_text()))  # noqa: ASYNC240 (a moment)
        await tab.named("Delete everything").click()
        await tab.say("#sure-heading", "for good")
        await tab.page.locator("#sure-yes").click()
        await expect(tab.page.locator("#list a")).to_have_count(0)
        await tab.say("#banner", "Deleted: 1 question")
        await expect(tab.page.locator("#empty")).to_be_visible()
        kept = await tab.page.evaluate("JSON.stringify(localStorage)")
        assert "draft" not in kept
        assert "remember" not in kept


async def test_a_refusal_stands_by_the_box_and_the_text_is_in_it(browser: Browser, tmp_path: Path) -> None:
    limits = Limits(messages_per_minute=1, tokens_per_day=0, characters=30)
    async with site(tmp_path, limits=limits, options={"characters": 30}) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        await tab.ask("two is too fast")
        await tab.say("#refusal", "That was a bit fast")
        await expect(tab.box).to_have_value("two is too fast")
        assert await tab.texts(tab.questions) == ["one"]
        await tab.ask("x" * 31)
        await tab.say("#refusal", "31 of 30 characters")
        await expect(tab.box).to_have_value("x" * 31)


async def test_what_the_model_no_longer_sees_is_said(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, sampling=Sampling(max_tokens=300)) as here, visit(browser, here) as tab:
        here.engine.context_window = 360
        for i in range(3):
            await tab.ask(f"question {i}")
            await tab.ended(i + 1)
        await tab.say("article:last-child .notes", "no longer fit")


async def test_one_who_reads_further_up_is_left_there(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("words=900")
        await tab.ended(1)
        assert await tab.page.evaluate("scroll = document.querySelector('#scroll'), scroll.scrollTop > 0")
        await expect(tab.named("Jump to the newest")).to_be_hidden()
        here.engine.hold = 2
        await tab.ask("words=300")
        await tab.say("article:last-child .answer", "2-")
        await tab.page.evaluate("document.querySelector('#scroll').scrollTop = 0")
        here.engine.let_go()
        await tab.ended(2)
        assert await tab.page.evaluate("document.querySelector('#scroll').scrollTop") == 0
        await tab.named("Jump to the newest").click()
        await expect(tab.named("Jump to the newest")).to_be_hidden()


async def test_anothers_conversation_is_not_shown(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab, visit(browser, here) as thief:
        await tab.ask("secret")
        await tab.ended(1)
        stolen = await tab.page.evaluate("location.hash")
        await thief.open(stolen)
        await expect(thief.page.locator("#empty")).to_be_visible()
        assert await thief.texts(thief.questions) == []
        turn = 1
        refused = await thief.page.evaluate(
            """async turn => (await fetch(`/api/turns/${turn}/undo`,
                {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}})).status""",
            turn,
        )
        assert refused == 404
        await thief.ask("mine")
        await thief.ended(1)
        second = await another(tab.page.context, here, stolen)
        await second.ended(1)
        assert await second.texts(second.questions) == ["secret"]
