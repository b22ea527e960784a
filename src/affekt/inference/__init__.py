"""A model in use: it predicts, embeds, scores files and is evaluated."""
