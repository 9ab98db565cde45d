"""Tells whether the CPython that runs this is whole, and sane to compile extensions for.

It ends with status 1 and the reasons where it is not. Runs in portable-python.Dockerfile, and in
every image that this Python was copied into, which may lack libraries that it needs.
"""

import importlib
import sys
import sysconfig
from pathlib import Path

#: Left out on purpose, by compile.sh and fetch.sh.
ABSENT = {"_gdbm", "_tkinter", "idlelib", "pydoc_data", "tkinter", "turtle", "turtledemo"}
#: Of other systems.
ELSEWHERE = {"_msi", "_overlapped", "_scproxy", "_winapi", "_winreg", "_wmi", "msilib", "msvcrt"}
ELSEWHERE |= {"_ios_support", "nt", "winreg", "winsound"}
#: One opens a browser, one prints a poem.
SPOKEN = {"antigravity", "this"}
#: Asks for semaphores when it is imported.
WORKING = {"multiprocessing.synchronize"}
#: Where it was compiled; compile.sh.
BUILD_FOLDERS = ("/usr/src/", "/tmp/python")  # noqa: S108


def missing_modules():
    """The modules of the standard library that cannot be imported, each with the reason."""
    wanted = (sys.stdlib_module_names - ABSENT - ELSEWHERE - SPOKEN) | WORKING
    for name in sorted(wanted):
        try:
            importlib.import_module(name)
        except ImportError as error:
            yield f"no module {name}: {error}"


def wrong_configuration():
    """What sysconfig says that would mislead a build backend."""
    for name, value in sysconfig.get_config_vars().items():
        if isinstance(value, str) and any(folder in value for folder in BUILD_FOLDERS):
            yield f"sysconfig's {name} names a build folder: {value}"
    needed = [
        Path(sysconfig.get_path("include"), "Python.h"),
        Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBRARY")),
        Path(sysconfig.get_config_var("LIBPL"), sysconfig.get_config_var("LIBRARY")),
        Path(sysconfig.get_makefile_filename()),
    ]
    for path in needed:
        if not path.is_file():
            yield f"no file {path}"


def main():
    problems = [*missing_modules(), *wrong_configuration()]
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
