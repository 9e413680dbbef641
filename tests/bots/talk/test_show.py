"""show(): few calls, the newest text, nothing lost or doubled, whatever the platform does. All in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.talk.pacing import Pacing, Rate
from bots.talk.show import Gone, show
from bots.talk.view import Button
from bots.talk.wording import Wording
from bots.text.splitting import Part
from core.chat.reply import Reply
from core.events import Delta, FinishReason, Queued
from core.messages import Attachment
from tests.support.chat_platform import Fault, Screen, ScreenChannel, Shelf, a_pace, a_turn
from tests.support.examples import examples
from tests.support.virtual_time import now, run

SAY = Wording(Path(__file__).parents[3] / "config" / "locales").bind("en")
LONG = " ".join(f"word{number}" for number in range(36))
"""Three parts of 100 characters."""
EDITS = Rate(typing=0)
PLACEHOLDERS = {SAY("thinking"), SAY("starting-over"), SAY("loading"), "…", "from before"}


class Stage:
    """One answer, its screen and its show."""

    def __init__(self, shelf: Shelf | None = None, screen: Screen | None = None, rate: Rate = EDITS) -> None:
        self.shelf = shelf or Shelf(a_turn())
        self.screen = screen or Screen()
        self.pace = a_pace(rate)
        self.reply = self.shelf.reply()

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(show(self.reply, ScreenChannel(self.screen, self.pace, self.shelf), SAY))

    async def speak(self, text: str, every: float = 0.1) -> None:
        """A word each ``every`` seconds."""
        for word in text.split(" "):
            self.reply.emit(Delta(word if not self.reply.text else f" {word}", (1,)))
            await asyncio.sleep(every)

    def seen(self) -> list[str]:
        """The texts of the answer's messages."""
        return [self.screen.messages[ref].part.text for ref in self.shelf.turn.refs if ref in self.screen.messages]

    def buttons(self) -> list[tuple[Button, ...]]:
        return [self.screen.messages[ref].buttons for ref in self.shelf.turn.refs if ref in self.screen.messages]


def test_one_message_shows_the_place_then_the_growing_text_then_the_end_with_its_buttons() -> None:
    async def play() -> None:
        stage = Stage()
        stage.reply.emit(Queued(2, 33.0))
        showing = stage.start()
        await asyncio.sleep(5)
        stage.reply.emit(Queued(1, 12.0))
        await asyncio.sleep(5)
        assert stage.buttons() == [("stop",)]
        await stage.speak("one two three", every=2)
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.screen.texts == [
            "2 ahead of you, about 35 seconds…",
            "1 ahead of you, about 15 seconds…",
            "one",
            "one two",
            "one two three",
            "one two three",  # with other buttons
        ]
        assert stage.buttons() == [("regenerate",)]
        assert stage.shelf.turn.shown
        assert stage.screen.wrongs == []

    run(play())


def test_the_place_is_drawn_again_only_when_it_falls() -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        for event in (Queued(2), Queued(3), Queued(2), Queued(1), Queued(1, 60.0), Queued(0, None, "paused")):
            stage.reply.emit(event)
            await asyncio.sleep(3)
        stage.shelf.end(stage.reply, "error", "expired")
        await showing
        assert stage.screen.texts == ["2 ahead of you…", "1 ahead of you…", SAY("paused"), SAY("expired")]

    run(play())


def test_fast_text_is_drawn_as_often_as_the_pace_allows_and_always_the_newest() -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        await stage.speak(" ".join("x" * 5 for _ in range(10)), every=0.5)
        stage.shelf.end(stage.reply, "stop")
        await showing
        begins = [at for _, at in stage.screen.calls]
        assert all(later - first >= 1.0 for first, later in pairwise(begins))
        assert len(begins) <= 7
        assert stage.seen() == [" ".join("x" * 5 for _ in range(10))]

    run(play())


def test_a_long_answer_fills_one_message_after_the_other_each_committed_before_the_next() -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        await stage.speak(LONG, every=1)
        stage.shelf.end(stage.reply, "length", left_out=2)
        await showing
        assert " ".join(stage.seen()).startswith(LONG)
        assert SAY("cut-by-length") in " ".join(stage.seen()).replace("\n", " ")
        assert SAY("left-out") in " ".join(stage.seen()).replace("\n", " ")
        assert stage.buttons()[-1] == ("regenerate", "proceed")
        assert all(buttons == () for buttons in stage.buttons()[:-1])
        assert list(stage.screen.messages) == list(stage.shelf.turn.refs)
        assert stage.screen.wrongs == []

    run(play())


@pytest.mark.parametrize(
    ("reason", "cause", "text", "shown", "buttons"),
    [
        ("stop", None, "", "no-answer", ("regenerate",)),
        ("abort", "stopped", "Half", "stopped", ("regenerate", "proceed")),
        ("abort", "stopped", "", "stopped", ("regenerate",)),
        ("abort", "new", "Half", "new", ()),
        ("error", "engine_failed", "Half", "engine-failed", ("regenerate",)),
        ("error", "too_long", "", "too-long", ()),
        ("error", "gave_up", "", "gave-up", ("regenerate",)),
        ("error", None, "", "failed", ("regenerate",)),
        ("error", "never_heard_of", "", "failed", ("regenerate",)),
    ],
)
def test_an_end_is_told_under_the_text_so_far(
    reason: FinishReason, cause: str | None, text: str, shown: str, buttons: tuple[Button, ...]
) -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        await asyncio.sleep(1)
        if text:
            await stage.speak(text)
        stage.shelf.end(stage.reply, reason, cause)
        await showing
        whole = "\n".join(stage.seen()).replace("\n", " ").replace("*", "")
        assert whole == " ".join(filter(None, [f"{text} " * bool(text), SAY(shown, limit=0)]))
        assert stage.buttons()[-1] == buttons

    run(play())


def test_under_an_answer_about_files_stands_how_much_of_them_was_read() -> None:
    async def play() -> None:
        files = (Attachment("__init__.py", text="x" * 10), Attachment("b.txt", text="y" * 300))
        stage = Stage(Shelf(replace(a_turn(), attachments=files, read=(10, 299))))
        showing = stage.start()
        await stage.speak("Well")
        stage.shelf.end(stage.reply, "stop", left_out=1)
        await showing
        whole = " ".join("\n".join(stage.seen()).split())
        assert whole.startswith("Well *I read the whole file \\_\\_init\\_\\_.py.* *I read the first 99 % of")
        assert whole.index("b.txt") < whole.index(SAY("left-out")[:20])

    run(play())


def test_beyond_five_messages_the_whole_answer_is_a_file() -> None:
    async def play() -> None:
        stage = Stage()
        text = " ".join(f"word{number:03}" for number in range(100))
        showing = stage.start()
        await stage.speak(text, every=0.5)
        await asyncio.sleep(5)
        calls = len(stage.screen.calls)
        await stage.speak("more and more", every=1)
        assert len(stage.screen.calls) == calls  # five are full: nothing to draw until the end
        stage.shelf.end(stage.reply, "length")
        await showing
        assert len(stage.seen()) == 5
        assert f"{text} more".startswith(" ".join(stage.seen()))
        (name, data, caption) = stage.screen.files[stage.shelf.turn.refs[5]]
        assert (name, data.decode()) == ("answer.md", f"{text} more and more")
        assert SAY("cut-by-length") in caption
        assert stage.buttons()[-1] == ("regenerate", "proceed")

    run(play())


def test_a_deleted_question_takes_its_answer_along() -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        await stage.speak(LONG, every=1)
        stage.shelf.end(stage.reply, "abort", "deleted")
        await showing
        assert stage.screen.messages == {}
        assert stage.shelf.turn.shown

    run(play())


def test_an_edited_question_takes_over_the_message_even_one_that_is_being_sent() -> None:
    async def play() -> None:
        old, new = Stage(screen=Screen(took=3.0)), Shelf(a_turn("edit"))
        first = old.start()
        await asyncio.sleep(1)
        answer = new.reply()
        old.reply.successor = answer
        old.shelf.end(old.reply, "abort", "edited")
        second = asyncio.create_task(show(answer, ScreenChannel(old.screen, old.pace, new), SAY))
        await asyncio.sleep(1)
        answer.emit(Delta("Better.", (1,)))
        new.end(answer, "stop")
        await asyncio.gather(first, second)
        assert [message.part.text for message in old.screen.messages.values()] == ["Better."]
        assert new.turn.refs == tuple(old.screen.messages)
        assert old.shelf.turn.shown
        assert new.turn.shown

    run(play())


def test_an_answer_made_anew_takes_the_old_words_out_first_and_grows_in_the_same_messages() -> None:
    async def play(words: str) -> tuple[list[str], tuple[str, ...], set[str]]:
        stage = Stage(Shelf(a_turn("regenerate", refs=("a", "b", "c"))))
        stage.screen.blank("abc")
        showing = stage.start()
        await asyncio.sleep(3.5)
        assert stage.seen() == [SAY("thinking"), "…", "…"]
        await stage.speak(words)
        stage.shelf.end(stage.reply, "stop")
        await showing
        return stage.seen(), stage.shelf.turn.refs, {name for name, _ in stage.screen.calls}

    assert run(play("Anew.")) == (["Anew."], ("a",), {"edit", "delete"})
    seen, refs, calls = run(play(LONG))
    assert " ".join(seen) == LONG
    assert (refs, calls) == (("a", "b", "c"), {"edit"})


def test_after_a_crash_the_answer_goes_on_in_the_messages_it_had() -> None:
    async def play() -> None:
        stage = Stage(Shelf(a_turn(refs=("a", "b", "c"), attempts=1)))
        stage.screen.blank("abc")
        showing = stage.start()
        await asyncio.sleep(3)
        assert stage.seen() == [SAY("starting-over"), "from before", "from before"]
        await stage.speak("Short.")
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.seen() == ["Short."]
        assert [name for name, _ in stage.screen.calls].count("send") == 0

    run(play())


def test_after_a_crash_an_answer_made_anew_keeps_the_messages_that_it_has_made() -> None:
    async def play() -> None:
        stage = Stage(Shelf(a_turn("regenerate", refs=("a", "b", "c"), started=1.0)))
        stage.screen.blank("abc")
        showing = stage.start()
        await stage.speak(LONG, every=1)
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert " ".join(stage.seen()) == LONG
        assert {name for name, _ in stage.screen.calls} == {"edit"}

    run(play())


def test_an_answer_that_began_before_it_could_be_shown_takes_its_messages_over_all_the_same() -> None:
    async def play() -> None:
        stage = Stage(Shelf(a_turn("regenerate", refs=("a", "b", "c"))))
        stage.screen.blank("abc")
        stage.reply.turn = replace(stage.reply.turn, attempts=1, started=1.0)
        showing = stage.start()
        await asyncio.sleep(5)
        assert stage.seen() == [SAY("thinking"), "…", "…"]
        await stage.speak("Short.")
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.seen() == ["Short."]

    run(play())


def test_a_message_that_another_stands_for_is_left_alone_from_then_on() -> None:
    class MovedChannel(ScreenChannel):
        """A chat that moves: its old messages cannot be edited any more."""

        async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> str | None:
            if ref == "old":
                return await self.send(part, buttons)
            return await super().edit(ref, part, buttons)

    async def play() -> None:
        stage = Stage(Shelf(a_turn(refs=("old",), attempts=1)))
        stage.screen.blank(["old"])
        showing = asyncio.create_task(show(stage.reply, MovedChannel(stage.screen, stage.pace, stage.shelf), SAY))
        await stage.speak("There now.", every=2)
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.seen() == ["There now."]
        assert [name for name, _ in stage.screen.calls].count("send") == 1
        assert stage.screen.messages["old"].part.text == "from before"
        assert stage.screen.wrongs == []

    run(play())


@pytest.mark.parametrize("forgotten", [False, True])
def test_an_answer_deleted_while_its_end_is_being_shown_goes_with_all_its_messages(forgotten: bool) -> None:
    async def play() -> None:
        stage = Stage()
        stage.reply.emit(Delta(LONG, (1,)))
        stage.shelf.end(stage.reply, "stop")
        showing = stage.start()
        await asyncio.sleep(2.5)
        assert len(stage.screen.messages) == 2
        if forgotten:  # the store knows no more where it is shown
            stage.shelf.forgotten = True
        stage.reply.end(replace(stage.reply.turn, reply="", deleted=True))
        await showing
        assert stage.screen.messages == {}

    run(play())


def test_what_was_answered_but_not_shown_is_drawn_from_the_store() -> None:
    async def play() -> None:
        stage = Stage()
        stage.reply.emit(Delta("Done.", (1,)))
        stage.shelf.end(stage.reply, "stop")
        again = Stage(stage.shelf)
        await again.start()
        assert again.screen.texts == [SAY("thinking"), "Done."]
        assert again.shelf.turn.shown

    run(play())


def test_a_shutdown_says_so_once_and_leaves_the_turn_to_the_next_start() -> None:
    async def play() -> None:
        stage = Stage()
        showing = stage.start()
        await stage.speak("Half of", every=2)
        stage.reply.close()
        await showing
        assert stage.seen() == [f"Half of\n\n*{SAY('interrupted')}*"]
        assert not stage.shelf.turn.shown

    run(play())


def lost_after_the_first() -> Iterator[Fault | None]:
    yield None
    while True:
        yield "lost"


def test_a_shutdown_that_the_platform_does_not_hear_is_not_waited_for() -> None:
    async def play() -> None:
        stage = Stage(screen=Screen(lost_after_the_first()))
        showing = stage.start()
        await asyncio.sleep(5)
        stage.reply.close()
        async with asyncio.timeout(20):
            await showing

    run(play())


def test_when_the_chat_is_gone_the_answer_runs_on_and_counts_as_shown() -> None:
    class GoneChannel(ScreenChannel):
        async def edit(self, ref: str, part: object, buttons: object) -> None:
            self.screen.calls.append(("edit", now()))
            raise Gone

    async def play() -> None:
        stage = Stage()
        showing = asyncio.create_task(show(stage.reply, GoneChannel(stage.screen, stage.pace, stage.shelf), SAY))
        await stage.speak(LONG, every=1)
        assert len(stage.screen.calls) == 2
        assert not stage.shelf.turn.shown
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.shelf.turn.shown

    run(play())


def test_a_full_disk_delays_and_doubles_nothing() -> None:
    async def play() -> None:
        stage = Stage(Shelf(a_turn(), full=5))
        showing = stage.start()
        await stage.speak("All of it.")
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.seen() == ["All of it."]
        assert len(stage.screen.messages) == 1

    run(play())


def test_told_to_wait_the_previews_stop_and_the_end_comes_right_after() -> None:
    async def play() -> None:
        stage = Stage(screen=Screen(iter([None, "wait"])))
        showing = stage.start()
        await stage.speak("one two three", every=1)
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert stage.screen.texts == [SAY("thinking"), "one two three"]
        assert stage.screen.calls[-1][1] == pytest.approx(stage.screen.quiet_until, abs=0.1)

    run(play())


def test_the_end_does_not_wait_for_the_time_of_a_preview() -> None:
    async def play() -> None:
        stage = Stage(rate=Rate(interval=1.0, preview=30.0, typing=0))
        showing = stage.start()
        await stage.speak("one two three", every=2)  # a preview is drawn, and the next one waits for its time
        stage.shelf.end(stage.reply, "stop")
        ended = now()
        await showing
        assert stage.seen() == ["one two three"]
        assert now() - ended < 2

    run(play())


def test_told_to_leave_everything_alone_the_other_chats_wait_too() -> None:
    async def play() -> None:
        pacing = Pacing(30, 1.0, now)
        first, other = Stage(screen=Screen(iter(["wait everywhere"]))), Stage()
        first.pace, other.pace = pacing.chat("first", EDITS), pacing.chat("other", EDITS)
        tasks = [first.start()]
        await asyncio.sleep(1)
        tasks.append(other.start())
        for stage in (first, other):
            stage.reply.emit(Delta("Said.", (1,)))
            stage.shelf.end(stage.reply, "stop")
        await asyncio.gather(*tasks)
        assert other.screen.calls[0][1] >= first.screen.quiet_until
        assert first.seen() == other.seen() == ["Said."]

    run(play())


def test_while_the_platform_cannot_be_reached_it_is_called_less_and_less_often() -> None:
    async def play() -> None:
        stage = Stage(screen=Screen(lost_after_the_first()))
        showing = stage.start()
        await stage.speak(LONG, every=4)
        assert len(stage.screen.calls) < 20
        stage.screen.faults = iter(())
        stage.shelf.end(stage.reply, "stop")
        ended = now()
        await showing
        assert now() - ended < 25
        assert " ".join(stage.seen()) == LONG

    run(play())


def test_what_somebody_else_has_deleted_already_does_not_stop_the_clearing() -> None:
    async def play() -> None:
        stage = Stage(Shelf(a_turn("regenerate", refs=("a", "b", "c"))))
        stage.screen.blank("ab")
        showing = stage.start()
        await stage.speak("Anew.", every=5)
        stage.shelf.end(stage.reply, "stop")
        await showing
        assert [message.part.text for message in stage.screen.messages.values()] == ["Anew."]
        assert stage.shelf.turn.refs == ("a",)

    run(play())


def test_an_ended_answer_draws_nothing_more_in_messages_that_another_has_taken_over() -> None:
    async def play() -> None:
        old, new = Stage(rate=Rate(interval=5.0, typing=0)), Shelf(a_turn("regenerate", refs=("m1",)))
        first = old.start()
        await asyncio.sleep(1)
        old.reply.emit(Delta(LONG, (1,)))
        old.shelf.end(old.reply, "stop")
        answer = new.reply()
        old.reply.successor = answer
        second = asyncio.create_task(show(answer, ScreenChannel(old.screen, old.pace, new), SAY))
        answer.emit(Delta("Better.", (1,)))
        new.end(answer, "stop")
        await asyncio.gather(first, second)
        assert old.screen.texts == [SAY("thinking"), "Better."]
        assert old.shelf.turn.shown
        assert new.turn.shown

    run(play())


def test_typing_is_shown_while_the_model_thinks_and_not_while_others_are_answered() -> None:
    async def play(rate: Rate) -> list[float]:
        stage = Stage(rate=rate)
        stage.reply.emit(Queued(3))
        showing = stage.start()
        await asyncio.sleep(10)
        assert "typing" not in [name for name, _ in stage.screen.calls]
        stage.reply.emit(Queued(0))
        await asyncio.sleep(20)
        await stage.speak(LONG, every=1)
        stage.shelf.end(stage.reply, "stop")
        await showing
        return [at for name, at in stage.screen.calls if name == "typing"]

    again = run(play(Rate(typing=5.0)))
    assert 3 <= len(again) <= 4
    assert max(again) < 31
    assert len(run(play(Rate(typing=math.inf)))) == 1
    assert run(play(Rate(typing=0))) == []


def test_in_a_group_previews_leave_room_for_the_answers_of_others() -> None:
    rate = Rate(interval=1.0, preview=5.0, line=10.0, typing=math.inf, calls_per_minute=20, previews_per_minute=12)

    async def play() -> None:
        stages = [Stage(rate=rate) for _ in range(3)]
        pace = stages[0].pace
        for stage in stages:
            stage.pace = pace
        tasks = [stage.start() for stage in stages]
        await asyncio.gather(*(stage.speak(LONG, every=2) for stage in stages))
        for stage in stages:
            stage.shelf.end(stage.reply, "stop")
        ended = now()
        await asyncio.gather(*tasks)
        calls = sorted(at for stage in stages for _, at in stage.screen.calls)
        assert all(later - first > 60 - 1e-6 for first, later in zip(calls, calls[20:], strict=False))
        assert all(" ".join(stage.seen()) == LONG for stage in stages)
        assert now() - ended < 60

    run(play())


# Whatever the platform does.

faults = st.lists(st.sampled_from([None, None, None, "lost", "late", "wait", "wait everywhere", "slow"]), max_size=25)
scripts = st.lists(
    st.one_of(
        st.builds(Queued, st.integers(0, 3)),
        st.lists(st.sampled_from(["word", "한국어", "👍🏽", "`code`", "\n\n", "```\n"]), min_size=1, max_size=12).map(
            " ".join
        ),
    ),
    max_size=8,
)
ends: st.SearchStrategy[tuple[FinishReason, str | None]] = st.sampled_from(
    [("stop", None), ("length", None), ("abort", "stopped"), ("error", "engine_failed"), ("error", None)]
)


async def act(reply: Reply, shelf: Shelf, script: list[Queued | str], end: tuple[FinishReason, str | None]) -> None:
    """Say what the script says, from its start, as an engine with the same seed does after a crash."""
    for line in script:
        reply.emit(line if isinstance(line, Queued) else Delta(f"{line} ", (1,)))
        await asyncio.sleep(0.7)
    shelf.end(reply, *end)


async def endure(
    trouble: Iterator[Fault | None],
    script: list[Queued | str],
    end: tuple[FinishReason, str | None],
    crashes: list[float],
    keyed: bool,
    full: int,
) -> Stage:
    """Show one answer, killed ``crashes`` seconds after each start, then left alone."""
    stage = Stage(Shelf(a_turn(), full), Screen(trouble, keyed))
    for life in (*crashes, math.inf):
        stage.screen.busy = False
        for message in stage.screen.messages.values():
            message.sure = False  # the new process knows nothing of what is shown
        stage.reply = stage.shelf.reply()
        stage.pace = a_pace(EDITS)
        stage.screen.quiet_until = -1.0
        showing = stage.start()
        acting = None
        if stage.shelf.turn.finish_reason is None:
            acting = asyncio.create_task(act(stage.reply, stage.shelf, script, end))
        await asyncio.wait({showing}, timeout=None if life == math.inf else life)
        for task in filter(None, (showing, acting)):
            task.cancel()
        await asyncio.wait(set(filter(None, (showing, acting))))
        if not showing.cancelled():
            showing.result()
            break
    return stage


@settings(suppress_health_check=list(HealthCheck))
@given(faults, scripts, ends, st.lists(st.floats(0.01, 12), max_size=3), st.booleans(), st.integers(0, 2))
def test_whatever_fails_the_final_text_is_shown_once_in_order(
    trouble: list[Fault | None],
    script: list[Queued | str],
    end: tuple[FinishReason, str | None],
    crashes: list[float],
    keyed: bool,
    full: int,
) -> None:
    stage = run(endure(iter(trouble), script, end, crashes, keyed, full))
    screen, turn = stage.screen, stage.shelf.turn
    assert turn.shown
    assert screen.wrongs == []

    async def undisturbed() -> list[str]:
        calm = await endure(iter(()), script, end, [], False, 0)
        assert len(calm.screen.messages) == len(calm.seen())
        return calm.seen()

    assert stage.seen() == run(undisturbed())
    refs = [ref for ref in turn.refs if ref]
    order = [ref for ref in screen.messages if ref in refs]
    assert order == [ref for ref in refs if ref in screen.messages]
    orphans = [message.part.text for ref, message in screen.messages.items() if ref not in refs]
    assert len(orphans) <= (len(crashes) if keyed else len(crashes) + screen.ambiguous)
    assert all(text in PLACEHOLDERS or "ahead" in text or "next" in text for text in orphans)


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(faults, scripts, ends)
def test_whatever_fails_the_pace_is_kept(
    trouble: list[Fault | None], script: list[Queued | str], end: tuple[FinishReason, str | None]
) -> None:
    stage = run(endure(iter(trouble), script, end, [], False, 0))
    begins = [at for _, at in stage.screen.calls]
    assert all(later - first > 1.0 - 1e-6 for first, later in pairwise(begins))


def test_sixty_answers_at_once_on_one_budget_all_end_soon_after_their_end() -> None:
    async def play() -> list[float]:
        shelves = [Shelf(a_turn()) for _ in range(60)]
        pacing = Pacing(30, 1.0, now)
        late: list[float] = []

        async def one(number: int, shelf: Shelf) -> None:
            reply, screen = shelf.reply(), Screen()
            showing = asyncio.create_task(
                show(reply, ScreenChannel(screen, pacing.chat(str(number), EDITS), shelf), SAY)
            )
            for word in range(20):
                reply.emit(Delta(f"w{word} ", (1,)))
                await asyncio.sleep(0.5)
            await asyncio.sleep(number * 0.2)
            shelf.end(reply, "stop")
            ended = now()
            await showing
            late.append(now() - ended)
            assert screen.wrongs == []

        await asyncio.gather(*(one(number, shelf) for number, shelf in enumerate(shelves)))
        return late

    assert max(run(play())) < 5.0
