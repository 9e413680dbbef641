"""Questions of several pieces: quoted words, files, and what comes in more than one message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from core.chat.chat import Options
from core.chat.fitting import portions
from core.chat.people import People
from core.errors import Empty, NotFound, NotYours, TooLong
from core.events import Finished
from core.limits import Limits
from core.messages import Attachment, Message, Question, Revision, Turn, groups, question
from tests.support.chat_platform import a_turn
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.whole_core import House, finish, house

ANN, BOB, OWNER = "web:ann", "web:bob", "web:owner"
C = "web:ann:c"
NOTES = Attachment("notes.txt", text="one two three")
PASTES = Options(persona="assistant", quiet=0.3)
LONG_QUIET = Options(persona="assistant", quiet=3600.0)


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as opened:
        yield opened


def last_question(home: House) -> str:
    """What the model was asked last."""
    return home.engine.asked[-1][-1].content


def turn_with(**pieces: object) -> Turn:
    return replace(a_turn(), **pieces)


# What the model reads.


def test_quoted_lines_are_marked_so_that_they_cannot_pass_for_the_question() -> None:
    turn = turn_with(prompt="Is that so?", quote="Yes.\n\nIs that so?\u2028> no")
    assert question(turn, ()) == "> Yes.\n> \n> Is that so?\n> > no\n\nIs that so?"


def test_a_fence_round_a_file_is_longer_than_any_in_it() -> None:
    turn = turn_with(prompt="Explain.", attachments=(Attachment("a\n````.md", text="x\n`````\ny"),))
    assert question(turn, (9,)) == "``````a ````.md\nx\n`````\ny\n``````\n\nExplain."


def test_of_a_file_the_model_reads_as_much_as_it_is_told() -> None:
    turn = turn_with(prompt="", attachments=(NOTES, Attachment("b", text="four")))
    assert question(turn, (7,)) == "```notes.txt\none two\n```\n\n```b\n\n```"


def test_a_file_asked_about_before_is_seen_as_far_as_it_was_read_then() -> None:
    turn = turn_with(prompt="?", attachments=(NOTES,), read=(3,), reply="Well.", finish_reason="stop")
    assert groups([turn])[0][0] == Message("user", "```notes.txt\none\n```\n\n?")


# Files.


async def test_a_file_is_read_whole_where_it_fits_and_the_turn_says_so(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "what is it?", attachments=(NOTES,)))
    await finish(reply, home.engine)
    assert last_question(home) == "```notes.txt\none two three\n```\n\nwhat is it?"
    assert reply.turn.read == (13,)
    assert (await home.store.turn(reply.turn.id)).read == (13,)


async def test_a_file_alone_is_a_question_and_nothing_at_all_is_none(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "", attachments=(NOTES,)))
    assert (await finish(reply, home.engine)) == "a1 a2 a3 a4"
    assert (await home.chat.conversations(ANN))[0].title == "notes.txt"
    with pytest.raises(Empty):
        await home.chat.send(Question(C, ANN, "web:2", " "))


async def test_of_a_file_that_does_not_fit_the_beginning_is_read_up_to_a_word(tmp_path: Path) -> None:
    text = " ".join(f"w{number:04}" for number in range(5000))
    async with house(tmp_path, engine=SteppedEngine(context_window=1100)) as home:
        reply = await home.chat.send(
            Question(C, ANN, "web:1", "in short?", attachments=(Attachment("long.txt", text=text),))
        )
        assert (await finish(reply, home.engine)) == "a1 a2 a3 a4"
        (read,) = reply.turn.read
        assert text[read] == " "
        assert text[:read] in last_question(home)
        assert 730 <= await home.engine.count_tokens(home.engine.asked[-1]) <= 750  # three quarters of 1,000
        assert reply.turn.finish_reason == "stop"

        again = await home.chat.send(Question(C, ANN, "web:2", "and then?"))
        await finish(again, home.engine)
        assert [message.role for message in home.engine.asked[-1]] == ["user", "assistant", "user"]
        assert text[:read] in home.engine.asked[-1][0].content


async def test_several_files_share_the_room_the_first_first() -> None:
    async def count(messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages)

    files = tuple(Attachment(name, text=name * 400) for name in "abc")
    turn = turn_with(prompt="?", attachments=files)
    first, second, third = await portions(turn, [], 700, count)
    assert (first, third) == (400, 0)
    assert 0 < second < 400
    assert await portions(turn, [], 2000, count) == (400, 400, 400)
    assert await portions(turn, [], 5, count) == (0, 0, 0)


async def test_whatever_the_text_the_portion_fits_and_is_not_much_less_than_could_be() -> None:
    random = Random(4)

    async def count(messages: Sequence[Message]) -> int:
        """Tokens as uneven as a tokenizer's: four ASCII letters, or one of any other, are one."""
        return sum(1 if character < "\x7f" else 4 for m in messages for character in m.content) // 4

    for _ in range(200):
        pieces = [
            "word " * random.randint(0, 300),
            "한국어 텍스트 " * random.randint(0, 200),
            "x" * random.randint(0, 900),
        ]
        random.shuffle(pieces)
        turn = turn_with(prompt="why?", attachments=(Attachment("f", text="".join(pieces)),))
        room = random.randint(30, 1500)
        read = await portions(turn, [], room, count)
        taken = await count([Message("user", question(turn, read))])
        assert taken <= room
        assert read == (len("".join(pieces)),) or taken >= room * 0.98 - 85


async def test_a_question_waits_for_its_files_and_is_not_admitted_before(home):
    waiting = await home.chat.send(Question(C, ANN, "web:1", "what?", attachments=(Attachment("a.txt", "there"),)))
    other = await home.chat.send(Question("web:bob:c", BOB, "web:2", "me first"))
    await until(lambda: home.engine.running == {0})
    assert waiting.turn.incomplete
    await home.chat.attach(waiting.turn.id, ["the text"])
    await finish(other, home.engine)
    await finish(waiting, home.engine)
    assert last_question(home) == "```a.txt\nthe text\n```\n\nwhat?"
    await home.chat.attach(waiting.turn.id, ["too late"])
    assert (await home.store.turn(waiting.turn.id)).attachments == (Attachment("a.txt", "there", "the text"),)


async def test_a_restart_waits_for_the_files_again(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.chat.send(Question(C, ANN, "web:1", "what?", attachments=(Attachment("a.txt", "there"),)))
    async with house(tmp_path) as home:
        assert await home.chat.resume(["web:"]) == 1
        (reply,) = await home.chat.unfinished("web:")
        assert reply.turn.attachments == (Attachment("a.txt", "there"),)
        await home.chat.attach(reply.turn.id, ["now"])
        await finish(reply, home.engine)
        assert "now" in last_question(home)


async def test_what_cannot_be_had_ends_the_question_with_a_word(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "what?", attachments=(Attachment("a.txt", "there"),)))
    await home.chat.fail(reply.turn.id, "file_unreadable")
    assert await finish(reply) == ""
    assert reply.finished == Finished("error", "file_unreadable")
    assert home.gate.waiting == 0
    await home.chat.fail(reply.turn.id, "file_unreadable")


async def test_another_answer_and_other_words_keep_what_the_question_was_about(home):
    first = await home.chat.send(Question(C, ANN, "web:1", "what?", quote="they said", attachments=(NOTES,)))
    await finish(first, home.engine)
    again = await home.chat.regenerate(Revision(first.turn.id, ANN, "web:2"))
    await finish(again, home.engine)
    assert last_question(home) == "> they said\n\n```notes.txt\none two three\n```\n\nwhat?"
    edited = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "why?"))
    await finish(edited, home.engine)
    assert last_question(home) == "> they said\n\n```notes.txt\none two three\n```\n\nwhy?"
    assert edited.turn.read == (13,)
    more = await home.chat.edit(Revision("web:1", ANN, "web:1:emptied", ""))
    await finish(more, home.engine)
    assert last_question(home) == "> they said\n\n```notes.txt\none two three\n```"


async def test_a_deleted_question_keeps_neither_quote_nor_files(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "what?", quote="they said", attachments=(NOTES,)))
    await finish(reply, home.engine)
    (exported,) = (await home.chat.export(ANN))["conversations"]
    (told,) = exported["turns"]
    assert (told["quote"], told["attachments"]) == ("they said", [{"name": "notes.txt", "text": "one two three"}])
    await home.chat.delete(reply.turn.id, ANN)
    kept = await home.store.turn(reply.turn.id)
    assert (kept.quote, kept.attachments, kept.read) == ("", (), ())


# Several messages.


async def say(home: House, event: str, text: str, at: float, *, more: bool = False):
    return await home.chat.send(Question(C, ANN, event, text, at=at, more_until=at + 2 if more else None))


async def test_what_follows_a_cut_message_is_part_of_the_same_question(tmp_path: Path) -> None:
    async with house(tmp_path, options=PASTES, limits=Limits(1, 0, 0)) as home:
        now = home.clock() - 10
        first = await say(home, "web:1", "one, ", now, more=True)
        second = await say(home, "web:2", "two, ", now + 2, more=True)
        third = await say(home, "web:3", "three", now + 4)
        assert first is second is third
        assert home.engine.asked == []
        await finish(first, home.engine)
        assert last_question(home) == "one, two, three"
        assert await texts(home) == [("one, two, three", "a1 a2 a3 a4")]
        assert (await home.store.turn(first.turn.id)).parts == (5, 5, 5)
        assert (await say(home, "web:2", "two, ", now + 2, more=True)).turn.id == first.turn.id  # a replay adds nothing
        assert len(await home.store.spends(ANN, home.clock())) == 1


async def texts(home: House) -> list[tuple[str, str]]:
    return [(turn.prompt, turn.reply) for turn in await home.chat.history(C, ANN)]


async def test_what_comes_later_or_is_somebody_elses_is_a_question_of_its_own(tmp_path: Path) -> None:
    async with house(tmp_path, options=PASTES) as home:
        now = home.clock() - 10
        first = await say(home, "web:1", "one", now, more=True)
        late = await say(home, "web:2", "two", now + 2.5)
        other = await home.chat.send(Question("web:bob:c", BOB, "web:3", "three", at=now + 1))
        assert len({first.turn.id, late.turn.id, other.turn.id}) == 3
        home.engine.release()
        for reply in (first, late, other):
            await finish(reply)


async def test_a_file_or_words_of_somebody_else_right_behind_are_a_question_of_their_own(tmp_path: Path) -> None:
    async with house(tmp_path, options=LONG_QUIET) as home:
        now = home.clock() - 10
        first = await home.chat.send(Question(C, ANN, "web:1", "one, ", at=now, quote="so", more_until=now + 2))
        same = await home.chat.send(Question(C, ANN, "web:2", "two", at=now + 1, quote="so", more_until=now + 3))
        file = await home.chat.send(Question(C, ANN, "web:3", "this?", at=now + 1, attachments=(NOTES,)))
        assert (first.turn.id, first.turn.prompt) == (same.turn.id, "one, two")
        assert (file.turn.prompt, file.turn.attachments) == ("this?", (NOTES,))
        again = await home.chat.send(Question(C, ANN, "web:4", "one, ", at=now + 2, more_until=now + 4))
        quoted = await home.chat.send(Question(C, ANN, "web:5", "and that?", at=now + 3, quote="others said"))
        assert again.turn.prompt == "one, "
        assert quoted.turn.quote == "others said"


async def test_what_may_only_be_more_of_a_question_is_nothing_where_none_is_open(tmp_path: Path) -> None:
    async with house(tmp_path, options=LONG_QUIET) as home:
        now = home.clock() - 10

        async def rest(event: str, at: float):
            return await home.chat.send(Question(C, ANN, event, "rest", at=at, more_until=at + 2, only_more=True))

        with pytest.raises(NotFound):
            await rest("web:1", now)
        first = await say(home, "web:2", "one, ", now, more=True)
        assert await rest("web:3", now + 1) is first
        assert await rest("web:3", now + 1) is first
        with pytest.raises(NotFound):
            await rest("web:4", now + 4)
        assert await texts(home) == [("one, rest", "")]


async def test_until_it_is_quiet_others_go_first(tmp_path: Path) -> None:
    async with house(tmp_path, options=LONG_QUIET) as home:
        first = await say(home, "web:1", "one", home.clock(), more=True)
        other = await home.chat.send(Question("web:bob:c", BOB, "web:2", "me"))
        await finish(other, home.engine)
        assert first.finished is None
        assert len(home.engine.asked) == 1
        await home.chat.cancel(first.turn.id, ANN)
        assert home.gate.waiting == 0


async def test_a_part_that_comes_when_the_answer_has_begun_is_answered_with_the_whole(tmp_path: Path) -> None:
    async with house(tmp_path, options=Options(persona="assistant", quiet=0.0)) as home:
        now = home.clock()
        first = await say(home, "web:1", "one, ", now, more=True)
        await first.placed(0, "m1")
        await until(lambda: home.engine.running)
        whole = await say(home, "web:2", "two, ", now + 1, more=True)
        assert first.finished == Finished("abort", "edited")
        assert (whole.turn.prompt, whole.turn.refs, whole.turn.source) == ("one, two, ", ("m1",), first.turn.id)
        await finish(whole, home.engine)
        last = await say(home, "web:3", "three", now + 2)  # also when it has ended
        await finish(last, home.engine)
        assert await texts(home) == [("one, two, three", "a1 a2 a3 a4")]
        assert last.turn.parts == (5, 5, 5)


async def test_a_message_placed_late_for_a_question_that_goes_on_belongs_to_the_whole(tmp_path: Path) -> None:
    async with house(tmp_path, options=Options(persona="assistant", quiet=0.0)) as home:
        now = home.clock()
        first = await home.chat.send(Question(C, ANN, "web:1", "one, ", place="chat 7", at=now, more_until=now + 2))
        await until(lambda: home.engine.running)
        whole = await say(home, "web:2", "two", now + 1)
        await first.placed(0, "m1")
        assert (first.successor, whole.turn.refs) == (whole, ("m1",))
        await finish(whole, home.engine)


async def test_a_restart_between_two_parts_still_makes_one_question(tmp_path: Path) -> None:
    async with house(tmp_path, options=LONG_QUIET) as home:
        now = home.clock()
        await say(home, "web:1", "one, ", now, more=True)
    async with house(tmp_path, options=PASTES) as home:
        assert await home.chat.resume(["web:"]) == 1
        await say(home, "web:1", "one, ", now, more=True)
        reply = await say(home, "web:2", "two", now + 1)
        await finish(reply, home.engine)
        assert await texts(home) == [("one, two", "a1 a2 a3 a4")]


async def test_an_edit_changes_the_message_that_it_is_of(tmp_path: Path) -> None:
    async with house(tmp_path, options=PASTES) as home:
        now = home.clock() - 10
        for number, text in enumerate(("one, ", "two, ", "three")):
            reply = await say(home, f"web:{number}", text, now + number, more=number < 2)
        await finish(reply, home.engine)
        second = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "zwei, "))
        await finish(second, home.engine)
        third = await home.chat.edit(Revision("web:2", ANN, "web:2:edited", "drei"))
        await finish(third, home.engine)
        assert await texts(home) == [("one, zwei, drei", "a1 a2 a3 a4")]
        assert last_question(home) == "one, zwei, drei"
        same = await home.chat.edit(Revision("web:1", ANN, "web:1:again", "zwei, "))
        assert same.turn.id == third.turn.id


async def test_messages_too_long_together_are_not_answered_in_part(tmp_path: Path) -> None:
    async with house(tmp_path, options=LONG_QUIET, limits=Limits(0, 0, 10)) as home:
        now = home.clock()
        reply = await say(home, "web:1", "a" * 6, now, more=True)
        for number, text in ((2, "b" * 6), (3, "c")):
            with pytest.raises(TooLong):
                await say(home, f"web:{number}", text, now + number - 1, more=True)
        assert (await say(home, "web:3", "c", now + 2, more=True)).turn.id == reply.turn.id  # a replay
        assert reply.finished == Finished("error", "too_long_in_all")
        assert home.engine.asked == []
        home.clock.now += 10
        assert (await home.ask(C, "short")).text == "a1 a2 a3 a4"


async def test_of_a_question_whose_first_message_is_refused_the_rest_is_refused_too(tmp_path: Path) -> None:
    async with house(tmp_path, options=PASTES, limits=Limits(0, 0, 10)) as home:
        now = home.clock()
        for number, text in enumerate(("a" * 11, "b" * 12, "the end")):
            with pytest.raises(TooLong):
                await say(home, f"web:{number}", text, now + number, more=number < 2)
        assert await home.chat.conversations(ANN) == []
        assert (await home.ask(C, "anew")).text == "a1 a2 a3 a4"


# Replies to answers, owners, and undo.


async def test_a_message_of_an_answer_names_its_turn_also_when_another_answer_took_it_over(home):
    first = await home.ask(C, "one")
    await first.placed(0, "chat:7")
    await home.ask(C, "two")
    branch = await home.chat.send(Question(C, ANN, "web:b", "back there", parent="chat:7"))
    assert branch.turn.parent == first.turn.id
    await finish(branch, home.engine)
    again = await home.chat.regenerate(Revision(first.turn.id, ANN, "web:r", take_over=True))
    await finish(again, home.engine)
    later = await home.chat.send(Question(C, ANN, "web:l", "and there", parent="chat:7"))
    assert later.turn.parent == again.turn.id
    with pytest.raises(NotFound):
        await home.chat.send(Question(C, ANN, "web:n", "where?", parent="chat:8"))
    await finish(later, home.engine)


async def test_an_owner_regenerates_for_whoever_asked_and_nobody_else_does(tmp_path: Path) -> None:
    people = People(owners=[OWNER])
    async with house(tmp_path, people=people, limits=Limits(1, 0, 0)) as home:
        first = await home.ask(C, "one")
        with pytest.raises(NotYours):
            await home.chat.regenerate(Revision(first.turn.id, BOB, "web:bobs"))
        again = await home.chat.regenerate(Revision(first.turn.id, OWNER, "web:owners"))
        await finish(again, home.engine)
        assert (again.turn.user, again.turn.conversation) == (ANN, C)
        with pytest.raises(NotYours):
            await home.chat.edit(Revision(first.turn.id, OWNER, "web:words", "other words"))


async def test_the_same_undo_again_takes_back_no_other_question(home):
    for text in ("one", "two", "three"):
        await home.ask(C, text)
    taken = await home.chat.undo(C, ANN, "web:undo")
    assert taken.prompt == "three"
    assert (await home.chat.undo(C, ANN, "web:undo")).id == taken.id
    assert [prompt for prompt, _ in await texts(home)] == ["one", "two"]


async def test_parts_of_many_people_at_once_stay_with_their_own(tmp_path: Path) -> None:
    async with house(tmp_path, options=PASTES, slots=4) as home:
        now = home.clock() - 5

        async def paste(number: int) -> str:
            user, key = f"web:p{number}", f"web:p{number}:c"
            for part in range(3):
                more = now + part + 2 if part < 2 else None
                event = f"web:{number}:{part}"
                reply = await home.chat.send(
                    Question(key, user, event, f"{number}.{part} ", at=now + part, more_until=more)
                )
            return reply.turn.prompt

        assert await asyncio.gather(*map(paste, range(8))) == [f"{n}.0 {n}.1 {n}.2 " for n in range(8)]
        home.engine.release()
        await until(lambda: not home.chat._answering.live)
        for number in range(8):
            (kept,) = await home.chat.history(f"web:p{number}:c", f"web:p{number}")
            assert (kept.prompt, kept.reply) == (f"{number}.0 {number}.1 {number}.2 ", "a1 a2 a3 a4")
