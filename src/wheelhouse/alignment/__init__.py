"""Whether all that is locked for a target is made for one CUDA. Pure.

``frameworks.py`` is what is known beforehand; ``statements.py`` tells what each package of a lock
is made for, and what says so; ``findings.py`` holds these against each other and the target;
``telling.py`` has the words, with what would agree.
"""
