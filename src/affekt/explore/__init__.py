"""Texts without a question yet: groups, maps and what they hold."""
