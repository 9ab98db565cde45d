"""What of the distribution a package lacks, from what its import says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wheelhouse.missing import Missing
from wheelhouse.proofreport import Finding, Kind
from wheelhouse.serverneeds import is_askable, options


def finding(kind: Kind, message: str, *tried: Missing, missing: str | None = None) -> Finding:
    return Finding(
        distribution="demo",
        module="demo",
        what="module",
        kind=kind,
        message=message,
        missing=missing,
        traceback="",
        origin=None,
        tried=tried,
    )


def soname(name: str) -> Missing:
    return Missing("soname", name)


@pytest.mark.parametrize(
    ("message", "first"),
    [
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "libGL.so.1",
        ),
        (
            (
                "ImportError: Error loading shared library libgomp.so.1: No such file or directory "
                "(needed by /x/demo/_fast.so)"
            ),
            "libgomp.so.1",
        ),
        (
            (
                "OSError: cannot load library 'libpango-1.0-0': libpango-1.0-0: cannot open shared "
                "object file: No such file or directory.  Additionally, ctypes.util.find_library() "
                "did not manage to locate a library called 'libpango-1.0-0'"
            ),
            "libpango-1.0.so.0",
        ),
        (
            (
                'OSError: no library called "cairo-2" was found '
                'no library called "cairo" was found '
                "cannot load library 'libcairo.so.2': libcairo.so.2: cannot open shared object file"
            ),
            "libcairo.so.2",
        ),
        (
            (
                "OSError: Could not find lib geos_c or load any of its variants. "
                "libgeos_c.so.1: cannot open shared object file: No such file or directory"
            ),
            "libgeos_c.so.1",
        ),
    ],
)
def test_a_library_that_the_message_names(message: str, first: str) -> None:
    assert options(finding("library", message), ())[0] == soname(first)


@pytest.mark.parametrize(
    ("message", "tried", "wanted"),
    [
        (
            "ImportError: failed to find libmagic.  Check your installation",
            (Missing("library", "magic"), Missing("library", "cygmagic-1")),
            "libmagic.so.1",
        ),
        (
            "ImportError: Unable to find zbar shared library",
            (Missing("library", "zbar"),),
            "libzbar.so.0",
        ),
        (
            "ImportError: MagickWand shared library not found.",
            (Missing("library", "MagickWand-7"), Missing("library", "MagickWand-6.Q16")),
            "libMagickWand-6.Q16.so.6",
        ),
        (
            "OSError: PortAudio library not found",
            (Missing("library", "portaudio"),),
            "libportaudio.so.2",
        ),
        (
            "RuntimeError: no usb here",
            (soname("libusb-1.0.so.0"), soname("libusb")),
            "libusb-1.0.so.0",
        ),
        ("ValueError: bad day", (Missing("library", "magic"),), None),
    ],
)
def test_a_library_that_was_asked_for_by_name(
    message: str, tried: tuple[Missing, ...], wanted: str | None
) -> None:
    found = options(finding("import", message, *tried), ())
    assert (soname(wanted) in found) if wanted else (found == ())


def test_the_newest_of_several_comes_first() -> None:
    found = options(finding("import", "no libffi", Missing("library", "ffi")), ())
    assert found.index(soname("libffi.so.8")) < found.index(soname("libffi.so.7"))
    assert found[-1] == soname("libffi.so")  # which most have with their headers only


def test_a_program() -> None:
    message = "FileNotFoundError: [Errno 2] No such file or directory: 'dot'"
    assert options(finding("program", message, missing="dot"), ()) == (Missing("program", "dot"),)
    assert options(finding("program", message, missing="dot; rm -rf ~"), ()) == ()
    message = "RuntimeError: Unable to find the 'ffmpeg' executable"
    assert options(finding("import", message), ()) == (Missing("program", "ffmpeg"),)
    message = "Exception: Unable to find javac"
    assert options(finding("import", message), ()) == (Missing("program", "javac"),)
    message = "ImportError: Bad git executable. The git executable must be specified"
    found = options(finding("import", message, Missing("program", "git")), ())
    assert found == (Missing("program", "git"),)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("library", "ImportError: /x/_fast.so: undefined symbol: gone"),
        ("library", "ImportError: libcuda.so.1: cannot open shared object file"),
        ("library", "ImportError: libpython3.11.so.1.0: cannot open shared object file"),
        ("library", "ImportError: libtorch.so.2: cannot open shared object file"),
        ("crash", "was ended by signal 11"),
        ("missing", "ModuleNotFoundError: No module named 'libmagic'"),
        ("import", "OSError: cannot load library '; rm -rf /'"),
    ],
)
def test_what_no_distribution_is_asked_for(kind: Kind, message: str) -> None:
    assert options(finding(kind, message), {"libtorch.so.2"}) == ()


def test_a_name_is_one() -> None:
    assert is_askable(Missing("program", "dot"), ())
    assert not is_askable(Missing("program", "dot\nrm"), ())
    assert not is_askable(Missing("program", "-dot"), ())


def test_libpython_is_asked_for_where_a_program_needs_it() -> None:
    python = Missing("soname", "libpython3.11.so.1.0")
    assert is_askable(python, ())
    lacking = finding("library", "libpython3.11.so.1.0: cannot open shared object file")
    assert options(replace(lacking, what="program"), ()) == (python,)
    assert options(lacking, ()) == ()
