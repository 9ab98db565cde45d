"""Groups 10 and 11: a private index that fails beside a public one; what an index warns of."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from faults.case import Case
from faults.offers import IMPATIENT, html, lock, offer, page
from faults.world import refused, succeeded
from flakyindex import Answer, FlakyIndex

if TYPE_CHECKING:
    from faults.world import Finished, World

BOUND = 'packages = ["acme-*"]\n'


def _both(world: World, private: FlakyIndex, public: FlakyIndex, more: str) -> None:
    """A project whose one package is on two indexes."""
    table = f'[indexes.corp]\nurl = "{private.url("/simple")}"\n{more}'
    world.configure("acme-core\n", index=public.url("/simple"), more=table)


def _locked_version(world: World) -> str:
    lock = tomllib.loads((world.project / "pylock.d12.toml").read_text())
    (package,) = lock["packages"]
    return str(package["version"])


def _never_falls_through(status: int, version: str, more: str) -> Case:
    """The private index fails; the public one has *version* of the package."""

    def attempt(world: World) -> None:
        world.plant()
        with FlakyIndex() as private, FlakyIndex() as public:
            private.on("/simple/acme-core/", Answer(status=status))
            offer(public, name="acme-core", version=version)
            _both(world, private, public, more)
            done = world.run("lock", "--plain", timeout=120, **IMPATIENT)
            words = ["but it is not there; it is not taken from elsewhere"]
            if status != 404:
                words = [f"{status}"]
            refused(done, 3, "acme-core", *words)
            assert private.asked
            assert not public.asked, "the public index has heard of it"
        assert not list(world.project.glob("pylock*"))

    how = "bound" if more else "first"
    name = f"{status} from a private index, {how}; {version} is on the public one"
    return Case(group=10, name=name, attempt=attempt)


def _private_comes_first(world: World) -> None:
    with FlakyIndex() as private, FlakyIndex() as public:
        offer(private, name="acme-core", version="1.0")
        offer(public, name="acme-core", version="99.0")
        _both(world, private, public, "")
        succeeded(world.run("lock", "--plain"))
        assert not public.asked
    assert _locked_version(world) == "1.0"


def _lost_what_it_had(world: World) -> None:
    """The lock has it from the private index, which binds it though no pattern does."""
    with FlakyIndex() as private, FlakyIndex() as public:
        offer(private, name="acme-core", version="1.0")
        offer(public, name="acme-core", version="99.0")
        _both(world, private, public, "")
        succeeded(world.run("lock", "--plain"))
        private.on("/simple/acme-core/", Answer(status=404))
        done = world.run("lock", "--plain", "--upgrade")
        refused(done, 3, "as the present lock has it from there", "not taken from elsewhere")
        assert not public.asked
    assert _locked_version(world) == "1.0"


def _sent_to_the_public_one(world: World) -> None:
    """As some servers do for what they do not have."""
    with FlakyIndex() as private, FlakyIndex() as public:
        offer(public, name="acme-core", version="99.0")
        there = public.url("/simple/acme-core/")
        private.on("/simple/acme-core/", Answer(status=302, headers={"Location": there}))
        _both(world, private, public, BOUND)
        refused(world.run("lock", "--plain"), 3, "but it is not there")
        assert not public.asked


# --- what an index warns of ---------------------------------------------------------------------


def _warned(world: World, index: FlakyIndex, words: str) -> Finished:
    done = succeeded(lock(world, index))
    assert words in " ".join(done.said.split()), done.said
    assert "\x1b" not in done.said
    return done


def _yanked(world: World) -> None:
    """It is built all the same."""
    with FlakyIndex() as index:
        offer(index, yanked="it \x1b[31meats data")
        world.configure("demo==1.0\n", index=index.url("/simple"))
        done = succeeded(world.build())
    assert "demo 1.0 was withdrawn (yanked) by its maintainers: it eats data" in done.said
    assert world.house.is_dir()


def _yanked_in_html(world: World) -> None:
    with FlakyIndex() as index:
        offer(index)
        index.on("/simple/demo/", html(index, attributes='data-yanked="it eats data"'))
        world.configure("demo==1.0\n", index=index.url("/simple"))
        done = succeeded(world.run("lock", "--plain"))
    assert "demo 1.0 was withdrawn (yanked) by its maintainers: it eats data" in done.said


def _status(status: str, *, as_html: bool) -> Case:
    def attempt(world: World) -> None:
        with FlakyIndex() as index:
            offer(index)
            head = f'<meta name="pypi:project-status" content="{status}">'
            told = page(index, **{"project-status": {"status": status}})
            index.on("/simple/demo/", html(index, head) if as_html else told)
            if status == "quarantined":
                world.plant()
                done = refused(lock(world, index), 3, "demo is quarantined", "requirements.txt:1")
                assert not list(world.project.glob("pylock*")), done.said
            else:
                _warned(world, index, f"demo is {status}: its maintainers")

    name = f"a project that is {status}, told in {'HTML' if as_html else 'JSON'}"
    return Case(group=11, name=name, attempt=attempt, everyday=status == "quarantined" and as_html)


CASES = [
    *(_never_falls_through(status, "99.0", BOUND) for status in (401, 403, 404, 503)),
    *(_never_falls_through(status, "1.0", "") for status in (401, 403, 503)),
    Case(group=10, name="a higher version on the public index", attempt=_private_comes_first),
    Case(group=10, name="a private index loses what it had", attempt=_lost_what_it_had),
    Case(group=10, name="a private index sends to the public one", attempt=_sent_to_the_public_one),
    Case(group=11, name="a pin that was yanked", attempt=_yanked),
    Case(group=11, name="a pin that was yanked, told in HTML", attempt=_yanked_in_html),
    *(
        _status(status, as_html=as_html)
        for status in ("archived", "deprecated", "quarantined")
        for as_html in (False, True)
    ),
]
