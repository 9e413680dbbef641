"""The page's addresses: what is this machine for itself alone, and what a browser elsewhere can reach."""

from __future__ import annotations

import pytest

from bots.web import addresses


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.7", False),
        ("x.invalid", False),
    ],
)
def test_a_loopback_address_is_told_from_others(host: str, alone: bool) -> None:
    assert addresses.is_loopback(host) is alone


def test_an_address_for_everywhere_is_shown_as_one_that_can_be_reached() -> None:
    assert addresses.outgoing_address("192.0.2.7") == "192.0.2.7"
    assert addresses.outgoing_address("chat.example.org") == "chat.example.org"
    assert addresses.outgoing_address("0.0.0.0") != "0.0.0.0"
    assert addresses.outgoing_address("::") != "::"
