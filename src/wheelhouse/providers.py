"""Which distribution has a module: for what packages import and do not declare. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

#: The distributions of modules that are not called after them. Of a package of namespaces, the
#: longest name that fits counts.
_PROVIDERS = {
    "Crypto": "pycryptodome",
    "Cryptodome": "pycryptodomex",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "attr": "attrs",
    "attrs": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",  # on some distributions it is not whole before 3.12 either
    "dotenv": "python-dotenv",
    "google.protobuf": "protobuf",
    "jwt": "PyJWT",
    "ldap": "python-ldap",
    "magic": "python-magic",
    "markdown": "Markdown",
    "mock": "mock",
    "nacl": "PyNaCl",
    "pkg_resources": "setuptools<82",  # removed in 82
    "psycopg2": "psycopg2",
    "ruamel.yaml": "ruamel.yaml",
    "serial": "pyserial",
    "setuptools": "setuptools",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
    "zope.interface": "zope.interface",
}

#: Distributions with a module of the same name that others often forget to declare.
_SAME_NAME = frozenset(
    {"aiohttp", "appdirs", "cachetools", "certifi", "cffi", "chardet", "click", "cryptography"}
    | {"decorator", "django", "docutils", "filelock", "flask", "future", "idna", "jinja2"}
    | {"jsonschema", "lxml", "markupsafe", "matplotlib", "networkx", "numpy", "packaging"}
    | {"pandas", "pip", "platformdirs", "ply", "psutil", "pycparser", "pydantic", "pygments"}
    | {"pyparsing", "pytest", "pytz", "requests", "scipy", "simplejson", "six", "sqlalchemy"}
    | {"sympy", "tabulate", "toml", "tomli", "tornado", "tqdm", "typing_extensions", "urllib3"}
    | {"werkzeug", "wheel", "wrapt"}
)

#: Modules that left the standard library (PEP 594), the first Python without them, and
#: who still has them.
_REMOVED = {
    "aifc": ("3.13", "standard-aifc"),
    "asynchat": ("3.12", "standard-asynchat"),
    "asyncore": ("3.12", "standard-asyncore"),
    "audioop": ("3.13", "audioop-lts"),
    "cgi": ("3.13", "legacy-cgi"),
    "cgitb": ("3.13", "legacy-cgi"),
    "chunk": ("3.13", "standard-chunk"),
    "crypt": ("3.13", "standard-crypt"),
    "imghdr": ("3.13", "standard-imghdr"),
    "imp": ("3.12", "zombie-imp"),
    "lib2to3": ("3.13", None),
    "mailcap": ("3.13", "standard-mailcap"),
    "msilib": ("3.13", None),
    "nis": ("3.13", None),
    "nntplib": ("3.13", "standard-nntplib"),
    "ossaudiodev": ("3.13", None),
    "pipes": ("3.13", "standard-pipes"),
    "smtpd": ("3.12", "standard-smtpd"),
    "sndhdr": ("3.13", "standard-sndhdr"),
    "spwd": ("3.13", None),
    "sunau": ("3.13", "standard-sunau"),
    "telnetlib": ("3.13", "standard-telnetlib"),
    "uu": ("3.13", "standard-uu"),
    "xdrlib": ("3.13", "standard-xdrlib"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Who has a module.

    :ivar requirement: such as ``setuptools<82``, with a marker where only some Pythons lack it.
    :ivar known: whether that is known, and not merely guessed from the module's name.
    """

    requirement: str
    known: bool


def removed_in(module: str) -> str | None:
    """The first Python whose standard library no longer has *module*; None if it never had it."""
    found = _REMOVED.get(_top(module))
    return found[0] if found else None


def provider(module: str) -> Provider | None:
    """Who has *module*; None for what left the standard library and nobody has kept."""
    if (removed := _REMOVED.get(_top(module))) is not None:
        python, distribution = removed
        if distribution is None:
            return None
        return Provider(requirement=f"{distribution}; python_version >= '{python}'", known=True)
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if found := _PROVIDERS.get(".".join(parts[:length])):
            return Provider(requirement=found, known=True)
    top = _top(module)
    return Provider(requirement=_normalized(top), known=top in _SAME_NAME)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _normalized(name: str) -> str:
    return name.replace("_", "-").lower()
