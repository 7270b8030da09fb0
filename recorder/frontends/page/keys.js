// The keyboard: what each key does, on the page and on the picture.

const KEYS = isFile ? fileKeysTold : [
  ["m", "mark the frame that is being exposed now"],
  ["l, e, /", "write a label, an exposure, a command; Enter does it, Escape leaves the box"],
  ["s", "snapshot"],
  ["p", "preview on or off"],
  ["arrows, + -", "move the picture, zoom; w shows the whole; so do drag and wheel, or fingers"],
  ["r", "region, drawn with Shift and drag; or arrows move it, Shift and arrows size it, Enter keeps it, Escape drops it"],
  ["c", "crosshair with profiles; Shift and arrows move it"],
  ["a, f", "levels that follow the picture, the full range"],
  ["Tab, Enter", "to every button and box; y and n answer a question"],
  ["?", "these keys"],
];

const shortcuts = { m: "mark", s: "snapshot", p: "preview", r: "draw", c: "profiles", w: "whole", a: "auto", f: "full", "+": "nearer", "=": "nearer", "-": "farther", "?": "help" };
const boxes = { l: "label", e: "exposure", "/": "command" };
// What a file has not.
if (isFile) for (const keys of [shortcuts, boxes]) for (const key of "mple/") delete keys[key];
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "SELECT"].includes(event.target.tagName) && event.target.type !== "range";
  if (typing && event.key === "Escape") return picture.focus();
  if (typing || document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // In a file, plain arrows go from frame to frame.
  if (event.ctrlKey && !(isFile && arrows[key])) return;
  // What is for all cameras of a rig is the page's around this one.
  if (isFramed && "ml/".includes(key)) {
    event.preventDefault();
    return parent.takeKey(key, event.repeat);
  }
  const action = shortcuts[key];
  if (boxes[key]) $(boxes[key]).focus();
  // A key that is held down zooms on, and does nothing else again.
  else if (action && !$(action).disabled && (!event.repeat || "+=-".includes(key))) actions[action]();
  else if (key === "Escape" && state.drawing) setDrawing(false);
  else if (key === "Enter" && event.target === picture && state.drawn) endRectangle();
  else if (arrows[key] && (isFile ? event.ctrlKey || state.drawn : event.target === picture)) move(arrows[key], event.shiftKey);
  else if (isFile && fileKey(key, event)) ;
  else return;
  event.preventDefault();
});

// An arrow on the picture: the rectangle that is being drawn, the crosshair, or the part shown moves.
function move([dx, dy], shift) {
  if (!state.head) return;
  const [x, y, w, h] = regionNow();
  if (state.drawn) moveRectangle(Math.max(1, Math.round(w / 40)) * dx, Math.max(1, Math.round(h / 40)) * dy, shift);
  else if (shift) state.profiles && moveProbe(Math.max(1, Math.round(w / 40)) * dx, Math.max(1, Math.round(h / 40)) * dy);
  else showRegion([within(x + (dx * w) / 8, state.head.frame_width - w), within(y + (dy * h) / 8, state.head.frame_height - h), w, h].map(Math.round));
}

function moveRectangle(dx, dy, sized) {
  const [x0, y0, x1, y1] = state.drawn, { frame_width: wide, frame_height: tall } = state.head;
  if (sized) state.drawn = [x0, y0, Math.max(x0 + 2, within(x1 + dx, wide)), Math.max(y0 + 2, within(y1 + dy, tall))];
  else {
    const x = within(x0 + dx, wide - x1 + x0), y = within(y0 + dy, tall - y1 + y0);
    state.drawn = [x, y, x + x1 - x0, y + y1 - y0];
  }
  drawPicture();
}

// The crosshair, from the middle of what is shown on.
function moveProbe(dx, dy) {
  const { probe, region: [x, y, w, h], frame_width: wide, frame_height: tall } = state.head;
  const [px, py] = probe || [Math.round(x + w / 2), Math.round(y + h / 2)];
  send({ probe: [within(px + dx, wide - 1), within(py + dy, tall - 1)] });
}

connect();
