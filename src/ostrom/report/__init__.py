"""What people look at after a run: pictures, one page, one table. Pure functions of a summary.

Nothing here reads a run or imports matplotlib before a picture is drawn.

>>> history_csv({"rounds": []}).startswith("round,void,accuracy")
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostrom.report.page import report_html
from ostrom.report.plots import contributions, curves, digits, save
from ostrom.report.tables import history_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure

__all__ = ["contributions", "curves", "digits", "history_csv", "report_html", "save"]
