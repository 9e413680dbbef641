"""A Bot API server on the loopback, with people in chats before it, for the real python-telegram-bot.

``world.py`` are the people, their chats and what is in them; ``methods.py`` what each method of the API does there;
``floods.py`` counts calls as Telegram does; ``spec.py`` checks every request and answer against the API's own
description; ``server.py`` is the HTTP around it, with all that can go wrong on the way; ``direct.py`` does without.
"""
