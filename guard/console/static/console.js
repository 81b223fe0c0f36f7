// Keys of lists, and pictures that stay blurred until somebody wants to see them. Pages work without.
"use strict";

const rows = () => [...document.querySelectorAll("[data-row]")];
const typing = (node) => node.closest("input:not([type=radio]), textarea, select") !== null;

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const here = all.indexOf(document.activeElement);
  const next = here === -1 ? (by > 0 ? 0 : all.length - 1) : here + by;
  all[Math.max(0, Math.min(all.length - 1, next))].focus();
}

function press(key) {
  const target = document.querySelector(`[data-key="${key}"]`);
  if (target === null) return false;
  target.focus();
  if (!target.matches("textarea")) target.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "?") document.getElementById("keys")?.showModal();
  else if (!press(event.key)) return;
  event.preventDefault();
});

// Nobody has to see what they did not ask to see: a picture is veiled again with a second press.
for (const veil of document.querySelectorAll("[data-veil]")) {
  veil.addEventListener("click", () => {
    veil.setAttribute("aria-pressed", String(veil.getAttribute("aria-pressed") !== "true"));
  });
}

// Where the list is swapped under a reader, they are told how many are new.
document.addEventListener("htmx:afterSwap", (event) => {
  const live = document.getElementById("live");
  if (live !== null && event.detail.target.id === "rows") {
    live.textContent = `Newest first; changed at ${new Date().toISOString().slice(11, 19)}.`;
  }
});

// On a phone the navigation is wider than the page.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
