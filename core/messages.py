"""The values of a conversation, and the window of it that the model sees. Pure: no storage, no platform, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from core.events import FinishReason

Role = Literal["system", "user", "assistant"]
Kind = Literal["send", "regenerate", "proceed", "edit"]
Target = int | str
"""A turn, by its id or by any of its events."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt. ``ids`` are the exact tokens of an earlier answer; None = unknown, encode the text."""

    role: Role
    content: str
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the model is asked to be: a system text and a title per language (``en``, ``ko``, ``zh``), and sampling.

    ``text`` may be empty (no system message). ``sampling`` holds overrides by field name of ``core.engine.Sampling``.
    """

    name: str
    title: Mapping[str, str]
    text: Mapping[str, str]
    sampling: Mapping[str, float | int] = field(default_factory=dict)

    def system(self, language: str) -> str:
        """The system text in ``language``, else in English, else nothing."""
        return self.text.get(language) or self.text.get("en") or ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to a question. ``text`` None: not fetched yet from ``source``, which is opaque to core."""

    name: str
    source: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, as a front has read it: the one value that travels from there to the store's row.

    ``conversation``, ``user`` and ``event`` are the front's keys; the same ``event`` again is the same question.
    ``place`` is where the answer is shown, opaque to core. ``at`` is the event's own time in Unix seconds (None: now),
    ``parent`` an answer that it replies to (None: the conversation's newest), ``persona`` who shall answer (None: the
    conversation's), ``language`` what the platform says of the person. ``places`` are the ids by which a group may be
    admitted or have limits of its own, ``scope`` is the chat in which everybody can read the answer ("" = private),
    ``title`` the conversation's, if it has none yet (else it is made of the words).

    The question may be about words of somebody else (``quote``), and about files (``attachments``); files without a
    text are waited for. ``more_until``: what the same person says in this conversation up to then, by the events' own
    times, is more of the same question. ``only_more``: it is that or nothing at all.
    """

    conversation: str
    user: str
    event: str
    text: str
    place: str = ""
    at: float | None = None
    parent: Target | None = None
    persona: str | None = None
    language: str | None = None
    places: tuple[str, ...] = ()
    scope: str = ""
    title: str = ""
    quote: str = ""
    attachments: tuple[Attachment, ...] = ()
    more_until: float | None = None
    only_more: bool = False

    @property
    def kept(self) -> dict[str, Any]:
        """What its turn keeps of it as it is, by the names of Turn's fields."""
        return _kept(self)


@dataclass(frozen=True, slots=True)
class Revision:
    """What somebody wants made of a turn: another answer, a continuation of it, or its question in other words.

    ``target`` is the turn. ``user`` wants it, and pays for it, by the event ``event``, which came ``at`` that time in
    Unix seconds (None: now) and from these ``places``. ``moderates`` is the chat (a ``scope``) in which the platform
    lets this person act on other people's answers. ``text`` is what an edited question reads now. ``place`` is where
    the answer is shown (None: where the old one is); ``take_over`` shows it in the old one's messages. ``branch``: its
    owner's conversation goes on from it, also where the old one is not its newest.
    """

    target: Target
    user: str
    event: str
    text: str | None = None
    place: str | None = None
    at: float | None = None
    take_over: bool = False
    branch: bool = False
    places: tuple[str, ...] = ()
    moderates: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How a turn ended at the Unix time ``at``, and what it took; see Turn. ``shown``: nobody has to be shown it."""

    reason: FinishReason
    cause: str | None = None
    at: float = 0.0
    reply: str = ""
    ids: tuple[int, ...] | None = None
    prompt_tokens: int = 0
    computed_tokens: int = 0
    reply_tokens: int = 0
    cost: int = 0
    left_out: int = 0
    read: tuple[int, ...] = ()
    fits: int = 0
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer, as stored.

    ``finish_reason`` None = not answered yet. ``shown`` = the platform has confirmed the last edit. ``place`` and
    ``refs`` are opaque to core: where to show the answer, and the messages of its parts so far. Times are Unix seconds;
    ``asked`` is the event's own time, ``accepted`` ours, ``started`` when the answer was begun last. ``cost`` is what
    the turn takes from its person's tokens of the day: ``max_tokens`` until it has ended, then prompt computed +
    generated. ``left_out`` counts the older turns that did not fit the window. ``source`` is the turn that a
    regenerate, proceed or edit was made from. ``scope`` names the chat in which everybody can read the turn ("" =
    private): others may build on it there.

    A question may quote somebody else's words (``quote``) and come with files (``attachments``), of each of which the
    model has seen ``read`` characters. Of a question that was too long for the model, about ``fits`` characters were
    not; 0 = that was not the trouble, or what it quotes took all the room. ``parts`` are the lengths of the messages
    that it came in, if there were several; the person's next message is one of them if it was sent by ``more_until``.
    """

    id: int
    conversation: str
    parent: int | None
    source: int | None
    kind: Kind
    user: str
    persona: str
    language: str
    prompt: str
    seed: int
    asked: float
    accepted: float
    reply: str = ""
    ids: tuple[int, ...] | None = None
    finish_reason: FinishReason | None = None
    cause: str | None = None
    shown: bool = False
    deleted: bool = False
    attempts: int = 0
    place: str = ""
    refs: tuple[str, ...] = ()
    prompt_tokens: int = 0
    computed_tokens: int = 0
    reply_tokens: int = 0
    cost: int = 0
    left_out: int = 0
    started: float | None = None
    finished: float | None = None
    scope: str = ""
    quote: str = ""
    attachments: tuple[Attachment, ...] = ()
    read: tuple[int, ...] = ()
    fits: int = 0
    parts: tuple[int, ...] = ()
    more_until: float | None = None

    def question(self, event: str, text: str) -> Question:
        """Its question, asked anew by ``event`` in the words ``text``, with all that belonged to it."""
        kept = _kept(self) | {"more_until": None}
        return Question(event=event, text=text, persona=self.persona, language=self.language, **kept)

    @property
    def asks(self) -> bool:
        """Is there a question in it, or does it lengthen the answer before?"""
        return bool(self.prompt or self.quote or self.attachments)

    @property
    def files_read(self) -> tuple[tuple[Attachment, int], ...]:
        """Each file with how many of its characters the model has read; none before it has."""
        return tuple(zip(self.attachments, self.read, strict=False))

    @property
    def incomplete(self) -> bool:
        """Has a file of it not been fetched yet?"""
        return any(file.text is None for file in self.attachments)


_TURNS = frozenset(field.name for field in fields(Turn)) - {"parent", "persona", "language"}
KEPT = tuple(field.name for field in fields(Question) if field.name in _TURNS)
"""What a turn keeps of its question as it is; the three others are decided when it is accepted."""


def _kept(value: Question | Turn) -> dict[str, Any]:
    return {name: getattr(value, name) for name in KEPT}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A line of a person's list. ``head`` is the newest turn of the path shown; None = cleared by ``new``."""

    key: str
    owner: str
    title: str
    persona: str
    head: int | None
    created: float
    updated: float


def placed(refs: Sequence[str], part: int, ref: str) -> tuple[str, ...]:
    """The messages of an answer's parts when part number ``part`` is ``ref``: as many as there are up to the last."""
    changed = [*refs, *[""] * (part + 1 - len(refs))]
    changed[part] = ref
    while changed and not changed[-1]:
        changed.pop()
    return tuple(changed)


@dataclass(frozen=True, slots=True)
class Window:
    """The messages for the model, and how many older turns were left out of them."""

    messages: tuple[Message, ...]
    left_out: int


def question(turn: Turn, read: Sequence[int]) -> str:
    """What the model reads as the person's message: the quoted words, ``read`` characters of each file, the question.

    Somebody else's words cannot pass for the question: each line that is quoted is marked, and the fence round a file
    is longer than any in it.
    """
    pieces = ["\n".join(f"> {line}" for line in turn.quote.splitlines())] if turn.quote else []
    for file, length in zip(turn.attachments, (*read, *[0] * len(turn.attachments)), strict=False):
        text = (file.text or "")[:length]
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        pieces.append(f"{fence}{' '.join(file.name.split())}\n{text}\n{fence}")
    return "\n\n".join((*pieces, turn.prompt) if turn.prompt else pieces)


def groups(path: Sequence[Turn]) -> list[list[Message]]:
    """The path (oldest first) as whole exchanges that stay or go together; deleted turns are skipped.

    A turn without a question lengthens the answer before it, so it joins that exchange. The last turn, still
    unanswered, gives its question alone; if it has none, its exchange ends with the assistant's text so far, which the
    engine continues. Of files the model sees as much as it read when they were asked about.
    """
    exchanges: list[list[Message]] = []
    broken = False  # what lengthened a deleted answer goes with it
    for turn in path:
        if turn.deleted or (broken and not turn.asks):
            broken = True
            continue
        broken = False
        if not turn.asks:
            if not exchanges or exchanges[-1][-1].role != "assistant":
                continue
            before = exchanges[-1].pop()
            ids = before.ids
            if turn.reply:
                ids = (*ids, *turn.ids) if ids is not None and turn.ids is not None else None
            exchanges[-1].append(Message("assistant", before.content + turn.reply, ids))
            continue
        exchange = [Message("user", question(turn, turn.read))]
        if turn.reply:
            exchange.append(Message("assistant", turn.reply, turn.ids))
        exchanges.append(exchange)
    return exchanges


def window(system: str, exchanges: Sequence[Sequence[Message]], lengths: Sequence[int], room: int) -> Window:
    """The newest whole exchanges that fit ``room`` tokens; ``lengths[i]`` is what ``exchanges[i]`` takes.

    Replays the conversation from its start: whenever the sum overflows ``room``, the oldest exchanges go until it is at
    most three quarters of it. So the start of the window moves seldom, and the KV cache behind it stays good for many
    turns. The newest exchange always stays, whether or not it fits (the engine's exact test decides).
    """
    start, total = 0, 0
    for i, length in enumerate(lengths):
        total += length
        if total > room:
            while start < i and total > room * 3 // 4:
                total -= lengths[start]
                start += 1
    head = (Message("system", system),) if system else ()
    return Window((*head, *(message for exchange in exchanges[start:] for message in exchange)), start)
