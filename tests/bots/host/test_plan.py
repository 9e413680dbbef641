"""What the start says of its plan, in every language."""

from __future__ import annotations

import pytest

from bots.host.plan import sentences
from bots.talk.wording import Wording
from config import LOCALES
from core.local.plan import OPENCHAT, Free, Outline, decoder, plan

GIB = 2**30


@pytest.mark.parametrize("spoken", ["en", "ko", "zh"])
def test_that_long_answers_have_no_room_is_said_with_the_plan(spoken: str) -> None:
    say = Wording(LOCALES).bind(spoken)
    found = plan(decoder(OPENCHAT, bytes_each=2, quantized=True), Free(int(5.5 * GIB), 32 * GIB, 100 * GIB))
    outline = Outline("openchat", "float16", found, rate=40.0)
    (first, *rest) = sentences(outline, 1024, say)
    assert "2,048" in first or "2 048" in first
    assert sentences(outline, 4096, say) == [first, say("console-plan-short", wanted=4096, longest=1024), *rest]
