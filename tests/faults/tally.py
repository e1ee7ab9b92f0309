"""What each fault did, for the table at the end of the run and in docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of fault, as often as it was put in."""

    fault: str
    injected: int
    #: That upload-complete answered with 200.
    photos: int
    lost: int
    doubled: int
    falsely_approved: int
    wrongly_shown: int
    #: From the fault's end (or the kill) to the last verdict that it held up.
    slowest_recovery_s: float | None = None
    note: str = ""


@dataclass
class Tally:
    """All rows of a run."""

    seed: str
    rows: list[Row] = field(default_factory=list)

    def table(self) -> Table:
        """Give the table, with the sums below."""
        table = Table(title=f"faults, seed {self.seed}", title_justify="left")
        table.add_column("fault")
        for name in (
            "injected",
            "photos",
            "lost",
            "doubled",
            "falsely approved",
            "wrongly shown",
            "recovery",
        ):
            table.add_column(name, justify="right")
        table.add_column("")
        for row in self.rows:
            table.add_row(row.fault, *_cells(row), row.note)
        table.add_section()
        table.add_row("all", *_cells(self.total()), "")
        return table

    def total(self) -> Row:
        """Add the rows up."""
        recoveries = [r.slowest_recovery_s for r in self.rows if r.slowest_recovery_s is not None]
        return Row(
            fault="all",
            injected=sum(row.injected for row in self.rows),
            photos=sum(row.photos for row in self.rows),
            lost=sum(row.lost for row in self.rows),
            doubled=sum(row.doubled for row in self.rows),
            falsely_approved=sum(row.falsely_approved for row in self.rows),
            wrongly_shown=sum(row.wrongly_shown for row in self.rows),
            slowest_recovery_s=max(recoveries, default=None),
        )

    def text(self) -> str:
        """Give the table as it is printed."""
        console = Console(width=150)
        with console.capture() as capture:
            console.print(self.table())
        return capture.get()


def _cells(row: Row) -> list[str]:
    recovery = "" if row.slowest_recovery_s is None else f"{row.slowest_recovery_s:.1f} s"
    numbers = (
        row.injected,
        row.photos,
        row.lost,
        row.doubled,
        row.falsely_approved,
        row.wrongly_shown,
    )
    return [*(f"{number:,}" for number in numbers), recovery]
