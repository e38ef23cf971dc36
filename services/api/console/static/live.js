// What the console does beyond links and forms: fresh times, live pieces, dialogs, keys. Every page works without it.
"use strict";

const $ = (what, from = document) => from.querySelector(what);
const $$ = (what, from = document) => [...from.querySelectorAll(what)];

// ---- times: the server draws them once, the browser keeps them fresh ------------------------------------------
const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function ago(at) {
  const seconds = (Date.now() - Date.parse(at)) / 1000, far = Math.abs(seconds);
  if (seconds > -1 && far < 5) return "just now";
  const [size, word] = STEPS.find(([size]) => far >= size) || [1, "s"];
  const text = `${Math.floor(far / size)} ${word}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}
function freshen() {
  for (const time of $$("time[datetime]")) time.textContent = ago(time.dateTime);
}
setInterval(() => document.hidden || freshen(), 5000);

// ---- live pieces: `patch` names elements and their new HTML; `reset` means that too much was missed ----------
let stream = null;
function tell(state) {
  const live = $("#live");
  if (!live) return;
  live.dataset.state = state;
  live.textContent = state === "live" ? "live" : state === "lost" ? "reconnecting" : "not live";
}
function patch(pieces) {
  for (const [id, html] of Object.entries(pieces)) {
    const old = document.getElementById(id);
    if (!old) continue;
    const keep = old.contains(document.activeElement) ? document.activeElement.id : "";
    const place = document.createRange();
    place.selectNode(old); // a row is a row only where rows belong
    const fresh = place.createContextualFragment(html).firstElementChild;
    fresh.classList.add("fresh");
    const ticked = $("input[name=id]", old);
    if (ticked && ticked.checked) $("input[name=id]", fresh).checked = true;
    old.replaceWith(fresh);
    if (keep && document.getElementById(keep)) document.getElementById(keep).focus();
  }
}
async function refetch() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  $("main").replaceWith($("main", page));
  document.title = page.title;
  document.body.dataset.seen = page.body.dataset.seen;
  open();
}
function open() {
  close();
  const { live, seen } = document.body.dataset;
  if (!live || document.hidden) return;
  const address = new URL(live, location.href);
  address.searchParams.set("after", seen);
  const source = (stream = new EventSource(address));
  source.onopen = () => tell("live");
  source.onerror = () => {
    tell("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => stream === source && open(), 2000);
  };
  source.addEventListener("patch", (event) => {
    if (event.lastEventId) document.body.dataset.seen = event.lastEventId;
    const { title, icon, ...pieces } = JSON.parse(event.data);
    if (title) document.title = title;
    if (icon) $("#favicon").href = icon;
    patch(pieces);
  });
  source.addEventListener("reset", refetch);
}
function close() {
  if (stream) stream.close();
  stream = null;
  tell("off");
}
// A browser opens six connections to one address: a page that nobody looks at gives its own back.
document.addEventListener("visibilitychange", () => (document.hidden ? close() : (freshen(), open())));

// ---- dialogs: the page behind a link, shown above this one ---------------------------------------------------
async function show(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", page.title);
  dialog.append(...$("main", page).childNodes);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
document.addEventListener("click", (event) => {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest("a[data-dialog]");
  if (link) (event.preventDefault(), show(link.href));
  if (event.target.closest("[data-close]")) (event.preventDefault(), event.target.closest("dialog")?.close());
  if (event.target.closest("[data-help]")) show("/help");
});

// ---- keys: single ones, except while somebody types ----------------------------------------------------------
function move(step) {
  const rows = $$("#rows tr"), at = rows.findIndex((row) => row.ariaSelected === "true");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  if (!next) return;
  if (rows[at]) rows[at].ariaSelected = "false";
  next.ariaSelected = "true";
  next.scrollIntoView({ block: "nearest" });
}
const chosen = () => $("#rows tr[aria-selected=true]");
const KEYS = {
  "/": () => $("#q")?.focus(),
  "?": () => show("/help"),
  j: () => move(1),
  k: () => move(-1),
  Enter: () => chosen() && (location.href = chosen().dataset.href),
  x: () => chosen() && $("input[name=id]", chosen()).click(),
  R: () => $("[data-key=retry]")?.click(),
  S: () => $("[data-key=skip]")?.click(),
  C: () => $("[data-key=cancel]")?.click(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  if (event.key === "Enter" && event.target.closest("a, button")) return;
  if (KEYS[event.key]) (event.preventDefault(), KEYS[event.key]());
});

freshen();
open();
