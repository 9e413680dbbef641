"""The Discord front: discord.py's events in, questions and answers through the core."""
