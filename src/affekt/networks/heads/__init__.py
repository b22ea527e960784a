"""Heads: from an encoded batch to label logits, or to the space a contrastive loss works in."""
