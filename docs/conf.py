"""How the documentation is built: `make docs`. Without a network; every warning is an error."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import mathml
import reference_pages
import speed_tables

import jaxcogc

project = "jaxcogc"
author = "the authors of jaxcogc"
version = release = jaxcogc.__version__

extensions = [
    "myst_nb",  # MyST, and notebooks that run while the pages are made
    "mathml",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.autosectionlabel",
]
html_theme = "furo"
html_title = f"jaxcogc {version}"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "dollarmath"]
myst_update_mathjax = False
html_math_renderer = "mathml"
html_static_path = ["style", str(mathml.FONT)]
html_css_files = ["pages.css"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autosectionlabel_prefix_document = True
autosectionlabel_maxdepth = 2
nitpicky = True
nitpick_ignore_regex = [
    # Types in signatures: other projects' pages cannot be asked, and some have no public name.
    ("py:class", r"(?!jaxcogc\.).*|jaxcogc(\.\w+){3,}"),
]
default_role = "code"

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_use_ivar = True
napoleon_attr_annotations = False

_SOURCE = re.compile(r'docs/([\w/]+)\.md, ((?:"[^"]+"(?: and )?)+)')


def _as_rst(text: str) -> str:
    """A docstring's line in reStructuredText: its bars and stars are text, its sources links."""
    bullet, rest = re.fullmatch(r"(\s*\* )?(.*)", text).groups("")
    pieces = re.split(r"(``?[^`]+``?)", rest)
    pieces[::2] = [re.sub(r"([|*])", r"\\\1", piece) for piece in pieces[::2]]
    return _SOURCE.sub(
        lambda found: re.sub(r'"([^"]+)"', rf":ref:`{found[1]}:\1`", found[2]),
        bullet + "".join(pieces),
    )


def _read_docstring(app: Any, what: str, name: str, value: Any, options: Any, lines: Any) -> None:
    joined = _join_sources(lines)
    lines[:] = [
        line if line.lstrip().startswith((">>>", "...")) else _as_rst(line) for line in joined
    ]


def _join_sources(lines: list[str]) -> list[str]:
    """A source that goes on in the next line, in one."""
    joined: list[str] = []
    for line in lines:
        if joined and re.search(r'docs/[\w/]+\.md,(?: "[^"]*)?$', joined[-1]):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def _skip_member(
    app: Any, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of named tuples, which the class itself describes, and what Matplotlib adds."""
    foreign = (getattr(value, "__module__", None) or "").startswith("matplotlib")
    return True if foreign or type(value).__name__ == "_tuplegetter" else None


def _all_are_there(app: Any, error: Exception | None) -> None:
    """The build fails where a public name is described nowhere."""
    if error is not None or app.builder.format != "html":
        return
    described = set(app.env.domains["py"].objects)
    for package in reference_pages.folders():
        for name in reference_pages.public_names(package):
            if name.path not in described:
                raise SystemExit(f"the reference lacks {name.path}")


def setup(app: Any) -> None:
    """Make the pages of the reference before they are read."""
    generated = Path(__file__).parent / "reference" / "generated"
    reference_pages.write_pages(generated, {"speed.txt": speed_tables.page()})
    app.connect("autodoc-process-docstring", _read_docstring, priority=400)
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("build-finished", _all_are_there)
