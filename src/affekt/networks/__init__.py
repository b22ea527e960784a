"""Torch modules put together: an encoder with its heads."""
