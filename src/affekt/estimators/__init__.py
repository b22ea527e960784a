"""scikit-learn estimators."""

from affekt.estimators.classifier import EmotionClassifier
from affekt.estimators.embedder import EmotionEmbedder

__all__ = ["EmotionClassifier", "EmotionEmbedder"]
