"""``python -m tests.crash.loopback_discord [late|keyless]``: the real program, but Discord's addresses lead to ours.

Discord has no setting for them. That Discord also lets itself be called more often, else a crash run would mostly wait.
And a run of crashes begins more sessions in an hour than Discord allows in a day, and is not to be slowed down for it,
as it rightly would be.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

import bots.app
from bots.__main__ import main
from bots.discord import client, front
from bots.talk.pacing import Rate
from tests.crash.mutants import MUTANTS

ADDRESS = "LOOPBACK_DISCORD"
TIMING = front.Timing(rate=Rate(interval=0.2, typing=9.0), calls_per_second=200)

if __name__ == "__main__":
    Route.BASE = f"http://{os.environ[ADDRESS]}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://{os.environ[ADDRESS]}/gateway")
    vars(client)["FREE"] = 1_000_000
    vars(front)["connect"] = partial(front.connect, timing=TIMING)
    if sys.argv[1:]:
        vars(bots.app)["Store"] = MUTANTS[sys.argv[1]]
    sys.exit(main([]))
