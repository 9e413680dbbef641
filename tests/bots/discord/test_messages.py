"""What people get on Discord by writing messages: the real discord.py against a Discord of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.talk.pacing import Rate
from bots.talk.show import MAX_PARTS
from core.chat.people import People
from core.limits import Limits
from tests.servers.discord.model import ATTACH, EPHEMERAL, MANAGE_MESSAGES, SUPPRESS_EMBEDS, THREAD
from tests.servers.discord.people import answers
from tests.support.discord_core import QUICK, SAY, Beach, Town, beach, saying
from tests.support.letters import units
from tests.support.stepped_engine import SteppedEngine


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


@pytest.fixture
async def here(town: Town, tmp_path: Path) -> AsyncIterator[Beach]:
    async with beach(tmp_path, town) as conch:
        yield conch


async def test_a_mention_is_answered_in_one_message_that_replies_to_it(here: Beach) -> None:
    asked = here.town.ann.says(here.town.channel, f"Hey <@{here.server.world.bot.id}>, what is a conch?")
    (answer,) = await here.answered(here.town.channel)
    assert answer.content == "a1 a2 a3 a4"
    assert answer.reference is asked
    assert answer.versions[0] == SAY("thinking")
    assert answer.flags == SUPPRESS_EMBEDS
    assert here.asked() == ["Hey , what is a conch?"]


async def test_a_direct_message_needs_no_mention_and_others_have_their_names(here: Beach) -> None:
    here.town.ann.says(here.town.ann.direct, f"who is <@{here.town.bob.user.id}>?")
    (answer,) = await here.answered(here.town.ann.direct)
    assert answer.content == "a1 a2 a3 a4"
    assert here.asked() == ["who is @Bob?"]
    odd = here.server.person("\\o/ \\1")
    here.town.ann.says(here.town.ann.direct, f"who is <@{odd.user.id}>, and <@77>?")
    await here.answered(here.town.ann.direct, 2)
    assert here.asked()[-1] == "who is @\\o/ \\1, and <@77>?"


async def test_what_is_not_for_the_bot_is_left_alone(here: Beach) -> None:
    other = here.town.ann.says(here.town.channel, "hello all")
    here.town.bob.says(here.town.channel, "hello ann", to=other)
    here.town.ann.asks(here.town.channel, "and you?")
    await here.answered(here.town.channel)
    assert here.asked() == ["and you?"]


async def test_typing_is_shown_while_there_is_no_word_yet(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, timing=replace(QUICK, rate=Rate(interval=0.01, typing=9.0))) as here:
        town.ann.asks(town.channel, "q")
        typed = "/channels/{channel_id}/typing"
        await here.until(lambda: any(seen.call.template == typed for seen in town.server.calls), speak=False)


async def test_the_place_in_line_is_told_where_somebody_else_is_answered(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "first")
    await here.until(lambda: here.engine.running, speak=False)
    here.town.bob.asks(here.town.channel, "second")
    await here.until(lambda: len(answers(here.town.channel)) == 2, speak=False)
    await here.until(lambda: answers(here.town.channel)[1].content == SAY("queued", ahead=1), speak=False)
    await here.answered(here.town.channel, 2)


async def test_a_reply_continues_that_answer_whoever_wrote_it(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "first")
    (first,) = await here.answered(here.town.channel)
    here.town.ann.asks(here.town.channel, "second")
    await here.answered(here.town.channel, 2)
    here.town.bob.says(here.town.channel, "tell me more", to=first)
    await here.answered(here.town.channel, 3)
    assert [message.content for message in here.engine.asked[-1]] == ["first", "a1 a2 a3 a4", "tell me more"]
    here.town.bob.asks(here.town.channel, "and more")
    await here.answered(here.town.channel, 4)
    assert [message.content for message in here.engine.asked[-1]][2:] == ["tell me more", "a1 a2 a3 a4", "and more"]


@pytest.mark.parametrize("how", ["reply without its ping", "the bot's role"])
async def test_where_discord_hides_the_text_one_sentence_says_what_to_do_once(here: Beach, how: str) -> None:
    here.town.ann.asks(here.town.channel, "first")
    (answer,) = await here.answered(here.town.channel)
    (role,) = (role for role in here.town.guild.roles.values() if role.bot)
    for _ in range(2):
        if how == "the bot's role":
            here.town.ann.says(here.town.channel, f"<@&{role.id}> and you?")
        else:
            here.town.ann.says(here.town.channel, "and then?", to=answer, ping=False)
    here.town.ann.asks(here.town.channel, "last")
    shown = await here.answered(here.town.channel, 2)
    assert [one.content for one in shown] == ["a1 a2 a3 a4", SAY("mention-me"), "a1 a2 a3 a4"]


async def test_a_mention_under_a_friends_message_takes_its_words_as_far_as_discord_shows_them(here: Beach) -> None:
    seen = here.town.bob.asks(here.town.channel, f"<@{here.town.ann.user.id}> Conches are molluscs.")
    await here.answered(here.town.channel)
    here.town.ann.asks(here.town.channel, "Is that so?", to=seen)
    await here.answered(here.town.channel, 2)
    assert here.asked()[-1] == "> @Ann Conches are molluscs.\n\nIs that so?"
    hidden = here.town.bob.says(here.town.channel, "They are fish.")
    here.town.ann.asks(here.town.channel, "Is that so?", to=hidden)
    shown = await here.answered(here.town.channel, 3)
    assert SAY("quote-hidden") in [one.content for one in shown]
    assert here.asked()[-1] == "Is that so?"


async def test_a_thread_made_from_an_answer_carries_its_conversation_on(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "first")
    (first,) = await here.answered(here.town.channel)
    thread = here.server.world.thread(first, "about conches")
    for number, person in enumerate((here.town.bob, here.town.ann), 1):
        person.asks(thread, "more")
        await here.answered(thread, number)
        assert [message.content for message in here.engine.asked[-1]] == ["first", "a1 a2 a3 a4", "more"]
    here.town.ann.asks(thread, "still more")
    await here.answered(thread, 3)
    assert [message.content for message in here.engine.asked[-1]][2:] == ["more", "a1 a2 a3 a4", "still more"]


async def test_with_the_intent_listed_channels_and_threads_need_no_mention(tmp_path: Path) -> None:
    town = Town.founded(message_content=True)
    async with town.server.listening():
        listed = town.server.world.channel(town.guild, "ask-here")
        options = {"message_content": True, "channels": frozenset({listed.id})}
        async with beach(tmp_path, town, options=options) as here:
            town.ann.says(listed, "in the listed channel")
            (answer,) = await here.answered(listed)
            town.bob.says(listed, "for ann alone", to=town.ann.says(listed, f"hi <@{town.bob.user.id}>"))
            thread = town.server.world.thread(answer, "from an answer")
            town.bob.says(thread, "in a thread of an answer")
            await here.answered(thread)
            other = town.server.world.channel(town.guild, "talk", THREAD, parent=town.channel)
            town.bob.says(other, "not yet asked to stay")
            town.ann.asks(other, "stay with me")
            await here.answered(other)
            town.ann.says(other, "and go on")
            town.bob.says(other, "I did not ask it")
            await here.answered(other, 2)
            replied = town.bob.says(town.channel, "no mention", to=town.ann.says(town.channel, "x"))
            town.ann.asks(town.channel, "what does bob say?", to=replied)
            await here.answered(town.channel)
            assert here.asked() == [
                "in the listed channel",
                "in a thread of an answer",
                "stay with me",
                "and go on",
                "> no mention\n\nwhat does bob say?",
            ]
    assert town.server.wrongs == []


async def test_an_edited_question_is_answered_anew_in_place(here: Beach) -> None:
    asked = here.town.ann.asks(here.town.channel, "first")
    (answer,) = await here.answered(here.town.channel)
    here.town.ann.edits(asked, f"<@{here.server.world.bot.id}> better")
    await here.until(lambda: here.asked()[-1] == "better" and answer.button("regenerate"))
    assert answers(here.town.channel) == [answer]
    assert [message.content for message in here.engine.asked[-1]] == ["better"]
    await here.settled()
    link = f"<@{here.server.world.bot.id}> best: https://example.org"
    here.town.ann.edits(asked, link)  # our Discord sends its preview, too: the same edit once more
    await here.until(lambda: here.asked()[-1] == "best: https://example.org" and answer.button("regenerate"))
    here.town.bob.says(here.town.bob.direct, "next")
    await here.answered(here.town.bob.direct)
    assert len(here.engine.asked) == 4


async def test_a_preview_that_arrives_is_no_edit(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "what is https://example.org ?")  # our Discord sends its preview later
    await here.answered(here.town.channel)
    here.town.ann.asks(here.town.channel, "next")
    await here.answered(here.town.channel, 2)
    assert len(here.engine.asked) == 2


async def test_a_mention_that_is_edited_in_asks(here: Beach) -> None:
    forgot = here.town.ann.says(here.town.channel, "what is a conch?")
    here.town.ann.edits(forgot, f"<@{here.server.world.bot.id}> what is a conch?")
    (answer,) = await here.answered(here.town.channel)
    assert answer.reference is forgot


async def test_a_deleted_question_takes_its_answer_along_running_or_done(here: Beach) -> None:
    done = here.town.ann.asks(here.town.channel, "done")
    await here.answered(here.town.channel)
    running = here.town.ann.asks(here.town.channel, "running")
    await here.until(lambda: len(answers(here.town.channel)) == 2, speak=False)
    here.server.world.delete(running)  # by a moderator, say
    await here.until(lambda: len(answers(here.town.channel)) == 1, speak=False)
    assert here.engine.running == set()
    here.town.ann.deletes(done)
    await here.until(lambda: answers(here.town.channel) == [])
    here.town.ann.asks(here.town.channel, "new")
    await here.answered(here.town.channel)
    assert [message.content for message in here.engine.asked[-1]] == ["new"]


@pytest.mark.parametrize("how", ["regenerated", "edited"])
async def test_a_shorter_answer_takes_the_place_of_a_long_one_and_stays(town: Town, tmp_path: Path, how: str) -> None:
    async with beach(tmp_path, town, engine=SteppedEngine(words=1500), max_tokens=4000) as here:
        here.engine.release()
        asked = town.ann.asks(town.channel, "q")
        await here.answered(town.channel)
        await here.settled()
        first, *more = answers(town.channel)
        assert more
        here.engine.words = 3
        if how == "regenerated":
            town.ann.presses(more[-1], "regenerate")
        else:
            town.ann.edits(asked, f"<@{town.server.world.bot.id}> q, in short")
        await here.until(lambda: first.content == "a1 a2 a3" and first.button("regenerate"))
        await here.settled()
        town.ann.asks(town.channel, "next")
        await here.answered(town.channel, 2)
        assert answers(town.channel)[0] is first
        assert [message.content for message in here.engine.asked[-1]][1:] == ["a1 a2 a3", "next"]


async def test_an_answer_that_a_moderator_takes_away_leaves_its_question_in_the_conversation(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "q")
    (answer,) = await here.answered(here.town.channel)
    here.server.world.delete(answer)
    here.town.ann.asks(here.town.channel, "next")
    await here.answered(here.town.channel)
    assert [message.content for message in here.engine.asked[-1]] == ["q", "a1 a2 a3 a4", "next"]


async def test_questions_that_a_moderator_purges_take_their_answers_along(here: Beach) -> None:
    questions = [person.asks(here.town.channel, "q") for person in (here.town.ann, here.town.bob)]
    await here.answered(here.town.channel, 2)
    here.town.host.deletes_all(*questions)
    await here.until(lambda: answers(here.town.channel) == [])


async def test_text_files_are_read_and_the_answer_says_so(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, options={"file_hosts": frozenset({"127.0.0.1"})}) as here:
        files = [("notes.txt", b"Conches are molluscs.")]
        for status in (502, 429):
            here.server.breaks("GET", "/attachments", status)
        town.ann.says(town.ann.direct, "Is that so?", files=files)
        (answer,) = await here.answered(town.ann.direct)
        assert here.asked() == ["```notes.txt\nConches are molluscs.\n```\n\nIs that so?"]
        assert SAY("file-read", name="notes.txt") in answer.content
        asked = town.ann.runs("ask", town.channel, question="And that?", file=files[0])
        await here.until(lambda: asked.shown and asked.shown.button("regenerate"))
        assert here.asked()[-1] == "```notes.txt\nConches are molluscs.\n```\n\nAnd that?"
        unread = town.ann.runs("ask", town.channel, question="And that?", file=("a.png", b"\x89PNG"))
        await here.said(unread, SAY("kind-unknown"))


async def test_of_a_file_that_does_not_fit_the_answer_says_how_much_was_read(town: Town, tmp_path: Path) -> None:
    hosts = {"file_hosts": frozenset({"127.0.0.1"})}
    async with beach(tmp_path, town, options=hosts, engine=SteppedEngine(context_window=200)) as here:
        words = " ".join(["word"] * 300)
        town.ann.says(town.ann.direct, "Is that so?", files=[("long.txt", words.encode())])
        (answer,) = await here.answered(town.ann.direct)
        read = here.asked()[0].split("\n")[1]
        assert words.startswith(read)
        assert 0 < len(read) < len(words)
        percent = 100 * len(read) // len(words)
        assert SAY("file-read-part", name="long.txt", percent=percent) in answer.content


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [("a.png", b"\x89PNG", "kind-unknown"), ("big.txt", b"x" * 70_000, "file-too-big")],
)
async def test_other_files_get_one_sentence(here: Beach, name: str, data: bytes, key: str) -> None:
    here.town.ann.says(here.town.ann.direct, "", files=[(name, data)] * 3)
    await here.until(lambda: answers(here.town.ann.direct))
    here.town.ann.says(here.town.ann.direct, "only text")
    shown = await here.answered(here.town.ann.direct)
    assert [one.content for one in shown] == [SAY(key), "a1 a2 a3 a4"]


async def test_long_code_is_split_with_its_fence_closed_and_opened_again(town: Town, tmp_path: Path) -> None:
    code = "\n".join(f"print({number})  # 한국어" for number in range(150))
    wrap = saying(f"Look:\n```python\n{code}\n```\nDone.")
    async with beach(tmp_path, town, wrap=wrap) as here:
        town.ann.asks(town.channel, "code, please")
        shown = await here.answered(town.channel)
        assert 1 < len(shown) <= MAX_PARTS
        for one in shown:
            assert units(one.content) <= 1990
            assert one.content.count("```") % 2 == 0
        assert all(one.content.startswith("```python\n") for one in shown[1:])
        assert [one.button("regenerate") is not None for one in shown] == [False] * (len(shown) - 1) + [True]
        assert shown[0].reference is not None
        assert all(one.reference is None for one in shown[1:])


async def test_past_five_messages_the_rest_is_a_file_or_where_files_are_forbidden_more_messages(
    town: Town, tmp_path: Path
) -> None:
    text = " ".join(f"word{number}" for number in range(2500))
    strict = town.server.world.channel(town.guild, "no-files")
    strict.overwrites[town.guild.id] = (0, ATTACH)
    async with beach(tmp_path, town, wrap=saying(text)) as here:
        town.ann.asks(town.channel, "all of it, please")
        await here.answered(town.channel)
        await here.settled()
        shown = answers(town.channel)
        assert len(shown) == MAX_PARTS + 1
        (file,) = shown[-1].attachments
        assert (file.filename, file.data.decode(), shown[-1].content) == ("answer.md", text, SAY("rest-as-file"))
        town.ann.asks(strict, "all of it, please")
        shown = await here.answered(strict)
        assert len(shown) > MAX_PARTS
        assert " ".join(one.content for one in shown) == text


async def test_refusals_are_told_once_per_cause_and_person(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, limits=Limits(1, 0, 0)) as here:
        town.ann.asks(town.channel, "first")
        await here.answered(town.channel)
        for _ in range(3):
            town.ann.asks(town.channel, "too fast")
        town.bob.asks(town.channel, "mine")
        shown = await here.answered(town.channel, 2)
        assert len(shown) == 3
        assert len([one for one in shown if one.content.startswith("That was a bit fast.")]) == 1


async def test_a_stranger_gets_a_code_by_which_the_host_admits_them(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, people=People(open_to=())) as here:
        town.ann.says(town.ann.direct, "hello")
        await here.until(lambda: answers(town.ann.direct))
        (code,) = (told for told in [answers(town.ann.direct)[0].content.split()[-1]])
        admitted = town.host.runs("admin allow", town.host.direct, who=code)
        await here.said(admitted, SAY("admin-allowed", who=f"discord:{town.ann.user.id}"))
        await here.until(lambda: len(answers(town.ann.direct)) == 2)
        town.ann.says(town.ann.direct, "hello again")
        await here.answered(town.ann.direct)
        denied = town.host.runs("admin deny", town.host.direct, who=f"<@{town.ann.user.id}>")
        await here.said(denied, SAY("admin-denied", who=f"discord:{town.ann.user.id}"))
        town.ann.says(town.ann.direct, "and now?")
        await here.until(lambda: answers(town.ann.direct)[-1].content == SAY("not-allowed"))


@pytest.mark.parametrize("what", ["user", "role", "channel", "server"])
async def test_people_roles_channels_and_servers_are_allowed_and_blocked_by_id(
    town: Town, tmp_path: Path, what: str
) -> None:
    role = town.server.world.role(town.guild, "friends")
    town.guild.members[town.ann.user].add(role.id)
    ids = {"user": town.ann.user.id, "role": role.id, "channel": town.channel.id, "server": town.guild.id}
    name = f"discord:{ids[what]}"
    async with beach(tmp_path / "allowed", town, people=People(open_to=(), allowed=[name])) as here:
        town.ann.asks(town.channel, "allowed")
        await here.answered(town.channel)
        if what in ("user", "role"):
            town.bob.asks(town.channel, "stranger")
            await here.until(lambda: "Give this code" in answers(town.channel)[-1].content)
    async with beach(tmp_path / "blocked", town, people=People(open_to=("discord",), blocked=[name])) as here:
        town.ann.asks(town.channel, "blocked")
        await here.until(lambda: answers(town.channel)[-1].content == SAY("not-allowed"))


async def test_a_user_installed_call_is_judged_by_its_user_never_by_the_server(town: Town, tmp_path: Path) -> None:
    elsewhere = town.server.world.guild("Elsewhere", town.bob.user, with_bot=False)
    channel = town.server.world.channel(elsewhere, "foreign")
    names = [f"discord:{number}" for number in (elsewhere.id, channel.id)]
    async with beach(tmp_path / "a", town, people=People(open_to=(), allowed=names)) as here:
        asked = town.ann.runs("ask", channel, question="q", installed="user")
        await here.said(asked, SAY("not-allowed"))
    admitted = People(open_to=(), allowed=[f"discord:{town.ann.user.id}"], blocked=names)
    async with beach(tmp_path / "b", town, people=admitted) as here:
        asked = town.ann.runs("ask", channel, question="q", installed="user")
        await here.until(lambda: asked.shown is not None and asked.shown.button("regenerate"))


async def test_the_share_of_a_day_differs_by_role(town: Town, tmp_path: Path) -> None:
    role = town.server.world.role(town.guild, "patrons")
    town.guild.members[town.bob.user].add(role.id)
    limits = Limits(0, 110, 0, named={f"discord:{role.id}": Limits(0, 1000, 0)})
    async with beach(tmp_path, town, limits=limits) as here:
        for number in range(3):
            for person in (town.ann, town.bob):
                person.asks(town.channel, f"{person.user.name} {number}")
            await here.until(lambda number=number: f"bob {number}" in here.asked())
            await here.settled()
        assert [text for text in here.asked() if text.startswith("bob")] == ["bob 0", "bob 1", "bob 2"]
        assert "ann 2" not in here.asked()
        assert any(one.content.startswith("You have used up your share for today.") for one in answers(town.channel))


async def test_limits_differ_by_role_also_for_what_is_read_back(town: Town, tmp_path: Path) -> None:
    role = town.server.world.role(town.guild, "patrons")
    town.guild.members[town.bob.user].add(role.id)
    limits = Limits(1, 0, 0, named={f"discord:{role.id}": Limits(3, 0, 0)})
    async with beach(tmp_path, town, limits=limits) as here:
        for _ in range(2):
            town.ann.asks(town.channel, "ann")
            town.bob.asks(town.channel, "bob")
        await here.answered(town.channel, 3)
        assert sorted(here.asked()) == ["ann", "bob", "bob"]
    town.bob.asks(town.channel, "while it was away")
    async with beach(tmp_path, town, limits=limits) as here:
        await here.answered(town.channel, 4)


async def test_buttons_work_after_a_restart_for_the_asker_and_moderators_alone(town: Town, tmp_path: Path) -> None:
    guard = town.server.person("guard")
    role = town.server.world.role(town.guild, "guards", MANAGE_MESSAGES)
    town.guild.members[guard.user] = {role.id}
    async with beach(tmp_path, town) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: answers(town.channel) and answers(town.channel)[0].button("stop"), speak=False)
        (answer,) = answers(town.channel)
        stop = answer.button("stop")
    async with beach(tmp_path, town) as here:
        await here.until(lambda: here.engine.running, speak=False)
        await here.until(lambda: answer.button("stop") == stop, speak=False)
        await here.said(town.bob.presses(answer, "stop"), SAY("not-yours"))
        pressed = guard.presses(answer, "stop")
        await here.until(lambda: answer.content == SAY("stopped"), speak=False)
        await here.until(pressed.answered.is_set)
        assert pressed.response == 6
    async with beach(tmp_path, town) as here:
        await here.said(town.bob.presses(answer, "regenerate"), SAY("not-yours"))
        town.ann.presses(answer, "regenerate")
        await here.until(lambda: answer.content == "a1 a2 a3 a4" and answer.button("regenerate"))
        town.host.presses(answer, "regenerate")
        await here.until(lambda: len(here.engine.asked) == 2)
        await here.until(lambda: answer.content == "a1 a2 a3 a4" and answer.button("regenerate"))
    assert answers(town.channel) == [answer]


async def test_continue_goes_on_below_an_answer_that_was_cut(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, max_tokens=2) as here:
        town.ann.asks(town.channel, "q")
        (cut,) = await here.answered(town.channel)
        assert cut.content == f"a1 a2\n\n*{SAY('cut-by-length')}*"
        for _ in range(2):  # a second press finds what the first one began
            town.ann.presses(cut, "proceed")
        await here.said(town.bob.presses(cut, "proceed"), SAY("not-yours"))
        shown = await here.answered(town.channel, 2)
        assert shown[1].content.strip() == "a3 a4"
        assert shown[1].reference is cut
        await here.settled()
        await here.said(town.ann.presses(cut, "proceed"), SAY("already-done"))
        assert len(answers(town.channel)) == 2


async def test_a_form_asks_about_somebody_elses_message(here: Beach) -> None:
    message = here.town.bob.says(here.town.channel, f"<@{here.town.ann.user.id}> Conches are molluscs.")
    opened = here.town.ann.picks("Ask about this", message)
    await here.until(opened.answered.is_set)
    sent = here.town.ann.submits(opened, question="Is that so?")
    await here.until(lambda: sent.shown and sent.shown.button("regenerate"))
    assert here.asked() == ["> @Ann Conches are molluscs.\n\nIs that so?"]


async def test_the_menu_regenerates_an_answer_or_the_answer_to_a_question(here: Beach) -> None:
    asked = here.town.ann.asks(here.town.channel, "q")
    (answer,) = await here.answered(here.town.channel)
    for number, message in enumerate((answer, asked), 2):
        menu = here.town.ann.picks("Regenerate", message)
        await here.until(lambda number=number: len(here.engine.asked) == number)
        await here.until(lambda menu=menu: answer.button("regenerate") and menu.original and menu.original.deleted)
        assert menu.original is not None
        assert menu.original.flags & EPHEMERAL
        await here.settled()
    assert answers(here.town.channel) == [answer]
    menu = here.town.bob.picks("Regenerate", answer)
    await here.said(menu, SAY("not-yours"))
    menu = here.town.bob.picks("Regenerate", here.town.bob.says(here.town.channel, "no answer"))
    await here.said(menu, SAY("not-found"))
