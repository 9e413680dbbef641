"""Discord's gateway: sessions over WebSockets, with heartbeats, replay after RESUME, and every way of losing one."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.servers.discord import model
from tests.servers.discord.model import Channel, Guild, Message
from tests.servers.discord.world import World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID_SESSION, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 0, 1 << 9, 1 << 12, 1 << 15
PRIVILEGED = 1 << 1 | 1 << 8 | MESSAGE_CONTENT
HEARTBEAT_SECONDS = 41.25
LOGGED = 10_000


@dataclass(eq=False)
class Session:
    """What one IDENTIFY began. ``log`` is kept for a RESUME."""

    id: str
    intents: int
    shard: tuple[int, int]
    sequence: int = 0
    log: deque[tuple[int, str, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=LOGGED))
    line: Line | None = None


class Line:
    """One WebSocket: what is put into it goes out in order."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._request, self._socket, self._out = request, socket, asyncio.Queue[dict[str, Any] | None]()
        compressed = request.query.get("compress") == "zlib-stream"
        self._zlib = zlib.compressobj() if compressed else None
        self.muted = False

    def put(self, op: int, data: Any, sequence: int | None = None, name: str | None = None) -> None:
        if not self.muted:
            self._out.put_nowait({"op": op, "d": data, "s": sequence, "t": name})

    def raw(self, packet: dict[str, Any]) -> None:
        """Whatever a test wants said."""
        self._out.put_nowait(packet)

    async def write(self) -> None:
        """Send until the socket is gone."""
        while (packet := await self._out.get()) is not None:
            text = json.dumps(packet)
            if self._zlib is None:
                await self._socket.send_str(text)
            else:
                await self._socket.send_bytes(self._zlib.compress(text.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH))

    async def close(self, code: int) -> None:
        await self._socket.close(code=code)

    def cut(self) -> None:
        """The connection breaks without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Gateway:
    """All sessions. ``repeat`` says how often an event is delivered, ``refuse`` how many connections are cut."""

    def __init__(self, world: World, url: Callable[[], str]) -> None:
        self.world, self._url = world, url
        world.emit = self.emit
        self.sessions: dict[str, Session] = {}
        self.identifies: list[float] = []
        self.resumes = 0
        self.repeat: Callable[[str], int] = lambda name: 1
        self.refuse = 0
        self.shards = 1
        self.revoked = False
        self.heartbeat_seconds = HEARTBEAT_SECONDS
        self.greeting: Callable[[Line], None] | None = None
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda name, data: None
        self.connected = asyncio.Event()

    @property
    def live(self) -> list[Session]:
        """The sessions that have a connection."""
        return [session for session in self.sessions.values() if session.line is not None]

    def info(self) -> dict[str, Any]:
        """What GET /gateway/bot tells."""
        left = 1000 - len(self.identifies)
        limit = {"total": 1000, "remaining": left, "reset_after": 86_400_000, "max_concurrency": 1}
        return {"url": self._url(), "shards": self.shards, "session_start_limit": limit}

    # What happens in the world.

    def emit(
        self, name: str, place: Channel | Guild, data: Callable[[Callable[[Message], bool]], dict[str, Any]]
    ) -> None:
        """Tell every session that may know."""
        for session in self.sessions.values():
            if self._concerns(session, name, place):
                self._dispatch(session, name, data(lambda message, s=session: self._reveals(s, message)))

    def _concerns(self, session: Session, name: str, place: Channel | Guild) -> bool:
        bot = self.world.bot
        guild = place if isinstance(place, Guild) else place.guild
        if (guild.id >> 22) % session.shard[1] != session.shard[0] if guild else session.shard[0] != 0:
            return False
        if name == "INTERACTION_CREATE":
            return True
        if guild is None:
            return bool(session.intents & DIRECT_MESSAGES) and isinstance(place, Channel) and bot in place.people
        if bot not in guild.members:
            return False
        if name.startswith("MESSAGE_") and isinstance(place, Channel):
            may = self.world.permissions(bot, place) & model.VIEW
            return bool(session.intents & GUILD_MESSAGES and may)
        return bool(session.intents & GUILDS)

    def _reveals(self, session: Session, message: Message) -> bool:
        return bool(session.intents & MESSAGE_CONTENT) or self.world.seen_by(self.world.bot, message)

    def _dispatch(self, session: Session, name: str, data: dict[str, Any], *, once: bool = False) -> None:
        session.sequence += 1
        session.log.append((session.sequence, name, data))
        if session.line is not None:
            for _ in range(1 if once else self.repeat(name)):
                session.line.put(DISPATCH, data, session.sequence, name)
            self.on_event(name, data)

    # Ways to lose a session.

    def reconnect(self) -> None:
        """Op 7: everybody is asked to come again."""
        for session in self.live:
            session.line.put(RECONNECT, None)  # type: ignore[union-attr]

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9."""
        for session in self.live:
            session.line.put(INVALID_SESSION, resumable)  # type: ignore[union-attr]
            if not resumable:
                self._forget(session)

    async def close(self, code: int, *, forget: bool = False) -> None:
        """Close every connection with a code."""
        for session in self.live:
            line = session.line
            if forget:
                self._forget(session)
            assert line is not None
            await line.close(code)

    def cut(self, *, forget: bool = False) -> None:
        """Break every connection."""
        for session in self.live:
            line = session.line
            session.line = None
            if forget:
                self._forget(session)
            assert line is not None
            line.cut()

    def mute(self) -> None:
        """Connections stay open and say nothing any more."""
        for session in self.live:
            session.line.muted = True  # type: ignore[union-attr]

    def _forget(self, session: Session) -> None:
        session.line = None
        self.sessions.pop(session.id, None)

    # The protocol.

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection."""
        if self.refuse:
            self.refuse -= 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=True, max_msg_size=0)
        await socket.prepare(request)
        line = Line(request, socket)
        writing = asyncio.create_task(line.write())
        line.put(HELLO, {"heartbeat_interval": int(self.heartbeat_seconds * 1000)})
        if self.greeting is not None:
            self.greeting(line)
        session: Session | None = None
        try:
            async for packet in socket:
                if packet.type is not WSMsgType.TEXT:
                    break
                heard = json.loads(packet.data)
                if heard["op"] == HEARTBEAT:
                    line.put(ACK, None)
                elif heard["op"] == IDENTIFY:
                    session = await self._identify(line, heard["d"])
                elif heard["op"] == RESUME:
                    session = await self._resume(line, heard["d"])
        finally:
            if session is not None and session.line is line:
                session.line = None
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket

    async def _identify(self, line: Line, data: dict[str, Any]) -> Session | None:
        self.identifies.append(self.world.clock())
        if self.revoked or data["token"] != self.world.token:
            await line.close(4004)
            return None
        if data["intents"] & PRIVILEGED & ~(MESSAGE_CONTENT if self.world.message_content else 0):
            await line.close(4014)
            return None
        shard = tuple(data.get("shard") or (0, 1))
        for old in [one for one in self.sessions.values() if one.shard == shard and one.line is None]:
            self._forget(old)
        session = Session(f"{self.world.snowflake():x}", data["intents"], shard, line=line)
        self.sessions[session.id] = session
        bot = self.world.bot
        mine = [
            guild
            for guild in self.world.guilds.values()
            if bot in guild.members and (guild.id >> 22) % shard[1] == shard[0]
        ]
        ready = {
            "v": 10,
            "user": bot.payload(),
            "session_id": session.id,
            "resume_gateway_url": self._url(),
            "shard": list(shard),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "application": {"id": str(bot.id), "flags": 0},
        }
        self._dispatch(session, "READY", ready, once=True)
        for guild in mine:
            self._dispatch(session, "GUILD_CREATE", guild.create_payload(bot), once=True)
        self.connected.set()
        return session

    async def _resume(self, line: Line, data: dict[str, Any]) -> Session | None:
        self.resumes += 1
        if self.revoked:
            await line.close(4004)
            return None
        session = self.sessions.get(data["session_id"])
        if session is None:
            line.put(INVALID_SESSION, False)
            return None
        session.line = line
        for sequence, name, event in list(session.log):
            if sequence > data["seq"]:
                line.put(DISPATCH, event, sequence, name)
        session.sequence += 1
        line.put(DISPATCH, {}, session.sequence, "RESUMED")
        return session
