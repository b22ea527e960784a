"""CharBERT: word pieces read together with their characters."""

from affekt.encoders.charbert.encoder import CharBertEncoder

__all__ = ["CharBertEncoder"]
