// The time line of a recording in files: marks and losses to go to, the traces of regions, the frame shown.

const timeline = $("timeline");

// The room beside it, left for the scale of the traces, in pixels.
const LEFT = 52, RIGHT = 12;

// The part of the recording that it shows, in s, and what on it can be gone to: where, which frame, in words.
let span = [0, 1];
let places = [];

// s as a time of the clock from a minute on, at the precision that a range of this size needs.
function elapsed(s, range) {
  if (Math.abs(s) < 60) return `${short(s, range)} s`;
  const whole = Math.floor(s / 60), rest = short(s - 60 * whole, range).split(".");
  const text = `${whole % 60}:${rest[0].padStart(2, "0")}${rest[1] ? `.${rest[1]}` : ""}`;
  return whole < 60 ? text : `${Math.floor(whole / 60)}:${text.padStart(5, "0")}`;
}

// Round times between two, of which minutes and hours are rounder than hundreds.
function timeTicks(low, high, count) {
  const step = [60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400].find((step) => (high - low) / step <= count);
  if (high - low < 100 || !step) return ticks(low, high, count / 2);
  return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
}

// The part shown: all, or as much as was chosen, with the frame that is shown in it.
function chooseSpan(now) {
  // A picture may be of a frame that is newer than the figures.
  const all = Math.max(state.status.seconds || 0, now, 1e-3), wide = Number($("back").value) || all;
  if (wide >= all) span = [0, all];
  else if (span[1] - span[0] !== wide || now < span[0] || now > span[1]) {
    const from = within(now - wide / 2, all - wide);
    span = [from, from + wide];
  }
}

function drawTimeline() {
  const pen = fit(timeline), ratio = devicePixelRatio || 1, { overview } = state, head = state.head;
  pen.clearRect(0, 0, timeline.width, timeline.height);
  if (!overview || !state.status.frames) return;
  const now = sought.time ?? (head ? head.time_s : 0);
  chooseSpan(now);
  const left = LEFT * ratio, right = timeline.width - RIGHT * ratio, top = 18 * ratio, bottom = timeline.height - 17 * ratio;
  const x = (time) => left + ((time - span[0]) / (span[1] - span[0])) * (right - left), at = { pen, ratio, x, left, right, top, bottom };
  places = [];
  pen.font = `${11 * ratio}px system-ui`;
  pen.textAlign = "center";
  for (const time of timeTicks(span[0], span[1], (right - left) / (90 * ratio))) {
    pen.fillStyle = "#ffffff18";
    pen.fillRect(x(time), top, ratio, bottom - top);
    pen.fillStyle = FAINT;
    const text = elapsed(time, span[1] - span[0]), half = pen.measureText(text).width / 2;
    pen.fillText(text, Math.min(Math.max(x(time), left + half - 6 * ratio), right - half + 8 * ratio), timeline.height - 4 * ratio);
  }
  pen.fillStyle = "#6a6a70";
  pen.fillRect(left, bottom, right - left, ratio);
  drawWholeTraces(at);
  drawLosses(at, overview.losses);
  drawPlaces(at, overview.marks);
  // The frame that is shown.
  pen.fillStyle = "#ffd75f";
  pen.fillRect(x(now) - ratio, top - 4 * ratio, 2 * ratio, bottom - top + 6 * ratio);
  timeline.setAttribute("aria-label", `time line: ${overview.marks.length + overview.more_marks} marks, ${state.status.lost} frames lost, ${traceWords().join(", ") || "no traces"}`);
}

function drawWholeTraces({ pen, ratio, x, left, right, top, bottom }) {
  const lines = Object.values(state.traces || {}).map(({ colour, points }) => ({ colour, points: points.filter(([time], i) => (points[i + 1] || points[i])[0] >= span[0] && (points[i - 1] || points[i])[0] <= span[1]) }));
  let low = Infinity, high = -Infinity;
  for (const { points } of lines) for (const [, least, most] of points) { low = Math.min(low, least); high = Math.max(high, most); }
  if (low > high) return;
  if (high === low) [low, high] = [low - 0.5, high + 0.5];
  const y = (mean) => bottom - 4 * ratio - ((mean - low) / (high - low)) * (bottom - top - 10 * ratio);
  pen.textAlign = "right";
  pen.fillStyle = FAINT;
  for (const value of ticks(low, high, 2)) pen.fillText(short(value, high - low), left - 5 * ratio, y(value) + 4 * ratio);
  pen.fillText("counts", left - 5 * ratio, 11 * ratio);
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  pen.lineWidth = 1.5 * ratio;
  pen.lineJoin = "round";
  for (const { colour, points } of lines) {
    pen.strokeStyle = colour;
    pen.beginPath();
    for (const [time, least, most] of points) {
      pen.lineTo(x(time), y(least));
      if (most !== least) pen.lineTo(x(time), y(most));
    }
    pen.stroke();
    // Few frames were looked at: which ones.
    pen.fillStyle = colour;
    if (points.length < 100) for (const [time, mean] of points) pen.fillRect(x(time) - 2 * ratio, y(mean) - 2 * ratio, 4 * ratio, 4 * ratio);
  }
  pen.restore();
}

// Losses in red, as wide as what is missing: no trace goes on there.
function drawLosses({ pen, ratio, x, left, right, top, bottom }, losses) {
  for (const [frame, time, before, count, gaps, causes] of losses) {
    if (time < span[0] || before > span[1]) continue;
    const from = Math.max(left, x(before)), to = Math.min(right, x(time));
    for (const colour of ["#121212", "#ff5f5f30"]) {
      pen.fillStyle = colour;
      if (to - from > 2 * ratio) pen.fillRect(from, top, to - from, bottom - top);
    }
    pen.fillStyle = "#ff5f5f";
    pen.fillRect(Math.min(from, to - 3 * ratio), bottom - 12 * ratio, Math.max(3 * ratio, to - from), 13 * ratio);
    const what = `${count} frame${count === 1 ? "" : "s"} lost${gaps > 1 ? ` in ${gaps} gaps` : ""}: ${causes.join(", ")}`;
    if (time <= span[1]) places.push({ at: x(time), frame, words: `${what}\n${elapsed(time, span[1] - span[0])}, before frame ${frame}` });
  }
}

// Marks as lines, each with its label where there is room before the next.
function drawPlaces({ pen, ratio, x, right, top, bottom }, marks) {
  pen.textAlign = "left";
  let free = Infinity;
  for (const [frame, time, label, text] of [...marks].reverse()) {
    if (time < span[0] || time > span[1]) continue;
    const at = x(time), wide = pen.measureText(label).width + 6 * ratio;
    pen.fillStyle = "#8fc7e8";
    pen.fillRect(at - ratio / 2, 4 * ratio, ratio, bottom - 4 * ratio);
    if (at + wide < Math.min(free, timeline.width)) pen.fillText(label, at + 3 * ratio, 12 * ratio);
    free = at;
    places.push({ at, frame, words: `${label}${text ? ` ${text}` : ""}\n${elapsed(time, Math.min(1, span[1] - span[0]))}, frame ${frame}` });
  }
}

// How much of each trace is known, where that is not all.
const traceWords = () => Object.entries(state.traces || {}).map(([name, { known }]) => `${name}: ${known < state.status.frames ? `${known} of ${state.status.frames} frames looked at` : "every frame"}`);

// A mark or a loss under the pointer, else the moment.
function under(event) {
  const box = timeline.getBoundingClientRect(), ratio = timeline.width / box.width, at = (event.clientX - box.left) * ratio;
  const left = LEFT * ratio, right = timeline.width - RIGHT * ratio, reach = (event.pointerType === "touch" ? 12 : 5) * ratio;
  const near = places.filter((place) => Math.abs(place.at - at) <= reach).sort((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at));
  return { near, time: span[0] + within((at - left) / (right - left), 1) * (span[1] - span[0]) };
}

timeline.addEventListener("pointerdown", (event) => {
  if (!state.status.frames) return;
  timeline.setPointerCapture(event.pointerId);
  const { near, time } = under(event);
  if (near.length) go({ frame: near[0].frame });
  else seek(time);
});
timeline.addEventListener("pointermove", (event) => {
  const { near, time } = under(event);
  // A mark that was gone to is left by a real drag only.
  if (event.buttons && timeline.hasPointerCapture(event.pointerId) && !near.length) seek(time);
  showTip(event, near.length ? near.slice(0, 4).map(({ words }) => words).join("\n") : elapsed(time, (span[1] - span[0]) / 100));
});
timeline.addEventListener("pointerleave", () => ($("tip").hidden = true));
for (const end of ["pointerup", "pointercancel"]) timeline.addEventListener(end, endSeek);
// The wheel shows less of it, or more: the lengths that there are to choose, the longest first.
timeline.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lengths = [...$("back").options].map(({ value }) => Number(value)).filter((s) => s && s < state.status.seconds);
  const all = [0, ...lengths.sort((a, b) => b - a)], place = Math.max(0, all.indexOf(Number($("back").value)));
  $("back").value = String(all[within(place + (event.deltaY > 0 ? -1 : 1), all.length - 1)]);
  drawTimeline();
}, { passive: false });

function showTip(event, words) {
  const tip = $("tip"), box = $("player").getBoundingClientRect();
  tip.hidden = event.pointerType === "touch";
  tip.textContent = words;
  tip.style.left = `${within(event.clientX - box.left + 12, box.width - tip.offsetWidth - 4)}px`;
  tip.style.bottom = `${box.bottom - timeline.getBoundingClientRect().top + 4}px`;
}
