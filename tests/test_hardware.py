"""What is said of the machine, and what is asked of its libraries."""

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from affekt import hardware
from affekt.encoders import fast
from affekt.errors import UsageError
from affekt.evaluation.clustering import k_means
from affekt.explore.projection import project


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """A processor of one's own."""
    place = tmp_path / "cpuinfo"
    monkeypatch.setattr(hardware, "_CPUINFO", place)

    def write(fields: dict[str, str]) -> None:
        place.write_text("".join(f"{key}\t: {value}\n" for key, value in fields.items()))

    return write


def test_a_field_of_the_processor_is_read_by_its_whole_name(cpuinfo):
    cpuinfo({"model": "17", "model name": "AMD EPYC"})
    assert hardware.processor_field("model name") == "AMD EPYC"
    assert hardware.processor_field("model") == "17"
    assert hardware.processor_field("stepping") is None


def test_two_generations_of_one_name_are_told_apart(cpuinfo):
    cpuinfo({"model name": "AMD EPYC", "cpu family": "25", "model": "17"})
    assert hardware.hardware()["cpu"] == "AMD EPYC (family 25, model 17)"
    cpuinfo({"model name": "Cortex"})
    assert hardware.hardware()["cpu"] == "Cortex"


def test_without_the_file_nothing_is_known(cpuinfo):
    assert hardware.processor_field("model name") is None
    assert hardware.hardware()["cpu"]  # the platform's own word for it


@pytest.mark.parametrize("field", ["flags", "Features"])
def test_bfloat16_is_refused_on_a_processor_that_has_none(cpuinfo, monkeypatch, field):
    monkeypatch.setattr(fast.torch.cuda, "is_available", lambda: False)
    cpuinfo({field: "fpu sse2 avx2"})
    for device in ("auto", "cpu"):
        with pytest.raises(UsageError, match=r"training\.precision = 'bfloat16': this processor has no ari"):
            hardware.chosen_precision("bfloat16", device)
    hardware.chosen_precision("float32", "auto")
    hardware.chosen_precision("bfloat16", "cuda")
    cpuinfo({field: "fpu avx512_bf16 bf16"})
    hardware.chosen_precision("bfloat16", "auto")
    cpuinfo({})  # says nothing, so nothing is known
    hardware.chosen_precision("bfloat16", "auto")


def test_bfloat16_is_taken_where_a_gpu_computes(cpuinfo, monkeypatch):
    monkeypatch.setattr(fast.torch.cuda, "is_available", lambda: True)
    cpuinfo({"flags": "fpu"})
    hardware.chosen_precision("bfloat16", "auto")
    with pytest.raises(UsageError):
        hardware.chosen_precision("bfloat16", "cpu")


@pytest.mark.parametrize(
    ("flags", "device", "chosen"),
    [
        ("fpu amx_bf16", "auto", "bfloat16"),
        ("fpu avx2", "auto", "float32"),
        ("fpu avx2", "cpu", "float32"),
        ("", "cpu", "float32"),  # says nothing, so float32 is safe
        ("fpu amx_bf16", "mps", "float32"),
    ],
)
def test_auto_is_bfloat16_only_where_the_processor_has_it(cpuinfo, monkeypatch, flags, device, chosen):
    monkeypatch.setattr(fast.torch.cuda, "is_available", lambda: False)
    cpuinfo({"flags": flags})
    assert hardware.chosen_precision("auto", device) == chosen


@pytest.mark.parametrize(("able", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_gpu_that_trains(cpuinfo, monkeypatch, able, chosen):
    monkeypatch.setattr(fast.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(fast.torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    cpuinfo({"flags": "fpu"})
    assert hardware.chosen_precision("auto", "auto") == chosen
    assert hardware.chosen_precision("auto", "cuda:0") == chosen
    assert hardware.chosen_precision("auto", "cpu") == "float32"


@pytest.mark.skipif(not fast.torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize(
    ("vendor", "family", "faster"),
    [
        ("AuthenticAMD", "26", True),
        ("AuthenticAMD", "25", False),
        ("GenuineIntel", "6", False),
        ("AuthenticAMD", "unknown", False),
    ],
)
def test_float32_products_go_through_onednn_from_zen_5_on(cpuinfo, vendor, family, faster):
    cpuinfo({"vendor_id": vendor, "cpu family": family})
    assert fast._onednn_is_faster.__wrapped__() is faster


def _caches_after_import(**environment: str) -> list[str]:
    code = (
        "import os, affekt.encoders;"
        "print(os.environ['LRU_CACHE_CAPACITY'], os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    )
    kept = {k: v for k, v in os.environ.items() if not k.endswith("CACHE_CAPACITY")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_kernel_caches_are_small_unless_the_user_says_otherwise():
    assert _caches_after_import() == ["16", "64"]
    assert _caches_after_import(LRU_CACHE_CAPACITY="500") == ["500", "64"]


def _threads() -> set[int]:
    """How many threads each library with OpenMP would take."""
    import sklearn.cluster  # noqa: F401  which brings its own

    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}


def test_few_rows_take_one_thread_and_many_no_more_than_there_were():
    with threadpool_limits(3, user_api="openmp"):
        for rows, threads in ((0, 1), (60, 1), (9_999, 1), (10_000, 2), (15_000, 3), (10**6, 3)):
            with hardware.threads_that_pay(rows):
                assert (rows, _threads()) == (rows, {threads})
            assert _threads() == {3}
    with threadpool_limits(1, user_api="openmp"), hardware.threads_that_pay(10**6):
        assert _threads() == {1}


def test_threads_are_given_back_after_a_fault():
    with threadpool_limits(2, user_api="openmp"):
        with pytest.raises(KeyError), hardware.threads_that_pay(1):
            raise KeyError
        assert _threads() == {2}


def test_the_loops_of_t_sne_and_k_means_run_on_as_many_as_pay(monkeypatch):
    """Where other work has a core, two threads took five times as long as one for a map of 300 texts."""
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    met = []
    for kind, name in ((TSNE, "fit_transform"), (KMeans, "fit_predict")):
        monkeypatch.setattr(kind, name, lambda self, rows: met.append(_threads()) or np.zeros((len(rows), 2)))
    vectors = np.random.default_rng(0).normal(size=(20, 4))
    with threadpool_limits(2, user_api="openmp"):
        project(vectors)
        k_means(vectors, 2, seed=0)
    assert met == [{1}, {1}]
