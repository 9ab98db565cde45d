"""Writes down which files and names the packages of a distribution have, for offline questions.

Runs in the *-index.Dockerfiles, on the toolbox's Python, once the package manager has fetched
and checked its metadata:

    index.py apt CONTENTS PACKAGES   the lines of Contents files, the stanzas of Packages files
    index.py rpm FOLDER              below which there are primary.xml and filelists.xml
    index.py apk FOLDER              in which there are APKINDEX.*.tar.gz

`index.py filelists FOLDER` prints the hash, the address and the place of each filelists.xml that
FOLDER's repositories.xml, which is zypper's, and the repomd.xml below it tell of.

The index is three sorted text files, whose columns are parted by tabs. Every line begins with a
line break, so that the first is found as the others are:

    files     path, packages that have it
    provides  name that is not a package's (`pc:zlib`, `pkgconfig(zlib)`), packages
    packages  name, section, number of its files above, number of packages that depend on it,
              packages that it depends on, where it may stand for them
"""

import bz2
import gzip
import lzma
import platform
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

OUTPUT = Path("/opt/wheelhouse/index")

#: What a build or an import may look for: everything else of the millions of files is left out.
WANTED = re.compile(
    rb"""/(?:usr/)?(?:
        s?bin/[^/]+
      | include/.+
      | lib(?:32|64)?/(?:.+/)?[^/]+\.(?:a|cmake|h|pc|so[.0-9]*)
      | lib(?:64)?/.+/include/.+
      | share/(?:.+/)?[^/]+\.(?:cmake|m4|pc)
      | share/misc/.+
    )|/etc/[^/]+(?:/[^/]+)?""",
    re.VERBOSE,
)

#: What a language or a compiler keeps for itself, where no other build looks.
PRIVATE = re.compile(
    rb"""/usr/(?:
        lib(?:64)?/(?:[^/]+/)?(?:
            debug | gcc(?:-cross)? | ghc | go[^/]* | haskell-packages | klibc | node_modules
          | nodejs | ocaml | perl[0-9]* | python[0-9.]* | pypy[0-9.]* | R | ruby | rust[^/]*
          | llvm[^/]*/include | llvm[^/]*/lib/clang
        )
      | share/(?:cargo | doc | gocode | javascript | nodejs)
    )/""",
    re.VERBOSE,
)

#: Of names that packages provide: those that a build asks for.
NAMED = re.compile(r"(?:pkgconfig|cmake)\(.+\)|(?:pc|cmd|so):.+|[^()/]+\.so[.0-9]*\(\)\(64bit\)")

#: Packages whose own name says that others are built with them.
DEVELOPMENT = re.compile(r".*-dev(?:el)?|.*-devel-static")

#: The share of Debian's libdevel packages that have files, if all of its lists were fetched: 0.95.
COMPLETE = 0.8


class Index:
    """What is going to be written."""

    def __init__(self) -> None:
        self.files = defaultdict(set)
        self.provides = defaultdict(set)
        self.sections = {}
        self.depends = {}

    def add_file(self, path, package):
        """*package* has the file at *path*, which is absolute; both are bytes."""
        if WANTED.fullmatch(path) and not PRIVATE.match(path):
            self.files[path].add(package)

    def add_name(self, name, package):
        """*package* has *name*, by which others ask for it."""
        if NAMED.fullmatch(name):
            self.provides[name].add(package)

    def add_package(self, name, section, depends):
        """There is a package called *name* that takes the packages or names of *depends*."""
        self.sections[name] = section
        self.depends[name] = sorted(set(depends))

    def write(self, folder):
        """Write all of it to *folder*. Packages that nobody will find or offer are left out."""
        folder.mkdir(parents=True)
        owners = Counter(each.decode() for names in self.files.values() for each in names)
        found = set(owners).union(*self.provides.values())
        write(
            folder / "files",
            ((path, b",".join(sorted(names))) for path, names in self.files.items()),
        )
        write(
            folder / "provides",
            (
                (name.encode(), ",".join(sorted(names)).encode())
                for name, names in self.provides.items()
            ),
        )
        write(folder / "packages", self.rows(owners, found))

    def rows(self, owners, found):
        """The lines of packages that are found, or that stand for one: their names, and more."""
        dependents = Counter(each for names in self.depends.values() for each in names)
        for name, depends in self.depends.items():
            known = [each for each in depends if each in found]
            if name not in found and not known:
                continue
            # Whoever has no files, or is there to build with, may stand for what it depends on.
            told = known if name not in owners or DEVELOPMENT.fullmatch(name) else []
            numbers = (str(owners[name]), str(dependents[name]))
            columns = (name, self.sections[name], *numbers, ",".join(told))
            yield tuple(column.encode() for column in columns)


def write(path, rows):
    """Write *rows* of columns to *path*, sorted."""
    path.write_bytes(b"".join(b"\n" + b"\t".join(row) for row in sorted(rows)) + b"\n")


# -- Debian ---------------------------------------------------------------------------------


def read_apt(index, contents, packages):
    """Read what apt has fetched: `Contents-ARCH` and `Packages`, which deb822(5) describes."""
    with Path(contents).open("rb") as lines:
        for line in lines:
            path, _, places = line.rstrip().rpartition(b" ")
            path = b"/" + path.rstrip().lstrip(b"./")
            if WANTED.fullmatch(path):
                for place in places.split(b","):
                    index.add_file(path, place.rpartition(b"/")[2])
    for stanza in Path(packages).read_text("utf-8", "replace").split("\n\n"):
        fields = dict(
            re.findall(r"^(Package|Section|Depends|Description): (.*)$", stanza, re.MULTILINE)
        )
        if fields:
            # Of alternatives the first is what gets installed.
            depends = re.findall(r"(?:^|,)\s*([^\s:,|(]+)", fields.get("Depends", ""))
            section = fields.get("Section", "").rpartition("/")[2]
            if re.search(r"\btransitional\b", fields.get("Description", "")):
                section = "oldlibs"
            index.add_package(fields["Package"], section, depends)
    owners = {name for names in index.files.values() for name in names}
    development = [name for name, section in index.sections.items() if section == "libdevel"]
    with_files = sum(name.encode() in owners for name in development)
    if with_files < COMPLETE * len(development):
        sys.exit(
            f"error: the mirror's lists of files are not complete: only {with_files} of "
            f"{len(development)} packages for development have any"
        )


# -- Red Hat, Amazon, SUSE ------------------------------------------------------------------


def read_rpm(index, folder):
    """Read repositories' `primary.xml` and `filelists.xml`, as createrepo_c writes them."""
    arches = {platform.machine(), "noarch"}
    for path in found(folder, "primary.xml"):
        for package in elements(path, "package"):
            if text(package, "arch") in arches:
                read_primary(index, package)
    for path in found(folder, "filelists.xml"):
        for package in elements(path, "package"):
            if package.get("arch") in arches:
                for file in package.iterfind("{*}file"):
                    index.add_file((file.text or "").encode(), package.get("name", "").encode())


def read_primary(index, package):
    """Read one package of a `primary.xml`: what it provides and requires, and its programs."""
    name = text(package, "name")
    form = package.find("{*}format")
    for file in form.iterfind("{*}file"):
        index.add_file((file.text or "").encode(), name.encode())
    for entry in form.iterfind("{*}provides/{*}entry"):
        index.add_name(entry.get("name", ""), name)
    requires = [entry.get("name", "") for entry in form.iterfind("{*}requires/{*}entry")]
    index.add_package(name, "", [each for each in requires if not re.search(r"[(/]", each)])


def parsed(path):
    """The XML file at *path*."""
    return ET.parse(path)  # noqa: S314  (the package manager checked it)


def text(element, child):
    """The text of the *child* of *element*."""
    return element.findtext("{*}" + child) or ""


def found(folder, name):
    """The files below *folder* of a repository's metadata called *name*, however packed."""
    return sorted(Path(folder).rglob(f"*{name}*"))


def elements(path, tag):
    """The elements called *tag* in the XML file at *path*, one at a time."""
    with unpacked(path) as stream:
        for _, element in ET.iterparse(stream):  # noqa: S314  (the package manager checked it)
            if element.tag.rpartition("}")[2] == tag:
                yield element
                element.clear()


def unpacked(path):
    """The file at *path* as a stream of what it holds. The standard library knows no zstd yet."""
    openers = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open, ".xml": Path.open}
    if path.suffix == ".zst":
        command = ["zstd", "-dc", path]
        return subprocess.Popen(command, stdout=subprocess.PIPE).stdout
    return openers[path.suffix](path, "rb")


def print_filelists(folder):
    """Tell where the lists of files are that zypper leaves out, and what must be in them."""
    for repository in parsed(Path(folder) / "repositories.xml").iter("repo"):
        described = Path(folder) / repository.get("alias", "") / "repodata" / "repomd.xml"
        if repository.get("enabled") != "1" or not described.is_file():
            continue
        for data in parsed(described).iterfind("{*}data[@type='filelists']"):
            place, checksum = data.find("{*}location").get("href"), data.find("{*}checksum")
            if checksum.get("type") == "sha256":
                address = repository.findtext("url").rstrip("/")
                here = described.parent / Path(place).name
                sys.stdout.write(f"{checksum.text} {address}/{place} {here}\n")


# -- Alpine ---------------------------------------------------------------------------------


def read_apk(index, folder):
    """Read `APKINDEX`, as apk-index(5) has it: it names no files, but commands and libraries."""
    for path in sorted(Path(folder).glob("APKINDEX.*.tar.gz")):
        with tarfile.open(path) as archive:
            member = archive.extractfile("APKINDEX")
            for stanza in member.read().decode("utf-8", "replace").split("\n\n"):
                read_stanza(index, dict(line.split(":", 1) for line in stanza.splitlines()))


def read_stanza(index, fields):
    """Read one package: its name, what it depends on, what it provides."""
    if "P" not in fields:
        return
    depends = re.findall(r"(?:^| )([^!\s<>=~:]+)(?=[<>=~ ]|$)", fields.get("D", ""))
    index.add_package(fields["P"], "", depends)
    for provided in fields.get("p", "").split():
        index.add_name(provided.partition("=")[0], fields["P"])


READERS = {"apt": read_apt, "rpm": read_rpm, "apk": read_apk}


def main(kind, *sources):
    """Write the index of what *sources* tell; or say what of it is to be fetched."""
    if kind == "filelists":
        print_filelists(*sources)
        return
    index = Index()
    READERS[kind](index, *sources)
    if not index.sections:
        sys.exit("error: the repositories' metadata tells of no packages")
    index.write(OUTPUT)
    counts = f"{len(index.files)} files and {len(index.provides)} names"
    sys.stdout.write(f"{len(index.sections)} packages with {counts}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
