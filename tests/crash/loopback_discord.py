"""``python -m tests.crash.loopback_discord [late|keyless]``: the real program, but Discord's addresses lead to ours.

Discord has no setting for them. A run of crashes also begins more sessions in an hour than Discord allows in a day, and
is not to be slowed down for it, as it rightly would be.
"""

from __future__ import annotations

import os
import sys

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

import bots.app
from bots import discord_bot_identify
from bots.__main__ import main
from tests.crash.mutants import MUTANTS

ADDRESS = "LOOPBACK_DISCORD"

if __name__ == "__main__":
    Route.BASE = f"http://{os.environ[ADDRESS]}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://{os.environ[ADDRESS]}/gateway")
    vars(discord_bot_identify)["FREE"] = 1_000_000
    if sys.argv[1:]:
        vars(bots.app)["Store"] = MUTANTS[sys.argv[1]]
    sys.exit(main([]))
