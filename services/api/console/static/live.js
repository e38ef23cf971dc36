// What comes to a page after it was loaded: fresh times, live pieces, lines of a log, the same page at another address.
// Every page works without it. What the reader's hands do is in hands.js.
"use strict";
const $ = (what, from = document) => from.querySelector(what);
const $$ = (what, from = document) => [...from.querySelectorAll(what)];
const ask = (address, more) => fetch(address, { headers: { Accept: "text/html" }, ...more }).catch(() => null);
const parse = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
const samePage = (address) => new URL(address, location).pathname === location.pathname;

// ---- times: the server draws them once, the browser keeps them fresh, in the words of span.py
function ago(seconds) {
  const far = Math.abs(seconds), units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, word] = units.find(([size]) => far >= size) || [1, "s"], text = `${Math.floor(far / size)} ${word}`;
  return seconds > -1 && seconds < 5 ? "just now" : seconds > 0 ? `${text} ago` : `in ${text}`;
}
function lasted(seconds) {
  const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  const two = (number) => String(number).padStart(2, "0");
  if (h >= 48) return `${Math.floor(h / 24)} d ${h % 24} h`;
  return h ? `${h} h ${two(m)} min` : m ? `${m} min ${two(s)} s` : `${s} s`;
}
function freshen() {
  const since = (at) => (Date.now() - Date.parse(at)) / 1000;
  for (const time of $$("time[datetime]")) time.textContent = ago(since(time.dateTime));
  for (const time of $$("[data-since]")) time.textContent = lasted(Math.max(0, since(time.dataset.since)));
}
setInterval(() => document.hidden || freshen(), 1000);

// ---- merging what is new into the page node by node: focus, scroll, ticks and what is typed stay
function merge(old, fresh, keep) {
  const control = old.nodeType === 1 && old.matches("input, select, textarea") && old !== document.activeElement;
  if (old.nodeName !== fresh.nodeName || (control && !keep)) return old.replaceWith(fresh);
  if (old.nodeType !== 1) return old.nodeValue === fresh.nodeValue || (old.nodeValue = fresh.nodeValue);
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !(keep && name === "open")) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const staying = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !staying.has(child.id)) child.remove();
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const found = next.id ? document.getElementById(next.id) : at?.id ? null : at;
    const same = found?.parentNode === old && found.nodeName === next.nodeName;
    if (same && found === at) at = at.nextSibling;
    else old.insertBefore(same ? found : next, at);
    if (same) merge(found, next, keep);
  }
  while (at) [at] = [at.nextSibling, at.remove()];
}
function patch({ title, icon, ...pieces }) {
  for (const [id, html] of Object.entries(pieces)) {
    const old = document.getElementById(id), place = document.createRange();
    if (!old) continue;
    place.selectNode(old); // a row is a row only where rows belong
    merge(old, place.createContextualFragment(html).firstElementChild, true);
    if (old.matches("tr")) old.classList.add("fresh");
  }
  if (title) document.title = title;
  if (icon) $("#favicon").href = icon;
  freshen();
}

// ---- the page at another address, or the same one anew: fetched and merged; another page is gone to
let shown = location.href.split("#")[0], asked = 0; // a place within a page is no other page
async function visit(address, push = true) {
  const mine = ++asked, again = address.split("#")[0] === shown, answer = await ask(address);
  if (mine !== asked) return; // a later click has overtaken this one
  if (again && !(answer?.status < 500)) return setTimeout(listen, 3000); // what is shown is better than a fault
  if (!answer?.headers.get("Content-Type")?.startsWith("text/html")) return location.assign(address);
  if (!samePage(answer.url)) return location.assign(answer.url);
  const page = await parse(answer);
  if (push && !again) history.pushState(null, "", answer.redirected ? answer.url : address);
  shown = location.href.split("#")[0];
  for (const part of ["header.top", "main"]) merge($(part), $(part, page), again);
  Object.assign(document.body.dataset, { live: "", seen: "" }, page.body.dataset);
  patch({ title: page.title, icon: $("#favicon", page).href });
  listen(!again);
}
addEventListener("popstate", () => {
  if ($("dialog[open]")) $("dialog[open]").close(); // Back closes what lies above the page
  else if (location.href.split("#")[0] !== shown) visit(location.href, false);
});

// ---- streams; `arrived`: the page was opened, or is at another address than before
let streams = [];
function listen(arrived) {
  for (const old of streams.splice(0)) old.close();
  freshen();
  tell("off", "not live");
  const { live, seen } = document.body.dataset, log = $("#log");
  if (arrived && log) log.scrollTop = 0;
  if (arrived) for (const frame of [log, $(".graph")]) reveal(frame, frame && $("[aria-current], li:target", frame));
  if (document.hidden) return; // a browser opens six connections to a server: pages nobody looks at give theirs back
  if (live) livePieces(stream(live, seen));
  if (log?.dataset.follow) follow(log, stream(log.dataset.follow, log.dataset.cursor));
}
function reveal(frame, one) { // the frame alone is scrolled, never the page
  if (!frame || !one) return;
  const [its, seen] = [one, frame].map((each) => each.getBoundingClientRect());
  const out = its.left < seen.left || its.right > seen.right || its.top < seen.top || its.bottom > seen.bottom;
  if (out) frame.scrollBy(its.left - seen.left - seen.width / 2, its.top - seen.top - seen.height / 2);
}
function stream(address, after) {
  const url = new URL(address, location);
  if (after) url.searchParams.set("after", after);
  return streams[streams.push(new EventSource(url)) - 1];
}
function tell(state, words) {
  const live = $("#live");
  if (live) [live.dataset.state, live.textContent] = [state, words];
}
function livePieces(source) {
  source.onopen = () => tell("live", "live");
  source.onerror = () => {
    tell("lost", "reconnecting"); // one that was refused does not come back by itself: the page anew says why
    if (source.readyState === EventSource.CLOSED) setTimeout(() => streams.includes(source) && visit(shown), 3000);
  };
  source.addEventListener("reset", () => visit(shown)); // too much was missed, or there is another page now
  source.addEventListener("patch", (event) => {
    document.body.dataset.seen = event.lastEventId;
    patch(JSON.parse(event.data));
  });
}
document.addEventListener("visibilitychange", () => listen());

// ---- a log that grows: it is laid out from its end, which is at 0, and scrolls along while the reader is there
const atEnd = (log) => log.scrollTop > -30;
function follow(log, source) {
  const button = $("#follow"), list = $("ol", log), fresh = document.createElement("ol");
  log.onscroll = () => {
    const end = atEnd(log), words = end ? "Following" : "Follow";
    if (button) [button.hidden, button.ariaPressed, button.textContent] = [false, end, words];
    if (end && streams.includes(source) && source.readyState === EventSource.CLOSED) listen();
  };
  if (button) button.onclick = () => (log.scrollTop = 0);
  log.onscroll();
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => streams.includes(source) && listen(), 3000);
  };
  source.addEventListener("lines", (event) => {
    const { html, cursor } = JSON.parse(event.data), end = atEnd(log);
    $("li.none", list)?.remove();
    fresh.innerHTML = html;
    list.append(...[...fresh.children].filter((line) => !line.id || !document.getElementById(line.id)));
    log.dataset.cursor = cursor;
    while (end && list.childElementCount > 3000) list.firstElementChild.remove();
    if (end) log.scrollTop = 0;
    else if (list.childElementCount > 6000) source.close(); // it goes on when the reader is back at the end
  });
}
listen(true);
