"""Group 12: TLS that cannot be trusted, redirects, proxies, passwords in addresses."""

from __future__ import annotations

import base64
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

from authority import DAY, Authority
from faults.case import Case
from faults.offers import html, lock, offer, offer_with_metadata
from faults.world import SECRETS, refused, succeeded
from flakyindex import Answer, FlakyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults.world import World

PAGE = "/simple/demo/"

#: As a requirements file has an address whose password is in the environment.
TOKEN = "${INDEX_TOKEN}"


def _to(location: str) -> Answer:
    return Answer(status=302, headers={"Location": location})


# --- TLS ----------------------------------------------------------------------------------------


def _trusting(authority: Authority) -> Mapping[str, str]:
    """The environment of who trusts *authority*, whatever else this machine trusts."""
    return {"REQUESTS_CA_BUNDLE": str(authority.bundle), "WHEELHOUSE_TIMEOUT": "5"}


def _good_tls(world: World) -> None:
    authority = Authority(world.root)
    with FlakyIndex(authority.server()) as index:
        offer(index)
        succeeded(lock(world, index, **_trusting(authority)))


def _bad_tls(name: str, words: str, **more: Any) -> Case:
    def attempt(world: World) -> None:
        world.plant()
        authority = Authority(world.root)
        with FlakyIndex(authority.server(**more)) as index:
            offer(index)
            done = lock(world, index, **_trusting(authority))
            refused(done, 3, "127.0.0.1 shows a certificate that is not trusted", words)
            assert not index.asked

    return Case(group=12, name=name, attempt=attempt)


def _no_tls_at_all(world: World) -> None:
    with FlakyIndex() as index:
        offer(index)
        secure = index.url("/simple").replace("http:", "https:")
        world.configure("demo\n", index=secure)
        refused(world.run("lock", "--plain"), 3, "does not speak TLS as it should")


def _downgraded(world: World, *, page: bool) -> None:
    world.plant()
    world.own_store()
    authority = Authority(world.root)
    with FlakyIndex(authority.server()) as index, FlakyIndex() as plain:
        path = offer(index)
        offer(plain)
        there = PAGE if page else path
        index.on(there, _to(plain.url(there)))
        done = lock(world, index, **_trusting(authority))
        refused(done, 3, "redirects to an address without TLS")
        assert not plain.asked


# --- redirects ----------------------------------------------------------------------------------


def _redirected(world: World, location: str, *words: str) -> None:
    world.plant()
    with FlakyIndex() as index:
        offer(index)
        index.on(PAGE, _to(location or index.url(PAGE)))
        refused(lock(world, index), 3, *words)


def _to_nobody(world: World) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    _redirected(world, f"http://127.0.0.1:{port}/", "cannot be reached: connection refused")


def _to_a_login_page(world: World) -> None:
    """As a network does that wants a word with its user first."""
    with FlakyIndex() as portal:
        login = b"<html><head><meta http-equiv='refresh' content='0; /in'></head></html>"
        portal.on("/login", Answer(kind="text/html", body=login))
        _redirected(world, portal.url("/login"), "answers with a page that is no index page")


def _to_an_address_with_a_password(world: World) -> None:
    """A password that a server sends is not used, and gets nowhere."""
    world.own_store()
    with FlakyIndex() as there, FlakyIndex() as index:
        path = offer(there)
        user = f"me:{SECRETS['index']}"
        index.on(PAGE, _to(there.url(PAGE, user=user)))
        succeeded(lock(world, index))
        assert path in (each.path for each in there.asked)
        assert not [each for each in there.asked if "Authorization" in each.headers]
        there.on(PAGE, Answer(status=403))
        refused(world.run("lock", "--plain", "--upgrade"), 3, "answers 403")


# --- pages, proxies, passwords --------------------------------------------------------------------


def _only_html(world: World) -> None:
    with FlakyIndex() as index:
        offer(index)
        index.on(PAGE, html(index))
        succeeded(lock(world, index))


def _proxy_wants_a_password(world: World) -> None:
    with FlakyIndex() as proxy:
        proxy.on(f"http://index.example{PAGE}", Answer(status=407))
        proxy.on("secure.example:443", Answer(status=407))
        way = proxy.url("", user=f"me:{SECRETS['index']}")
        for index in ("http://index.example/simple", "https://secure.example/simple"):
            world.configure("demo\n", index=index)
            done = world.run(
                "lock", "--plain", http_proxy=way, https_proxy=way, no_proxy="127.0.0.1"
            )
            refused(done, 3, "the proxy answers 407 (Proxy Authentication Required)", "HTTPS_PROXY")


def _proxy_is_gone(world: World) -> None:
    with FlakyIndex() as proxy:
        way = proxy.url("", user=f"me:{SECRETS['index']}")
    world.configure("demo\n", index="https://secure.example/simple")
    done = world.run("lock", "--plain", https_proxy=way, no_proxy="127.0.0.1")
    refused(done, 3, "the proxy cannot be reached: connection refused", "HTTPS_PROXY")


def _password_in_the_address(world: World) -> None:
    """It is sent to its index, and is in no file, message or lock."""
    world.own_store()
    with FlakyIndex() as index:
        offer_with_metadata(index, Answer(status=404))
        url = index.url("/simple", user=f"me:{TOKEN}")
        world.configure(f"--index-url {url}\ndemo\n")
        succeeded(world.run("lock", "--plain"))
        sent = {each.headers.get("Authorization") for each in index.asked}
        pair = base64.b64encode(f"me:{SECRETS['index']}".encode()).decode()
        assert sent == {f"Basic {pair}"}, "it was not sent"
        refused(world.build("--locked"), 3, "is not there (404)")
        refused(world.build("--json", "--locked"), 3)
        for status in (401, 403, 500, 302):
            index.on(PAGE, Answer(status=status, headers={"Location": index.url(PAGE)}))
            refused(world.run("lock", "--upgrade", WHEELHOUSE_TIMEOUT="1"), 3)
        for command in ("plan", "why", "export"):
            world.run(command, *(["demo"] if command == "why" else []))


CASES = [
    Case(group=12, name="an index with TLS of an own authority", attempt=_good_tls),
    _bad_tls("a certificate that has expired", "certificate has expired", ends=-DAY),
    _bad_tls("a certificate of another host", "is not valid for '127.0.0.1'", address="127.0.0.2"),
    _bad_tls("a certificate signed by itself", "self-signed certificate", by_itself=True),
    Case(group=12, name="https where there is none", attempt=_no_tls_at_all),
    Case(
        group=12,
        name="a page redirects from https to http",
        attempt=lambda world: _downgraded(world, page=True),
    ),
    Case(
        group=12,
        name="a file redirects from https to http",
        attempt=lambda world: _downgraded(world, page=False),
    ),
    Case(
        group=12,
        name="a redirect to a file of this machine",
        attempt=lambda world: _redirected(world, "file:///etc/passwd", "no address of a server"),
    ),
    Case(
        group=12,
        name="a redirect without end",
        attempt=lambda world: _redirected(world, "", "from address to address without end"),
    ),
    Case(group=12, name="a redirect to where nobody is", attempt=_to_nobody),
    Case(group=12, name="a redirect to a login page", attempt=_to_a_login_page),
    Case(
        group=12,
        name="a redirect to an address with a password",
        attempt=_to_an_address_with_a_password,
    ),
    Case(group=12, name="an index of HTML only", attempt=_only_html),
    Case(group=12, name="a proxy that wants a password", attempt=_proxy_wants_a_password),
    Case(group=12, name="a proxy that is gone", attempt=_proxy_is_gone),
    Case(
        group=12,
        name="a password in the address of an index",
        attempt=_password_in_the_address,
    ),
]
