// How the dialog looks: a stylesheet made by a script, which a page's policy lets pass; it ends at the shadow root.
// Sizes are pixels, because a rem is the page's.

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { all: initial !important; display: contents !important; }
dialog {
  color-scheme: light dark;
  --ground: #faf7f5; --card: #fff; --ink: #241c22; --quiet: #675c65; --line-colour: #e6dde1;
  --accent: #6d2a5b; --on-accent: #fff; --soft: #f6e9f0; --good: #1c6b45; --fair: #865400; --poor: #a5352a;
  box-sizing: border-box; width: min(540px, calc(100vw - 24px)); max-height: calc(100dvh - 24px); padding: 22px;
  border: 1px solid var(--line-colour); border-radius: 18px; background: var(--card); color: var(--ink);
  box-shadow: 0 8px 40px rgb(30 10 25 / .35); overflow-wrap: anywhere; scroll-padding-bottom: 120px;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
}
@media (prefers-color-scheme: dark) {
  dialog {
    --ground: #171317; --card: #221c22; --ink: #f3ebf0; --quiet: #b9abb5; --line-colour: #3b313a;
    --accent: #f0b3d3; --on-accent: #3a1030; --soft: #38232f; --good: #7fd6a8; --fair: #f0bf6a; --poor: #ff9f92;
  }
}
dialog::backdrop { background: rgb(25 15 22 / .6); }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h2 { display: flex; align-items: center; gap: 10px; margin: 0; font-size: 21px; line-height: 1.25; letter-spacing: -.01em; }
h2:focus-visible { outline: none; }
h2 svg { width: 30px; height: 30px; flex: none; }
svg { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
[data-word="strong"] { color: var(--good); }
[data-word="partial"] { color: var(--fair); }
[data-word="weak"], [data-word="none"] { color: var(--poor); }
p { margin: 6px 0 0; text-wrap: pretty; }
.quiet { color: var(--quiet); font-size: 13.5px; }
.row { display: flex; justify-content: space-between; gap: 12px; }
.row .quiet { white-space: nowrap; }
.view { display: grid; place-items: center; margin: 14px 0; min-height: 64px; border-radius: 14px; overflow: hidden; background: var(--soft); }
.view canvas { display: block; width: auto; height: auto; max-width: 100%; max-height: min(44vh, 400px); }
.view p { margin: 0; padding: 16px; text-align: center; }
.compared { position: relative; }
.compared canvas.before { position: absolute; inset: 0; width: 100%; height: 100%; max-height: none; clip-path: inset(0 calc(100% - var(--line)) 0 0); }
.compared .line { position: absolute; top: 0; bottom: 0; left: var(--line); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 6px rgb(0 0 0 / .5); }
.compared .line::after { content: ""; position: absolute; top: 50%; left: 50%; width: 34px; height: 34px; margin: -17px; border-radius: 50%; background: #fff linear-gradient(#6d2a5b, #6d2a5b) center / 12px 2px no-repeat; box-shadow: 0 1px 8px rgb(0 0 0 / .45); }
.compared .label { position: absolute; top: 10px; left: 10px; padding: 2px 11px; border-radius: 999px; background: rgb(25 15 22 / .78); color: #fff; font-size: 12.5px; }
.compared .label.after { left: auto; right: 10px; }
.compared input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; touch-action: pan-y; }
.compared:has(input:focus-visible) { outline: 3px solid var(--accent); outline-offset: -3px; }
progress { width: 100%; height: 10px; margin: 4px 0; accent-color: var(--accent); }
ol { display: flex; gap: 8px; margin: 14px 0 0; padding: 3px 3px 8px; overflow-x: auto; list-style: none; }
.photo { display: grid; align-content: start; gap: 3px; width: 96px; height: 100%; padding: 5px; border: 2px solid var(--line-colour); border-radius: 12px; background: var(--card); color: var(--ink); font: inherit; font-size: 12px; line-height: 1.3; text-align: left; cursor: pointer; }
.photo[aria-current="true"] { border-color: var(--accent); background: var(--soft); }
.photo canvas, .photo .blank { display: block; width: 100%; height: 82px; object-fit: cover; border-radius: 8px; background: var(--soft); }
.choices { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 14px; }
button.plain { min-height: 42px; padding: 6px 18px; border: 1px solid var(--line-colour); border-radius: 999px; background: var(--card); color: var(--ink); font: inherit; font-weight: 600; cursor: pointer; transition: background .15s; }
button.plain:hover { background: var(--soft); }
button.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
button.primary:hover { background: var(--accent); filter: brightness(1.12); }
button.small { min-height: 34px; padding: 3px 13px; font-size: 13.5px; font-weight: 500; }
button[aria-pressed="true"] { border-color: var(--accent); background: var(--soft); }
button:disabled { opacity: .5; cursor: default; }
label { display: flex; align-items: center; gap: 8px; margin-top: 10px; font-weight: 600; }
select { padding: 6px 10px; border: 1px solid var(--quiet); border-radius: 10px; background: var(--ground); color: var(--ink); font: inherit; }
.footer { position: sticky; bottom: -22px; margin: 6px -4px 0; padding: 8px 4px; background: var(--card); }
@media (max-width: 480px) {
  dialog { padding: 16px; }
  .view canvas { max-height: 34vh; }
  .footer { bottom: -16px; }
  .footer .plain { flex: 1 1 auto; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`);
