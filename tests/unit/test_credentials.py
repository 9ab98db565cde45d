"""Where credentials come from, and which addresses they are for."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from wheelhouse import credentials
from wheelhouse.credentials import Credentials, variables
from wheelhouse.settings import IndexSettings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-0f-netrc"
URL = "https://corp.example/stable/simple"
CORP = IndexSettings(name="corp", url=URL)

#: A `keyring` command that notes what it is asked; it knows one password for each service.
KEYRING = """\
#!/bin/sh
echo "$@" >> {log}
case "$*" in
  "get {url} me") echo of-the-url ;;
  "get corp.example you") echo of-the-host ;;
  "--mode creds --output json get {url}") echo '{{"username": "us", "password": "of-both"}}' ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a netrc, nor variables, nor a keyring."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in list(os.environ):
        if name.startswith("WHEELHOUSE_INDEX_"):
            monkeypatch.delenv(name)


def netrc(tmp_path: Path, text: str) -> None:
    (tmp_path / "netrc").write_text(text)


def in_environment(monkeypatch: pytest.MonkeyPatch, name: str, user: str, password: str) -> None:
    for variable, value in zip(variables(name), (user, password), strict=True):
        monkeypatch.setenv(variable, value)


def keyring(tmp_path: Path, script: str = KEYRING) -> Path:
    """Put a keyring on the path; the file it notes its arguments in."""
    command, log = tmp_path / "bin" / "keyring", tmp_path / "asked"
    command.parent.mkdir()
    command.write_text(script.format(log=log, url=URL))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    log.touch()
    return log


def pair(known: Credentials, url: str) -> tuple[str, str] | None:
    found = known.of(url)
    return (found.username, found.password) if found else None


# --- for which addresses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "its"),
    [
        (f"{URL}/demo/", True),
        ("https://corp.example/packages/demo-1.0.tar.gz", True),
        ("https://CORP.example:443/x", True),
        ("http://corp.example/stable/simple/demo/", False),
        ("https://corp.example:8443/stable/simple/demo/", False),
        ("https://corp.example.evil.example/x", False),
        ("https://files.corp.example/x", False),
        ("https://evil.example/https://corp.example/stable", False),
        ("https://corp.example@evil.example/x", False),
        ("file:///stable/simple/demo", False),
        ("no address", False),
        ("https://[broken/x", False),
    ],
)
def test_an_indexs_credentials_are_for_its_server_only(
    monkeypatch: pytest.MonkeyPatch, url: str, its: bool
) -> None:
    in_environment(monkeypatch, "corp", "me", "pw")
    assert pair(Credentials([CORP]), url) == (("me", "pw") if its else None)


def test_of_several_indexes_on_a_server_the_nearest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    other = IndexSettings(name="dev", url="https://corp.example/dev/simple")
    in_environment(monkeypatch, "corp", "me", "stable-pw")
    in_environment(monkeypatch, "dev", "me", "dev-pw")
    known = Credentials([CORP, other])
    assert pair(known, "https://corp.example/dev/+f/x.whl") == ("me", "dev-pw")
    assert pair(known, "https://corp.example/stable/+f/x.whl") == ("me", "stable-pw")
    assert pair(known, "https://corp.example/devel/x.whl") == ("me", "stable-pw")


def test_what_a_requirements_file_named_is_for_where_it_was_named() -> None:
    direct = "https://host.example/a/demo.whl"
    known = Credentials([CORP], {URL: ("file", "pw"), direct: ("direct", "pw2")})
    assert pair(known, f"{URL}/demo/") == ("file", "pw")
    assert pair(known, direct) == ("direct", "pw2")
    assert pair(known, "https://other.example/a/demo.whl") is None


# --- from where -------------------------------------------------------------------------------


def test_the_first_that_has_any_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keyring(tmp_path)
    me = IndexSettings(name="corp", url=URL, username="me")
    assert pair(Credentials([me]), URL) == ("me", "of-the-url")
    netrc(tmp_path, f"machine corp.example login me password {SECRET}\n")
    assert pair(Credentials([me]), URL) == ("me", SECRET)
    in_environment(monkeypatch, "corp", "env", "of-the-environment")
    assert pair(Credentials([me]), URL) == ("env", "of-the-environment")
    assert pair(Credentials([me], {URL: ("file", "pw")}), URL) == ("file", "pw")


def test_a_variable_for_the_password_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_INDEX_CORP_PASSWORD", "pw")
    assert pair(Credentials([CORP]), URL) == ("", "pw")
    named = IndexSettings(name="corp", url=URL, username="me")
    assert pair(Credentials([named]), URL) == ("me", "pw")


def test_variables_are_named_after_the_index() -> None:
    names = ("WHEELHOUSE_INDEX_MY_CORP_2_USERNAME", "WHEELHOUSE_INDEX_MY_CORP_2_PASSWORD")
    assert variables("my-corp.2") == names


def test_netrc_is_for_its_host_whether_that_is_an_index_or_not(tmp_path: Path) -> None:
    netrc(
        tmp_path,
        f"machine Files.Example login me password {SECRET}\ndefault login all password too-much\n",
    )
    known = Credentials([CORP])
    assert pair(known, "https://files.example/x.whl") == ("me", SECRET)
    assert pair(known, URL) is None
    assert pair(known, "https://default/x.whl") is None


def test_netrc_of_another_user_is_not_the_indexs(tmp_path: Path) -> None:
    netrc(tmp_path, f"machine corp.example login somebody password {SECRET}\n")
    known = Credentials([IndexSettings(name="corp", url=URL, username="me")])
    assert pair(known, URL) is None


@pytest.mark.parametrize("text", [f"machine corp.example\n{SECRET} x\n", f"{SECRET}\n", "\udcff"])
def test_a_netrc_that_cannot_be_read_is_told_without_a_word_of_it(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "netrc").write_bytes(text.encode(errors="surrogateescape"))
    known = Credentials([CORP])
    assert known.of(URL) is None
    assert "cannot be read" in known.hint(URL)
    assert SECRET not in known.hint(URL)


def test_a_netrc_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NETRC")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(f"machine corp.example login me password {SECRET}\n")
    assert pair(Credentials([CORP]), URL) == ("me", SECRET)


# --- the keyring ------------------------------------------------------------------------------


def test_the_keyring_is_asked_after_a_refusal_and_once(tmp_path: Path) -> None:
    log = keyring(tmp_path)
    known = Credentials([CORP])
    assert known.of(URL) is None
    assert log.read_text() == ""
    threads = [threading.Thread(target=known.after_refusal, args=[URL]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known.after_refusal(URL)
    assert pair(known, f"{URL}/demo/") == ("us", "of-both")
    assert log.read_text() == f"--mode creds --output json get {URL}\n"


def test_the_keyring_may_have_it_by_the_host(tmp_path: Path) -> None:
    log = keyring(tmp_path)
    known = Credentials([IndexSettings(name="corp", url=URL, username="you")])
    assert pair(known, URL) == ("you", "of-the-host")
    assert log.read_text() == f"get {URL} you\nget corp.example you\n"


def test_the_keyring_is_asked_for_no_address_that_is_no_indexs(tmp_path: Path) -> None:
    log = keyring(tmp_path)
    known = Credentials([CORP])
    assert not known.after_refusal("https://files.example/x.whl")
    assert log.read_text() == ""


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\necho no JSON\n",
        "#!/bin/sh\necho '[]'\n",
        "no program",
        '#!/bin/sh\nread password && echo "$password"\n',
        "#!/bin/sh\nread password < /dev/tty && echo $password\n",
        "#!/bin/sh\nsleep 60\n",
    ],
)
def test_a_keyring_that_has_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    monkeypatch.setattr(credentials, "KEYRING", 0.3)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    keyring(tmp_path, script)
    assert not Credentials([CORP]).after_refusal(URL)


def test_no_keyring_at_all() -> None:
    assert not Credentials([CORP]).after_refusal(URL)


# --- what is told -----------------------------------------------------------------------------


def test_a_hint_names_all_the_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hint = Credentials([CORP]).hint(f"{URL}/demo/")
    assert "WHEELHOUSE_INDEX_CORP_USERNAME and WHEELHOUSE_INDEX_CORP_PASSWORD" in hint
    assert "`machine corp.example` in $NETRC" in hint
    assert "keyring" in hint
    assert Credentials().hint(URL) == "give the credentials as a `machine corp.example` in $NETRC"


def test_credentials_do_not_show_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch, "corp", "me", SECRET)
    known = Credentials([CORP], {"https://host.example/x": ("me", SECRET)})
    shown = repr([known.of(URL), known.of("https://host.example/x"), known, vars(known)])
    assert SECRET not in shown
