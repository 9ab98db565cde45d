from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Literal

import pytest
from filelock import FileLock
from lockingfactory import locked
from packaging.version import Version

from wheelhouse import bootstrap, imagesteps
from wheelhouse.engine import Image
from wheelhouse.errors import ConfigError, ImageError, InterruptedRunError
from wheelhouse.imagefailures import clean
from wheelhouse.images import TargetImageMaker
from wheelhouse.imagesteps import base_name, checked_packages, pinned
from wheelhouse.targets import Place, Target, presets
from wheelhouse.toolkit import Toolkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.imagestore import Reader
    from wheelhouse.wheelcontext import PinnedWheel

AMD64 = "linux/amd64"


@dataclass
class MemoryStore:
    """Images that are names only. A name's ID is its hash, so that same inputs give same IDs."""

    images: dict[tuple[str, str], Image] = field(default_factory=dict)
    built: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    pulled: list[str] = field(default_factory=list)
    registry: bool = False
    failing: tuple[str, ...] = ()

    def add(self, name: str, origin: str = "local", platform: str = AMD64) -> Image:
        digest = hashlib.sha256(name.encode()).hexdigest()
        image = Image(id=f"sha256:{digest}", name=name, origin=origin)
        self.images[name, platform] = image
        return image

    def find(self, name: str, platform: str) -> Image | None:
        called = self.images.get((name, platform))
        known = (each for (_, its), each in self.images.items() if its == platform)
        return called or next((each for each in known if each.id == name), None)

    def pull(self, reference: str, platform: str, on_line: Callable[[str], None]) -> Image:
        if not self.registry:
            raise ImageError("no such host")
        self.pulled.append(reference)
        on_line("Pulling")
        return self.add(reference, "registry", platform)

    def build(
        self,
        context: IO[bytes],
        name: str,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        network: Literal["default", "none"],
        platform: str,
        on_line: Callable[[str], None],
    ) -> Image:
        with tarfile.open(fileobj=context) as archive:
            assert "Dockerfile" in archive.getnames()
        for line in self.failing:
            on_line(line)
        if self.failing:
            raise ImageError("returned a non-zero code: 100")
        self.built.append((name, arguments, network))
        return self.add(name, labels["wheelhouse.origin"], platform)

    def import_tar(
        self, stream: Reader, name: str, *, labels: Mapping[str, str], platform: str
    ) -> Image:
        while stream.read(1 << 20):
            pass
        return self.add(name, labels["wheelhouse.origin"], platform)


def target(preset: str = "debian12", arch: str = "x86_64", python: str | None = None) -> Target:
    chosen = presets()[preset]
    python = python or next(iter(chosen.pythons))
    return Target(name=preset, preset=chosen, python=python, arch=arch)


def place(preset: str = "debian12", arch: str = "x86_64", python: str | None = None) -> Place:
    return target(preset, arch, python).place


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(registry=True)


def new_maker(
    store: MemoryStore,
    folder: Path,
    building: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> TargetImageMaker:
    def fetch(pin: PinnedWheel) -> Path:
        path = folder / pin.filename
        if not path.exists():
            with zipfile.ZipFile(path, "w") as wheel:
                wheel.writestr("a.py", "")
        return path

    return TargetImageMaker(store, fetch, folder / "locks", lambda _: None, building=building)


@pytest.fixture
def maker(store: MemoryStore, tmp_path: Path) -> TargetImageMaker:
    return new_maker(store, tmp_path)


def kinds(store: MemoryStore) -> list[str]:
    return sorted(name.partition("/")[2].partition(":")[0] for name, _, _ in store.built)


# -- Names ----------------------------------------------------------------------------------


def test_a_name_hashes_what_went_in() -> None:
    name = imagesteps.image_name(place(), "builder", {"a": 1})
    assert name.startswith("wheelhouse/debian12-builder:")
    assert len(name.rpartition(":")[2]) == 12
    assert name == imagesteps.image_name(place(), "builder", {"a": 1})
    assert name != imagesteps.image_name(place(), "builder", {"a": 2})


def test_another_architecture_shows_in_the_name() -> None:
    name = imagesteps.image_name(place(arch="aarch64"), "base", {})
    assert name.startswith("wheelhouse/debian12-aarch64-base:")


@pytest.mark.parametrize("part", ["files", "inputs", "wheels"])
def test_every_input_of_a_step_is_part_of_its_name(part: str) -> None:
    runtime = Image(id="sha256:1", name="r", origin="derived")
    step = imagesteps.toolbox_step(place("debian13"), runtime)
    changes: dict[str, imagesteps.Step] = {
        "files": replace(step, files={**step.files, "Dockerfile": b"FROM scratch"}),
        "inputs": replace(step, inputs={"BASE": "sha256:2"}),
        "wheels": replace(step, wheels=step.wheels[1:]),
    }
    assert changes[part].name != step.name


def test_official_debian_bases_are_pinned_by_digest_and_date() -> None:
    data = tomllib.loads((imagesteps._recipes() / "debian.toml").read_text())["bases"]
    assert set(data) >= {preset.image for preset in presets().values() if preset.suite}
    assert all(base["date"].year >= 2026 for base in data.values())
    assert len({base["digest"] for base in data.values()}) == len(data)


def test_a_pin_keeps_the_repository_and_drops_the_tag() -> None:
    reference = pinned(place())
    assert reference is not None
    assert reference.startswith("debian@sha256:")
    elsewhere = replace(place().preset, image="127.0.0.1:5000/debian:12-slim")
    assert pinned(replace(place(), preset=elsewhere)) is None
    assert imagesteps._repository("127.0.0.1:5000/debian") == "127.0.0.1:5000/debian"


def test_a_family_without_recipes_is_refused() -> None:
    with pytest.raises(ImageError, match="plan9"):
        imagesteps.family("plan9")


# -- Packages -------------------------------------------------------------------------------


def test_packages_are_sorted_and_unique() -> None:
    assert checked_packages(["zlib1g-dev", "g++", "zlib1g-dev"]) == ("g++", "zlib1g-dev")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-y",
        "a;reboot",
        "$(id)",
        "libpq-dev=1",
        "_libpq",
        "a b",
        "gcc-",
        "--purge",
        "a\n",
        "x:y",
    ],
)
def test_what_is_no_package_name_never_reaches_a_shell(name: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a distribution's package"):
        checked_packages(["libpq-dev", name])


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'A B', '\$B'"):
        checked_packages(["A B", "$B"])


# -- Preparing ------------------------------------------------------------------------------


def test_prepare_makes_each_image_once(store: MemoryStore, maker: TargetImageMaker) -> None:
    first = maker.prepare(target())
    assert kinds(store) == [
        "debian12-builder",
        "debian12-runtime",
        "debian12-toolchain",
        "debian13-runtime",
        "debian13-toolbox",
    ]
    assert maker.prepare(target()) == first
    assert len(store.built) == 5
    assert first.builder_python == first.runtime_python == "/usr/bin/python3.11"
    assert first.tool_python == "/opt/wheelhouse/bin/python"


def test_targets_share_the_toolbox(store: MemoryStore, maker: TargetImageMaker) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(maker.prepare, map(target, ("debian11", "debian12", "debian13"))))
    assert kinds(store).count("debian13-toolbox") == 1
    assert kinds(store).count("debian13-runtime") == 1
    assert len(store.built) == 10


def test_only_steps_that_install_packages_have_a_network(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    maker.prepare(target())
    networks = {name.partition("-")[2].partition(":")[0]: net for name, _, net in store.built}
    assert networks == {
        "builder": "none",
        "runtime": "default",
        "toolbox": "none",
        "toolchain": "default",
    }


def test_an_official_base_that_is_here_comes_first(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    store.add(base_name(place()), "bootstrap")
    assert maker._base(place()).origin == "bootstrap"
    store.add("debian:12-slim")
    assert maker._base(place()).name == "debian:12-slim"
    exact = pinned(place())
    assert exact is not None
    store.add(exact, "registry")
    assert maker._base(place()).name == exact
    assert store.pulled == []


def test_a_base_of_another_architecture_is_not_taken(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    store.add("debian:12-slim")
    assert maker._base(place(arch="aarch64")).origin == "registry"
    assert store.pulled == [pinned(place())]


def test_no_base_says_what_to_do(store: MemoryStore, maker: TargetImageMaker) -> None:
    store.registry = False
    with pytest.raises(ImageError, match=r"no base image for Debian 1.*no such host") as caught:
        maker.prepare(target())
    assert caught.value.hint == "run `wheelhouse images bootstrap`"


def test_another_base_makes_other_images(store: MemoryStore, maker: TargetImageMaker) -> None:
    first = maker.prepare(target())
    store.add("debian:12-slim")
    store.images.pop((pinned(place()) or "", AMD64))
    second = maker.prepare(target())
    assert second.runtime.name != first.runtime.name
    assert second.builder.name != first.builder.name


NVCC = locked("nvidia_cuda_nvcc-13.2.86-py3-none-any.whl")
TOOLKIT = Toolkit(version=Version("13.2"), wheels=(NVCC,))


def test_system_packages_are_put_onto_the_toolkit(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    images = maker.prepare(target())
    store.built.clear()
    cuda = maker.with_system(images, (), TOOLKIT)
    assert cuda.name.startswith("wheelhouse/debian12-cuda:")
    maker.with_system(images, ("libpq-dev",), TOOLKIT)
    (_, toolkit, network), (_, system, _) = store.built
    assert toolkit == {"BUILDER": images.builder.id, "VERSION": "13.2", "GCC": "15"}
    assert network == "none"
    assert system["BASE"] == cuda.id
    assert maker.with_system(images, (), TOOLKIT) == cuda
    assert len(store.built) == 2


def test_whether_a_toolkit_is_there_is_told_without_its_wheels(maker: TargetImageMaker) -> None:
    images = maker.prepare(target())
    assert not maker.has_toolkit(images, TOOLKIT)
    maker.with_system(images, (), TOOLKIT)
    assert maker.has_toolkit(images, TOOLKIT)
    assert not maker.has_toolkit(images, replace(TOOLKIT, version=Version("13.1")))


def test_other_wheels_of_a_toolkit_make_another_image(maker: TargetImageMaker) -> None:
    images = maker.prepare(target())
    other = replace(TOOLKIT, wheels=(replace(NVCC, sha256="0" * 64),))
    names = {maker.with_system(images, (), each).name for each in (None, TOOLKIT, other)}
    assert len(names) == 3


def test_the_toolkit_of_an_image_becomes_fit_for_builds(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    own = Toolkit(version=Version("12.9"), wheels=())
    images = maker.prepare(target())
    cuda = maker.with_system(images, (), own)
    assert store.built[-1][1] == {"BUILDER": images.builder.id, "VERSION": "12.9", "GCC": "14"}
    step = imagesteps.cuda_step(place(), images.builder, own)
    assert step.name == cuda.name
    assert {"cuda-own.sh", "cuda-finish.sh", "nvcc"} <= step.files.keys()
    with_wheels = imagesteps.cuda_step(place(), images.builder, TOOLKIT)
    assert with_wheels.files["toolkit/bin/nvcc"] == step.files["nvcc"]


def test_cibuildwheel_has_the_toolkit_too(store: MemoryStore, maker: TargetImageMaker) -> None:
    images = maker.prepare(target())
    cuda = maker.with_system(images, (), TOOLKIT)
    maker.for_cibuildwheel(images, (), "/opt/python/cp311-cp311", TOOLKIT)
    assert store.built[-1][1]["BUILDER"] == cuda.id


def test_the_toolkit_of_an_image_is_in_its_title(maker: TargetImageMaker) -> None:
    step = imagesteps.cuda_step(place(), maker.prepare(target()).builder, TOOLKIT)
    assert step.title == "debian12 cuda (13.2)"


def test_with_system_is_a_step_of_its_own(store: MemoryStore, maker: TargetImageMaker) -> None:
    builder = maker.prepare(target()).builder
    image = maker.with_system(maker.prepare(target()), ("libpq-dev", "libcap-dev"))
    name, arguments, network = store.built[-1]
    assert name == image.name
    assert arguments["PACKAGES"] == "libcap-dev libpq-dev"
    assert arguments["BASE"] == builder.id
    assert network == "default"
    assert maker.with_system(maker.prepare(target()), ("libcap-dev", "libpq-dev")) == image
    assert maker.with_system(maker.prepare(target()), ()) == builder


@pytest.mark.parametrize("role", ["builder", "runtime"])
def test_all_pythons_of_a_platform_share_the_index_of_its_distribution(
    role: Literal["builder", "runtime"], store: MemoryStore, maker: TargetImageMaker
) -> None:
    old = maker.index(maker.prepare(target("portable", python="3.9")), role)
    name, arguments, network = store.built[-1]
    assert (name, network) == (old.name, "default")
    assert name.startswith("wheelhouse/debian11-index:")
    base = store.find(str(pinned(place("debian11"))), AMD64)
    assert base is not None
    assert arguments["BASE"] == base.id
    assert maker.index(maker.prepare(target("portable", python="3.13")), role) == old
    assert maker.index(maker.prepare(target("debian11")), role) == old


def test_builder_and_runtime_are_asked_for_their_own_packages(maker: TargetImageMaker) -> None:
    images = maker.prepare(replace(target("debian13"), builder=presets()["portable"]))
    assert maker.index(images, "builder").name.startswith("wheelhouse/debian11-index:")
    assert maker.index(images, "runtime").name.startswith("wheelhouse/debian13-index:")


def test_proxies_and_mirror_are_build_arguments_and_no_part_of_names(
    store: MemoryStore, maker: TargetImageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy:1")
    monkeypatch.setenv("WHEELHOUSE_DEBIAN_MIRROR", "http://mirror.example/debian/")
    other = MemoryStore(registry=True)
    mirrored = new_maker(other, tmp_path)
    assert mirrored.prepare(target()).builder.name == maker.prepare(target()).builder.name
    runtime = next(arguments for name, arguments, _ in other.built if "12-runtime" in name)
    assert runtime["DEBIAN_MIRROR"] == "http://mirror.example/debian"
    assert runtime["http_proxy"] == runtime["HTTPS_PROXY"] == "http://proxy:1"
    builder = next(arguments for name, arguments, _ in other.built if "12-builder" in name)
    assert set(builder) == {"TOOLCHAIN", "TOOLBOX"}


def test_one_of_concurrent_callers_builds(store: MemoryStore, maker: TargetImageMaker) -> None:
    maker.prepare(target())
    before = len(store.built)
    barrier = threading.Barrier(8)

    def ask(_: int) -> Image:
        barrier.wait()
        return maker.with_system(maker.prepare(target()), ("libpq-dev",))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(store.built) == before + 1


# -- Stand-ins ------------------------------------------------------------------------------


def test_where_a_registry_answers_a_platform_is_its_own(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    wanted = target("amazonlinux2023", python="3.11")
    images = maker.prepare(wanted)
    assert images.place == images.build_place == wanted.place
    assert images.lacking is None
    assert {"amazonlinux2023-runtime", "amazonlinux2023-builder"} <= set(kinds(store))


def test_without_a_registry_another_platform_stands_in(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    store.registry = False
    for each in map(place, ("debian11", "debian13")):
        store.add(base_name(each), "bootstrap")
    images = maker.prepare(target("amazonlinux2023", python="3.11"))
    assert images.place == images.build_place == place("portable", python="3.11")
    assert images.lacking == "there is no base image for Amazon Linux 2023: no such host"
    assert images.builder_python == "/opt/python/3.11/bin/python3.11"
    assert kinds(store) == [
        "debian11-runtime",
        "debian11-toolchain",
        "debian13-runtime",
        "debian13-toolbox",
        "portable-builder",
        "portable-python",
        "portable-runtime",
        "portable-toolchain",
    ]


def test_a_stand_in_that_is_not_here_either_is_the_way_out(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    store.registry = False
    with pytest.raises(ImageError, match="no base image for Amazon Linux 2023") as caught:
        maker.prepare(target("amazonlinux2023", python="3.11"))
    assert "`wheelhouse images bootstrap`: it makes Portable Linux" in (caught.value.hint or "")


def test_nothing_stands_in_for_a_python_that_no_image_has(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    store.registry = False
    wanted = target("amazonlinux2023", python="3.12")
    with pytest.raises(ImageError, match="no base image") as caught:
        maker.prepare(wanted)
    assert "nothing stands in for Amazon Linux 2023, Python 3.12" in (caught.value.hint or "")
    with pytest.raises(ImageError, match="nothing that can be stands in for it"):
        maker.bootstrap([wanted.place])


def test_a_registry_that_does_not_answer_is_asked_once(
    store: MemoryStore, maker: TargetImageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.registry = False
    for each in map(place, ("debian11", "debian13")):
        store.add(base_name(each), "bootstrap")
    asked: list[str] = []

    def pull(reference: str, platform: str, on_line: Callable[[str], None]) -> Image:
        asked.append(reference)
        raise ImageError("no such host")

    monkeypatch.setattr(store, "pull", pull)
    maker.prepare(target("amazonlinux2023", python="3.11"))
    maker.with_system(maker.prepare(target("amazonlinux2023", python="3.11")), ("libpq-dev",))
    assert len(asked) == 1


def test_a_builder_of_its_own_builds_and_the_target_proves(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    wanted = replace(target("debian12"), builder=presets()["portable"])
    images = maker.prepare(wanted)
    assert images.place == place("debian12")
    assert images.build_place == place("portable", python="3.11")
    assert images.runtime_python == "/usr/bin/python3.11"
    assert images.builder_python == "/opt/python/3.11/bin/python3.11"
    assert "debian12-toolchain" not in kinds(store)
    system = maker.with_system(maker.prepare(wanted), ("libpq-dev",))
    assert system.name.startswith("wheelhouse/portable-system:")


def test_a_python_of_another_version_is_another_image(
    store: MemoryStore, maker: TargetImageMaker
) -> None:
    first = maker.prepare(target("portable", python="3.11"))
    second = maker.prepare(target("portable", python="3.13"))
    assert first.runtime.name != second.runtime.name
    assert kinds(store).count("portable-python") == 2
    assert kinds(store).count("debian11-toolchain") == 1


# -- Failures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            ("Step 5/7 : RUN", "unknown packages: libnope-dev libnada"),
            "Debian 12 (bookworm) has no package libnope-dev, libnada",
            "https://packages.debian.org/bookworm",
        ),
        (
            ("E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'd'",),
            "Temporary failure resolving",
            "WHEELHOUSE_DEBIAN_MIRROR",
        ),
        (("E: You don't have enough ... No space left on device",), "No space", "docker system df"),
        (
            ("E: Release file for http://x is expired (invalid since 3d)",),
            "is expired",
            "clock",
        ),
        (("Get:1 http://x", "E: Hash Sum mismatch"), "E: Hash Sum mismatch", "few minutes"),
        (
            (
                "Package libcurl-dev is a virtual package provided by:",
                "  libcurl4-openssl-dev 7.88.1-10",
                "  libcurl4-nss-dev 7.88.1-10",
                "You should explicitly select one to install.",
                "E: Package 'libcurl-dev' has no installation candidate",
            ),
            "libcurl-dev is no package of Debian 12",
            "one of libcurl4-openssl-dev, libcurl4-nss-dev",
        ),
        (("Step 2/7", "something odd"), "something odd", "last lines"),
        (("Step 2/7",), "non-zero code: 100", "last lines"),
    ],
)
def test_a_failed_step_names_its_cause_and_the_next_step(
    store: MemoryStore,
    maker: TargetImageMaker,
    lines: tuple[str, ...],
    message: str,
    hint: str,
) -> None:
    maker.prepare(target())
    store.failing = lines
    with pytest.raises(ImageError) as caught:
        maker.with_system(maker.prepare(target()), ("libnope-dev",))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_step_that_fails_ends_with_its_cause(store: MemoryStore, tmp_path: Path) -> None:
    """And not with the engine's words, which repeat the whole command."""
    ends: list[str] = []

    @contextmanager
    def building(title: str) -> Iterator[None]:
        try:
            yield
        except ImageError as error:
            ends.append(f"{title}: {error}")
            raise

    maker = new_maker(store, tmp_path, building)
    images = maker.prepare(target())
    store.failing = ("unknown packages: libnope-dev",)
    with pytest.raises(ImageError):
        maker.with_system(images, ("libnope-dev",))
    assert ends == [
        "debian12 system (libnope-dev): Debian 12 (bookworm) has no package libnope-dev"
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain\n", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("old\rnew", "new"),
        ("new\r\n", "new"),
        ("a\x00b\x07c\x9b", "abc"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_lines_lose_their_control_characters(line: str, shown: str) -> None:
    assert clean(line) == shown


# -- Bootstrapping --------------------------------------------------------------------------


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, which writes a small archive; to be replaced by tests."""
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'I: running' >&2\ntar -c -C /etc hostname\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(bootstrap, "KEYRING", program)
    monkeypatch.setattr(bootstrap, "_may_make_roots", lambda: True)
    return program


def test_bootstrap_makes_everything_from_packages(
    store: MemoryStore, maker: TargetImageMaker, mmdebstrap: Path
) -> None:
    store.registry = False
    chosen = [place("debian11"), place("debian12")]
    made = maker.bootstrap(chosen)
    assert [image.name.partition(":")[0].partition("/")[2] for image in made] == [
        "debian11-base",
        "debian11-runtime",
        "debian11-builder",
        "debian12-base",
        "debian12-runtime",
        "debian12-builder",
    ]
    assert made[0].origin == "bootstrap"
    prepared = maker.prepare(target("debian12"))
    assert [prepared.runtime, prepared.builder] == made[4:]
    mmdebstrap.write_text("#!/bin/sh\nexit 1\n")
    assert maker.bootstrap(chosen) == made


@pytest.mark.parametrize("output", ["", "tar -c -C /etc hostname"])
def test_a_failed_bootstrap_leaves_no_image(
    store: MemoryStore, maker: TargetImageMaker, mmdebstrap: Path, output: str
) -> None:
    mmdebstrap.write_text(f"#!/bin/sh\n{output}\necho 'E: no such suite' >&2\nexit 25\n")
    with pytest.raises(ImageError, match=r"trixie for x86_64 failed .*25.*E: no such suite"):
        maker.bootstrap([place("debian13")])
    assert store.images == {}


def test_each_failure_is_told_once(maker: TargetImageMaker, mmdebstrap: Path) -> None:
    mmdebstrap.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Exception, match="2 failures"):
        maker.bootstrap([place("debian11"), place("debian13")])


def test_a_reader_that_stops_early_ends_the_process(mmdebstrap: Path) -> None:
    mmdebstrap.write_text("#!/bin/sh\nexec yes\n")
    recipe = bootstrap.Recipe(suite="bookworm", arch="x86_64", packages=())
    with (
        suppress(RuntimeError),
        bootstrap.root_archive(
            recipe,
            mirror=bootstrap.DEFAULT_MIRROR,
            on_line=lambda _: None,
            stopping=threading.Event(),
        ) as archive,
    ):
        assert archive.read(2) == b"y\n"
        raise RuntimeError


def test_stopping_ends_a_bootstrap_and_leaves_no_image(
    store: MemoryStore, mmdebstrap: Path, tmp_path: Path
) -> None:
    mmdebstrap.write_text("#!/bin/sh\necho 'I: running' >&2\nexec sleep 60\n")

    stopped = TargetImageMaker(
        store, lambda pin: tmp_path, tmp_path / "locks", lambda _: stopped.stop()
    )
    with pytest.raises(InterruptedRunError):
        stopped.bootstrap([place()])
    assert store.images == {}


def test_nothing_is_built_once_stopped(store: MemoryStore, maker: TargetImageMaker) -> None:
    for each in map(place, ("debian12", "debian13")):
        store.add(each.image or "")
    maker.stop()
    with pytest.raises(InterruptedRunError):
        maker.prepare(target())
    assert store.built == []


def test_waiting_for_another_run_that_makes_the_same_image_can_be_stopped(
    store: MemoryStore, maker: TargetImageMaker, tmp_path: Path
) -> None:
    pulled = re.sub(r"[^A-Za-z0-9.-]", "_", pinned(place()) or "")
    (tmp_path / "locks").mkdir(exist_ok=True)
    with FileLock(tmp_path / "locks" / f"{pulled}.lock"), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(maker._images.pull, pinned(place()) or "", place())
        maker.stop()
        assert isinstance(waiting.exception(timeout=30), InterruptedRunError)
    assert store.pulled == []


def test_without_mmdebstrap_the_package_is_named(
    maker: TargetImageMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="mmdebstrap") as caught:
        maker.bootstrap([place()])
    assert "apt-get install mmdebstrap" in (caught.value.hint or "")


def test_without_root_and_subordinate_ids(
    mmdebstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_may_make_roots", lambda: False)
    with pytest.raises(ImageError, match="only root"):
        bootstrap.check_host("x86_64")


def test_a_foreign_architecture_needs_an_emulator(
    mmdebstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImageError, match="cannot run vax") as caught:
        bootstrap.check_host("vax")
    assert "qemu-user-static" in (caught.value.hint or "")


def test_the_command_has_security_and_updates() -> None:
    recipe = bootstrap.Recipe(suite="bookworm", arch="aarch64", packages=("python3",))
    command = recipe.command("http://mirror/debian")
    assert "--architectures=arm64" in command
    assert "--include=python3" in command
    assert command[-3:] == (
        "deb http://mirror/debian bookworm main",
        "deb http://mirror/debian bookworm-updates main",
        "deb http://mirror/debian-security bookworm-security main",
    )


def test_the_environment_passes_proxies_and_nothing_else_on() -> None:
    given = {"PATH": "/bin", "http_proxy": "p", "NO_PROXY": "x", "PIP_INDEX_URL": "s", "TOKEN": "s"}
    assert set(bootstrap._environment(given)) == {"PATH", "http_proxy", "NO_PROXY", "LC_ALL"}


@pytest.mark.parametrize(
    "mirror",
    ["ftp://x/debian", "debian", "http://u:secret@x/debian", "http://x/'debian'", "http://"],
)
def test_unusable_mirrors_are_refused_without_telling_their_password(mirror: str) -> None:
    with pytest.raises(ConfigError, match="Debian mirror") as caught:
        bootstrap.checked_mirror(mirror)
    assert "secret" not in caught.value.message


def test_reading_to_the_end_gives_the_archive(mmdebstrap: Path) -> None:
    recipe = bootstrap.Recipe(suite="bookworm", arch="x86_64", packages=())
    lines: list[str] = []
    with bootstrap.root_archive(
        recipe, mirror=bootstrap.DEFAULT_MIRROR, on_line=lines.append, stopping=threading.Event()
    ) as root:
        data = b"".join(iter(lambda: root.read(4096), b""))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["hostname"]
    assert lines == ["I: running"]
