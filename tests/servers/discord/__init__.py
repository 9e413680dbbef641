"""A Discord of our own on the loopback, which the real discord.py talks to.

``model.py`` is what there is and how it is written on the wire, ``world.py`` the rules by which it changes,
``interactions.py`` those of interactions. ``gateway.py`` tells what happens over WebSockets, ``rest.py`` takes what a
bot does, within ``limits.py``; ``spec.py`` holds both sides to Discord's own description of its REST. ``people.py`` are
the people, ``server.py`` puts it all on a port and breaks what a test wants broken.
"""
