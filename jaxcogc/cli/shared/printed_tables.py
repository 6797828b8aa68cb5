"""Tables on a terminal of any width: a number is never cut."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def new_table(title: str, caption: str = "") -> Table:
    """An empty table in the style of all."""
    return Table(
        title=title,
        caption=caption or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="dim",
    )


def print_table(console: Console, table: Table, *expendable: str) -> None:
    """Print a table; where it is too wide, cells fold between words, then columns are left out.

    Args:
      console: where to.
      table: as `new_table` makes it; it is changed.
      expendable: headers of columns that may be left out, the first one first; a line below the
        table says which were. What then is still too wide makes the lines longer than the
        terminal, which folds them.
    """
    dropped = []
    if _width(table, folded=False) > console.width:
        for header in expendable:
            if _width(table, folded=True) <= console.width:
                break
            for column in [column for column in table.columns if column.header == header]:
                table.columns.remove(column)
                dropped.append(" ".join(header.split()))
        for column in table.columns:
            column.no_wrap = False
    for column in table.columns:
        if not column.no_wrap:  # a word, or a client's name, is not cut either
            column.min_width = _longest(column, folded=True)
    if dropped:
        note = f"left out, for want of room: {', '.join(dropped)}"
        table.caption = f"{table.caption}\n{note}" if table.caption else note
    console.print(table, width=max(console.width, _width(table, folded=True)), crop=False)


def _width(table: Table, *, folded: bool) -> int:
    """Columns of text that the table takes, with its borders and a blank beside each of them."""
    widths = [_longest(column, folded=folded) for column in table.columns]
    return sum(widths) + 3 * len(widths) + 1


def _longest(column: Column, *, folded: bool) -> int:
    """The longest line of a column; where it may fold, the longest word."""
    cells = [column.header, *column._cells]
    texts = [cell.plain if isinstance(cell, Text) else str(cell) for cell in cells]
    whole = column.no_wrap and not folded
    parts = [part for text in texts for part in (text.splitlines() if whole else text.split())]
    return max(map(cell_len, parts), default=0)
