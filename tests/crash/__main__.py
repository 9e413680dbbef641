"""``python -m tests.crash --platform web --kills N [--seed S]``: the exit code says whether every promise was kept."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

from tests.crash.campaign import PATIENCE_SECONDS, Found, run
from tests.crash.discord import Discord
from tests.crash.judge import Verdict
from tests.crash.platforms import Platform
from tests.crash.program import Program
from tests.crash.telegram import Telegram
from tests.crash.web import Web

PLATFORMS: dict[str, Callable[[Random], Platform]] = {"discord": Discord, "telegram": Telegram, "web": Web}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its last line is the verdict as JSON. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default="web")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of what people say and when the process is killed")
    parser.add_argument("--keep", type=Path, help="a new folder for data and log, which then stay")
    chosen = parser.parse_args(arguments)
    seed = SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    random = Random(seed)
    with TemporaryDirectory(prefix="conch-crash-") as temporary:
        folder = chosen.keep or Path(temporary)
        verdict, starts = asyncio.run(crash(PLATFORMS[chosen.platform](random), chosen.kills, random, folder))
    print(f"started in {min(starts):.2f} to {max(starts):.2f} s")
    for wrong in verdict.wrongs:
        print(wrong)
    print(json.dumps({name: count for name, count in asdict(verdict).items() if name != "wrongs"}))
    return 0 if verdict.good else 1


async def crash(
    platform: Platform,
    kills: int,
    random: Random,
    folder: Path,
    module: Sequence[str] | None = None,
    patience: float = PATIENCE_SECONDS,
    found: Found | None = None,
) -> tuple[Verdict, list[float]]:
    """One run of the platform's program, or of ``module``. Returns the verdict, and how many seconds starts took."""
    program = Program(folder, platform.settings, module or platform.module)
    try:
        verdict = await run(platform, program, kills=kills, random=random, patience=patience, found=found)
        return verdict, program.starts
    finally:
        await program.close()


if __name__ == "__main__":
    sys.exit(main())
