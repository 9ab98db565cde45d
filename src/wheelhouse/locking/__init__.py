"""From requirement files to a lock per target.

``requirements.py`` reads what is asked for, ``index.py`` what there is, ``candidates.py`` judges
what of it this target may use (pure). ``resolver.py`` lets uv choose versions among these, served
by ``view.py`` from loopback, with the metadata of ``metadata.py``; so uv never needs to run
package code, nor to know the target's tags. Where it finds nothing, ``explaining.py`` says why in
the user's words: ``demands.py`` follows their lines, ``stock.py`` judges what each project has,
``trials.py`` resolves again with other lines, ``telling.py`` and ``misnomers.py`` have the words
(pure), and ``conflicts.py`` those for all other errors. ``requires.py`` locks what each build will
need, in environments of ``environments.py``, from what ``experience.py`` has kept of earlier ones;
``system.py`` what the server needs.
``lock.py`` puts it together into the :class:`~wheelhouse.locking.model.Lock` that ``lockfile.py``
reads and writes as PEP 751: the tables of builds in ``buildtable.py``, each value checked by
``lockvalues.py``. ``provision.py`` tells what builds have taught.
"""
