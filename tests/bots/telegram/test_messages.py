"""What of a message is meant for us: commands and mentions by their marks, quotes, and long texts that are cut."""

from __future__ import annotations

from typing import Any

import pytest
from telegram import Message, User

from bots.telegram.messages import (
    MORE_WITHIN,
    Command,
    command_of,
    is_for,
    is_others_command,
    is_said,
    topic_of,
    words_of,
)
from bots.telegram.names import Names, Place, chat_of, message_of
from tests.servers.telegram.world import BOT, Json, entities

ME = User(BOT["id"], "Conch", True, username=BOT["username"])
ANN = {"id": 5, "is_bot": False, "first_name": "Ann"}
NAME = f"@{BOT['username']}"
DATE = 1_800_000_000


def message(text: str = "", *, group: bool = True, **more: Any) -> Message:
    """A message of Ann's, marked as Telegram does."""
    chat: Json = {"id": -100, "type": "supergroup", "title": "G"} if group else {"id": 5, "type": "private"}
    said: Json = {"text": text, "entities": entities(text)} if text else {}
    made = Message.de_json({"message_id": 9, "date": DATE, "chat": chat, "from": ANN, **said, **more}, None)
    assert made is not None
    return made


def of_us(text: str = "An answer.") -> Json:
    chat = {"id": -100, "type": "supergroup", "title": "G"}
    return {"message_id": 3, "date": DATE, "chat": chat, "from": ME.to_dict(), "text": text}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/new", Command("new", "")),
        ("/NEW  and more ", Command("new", "and more")),
        (f"/persona{NAME} pirate", Command("persona", "pirate")),
        (f"/persona{NAME.upper()}\npirate", Command("persona", "pirate")),
        ("/new@another_bot", None),
        ("say /new", None),
        ("new", None),
    ],
)
def test_a_command_is_one_at_the_beginning_and_for_us(text: str, command: Command | None) -> None:
    assert command_of(message(text), ME) == command
    assert is_others_command(message(text), ME) == ("another_bot" in text)


def test_a_command_is_one_however_it_looks() -> None:
    said = message("/persona pirate", entities=[{"type": "bold", "offset": 0, "length": 15}, *entities("/persona")])
    assert command_of(said, ME) == Command("persona", "pirate")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"{NAME} what is a conch?", "what is a conch?"),
        (f"{NAME}, what is a conch?", "what is a conch?"),
        (f"{NAME}:\nwhat?", "what?"),
        (f"what is a conch, {NAME}?", "what is a conch?"),
        (f"tell me {NAME}", "tell me"),
        (f"what does {NAME} think of {NAME.upper()}, say", "what does Conch think of Conch, say"),
        (f"👍🏽 한국어 {NAME} 中文", "👍🏽 한국어 Conch 中文"),
        (f"🇰🇷🇰🇷 hello {NAME}", "🇰🇷🇰🇷 hello"),
        (NAME, ""),
    ],
)
def test_our_name_is_found_by_its_mark_and_left_out_where_it_only_calls(text: str, asked: str) -> None:
    assert is_for(message(text), ME)
    assert words_of(message(text), ME).text == asked


@pytest.mark.parametrize("text", ["what?", f"{NAME}s_other what?", "mail@conch_test_bot.example", f"`{NAME}x`"])
def test_what_only_looks_like_our_name_is_not_for_us(text: str) -> None:
    marks = [mark for mark in entities(text) if mark["type"] == "mention"]
    assert not is_for(message(text, entities=marks), ME)


def test_a_mark_that_names_us_without_a_name_counts_too() -> None:
    marks = [{"type": "text_mention", "offset": 0, "length": 5, "user": ME.to_dict()}]
    assert words_of(message("Conch hello", entities=marks), ME).text == "hello"
    other = [{"type": "text_mention", "offset": 0, "length": 5, "user": ANN}]
    assert not is_for(message("Conch hello", entities=other), ME)


def test_a_caption_names_us_like_a_text() -> None:
    caption = f"{NAME} what is that?"
    document = {"file_id": "f", "file_unique_id": "u"}
    said = message(caption=caption, caption_entities=entities(caption), document=document)
    assert is_for(said, ME)
    assert words_of(said, ME).text == "what is that?"


def test_a_reply_to_us_is_for_us_and_quotes_nothing_unless_somebody_marked_words() -> None:
    assert is_for(message("and?", reply_to_message=of_us()), ME)
    assert words_of(message("and?", reply_to_message=of_us()), ME).quote == ""
    marked = {"text": "answer", "position": 3}
    assert words_of(message("and?", reply_to_message=of_us(), quote=marked), ME).quote == "answer"
    friend = {**of_us("The moon is cheese."), "from": ANN}
    assert not is_for(message("and?", reply_to_message=friend), ME)
    assert words_of(message(f"{NAME} and?", reply_to_message=friend), ME).quote == "The moon is cheese."


def test_in_private_everything_is_for_us() -> None:
    assert is_for(message("hello", group=False), ME)
    assert words_of(message(" exactly  as\nit is", group=False), ME).text == " exactly  as\nit is"


@pytest.mark.parametrize(
    ("text", "kept", "more"),
    [
        ("x" * 3999, "x" * 3999, False),
        ("x" * 4000, "x" * 4000 + "\n", True),
        ("x" * 4095, "x" * 4095 + "\n", True),
        ("x" * 4096, "x" * 4096, True),
        ("👍" * 2000, "👍" * 2000 + "\n", True),
    ],
)
def test_a_text_as_long_as_a_message_may_go_on(text: str, kept: str, more: bool) -> None:
    question = words_of(message(text, group=False), ME)
    assert question.text == kept
    assert question.more_until == (DATE + MORE_WITHIN if more else None)


def test_a_thread_is_a_topic_only_where_it_says_so() -> None:
    assert topic_of(message("x", message_thread_id=7, is_topic_message=True)) == 7
    assert topic_of(message("x", message_thread_id=7)) is None


def test_service_messages_say_nothing() -> None:
    assert is_said(message("hello"))
    assert not is_said(message(new_chat_members=[ANN]))
    assert not is_said(message(forum_topic_created={"name": "T", "icon_color": 1}))


def test_names_tell_bots_chats_topics_and_people_apart() -> None:
    one, other = Names(1), Names(2)
    keys = [
        names.conversation(chat, topic, user)
        for names in (one, other)
        for chat in (-100, 5)
        for topic in (None, 7)
        for user in (5, 6)
    ]
    assert len(set(keys)) == 16
    assert all(key.startswith(names.in_chat(-100)) for names, key in ((one, keys[0]), (other, keys[8])))
    events = [one.message(5, 9), one.message(5, 9, 1), one.press("9"), other.message(5, 9), one.message(9, 5)]
    assert len(set(events)) == 5
    assert message_of(one.message(-100, 12)) == (-100, 12)
    assert (chat_of("telegram:-100"), chat_of("discord:5"), chat_of("telegram:x"), chat_of("")) == (-100,) + (None,) * 3


def test_a_place_is_read_as_it_was_written() -> None:
    for place in (Place(5), Place(-100, 12, 7, True)):
        assert Place.read(str(place)) == place
