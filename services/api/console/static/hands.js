// What the reader's hands do beyond links and forms: dialogs, keys, copying. Every page works without it.
"use strict";
const on = (name, act) => document.addEventListener(name, act);

// ---- dialogs: the page behind a link, shown above this one; its forms are sent from there
async function show(address, more, dialog = $("dialog[open]")) {
  const answer = await ask(address, more);
  if (!answer) return dialog ? sorry(dialog) : location.assign(address);
  if (more?.method && answer.redirected) return done(answer.url, dialog);
  if (answer.redirected && new URL(answer.url).pathname === "/login") return location.assign(address);
  const page = await parse(answer), above = dialog || document.createElement("dialog");
  above.setAttribute("aria-label", page.title);
  above.replaceChildren(...$("main", page).childNodes);
  freshen();
  if (dialog) return;
  above.addEventListener("close", () => (above.remove(), history.state?.dialog && history.back()));
  document.body.append(above);
  history.pushState({ dialog: true }, "");
  above.showModal();
}
function done(address, dialog) {
  if (!samePage(address)) return location.replace(address);
  dialog.close();
  visit(shown);
}
function sorry(dialog) {
  const said = $("p[role=alert]", dialog) || dialog.appendChild(document.createElement("p"));
  [said.role, said.className] = ["alert", "cause bad"];
  said.textContent = "The server did not answer: it may be done or not. A command on a task, sent again, is done once.";
  for (const form of $$("form", dialog)) form.inert = false;
}

// ---- forms: those of a dialog, and searches and filters of this very page
function submit(form, button) {
  const fields = new URLSearchParams(new FormData(form, button)), dialog = form.closest("dialog");
  const address = addressOf(form, button);
  if (form.method === "get") address.search = fields;
  if (!dialog) return visit(address.href);
  form.inert = true; // one click, one command
  return show(address, form.method === "get" ? {} : { method: "POST", body: fields }, dialog);
}
function addressOf(form, button) {
  return new URL(button?.getAttribute("formaction") || form.getAttribute("action") || location.href, location);
}
on("submit", (event) => {
  const form = event.target, searches = form.method === "get" && samePage(addressOf(form));
  if (!searches && !(form.closest("dialog") && form.method !== "dialog")) return;
  event.preventDefault();
  submit(form, event.submitter);
});
on("change", (event) => {
  const { form, dataset, checked } = event.target;
  if (dataset.tick === "all") for (const box of form.elements) if (box.type === "checkbox") box.checked = checked;
  if (form?.matches("[data-auto]")) form.requestSubmit();
});

// ---- clicks
on("click", (event) => {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const within = (what) => event.target.closest(what);
  const copied = within("[data-copy], [data-copy-from]"), closes = within("dialog [data-close]");
  const link = within("a[href]"), row = !within("a, button, input, label, summary") && within("tr[data-href]");
  if (copied) copy(copied);
  else if (closes) closes.closest("dialog").close();
  else if (link?.matches("[data-dialog]")) show(link.getAttribute("href"));
  else if (link && swaps(link)) turn(link);
  else if (row && !String(getSelection())) location.assign(row.dataset.href);
  else return;
  event.preventDefault();
});
function swaps(link) { // the same page at another address, and no place within it
  const { pathname, search, hash } = new URL(link.getAttribute("href"), location);
  const here = pathname === location.pathname && !(hash && search === location.search);
  return here && !link.hasAttribute("target") && !link.hasAttribute("download");
}
async function turn(link) {
  await visit(new URL(link.getAttribute("href"), location).href);
  if (link.rel) scrollTo(0, 0); // another page of a list begins at its top
}
function copy(button) {
  const words = button.textContent, field = document.createElement("textarea");
  field.value = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom).innerText;
  (button.closest("dialog") || document.body).append(field);
  field.select(); // a page that does not come over TLS has no other clipboard
  button.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
  field.remove();
  button.focus();
  setTimeout(() => (button.textContent = words), 2000);
}

// ---- keys: single ones, or one after another (`g t`), except while somebody types
let pressed = "";
function move(step) {
  const rows = $$("#rows tr"), at = rows.indexOf(document.activeElement.closest("tr"));
  const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  if (next) $("a", next).focus();
}
const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  x: () => $("#rows tr:focus-within input[type=checkbox]")?.click(),
};
on("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Shift") return;
  if (document.body.dataset.keys === "off") return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select")) return;
  const keys = $$("[data-key]:not(:disabled)", $("dialog[open]") || document).filter((one) => one.checkVisibility());
  const found = keys.find((one) => one.dataset.key === `${pressed} ${event.key}`.trim());
  pressed = !found && keys.some((one) => one.dataset.key.startsWith(`${event.key} `)) ? event.key : "";
  if (found) found.focus();
  if (found && !found.matches("input, select, textarea")) found.click();
  else if (!found && KEYS[event.key] && !$("dialog[open]")) KEYS[event.key]();
  else if (!found) return;
  event.preventDefault();
});
