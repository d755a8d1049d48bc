// Keeps a page fresh while somebody looks at it. Everything can be read and done without it.
//
// The daemon says that something happened (server-sent events at the address in data-listen of <body>); the page is
// then fetched again and the regions that differ are put in place of the old ones. What a person works on is left
// alone: a region with the focus in a field, an open <details> or selected text waits for the next time.

"use strict";

const PAUSE_MS = 2000;      // at most so often, however much happens
const QUIET_MS = 15000;     // at least so often while the page is seen: ages grow by themselves
const RETRY_MS = 10000;     // after the daemon was not to be reached

const live = document.getElementById("live");
const address = document.body.dataset.listen;
let stream = null, timer = 0, freshAt = 0, isFetching = false, isOutdated = false;

function say(state, words) {
  if (live.dataset.live === state) return;
  live.dataset.live = state;
  live.title = words;
}

function isInUse(region) {
  const active = document.activeElement;
  if (region.contains(active) && active.matches("input, select, textarea")) return true;
  if (region.querySelector("details[open]")) return true;
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
}

// What the focus was on, in words that find its like in the new region.
function placeOf(element, region) {
  if (!region.contains(element) || element === document.body) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : null;
}

function replace(fresh) {
  for (const region of document.querySelectorAll("[data-region]")) {
    const next = fresh.getElementById(region.id);
    if (!next || next.outerHTML === region.outerHTML || isInUse(region)) continue;
    const place = placeOf(document.activeElement, region);
    const scrolled = [...region.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    region.replaceWith(next);
    next.querySelectorAll(".scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
    if (place) next.querySelector(place)?.focus({ preventScroll: true });
  }
  const clock = fresh.querySelector("[data-live-at]");
  if (clock) live.querySelector("[data-live-at]").replaceWith(clock);
}

async function refresh() {
  timer = 0;
  if (document.hidden || isFetching) { isOutdated = true; return; }
  isFetching = true;
  isOutdated = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    freshAt = performance.now();
    say("on", "Live: what happens is shown within seconds");
  } catch {
    say("off", "The daemon does not answer; this is how things were");
  } finally {
    isFetching = false;
    plan(isOutdated ? PAUSE_MS : QUIET_MS);
  }
}

function plan(wait) {
  const since = performance.now() - freshAt;
  const due = Math.max(0, wait - (wait === PAUSE_MS ? since : 0));
  clearTimeout(timer);
  timer = setTimeout(refresh, due);
}

function hear() {
  stream?.close();
  stream = new EventSource(address);
  stream.onopen = () => say("on", "Live: what happens is shown within seconds");
  for (const kind of ["decision", "write", "state", "resync"]) {
    stream.addEventListener(kind, () => plan(PAUSE_MS));
  }
  stream.onerror = () => {
    plan(PAUSE_MS);  // whether the daemon answers at all, the next look tells
    if (stream.readyState === EventSource.CLOSED) setTimeout(hear, RETRY_MS);
  };
}

document.addEventListener("visibilitychange", () => {
  if (!address) return;
  if (document.hidden) { stream?.close(); clearTimeout(timer); } else { hear(); plan(PAUSE_MS); }
});

if (address) {
  freshAt = performance.now();
  hear();
  plan(QUIET_MS);
}

// "/" goes to the filter, as people are used to; Escape leaves it.
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("input[type=search]");
  if (!field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && !event.target.closest("input, select, textarea")) { event.preventDefault(); field.focus(); }
  if (event.key === "Escape" && event.target === field) field.blur();
});
