"""What people's commands do, whatever the platform: a front parses a line, gives the command, and shows the outcome."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from bots.talk.view import File
from bots.talk.wording import Say, Wording
from config.platforms import PERSON
from core.chat.options import Status
from core.errors import ConchError, NotFound, Refused
from core.events import Delta, Finished, Queued
from core.messages import Persona, Question, Revision, Target, Turn

NAMES = (
    *("start", "new", "stop", "retry", "undo", "persona", "language"),
    *("status", "privacy", "export", "forget", "help"),
)
"""What a platform's menu lists, in its order."""
UNDONE_SHOWN = 1000
"""Characters of a question that was taken back: it may be longer than a message of the platform."""
EXPORT_NAME = "conch-export.json"
_NUMBER = re.compile(r"-?\d+")


class Answer(Protocol):
    """What a Reply shows of itself, here or at the other end of a socket."""

    @property
    def turn(self) -> Turn: ...

    def __aiter__(self) -> AsyncIterator[Queued | Delta | Finished]: ...

    async def cancel(self) -> None: ...


A = TypeVar("A", bound=Answer)
A_co = TypeVar("A_co", bound=Answer, covariant=True)


class NotRunning(ConchError):
    """The Chat is another process's, and that is not there any more."""


class Talk(Protocol[A_co]):
    """What of a Chat one person's talk needs; a Chat has it, and so has the client of a running one."""

    async def send(self, question: Question) -> A_co: ...
    async def reply(self, target: Target, user: str) -> A_co: ...
    async def regenerate(self, revision: Revision) -> A_co: ...
    async def proceed(self, revision: Revision) -> A_co: ...
    async def undo(self, conversation: str, user: str, event: str | None = None) -> Turn | None: ...
    async def cancel(self, target: Target, user: str) -> Turn | None: ...
    async def new(self, conversation: str, user: str) -> None: ...
    async def history(self, conversation: str, user: str) -> list[Turn]: ...
    async def persona(self, conversation: str, user: str, name: str | None = None) -> str: ...
    async def language(self, user: str, code: str | None = None) -> str | None: ...
    async def status(self, user: str, conversation: str | None = None) -> Status: ...
    async def export(self, user: str) -> dict[str, Any]: ...
    async def forget(self, user: str) -> int: ...


class Ownership(Protocol):
    """What of a Chat the owner's commands need."""

    @property
    def unclaimed(self) -> bool: ...
    def owns(self, user: str) -> bool: ...
    def pause(self) -> None: ...
    def unpause(self) -> None: ...
    def refuse(self) -> None: ...
    async def stats(self) -> dict[str, Any]: ...
    async def allow(self, who: str) -> str: ...
    async def deny(self, who: str) -> str: ...
    async def claim(self, code: str, user: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asker:
    """Who gives a command, in which conversation, in which language. ``event`` names the command like a question's.

    ``target`` is an answer that the command is about, where the platform lets people point at one. ``place``,
    ``places`` and ``at`` are those of a Question.
    """

    user: str
    conversation: str
    language: str
    event: str
    target: Target | None = None
    place: str | None = None
    places: tuple[str, ...] = ()
    at: float | None = None

    def revision(self, target: Target) -> Revision:
        """What the command wants made of ``target``."""
        return Revision(target, self.user, self.event, place=self.place, at=self.at, places=self.places)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to go on: a command to give, and what to call it."""

    label: str
    command: str
    argument: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[A]):
    """What comes of a command. ``reply`` is an answer to show; ``done`` False where it could not be done. ``admitted``
    is who was let in by it, and may be told."""

    text: str = ""
    choices: tuple[Choice, ...] = ()
    file: File | None = None
    reply: A | None = None
    done: bool = True
    admitted: str = ""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """``platform``: a bare number of ``/admin allow`` is an id of it. The rest but ``retention_days`` are keys of
    sentences, for a platform whose commands have names of their own: those of /help, of /privacy and of /admin."""

    platform: str
    help: tuple[str, ...] = ("help",)
    privacy: str = "privacy"
    admin: str = "admin-help"
    retention_days: int = 0


class Commands(Generic[A]):
    """The commands of one front. ``owner`` None: it has none for the owner."""

    def __init__(
        self,
        talk: Talk[A],
        wording: Wording,
        personas: Mapping[str, Persona],
        options: CommandOptions,
        owner: Ownership | None = None,
    ) -> None:
        self._talk, self._wording, self._personas = talk, wording, personas
        self._options, self._owner = options, owner
        self._known: dict[str, Callable[[str, Asker, Say], Awaitable[Outcome[A]]]] = {
            "start": self._start,
            "new": self._new,
            "reset": self._new,
            "stop": self._stop,
            "retry": self._retry,
            "continue": self._continue,
            "undo": self._undo,
            "persona": self._persona,
            "language": self._language,
            "status": self._status,
            "privacy": self._privacy,
            "export": self._export,
            "forget": self._forget,
            "help": self._help,
        }
        if owner is not None:
            self._known["admin"] = self._admin

    def __contains__(self, name: str) -> bool:
        return name in self._known

    async def obey(self, name: str, argument: str, asker: Asker) -> Outcome[A]:
        """Carry out one of the known commands (without its slash). Raises Refused."""
        return await self._known[name](argument.strip(), asker, self._wording.bind(asker.language))

    async def _start(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        """With the code that the first start printed, whoever gives it becomes the owner."""
        if argument and self._owner is not None and self._owner.unclaimed:
            claimed = await self._owner.claim(argument, asker.user)
            return Outcome(say("admin-claimed" if claimed else "admin-code-wrong"), done=claimed)
        return Outcome(await self._honest(say("start"), asker.user, asker.language))

    async def _new(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        await self._talk.new(asker.conversation, asker.user)
        return Outcome(say("new-done"))

    async def _stop(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        stopped = await self._talk.cancel(asker.conversation if asker.target is None else asker.target, asker.user)
        return Outcome(say("stopped" if stopped else "nothing-to-stop"))

    async def _retry(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        target = await self._target(asker)
        if target is None:
            return Outcome(say("nothing-to-retry"), done=False)
        reply = await self._talk.regenerate(replace(asker.revision(target), branch=True))
        return Outcome(reply=reply)

    async def _continue(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        target = await self._target(asker)
        if target is None:
            return Outcome(say("nothing-to-continue"), done=False)
        reply = await self._talk.proceed(asker.revision(target))
        return Outcome(reply=reply)

    async def _undo(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        turn = await self._talk.undo(asker.conversation, asker.user, asker.event)
        if turn is None:
            return Outcome(say("nothing-to-undo"), done=False)
        text = turn.prompt or ", ".join(file.name for file in turn.attachments) or turn.quote
        return Outcome(say("undo-done", text=text if len(text) <= UNDONE_SHOWN else f"{text[:UNDONE_SHOWN]}…"))

    async def _persona(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        titles = {name: self._title(name, asker.language) for name in self._personas}
        if not argument:
            now = await self._talk.persona(asker.conversation, asker.user)
            choices = tuple(Choice(title, "persona", name) for name, title in titles.items())
            return Outcome(say("persona-now", name=self._title(now, asker.language)), choices)
        if argument not in titles:
            return Outcome(say("persona-unknown", names=", ".join(titles)), done=False)
        await self._talk.persona(asker.conversation, asker.user, argument)
        return Outcome(say("persona-set", name=titles[argument]))

    async def _language(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        names = {code: self._wording(code, "language-name") for code in self._wording.languages}
        if not argument:
            return Outcome(say("language-now"), tuple(Choice(name, "language", code) for code, name in names.items()))
        wanted = argument.casefold()
        chosen = next((code for code, name in names.items() if wanted in (code, name.casefold())), None)
        if chosen is None:
            return Outcome(say("language-unknown", names=", ".join(names)), done=False)
        await self._talk.language(asker.user, chosen)
        return Outcome(await self._honest(self._wording(chosen, "language-set"), asker.user, chosen))

    async def _status(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        now = await self._talk.status(asker.user, asker.conversation)
        lines = [
            say("console-ready" if now.ready and not now.paused else "paused" if now.ready else "loading"),
            say("status-line", running=now.running, waiting=now.waiting),
            say("status-persona", name=self._title(now.persona, asker.language)),
        ]
        if now.messages_left is not None:
            lines.append(say("status-messages", left=now.messages_left))
        if now.tokens_left is not None:
            lines.append(say("status-tokens", left=now.tokens_left))
        return Outcome("\n".join(lines))

    async def _privacy(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        days = self._options.retention_days
        return Outcome(
            "\n".join([say(self._options.privacy), *([say("privacy-retention", days=days)] if days else [])])
        )

    async def _export(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        everything = await self._talk.export(asker.user)
        if not everything["conversations"] and not everything["language"]:
            return Outcome(say("export-nothing"))
        data = json.dumps(everything, ensure_ascii=False, indent=2) + "\n"
        return Outcome(file=File(EXPORT_NAME, data.encode("utf-8", "replace"), say("export-done")))

    async def _forget(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        words = {"yes": True, "no": False, say("button-yes").casefold(): True, say("button-no").casefold(): False}
        sure = words.get(argument.casefold())
        if sure is None:
            choices = Choice(say("button-yes"), "forget", "yes"), Choice(say("button-no"), "forget", "no")
            return Outcome(say("forget-sure"), choices, done=False)
        if not sure:
            return Outcome(say("forget-kept"))
        return Outcome(say("forget-done", count=await self._talk.forget(asker.user)))

    async def _help(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        owns = self._owner is not None and self._owner.owns(asker.user)
        keys = *self._options.help, *([self._options.admin] if owns else [])
        return Outcome(await self._honest("\n\n".join(map(say, keys)), asker.user, asker.language))

    async def _admin(self, argument: str, asker: Asker, say: Say) -> Outcome[A]:
        owner = self._owner
        assert owner is not None
        if not owner.owns(asker.user):
            return Outcome(say("admin-only"), done=False)
        word, _, who = argument.partition(" ")
        match word.casefold():
            case "pause":
                owner.pause()
                return Outcome(say("admin-paused"))
            case "resume":
                owner.unpause()
                return Outcome(say("admin-resumed"))
            case "drain":
                owner.refuse()
                return Outcome(say("admin-draining"))
            case "stats":
                return Outcome(say("admin-stats", **_shown(await owner.stats())))
            case "allow" | "deny" as verb if who.strip():
                return await self._admit(owner, verb, who.strip(), say)
        return Outcome(say(self._options.admin), done=False)

    async def _admit(self, owner: Ownership, verb: str, who: str, say: Say) -> Outcome[A]:
        """By the code that a stranger was given, by their id here, or by the name of a person or place anywhere."""
        named = f"{self._options.platform}:{who}" if _NUMBER.fullmatch(who) else who
        if ":" in named and not PERSON.fullmatch(named):
            return Outcome(say("admin-nobody", who=who), done=False)
        try:
            if verb == "deny":
                return Outcome(say("admin-denied", who=await owner.deny(named)))
            admitted = await owner.allow(named)
        except NotFound:
            return Outcome(say("admin-nobody", who=who), done=False)
        return Outcome(say("admin-allowed", who=admitted), admitted=admitted)

    async def _honest(self, text: str, user: str, language: str) -> str:
        """``text``, with a word on the model's weakness where the language is one of its weak ones."""
        weak = (await self._talk.status(user)).weak
        return f"{text}\n\n{self._wording(language, 'weak-language')}" if language in weak else text

    async def _target(self, asker: Asker) -> Target | None:
        """The answer that was pointed at, else the newest one."""
        if asker.target is not None:
            return asker.target
        try:
            path: Sequence[Turn] = await self._talk.history(asker.conversation, asker.user)
        except Refused as refusal:
            if refusal.cause != NotFound.cause:
                raise
            return None
        return next((turn.id for turn in reversed(path) if not turn.deleted), None)

    def _title(self, name: str, language: str) -> str:
        persona = self._personas.get(name)
        return persona.title.get(language) or persona.title.get("en") or name if persona else name


def _shown(stats: Mapping[str, Any]) -> dict[str, object]:
    return {**stats, "megabytes": f"{stats['bytes'] / 1e6:.1f}"}
