"""Make the text task of the coupled mode: `python -m benchmarks.onchain_passages`.

It reads the docstrings of NetworkX and SymPy (torch brings both) and writes the passages that
`ostrom.onchain.data` reads. The committed file was made of NetworkX 3.6.1 and SymPy 1.14.0; other
versions give other passages, so there is no reason to run it again.
"""

from __future__ import annotations

import ast
import importlib.util
import lzma
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from benchmarks.results import ROOT

TARGET = ROOT / "src" / "ostrom" / "onchain" / "passages.tsv.xz"
PACKAGES = ("networkx", "sympy")
"""The label of a passage is its package's place here."""

WORDS_MIN, WORDS_MAX = 14, 48
EACH_MAX = 1_400
"""So many passages a package, so that the file stays below 200 KB."""

_NO_PROSE = (">>>", "::", "---", "===", "___", "..", "`:", "|", "\\", "$", "http", "\t")


def main() -> None:
    """Write the passages of both packages, mixed by their digests."""
    rows = [
        f"{label}\t{passage}\n"
        for label, package in enumerate(PACKAGES)
        for passage in sorted(set(passages(package)), key=_digest)[:EACH_MAX]
    ]
    text = "".join(sorted(rows, key=_digest)).encode()
    TARGET.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(rows)} passages, {len(text):,} bytes, {TARGET.stat().st_size:,} packed")


def passages(package: str) -> Iterator[str]:
    """The paragraphs of prose in a package's docstrings that do not name the package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.origin is not None, f"{package} has no folder"
    for file in sorted(Path(spec.origin).parent.rglob("*.py")):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                    passage = " ".join(paragraph.split())
                    if is_prose(passage) and package not in passage.lower():
                        yield passage


def is_prose(passage: str) -> bool:
    """Whether it is one or more sentences in plain words, of a contribution's length."""
    words = re.findall(r"[a-z]+", passage.lower())
    sentences = passage[:1].isupper() and passage.endswith(".") and passage.isascii()
    fits = WORDS_MIN <= len(words) <= WORDS_MAX
    return sentences and fits and not any(sign in passage for sign in _NO_PROSE)


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


if __name__ == "__main__":
    main()
