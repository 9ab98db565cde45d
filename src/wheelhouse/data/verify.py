#!/usr/bin/env python3
"""Checks a wheelhouse: that every file is there and as it was, that none was added, and, with the
public key of who made it, that they signed exactly this.

    python3 -I verify.py [FOLDER] [--key PUBLIC.pem]

It needs Python (3.6 or later) and nothing else, and writes nothing into the wheelhouse. For
signatures it runs `openssl`, if that is there. Without FOLDER it checks the wheelhouse that it lies
in; but whoever can change a wheelhouse can change this file in it, too: to find that out, run a
copy that came another way, with a key that did.

Exit status: 0 all is as it must be; 1 something is not, or a signature that was asked for could not
be checked; 2 wrong usage.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from typing import IO, Any  # noqa: F401  (in comments)

SUMS = "SHA256SUMS"
PROVENANCE = "provenance.intoto.jsonl"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

#: Bytes of a file that is read whole.
TEXT = 256 << 20

#: How many files are named at most.
SHOWN = 30

#: How openssl is asked about a file, and about a hash.
OF_FILE = "pkeyutl -verify -rawin -pubin -inkey KEY -sigfile SIGNATURE -in SIGNED"
OF_HASH = "dgst -%s -verify KEY -signature SIGNATURE SIGNED"

#: What names the kind of a key, in the first bytes of its DER form; and how openssl is asked.
KINDS = (
    (b"\x06\x03\x2b\x65\x70", OF_FILE.split()),  # Ed25519
    (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", (OF_HASH % "sha256").split()),  # P-256
    (b"\x06\x05\x2b\x81\x04\x00\x22", (OF_HASH % "sha384").split()),  # P-384
    (b"\x06\x05\x2b\x81\x04\x00\x23", (OF_HASH % "sha512").split()),  # P-521
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", (OF_HASH % "sha256").split()),  # RSA
)
HEAD = 40

FAILED = re.compile("signature verification failure|verification failure", re.IGNORECASE)


class WrongError(Exception):
    """Something is not as it must be; the message is a sentence that names the file."""


class Line:
    """A line of the provenance, read.

    :ivar text: that of its statement, which is what was signed.
    :ivar subjects: names and hashes of the files that the statement is about.
    :ivar signatures: by the key ID that it is said to be of.
    """

    def __init__(self, text, statement, signatures):
        # type: (str, Any, dict[str, bytes]) -> None
        if not statement["_type"].startswith("https://in-toto.io/Statement/"):
            raise ValueError("it is of another form")
        self.text = text
        self.statement = statement
        self.subjects = [(each["name"], each["digest"]["sha256"]) for each in statement["subject"]]
        self.signatures = signatures
        told = [part for subject in self.subjects for part in subject] + list(signatures)
        if not all(isinstance(each, str) for each in told):
            raise TypeError("a name is no text")

    @property
    def digest(self):
        # type: () -> str
        """What the last line knows this one by."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


def main(arguments):
    # type: (list[str]) -> int
    """Check what the command line says, tell what came of it; the exit status."""
    options = parse(arguments)
    try:
        key = read_key(options.key) if options.key else None
        problems, told = check(options.folder, key)
    except WrongError as error:
        problems, told = [str(error)], ""
    folder = os.path.basename(os.path.abspath(options.folder))
    if problems:
        say(sys.stderr, "verify.py: %s is not what was built, or cannot be checked:" % folder)
        for problem in problems[:SHOWN]:
            say(sys.stderr, "  * %s" % problem)
        if len(problems) > SHOWN:
            say(sys.stderr, "  and %d more" % (len(problems) - SHOWN))
        say(sys.stderr, "Do not install it: copy it again from where it is whole.")
        return 1
    say(sys.stdout, "%s: %s" % (folder, told))
    return 0


def parse(arguments):
    # type: (list[str]) -> argparse.Namespace
    parser = argparse.ArgumentParser(
        prog="verify.py", description="Checks that a wheelhouse is what was built."
    )
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("folder", nargs="?", default=here, help="the wheelhouse; else this folder")
    parser.add_argument("--key", help="the public key, in PEM form, that it has to be signed with")
    return parser.parse_args(arguments)


def say(stream, text):
    # type: (IO[str], str) -> None
    """Print *text*, of which a part may be chosen by somebody else: no terminal obeys it."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    print(shown.encode("ascii", "backslashreplace").decode("ascii"), file=stream)


def check(folder, key):
    # type: (str, tuple[str, bytes] | None) -> tuple[list[str], str]
    """What is wrong with the wheelhouse in *folder*; if nothing is, what was found out.

    :param key: its file and its DER form.
    """
    sums = read_sums(folder)
    problems = file_problems(folder, sums)
    if problems:
        return problems, ""
    if PROVENANCE not in sums:
        return ["%s is missing" % PROVENANCE], ""
    lines = read_lines(os.path.join(folder, PROVENANCE))
    others = {name: sums[name] for name in sums if name != PROVENANCE}
    problems = statement_problems(lines, others)
    if problems:
        return problems, ""
    signature = check_signatures(lines, key)
    return [], "whole and unchanged: %d files; %s" % (len(sums) + 1, signature)


# -- files ----------------------------------------------------------------------------------------


def read_sums(folder):
    # type: (str) -> dict[str, str]
    """The hash of each file, by its path."""
    sums = {}  # type: dict[str, str]
    text = read(os.path.join(folder, SUMS))
    for line in text.split("\n")[:-1]:
        match = re.match("([0-9a-f]{64}) [ *](.+)$", line)
        if match is None or match.group(2) in sums:
            raise WrongError("%s cannot be read: %s" % (SUMS, line[:100]))
        sums[match.group(2)] = match.group(1)
    if not sums:
        raise WrongError("%s is empty" % SUMS)
    return sums


def file_problems(folder, sums):
    # type: (str, dict[str, str]) -> list[str]
    """What is missing, changed, or not of the wheelhouse. No link is followed."""
    files, others = look_into(folder)
    problems = []
    for name in sorted(sums):
        if name in others:
            problems.append("%s is no regular file" % name)
        elif name not in files:
            problems.append("%s is missing" % name)
        elif hash_of(os.path.join(folder, name)) != sums[name]:
            problems.append("%s was changed" % name)
    added = (files | others) - set(sums) - {SUMS}
    return problems + ["%s does not belong here" % name for name in sorted(added)]


def look_into(folder):
    # type: (str) -> tuple[set[str], set[str]]
    """The regular files below *folder*, and whatever else there is but folders."""
    files, others = set(), set()  # type: set[str], set[str]
    for top, folders, names in os.walk(folder, onerror=refuse):
        for name in folders + names:
            path = os.path.join(top, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                files.add(os.path.relpath(path, folder))
            elif not stat.S_ISDIR(mode):
                others.add(os.path.relpath(path, folder))
    return files, others


def refuse(error):
    # type: (OSError) -> None
    raise WrongError("%s cannot be read: %s" % (error.filename, error.strerror)) from error


def opened(path):
    # type: (str) -> int
    """A descriptor of the regular file at *path*; nothing else is opened, or waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise WrongError("%s cannot be read: %s" % (path, error.strerror)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise WrongError("%s is no regular file" % path)
    return descriptor


def hash_of(path):
    # type: (str) -> str
    digest = hashlib.sha256()
    with os.fdopen(opened(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read(path):
    # type: (str) -> str
    """The whole of a text."""
    with os.fdopen(opened(path), "rb") as file:
        data = file.read(TEXT + 1)
    if len(data) > TEXT:
        raise WrongError("%s is too large" % path)
    try:
        return data.decode("utf-8")
    except ValueError:
        raise WrongError("%s cannot be read as text" % path) from None


# -- statements -----------------------------------------------------------------------------------


def read_lines(path):
    # type: (str) -> list[Line]
    text = read(path)
    if not text.endswith("\n"):
        raise WrongError("%s is cut off" % PROVENANCE)
    lines = []
    for number, line in enumerate(text[:-1].split("\n"), 1):
        try:
            lines.append(read_line(line))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise WrongError(
                "%s has no statement in line %d: %s" % (PROVENANCE, number, error)
            ) from error
    return lines


def read_line(text):
    # type: (str) -> Line
    """What is in *text*: a statement, or an envelope around one."""
    fields = json.loads(text, object_pairs_hook=once)
    signatures = {}
    if "payload" in fields:
        if fields["payloadType"] != PAYLOAD_TYPE:
            raise ValueError("it is of another type")
        for each in fields["signatures"]:
            signatures[each["keyid"]] = base64.b64decode(each["sig"], validate=True)
        text = base64.b64decode(fields["payload"], validate=True).decode("utf-8")
        fields = json.loads(text, object_pairs_hook=once)
    return Line(text, fields, signatures)


def once(pairs):
    # type: (list[tuple[str, object]]) -> dict[str, object]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def statement_problems(lines, files):
    # type: (list[Line], dict[str, str]) -> list[str]
    """What the statements have not as it is: the last is about all *files*, the others are each
    about one wheel."""
    wheels, house = lines[:-1], lines[-1]
    told = dict(house.subjects)
    names = [each for each in sorted(set(told) | set(files)) if told.get(each) != files.get(each)]
    problems = ["%s does not vouch for %s" % (PROVENANCE, name) for name in names]
    subjects = [("wheels/" + name, sha256) for line in wheels for name, sha256 in line.subjects]
    if sorted(subjects) != sorted(each for each in files.items() if each[0].startswith("wheels/")):
        problems.append("%s has not one statement for each wheel" % PROVENANCE)
    if [line.digest for line in wheels] != named_statements(house):
        problems.append("%s has other statements than its last line says" % PROVENANCE)
    return problems


def named_statements(house):
    # type: (Line) -> list[str]
    """The hashes of the other statements that the last one names."""
    try:
        told = house.statement["predicate"]["runDetails"].get("byproducts", [])
        return [each["digest"]["sha256"] for each in told]
    except (LookupError, TypeError, AttributeError):
        return []


# -- signatures -----------------------------------------------------------------------------------


def read_key(path):
    # type: (str) -> tuple[str, bytes]
    """The path of a public key, and its DER form."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(TEXT)
    except OSError as error:
        raise WrongError("%s cannot be read: %s" % (path, error.strerror)) from error
    match = re.search(
        "-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\\s]+)-----END PUBLIC KEY-----", text
    )
    if "PRIVATE KEY-----" in text or match is None:
        raise WrongError("%s is no public key in PEM form" % path)
    try:
        return path, base64.b64decode("".join(match.group(1).split()), validate=True)
    except ValueError:
        raise WrongError("%s is no public key in PEM form" % path) from None


def check_signatures(lines, key):
    # type: (list[Line], tuple[str, bytes] | None) -> str
    """What there is to say of the signatures. Raises WrongError if one is not as it must be."""
    signed = [line for line in lines if line.signatures]
    if signed and len(signed) < len(lines):
        raise WrongError("%s is signed in part only" % PROVENANCE)
    if key is None:
        who = sorted({keyid for line in signed for keyid in line.signatures})
        unchecked = "signed by key %s, which was NOT checked: there is no --key"
        return unchecked % ", ".join(who) if who else "not signed"
    if not signed:
        raise WrongError("%s is not signed" % PROVENANCE)
    path, der = key
    keyid = hashlib.sha256(der).hexdigest()
    asked = question(path, der)
    for number, line in enumerate(lines, 1):
        if keyid not in line.signatures:
            raise WrongError("%s is signed by another key in line %d" % (PROVENANCE, number))
        status, said = ask_openssl(asked, der, line.text, line.signatures[keyid])
        if status != 0 and FAILED.search(said):
            raise WrongError("%s has a wrong signature in line %d" % (PROVENANCE, number))
        if status != 0:
            words = " ".join(said.split())[:200]
            raise WrongError("the signature could NOT be checked: openssl says: %s" % words)
    return "signed by key %s" % keyid


def ask_openssl(asked, der, text, signature):
    # type: (list[str], bytes, str, bytes) -> tuple[int, str]
    """Have openssl look at the signature of one statement, *text*: its status, and its words."""
    payload, kind = text.encode("utf-8"), PAYLOAD_TYPE.encode("ascii")
    pem = b"-----BEGIN PUBLIC KEY-----\n%s-----END PUBLIC KEY-----\n" % base64.encodebytes(der)
    contents = {
        "KEY": pem,
        "SIGNATURE": signature,
        "SIGNED": b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload),
    }
    folder = tempfile.mkdtemp()
    try:
        for name, data in contents.items():
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(data)
        return run_openssl(asked, folder)
    finally:
        shutil.rmtree(folder)


def question(path, der):
    # type: (str, bytes) -> list[str]
    """What to ask openssl, by the kind of the key, about files that are called as here."""
    for mark, asked in KINDS:
        if mark in der[:HEAD]:
            return asked
    raise WrongError("%s is a key of a kind that is not known here" % path)


def run_openssl(asked, folder):
    # type: (list[str], str) -> tuple[int, str]
    """Run it in *folder*: its exit status, and what it says."""
    try:
        done = subprocess.Popen(
            ["openssl", *asked],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise WrongError(
            "the signature could NOT be checked: openssl does not run (%s)" % error
        ) from error
    said = done.communicate()[0]
    return done.returncode, said.decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
