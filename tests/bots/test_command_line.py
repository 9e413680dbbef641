"""The command line: each command in a process of its own or called, and one sentence for whatever is wrong."""

from __future__ import annotations

import asyncio
import configparser
import errno
import json
import logging
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bots.__main__ import USAGE_ERRORS, main
from bots.host import service
from bots.host.folder import hold, unusable
from bots.host.machine import user_name
from bots.talk.wording import Wording
from bots.web.connections import MOST_FILES
from core.store.migrations import MIGRATIONS
from core.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working directory, an environment without settings or languages; umask and log stay as they were."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("CONCH_", "TELEGRAM_", "DISCORD_", "LC_", "LANG")):
            monkeypatch.delenv(name)
    mask, root = os.umask(0o022), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    os.umask(mask)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def conch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls a command with variables; (exit code, stdout, stderr)."""

    def run(*words: str, **environ: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            code = main(words)
        return (code, *capsys.readouterr())

    return run


def begin(folder: Path) -> None:
    """A data folder as a first start of Conch leaves it."""

    async def start() -> None:
        async with Store.open(folder):
            pass

    asyncio.run(start())


@pytest.mark.parametrize(("locale", "words"), [("C", "Talk in this"), ("ko_KR.UTF-8", "터미널"), ("zh_TW", "终端")])
def test_help_speaks_the_language_of_the_terminal(conch: Run, locale: str, words: str) -> None:
    code, out, _ = conch("--help", LANG=locale)
    assert code == 0
    assert words in out
    assert "cli-" not in out
    for command in ("run", "chat", "doctor", "config", "key", "export", "forget", "backup", "restore", "service"):
        assert f"\n  {command} " in out
        code, told, _ = conch(command, "--help", LANG=locale)
        assert code == 0
        assert "cli-" not in told


def test_help_answers_to_its_short_name_too(conch: Run) -> None:
    assert conch("-h") == conch("--help")
    assert conch("backup", "-h", LANG="ko_KR.UTF-8") == conch("backup", "--help", LANG="ko_KR.UTF-8")


def program(words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """`conch` with ``words`` as a shell takes them, in a process of its own."""
    return subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m bots {words}'],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CONCH_ENGINE__KIND": "scripted",
            "CONCH_WEB__PORT": "0",
            **environ,
        },
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before_the_start_are_no_trouble(tmp_path: Path, closed: str) -> None:
    begin(tmp_path / "data")
    for words in ("export telegram:1", "chat"):
        ran = program(f"{words} {closed}")
        assert (ran.returncode, ran.stdout) == (0, b"")
        assert b"Traceback" not in ran.stderr
    assert (tmp_path / "data" / "conch.db").read_bytes().startswith(b"SQLite format 3\0"), "nobody wrote into it"


def test_a_full_disk_behind_the_output_is_one_sentence() -> None:
    ran = program("config >/dev/full")
    assert ran.returncode == 1
    assert ran.stderr == b"What was to be shown here cannot be written: No space left on device.\n"


def test_a_terminal_without_the_letters_of_a_language_gets_english() -> None:
    ran = program("doctor", PYTHONIOENCODING="latin-1", LANG="ko_KR.UTF-8")
    assert ran.stdout.startswith(b"+ Python 3.")
    assert ran.stdout.endswith(b"Nothing is in the way of Conch.\n")
    ran = program("doctor", PYTHONIOENCODING="euc-kr", LANG="ko_KR.UTF-8")
    assert "걸림돌이 없습니다".encode("euc-kr") in ran.stdout


def test_an_export_loses_no_letter_to_the_terminal(tmp_path: Path) -> None:
    begin(tmp_path / "data")
    ran = program("export console:é", PYTHONIOENCODING="ascii")
    assert json.loads(ran.stdout)["user"] == "console:é"


def test_help_needs_neither_settings_nor_the_program_behind_it() -> None:
    program = "import sys, bots.__main__ as m; m.main(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "CONCH_NONSENSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ran.stderr.split())
    assert "bots.talk.wording" in loaded
    assert loaded.isdisjoint({"bots.app", "sqlalchemy", "torch", "pydantic", "starlette", "rich.console"})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sing"], "No such command 'sing'."),
        (["export"], "Missing argument"),
        (["run", "--fast"], "No such option: --fast"),
        (["backup", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(conch: Run, words: list[str], told: str) -> None:
    code, out, err = conch(*words)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_the_errors_of_the_command_line_are_all_of_one_kind() -> None:
    names = [kind.__name__ for kind in USAGE_ERRORS]
    assert names[:2] == ["BadParameter", "UsageError"]
    assert "Exception" not in names


@pytest.mark.parametrize("command", ["run", "chat", "config", "key", "service"])
def test_a_wrong_setting_is_one_sentence_whatever_the_command(conch: Run, command: str) -> None:
    code, out, err = conch(command, CONCH_WEB_PORT="1")
    assert (code, out) == (1, "")
    assert err == "The environment sets CONCH_WEB_PORT, which is not a setting; did you mean CONCH_WEB__PORT?\n"


def test_config_prints_toml_that_says_where_each_value_came_from_and_no_secret(conch: Run, tmp_path: Path) -> None:
    (tmp_path / "conch.toml").write_text('[web]\nhosts = ["chat.example.org"]\n')
    token = "1234567:" + "a" * 35
    code, out, err = conch("config", CONCH_LIMITS__CHARACTERS="9", TELEGRAM_BOT_TOKEN=token)
    assert (code, err) == (0, "")
    parsed = tomllib.loads(out)
    assert parsed["web"]["hosts"] == ["chat.example.org"]
    assert parsed["limits"]["characters"] == 9
    lines = out.splitlines()
    assert any(line.startswith("hosts =") and line.endswith("# conch.toml, line 2") for line in lines)
    assert any(line.startswith("characters = 9 ") and line.endswith("# CONCH_LIMITS__CHARACTERS") for line in lines)
    assert "# token: ********  (TELEGRAM_BOT_TOKEN)" in lines
    assert "# token: (not set)" in lines
    assert token not in out


def test_what_is_printed_as_config_can_be_used_as_the_file(conch: Run, tmp_path: Path) -> None:
    _, out, _ = conch("config", CONCH_WEB__PORT="8")
    (tmp_path / "conch.toml").write_text(out)
    code, again, _ = conch("config")
    assert code == 0
    assert tomllib.loads(again) == tomllib.loads(out)


def test_key_shows_the_address_with_the_key_and_says_where_none_is_needed(conch: Run, tmp_path: Path) -> None:
    code, out, _ = conch("key")
    assert code == 0
    assert "http://127.0.0.1:8765/\n" in out
    code, out, err = conch("key", CONCH_WEB__HOST="0.0.0.0")
    assert (code, out) == (1, "")
    assert "no access key yet" in err
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "access-key").write_text("s3cret\n")
    assert conch("key", CONCH_WEB__HOST="192.0.2.7")[1] == "http://192.0.2.7:8765/?key=s3cret\n"
    assert conch("key", CONCH_WEB__HOST="::")[1].endswith("]:8765/?key=s3cret\n")
    proxied = {"CONCH_WEB__HOSTS": "chat.example.org", "CONCH_WEB__TRUSTED_PROXIES": "10.0.0.1"}
    assert conch("key", CONCH_WEB__HOST="0.0.0.0", **proxied)[1] == "https://chat.example.org/?key=s3cret\n"
    code, _, err = conch("key", CONCH_WEB__ENABLED="false")
    assert code == 1
    assert "web.enabled" in err


def test_key_and_config_leave_the_folder_as_it_was(conch: Run, tmp_path: Path) -> None:
    for command in ("key", "config", "service", "doctor"):
        conch(command, CONCH_ENGINE__KIND="scripted")
    assert list(tmp_path.iterdir()) == []


def test_export_writes_what_is_kept_to_the_terminal_or_a_new_private_file(conch: Run, tmp_path: Path) -> None:
    begin(tmp_path / "data")
    code, out, err = conch("export", "telegram:1")
    assert (code, err) == (0, "")
    assert json.loads(out)["user"] == "telegram:1"
    code, out, err = conch("export", "telegram:1", "mine.json")
    assert (code, out) == (0, "")
    assert json.loads((tmp_path / "mine.json").read_text())["user"] == "telegram:1"
    assert (tmp_path / "mine.json").stat().st_mode & 0o077 == 0
    code, _, err = conch("export", "telegram:1", "mine.json")
    assert (code, err) == (1, "mine.json is there already; choose another name.\n")
    code, _, err = conch("export", "telegram:1", "no/where.json")
    assert code == 1
    assert err.startswith("no/where.json cannot be written")


@pytest.mark.parametrize("command", ["export", "forget"])
def test_a_person_is_written_with_the_platform(conch: Run, tmp_path: Path, command: str) -> None:
    code, out, err = conch(command, "bob")
    assert (code, out) == (1, "")
    assert err.startswith("bob is not a person: write telegram:<id>")
    assert list(tmp_path.iterdir()) == []


def test_forget_asks_first(conch: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "no").open("w+") as no:
        monkeypatch.setattr(sys, "stdin", no)
        code, out, err = conch("forget", "telegram:1")
    assert code == 1
    assert out == "Delete all texts of telegram:1 for good? (y/n) "
    assert err == "Nothing was deleted.\n"
    assert not (tmp_path / "data").exists()
    begin(tmp_path / "data")
    assert conch("forget", "telegram:1", "--yes")[:2] == (0, "There was nothing of telegram:1.\n")


@pytest.mark.parametrize("words", [("backup", "copy.db"), ("export", "telegram:1"), ("forget", "telegram:1", "--yes")])
def test_where_nothing_was_ever_kept_a_command_says_so_and_makes_nothing(
    conch: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, out, err = conch(*words)
    assert (code, out) == (1, "")
    assert err.startswith(f"Nothing was ever kept in {tmp_path / 'data'}. Run this in the folder where Conch runs")
    assert list(tmp_path.iterdir()) == []


def test_backup_writes_a_copy_but_never_over_a_file(conch: Run, tmp_path: Path) -> None:
    begin(tmp_path / "data")
    assert conch("backup", "copy.db")[:2] == (0, "Wrote copy.db.\n")
    assert (tmp_path / "copy.db").read_bytes().startswith(b"SQLite format 3\0")
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    code, _, err = conch("backup", "copy.db")
    assert (code, err) == (1, "copy.db is there already; choose another name.\n")


def test_restore_asks_before_it_replaces_and_says_where_the_old_is(
    conch: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin(tmp_path / "data")
    conch("backup", "copy.db")
    with (tmp_path / "no").open("w+") as no:
        monkeypatch.setattr(sys, "stdin", no)
        code, out, err = conch("restore", "copy.db")
    assert (code, err) == (1, "Nothing was changed.\n")
    assert out == "Put what copy.db holds in the place of everything in data? (y/n) "
    code, out, err = conch("restore", "copy.db", "--yes")
    assert (code, err) == (0, "")
    assert f"kept as data/conch.db.v{1 + len(MIGRATIONS)}.1.backup" in out
    assert conch("restore", "copy.db", CONCH_DATA_DIR="new")[:2] == (
        0,
        "new holds what copy.db held, also what was deleted since then.\n",
    )
    with hold(tmp_path / "data"):
        code, _, err = conch("restore", "copy.db", "--yes")
    assert code == 1
    assert "is in use by another Conch" in err


def test_a_data_folder_that_cannot_be_used_is_one_sentence(conch: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for words in (["export", "telegram:1"], ["run"], ["backup", "copy.db"]):
        code, _, err = conch(*words, CONCH_ENGINE__KIND="scripted", CONCH_WEB__ENABLED="0")
        assert code == 1
        assert "data" in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (errno.EACCES, "sudo chown -R {user} {folder}"),
        (errno.EROFS, "Its disk is read-only"),
        (errno.ENOSPC, "Make room on that disk"),
        (errno.EEXIST, "There is a file in its place"),
        (errno.EIO, "Check its disk"),
    ],
)
def test_a_folder_that_fails_is_told_with_what_helps(tmp_path: Path, kind: int, words: str) -> None:
    sentence = str(unusable(tmp_path, OSError(kind, os.strerror(kind))))
    assert words.format(user=user_name(), folder=tmp_path) in sentence
    assert sentence.endswith(", or set another data_dir.")


def test_a_folder_that_is_still_to_be_made_is_not_taken_for_the_one_above_it(tmp_path: Path) -> None:
    sentence = str(unusable(tmp_path / "new", OSError(errno.EACCES, "Permission denied")))
    assert f"sudo install -d -m 700 -o {user_name()} {tmp_path / 'new'}" in sentence


def test_a_link_to_a_disk_that_is_not_mounted_is_seen_through(conch: Run, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/nowhere/conch")
    code, _, err = conch("export", "telegram:1")
    assert code == 1
    assert "It is a link to /nowhere/conch, which is not there" in err


def test_doctor_shows_a_mark_per_line_and_fails_where_something_is_bad(conch: Run, tmp_path: Path) -> None:
    environ = {"CONCH_ENGINE__KIND": "scripted", "CONCH_WEB__PORT": "0"}
    _, out, err = conch("doctor", **environ)
    assert err == ""
    assert all(line.startswith(("✔ ", "! ", "✘ ", "  → ")) for line in out.splitlines()[:-1])
    assert "✔ Settings: CONCH_ENGINE__KIND, CONCH_WEB__PORT" in out
    (tmp_path / "data").write_text("")
    code, out, _ = conch("doctor", LANG="ko_KR.UTF-8", **environ)
    assert code == 1
    assert "✘ 데이터 폴더" in out


def test_doctor_says_what_is_wrong_with_the_settings_and_personas(conch: Run, tmp_path: Path) -> None:
    code, out, _ = conch("doctor", CONCH_WEB_PORT="1")
    assert code == 1
    assert "✘ Settings: The environment sets CONCH_WEB_PORT" in out
    (tmp_path / "data" / "personas").mkdir(parents=True)
    (tmp_path / "data" / "personas" / "x.toml").write_text("title")
    code, out, _ = conch("doctor", CONCH_ENGINE__KIND="scripted")
    assert code == 1
    assert "✘ Personas: The persona data/personas/x.toml is not valid TOML" in out


def test_service_prints_a_unit_for_this_python_and_this_folder(conch: Run, tmp_path: Path) -> None:
    code, out, _ = conch("service", CONCH_CONFIG="/dev/null", SUDO_USER="ada")
    assert code == 0
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    unit.read_string(out)
    told = unit["Service"]
    assert told["ExecStart"] == f"{sys.executable} -m bots run"
    assert told["WorkingDirectory"] == str(tmp_path)
    assert told["ReadWritePaths"] == str(tmp_path / "data")
    assert told["Restart"] == "on-failure"
    assert told["ProtectSystem"] == "strict"
    assert int(told["LimitNOFILE"]) == MOST_FILES, "a connection to the page takes one"
    assert told["User"] == "ada"
    assert told["Environment"] == "CONCH_CONFIG=/dev/null"
    assert "PrivateDevices" not in told, "CUDA needs its device files"


def test_a_unit_takes_the_settings_along_but_no_token(conch: Run) -> None:
    token = "1234567:" + "a" * 35
    settings = {"CONCH_DATA_DIR": "/srv/a b", "CONCH_ENGINE__MODEL": "$5%"}
    code, out, err = conch("service", TELEGRAM_BOT_TOKEN=token, **settings)
    assert code == 0
    assert 'Environment="CONCH_DATA_DIR=/srv/a b"\n' in out
    assert 'Environment="CONCH_ENGINE__MODEL=$5%%"\n' in out
    assert token not in out + err
    assert err.count("TELEGRAM_BOT_TOKEN") == 1
    assert "/etc/conch.env" in err


def test_a_unit_quotes_what_systemd_would_take_apart(tmp_path: Path) -> None:
    text = service.unit(
        data=Path("my data"), offload=Path("/fast 100%"), drain_seconds=10, environ={}, folder=tmp_path, user="ada"
    )
    assert f'ReadWritePaths="{tmp_path}/my data" "/fast 100%%"' in text
    assert "TimeoutStopSec=30\n" in text


def test_every_word_of_the_command_line_is_there_in_every_language() -> None:
    keys = set(re.findall(r'"(cli-[a-z-]+)"', (ROOT / "bots" / "__main__.py").read_text("utf-8")))
    wording = Wording(ROOT / "config" / "locales")
    assert len(keys) > 10
    for key in keys:
        for language in wording.languages:
            assert wording(language, key, user="x", file="x", why="x", address="x", names="x", folder="x", count=2)


def test_bench_measures_the_engine_of_the_settings_unless_conch_runs_beside_it(conch: Run, tmp_path: Path) -> None:
    scripted = {"CONCH_ENGINE__KIND": "scripted", "CONCH_ENGINE__DELAY": "0", "CONCH_ENGINE__SLOTS": "2"}
    code, out, _ = conch("bench", **scripted)
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()[:3]] == [
        "One answer alone",
        "The next question of a conversation",
        "2 answers at the same time",
    ]
    with hold(tmp_path / "data"):
        code, out, err = conch("bench", **scripted)
    assert (code, out) == (1, "")
    assert str(os.getpid()) in err
