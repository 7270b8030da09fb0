// Where in a recording in files the page is: buttons, slider, speed and keys, and what is told of the frame.

const fileKeysTold = [
  ["arrows", "one frame back or on, with Shift ten"],
  ["Page up, Page down", "one second back or on"],
  ["Home, End", "the first frame, the last one (of a recording that grows: follow the newest)"],
  ["space", "play, pause; , and . play at half and at twice the speed"],
  ["n, b", "the next mark, the mark before"],
  ["s", "snapshot of this frame, into the recording's folder"],
  ["+ -", "zoom; Ctrl and arrows move the picture, w shows the whole; so do drag and wheel, or fingers"],
  ["r", "region, drawn with Shift and drag; or arrows move it, Shift and arrows size it, Enter keeps it, Escape drops it"],
  ["c", "crosshair with profiles; Ctrl, Shift and arrows move it"],
  ["a, f", "levels that follow the picture, the full range"],
  ["Tab, Enter", "to every button and box"],
  ["?", "these keys"],
];

const go = (where) => send({ go: where });

// The moment that is dragged to; it is asked for as often as pictures can come.
const sought = { time: null, timer: 0 };
const SEEK_MS = 50;

function seek(time) {
  sought.time = time;
  drawTimeline();
  if (sought.timer) return;
  go({ time });
  sought.timer = setTimeout(() => {
    sought.timer = 0;
    if (sought.time !== null && sought.time !== time) seek(sought.time);
  }, SEEK_MS);
}

// Where it is let go of, it stays.
function endSeek() {
  if (sought.time !== null && sought.timer) go({ time: sought.time });
  sought.time = null;
}

const fileActions = {
  earlier: () => go({ mark: -1 }),
  back1: () => go({ step: -1 }),
  play: () => send({ play: !state.status.plays }),
  on1: () => go({ step: 1 }),
  later: () => go({ mark: 1 }),
  slower: () => setSpeed(speedNow() / 2),
  faster: () => setSpeed(speedNow() * 2),
  edge: () => go({ edge: 1 }),
};

// The speed that was asked for last, for as long as its answer may take: keys come faster than answers.
let wished = { speed: 1, until: 0 };
const speedNow = () => (Date.now() < wished.until ? wished.speed : state.status.speed);

function setSpeed(speed) {
  wished = { speed: Math.max(1e-3, Math.min(1000, speed)), until: Date.now() + 1000 };
  send({ speed: wished.speed });
}

// 0.1x, 1/10 or 4 as a number.
function typeSpeed() {
  const found = /^\s*(\d*\.?\d+)\s*(?:\/\s*(\d+))?\s*[x×]?\s*$/.exec($("speed").value), speed = found ? Number(found[1]) / Number(found[2] || 1) : 0;
  if (speed > 0 && Number.isFinite(speed)) setSpeed(speed);
  else tell("write how many times as fast, for example 0.1x", "refused");
  $("speed").blur();
}

// Whether the key was one of a file.
function fileKey(key, event) {
  const shift = event.shiftKey, target = event.target;
  const where = { ArrowLeft: { step: shift ? -10 : -1 }, ArrowRight: { step: shift ? 10 : 1 }, PageUp: { seconds: -1 }, PageDown: { seconds: 1 }, Home: { frame: 0 }, End: { edge: 1 }, n: { mark: 1 }, b: { mark: -1 } }[key];
  if (target === $("log") || event.ctrlKey) return false;
  if (where) go(where);
  // A button has a space for itself.
  else if (key === " " && target.tagName !== "BUTTON") fileActions.play();
  else if (key === ".") fileActions.faster();
  else if (key === ",") fileActions.slower();
  else return false;
  return true;
}

// The figures of the recording.
function fileParts(s) {
  const { files, size } = state.overview || { files: ["a recording"], size: [0, 0] };
  return [
    [files.length > 1 ? `${files[0]} and ${files.length - 1} more` : files[0]], [s.grows ? "is being recorded" : s.verdict, !s.grows && s.verdict !== "complete"],
    [`${s.frames} frames`], [`${size[0]}×${size[1]}`], [elapsed(s.seconds, Math.max(s.seconds, 1) / 10)],
    [`lost ${s.lost}`, s.lost > 0], [`marks ${state.overview ? state.overview.marks.length + state.overview.more_marks : 0}`],
  ];
}

function showPosition(s) {
  $("play").textContent = s.plays ? "pause" : "play";
  press("edge", s.at_edge);
  $("edge").hidden = !s.grows;
  if (document.activeElement !== $("speed")) $("speed").value = `${Number(s.speed.toPrecision(3))}x`;
  const gone = document.body.classList.contains("disconnected");
  for (const control of $("player").querySelectorAll("button, input")) control.disabled = gone || !s.frames;
  showFrame();
}

// What is told of the frame that is shown.
function showFrame() {
  const head = state.head;
  if (!head || head.index === undefined) return;
  const time = head.time_s.toFixed(3), utc = head.utc_s === null ? "" : new Date(head.utc_s * 1000).toISOString().replace("T", " ").replace("Z", " UTC");
  const parts = [`frame ${head.index} of ${state.status.frames || "?"}`, `${time} s`, utc, head.exposure_s === null ? "" : `exposure ${inUnits(head.exposure_s)}`];
  $("where").textContent = parts.filter(Boolean).join("  ·  ");
  $("position").max = Math.max(state.status.seconds, head.time_s);
  if (sought.time === null) $("position").value = head.time_s;
  $("position").setAttribute("aria-valuetext", `frame ${head.index}, ${time} s`);
}

function inUnits(s) {
  const [unit, factor] = [["s", 1], ["ms", 1e-3], ["µs", 1e-6]].find(([, factor]) => s >= factor) || ["ns", 1e-9];
  return `${Number((s / factor).toPrecision(4))} ${unit}`;
}

// The marks near the frame, in words.
const nearWords = (near) => near.map(([label, frames, s]) => (frames ? `${label} ${frames > 0 ? "+" : "−"}${inUnits(Math.abs(s))}` : `${label}: this frame`));

// A gap in the recording that was passed a moment ago is told for so long, in ms.
const GAP_MS = 2000;
let passed = { text: "", until: 0 };

function noteGap({ gap }) {
  if (!gap) return;
  const [count, causes, isHere] = gap, frames = `${count} frame${count === 1 ? "" : "s"} lost`;
  passed = { text: `${frames} ${isHere ? "right before this one" : "since the picture before"}: ${causes}`, until: Date.now() + GAP_MS };
}

// How a file stands: what cannot be read, what is waited for, what is missing here.
function fileStanding(told) {
  const head = state.head, note = (text) => ({ kind: "note", text });
  if (told.kind !== "live") return told;
  if (state.status.reading_s) return note(`waiting for the disk since ${words(state.status.reading_s)}`);
  const isHere = head && head.gap && head.gap[2];
  return passed.text && (isHere || Date.now() < passed.until) ? note(passed.text) : told;
}

// A picture of a file has come.
function showFilePicture(head) {
  noteGap(head);
  showFrame();
  showStanding();
}

if (isFile) {
  $("showing").querySelector(".row").append($("snapshot"));
  $("back").prepend(new Option("all", "0", true, true));
  for (const [id, action] of Object.entries(fileActions)) $(id).addEventListener("click", action);
  $("position").addEventListener("input", () => seek(Number($("position").value)));
  $("position").addEventListener("change", endSeek);
  $("speed").addEventListener("change", typeSpeed);
  $("speed").addEventListener("focus", () => $("speed").select());
  addEventListener("resize", drawTimeline);
}
