"""The catalogue of everything that can go wrong.

One base class; a code (stable, for machines) and an exit status for each kind. An error says
*what* happened and, as its hint, *what to do next*. Only the command line prints it.

Exit statuses tell apart the three moments at which a deployment can fail, as deployment
platforms split them: a dependency cannot be found or conflicts (3), a wheel cannot be built (4),
a wheel cannot be installed or does not work once installed (5).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from wheelhouse.text import without_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Of errors that name no file.
_FULL = {errno.ENOSPC, errno.EDQUOT}


class WheelhouseError(Exception):
    """Base of all errors that a user can see.

    :param message: what happened, in one sentence that names the file, package or target.
    :param hint: the next step, as an imperative; omitted only where there is none.
    :param log: a file with the whole story (a build's output), if there is one.
    :param context: what else a person asks first, as pairs such as ``asked for by`` and who.
    :param evidence: the few lines of the log that show the cause.
    :param fix: the exact lines for `wheelhouse.toml`, where the hint says to add some.
    :param kind: what kind of its *code* it is, by a stable name such as ``missing-header``.
    :ivar target: the name of the target it happened to, once that is known.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        log: Path | None = None,
        context: Sequence[tuple[str, str]] = (),
        evidence: Sequence[str] = (),
        fix: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log
        self.context = tuple(context)
        self.evidence = tuple(evidence)
        self.fix = fix
        self.kind = kind
        self.target: str | None = None


class ConfigError(WheelhouseError):
    """`wheelhouse.toml`, a requirements file or the command line asks for something impossible."""

    code = "config"
    exit_status = 2


class LockError(WheelhouseError):
    """A dependency cannot be found, or two requirements conflict."""

    code = "lock"
    exit_status = 3


class StaleLockError(LockError):
    """The lock does not belong to the present requirements."""

    code = "stale-lock"


class PlanError(LockError):
    """A package has no file that this target may use, or nothing that compiles it."""

    code = "plan"


class FetchError(LockError):
    """A file or an index page could not be had, or is not what the lock says it is."""

    code = "fetch"


class BuildError(WheelhouseError):
    """A wheel could not be built or repaired."""

    code = "build"
    exit_status = 4


class CheckError(WheelhouseError):
    """A wheel was built or fetched, but must not enter the wheelhouse."""

    code = "check"
    exit_status = 5


class ProofError(WheelhouseError):
    """The finished wheelhouse does not install, or does not import, in a clean container."""

    code = "proof"
    exit_status = 5


class EngineError(WheelhouseError):
    """No container engine, or it refused, stopped or went away."""

    code = "engine"
    exit_status = 6


class ImageError(EngineError):
    """An image is missing and cannot be made or fetched."""

    code = "image"


class StorageError(WheelhouseError):
    """The store, the output or a temporary folder cannot be written."""

    code = "storage"
    exit_status = 7


class ReproducibilityError(WheelhouseError):
    """A wheel that was built again is not the same."""

    code = "reproducibility"
    exit_status = 9


class AdvisoryError(WheelhouseError):
    """What is locked has known vulnerabilities, or could not be checked for any."""

    code = "advisory"
    exit_status = 8


class InterruptedRunError(WheelhouseError):
    """The run was stopped from outside; what was finished is kept."""

    code = "interrupted"
    exit_status = 130


class InternalError(WheelhouseError):
    """A fault of this program itself: an exception that nothing foresaw.

    :ivar cause: that exception.
    """

    code = "internal"
    exit_status = 1

    def __init__(self, cause: BaseException) -> None:
        from traceback import format_exception_only

        told = " ".join(format_exception_only(cause)).strip()
        if isinstance(cause, MemoryError):
            message = f"there is no memory left for wheelhouse itself ({told})"
            hint = "end other programs, or run fewer containers at a time with --jobs"
        else:
            message = f"something unforeseen has happened ({without_credentials(told)})"
            hint = "this is a fault of wheelhouse: please report it, with the log if there is one"
        super().__init__(message, hint=hint)
        self.cause = cause


class SeveralErrors(WheelhouseError):  # noqa: N818  (it is a group, as ExceptionGroup is)
    """Several failures of one run, each of which is told.

    Its exit status is that of the first stage that failed: what failed later may be its echo.
    """

    code = "several"

    def __init__(self, errors: Sequence[WheelhouseError]) -> None:
        super().__init__(f"{len(errors)} failures")
        self.errors: tuple[WheelhouseError, ...] = tuple(flatten(errors))

    @property
    def status(self) -> int:
        """The exit status of the whole."""
        return min(error.exit_status for error in self.errors)


def flatten(errors: Sequence[WheelhouseError]) -> list[WheelhouseError]:
    """*errors* with each :class:`SeveralErrors` replaced by its members, in order."""
    flat: list[WheelhouseError] = []
    for error in errors:
        flat.extend(flatten(error.errors) if isinstance(error, SeveralErrors) else [error])
    return flat


def as_error(error: Exception) -> WheelhouseError:
    """*error* in the form that a user is told; what is no error of ours is an InternalError."""
    if isinstance(error, WheelhouseError):
        return error
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _FULL):
        place = f": {error.filename}" if error.filename else ""
        return StorageError(f"{error.strerror}{place}", hint="see to it, then run it again")
    return InternalError(error)


def raise_all(errors: Sequence[WheelhouseError]) -> None:
    """Raise nothing, the one error, or all of them as :class:`SeveralErrors`."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)
