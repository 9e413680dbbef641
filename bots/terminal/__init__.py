"""The front in a terminal: ``conch chat``."""
