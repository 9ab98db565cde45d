"""What is told of a license, from metadata old and new."""

from __future__ import annotations

import pytest

from wheelhouse.wheels.statements import parse_metadata

HEAD = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


@pytest.mark.parametrize(
    ("fields", "license_text"),
    [
        ("", ""),
        ("License-Expression: MIT OR ISC\nLicense: other", "MIT OR ISC"),
        ("License: MIT\nClassifier: License :: OSI Approved :: BSD License", "MIT"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
        (
            (
                "Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: A\n"
                "Classifier: License :: B\nClassifier: Topic :: C"
            ),
            "A or B",
        ),
        ("Classifier: License :: OSI Approved", "OSI Approved"),
        (f"License: {'a very long text ' * 20}", ""),
        ("License: one\n        two", ""),
        ("License: a\x1b[2Jb", "ab"),
    ],
)
def test_the_license(fields: str, license_text: str) -> None:
    assert parse_metadata(f"{HEAD}{fields}\n".encode()).license == license_text
