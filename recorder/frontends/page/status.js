// The figures of the recorder, and how it stands.

const units = [["h", 3600], ["min", 60], ["s", 1]];
function words(s) {
  const [unit, n] = units.find(([, n]) => s >= n) || ["s", 1];
  return `${(s / n).toFixed(s / n < 10 ? 1 : 0)} ${unit}`;
}

// How a session stands in one word, which is the banner's; what the banner tells while frames come goes without.
function standingWord({ standing: { kind } }) {
  return ["live", "not saving", "silent"].includes(kind) ? "running" : kind;
}

// The figures of a session.
function sessionParts(s) {
  return [
    [standingWord(s), s.standing.kind === "failed"], [s.saving ? `saving ${s.saving}` : s.captures ? "" : "not saving", !s.saving], [s.captures], [`counter ${s.number}`],
    [`${s.rate.toFixed(1)}/s`], [`${s.MBps.toFixed(0)} MB/s`], [`buffer ${(s.pool * 100).toFixed(0)} %`, s.pool > 0.5],
    [s.packed === null ? "" : `packed ${s.packed.toFixed(1)}x`], [s.unanswered, true], [s.saving ? `${s.durable} on the disk` : ""], [`lost ${s.lost}`, s.lost > 0],
    [`exposure ${s.exposure}`], [s.temperature === null ? "" : `${s.temperature.toFixed(1)} °C`],
    [s.disk_time_left_s === null || s.state !== "running" ? "" : `disk ${words(s.disk_time_left_s)}`, s.disk_time_left_s < 120],
    [s.in_camera === null ? "" : `in the camera ${s.in_camera}`], [`marks ${s.marks}`],
    ...Object.entries(s.analysis).map(([name, value]) => [`${name} ${value === null ? "not a number" : Number(value.toPrecision(5))}`]),
  ];
}

function showStatus(s) {
  state.status = s;
  const parts = (isFile ? fileParts(s) : sessionParts(s)).filter(([text]) => text);
  $("status").replaceChildren(...parts.map(([text, alarm]) => {
    const part = document.createElement("span");
    part.className = alarm ? "part alarm" : "part";
    part.textContent = text;
    return part;
  }));
  press("preview", s.preview);
  $("veil").classList.toggle("shown", !s.preview);
  if (!s.preview) showNothing();
  showStanding();
  showControls(s);
  drawChart();
}

// While preview is off, there is no picture, and nothing that was read off one.
function showNothing() {
  state.head = null;
  drawPicture();
  drawHistogram();
  drawTraces();
  $("readout").textContent = "";
  for (const value of document.querySelectorAll("#regions .mean")) value.textContent = "–";
}

// How the recorder stands, as it said, or as its silence says.
function standing() {
  const now = Date.now() / 1000, told = state.status.standing;
  const gone = state.lost !== null ? [state.why, state.lost] : now - state.heard > SILENCE ? ["no word from the recorder", state.heard] : null;
  if (!gone && isFile && told) return fileStanding(told);
  if (!gone) return told || { kind: "connecting", text: "connecting to the recorder", since: now };
  // How it ended stays to be seen: after a failure the recorder goes away.
  const before = told && ["failed", "stopped"].includes(told.kind) ? `; before: ${told.text}` : "";
  return { kind: "disconnected", text: `${gone[0]}${before}`, since: gone[1] };
}

// Grey what is not live, and say why and since when.
function showStanding() {
  const { kind, text, since } = standing(), live = kind === "live" || kind === "note", was = document.body.classList.contains("disconnected");
  const shown = since && !live ? `${text} (since ${clock(since)})` : text;
  if ($("banner").textContent !== shown) $("banner").textContent = shown;
  $("banner").className = kind.replace(" ", "-");
  document.body.classList.toggle("stale", !live && kind !== "not saving");
  document.body.classList.toggle("unsaved", kind === "not saving");
  document.body.classList.toggle("disconnected", kind === "disconnected");
  const name = isFile ? state.overview && state.overview.files[0] : state.status.saving;
  document.title = `${live ? name : kind} – recorder`;
  if (was !== (kind === "disconnected") && state.status.view) showControls(state.status);
}
setInterval(showStanding, 1000);
