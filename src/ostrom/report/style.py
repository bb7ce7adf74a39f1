"""The page's looks: light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark;
  --paper: #fbf9f5; --card: #ffffff; --ink: #211f1c; --quiet: #6b655d; --rule: #e4dfd6;
  --own: #0a6aa6; --theirs: #b34f06; --good: #12694a; --bad: #a8321a; --tint: #eef4f8; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #151617; --card: #1d1f21; --ink: #ecebe8; --quiet: #a19c94; --rule: #34363a;
  --own: #6db8e8; --theirs: #ee9a55; --good: #67cfa0; --bad: #f28b74; --tint: #1c2a34; }
  figure img { filter: brightness(.9); } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 4.5rem; }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Charter, Georgia, serif;
  font-weight: 600; letter-spacing: -.01em; text-wrap: balance; }
h1 { font-size: clamp(2.1rem, 5.4vw, 3.6rem); line-height: 1.1; margin: .4rem 0 1rem;
  max-width: 28ch; }
h1 b { color: var(--own); font-weight: 600; white-space: nowrap; }
h2 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; }
h3 { font-size: 1rem; margin: 2rem 0 .2rem; }
section { margin-top: 4.5rem; }
p { max-width: 68ch; margin: .4rem 0 1rem; }
.eyebrow { margin: 0; color: var(--quiet); font-size: .82rem; letter-spacing: .09em;
  text-transform: uppercase; }
.lede { font-size: 1.15rem; color: var(--quiet); }
.note { color: var(--quiet); font-size: .9rem; }
a { color: var(--own); }
.verdict { display: inline-flex; align-items: center; gap: .55rem; margin: .4rem 0 0;
  padding: .35rem .95rem .35rem .75rem; border: 1.5px solid; border-radius: 2rem;
  font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.versus { margin: 2.4rem 0 0; }
.versus div { display: grid; grid-template-columns: 18rem 1fr 5rem; gap: 0 1rem;
  align-items: center; padding: .3rem 0; }
.versus b { font-variant-numeric: tabular-nums; text-align: right; }
.bar { display: block; width: 100%; height: 1rem; border-radius: .25rem; overflow: hidden; }
.bar .track { fill: var(--rule); }
.bar.own rect:not(.track) { fill: var(--own); } .own-text { color: var(--own); }
.bar.theirs rect:not(.track) { fill: var(--theirs); } .theirs-text { color: var(--theirs); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr));
  margin: 3rem 0 0; border-top: 1px solid var(--rule); }
.figures div { padding: 1rem 1rem 1rem 0; border-bottom: 1px solid var(--rule); }
.figures dt { color: var(--quiet); font-size: .82rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.figures small { display: block; color: var(--quiet); font-size: .8rem; font-weight: 400; }
.story { padding-left: 1.2rem; max-width: 68ch; } .story li { margin: .3rem 0; }
figure { margin: 1.2rem 0 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid var(--rule);
  border-radius: .6rem; background: #fdfcfa; }
figcaption { color: var(--quiet); font-size: .9rem; margin-top: .5rem; max-width: 68ch; }
.scroll { overflow-x: auto; margin: 1rem 0 0; border: 1px solid var(--rule);
  border-radius: .6rem; background: var(--card); }
.scroll:focus-visible { outline: 2px solid var(--own); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .7rem .9rem .3rem; color: var(--quiet); font-size: .85rem; }
th, td { padding: .42rem .6rem; text-align: left; white-space: nowrap;
  border-top: 1px solid var(--rule); }
thead th { color: var(--quiet); font-weight: 600; font-size: .78rem; vertical-align: bottom;
  border-top: 0; white-space: normal; line-height: 1.3; }
th:first-child { padding-left: .9rem; } td:last-child, th:last-child { padding-right: .9rem; }
tbody th { font-weight: 600; }
.n { text-align: right; }
tbody tr:hover { background: var(--tint); }
.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 20ch; }
.matrix td, .matrix th { padding: .3rem .5rem; text-align: center; }
.matrix .right { background: var(--tint); color: var(--own); font-weight: 700; }
.matrix .many { color: var(--theirs); font-weight: 700; }
.matrix .none { color: var(--quiet); }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace;
  font-size: .86em; overflow-wrap: anywhere; }
pre { margin: .5rem 0 1rem; padding: .9rem 1.1rem; border-radius: .6rem; background: var(--card);
  border: 1px solid var(--rule); white-space: pre-wrap; line-height: 1.55; }
.settings { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
  gap: 0 2rem; }
.settings div { display: flex; justify-content: space-between; gap: 1rem; padding: .35rem 0;
  border-bottom: 1px solid var(--rule); font-size: .9rem; }
.settings dt { color: var(--quiet); } .settings dd { margin: 0; text-align: right; }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--own); font-weight: 600; }
footer { margin-top: 5rem; padding-top: 1.4rem; padding-bottom: 4rem; color: var(--quiet);
  font-size: .88rem; border-top: 1px solid var(--rule); }
@media (max-width: 34rem) { header { padding-top: 2.5rem; }
  .versus div { grid-template: "label number" "bar bar" / 1fr max-content; gap: .1rem 1rem; }
  .versus span { grid-area: label; } .versus b { grid-area: number; }
  .versus svg { grid-area: bar; } }
@media print { :root { --paper: #fff; --card: #fff; --ink: #000; --quiet: #444; --rule: #bbb;
  --own: #0a6aa6; --theirs: #b34f06; --good: #12694a; --bad: #a8321a; --tint: #f2f2f2; }
  body { font-size: 10.5pt; } header { padding-top: 0; } section { margin-top: 1.6rem; }
  .scroll { overflow: visible; border-radius: 0; } table { font-size: 7.6pt; }
  th, td { padding: .2rem .4rem; } figure, tr, pre, .figures { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; } }
"""
