"""The command line. Whatever can be expected to go wrong is one sentence on stderr and an exit code other than 0.

What a command needs is imported when it runs, so that ``--help`` and the start are quick.
"""

from __future__ import annotations

from bots import startup  # first of all: it hears Ctrl-C while the rest is read

# isort: split
import asyncio
import importlib.metadata
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config import LOCALES
from config.platforms import PERSON, TOKENS
from core.errors import ConchError, Refused

if TYPE_CHECKING:
    from bots.talk.wording import Say
    from config.settings import Settings

USAGE_ERRORS: tuple[Any, ...] = tuple(kind for kind in typer.BadParameter.__mro__ if hasattr(kind, "format_message"))
"""BadParameter and what it is made of: typer has no public name for the others."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it: 128 + SIGINT."""

User = Annotated[str, typer.Argument(help="cli-user", show_default=False)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carries out one command; returns the exit code."""
    startup.leave()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _command(words)(args=words, prog_name="conch", standalone_mode=False)
        sys.stdout.flush()
    except USAGE_ERRORS as error:
        return _say(error.format_message(), error.exit_code)
    except Refused as refusal:
        from bots.talk.wording import refused

        return _say(refused(_wording(), refusal))
    except ConchError as error:
        return _say(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it goes nowhere
        if isinstance(error, BrokenPipeError):  # `conch config | head`: the reader has seen enough
            return 1
        return _say(_wording()("cli-output-failed", why=error.strerror or str(error)))
    return code if isinstance(code, int) else 0


def _command(words: Sequence[str]) -> Any:
    """The tree of commands. Its help texts are keys of wording, put into words only when somebody asks for them."""
    names = {"help_option_names": ["-h", "--help"]}
    line = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=names
    )
    line.callback(invoke_without_command=True, help="cli-help")(_conch)
    for work in (run, chat, doctor, config, key, export, forget, backup, restore, service, bench):
        line.command(help=f"cli-{work.__name__}")(work)
    command = typer.main.get_command(line)
    if {"-h", "--help"} & set(words):
        say = _wording()
        for part in (command, *command.commands.values()):  # type: ignore[attr-defined] # it is a group
            part.help = say(part.help)
            for parameter in part.params:
                if (parameter.help or "").startswith("cli-"):
                    parameter.help = say(parameter.help)
    return command


def _conch(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="cli-version", is_eager=True)] = False,
) -> int:
    if version:
        try:
            print(importlib.metadata.version("conch-chat"))
        except importlib.metadata.PackageNotFoundError:
            raise ConchError("Conch runs from its source folder and is not installed: make run does that.") from None
        raise typer.Exit
    return run() if context.invoked_subcommand is None else 0


def run() -> int:
    from bots import app
    from config.settings import load

    return asyncio.run(app.run(load()))


def chat(name: Annotated[str, typer.Argument(help="cli-chat-name")] = "main") -> int:
    from bots import app
    from config.settings import load

    return app.chat(load(), name)


def doctor() -> int:
    from bots.host import control
    from bots.host.doctor import Finding, examine, installation, report
    from bots.host.folder import holder
    from bots.talk.commands import NotRunning
    from config.personas import load_personas
    from config.settings import load

    findings = list(installation())
    say = _wording()
    try:
        settings = load()
    except ConchError as error:
        findings.append(Finding("bad", "doctor-settings-bad", {"why": str(error)}))
        return report(findings, say)
    say = _wording(settings.language)
    findings.append(Finding("good", "doctor-settings", {"files": _sources(settings) or say("doctor-only-defaults")}))
    if os.access(settings.data_dir, os.R_OK | os.X_OK) or not settings.data_dir.is_dir():  # else that is what is said
        try:
            findings.append(Finding("good", "doctor-personas", {"names": ", ".join(load_personas(settings))}))
        except ConchError as error:
            findings.append(Finding("bad", "doctor-personas-bad", {"why": str(error)}))
    pid, fronts = None, {}
    with suppress(NotRunning, control.Failed):  # a Conch of somebody else's tells us nothing
        fronts = asyncio.run(control.call(settings.data_dir, "health"))["fronts"]
        pid = holder(settings.data_dir)
    return report([*findings, *examine(settings, os.environ, pid, fronts)], say)


def config() -> int:
    from config.settings import load, shown

    table = ""
    for key, value, origin in shown(load()):
        section, _, name = key.rpartition(".")
        if section != table:
            table = section
            print(f"\n[{section}]")
        line = f"{name} = {value}"
        if name == "token":  # it cannot be set in a file
            print(f"# {name}: {value}  ({origin})" if origin != "not set" else f"# {name}: ({origin})")
        else:
            print(f"{line:<40} # {origin}")
    return 0


def key() -> int:
    from bots.web.access import kept_key, needs_key
    from bots.web.addresses import is_loopback
    from config.settings import load

    settings = load()
    say = _wording(settings.language)
    if not settings.web.enabled:
        return _say(say("cli-no-web"))
    page = settings.web
    alone = is_loopback(page.host)
    if not needs_key(page.key, alone=alone, hosts=page.hosts, trusted_proxies=page.trusted_proxies):
        print(say("cli-key-none", address=_page(settings)))
        return 0
    kept = kept_key(settings.data_dir)
    if kept is None:
        return _say(say("cli-key-missing"))
    print(f"{_page(settings)}?key={kept}")
    return 0


def export(user: User, file: Annotated[Path | None, typer.Argument(help="cli-export-file")] = None) -> int:
    settings, say = _settings_of(user)
    everything = _request(settings, "export", user=user)
    plain = file is None and "utf" not in sys.stdout.encoding.lower()  # the terminal may lack letters; \u00e9 has none
    text = json.dumps(everything, ensure_ascii=plain, indent=2) + "\n"
    if file is None:
        sys.stdout.write(text)
        return 0
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        return _say(say("cli-file-there", file=str(file)))
    except OSError as error:
        return _say(say("cli-file-failed", file=str(file), why=error.strerror or str(error)))
    print(say("cli-exported", file=str(file)), file=sys.stderr)
    return 0


def forget(user: User, yes: Annotated[bool, typer.Option("--yes", help="cli-forget-yes")] = False) -> int:
    settings, say = _settings_of(user)
    if not yes:
        print(say("cli-forget-sure", user=user), end=" ", flush=True)
        if not _agreed():
            return _say(say("cli-not-forgotten"))
    print(say("cli-forgotten", user=user, count=_request(settings, "forget", user=user)))
    return 0


def backup(file: Annotated[Path, typer.Argument(help="cli-backup-file", show_default=False)]) -> int:
    from config.settings import load

    settings = load()
    say = _wording(settings.language)
    try:
        there = file.exists()
    except OSError as error:
        return _say(say("cli-file-failed", file=str(file), why=error.strerror or str(error)))
    if there:
        return _say(say("cli-file-there", file=str(file)))
    _request(settings, "backup", file=file)
    print(say("cli-backed-up", file=str(file)))
    return 0


def restore(
    file: Annotated[Path, typer.Argument(help="cli-restore-file", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="cli-forget-yes")] = False,
) -> int:
    from bots.host import actions
    from config.settings import load

    settings = load()
    say = _wording(settings.language)
    if not yes and (settings.data_dir / "conch.db").exists():
        print(say("cli-restore-sure", file=str(file), folder=str(settings.data_dir)), end=" ", flush=True)
        if not _agreed():
            return _say(say("cli-not-restored"))
    before = asyncio.run(actions.restore(settings, file))
    print(say("cli-restored", file=str(file), folder=str(settings.data_dir)))
    if before is not None:
        print(say("cli-restored-before", file=str(before)))
    return 0


def service() -> int:
    from bots.host.service import ENVIRONMENT, unit
    from config.settings import load

    settings = load()
    offload = settings.engine.offload_folder
    text = unit(
        data=settings.data_dir,
        offload=Path(offload) if offload else None,
        drain_seconds=settings.queue.drain_seconds,
        environ=os.environ,
        folder=Path.cwd(),
    )
    print(text, end="")
    tokens = (settings.origin[key].partition(" ")[0] for key in TOKENS)
    if names := [name for name in tokens if name != "not set"]:
        say = _wording(settings.language)
        print(say("cli-service-tokens", names=", ".join(names), file=str(ENVIRONMENT)), file=sys.stderr)
    return 0


def bench() -> int:
    from bots import app
    from bots.host import actions
    from config.settings import load

    print("\n".join(asyncio.run(actions.bench(load(), app.open_engine))))
    return 0


def _agreed() -> bool:
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _request(settings: Settings, method: str, **arguments: object) -> Any:
    """Has the running Conch do it, or does it here."""
    from bots.host import actions

    return asyncio.run(actions.run_command(settings, method, **arguments))


def _settings_of(user: str) -> tuple[Settings, Say]:
    """The settings, and the words to answer with, once ``user`` is written like a person."""
    from config.settings import load

    settings = load()
    say = _wording(settings.language)
    if not PERSON.fullmatch(user):
        raise ConchError(say("cli-no-user", user=user))
    return settings, say


def _page(settings: Settings) -> str:
    """The page's address, as `conch run` tells it too."""
    from bots.web.addresses import page_address

    web = settings.web
    return page_address(web.host, web.port, web.hosts, proxied=bool(web.trusted_proxies))


def _sources(settings: Settings) -> str:
    """The files and variables that set something, but for the defaults."""
    named = (origin.split(", line ")[0] for origin in settings.origin.values())
    return ", ".join(dict.fromkeys(name for name in named if name not in ("default", "not set")))


def _wording(language: str = "auto") -> Say:
    """The sentences in the language of the settings, else in that of the terminal."""
    from bots.talk.wording import Wording
    from bots.terminal.keyboard import spoken

    wording = Wording(LOCALES)
    return wording.bind(spoken(language, wording))


def _say(sentence: str, code: int = 1) -> int:
    """Tells what is wrong; gives the exit code back."""
    print(sentence, file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
