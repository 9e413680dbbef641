"""A hostile answer on the page: nothing of it is executed, nothing is fetched, and the policy stands behind that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.browsers import chromium, visit
from tests.support.page_server import site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = """
<script>window.owned = 1</script>
<img src="http://leak.example/pixel.png" onerror="window.owned = 2">
<svg onload="window.owned = 3"></svg>
<iframe src="http://leak.example/"></iframe>
<style>@import url(http://leak.example/style.css)</style>
<link rel="prefetch" href="http://leak.example/prefetch">
<meta http-equiv="refresh" content="0;url=http://leak.example/">
<form action="http://leak.example/"><button>x</button></form>

![pixel](http://leak.example/markdown.png) ![](https://leak.example/empty.png)

[press me](javascript:window.owned=4) [and me](data:text/html,<script>window.owned=5</script>)
[or me](JAVASCRIPT:window.owned=6 "title") <javascript:window.owned=7>

[out](https://harmless.example/path)

```html" onmouseover="window.owned=8
<script>window.owned = 9</script>
```
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


async def test_a_hostile_answer_does_nothing(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask(f"echo {HOSTILE.strip()}")
        await tab.ended(1)
        await expect(tab.page.locator(".answer a")).to_have_count(3)
        assert await tab.page.evaluate("window.owned") is None
        for tag in (
            "script",
            "img",
            "iframe",
            "style",
            "link",
            "meta",
            "form",
            "svg[onload]",
            "[onerror]",
            "[onmouseover]",
        ):
            assert await tab.page.locator(f".answer {tag}").count() == 0, tag
        links = await tab.page.locator(".answer a").evaluate_all("links => links.map(link => link.href)")
        assert all(
            link.startswith(("http://leak.example/", "https://leak.example/", "https://harmless.example/"))
            for link in links
        )
        out = tab.page.locator(".answer a", has_text="out")
        assert await out.get_attribute("rel") == "noopener noreferrer nofollow"
        assert await out.get_attribute("target") == "_blank"
        await tab.page.reload()
        await tab.ended(1)
        assert await tab.page.evaluate("window.owned") is None
        assert tab.strangers == set()


async def test_a_hostile_title_or_question_is_only_text(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as here, visit(browser, here) as tab:
        await tab.ask("<img src=x onerror=window.owned=1>")
        await tab.ended(1)
        assert await tab.texts(tab.questions) == ["<img src=x onerror=window.owned=1>"]
        await expect(tab.page.locator("h1")).to_have_text("<img src=x onerror=window.owned=1>")
        assert await tab.page.evaluate("window.owned") is None


async def test_the_policy_stops_what_would_get_through(browser: Browser, tmp_path: Path) -> None:
    """As if the server had let everything pass: the browser itself refuses to run or fetch it."""
    async with site(tmp_path) as here, visit(browser, here, fine=False) as tab:
        broken = await tab.page.evaluate(
            """async () => {
                const broken = new Set();
                const kind = directive => directive.replace(/-(elem|attr)$/, '');
                document.addEventListener('securitypolicyviolation', e => broken.add(kind(e.effectiveDirective)));
                const add = (tag, given) => document.body.append(Object.assign(document.createElement(tag), given));
                add('script', {textContent: 'window.owned = 1'});
                add('script', {src: 'http://leak.example/x.js'});
                add('img', {src: 'http://leak.example/x.png'});
                add('iframe', {src: 'http://leak.example/'});
                add('link', {rel: 'stylesheet', href: 'http://leak.example/x.css'});
                add('div', {innerHTML: '<p style="color: red" onclick="window.owned = 2">x</p>'});
                document.body.lastChild.firstChild.click();
                await fetch('http://leak.example/').catch(() => {});
                setTimeout('window.owned = 3');
                const end = performance.now() + 10000;
                while (performance.now() < end && broken.size < 5) await new Promise(requestAnimationFrame);
                return [...broken];
            }"""
        )
        assert {"script-src", "img-src", "frame-src", "style-src", "connect-src"} <= set(broken)
        assert await tab.page.evaluate("window.owned") is None
        tab.asked = [url for url in tab.asked if "leak.example" not in url]  # asked for, and stopped before the network


async def test_no_other_site_can_frame_the_page_or_read_it(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with site(tmp_path / "one") as here, site(tmp_path / "two") as evil, visit(browser, evil, fine=False) as tab:
        found = await tab.page.evaluate(
            """async address => {
                const tell = promise => promise.then(() => 'let through', () => 'stopped');
                return [await tell(fetch(address + 'api/conversations', {credentials: 'include'})),
                        await tell(fetch(address + 'api/forget', {method: 'POST', mode: 'no-cors', body: '{}'}))];
            }""",
            here.web.address,
        )
        assert found == ["stopped", "stopped"]
        answer = await tab.page.context.request.post(
            f"{here.web.address}api/session", data={}, headers={"Origin": evil.origin}
        )
        assert answer.status == 403
        tab.asked.clear()
