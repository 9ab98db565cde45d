"""Build environments: the closure of build requirements, as wheels where there are any.

One that has no wheel for the builder is built first, from its sdist, which takes an environment of
its own; and so on.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wheelhouse.errors import FetchError, InterruptedRunError, LockError
from wheelhouse.locking.explaining import explained_build
from wheelhouse.locking.index import locked_file
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.locking.model import BuildRequirement, LockedPackage
from wheelhouse.locking.resolver import UnsolvableError, resolve
from wheelhouse.locking.view import Policy, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.candidates import Release, Source
    from wheelhouse.locking.index import Pages
    from wheelhouse.locking.requires import Inspection
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.store import Store
    from wheelhouse.targets import Interpreter


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What an environment is to have.

    :ivar before: of each project, only releases that were on the index before this time.
    """

    requires: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    before: datetime | None = None


class InspectRequirement(Protocol):
    """Finds what building a build requirement takes, one that has no wheel."""

    def __call__(
        self,
        package: LockedPackage,
        *,
        want_metadata: bool = False,
        chain: tuple[NormalizedName, ...] = (),
    ) -> Inspection:
        """*chain* has the packages for whose builds it is needed. Raises WheelhouseError."""


class Environments:
    """Resolves environments for the Python of one builder, each once.

    :param before: what came to an index at this time or later is not used, whatever is wished.
    :param told: the URL of an index as a lock has it; None if it need not be told.
    """

    def __init__(
        self,
        index: Pages,
        interpreter: Interpreter,
        fetcher: Fetcher,
        store: Store,
        *,
        inspect: InspectRequirement,
        told: Callable[[str], str | None],
        before: datetime | None = None,
    ) -> None:
        self._index = index
        self._interpreter = interpreter
        self._fetcher = fetcher
        self._store = store
        self._inspect = inspect
        self._told = told
        self._before = before
        self._made: dict[Wish, Future[tuple[BuildRequirement, ...]]] = {}
        self._lock = threading.Lock()

    def of(
        self,
        name: NormalizedName,
        wish: Wish,
        chain: tuple[NormalizedName, ...],
        place: str = "",
    ) -> tuple[BuildRequirement, ...]:
        """The environment in which *name* is built.

        :param chain: the packages for whose builds *name* is needed.
        :param place: where *name* comes from, if not from an index.
        :raises LockError: it cannot be had.
        :raises BuildError: one of it has to be built, and cannot be.
        """
        try:
            # What is resolved for the sake of another environment waits for none: or two of them
            # could wait for each other.
            return self._resolve(wish, (*chain, name)) if chain else self.resolved(wish, name)
        except (FetchError, InterruptedRunError):
            raise
        except LockError as error:
            own = (
                f"correct what it asks for in {place}"
                if place
                else f"pin another version of {name}"
            )
            others = (
                f"{own}, or name others that it can be built with: "
                f"`[packages.{name}] build-requires`"
            )
            raise LockError(
                f"the build requirements of {place or name} cannot be met: {error.message}",
                hint=_either(error.hint, others) if error.kind else error.hint or others,
                context=error.context,
                evidence=error.evidence,
                kind=error.kind,
            ) from error

    def resolved(self, wish: Wish, name: NormalizedName) -> tuple[BuildRequirement, ...]:
        """What *wish* comes to, for the sake of *name*. Raises as :meth:`of` does."""
        with self._lock:
            future = self._made.get(wish)
            mine = future is None
            if future is None:
                future = self._made[wish] = Future()
        if mine:
            try:
                future.set_result(self._resolve(wish, (name,)))
            except BaseException as error:  # whoever else waits must hear of it
                future.set_exception(error)
        return future.result()

    def _resolve(
        self, wish: Wish, chain: tuple[NormalizedName, ...]
    ) -> tuple[BuildRequirement, ...]:
        if not wish.requires:
            return ()
        failed: LockError | None = None
        for view in self._views(wish, chain):
            try:
                with self._store.workspace() as folder:
                    pins = resolve(
                        view,
                        self._interpreter,
                        wish.requires,
                        folder=folder,
                        constraints=wish.constraints,
                    )
            except (FetchError, InterruptedRunError):
                raise
            except UnsolvableError as error:
                failed = explained_build(
                    error, view, wish.requires, wish.constraints, self._store.workspace
                )
            except LockError as error:
                failed = error
            else:
                return tuple(self._requirement(pin, view, chain) for pin in pins)
        assert failed is not None
        raise failed

    def _views(self, wish: Wish, chain: tuple[NormalizedName, ...]) -> Iterator[View]:
        """From what costs least: wheels alone; sdists of what has no wheel at all; any sdist."""
        metadata = MetadataSource(self._fetcher, _Nested(self._inspect, chain, self._fetcher))

        before = min(filter(None, (wish.before, self._before)), default=None)

        def view(source: Callable[[NormalizedName], Source]) -> View:
            policy = Policy(source=source, hashes=lambda _: (), before=before)
            return View(self._index, self._interpreter, metadata, policy)

        wheels = view(lambda _: "wheel")
        yield wheels
        yield view(lambda name: "wheel" if _has_wheels(wheels, name) else "any")
        if wish.before is None:
            # What is too old to have a wheel for this Python is too old to be built for it, as a
            # rule, and finding that out takes minutes.
            yield view(lambda _: "any")

    def _requirement(
        self, pin: Pin, view: View, chain: tuple[NormalizedName, ...]
    ) -> BuildRequirement:
        release = view.release(pin.name, pin.version)
        file = locked_file(release.files(view.policy.source_of(pin.name))[0], self._fetcher)
        build = None
        if not file.filename.endswith(".whl"):
            wanted = LockedPackage(name=pin.name, version=pin.version, sdist=file)
            build = self._inspect(wanted, chain=chain).build
        page = view.page_of(pin.name)
        index = self._told(page.index) if page else None
        return BuildRequirement(
            name=pin.name, version=pin.version, file=file, build=build, index=index
        )


def _has_wheels(view: View, name: NormalizedName) -> bool:
    return any(release.wheels for release in (view.releases(name) or {}).values())


class _Nested:
    """Asks the backends of build requirements. Implements :class:`~.metadata.MetadataBuilder`."""

    def __init__(
        self, inspect: InspectRequirement, chain: tuple[NormalizedName, ...], fetcher: Fetcher
    ) -> None:
        self._inspect = inspect
        self._chain = chain
        self._fetcher = fetcher

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        """See :class:`~.metadata.MetadataBuilder`."""
        assert release.sdist is not None
        source = locked_file(release.sdist, self._fetcher)
        wanted = LockedPackage(name=name, version=release.version, sdist=source)
        told = self._inspect(wanted, want_metadata=True, chain=self._chain)
        if told.metadata is None:
            raise LockError(f"{wanted}: its build backend gave no metadata")
        return told.metadata


def _either(hint: str | None, other: str) -> str:
    """*hint*, which may be a question, and the *other* one."""
    if not hint:
        return other
    return f"{hint} Else {other}" if hint.endswith("?") else f"{hint}; {other}"
