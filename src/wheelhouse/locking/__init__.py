"""From what is asked for to a lock per target.

``indexes.py`` knows the one place that each project comes from, and ``index.py`` and
``flatindex.py`` read it; ``candidates.py`` judges what of it this target may use (pure).
``direct.py`` looks into what comes from elsewhere, ``bypass.py`` into what the server has anyway.
``resolver.py`` lets uv choose versions among all these, served by ``view.py`` from loopback, with
the metadata of ``metadata.py``, of which ``requiring.py`` reads the requirements; so uv never needs
to run package code, nor to know the target's tags.

Where it finds nothing, ``explaining.py`` says why in the user's words: ``demands.py`` follows their
lines, ``stock.py`` judges what each project has, ``trials.py`` resolves again with other lines,
``telling.py`` and ``misnomers.py`` have the words (pure), and ``conflicts.py`` those for all other
errors; ``hashed.py`` refuses what has no hash where hashes are required. ``agreeing.py`` sees to it
that all is made for one CUDA, and ``cudareleases.py`` that CUDA's own parts are of the target's.

``requires.py`` locks what each build will need, by asking backends (``hooks.py``), in environments
of ``environments.py``, from what ``experience.py`` has kept of earlier ones; ``toolkit.py`` the
CUDA toolkit, for sources that ``cudasource.py`` finds to need it; ``system.py`` what the server
needs, ``edges.py`` who asks for whom. ``lock.py`` puts it together into the
:class:`~wheelhouse.locking.model.Lock` that ``lockfile.py`` reads and writes as PEP 751: the
tables of builds in ``buildtable.py``, of places in ``directtable.py``, each value checked by
``lockvalues.py``. ``provision.py`` tells what builds have taught.

``current.py`` decides when a lock is made anew, by ``freshness.py``; ``difference.py``,
``graph.py`` and ``warnings.py`` tell of it (pure).
"""
