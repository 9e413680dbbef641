"""The Telegram front: python-telegram-bot's updates in, questions and answers through the core."""
