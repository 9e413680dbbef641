"""Conversations and turns on the disk: what was accepted is never lost, what is forgotten is gone."""
