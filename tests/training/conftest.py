"""Fixtures of the training tests."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from training.toys import sample_files


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The data section of a recipe: 42 texts to train on, 24 for dev and 24 for test, six emotions."""
    return sample_files(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors on many threads are slower, and figures are compared bit for bit."""
    before = torch.get_num_threads()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
