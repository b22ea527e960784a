"""Numbers in, numbers out: how good decisions, probabilities and spaces are.

Functions of arrays (lists and tensors will do) that return plain dicts of floats. Nothing here needs torch.
"""

from affekt.evaluation.calibration import calibration
from affekt.evaluation.classification import classification, classification_intervals
from affekt.evaluation.clustering import agreement, clustering
from affekt.evaluation.coverage import risk_coverage
from affekt.evaluation.intervals import Interval, bootstrap, paired_bootstrap
from affekt.evaluation.repeats import Repeated, repeated_classification
from affekt.evaluation.retrieval import retrieval
from affekt.evaluation.shift import effective_rank, space_shift

__all__ = [
    "Interval",
    "Repeated",
    "agreement",
    "bootstrap",
    "calibration",
    "classification",
    "classification_intervals",
    "clustering",
    "effective_rank",
    "paired_bootstrap",
    "repeated_classification",
    "retrieval",
    "risk_coverage",
    "space_shift",
]
