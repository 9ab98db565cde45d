"""Who is made for which CUDA, and what of that does not agree: with the metadata that PyPI has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from alignmentfactory import aligned, gpu, lock_of
from lockfactory import build, file, lock, package
from lockingfactory import images, interpreter
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.findings import Alignment
from wheelhouse.alignment.frameworks import Release, extras, frameworks, renumbered
from wheelhouse.alignment.statements import may_be_for, own_statement
from wheelhouse.alignment.telling import as_error, notices
from wheelhouse.alignment.way import Tried, Way
from wheelhouse.cli.explaintext import explain_data, explain_lines  # noqa: TID251  (tested here)
from wheelhouse.cuda import releases
from wheelhouse.inputs.model import Direct
from wheelhouse.plan import Plan, Planned, Step
from wheelhouse.reporting.lines import to_text

if TYPE_CHECKING:
    from wheelhouse.errors import LockError


def made_for(alignment: Alignment, name: str) -> list[str]:
    """``CUDA 12.8: why`` for each CUDA that *name* is made for."""
    found = alignment.made_for.get(NormalizedName(name), ())
    return [f"{each.cuda}: {each.reason}" for each in found]


def sides(alignment: Alignment) -> dict[int, list[str]]:
    return {major: [each.name for each in found] for major, found in alignment.sides.items()}


def extras_of(name: NormalizedName, version: Version) -> set[str]:
    """The extras of what people install; TensorFlow's came with 2.14."""
    if name == "tensorflow" and version < Version("2.14"):
        return set()
    return {
        "tensorflow": {"and-cuda"},
        "jax": {"cuda12", "cuda13"},
        "cupy-cuda13x": {"ctk"},
        "onnxruntime-gpu": {"cuda", "cudnn"},
    }.get(name, set())


def errors(alignment: Alignment, **found: Tried) -> list[LockError]:
    """The errors that it leads to; *found* is what would do, as ``cuda12``."""
    ways = {int(major.removeprefix("cuda")): way for major, way in found.items()}
    return [as_error(alignment, each, ways, extras_of) for each in alignment.conflicts()]


def told(alignment: Alignment) -> list[str]:
    return [each.message for each in notices(alignment, extras_of)]


# --- what a package is made for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "cuda"),
    [
        ("torch", "2.7.0+cu128", "CUDA 12.8"),
        ("torch", "2.1.0+cu118", "CUDA 11.8"),
        ("flash-attn", "2.8.0+cu12torch2.7cxx11abifalse", "CUDA 12"),
        ("torch-scatter", "2.1.2+pt27cu126", "CUDA 12.6"),
        ("jaxlib", "0.4.14+cuda12.cudnn89", "CUDA 12"),
        ("cupy-cuda13x", "14.2.0", "CUDA 13"),
        ("cupy-cuda112", "10.6.0", "CUDA 11.2"),
        ("cupy-cuda92", "9.6.0", "CUDA 9.2"),
        ("nvidia-dali-cuda120", "2.4.0", "CUDA 12.0"),
        ("jax-cuda12-plugin", "0.9.0", "CUDA 12"),
        ("tensorrt-cu12-libs", "10.9.0", "CUDA 12"),
        ("nvidia-cudnn-cu13", "9.26.0.51", "CUDA 13"),
        ("nvidia-cublas-cu12", "12.8.4.1", "CUDA 12"),
        ("nvidia-cuda-runtime-cu12", "12.8.90", "CUDA 12.8"),
        ("nvidia-cuda-runtime", "13.2.75", "CUDA 13.2"),
        ("nvidia-cublas", "13.5.1.27", "CUDA 13"),
        ("nvidia-cufft", "12.2.0.57", "CUDA 13"),
        ("nvidia-curand", "10.4.2.66", "CUDA 13"),
        ("cuda-toolkit", "12.9.2.0", "CUDA 12.9"),
        # Placeholders, what drives any CUDA, and what only sounds like it.
        ("nvidia-cublas", "0.0.0a0", None),
        ("nvidia-cufft", "0.0.0a0", None),
        ("nvidia-ml-py", "13.580.65", None),
        ("cuda-bindings", "12.9.4", None),
        ("torch", "2.7.0", None),
        ("torch", "2.7.0+cpu", None),
        ("torch", "2.7.0+rocm6.3", None),
        ("focus12", "1.0", None),
        ("acu-12", "1.0", None),
    ],
)
def test_a_name_and_a_version_tell(name: str, version: str, cuda: str | None) -> None:
    found = own_statement(canonicalize_name(name), Version(version))
    assert (str(found.cuda) if found else None) == cuda


@pytest.mark.parametrize(
    ("asked", "name", "made"),
    [
        (
            "torch==2.10.0",
            "torch",
            "CUDA 12.8: requires nvidia-cuda-runtime-cu12==12.8.90 and 14 more of CUDA 12",
        ),
        (
            "torch==2.14.1",
            "torch",
            "CUDA 13.0: requires cuda-toolkit==13.0.3 and 4 more of CUDA 13",
        ),
        (
            "torch==2.0.1",
            "torch",
            "CUDA 11.7: requires nvidia-cuda-runtime-cu11==11.7.99 and 10 more of CUDA 11",
        ),
        (
            "tensorflow[and-cuda]==2.21.0",
            "tensorflow",
            "CUDA 12: requires nvidia-cuda-runtime-cu12<13.0,>=12.5.82 and 11 more of CUDA 12",
        ),
        ("xgboost==3.2.0", "xgboost", "CUDA 12: requires nvidia-nccl-cu12"),
        ("tensorflow==2.12.1", "tensorflow", "CUDA 11.8: as tensorflow <2.14,>=2.12 on PyPI is"),
        ("jax[cuda13]", "jax-cuda13-plugin", "CUDA 13: its name says it"),
    ],
)
def test_what_a_package_requires_tells(asked: str, name: str, made: str) -> None:
    assert made_for(aligned(None, asked), name) == [made]


def test_what_requires_no_part_of_cuda_is_made_for_none() -> None:
    alignment = aligned(None, "torch==2.15.0", "torchvision==0.29.2", "jax[cuda13]")
    for name in ("torchvision", "jax", "triton", "cuda-bindings"):
        assert made_for(alignment, name) == []


def test_a_range_of_several_cudas_tells_none() -> None:
    toolkit = package("cuda-toolkit", "13.2.2", "app")
    for specifier, made in ((">=12.8", []), (">=12.8,<14", []), (">=13,<14", ["CUDA 13"])):
        app = package("app", requires=(f"cuda-toolkit{specifier}",))
        found = Alignment(lock(app, toolkit), gpu(None), lambda _: False).made_for
        assert [str(each.cuda) for each in found.get(app.name, ())] == made


def test_a_wheel_of_another_architecture_has_nothing_to_do_with_cuda() -> None:
    assert made_for(aligned("12.8", "tensorflow==2.21.0"), "tensorflow")
    assert not made_for(aligned("12.8", "tensorflow==2.21.0", arch="aarch64"), "tensorflow")


def test_a_prerelease_is_made_for_what_its_release_is() -> None:
    name = canonicalize_name("tensorflow")
    assert not may_be_for(13, name, Version("2.12.0rc1"), "x86_64")
    assert may_be_for(11, name, Version("2.12.0rc1"), "x86_64")
    assert may_be_for(13, name, Version("1.0"), "x86_64")  # of which nothing is known


# --- a target's CUDA -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "asked"),
    [
        ("13.2", ["torch==2.15.0", "jax[cuda13]", "cupy-cuda13x[ctk]", "torchvision"]),
        ("12.8", ["torch==2.10.0", "tensorflow[and-cuda]==2.20.0", "xgboost", "cupy-cuda12x"]),
        ("12.5", ["torch==2.10.0"]),  # a later release of the same CUDA
        ("11.8", ["torch==2.0.1"]),
        ("13.2", ["cudf-cu13", "nvidia-dali-cuda130"]),
        ("13.0", ["vllm==0.32.0"]),  # one of its packages has libraries for both, and takes one
    ],
)
def test_what_people_install_together_agrees(cuda: str, asked: list[str]) -> None:
    assert aligned(cuda, *asked).conflicts() == []
    assert aligned(None, *asked).conflicts() == []


def test_what_is_made_for_another_cuda_than_the_targets_is_refused() -> None:
    alignment = aligned("13.2", "torch==2.10.0", "torchvision==0.25.0", "cupy-cuda13x")
    (error,) = errors(alignment)
    assert error.message == "torch 2.10.0 is made for CUDA 12.8, but the target gpu has CUDA 13.2"
    why = "requires nvidia-cuda-runtime-cu12==12.8.90 and 14 more of CUDA 12"
    assert error.context == (
        ("torch 2.10.0", f"{why}; asked for by requirements.txt:1"),
        ("made for CUDA 13", "cupy-cuda13x 14.2.0"),
    )
    assert error.hint == (
        "torch>=2.11 is made for CUDA 13 (whether all agrees then has not been tried); "
        'or torch-backend = "cu132" in [targets.gpu]; '
        "or `cuda = false` in [packages.torch], if it is to stay as it is"
    )
    assert (error.target, error.kind, error.exit_status) == ("gpu", "cuda", 3)


def test_all_that_is_made_for_another_is_told_at_once() -> None:
    (error,) = errors(aligned("13.2", "jax[cuda12]", "cupy-cuda12x", "torch==2.15.0"))
    assert error.message == (
        "cupy-cuda12x 14.2.0 and jax-cuda12-plugin 0.9.0 are made for CUDA 12, but the target gpu "
        "has CUDA 13.2"
    )
    assert dict(error.context)["jax-cuda12-plugin 0.9.0"] == (
        "its name says it; asked for by requirements.txt:1 → jax 0.9.0"
    )
    assert error.hint is not None
    assert error.hint.startswith(
        "ask for cupy-cuda13x instead of cupy-cuda12x and ask for jax[cuda13] instead of "
        "jax[cuda12]; or `cuda = false`"
    )


def test_another_cuda_of_the_target_is_named_where_that_is_all() -> None:
    (error,) = errors(aligned("13.2", "tensorflow[and-cuda]==2.20.0", "torch==2.10.0"))
    assert error.hint == (
        "no version of tensorflow is known to be made for CUDA 13 and torch>=2.11 is made for "
        "CUDA 13 (whether all agrees then has not been tried); or "
        'cuda = "12.8" in [targets.gpu]; or '
        "`cuda = false` in [packages.tensorflow] or [packages.torch], if it is to stay as it is"
    )


def test_what_has_turned_out_to_do_goes_before_what_is_known_beforehand() -> None:
    way = Way(lines=[("torch 2.15.0", "a.txt:1"), ("torchvision 0.29.2", "a.txt:2")])
    (error,) = errors(aligned("13.2", "torch==2.10.0"), cuda13=Tried(ways=[way]))
    assert error.hint is not None
    assert error.hint.startswith(
        "torch 2.15.0 (a.txt:1) and torchvision 0.29.2 (a.txt:2) would do; or torch-backend"
    )


def test_a_framework_that_only_the_table_knows_is_held_to_the_target_too() -> None:
    (error,) = errors(aligned("13.2", "tensorflow==2.12.1"))
    assert error.message == (
        "tensorflow 2.12.1 is made for CUDA 11.8, but the target gpu has CUDA 13.2"
    )


def test_builds_of_pytorch_for_another_cuda() -> None:
    chosen = lock_of("torch==2.14.1", "torchvision==0.29.2", local={"torch": "cu130"})
    alignment = Alignment(chosen, gpu("12.8"), lambda _: False)
    (error,) = errors(alignment)
    assert error.message == (
        "torch 2.14.1+cu130 is made for CUDA 13.0, but the target gpu has CUDA 12.8"
    )
    assert dict(error.context)["torch 2.14.1+cu130"].startswith("its version says +cu130; asked")


def test_packages_of_which_each_requires_another_are_told() -> None:
    one = package("one-cu12", "1.0", "two-cu12", requires=("two-cu12",))
    two = package("two-cu12", "1.0", "one-cu12", "requirements.txt:1", requires=("one-cu12",))
    alignment = Alignment(lock(one, two), gpu("13.2"), lambda _: False)
    assert sides(alignment) == {12: ["one-cu12", "two-cu12"]}
    assert len(errors(alignment)) == 1


@pytest.mark.parametrize("extras", [{"cuda12"}, {"cuda12", "cuda11"}])
def test_an_extra_that_is_not_there_is_not_told(extras: set[str]) -> None:
    alignment = aligned("11.8", "jax[cuda12]")
    (conflict,) = alignment.conflicts()
    hint = as_error(alignment, conflict, {}, lambda *_: extras).hint
    assert hint is not None
    assert ("jax[cuda11]" in hint) is ("cuda11" in extras)
    hint = as_error(alignment, conflict, {}).hint  # its metadata is not at hand
    assert hint is not None
    assert "cuda11" not in hint


def of_a_folder(**more: Any) -> Alignment:
    """A kernel of the user's own for CUDA 13.2, which requires a library of CUDA 12."""
    own = {
        "wheels": (),
        "sdist": file("kernels-1.0.tar.gz"),
        "requires": ("nvidia-cuda-runtime-cu12", "numpy"),
        "direct": Direct(location="dir:kernels"),
    }
    kernels = package("kernels", **{**own, **more})
    runtime = package("nvidia-cuda-runtime-cu12", "12.9.79", "kernels")
    numpy = package("numpy", "2.3", "kernels")
    return Alignment(lock(kernels, numpy, runtime), gpu("13.2"), lambda _: False)


@pytest.mark.parametrize("more", [{}, {"direct": None, "build": replace(build(), cuda=True)}])
def test_what_is_built_with_the_toolkit_is_told_to_require_another(more: dict[str, Any]) -> None:
    (error,) = errors(of_a_folder(**more))
    assert error.hint == (
        "have kernels require nvidia-cuda-runtime instead of nvidia-cuda-runtime-cu12; or "
        'cuda = "12.9" in [targets.gpu], and builder = "manylinux_2_28_cuda12_9" there, whose '
        "image quay.io/manylinux_cuda/manylinux_2_28_x86_64_cuda12_9:latest has the compiler of "
        "CUDA 12, for what is built"
    )


def test_what_is_built_without_the_toolkit_may_be_exempt() -> None:
    (error,) = errors(of_a_folder(build=build()))
    assert error.hint == (
        "have kernels require nvidia-cuda-runtime instead of nvidia-cuda-runtime-cu12; or "
        'cuda = "12.9" in [targets.gpu]; or '
        "`cuda = false` in [packages.kernels], if it is to stay as it is"
    )


# --- no CUDA of the target -----------------------------------------------------------------------


def test_two_cudas_in_one_lock_are_refused() -> None:
    alignment = aligned(None, "torch==2.15.0", "xgboost==3.2.0")
    assert sides(alignment) == {12: ["xgboost"], 13: ["torch"]}
    (error,) = errors(alignment)
    assert error.message == (
        "torch 2.15.0 is made for CUDA 13.2, but xgboost 3.2.0 is made for CUDA 12"
    )
    assert [label for label, _ in error.context] == [
        "xgboost 3.2.0",
        "torch 2.15.0",
        "nvidia-nccl-cu12 and nvidia-nccl-cu13",
    ]
    assert error.hint == (
        "for CUDA 12, torch>=2.1,<2.11 is made for CUDA 12 (whether all agrees then has not been "
        'tried), or torch-backend = "cu129" in [targets.gpu]; or say which it is to be, with '
        "`cuda` there; or `cuda = false` in [packages.torch] or [packages.xgboost], if it is to "
        "stay as it is: then the files of nvidia-nccl for one CUDA overwrite those for the other"
    )


def test_libraries_of_two_cudas_that_lines_ask_for_are_refused() -> None:
    asked = ("nvidia-cuda-runtime-cu12==12.9.79", "nvidia-cuda-runtime==13.2.86")
    (error,) = errors(aligned(None, *asked))
    assert error.message == (
        "nvidia-cuda-runtime 13.2.86 is made for CUDA 13.2, but nvidia-cuda-runtime-cu12 12.9.79 "
        "is made for CUDA 12.9"
    )


def test_one_package_that_requires_libraries_of_two_is_refused() -> None:
    app = package("app", requires=("nvidia-cublas-cu12", "nvidia-cublas"))
    libraries = (
        package("nvidia-cublas-cu12", "12.9.3.13", "app"),
        package("nvidia-cublas", "13.4.1.3", "app"),
    )
    (error,) = errors(Alignment(lock(app, *libraries), gpu(None), lambda _: False))
    assert error.message == "app 1.0 is made for CUDA 13, but app 1.0 is made for CUDA 12"


def test_what_may_do_without_a_gpu_is_not_refused() -> None:
    assert errors(aligned(None, "tensorflow==2.21.0", "torch==2.15.0")) == []


# --- settings ------------------------------------------------------------------------------------


def test_a_package_can_be_exempt() -> None:
    alignment = aligned("13.2", "torch==2.15.0", "xgboost==3.2.0", exempt=["xgboost"])
    assert sides(alignment) == {13: ["torch"]}
    assert errors(alignment) == []
    (overlapping,) = told(alignment)
    assert overlapping == (
        "nvidia-nccl-cu12 and nvidia-nccl-cu13 are installed in one place: whichever comes last is "
        "what all use"
    )


def test_what_others_require_too_is_not_exempt_with_it() -> None:
    asked = ("tensorflow[and-cuda]==2.21.0", "xgboost==3.2.0")
    assert sides(aligned("13.2", *asked, exempt=["tensorflow"])) == {12: ["xgboost"]}


# --- cuDNN ---------------------------------------------------------------------------------------


def test_a_cudnn_that_a_framework_cannot_load_is_refused() -> None:
    app = package("app", requires=("nvidia-cudnn-cu12==8.9.7.29",))
    cudnn = package("nvidia-cudnn-cu12", "8.9.7.29", "app")
    chosen = lock(package("tensorflow", "2.18.0"), app, cudnn)
    (error,) = errors(Alignment(chosen, gpu("12.8"), lambda _: False))
    assert error.message == (
        "tensorflow 2.18.0 needs cuDNN <10,>=9.3, but nvidia-cudnn-cu12 8.9.7.29 is locked"
    )
    assert ("nvidia-cudnn-cu12 8.9.7.29", "app 1.0 requires nvidia-cudnn-cu12==8.9.7.29") in (
        error.context
    )
    assert error.kind == "cudnn"
    assert error.hint is not None
    assert error.hint.startswith("tensorflow>=2.15,<2.18 can load cuDNN ==8.9.7.29; or, where it ")
    newer = lock(package("tensorflow", "2.17.0"), app, cudnn)
    assert errors(Alignment(newer, gpu("12.8"), lambda _: False)) == []


def test_frameworks_that_cannot_load_the_same_cudnn_are_refused() -> None:
    chosen = lock(package("tensorflow", "2.17.0"), package("onnxruntime-gpu", "1.20.0"))
    (error,) = errors(Alignment(chosen, gpu("12.8"), lambda _: False))
    assert error.message == (
        "tensorflow 2.17.0 needs cuDNN <9,>=8.9.7, but onnxruntime-gpu 1.20.0 needs cuDNN <10,>=9"
    )
    # No version of ONNX Runtime for CUDA 12 loads cuDNN 8.
    assert error.hint is not None
    assert error.hint.startswith("tensorflow>=2.18 can load cuDNN <10,>=9; or, where it has one, ")
    chosen = lock(package("tensorflow", "2.18.0"), package("onnxruntime-gpu", "1.20.0"))
    assert errors(Alignment(chosen, gpu("12.8"), lambda _: False)) == []


@pytest.mark.parametrize(
    ("cudnn", "proposed"),
    [
        ("8.9.6.50", "tensorflow>=2.5,<2.15 is made for CUDA 11 (whether all agrees"),
        ("8.5.0.96", "tensorflow>=2.5,<2.12 is made for CUDA 11 (whether all agrees"),
        ("9.1.0.70", "no version of tensorflow is known to be made for CUDA 11 and cuDNN ==9.1."),
    ],
)
def test_what_only_the_table_proposes_can_load_the_cudnn_that_is_there(
    cudnn: str, proposed: str
) -> None:
    chosen = lock(package("tensorflow", "2.18.0"), package("nvidia-cudnn-cu11", cudnn))
    (error,) = errors(Alignment(chosen, gpu("11.8"), lambda _: False))
    assert error.hint is not None
    assert error.hint.startswith(proposed)


def test_what_only_the_table_proposes_can_load_the_cudnn_of_others() -> None:
    chosen = lock(package("tensorflow", "2.12.1"), package("onnxruntime-gpu", "1.20.0"))
    (error,) = errors(Alignment(chosen, gpu("12.8"), lambda _: False))
    assert error.message.startswith("tensorflow 2.12.1 is made for CUDA 11.8, but the target")
    assert error.hint is not None
    assert error.hint.startswith("tensorflow>=2.18 is made for CUDA 12 (whether all agrees")


# --- notices -------------------------------------------------------------------------------------


def test_a_later_release_is_told_with_its_driver() -> None:
    alignment = aligned("12.5", "torch==2.10.0")
    (notice,) = notices(alignment, extras_of)
    assert notice.message == (
        "torch 2.10.0 (CUDA 12.8): newer than the target's CUDA 12.5, so code that is PTX takes "
        "the driver of that release (570.26)"
    )
    assert notice.hint == 'pin an older version, or have cuda = "12.8" in the target'
    assert told(aligned("12.8", "torch==2.10.0")) == []
    (notice,) = notices(aligned("12.8", "tensorflow[and-cuda]==2.20.0"), extras_of)
    assert notice.message.startswith("nvidia-cuda-nvrtc-cu12 12.9.86 (CUDA 12.9): newer than the")


@pytest.mark.parametrize(
    ("cuda", "asked", "brings"),
    [
        ("12.8", "tensorflow==2.21.0", "tensorflow[and-cuda]"),
        ("13.2", "jax", "jax[cuda13]"),
        ("13.2", "cupy-cuda13x", "cupy-cuda13x[ctk]"),
        ("12.8", "onnxruntime-gpu", "onnxruntime-gpu[cuda,cudnn]"),
    ],
)
def test_a_framework_without_its_libraries_is_told(cuda: str, asked: str, brings: str) -> None:
    (notice,) = notices(aligned(cuda, asked), extras_of)
    assert "it uses CUDA if the server has it" in notice.message
    assert notice.hint is not None
    assert notice.hint.startswith(f"ask for {brings}, or say `cuda = false` in [packages.")
    assert not any("is locked without" in each for each in told(aligned(cuda, brings)))
    assert told(aligned(None, asked)) == []
    assert told(aligned(cuda, asked, exempt=[asked.partition("=")[0]])) == []


def test_of_extras_only_those_are_told_that_are_there() -> None:
    (notice,) = notices(aligned("11.8", "tensorflow==2.12.1"), extras_of)
    assert notice.hint == (
        "ask for the libraries that it uses, such as nvidia-cuda-runtime-cu11, too, or say "
        "`cuda = false` in [packages.tensorflow]"
    )
    assert told(aligned("11.8", "jax")) == []  # nobody knows of a plugin that it could load


def test_a_build_without_cuda_is_told() -> None:
    chosen = lock(package("torch", "2.7.0+cpu"), package("torchvision", "0.22.0+cpu"))
    (notice,) = notices(Alignment(chosen, gpu("12.8"), lambda _: False), extras_of)
    assert notice.message == (
        "torch 2.7.0+cpu and torchvision 0.22.0+cpu are made without CUDA, and the target has "
        "CUDA 12.8"
    )


def test_each_step_says_what_its_package_is_made_for() -> None:
    chosen = lock_of("torch==2.14.1")
    steps = tuple(
        Step(action="fetch", package=each, file=each.wheels[0], reason="it fits")
        for each in chosen.packages
    )
    planned = Planned(
        target=gpu("13.2"),
        images=images(),
        interpreter=interpreter(),
        lock=chosen,
        plan=Plan(target="gpu", steps=steps),
    )
    torch = NormalizedName("torch")
    shown = [to_text(line) for line in explain_lines(planned, [torch])]
    reason = "requires cuda-toolkit==13.0.3 and 4 more of CUDA 13"
    assert f"  {'made for':32}CUDA 13.0: {reason}" in shown
    (data,) = explain_data(planned, [torch])["packages"]
    assert data["made-for"] == [{"cuda": "13.0", "reason": reason}]
    (data,) = explain_data(planned, [NormalizedName("cuda-bindings")])["packages"]
    assert data["made-for"] == []


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "major", "other"),
    [
        ("jax[cuda12]", 13, "jax[cuda13]"),
        ("jax[cuda12-local]", 13, "jax[cuda13-local]"),
        ("jax[cuda]", 13, "jax[cuda13]"),
        ("jax[cuda]", 12, None),
        ("cupy-cuda12x", 13, "cupy-cuda13x"),
        ("nvidia-dali-cuda120", 13, "nvidia-dali-cuda130"),
        ("nvidia-cublas-cu12", 13, "nvidia-cublas"),
        ("nvidia-cublas", 12, "nvidia-cublas-cu12"),
        ("nvidia-cudnn-cu12", 13, "nvidia-cudnn-cu13"),
        ("jax[cuda13]", 13, None),
        ("torch", 13, None),
    ],
)
def test_the_same_for_another_cuda(text: str, major: int, other: str | None) -> None:
    assert renumbered(text, major) == other


def test_the_table_is_whole() -> None:
    known = {(each.major, each.minor) for each in releases()}
    for framework in frameworks().values():
        for each in framework.made:
            assert {bound.operator for bound in each.versions} == {">=", "<"}
            if not framework.metadata and each.cuda.minor is not None:
                assert (each.cuda.major, each.cuda.minor) in known
        limits = sorted(
            (Version(bound.version), bound.operator)
            for each in framework.made
            for bound in each.versions
        )
        # Each range ends where the next one begins: no version is of two, or of none.
        assert [version for version, _ in limits[1:-1:2]] == [
            version for version, _ in limits[2:-1:2]
        ]
    assert frameworks()[canonicalize_name("tensorflow")].of(Version("2.11.1")) is not None
    assert {each.requirement for each in extras(12)} >= {"jax[cuda12]", "tensorflow[and-cuda]"}


@pytest.mark.parametrize(
    ("version", "cuda", "cudnn"),
    [("2.10.1", "11.2", "8.1.0"), ("2.15.1", "12.2", "8.9.4.25"), ("2.20.0", "12.5", "9.28.0.42")],
)
def test_tensorflows_own_table(version: str, cuda: str, cudnn: str) -> None:
    made = frameworks()[canonicalize_name("tensorflow")].of(Version(version))
    assert made is not None
    assert made.cuda == Release.parse(cuda)
    assert made.cudnn is not None
    assert made.cudnn.contains(cudnn)
    assert not (made.cudnn & SpecifierSet("<8")).contains(cudnn)
