// The figures of the recorder, how it stands, and what happened.

const units = [["h", 3600], ["min", 60], ["s", 1]];
function words(s) {
  if (s === null) return "without end";
  const [unit, n] = units.find(([, n]) => s >= n) || ["s", 1];
  return `${(s / n).toFixed(s / n < 10 ? 1 : 0)} ${unit}`;
}

function showStatus(s) {
  state.status = s;
  const parts = [
    [s.state], [s.saving ? `saving ${s.saving}` : "not saving", !s.saving], [`counter ${s.number}`],
    [`${s.rate.toFixed(1)}/s`], [`${s.MBps.toFixed(0)} MB/s`], [`pool ${(s.pool * 100).toFixed(0)}%`, s.pool > 0.5],
    [s.unanswered, true], [s.saving ? `${s.durable} on the disk` : ""], [`lost ${s.lost}`, s.lost > 0],
    [`exposure ${s.exposure}`], [s.temperature === null ? "" : `${s.temperature.toFixed(1)} °C`],
    [`disk ${words(s.disk_time_left_s)}`, s.disk_time_left_s !== null && s.disk_time_left_s < 120],
    [s.in_camera === null ? "" : `in the camera ${s.in_camera}`], [`marks ${s.marks}`],
    ...Object.entries(s.analysis).map(([name, value]) => [`${name} ${value === null ? "not a number" : Number(value.toPrecision(5))}`]),
  ].filter(([text]) => text);
  $("status").replaceChildren(...parts.map(([text, alarm]) => {
    const part = document.createElement("span");
    part.className = alarm ? "part alarm" : "part";
    part.textContent = text;
    return part;
  }));
  $("preview").classList.toggle("on", s.preview);
  $("veil").classList.toggle("shown", !s.preview);
  if (!s.preview) { state.head = null; drawPicture(); $("readout").textContent = ""; }
  if (s.sample) { state.history.push(s.sample); if (state.history.length > 300) state.history.shift(); }
  showStanding();
  showControls(s);
  drawChart();
}

// Grey what is not live, and say why and since when.
function showStanding() {
  const now = Date.now() / 1000;
  let { kind, text, since } = state.status.standing || { kind: "connecting", text: "connecting to the recorder", since: now };
  if (state.lost !== null) [kind, text, since] = ["disconnected", "no connection to the recorder; trying again", state.lost];
  else if (now - state.heard > SILENCE) [kind, text, since] = ["disconnected", "no word from the recorder", state.heard];
  const live = kind === "live";
  const shown = live ? "" : `${text} (since ${clock(since)})`;
  if ($("banner").textContent !== shown) $("banner").textContent = shown;
  $("banner").className = kind.replace(" ", "-");
  $("view").classList.toggle("stale", !live && kind !== "not saving");
  $("view").classList.toggle("unsaved", kind === "not saving");
  document.body.classList.toggle("disconnected", kind === "disconnected");
  document.title = live ? `${state.status.saving} – recorder` : `${kind} – recorder`;
}
setInterval(showStanding, 1000);

// Those already shown: a connection that is opened again begins with all that happened.
const shownEvents = new Set();

function showEvent({ at, kind, text }) {
  if (shownEvents.has(`${at} ${text}`)) return;
  shownEvents.add(`${at} ${text}`);
  const name = { failed: "failed", error: "failed", critical: "failed", warning: "refused", silent: "refused" }[kind];
  log(`${clock(at)} ${text}`, name);
}

function log(text, kind) {
  const list = $("log"), line = document.createElement("div");
  const follow = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  line.className = kind || "";
  line.textContent = text;
  list.append(line);
  while (list.childElementCount > 200) list.firstChild.remove();
  if (follow) list.scrollTop = list.scrollHeight;
}
