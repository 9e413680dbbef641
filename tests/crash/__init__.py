"""Crash runs: the real process, killed with -9 again and again, judged only by what its clients saw.

``python -m tests.crash --platform web --kills N [--seed S]``. ``program.py`` starts and kills the process, a platform
(``platforms.py`` is the seam, ``web.py`` the page's) gives clients that send, resend and follow, ``campaign.py`` lets
them talk while it kills, ``records.py`` is what they saw, ``judge.py`` says what is wrong with it, and ``mutants.py``
starts a Conch that is broken on purpose, to show that the judge would notice.
"""
