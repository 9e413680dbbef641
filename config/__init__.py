"""Settings, personas and the words of the interface."""

from pathlib import Path

LOCALES = Path(__file__).with_name("locales")
"""The sentences: a folder for each language."""
