// The log: what was done, and what happened.

// Those already shown: a connection that is opened again begins with all that happened.
const shownEvents = new Set();

function showEvent({ at, kind, text, source }) {
  const key = `${at} ${source} ${text}`;
  if (shownEvents.has(key)) return;
  shownEvents.add(key);
  const name = { failed: "failed", error: "failed", critical: "failed", warning: "refused", silent: "refused", refused: "refused", ok: "others" }[kind];
  log(source ? `${source}: ${text}` : text, name, at);
}

// Whether the log shows its last line; who has scrolled up stays there. The page scrolls too, and layout moves lines:
// a reader's own scroll, by whatever means, is one of the same lines in a box of the same size.
let follows = true;
const laid = { tall: 0, lines: 0, top: 0 };

function toLastLine() {
  const list = $("log");
  list.scrollTop = list.scrollHeight;
  Object.assign(laid, { tall: list.clientHeight, lines: list.scrollHeight, top: list.scrollTop });
}

$("log").addEventListener("scroll", ({ target: list }) => {
  const isLaidAnew = list.clientHeight !== laid.tall || list.scrollHeight !== laid.lines;
  if (follows && isLaidAnew) toLastLine();
  else follows = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
});
new ResizeObserver(() => follows && toLastLine()).observe($("log"));

// A line of the log, with the time of day.
function log(text, kind, at = Date.now() / 1000) {
  const list = $("log"), line = document.createElement("div");
  line.className = kind || "";
  line.textContent = `${clock(at)} ${text}`;
  list.append(line);
  while (list.childElementCount > 200) list.firstChild.remove();
  if (follows) toLastLine();
}
