"""The page for everybody: by keyboard, by screen reader, in three languages, light and dark, on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, expect

from core.engine import Sampling
from tests.support.browsers import Tab, chromium, visit
from tests.support.page_server import HeldEngine, site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
ANSWER = """echo # A title

With **weight**, `code`, a [link](https://example.org/) and a list:

1. one
2. two
   - and a half

```python
print("a line of code that is long enough to be wider than the screen of any phone that is held upright", 1 + 1)
```

| column | another | a third that is wide | and a fourth one |
|:--|:-:|--:|--|
| 1 | 2 | 3 | 4 |

> quoted

### Deeper"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


async def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is."""
    await page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("locale", "scheme", "screen"),
    [
        ("en-US", "light", DESKTOP),
        ("en-US", "dark", PHONE),
        ("ko-KR", "dark", DESKTOP),
        ("ko-KR", "light", PHONE),
        ("zh-CN", "light", DESKTOP),
        ("zh-CN", "dark", PHONE),
    ],
)
async def test_axe_finds_nothing_wrong(
    browser: Browser, tmp_path: Path, locale: str, scheme: str, screen: dict[str, Any]
) -> None:
    options = {"locale": locale, "color_scheme": scheme, "reduced_motion": "reduce", **screen}
    async with site(tmp_path, sampling=Sampling(max_tokens=60)) as here, visit(browser, here, **options) as tab:
        assert await violations(tab.page) == [], "empty"
        await tab.box.fill(ANSWER)
        await tab.page.locator("#send").click()
        await tab.ended(1)
        here.engine.hold = 3
        await tab.box.fill("still running")
        await tab.page.locator("#send").click()
        await tab.say("article:last-child .answer", "3-")
        await tab.page.locator("article .asked button").first.click()
        assert await violations(tab.page) == [], (
            "a conversation with code, a table, an edited question and a running answer"
        )
        here.engine.let_go()
        await tab.ended(2)
        if screen is PHONE:
            await tab.page.locator("#menu").click()
            assert await violations(tab.page) == [], "the list"
        await tab.page.locator("#data").click()
        assert await violations(tab.page) == [], "my data"
        await tab.page.locator("#forget").click()
        assert await violations(tab.page) == [], "sure"
        await tab.page.keyboard.press("Escape")
        await tab.page.locator("#list .tools button").first.click()
        assert await violations(tab.page) == [], "rename"
        await tab.page.keyboard.press("Escape")
        await tab.page.evaluate("document.querySelector('#refusal').textContent = 'No.'")
        assert await violations(tab.page) == [], "a refusal"


async def test_axe_would_find_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
        assert [found.partition(":")[0] for found in await violations(tab.page)] == ["button-name"]


async def test_axe_finds_nothing_wrong_at_the_door(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, options={"host": "0.0.0.0"}) as here:
        context = await browser.new_context(color_scheme="dark")
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{here.web.port}/?key=x")
        await expect(page.locator("#key-dialog")).to_be_visible()
        assert await violations(page) == []
        await context.close()


@pytest.mark.parametrize(
    ("locale", "language", "box"),
    [("ko-KR", "ko", "질문"), ("zh-TW", "zh", "您的问题"), ("fr-FR", "en", "Your question")],
)
async def test_the_browsers_language_is_the_pages(
    browser: Browser, tmp_path: Path, locale: str, language: str, box: str
) -> None:
    engine = HeldEngine()
    engine.weak_languages = frozenset(("ko",))
    async with site(tmp_path, engine=engine) as here, visit(browser, here, locale=locale) as tab:
        assert await tab.page.evaluate("document.documentElement.lang") == language
        await expect(tab.page.get_by_role("textbox", name=box)).to_be_visible()
        await expect(tab.page.locator("#weak")).to_be_visible(visible=language == "ko")


async def test_another_language_is_chosen_at_once_and_kept(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        here.engine.hold = 1
        await tab.ask("hello")
        await tab.say(".answer", "1-")
        await tab.named("Stop").click()
        await tab.ended(1)
        await tab.box.fill("a draft stays")
        await tab.page.get_by_label("Language").select_option("한국어")
        await tab.say(".notes", "중지했습니다.")
        await expect(tab.page.get_by_role("button", name="새 대화").first).to_be_visible()
        await expect(tab.box).to_have_value("a draft stays")
        await tab.page.reload()
        await tab.ready()
        await expect(tab.page.locator("#send")).to_have_attribute("aria-label", "보내기")
        await tab.say(".notes", "중지했습니다.")


async def test_light_and_dark_follow_the_device_until_one_is_chosen(browser: Browser, tmp_path: Path) -> None:
    paper = "() => getComputedStyle(document.body).backgroundColor"
    async with site(tmp_path) as here, visit(browser, here, color_scheme="dark") as tab:
        dark = await tab.page.evaluate(paper)
        await tab.page.get_by_label("Appearance").select_option("Light")
        light = await tab.page.evaluate(paper)
        assert light != dark
        await tab.page.reload()
        await tab.ready()
        assert await tab.page.evaluate(paper) == light
        await tab.page.get_by_label("Appearance").select_option("Device")
        assert await tab.page.evaluate(paper) == dark
        await tab.page.emulate_media(color_scheme="light")
        assert await tab.page.evaluate(paper) == light


# Input methods.


async def composing(tab: Tab, *steps: str) -> Any:
    """An input method composes, its text not yet chosen."""
    devtools = await tab.page.context.new_cdp_session(tab.page)
    for step in steps:
        await devtools.send(
            "Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)}
        )
    return devtools


async def enter(devtools: Any, code: int) -> None:
    """The Enter key, with the key code that browsers give it: 229 while a method composes."""
    for kind in ("rawKeyDown", "keyUp"):
        await devtools.send(
            "Input.dispatchKeyEvent",
            {
                "type": kind,
                "key": "Enter",
                "code": "Enter",
                "windowsVirtualKeyCode": code,
                "nativeVirtualKeyCode": code,
            },
        )


@pytest.mark.parametrize(
    ("locale", "steps", "word"), [("ko-KR", ("ㅅ", "소", "솔"), "소라"), ("zh-CN", ("h", "ha", "hai luo"), "海螺")]
)
async def test_enter_chooses_a_composed_word_and_only_then_sends(
    browser: Browser, tmp_path: Path, locale: str, steps: tuple[str, ...], word: str
) -> None:
    async with site(tmp_path) as here, visit(browser, here, locale=locale) as tab:
        await tab.box.focus()
        devtools = await composing(tab, *steps)
        await expect(tab.box).to_have_value(steps[-1])
        await enter(devtools, 13)
        await enter(devtools, 229)
        assert await tab.texts(tab.questions) == [], "Enter belongs to the input method"
        await devtools.send("Input.insertText", {"text": word})
        await expect(tab.box).to_have_value(word)
        await enter(devtools, 229)
        assert await tab.texts(tab.questions) == [], "some browsers end the composition before they tell of its key"
        await tab.box.press("Enter")
        await tab.ended(1)
        assert await tab.texts(tab.questions) == [word]


async def test_enter_sends_shift_enter_does_not_and_a_phones_enter_does_not(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        async with visit(browser, here) as tab:
            await tab.box.press("Enter")
            await tab.box.type("two")
            await tab.box.press("Shift+Enter")
            await tab.box.type("lines")
            height = await tab.box.evaluate("box => box.offsetHeight")
            assert height > 40, "the box grows"
            await tab.box.press("Enter")
            await tab.ended(1)
            assert await tab.page.locator(".question").inner_text() == "two\nlines"
            assert await tab.box.evaluate("box => box.offsetHeight") < height
        async with visit(browser, here, **PHONE) as tab:
            await tab.box.type("a")
            await tab.box.press("Enter")
            await tab.box.type("b")
            await expect(tab.box).to_have_value("a\nb")
            await tab.page.locator("#send").tap()
            await tab.ended(1)


# Without a mouse, without sight.


async def test_everything_is_done_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        keys = tab.page.keyboard

        async def reach(name: str, *, back: bool = False) -> None:
            for _ in range(40):
                found = "e => e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent.trim() ?? e.textContent.trim()"
                if await tab.page.evaluate(f"() => ({found})(document.activeElement)") == name:
                    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
                    assert await tab.page.evaluate(outline) != "none" or name == "Your question"
                    return
                await keys.press("Shift+Tab" if back else "Tab")
            raise AssertionError(f"{name} cannot be reached")

        await tab.page.evaluate("document.activeElement.blur()")
        await reach("Skip to your question")
        await keys.press("Enter")
        await keys.type("by keyboard")
        await keys.press("Enter")
        await tab.ended(1)
        await reach("Answer again", back=True)
        await keys.press("Enter")
        await tab.page.wait_for_selector("article[data-turn='2']:not(.live)")
        await expect(tab.box).to_be_focused()
        await reach("Edit", back=True)
        await keys.press("Enter")
        await keys.press("ControlOrMeta+a")
        await keys.type("in other words")
        await keys.press("Enter")
        await tab.say(".question", "in other words")
        await tab.ended(1)
        await tab.box.focus()
        await reach("Rename “by keyboard”", back=True)
        await keys.press("Space")
        await keys.type("Renamed")
        await keys.press("Enter")
        await tab.say("h1", "Renamed")
        await reach("Rename “Renamed”")
        await keys.press("Tab")
        await keys.press("Enter")
        await reach("Delete")
        await keys.press("Enter")
        await expect(tab.page.locator("#list a")).to_have_count(0)
        await expect(tab.box).to_be_focused()
        await reach("My data", back=True)
        await keys.press("Enter")
        await expect(tab.page.locator("#data-dialog")).to_be_visible()
        await keys.press("Escape")
        await expect(tab.named("My data")).to_be_focused()


async def test_a_listener_hears_states_not_every_word(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, load=False) as here, visit(browser, here) as tab:
        await tab.page.evaluate(
            """() => {
                window.heard = [];
                const live = document.querySelector('#live');
                new MutationObserver(() => live.textContent && window.heard.push(live.textContent))
                    .observe(live, {childList: true, characterData: true, subtree: true});
            }"""
        )
        await tab.ask("words=60")
        await tab.say("#live", "still loading")
        here.engine.hold = 30
        await here.engine.ready()
        here.gate.resize(1)
        await tab.say("#live", "being written")
        here.engine.let_go()
        await tab.say("#live", "The answer is there.")
        heard = await tab.page.evaluate("window.heard")
        assert "The answer is being written." in heard
        assert len(heard) <= 5
        assert not any("1-" in sentence for sentence in heard)
        assert await tab.page.locator("#thread[aria-live], .answer[aria-live]").count() == 0


async def test_a_narrow_screen_has_everything_and_no_sideways_scroll(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here, **PHONE) as tab:
        await tab.box.fill(ANSWER + "\n\n" + "w" * 300)
        await tab.page.locator("#send").tap()
        await tab.ended(1)
        assert await tab.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        fits = "parts => parts.every(part => part.scrollWidth <= part.clientWidth)"
        assert await tab.page.locator("#thread, .foot, header, .answer").evaluate_all(fits)
        await expect(tab.page.locator("#list a")).to_be_hidden()
        await tab.named("Show conversations").tap()
        await expect(tab.page.locator("#list a")).to_be_visible()
        await expect(tab.named("Hide conversations")).to_be_focused()
        await tab.page.keyboard.press("Escape")
        await expect(tab.page.locator("#list a")).to_be_hidden()
        await expect(tab.named("Show conversations")).to_be_focused()
        await tab.named("Show conversations").tap()
        await tab.page.locator("#list a").tap()
        await expect(tab.page.locator("#list a")).to_be_hidden()
        await tab.ended(1)
        await tab.named("Show conversations").tap()
        await tab.page.locator("#side #new").tap()
        await expect(tab.page.locator("#empty")).to_be_visible()
        await expect(tab.page.locator("#list a")).to_be_hidden()
