"""What a page can ask for, as JSON. All POST but what only reads; every call is made by the owner of a session.

::

    POST /api/session                                   {} -> who I am here, the personas, the limits; sets the cookie
    POST /api/key                                       {key}
    GET  /api/conversations                             [{id, title, persona, updated}]
    GET  /api/conversations/ID                          {exchanges: [{id, last, question, text, live, ended, notes}]}
    GET  /api/stream?conversation=ID&count=N&mark=M     server-sent events: hello, list, path, answer, crowded, bye
    POST /api/conversations/ID/send                     {event, text, persona?} -> {turn}
    POST /api/conversations/ID/{rename,persona,remove}  {title} {persona} {}
    POST /api/turns/N/{regenerate,proceed,edit}         {event, text?} -> {turn}
    POST /api/turns/N/{stop,undo}                       {}
    POST /api/language                                  {language}
    GET  /api/export       POST /api/forget

A conversation's ID and an event are made by the page (``web:<session>:<event>`` to core), so that what is sent again
is not asked again. A refusal is ``{cause, sentence}``. What is somebody else's is answered like what never was.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bots.talk.wording import Wording
from bots.text.html import Renderer
from bots.web.access import Allowance, Cookies
from bots.web.feed import Feed, Viewer
from bots.web.guard import Denied, language_of
from bots.web.request import Visitor, caller_of, conversation_of, event_of, fields_of, is_secure, text_of
from bots.web.stream import Stream, Streams
from bots.web.view import conversation_view, exchange_view, exchanges, persona_view
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.errors import NotFound
from core.messages import Question, Revision

WRONG_KEYS = 10
WRONG_KEYS_SECONDS = 600.0

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """The calls. ``characters`` is the longest question (0 = no limit), ``retention_days`` how long all is kept (0 =
    for good); the page shows both."""

    def __init__(
        self,
        chat: Chat,
        wording: Wording,
        cookies: Cookies,
        *,
        sessions_per_hour: int,
        characters: int,
        retention_days: int = 0,
        pace: float,
        heartbeat: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.streams = Streams()
        self._chat, self._wording, self._cookies = chat, wording, cookies
        self._characters, self._pace, self._heartbeat = characters, pace, heartbeat
        self._retention_days = retention_days
        self._renderer = Renderer()
        self._sessions = Allowance(sessions_per_hour, 3600.0, clock)
        self._wrong_keys = Allowance(WRONG_KEYS, WRONG_KEYS_SECONDS, clock)
        self._undoing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def routes(self) -> list[Route]:
        """All under ``/api``."""
        posts: dict[str, Handler] = {
            "session": self._session,
            "key": self._key,
            "language": self._language,
            "forget": self._forget,
            "conversations/{conversation}/send": self._send,
            "conversations/{conversation}/rename": self._rename,
            "conversations/{conversation}/persona": self._persona,
            "conversations/{conversation}/remove": self._remove,
            "turns/{turn:int}/regenerate": self._regenerate,
            "turns/{turn:int}/proceed": self._proceed,
            "turns/{turn:int}/edit": self._edit,
            "turns/{turn:int}/stop": self._stop,
            "turns/{turn:int}/undo": self._undo,
        }
        gets: dict[str, Handler] = {
            "conversations": self._conversations,
            "conversations/{conversation}": self._conversation,
            "stream": self._stream,
            "export": self._export,
        }
        return [
            *(Route(f"/api/{path}", handler, methods=["POST"]) for path, handler in posts.items()),
            *(Route(f"/api/{path}", handler, methods=["GET"]) for path, handler in gets.items()),
        ]

    # Coming in.

    def admitted(self, request: Request) -> bool:
        """May this browser, or whoever shows the key as a bearer's token, come in?"""
        return self._cookies.admitted(request.headers, secure=is_secure(request))

    def show_key(self, request: Request, key: str) -> str:
        """The Set-Cookie header for whoever has the key, however many wrong ones came from there. Raises Denied."""
        if self._cookies.opens(key):
            return self._cookies.access_header(secure=is_secure(request))
        address = caller_of(request).address
        if wait := self._wrong_keys.wait(address):
            raise Denied(429, "too-many-keys", seconds=wait)
        self._wrong_keys.count(address)
        raise Denied(403, "key-wrong")

    async def _key(self, request: Request) -> Response:
        key = (await fields_of(request)).get("key")
        return JSONResponse({}, headers={"set-cookie": self.show_key(request, key if isinstance(key, str) else "")})

    async def _session(self, request: Request) -> Response:
        await fields_of(request)
        self._check_key(request)
        secure, value = is_secure(request), None
        session = self._cookies.session(request.headers, secure=secure)
        if session is None:
            address = caller_of(request).address
            if wait := self._sessions.wait(address):
                raise Denied(429, "too-many-sessions", seconds=wait)
            self._sessions.count(address)
            value, session = self._cookies.new_session()
        visitor = Visitor(session)
        status = await self._chat.status(visitor.user)
        say, days = self._wording.bind(self._say_in(request)), self._retention_days
        answer = {
            "user": visitor.user,
            "weak": sorted(status.weak),
            "retention": say("privacy-retention", days=days) if days else "",
            "personas": [persona_view(one, self._wording.languages) for one in self._chat.personas.values()],
            "persona": status.persona,
            "characters": self._characters,
        }
        cookie = self._cookies.session_header(request.headers, value, secure=secure)
        return JSONResponse(answer, headers={"set-cookie": cookie})

    def _check_key(self, request: Request) -> None:
        if not self.admitted(request):
            raise Denied(401, "key-needed")

    def _visitor(self, request: Request) -> Visitor:
        self._check_key(request)
        session = self._cookies.session(request.headers, secure=is_secure(request))
        if session is None:
            raise Denied(401, "session-needed")
        return Visitor(session)

    # Looking.

    async def _stream(self, request: Request) -> Any:
        visitor = self._visitor(request)
        asked = request.query_params
        conversation = asked.get("conversation")
        count = asked.get("count", "0")
        language = self._say_in(request)
        viewer = Viewer(
            visitor.user,
            visitor.prefix,
            None if conversation is None else conversation_of(conversation),
            language,
            int(count) if count.isdecimal() and len(count) < 9 else 0,
            asked.get("mark", ""),
        )
        say = self._wording.bind(language)
        feed = Feed(self._chat, self._renderer, say, viewer, pace=self._pace, heartbeat=self._heartbeat)
        return Stream(self.streams, visitor.user, feed)

    async def _conversations(self, request: Request) -> Response:
        visitor = self._visitor(request)
        kept = await self._chat.conversations(visitor.user)
        return JSONResponse([conversation_view(one, visitor.prefix) for one in kept])

    async def _conversation(self, request: Request) -> Response:
        visitor = self._visitor(request)
        say = self._wording.bind(self._say_in(request))
        shown = exchanges(await self._chat.history(_key_of(request, visitor), visitor.user))
        views = []
        for exchange in shown:
            view = await exchange_view(exchange, self._renderer, say)
            if reply := self._chat.live(exchange.last.id):
                view["text"] = exchange.settled_text + reply.text
            views.append(view)
        return JSONResponse({"exchanges": views})

    # Asking.

    async def _send(self, request: Request) -> Response:
        visitor = self._visitor(request)
        fields = await fields_of(request)
        persona = fields.get("persona")
        question = Question(
            _key_of(request, visitor),
            visitor.user,
            visitor.event(event_of(fields)),
            text_of(fields, "text"),
            persona=persona if isinstance(persona, str) else None,
            language=self._say_in(request),
        )
        return _accepted(await self._chat.send(question))

    async def _regenerate(self, request: Request) -> Response:
        visitor, fields, turn = await self._about_turn(request)
        revision = Revision(turn, visitor.user, visitor.event(event_of(fields)), branch=True)
        return _accepted(await self._chat.regenerate(revision))

    async def _proceed(self, request: Request) -> Response:
        visitor, fields, turn = await self._about_turn(request)
        return _accepted(await self._chat.proceed(Revision(turn, visitor.user, visitor.event(event_of(fields)))))

    async def _edit(self, request: Request) -> Response:
        visitor, fields, turn = await self._about_turn(request)
        text, event = text_of(fields, "text"), visitor.event(event_of(fields))
        return _accepted(await self._chat.edit(Revision(turn, visitor.user, event, text, branch=True)))

    async def _stop(self, request: Request) -> Response:
        visitor, _, turn = await self._about_turn(request)
        await (await self._chat.reply(turn, visitor.user)).cancel()
        return JSONResponse({})

    async def _undo(self, request: Request) -> Response:
        """Takes a question back, with all that continues its answer; only the newest, so that twice is once."""
        visitor, _, turn = await self._about_turn(request)
        key = (await self._chat.reply(turn, visitor.user)).turn.conversation
        async with self._undoing.setdefault(key, asyncio.Lock()):  # a second press looks when the first is done
            shown = exchanges(await self._chat.history(key, visitor.user))
            if not shown or shown[-1].first.id != turn:
                return JSONResponse({"question": None})
            await self._chat.undo(key, visitor.user)
        return JSONResponse({"question": shown[-1].first.prompt})

    # Keeping.

    async def _rename(self, request: Request) -> Response:
        visitor = self._visitor(request)
        title = text_of(await fields_of(request), "title")
        await self._chat.rename(_key_of(request, visitor), visitor.user, title)
        return JSONResponse({})

    async def _persona(self, request: Request) -> Response:
        visitor = self._visitor(request)
        name = text_of(await fields_of(request), "persona")
        key = _key_of(request, visitor)
        await self._chat.history(
            key, visitor.user
        )  # one that is not there yet gets its persona with its first question
        await self._chat.persona(key, visitor.user, name)
        return JSONResponse({})

    async def _remove(self, request: Request) -> Response:
        visitor = self._visitor(request)
        await fields_of(request)
        await self._chat.remove(_key_of(request, visitor), visitor.user)
        self._renderer.forget()
        return JSONResponse({})

    async def _language(self, request: Request) -> Response:
        visitor = self._visitor(request)
        language = text_of(await fields_of(request), "language")
        if language not in self._wording.languages:
            raise Denied(400, "bad-request")
        await self._chat.language(visitor.user, language)
        return JSONResponse({})

    async def _export(self, request: Request) -> Response:
        visitor = self._visitor(request)
        kept = await self._chat.export(visitor.user)
        name = f"conch-{time.strftime('%Y-%m-%d')}.json"
        body = json.dumps(kept, ensure_ascii=False, indent=2)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(body, 200, headers, "application/json; charset=utf-8")

    async def _forget(self, request: Request) -> Response:
        visitor = self._visitor(request)
        await fields_of(request)
        count = await self._chat.forget(visitor.user)
        self._renderer.forget()
        sentence = self._wording(self._say_in(request), "forget-done", count=count)
        return JSONResponse({"count": count, "sentence": sentence})

    async def _about_turn(self, request: Request) -> tuple[Visitor, dict[str, Any], int]:
        turn = int(request.path_params["turn"])
        if turn >= 2**63:
            raise NotFound
        return self._visitor(request), await fields_of(request), turn

    def _say_in(self, request: Request) -> str:
        return language_of(request.scope, self._wording)


def _key_of(request: Request, visitor: Visitor) -> str:
    return visitor.prefix + conversation_of(request.path_params["conversation"])


def _accepted(reply: Reply) -> Response:
    return JSONResponse({"turn": reply.turn.id})
