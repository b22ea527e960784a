"""scikit-learn estimators."""

from affekt.estimators.classifier import EmotionClassifier, EmotionEmbedder

__all__ = ["EmotionClassifier", "EmotionEmbedder"]
