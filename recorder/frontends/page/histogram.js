// The histogram with its levels, which are dragged or typed.

const histogram = $("histogram");
let logarithmic = true;
let grip = null;

// The values at its left and right end: those of the bins, and the levels.
function histogramAxis(head = state.head) {
  const { start, width, counts } = head.histogram;
  let left = Math.min(start, head.low), right = Math.max(start + width * counts.length, head.high);
  if (head.mode !== "raw") [left, right] = [-Math.max(-left, right), Math.max(-left, right)];
  const margin = 0.04 * (right - left || 1);
  return { left: head.mode === "raw" ? Math.max(0, left - margin) : left - margin, right: right + margin };
}

function drawHistogram() {
  const pen = fit(histogram), head = state.head, ratio = devicePixelRatio || 1;
  pen.clearRect(0, 0, histogram.width, histogram.height);
  if (!head) return;
  const { left, right } = grip ? grip.axis : histogramAxis(), { start, width, counts } = head.histogram;
  const x = (value) => ((value - left) / (right - left)) * histogram.width;
  const size = logarithmic ? Math.log1p : (count) => count;
  const foot = histogram.height - 16 * ratio, most = size(Math.max(...counts)) || 1;
  pen.fillStyle = "#7a8a94";
  counts.forEach((count, i) => {
    const tall = (size(count) / most) * (foot - 30 * ratio), from = x(start + i * width);
    pen.fillRect(from, foot - tall, Math.max(1, x(start + (i + 1) * width) - from), tall);
  });
  pen.font = `${11 * ratio}px system-ui`;
  pen.textAlign = "center";
  pen.fillStyle = pen.strokeStyle = FAINT;
  for (const value of ticks(left, right, 3)) {
    pen.fillRect(x(value), foot, ratio, 4 * ratio);
    const text = short(value, right - left), half = pen.measureText(text).width / 2;
    pen.fillText(text, Math.min(Math.max(half, x(value)), histogram.width - half), histogram.height - 2 * ratio);
  }
  const ends = [[head.low, "#5fafd7", "black", 1], [head.high, "#ffd75f", "white", 2]];
  for (const [value, colour] of ends) {
    pen.fillStyle = colour;
    pen.fillRect(x(value) - ratio / 2, 0, ratio, foot);
  }
  pen.textAlign = "left";
  for (const [value, colour, name, row] of ends) {
    const text = `${head.mode === "raw" ? name : name === "black" ? "from" : "to"} ${short(value, right - left)}${unitOf(head)}`;
    // Beside its line: on the right, or where there is no room on the left.
    const wide = pen.measureText(text).width, gap = 4 * ratio, isRight = x(value) + gap + wide < histogram.width;
    letter(pen, text, isRight ? x(value) + gap : x(value) - gap - wide, (row * 13 - 2) * ratio, colour);
  }
}

function dragLevel(event) {
  const head = state.head, box = histogram.getBoundingClientRect(), { left, right } = grip.axis;
  const value = left + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (right - left);
  if (head.mode !== "raw") {
    // What is shown as no difference stays in the middle.
    head.high = Math.max(Math.abs(value), (right - left) / 1000);
    head.low = -head.high;
    send({ range: head.high });
  } else {
    if (grip.end === "low") head.low = Math.max(0, Math.min(Math.round(value), head.high - 1));
    else head.high = Math.min(65535, Math.max(Math.round(value), head.low + 1));
    send({ levels: [head.low, head.high] });
  }
  drawHistogram();
}
histogram.addEventListener("pointerdown", (event) => {
  if (!state.head) return;
  histogram.setPointerCapture(event.pointerId);
  const box = histogram.getBoundingClientRect(), axis = histogramAxis(), { low, high } = state.head;
  const value = axis.left + ((event.clientX - box.left) / box.width) * (axis.right - axis.left);
  grip = { axis, end: Math.abs(value - low) < Math.abs(value - high) ? "low" : "high" };
  dragLevel(event);
});
histogram.addEventListener("pointermove", (event) => grip && dragLevel(event));
for (const end of ["pointerup", "pointercancel"]) histogram.addEventListener(end, () => (grip = null));

// The levels in their boxes, but for the one that is being typed in.
function showLevels(head) {
  const raw = head.mode === "raw", digits = raw ? 0 : 2;
  $("low-name").textContent = raw ? "black" : "from";
  $("high-name").textContent = raw ? "white" : "to";
  $("low").disabled = !raw;
  for (const end of ["low", "high"]) {
    $(end).step = raw ? 1 : "any";
    if (document.activeElement !== $(end)) $(end).value = Number(head[end].toFixed(digits));
  }
}

function typeLevels() {
  const head = state.head, low = Number($("low").value), high = Number($("high").value);
  if (!head) return;
  if (head.mode === "raw") run(`preview levels ${low} ${high}`);
  else run(`preview range ${high}`);
}
for (const end of ["low", "high"]) $(end).addEventListener("change", typeLevels);
