from __future__ import annotations

import pytest

from wheelhouse.wheels.modules import extension_flavour, extension_stem, importable_modules


@pytest.mark.parametrize(
    ("paths", "extensions", "modules"),
    [
        (["yaml/__init__.py", "yaml/nodes.py"], [], ("yaml",)),
        (["six.py"], [], ("six",)),
        (
            ["google/protobuf/__init__.py", "google/api/x.py"],
            [],
            ("google.api.x", "google.protobuf"),
        ),
        (["_cffi.abi3.so"], ["_cffi.abi3.so"], ("_cffi",)),
        (["lib/libfoo.so", "pkg/__init__.py"], [], ("pkg",)),
        (["pkg/__init__.cpython-311-x86_64-linux-gnu.so"] * 2, [], ()),
        ([], ["pkg/__init__.cpython-311-x86_64-linux-gnu.so"], ("pkg",)),
        (["x.py", "x/y.py"], [], ("x",)),
        (["types-yaml/__init__.py", "my-script.py", "class.py", "2fast.py"], [], ()),
        (["pkg/__pycache__/a.py", "__main__.py", "a/__main__.py", "a.pyi", "a.txt"], [], ()),
    ],
)
def test_importable_modules(
    paths: list[str], extensions: list[str], modules: tuple[str, ...]
) -> None:
    assert importable_modules(paths, extensions) == modules


@pytest.mark.parametrize(
    ("path", "stem", "flavour"),
    [
        ("a/_b.cpython-312-x86_64-linux-gnu.so", "_b", "cpython-312-x86_64-linux-gnu"),
        ("_b.abi3.so", "_b", "abi3"),
        ("a/b.so", "b", ""),
        ("a/b.so.1", None, ""),
        ("a/b.py", None, ""),
    ],
)
def test_extension_names(path: str, stem: str | None, flavour: str) -> None:
    assert extension_stem(path) == stem
    assert extension_flavour(path) == flavour
