"""What is said of the machine, and what is asked of its libraries."""

import os
import subprocess
import sys

import pytest

from affekt import hardware
from affekt.encoders import fast
from affekt.errors import UsageError


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
