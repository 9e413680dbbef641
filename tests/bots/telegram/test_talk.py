"""What people get on Telegram: answers that grow in one message, buttons, groups, quotes, edits, long texts, files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.chat.people import People
from core.limits import Limits
from tests.servers.telegram.server import bot_api
from tests.servers.telegram.world import BOT, Json, entities
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.telegram_core import NO_FLOOD, OPEN, SAY, WORDING, Stage, connected, labels, stage
from tests.support.whole_core import house

ANSWER = "a1 a2 a3 a4"
NAME = f"@{BOT['username']}"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """The engine speaks without being asked."""
    async with stage(tmp_path) as made:
        made.home.engine.release()
        yield made


def asked(scene: Stage) -> list[str]:
    """What the model was asked, question by question."""
    return [messages[-1].content for messages in scene.home.engine.asked]


# Direct messages.


async def test_one_message_shows_the_line_then_the_growing_text_then_the_end_with_its_buttons(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        engine = scene.home.engine
        ann, bob = scene.world.person("Ann"), scene.world.person("Bob")
        scene.world.say(bob, "me first")
        await until(lambda: engine.running)
        scene.world.say(ann, "and me")
        room = scene.room(ann)
        await scene.world.until(lambda: room.texts() == [SAY("queued", ahead=1)])
        assert labels(room.of_bot()[0]) == ["Stop"]
        assert room.actions == ["typing"]
        engine.step(4)
        await scene.world.until(lambda: room.texts() == ["Thinking…"])
        await until(lambda: len(engine.asked) == 2 and engine.running)
        engine.step(2)
        await scene.world.until(lambda: room.texts() == ["a1 a2"])
        engine.step(2)
        (message,) = await scene.shown(room, ANSWER)
        assert labels(message) == ["Regenerate"]
        assert len(room.messages) == 2
        for person in (bob, ann):  # by now it is known how long an answer takes
            scene.world.say(person, "and again")
            await until(lambda: engine.running)
        await scene.world.until(lambda: len(room.of_bot()) == 2)
        assert re.fullmatch(r"1 ahead of you, about \d+ (second|minute)s?…", room.texts()[-1])
        engine.release()


async def test_typing_is_shown_from_the_first_moment(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    scene.world.say(ann, "hello")
    await scene.shown(scene.room(ann), ANSWER)
    order = [call.method for call in scene.server.api.of("sendChatAction", "sendMessage", "editMessageText")]
    assert order[:2] == ["sendChatAction", "sendMessage"]


async def test_stop_regenerate_and_continue(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        engine, ann = scene.home.engine, scene.world.person("Ann")
        room = scene.room(ann)
        scene.world.say(ann, "hello")
        await until(lambda: engine.running)
        engine.step(2)
        await scene.world.until(lambda: room.texts() == ["a1 a2"])
        scene.world.press(ann, room.of_bot()[0], "Stop")
        (message,) = await scene.shown(room, f"a1 a2\n\n{SAY('stopped')}")
        assert labels(message) == ["Regenerate", "Continue"]
        assert scene.world.toasts[-1][1] == SAY("stopped")
        engine.release()
        scene.world.press(ann, message, "Continue")
        more = await scene.shown(room, f"a1 a2\n\n{SAY('stopped')}", " a3 a4".strip())
        scene.world.press(ann, more[0], "Regenerate")
        await scene.shown(room, ANSWER, "a3 a4")
        assert len(room.of_bot()) == 2


async def test_a_second_press_of_regenerate_makes_no_second_answer(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    scene.world.say(ann, "hello")
    (message,) = await scene.shown(scene.room(ann), ANSWER)
    for _ in range(2):
        scene.world.press(ann, message, "Regenerate")
    await scene.world.until(lambda: len(scene.world.toasts) == 2)
    await until(lambda: not scene.home.gate.running and not scene.home.gate.waiting)
    assert len(scene.home.engine.asked) == 2


async def test_an_answer_with_another_one_below_it_is_made_anew_as_often_as_somebody_wants(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    room = scene.room(ann)
    scene.world.say(ann, "hello")
    (first,) = await scene.shown(room, ANSWER)
    for count in (2, 3):
        scene.world.say(ann, "/retry", reply_to=first)
        await scene.shown(room, *[ANSWER] * count)
        await until(lambda: not scene.home.gate.running)
    scene.home.engine.words = 2
    scene.world.press(ann, first, "Regenerate")
    await scene.shown(room, "a1 a2", ANSWER, ANSWER)


async def test_continue_of_what_was_continued_gets_a_word(tmp_path: Path) -> None:
    async with stage(tmp_path, max_tokens=2) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        scene.world.say(ann, "hello")
        (cut,) = await scene.shown(room, f"a1 a2\n\n{SAY('cut-by-length')}")
        scene.world.press(ann, cut, "Continue")
        await scene.world.until(lambda: len(room.of_bot()) == 2 and "Regenerate" in labels(room.of_bot()[-1]))
        while await scene.home.store.unshown("telegram:"):  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
        scene.world.press(ann, cut, "Continue")
        await scene.world.until(lambda: scene.world.toasts and scene.world.toasts[-1][1] == SAY("already-done"))
        scene.world.say(ann, "/continue", reply_to=cut)
        await scene.world.until(lambda: room.texts()[-1] == SAY("already-done"))
        assert len(room.of_bot()) == 3


async def test_buttons_work_after_a_restart_and_so_does_what_was_interrupted(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server:
        ann = server.world.person("Ann")
        room = server.world.rooms[ann.id]
        async with house(tmp_path, people=People(open_to=OPEN)) as home, connected(server, home) as scene:
            server.world.say(ann, "hello")
            await until(lambda: home.engine.running)
            home.engine.step(2)
            await server.world.until(lambda: room.texts() == ["a1 a2"])
            await home.chat.drain(0)
        assert room.texts() == [f"a1 a2\n\n{SAY('interrupted')}"]
        async with house(tmp_path, people=People(open_to=OPEN)) as home:
            await home.chat.resume(["telegram:"])
            async with connected(server, home) as scene:
                home.engine.release()
                (message,) = await scene.shown(room, ANSWER)
                await home.chat.drain(1)
        async with house(tmp_path, people=People(open_to=OPEN)) as home, connected(server, home) as scene:
            home.engine.words = 3
            home.engine.release()
            server.world.press(ann, message, "Regenerate")
            await scene.shown(room, "a1 a2 a3")
        assert len(room.of_bot()) == 1
        assert server.api.wrongs == []


async def test_an_answer_is_quoted_to_its_question_only_where_it_would_be_taken_for_anothers(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        ann = scene.world.person("Ann")
        first = scene.world.say(ann, "one")[1]
        await scene.world.until(lambda: scene.room(ann).of_bot())
        scene.world.say(ann, "two")
        third = scene.world.say(ann, "three")[1]
        scene.home.engine.release()
        await scene.world.until(lambda: len(scene.room(ann).of_bot()) == 3)
        quoted = [message.get("reply_to_message", {}).get("message_id") for message in scene.room(ann).of_bot()]
        assert quoted[0] is None
        assert first["message_id"] + 2 <= quoted[1] < third["message_id"]


async def test_a_command_is_in_the_menu_in_three_languages(scene: Stage) -> None:
    await scene.world.until(lambda: len(scene.world.menus) == 3)
    assert {code: menu[1]["description"] for code, menu in scene.world.menus.items()} == {
        "": WORDING("en", "command-new"),
        "ko": WORDING("ko", "command-new"),
        "zh": WORDING("zh", "command-new"),
    }


async def test_commands_of_a_person(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    room = scene.room(ann)
    scene.world.say(ann, "hello")
    await scene.shown(room, ANSWER)
    scene.world.say(ann, "/retry")
    await scene.shown(room, ANSWER, ANSWER)
    scene.world.say(ann, f"/undo{NAME}")
    await scene.shown(room, SAY("undo-done", text="hello"))
    scene.world.say(ann, "/NEW please")
    await scene.shown(room, SAY("new-done"))
    scene.world.say(ann, "/status@other_bot")
    scene.world.say(ann, "/nonsense")
    await scene.shown(room, SAY("new-done"), SAY("unknown-command", command="/nonsense"))
    scene.world.say(ann, "/persona")
    await scene.shown(room, SAY("persona-now", name="Assistant"))
    scene.world.press(ann, room.of_bot()[-1], "Pirate")
    await scene.shown(room, SAY("persona-set", name="Pirate"))
    scene.world.say(ann, "/help")
    await scene.shown(room, f"{SAY('help')}\n\n{SAY('help-telegram')}")
    assert "deleted" in SAY("help-telegram")


async def test_the_language_is_that_of_the_app_until_another_is_chosen(scene: Stage) -> None:
    kim = scene.world.person("Kim", "ko-KR")
    room = scene.room(kim)
    scene.world.say(kim, "/stop")
    await scene.shown(room, WORDING("ko", "nothing-to-stop"))
    scene.world.say(kim, "/language")
    await scene.world.until(lambda: room.texts()[-1] == WORDING("ko", "language-now"))
    assert labels(room.of_bot()[-1]) == ["English", "한국어", "中文"]
    scene.world.press(kim, room.of_bot()[-1], "中文")
    await scene.shown(room, WORDING("zh", "language-set"))
    scene.world.say(kim, "/stop")
    await scene.shown(room, WORDING("zh", "nothing-to-stop"))
    scene.world.say(kim, "hello")
    await scene.world.until(lambda: labels(room.of_bot()[-1]) == [WORDING("zh", "button-regenerate")])


async def test_a_choice_pressed_twice_is_told_once_and_not_tried_again(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    room = scene.room(ann)
    scene.world.say(ann, "/language")
    (choice,) = await scene.shown(room, SAY("language-now"))
    pressed = dict(choice)
    for _ in range(2):
        scene.world.press(ann, pressed, "中文")
    await scene.world.until(lambda: len(scene.server.api.of("editMessageText")) == 2)
    await until(lambda: "telegram sentence" not in {task.get_name() for task in asyncio.all_tasks()})
    assert [call.code for call in scene.server.api.of("editMessageText")] == [200, 400]
    assert room.texts() == [WORDING("zh", "language-set")]


async def test_everything_kept_comes_as_a_file_and_goes_only_when_its_person_is_sure(scene: Stage) -> None:
    ann, bob = scene.world.person("Ann"), scene.world.person("Bob")
    room = scene.room(ann)
    scene.world.say(ann, "my secret")
    await scene.shown(room, ANSWER)
    scene.world.say(ann, "/export")
    (file,) = await scene.shown(room, SAY("export-done"))
    assert b"my secret" in scene.world.files[file["document"]["file_id"]]
    scene.world.say(ann, "/forget")
    (sure,) = await scene.shown(room, SAY("forget-sure"))
    scene.world.press(bob, sure, "Yes")
    await scene.world.until(lambda: scene.world.toasts and scene.world.toasts[-1][1] == SAY("not-yours"))
    scene.world.press(ann, sure, "Yes")
    await scene.shown(room, SAY("forget-done", count=1))
    assert len(room.of_bot()) == 3, "the answer takes the question's place"


# Groups.


async def test_in_a_group_everything_kept_goes_to_its_persons_own_chat_and_the_group_reads_none_of_it(
    scene: Stage,
) -> None:
    ann, room = scene.world.person("Ann"), scene.world.group("Friends")
    scene.world.say(ann, "my secret")
    await scene.shown(scene.room(ann), ANSWER)
    scene.world.say(ann, f"/export{NAME}", room)
    (file,) = await scene.shown(scene.room(ann), SAY("export-done"))
    assert b"my secret" in scene.world.files[file["document"]["file_id"]]
    await scene.shown(room, SAY("sent-privately"))
    scene.room(ann).blocked = True
    scene.world.say(ann, f"/export{NAME}", room)
    await scene.shown(room, SAY("sent-privately"), SAY("write-first"))
    assert not any("document" in message for message in room.of_bot())


async def test_a_group_is_answered_when_it_names_the_bot_replies_to_it_or_commands_it(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    room = scene.world.group("Friends")
    scene.world.say(ann, "nobody is meant", room)
    question = scene.world.say(ann, f"hello {NAME}!", room)[1]
    (message,) = await scene.shown(room, ANSWER)
    assert message["reply_to_message"]["message_id"] == question["message_id"]
    scene.world.say(ann, "go on", room, reply_to=message)
    await scene.shown(room, ANSWER, ANSWER)
    scene.world.say(ann, f"/status{NAME}", room)
    await scene.world.until(lambda: "Persona" in room.texts()[-1])
    scene.world.say(ann, "/nonsense", room)
    scene.world.say(ann, "/status@other_bot", room)
    scene.world.say(ann, f"what does {NAME} think?", room)
    await scene.shown(room, ANSWER)
    assert asked(scene) == ["hello!", "go on", "what does Conch think?"]
    assert len(room.of_bot()) == 4


async def test_each_person_has_their_own_conversation_in_a_group(scene: Stage) -> None:
    ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
    for number, (person, text) in enumerate(((ann, "one"), (bob, "two"), (ann, "three"))):
        scene.world.say(person, f"{NAME} {text}", room)
        await scene.shown(room, *[ANSWER] * (number + 1))
    assert [[m.content for m in messages] for messages in scene.home.engine.asked] == [
        ["one"],
        ["two"],
        ["one", ANSWER, "three"],
    ]


async def test_a_reply_to_somebody_elses_answer_continues_that_branch(scene: Stage) -> None:
    ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
    scene.world.say(ann, f"{NAME} one", room)
    (first,) = await scene.shown(room, ANSWER)
    scene.world.say(bob, "and then?", room, reply_to=first)
    await scene.shown(room, ANSWER, ANSWER)
    assert [message.content for message in scene.home.engine.asked[1]] == ["one", ANSWER, "and then?"]
    scene.world.press(bob, first, "Regenerate")
    await scene.world.until(lambda: scene.world.toasts and scene.world.toasts[-1][1] == SAY("not-yours"))


async def test_topics_are_apart_and_a_thread_that_is_no_topic_is_none(scene: Stage) -> None:
    ann, room = scene.world.person("Ann"), scene.world.group("Forum", forum=True)
    scene.world.say(ann, f"{NAME} one", room, topic=7)
    (message,) = await scene.shown(room, ANSWER)
    assert (message["message_thread_id"], message["is_topic_message"]) == (7, True)
    scene.world.say(ann, f"{NAME} two", room, topic=8)
    await scene.shown(room, ANSWER, ANSWER)
    scene.world.say(ann, f"{NAME} three", room, message_thread_id=55)
    await scene.shown(room, ANSWER, ANSWER, ANSWER)
    assert [len(messages) for messages in scene.home.engine.asked] == [1, 1, 1]
    assert "message_thread_id" not in room.of_bot()[-1]


async def test_a_mention_under_a_friends_message_is_about_what_the_friend_said(scene: Stage) -> None:
    ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
    said = scene.world.say(bob, "The moon is made of cheese.\nAll of it.", room)[1]
    scene.world.say(ann, f"{NAME} is that so?", room, reply_to=said)
    await scene.shown(room, ANSWER)
    scene.world.say(ann, NAME, room, reply_to=said, quote="made of cheese")
    await scene.shown(room, ANSWER, ANSWER)
    assert asked(scene) == [
        "> The moon is made of cheese.\n> All of it.\n\nis that so?",
        "> made of cheese",
    ]


async def test_only_the_asker_or_an_owner_stops_an_answer(tmp_path: Path) -> None:
    people = People(open_to=OPEN, owners=["telegram:42"])
    async with stage(tmp_path, people=people) as scene:
        ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
        owner = scene.world.person("Owner", id_=42)
        scene.world.say(ann, f"{NAME} hello", room)
        await until(lambda: scene.home.engine.running)
        await scene.world.until(lambda: room.of_bot())
        scene.world.press(bob, room.of_bot()[0], "Stop")
        await scene.world.until(lambda: [text for _, text in scene.world.toasts] == [SAY("not-yours")])
        assert scene.home.engine.running
        scene.world.press(owner, room.of_bot()[0], "Stop")
        (message,) = await scene.shown(room, SAY("stopped"))
        scene.home.engine.release()
        scene.world.press(owner, message, "Regenerate")
        await scene.shown(room, ANSWER)
        scene.world.say(ann, f"{NAME} again", room)
        await scene.shown(room, ANSWER, ANSWER)
        assert [message.content for message in scene.home.engine.asked[-1]] == ["hello", ANSWER, "again"]


async def test_a_group_can_have_every_message_answered(tmp_path: Path) -> None:
    async with stage(tmp_path, privacy=False, front={"everything": frozenset([-(10**12) - 1])}) as scene:
        scene.home.engine.release()
        room = scene.world.group("Talkative")
        quiet = scene.world.group("Quiet")
        ann = scene.world.person("Ann")
        scene.world.say(ann, "not for the bot", quiet)
        scene.world.say(ann, "hello all", room)
        await scene.shown(room, ANSWER)
        assert asked(scene) == ["hello all"]
        assert quiet.of_bot() == []


async def test_an_anonymous_admin_asks_as_the_group_and_bots_do_not_ask(scene: Stage) -> None:
    room = scene.world.group("Friends")
    anybody = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    marks = [{"type": "mention", "offset": 0, "length": len(NAME)}]
    said: Json = {"text": f"{NAME} hello", "entities": marks}
    scene.world.deliver("message", scene.world.message(room, {**anybody, "id": 5}, said))
    copy = {**said, "sender_chat": room.chat, "is_automatic_forward": True}
    scene.world.deliver("message", scene.world.message(room, anybody, copy))
    scene.world.deliver("message", scene.world.message(room, anybody, {**said, "sender_chat": room.chat}))
    await scene.shown(room, ANSWER)
    assert len(room.of_bot()) == 1
    assert [kept.owner for kept in await scene.home.store.conversations(f"telegram:{room.id}")] == [
        f"telegram:{room.id}"
    ]
    command = {"text": "/export", "entities": entities("/export"), "sender_chat": room.chat}
    scene.world.deliver("message", scene.world.message(room, anybody, command))
    await scene.shown(room, ANSWER, SAY("export-done"))  # asked here by the group, so it is the group's to read


# Edits, long texts.


async def test_an_edited_question_is_answered_anew_in_place(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    room = scene.room(ann)
    message = scene.world.say(ann, "one")[1]
    await scene.shown(room, ANSWER)
    scene.home.engine.words = 2
    scene.world.edit(ann, message, "uno")
    await scene.shown(room, "a1 a2")
    assert len(room.of_bot()) == 1
    scene.world.edit(ann, message, "uno")  # a link's preview came, say
    scene.world.say(ann, "two")
    await scene.shown(room, "a1 a2", "a1 a2")
    assert asked(scene) == ["one", "uno", "two"]
    assert [m.content for m in scene.home.engine.asked[-1]] == ["uno", "a1 a2", "two"]


async def test_an_edit_while_the_answer_runs_cancels_that(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        message = scene.world.say(ann, "one")[1]
        await until(lambda: scene.home.engine.running)
        scene.home.engine.step(2)
        await scene.world.until(lambda: room.texts() == ["a1 a2"])
        scene.world.edit(ann, message, "uno")
        await until(lambda: len(scene.home.engine.asked) == 2)
        scene.home.engine.release()
        await scene.shown(room, ANSWER)
        assert len(room.of_bot()) == 1


async def test_a_message_that_names_the_bot_only_after_an_edit_is_a_question_then(tmp_path: Path) -> None:
    async with stage(tmp_path, privacy=False) as scene:
        scene.home.engine.release()
        ann, room = scene.world.person("Ann"), scene.world.group("Friends")
        message = scene.world.say(ann, "hello", room)[1]
        scene.world.edit(ann, message, f"{NAME} hello")
        await scene.shown(room, ANSWER)
        assert asked(scene) == ["hello"]


async def test_where_every_message_is_answered_a_refused_one_is_a_question_after_an_edit(tmp_path: Path) -> None:
    limits, everything = Limits(0, 0, characters=10), {"everything": frozenset([-1070])}
    async with stage(tmp_path, privacy=False, limits=limits, front=everything) as scene:
        scene.home.engine.release()
        ann, room = scene.world.person("Ann"), scene.world.group("Talkative", id_=-1070)
        message = scene.world.say(ann, "far too long", room)[1]
        await scene.shown(room, SAY("too-long-characters", limit=10))
        scene.world.edit(ann, message, "short")
        await scene.shown(room, SAY("too-long-characters", limit=10), ANSWER)
        assert asked(scene) == ["short"]


async def test_a_place_on_a_map_that_moves_on_is_answered_no_more_than_once(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    place = {"location": {"latitude": 37.5, "longitude": 127.0, "live_period": 900}}
    moved = scene.world.message(scene.room(ann), ann.user, place)
    scene.world.deliver("edited_message", {**moved, "edit_date": moved["date"] + 60})
    scene.world.say(ann, "hello")
    await scene.shown(scene.room(ann), ANSWER)
    assert len(scene.room(ann).of_bot()) == 1


async def test_a_long_text_that_the_app_cuts_is_one_question(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    now = int(scene.world.clock())
    text = "x" * 4096
    scene.world.say(ann, text, date=now)
    scene.world.say(ann, "y" * 4050, date=now + 1)
    last = scene.world.say(ann, "the end", date=now + 3)[1]
    await scene.shown(scene.room(ann), ANSWER)
    assert asked(scene) == [f"{text}{'y' * 4050}\nthe end"]
    assert len(scene.room(ann).of_bot()) == 1
    scene.world.edit(ann, last, "the very end")
    await until(lambda: len(scene.home.engine.asked) == 2)
    await scene.shown(scene.room(ann), ANSWER)
    assert asked(scene)[-1] == f"{text}{'y' * 4050}\nthe very end"
    assert len(scene.room(ann).of_bot()) == 1


async def test_what_two_people_paste_at_once_in_a_group_stays_apart(scene: Stage) -> None:
    ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
    now = int(scene.world.clock())
    for person, letter in ((ann, "a"), (bob, "b")):
        scene.world.say(person, f"{NAME} {letter * 4050}", room, date=now)
    before = room.of_bot
    for person, letter in ((ann, "a"), (bob, "b")):
        scene.world.say(person, f"{NAME} {letter}.", room, date=now + 1)
    await scene.world.until(lambda: room.texts() == [ANSWER] * 2 and all(map(labels, before())))
    assert sorted(asked(scene)) == [f"{letter * 4050}\n{letter}." for letter in "ab"]


async def test_where_the_bot_hears_everything_the_rest_of_a_long_text_needs_no_name(tmp_path: Path) -> None:
    async with stage(tmp_path, privacy=False) as scene:
        scene.home.engine.release()
        ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends")
        now = int(scene.world.clock())
        scene.world.say(ann, f"{NAME} {'a' * 4050}", room, date=now)
        scene.world.say(bob, "not for the bot", room, date=now + 1)
        scene.world.say(ann, "b" * 4050, room, date=now + 1)
        scene.world.say(ann, "the end", room, date=now + 2)
        scene.world.say(ann, "not for the bot either", room, date=now + 5)
        await scene.shown(room, ANSWER)
        assert asked(scene) == [f"{'a' * 4050}\n{'b' * 4050}\nthe end"]
        assert len(room.of_bot()) == 1


async def test_a_file_right_behind_a_long_text_is_a_question_of_its_own(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    now = int(scene.world.clock())
    scene.world.say(ann, "x" * 4050, date=now)
    scene.world.send_file(ann, "a.txt", b"the text", caption="and this?", date=now + 1)
    await scene.shown(scene.room(ann), ANSWER, f"{ANSWER}\n\n{SAY('file-read', name='a.txt')}")
    assert asked(scene) == ["x" * 4050 + "\n", "```a.txt\nthe text\n```\n\nand this?"]


# Long answers.


async def test_a_long_answer_is_several_messages_and_at_last_a_file(tmp_path: Path) -> None:
    engine = SteppedEngine(words=4000, context_window=10_000)
    async with stage(tmp_path, engine=engine, max_tokens=9000) as scene:
        engine.release()
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        scene.world.say(ann, "a long one")
        await scene.world.until(lambda: len(room.of_bot()) == 6 and "document" in room.of_bot()[-1])
        file = room.of_bot()[-1]
        text = scene.world.files[file["document"]["file_id"]].decode()
        assert text == " ".join(f"a{number}" for number in range(1, 4001))
        await scene.world.until(lambda: text.startswith(" ".join(room.texts()[:5])))
        assert file["caption"] == SAY("rest-as-file")


# Files and other kinds.


async def test_a_text_file_is_read_with_the_question_and_the_answer_says_so(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    scene.world.send_file(ann, "notes.md", "\ufeff한글 and\r\nmore".encode(), caption="what is this?")
    (message,) = await scene.shown(scene.room(ann), f"{ANSWER}\n\n{SAY('file-read', name='notes.md')}")
    assert asked(scene) == ["```notes.md\n한글 and\nmore\n```\n\nwhat is this?"]
    assert {"type": "italic", "offset": 13, "length": 31} in message["entities"]


async def test_of_a_file_that_does_not_fit_the_answer_says_how_much_was_read(tmp_path: Path) -> None:
    async with stage(tmp_path, engine=SteppedEngine(context_window=1100)) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        text = " ".join(f"w{number}" for number in range(7000))
        scene.world.send_file(ann, "long.txt", text.encode()[:65_000], caption="in short?")
        await scene.world.until(lambda: "I read the first" in "".join(scene.room(ann).texts()))


@pytest.mark.parametrize(
    ("data", "kind", "size", "cause"),
    [
        (b"\x00\x01binary", "application/octet-stream", None, "file-not-text"),
        (b"x" * 65_537, "text/plain", None, "file-too-big"),
        (b"x" * 65_537, "text/plain", 10, "file-too-big"),
        (b"%PDF", "application/pdf", None, "kind-unknown"),
    ],
)
async def test_what_cannot_be_read_gets_one_sentence(
    scene: Stage, data: bytes, kind: str, size: int | None, cause: str
) -> None:
    ann = scene.world.person("Ann")
    scene.world.send_file(ann, "file", data, kind=kind, size=size, caption="what?")
    (message,) = await scene.shown(scene.room(ann), SAY(cause))
    assert labels(message) == []
    assert asked(scene) == []


async def test_a_file_that_cannot_be_fetched_ends_the_question_with_a_word(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    scene.server.faults["file"].extend(["redirect"])
    scene.world.send_file(ann, "a.txt", b"text")
    await scene.shown(scene.room(ann), SAY("file-unreadable"))


async def test_a_file_survives_a_restart_before_it_was_fetched(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server:
        ann = server.world.person("Ann")
        server.faults["getFile"].append("hang")
        async with house(tmp_path, people=People(open_to=OPEN)) as home, connected(server, home):
            server.world.send_file(ann, "a.txt", b"the text", caption="what?")
            await server.world.until(lambda: server.world.rooms[ann.id].of_bot())
            await until(lambda: "getFile" in server.requests)
            await home.chat.drain(0)
        async with house(tmp_path, people=People(open_to=OPEN)) as home:
            home.engine.release()
            assert await home.chat.resume(["telegram:"]) == 1
            async with connected(server, home) as scene:
                await scene.shown(server.world.rooms[ann.id], f"{ANSWER}\n\n{SAY('file-read', name='a.txt')}")
                assert asked(scene) == ["```a.txt\nthe text\n```\n\nwhat?"]


async def test_a_server_of_ones_own_puts_files_on_this_disk(scene: Stage, tmp_path: Path) -> None:
    scene.server.api.disk = tmp_path
    ann = scene.world.person("Ann")
    answers = [f"{ANSWER}\n\n{SAY('file-read', name='a.txt')}", SAY("file-too-big"), SAY("file-unreadable")]
    for number, data in enumerate((b"the text", b"x" * 65_537, None)):
        _, message = scene.world.send_file(ann, "a.txt", data or b"", size=10)
        if data is not None:
            (tmp_path / message["document"]["file_id"]).write_bytes(data)
            assert "file" not in scene.server.requests, "nothing was fetched"
        await scene.shown(scene.room(ann), *answers[: number + 1])
    assert asked(scene) == ["```a.txt\nthe text\n```"]


async def test_an_album_gets_one_sentence_not_ten(scene: Stage) -> None:
    ann = scene.world.person("Ann")
    for _ in range(10):
        scene.world.send_photo(ann, media_group_id="album")
    scene.world.send_photo(ann)
    await scene.shown(scene.room(ann), SAY("album"), SAY("kind-unknown"))
    assert len(scene.room(ann).of_bot()) == 2


async def test_what_a_group_shares_among_itself_is_left_alone(tmp_path: Path) -> None:
    async with stage(tmp_path, privacy=False) as scene:
        scene.home.engine.release()
        ann, room = scene.world.person("Ann"), scene.world.group("Friends")
        scene.world.send_photo(ann, room)
        scene.world.send_file(ann, "a.txt", b"text", room)
        service = {"new_chat_members": [ann.user]}
        scene.world.deliver("message", scene.world.message(room, ann.user, service))
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.shown(room, ANSWER)
        assert len(room.of_bot()) == 1


async def test_a_slow_answer_blocks_nobodys_update_and_stop_is_not_behind_the_line(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        people = [scene.world.person(f"P{number}") for number in range(5)]
        for person in people:
            scene.world.say(person, "hello")
        await scene.world.until(lambda: all(scene.room(person).of_bot() for person in people))
        assert len(scene.home.engine.asked) == 1
        scene.world.say(people[4], "/stop")
        await scene.shown(scene.room(people[4]), SAY("stopped"), SAY("stopped"))
        assert scene.home.gate.waiting == 3
        scene.home.engine.release()
        for person in people[:4]:
            await scene.shown(scene.room(person), ANSWER)
        await asyncio.sleep(0)
