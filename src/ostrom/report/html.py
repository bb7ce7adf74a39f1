"""HTML as values: what is not made here is text, and text is escaped when it is put in."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias


class Html(str):
    """Markup that is safe to put into a page."""

    __slots__ = ()


Content: TypeAlias = "Html | str | int | float | Iterable[Content]"


def render(content: Content) -> Html:
    """Markup from text (escaped), numbers, markup, or many of them.

    >>> render(["a < b", Html("<br>"), 3])
    'a &lt; b<br>3'
    """
    if isinstance(content, Html):
        return content
    if isinstance(content, (str, int, float)):
        return Html(escape(str(content), quote=True))
    return Html("".join(render(part) for part in content))


def tag(name: str, /, *content: Content, **attributes: str | int) -> Html:
    """An element. `class_` and `aria_label` become `class` and `aria-label`.

    >>> tag("a", "x & y", href="?q=1&r='")
    '<a href="?q=1&amp;r=&#x27;">x &amp; y</a>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{given}>{render(content)}</{name}>")


def leaf(name: str, /, **attributes: str | int) -> Html:
    """An element that has no content, such as `img`.

    >>> leaf("img", alt="a", src="b")
    '<img alt="a" src="b">'
    """
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def data_uri(png: bytes) -> str:
    """A picture as an address that holds it.

    >>> data_uri(b"x")
    'data:image/png;base64,eA=='
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def table(
    caption: str, head: Sequence[Content], rows: Iterable[Sequence[Content]], *, words: int = 1
) -> Html:
    """A table that scrolls sideways on small screens; the first `words` columns hold no numbers.

    Each row begins with its own header.
    """
    columns = tag(
        "tr", [tag("th", cell, scope="col", **_kind(i, words)) for i, cell in enumerate(head)]
    )
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", cell, **_kind(i, words)) for i, cell in enumerate(row[1:], 1)],
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", columns), tag("tbody", body))
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def _kind(index: int, words: int) -> dict[str, str]:
    return {} if index < words else {"class_": "n"}


def definitions(pairs: Iterable[tuple[Content, Content]], **attributes: str) -> Html:
    """Terms and what they are."""
    groups = [tag("div", tag("dt", term), tag("dd", value)) for term, value in pairs]
    return tag("dl", groups, **attributes)


def bar(share: float, kind: str) -> Html:
    """A bar of that share of its track; decoration beside a number that says the same."""
    width = round(100 * max(0.0, min(1.0, share)), 2)
    inner = Html(
        f'<rect width="100" height="10" class="track"/><rect width="{width}" height="10"/>'
    )
    return tag(
        "svg",
        inner,
        class_=f"bar {kind}",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
