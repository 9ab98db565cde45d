"""Building wheels again, otherwise, to see whether the same bytes come out.

``variation.py`` says what is otherwise, ``rebuild.py`` builds again, ``comparing.py`` says in what
two wheels differ, with ``contents.py`` for files and ``sections.py`` for ELF; all three are pure.
"""
