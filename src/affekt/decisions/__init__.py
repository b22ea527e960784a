"""From logits to decisions: calibration and thresholds, fitted on dev."""

from affekt.decisions.fitting import check_calibration, fit, fit_calibration, fit_thresholds
from affekt.decisions.rules import Calibration, Decisions

__all__ = ["Calibration", "Decisions", "check_calibration", "fit", "fit_calibration", "fit_thresholds"]
