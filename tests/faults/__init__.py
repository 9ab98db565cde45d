"""The fault suite: what is injected, what must happen, and what must hold after each case.

``python -m faults`` (with ``tests`` on the path; ``make faults``) runs all of it and prints the
figures; ``test_everyday.py`` makes the quick cases part of `make test`. The groups are the rows of
docs/faults.md.
"""
