"""What a figure was measured on."""

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affekt.errors import UsageError

ROWS_A_THREAD = 5_000
_CPUINFO = Path("/proc/cpuinfo")


def hardware(precision: str = "float32") -> dict[str, Any]:
    """Describe the processor, the threads, the GPU if one is used, and the arithmetic."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "precision": precision,
        "platform": platform.platform(),
        "torch": torch.__version__,
    }


def bound_kernel_caches(kernels: int = 64, shapes: int = 16) -> None:
    """Keep oneDNN from holding buffers for every width of batch it ever met; call before its first product.

    Texts come in many widths, and torch keeps kernels with their buffers for 1,024 shapes: half a gigabyte
    after 160 steps, and no faster. The first call stands, and before it a setting of the user's own.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(kernels))
    os.environ.setdefault("LRU_CACHE_CAPACITY", str(shapes))


def compute_alone_when_forked() -> None:
    """Let processes forked from this one compute with one thread each, from the next fork on.

    A forked process has no threads but its own, while torch would wait for those its parent had: for ever.
    """
    import torch

    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


@contextmanager
def threads_that_pay(rows: int) -> Iterator[None]:
    """Let scikit-learn's loops take no more threads than have `ROWS_A_THREAD` rows each, one at least.

    Its threads meet after each of thousands of short steps, and wait for one another by spinning. Where one
    of them has lost its core to other work, a step over few rows is over long before the wait is.
    """
    from threadpoolctl import ThreadpoolController

    pools = ThreadpoolController().select(user_api="openmp")
    taken = max(
        (pool["num_threads"] for pool in pools.info()), default=1
    )  # as the user, or the cores, have it
    with pools.limit(limits=min(taken, max(1, rows // ROWS_A_THREAD))):
        yield


def chosen_precision(precision: str, device: str) -> str:
    """Return float32 or bfloat16; auto is bfloat16 only where what trains is known to compute in it.

    Args:
        precision: The recipe's `training.precision`.
        device: The recipe's `training.device`.

    Raises:
        UsageError: When bfloat16 is asked of a processor that says what it can do, and this is not in it: a
            step would take a hundred times as long.
    """
    if precision == "float32":
        return precision
    import torch

    told = processor_field("flags") or processor_field("Features") or ""  # x86 and ARM
    able = bool({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"} & set(told.split()))
    cuda = torch.cuda.is_available()
    elsewhere = device not in {"auto", "cpu"} or (device == "auto" and cuda)
    if precision == "auto":
        able = (cuda and torch.cuda.is_bf16_supported(including_emulation=False)) if elsewhere else able
        return "bfloat16" if able else "float32"
    if told and not able and not elsewhere:
        raise UsageError(
            "training.precision = 'bfloat16': this processor has no arithmetic for it and would take a "
            "hundred times as long; set training.precision to float32."
        )
    return precision


def processor_field(name: str) -> str | None:
    """Return what Linux says of the processor under a name, such as "model name" or "cpu family"."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return None


def _processor() -> str:
    """Name the processor; family and model tell generations apart whose names are alike."""
    name = processor_field("model name")
    if name is None:
        return platform.processor() or platform.machine()
    family, model = processor_field("cpu family"), processor_field("model")
    return f"{name} (family {family}, model {model})" if family and model else name


def peak_memory_mb() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if platform.system() != "Darwin" else peak / 1024**2
