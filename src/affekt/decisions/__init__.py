"""From logits to decisions: calibration and thresholds, fitted on dev."""

from affekt.decisions.fitting import Calibration, Decisions, fit, fit_calibration, fit_thresholds

__all__ = ["Calibration", "Decisions", "fit", "fit_calibration", "fit_thresholds"]
