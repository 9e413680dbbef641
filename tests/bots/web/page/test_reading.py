"""Reading on the page while it moves: scrolling, selecting, a long table, little room, paper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.browsers import Tab, another, chromium, visit
from tests.support.page_server import HeldEngine, site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}
BELOW = "() => (s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('#scroll'))"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


async def shown(tab: Tab) -> None:
    """What was asked of the page is on the screen."""
    await tab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_who_goes_up_a_little_is_left_there_and_who_comes_back_follows(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 300
        await tab.ask("words=900")
        await tab.say(".answer", "300-")
        assert await tab.page.evaluate(BELOW) < 2
        await tab.page.mouse.move(600, 300)
        await tab.page.mouse.wheel(0, -30)
        await tab.page.wait_for_function(f"() => ({BELOW})() >= 10")
        here.engine.hold = 600
        here.engine.let_go()
        await tab.say(".answer", "600-")
        assert await tab.page.evaluate(BELOW) > 300
        await expect(tab.named("Jump to the newest")).to_be_visible()
        await tab.page.mouse.wheel(0, 20_000)
        await tab.page.wait_for_function(f"() => ({BELOW})() < 2")
        here.engine.let_go()
        await tab.ended(1)
        assert await tab.page.evaluate(BELOW) < 2
        await tab.box.fill("a question\nof several\nlines")
        await shown(tab)
        assert await tab.page.evaluate(BELOW) < 2, "a box that grows covers nothing"


async def test_what_is_selected_or_scrolled_in_a_growing_answer_stays_so(browser: Browser, tmp_path: Path) -> None:
    line = "print(" + ", ".join(f"'{i}'" for i in range(60)) + ")"
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 70
        await tab.ask(f"echo select me, I stay\n\n```python\n{line}\n{line}\n```")
        await tab.page.wait_for_selector(".answer pre")
        await tab.page.evaluate(
            """() => {
                const [text] = document.querySelector('.answer p').childNodes;
                getSelection().setBaseAndExtent(text, 0, document.querySelector('.answer code').firstChild, 9);
                window.pre = document.querySelector('.answer pre');
                pre.scrollLeft = 120;
                document.querySelector('.code-bar button').focus();
            }"""
        )
        selected = await tab.page.evaluate("getSelection().toString()")
        here.engine.let_go()
        await tab.ended(1)
        assert "select me" in selected
        assert await tab.page.evaluate("getSelection().toString()") == selected
        assert await tab.page.evaluate("pre.isConnected && pre.scrollLeft") == 120
        assert await tab.page.evaluate("pre.textContent") == f"{line}\n{line}\n"
        await expect(tab.named("Copy the code")).to_be_focused()


async def test_dots_move_until_the_last_word_is_there(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 3
        await tab.ask("slow")
        await tab.say(".answer", "3-")
        await expect(tab.page.locator(".state .dots")).to_be_visible()
        here.engine.let_go()
        await tab.ended(1)
        await expect(tab.page.locator(".dots")).to_have_count(0)


async def test_who_skips_to_the_box_stays_in_the_conversation(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("one")
        await tab.ended(1)
        address = tab.page.url
        await tab.page.locator(".skip").focus()
        await tab.page.keyboard.press("Enter")
        await expect(tab.box).to_be_focused()
        assert tab.page.url == address
        await tab.page.go_back()
        await tab.page.go_forward()
        await tab.ended(1)
        assert await tab.texts(tab.questions) == ["one"]


async def test_an_edit_further_up_says_what_it_costs(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        for count, text in enumerate(("one", "two"), 1):
            await tab.ask(text)
            await tab.ended(count)
        cost = tab.page.get_by_text("What comes after this question will no longer be shown.")
        for article, visible in ((tab.page.locator("article").first, True), (tab.page.locator("article").last, False)):
            await article.hover()
            await article.get_by_role("button", name="Edit").click()
            await expect(cost).to_be_visible(visible=visible)
            await tab.page.keyboard.press("Escape")


async def test_an_edit_that_is_being_written_is_not_lost(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 2
        await tab.ask("one")
        await tab.say(".answer", "2-")
        await tab.page.locator("article.live").hover()
        await tab.named("Edit").click()
        await tab.page.get_by_label("Edit your question").fill("well considered")
        here.engine.hold = None
        here.engine.let_go()
        await tab.ended(1)
        await tab.page.get_by_label("Language").select_option("한국어")
        editor = tab.page.get_by_label("질문 고치기")
        await expect(editor).to_have_value("well considered")
        await expect(tab.page.locator(".editing").get_by_role("button", name="보내기")).to_be_visible()
        second = await another(tab.page.context, here)
        await second.ended(1)
        await second.named("다시 답하기").click()
        await tab.page.wait_for_selector("article[data-turn='2']:not(.live)")
        await expect(editor).to_have_count(0)
        await expect(tab.box).to_have_value("well considered")
        await tab.box.fill("")
        await tab.named("고치기").click()
        await editor.fill("once more")
        await tab.named("새 대화").first.click()
        await expect(tab.box).to_have_value("")
        await tab.page.locator("#list a").click()
        await expect(tab.box).to_have_value("once more")


async def test_words_of_a_table_stay_whole_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    table = "| Name | Amount | Note |\n|-|-|-|\n| Strawberries | 12 | " + "a rather long text in this cell " * 3 + "|"
    async with site(tmp_path) as here, visit(browser, here, **PHONE) as tab:
        await tab.box.fill(f"echo {table}\n\n" + "| " * 12 + "|\n" + "|-" * 12 + "|\n" + "| wide " * 12 + "|")
        await tab.page.locator("#send").tap()
        await tab.ended(1)
        lines = """cells => cells.map(cell => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return new Set([...range.getClientRects()].map(line => line.top)).size;
        })"""
        assert await tab.page.locator("th, td").filter(has_text="Amount").evaluate_all(lines) == [1]
        assert await tab.page.locator("td").filter(has_text="Strawberries").evaluate_all(lines) == [1]
        assert await tab.page.locator("td").filter(has_text="rather long").evaluate_all(lines) > [1]
        scrolled = "tables => tables.map(table => table.scrollWidth > table.clientWidth)"
        assert await tab.page.locator(".wide").evaluate_all(scrolled) == [False, True]
        assert await tab.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height", "least"), [(640, 400, 220), (320, 256, 100)])
async def test_a_page_made_much_larger_leaves_room_to_read(
    browser: Browser, tmp_path: Path, width: int, height: int, least: int
) -> None:
    """1280 x 1024 at 200 and at 400 per cent, as WCAG 1.4.10 asks for."""
    async with site(tmp_path) as here, visit(browser, here, viewport={"width": width, "height": height}) as tab:
        await expect(tab.page.get_by_text("What would you like to know?")).to_be_in_viewport(ratio=1)
        await tab.ask("words=200")
        await tab.ended(1)
        assert await tab.page.locator("#scroll").evaluate("scroll => scroll.clientHeight") >= least
        assert await tab.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        await tab.page.locator("#menu").click()
        for name in ("words=200", "My data"):
            button = tab.page.locator("#side").get_by_text(name)
            await button.scroll_into_view_if_needed()
            await expect(button).to_be_in_viewport(ratio=1)


async def test_on_paper_is_the_whole_conversation_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here, color_scheme="dark") as tab:
        await tab.page.get_by_label("Appearance").select_option("Dark")
        await tab.ask("words=900")
        await tab.ended(1)
        await tab.page.emulate_media(media="print")
        whole = "scroll => scroll.clientHeight === scroll.scrollHeight && scroll.clientHeight > 2 * innerHeight"
        assert await tab.page.locator("#scroll").evaluate(whole)
        for unneeded in ("#side", ".foot", "article .actions", "#banner", ".skip"):
            await expect(tab.page.locator(unneeded).first).to_be_hidden()
        ink = "element => getComputedStyle(element).color"
        assert await tab.page.locator(".answer").evaluate(ink) == "rgb(29, 40, 45)", "dark on white"


async def test_a_page_whose_words_do_not_come_says_so(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here, fine=False) as tab:
        slow = tab.page.locator(".slow")
        await expect(slow).to_be_hidden()
        await tab.page.route("**/words?**", lambda route: route.fulfill(status=502, body="Bad Gateway"))
        await tab.page.reload()
        await expect(slow).to_be_hidden()
        await tab.page.evaluate("() => document.getAnimations().forEach(one => one.finish())")  # five seconds
        await expect(slow).to_be_visible()
        await tab.page.unroute("**/words?**")
        await tab.ready()
        await expect(slow).to_be_hidden()


async def test_a_long_growing_list_is_shown_to_its_end(browser: Browser, tmp_path: Path) -> None:
    text = "\n".join(f"{i}. item with **weight**" for i in range(1, 171))
    async with site(tmp_path, engine=HeldEngine(delay=0.001)) as here, visit(browser, here) as tab:
        await tab.ask(f"echo {text}")
        await tab.ended(1)
        await expect(tab.page.locator(".answer li")).to_have_count(170)
        assert await tab.page.locator(".answer strong").evaluate_all(
            "all => all.every(one => one.textContent == 'weight')"
        )
