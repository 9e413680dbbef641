"""The systemd unit that runs Conch from here: restarted when it fails, shut in except for its data."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from bots.host.machine import user_name

UNIT = """\
# Written by `conch service`. To install it:
#   {conch} service | sudo tee /etc/systemd/system/conch.service
#   sudo systemctl daemon-reload && sudo systemctl enable --now conch
# The bots' tokens go into {environment}, a line NAME=token each, readable by root alone (sudo chmod 600).

[Unit]
Description=Conch, a chatbot with a model of its own
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=600
StartLimitBurst=6

[Service]
Type=exec
User={user}
WorkingDirectory={folder}
EnvironmentFile=-{environment}
{variables}ExecStartPre=+/usr/bin/install -d -m 0700 -o {user} {folders}
ExecStart={python} -m bots run
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec={patience}
LimitNOFILE={files}

# It may write its data, and see the GPU; nothing else.
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""
# No MemoryDenyWriteExecute and no PrivateDevices: torch compiles kernels, and CUDA needs its device files.

ENVIRONMENT = Path("/etc/conch.env")
FILES = 65_536
"""File descriptors: each connection to the page takes one, and systemd gives 1,024 where nobody asks."""


def unit(
    *, data: Path, offload: Path | None, drain_seconds: float, environ: Mapping[str, str], folder: Path, user: str = ""
) -> str:
    """The unit's text for this Python, the working directory ``folder``, and the data folder ``data``.

    ``user`` is who it runs as: by default whoever asks, or whoever asked sudo. Settings of ``environ`` go with it, as
    a unit starts with none of them; tokens do not, as everybody may read a unit.
    """
    user = user or environ.get("SUDO_USER") or user_name()
    python = Path(sys.executable)
    variables = {name: value for name, value in sorted(environ.items()) if name.startswith("CONCH_") and value}
    if "CONCH_CONFIG" in variables:
        variables["CONCH_CONFIG"] = str(folder / variables["CONCH_CONFIG"])
    writable = [folder / data, *([folder / offload] if offload else [])]
    return UNIT.format(
        conch=_word(python.with_name("conch")),
        environment=ENVIRONMENT,
        user=user,
        folder=_plain(folder),
        variables="".join(f"Environment={_word(f'{name}={value}')}\n" for name, value in variables.items()),
        folders=" ".join(_word(place).replace("$", "$$") for place in writable),
        python=_word(python).replace("$", "$$"),
        patience=round(drain_seconds) + 20,
        files=FILES,
        writable=" ".join(_word(place) for place in writable),
    )


def _plain(value: Path | str) -> str:
    """A value as it is, but for systemd's own ``%`` specifiers."""
    return str(value).replace("%", "%%")


def _word(value: Path | str) -> str:
    """A value as one word of a systemd line."""
    text = _plain(value)
    if shlex.quote(text.replace("%", "").replace("=", "")) == text.replace("%", "").replace("=", ""):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
