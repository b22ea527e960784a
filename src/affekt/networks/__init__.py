"""Torch modules put together: an encoder with its heads."""

from affekt.errors import installed

with installed():
    import torch  # noqa: F401
