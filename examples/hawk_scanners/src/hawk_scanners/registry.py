"""What Inspect finds through the entry point `hawk_scanners`."""

from hawk_scanners.model import HawkScannersModel, hawk_scanners
from hawk_scanners.scanners import mentions, polite, variable

__all__ = ["HawkScannersModel", "hawk_scanners", "mentions", "polite", "variable"]
