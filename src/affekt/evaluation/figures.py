"""Every figure that affekt gives, once: what it is called, which way is better, how it is written.

Pages, tables, logs and early stopping ask here. A new figure is a line here, and the function that gives it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Figure:
    """What there is to say of a figure wherever it is shown."""

    key: str  # its name in metrics.json and in what the functions of `affekt.evaluation` return
    title: str  # what people call it
    better: Better | None = "higher"  # None where neither way is
    form: Literal["number", "small", "count"] = "number"  # written with three decimals, with four, whole
    short: str = ""  # its name at the head of a narrow column
    says_accuracy: bool = False  # once more, where each text has one label
    undefined: float | None = None  # stands for "not defined here", as of a space fallen into one point

    def says(self, value: float) -> bool:
        """Whether a value is a figure at all: a finite number, and not the one for "undefined"."""
        return math.isfinite(value) and value != self.undefined

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than an earlier one, which may be none; an undefined one never is."""
        if self.better is None or not self.says(value):
            return False
        if than is None or not self.says(than):
            return True
        return value < than if self.better == "lower" else value > than

    def best(self, values: Iterable[float]) -> float | None:
        """Return the best of several values; None where they are alike or neither way is better."""
        said = [value for value in values if self.says(value)]
        if self.better is None or len(set(said)) < 2:
            return None
        return min(said) if self.better == "lower" else max(said)


FIGURES = {
    one.key: one
    for one in (
        # of decisions
        Figure("f1_macro", "Macro F1", short="macro-F1"),
        Figure("f1_micro", "Micro F1", says_accuracy=True),
        Figure("f1_weighted", "Weighted F1"),
        Figure("f1_std", "F1 spread over labels", better=None),
        Figure("accuracy", "Accuracy"),
        Figure("jaccard", "Jaccard", says_accuracy=True),
        Figure("jaccard_empty_zero", "Jaccard, empty rows 0", says_accuracy=True),
        Figure("hamming", "Wrong entries (Hamming)", "lower", says_accuracy=True),
        Figure("precision_macro", "Macro precision"),
        Figure("precision_micro", "Micro precision", says_accuracy=True),
        Figure("recall_macro", "Macro recall"),
        Figure("recall_micro", "Micro recall", says_accuracy=True),
        Figure("kappa", "Cohen’s kappa"),
        Figure("mcc", "Matthews correlation"),
        Figure("never_predicted", "Labels never predicted", "lower", "count"),
        # of one label
        Figure("precision", "Precision"),
        Figure("recall", "Recall"),
        Figure("f1", "F1"),
        Figure("support", "True texts", None, "count"),
        Figure("predicted", "Predicted texts", None, "count"),
        # of probabilities
        Figure("average_precision_macro", "Macro average precision"),
        Figure("roc_auc_macro", "Macro ROC AUC"),
        Figure("loss", "Loss", "lower"),
        Figure("ece", "Calibration error (ECE)", "lower"),
        Figure("ece_macro", "Calibration error, mean over labels", "lower"),
        Figure("mce", "Largest calibration gap", "lower"),
        Figure("brier", "Brier score", "lower"),
        Figure("risk", "Risk of all rows", "lower"),
        Figure("aurc", "Mean risk, the surest rows first (AURC)", "lower"),
        # of groups in a space
        Figure("silhouette", "Silhouette", short="silhouette", undefined=0.0),
        Figure("silhouette_labels", "Silhouette of the true labels", undefined=0.0),
        Figure("davies_bouldin", "Davies–Bouldin", "lower", short="Davies-Bouldin", undefined=0.0),
        Figure("davies_bouldin_labels", "Davies–Bouldin of the true labels", "lower", undefined=0.0),
        Figure("ami", "Adjusted mutual information", short="AMI"),
        Figure("ari", "Adjusted Rand index", short="ARI"),
        Figure("fms", "Fowlkes–Mallows", short="FMS"),
        Figure("v_measure", "V-measure", short="V-measure"),
        # of neighbours in a space
        Figure("mrr", "Mean reciprocal rank", short="MRR"),
        Figure("precision_at_1", "Precision at 1", short="P@1"),
        Figure("map_at_r", "MAP@R", short="MAP@R"),
        Figure("ndcg_at_10", "nDCG@10"),
        Figure("overlap_mrr", "Mean reciprocal rank, any shared label"),
        Figure("overlap_precision_at_1", "Precision at 1, any shared label"),
        Figure("overlap_map_at_r", "MAP@R, any shared label"),
        Figure("overlap_ndcg_at_10", "nDCG@10, any shared label"),
        # of a space beside the one it began as
        Figure("mean_squared_difference", "Space shift (Δemb)", "lower", "small", short="Δemb"),
        Figure("mean_cosine", "Cosine to the starting encoder"),
        Figure("effective_rank", "Effective rank"),
        Figure("starting_rank", "Effective rank at the start", better=None),
        # of what figures are taken
        Figure("n", "Rows", None, "count"),
        Figure("overlap_n", "Rows that share a label", None, "count"),
        Figure("clusters", "Clusters asked for", None, "count"),
        Figure("clusters_found", "Clusters found", None, "count"),
        Figure("dimension", "Dimensions", None, "count"),
    )
}

# they head tables and charts, in this order
MAIN = ("f1_macro", "f1_micro", "f1_weighted", "jaccard", "accuracy", "precision_macro", "recall_macro")

# what is said first of a classifier and tested between two, by whether each text has one label
HEADLINES = {
    True: ("accuracy", "f1_macro", "f1_weighted"),
    False: ("f1_macro", "f1_micro", "jaccard", "accuracy"),
}

# what a log's line and a saved model have room for
BRIEF = ("f1_macro", "f1_micro", "accuracy", "jaccard", "ami", "map_at_r")

# those of a space that are shown beside other spaces'
SPACE = (
    "silhouette",
    "davies_bouldin",
    "ami",
    "ari",
    "fms",
    "v_measure",
    "mrr",
    "precision_at_1",
    "map_at_r",
    "overlap_map_at_r",
    "overlap_ndcg_at_10",
    "mean_squared_difference",
    "mean_cosine",
)


def figure(key: str) -> Figure:
    """Return a figure by its key; one that is not known loses its underscores and is better when higher.

    Of several corpora each has its own, as in "sst2.accuracy".
    """
    corpus, dot, own = key.rpartition(".")
    if dot and own in FIGURES:
        return replace(FIGURES[own], key=key, title=f"{FIGURES[own].title} ({corpus})")
    return FIGURES.get(key) or Figure(key, key.replace("_", " "))
