// The page over all cameras: how each stands, its own page, and orders for all.

const KEYS = [
  ["m", "mark the frames that are being exposed now, of all cameras"],
  ["l, /", "write a label, a command; Enter does it, Escape leaves the box"],
  ["left: exposure 5ms", "a line that begins with a camera's name is for that one alone"],
  ["Tab, Enter", "to every button and box; y and n answer a question"],
  ["?", "these keys"],
];

// What a camera is shown as, in words, and whether that is an alarm.
function cameraParts(c) {
  if (c.died) return [[c.died, true]];
  if (c.gone) return [["has left", false]];
  if (c.silent) return [["does not answer", true]];
  if (!c.live) return [["is being started", false]];
  const s = c.live, parts = [];
  if (c.ended) parts.push([c.ended.verdict + (c.ended.verdict === "failed" ? `: ${c.ended.cause}` : ""), c.ended.verdict !== "complete"]);
  else parts.push([c.running ? (s.saving ? "saving" : s.captures || "not saving") : s.state, c.running && !s.saving && !s.captures]);
  if (c.running) parts.push([`${s.rate.toFixed(1)}/s`], [`buffer ${(s.pool * 100).toFixed(0)} %`, s.pool > 0.5], [s.unanswered, true]);
  return [...parts, [`lost ${s.lost}`, s.lost > 0]].filter(([text]) => text);
}

function showStatus(s) {
  state.status = s;
  $("status").replaceChildren(...Object.entries(s.cameras).flatMap(([name, camera]) => [[name, false, true], ...cameraParts(camera)].map(([text, alarm, isName]) => {
    const part = document.createElement("span");
    part.className = `part${alarm ? " alarm" : ""}${isName ? " name" : ""}`;
    part.textContent = text;
    return part;
  })));
  for (const [name, camera] of Object.entries(s.cameras)) showCamera(name, camera);
  showStanding();
}

// A camera's own page, or why there is none.
function showCamera(name, camera) {
  const id = `camera-${name}`, kind = camera.has_page ? "iframe" : "p";
  const place = $(id) || document.createElement("section");
  if (!place.id) {
    const title = document.createElement("h2");
    place.id = id;
    place.className = "camera";
    title.textContent = name;
    place.append(title);
    $("cameras").append(place);
  }
  let shown = place.children[1];
  if (!shown || shown.localName !== kind) {
    if (shown) shown.remove();
    shown = document.createElement(kind);
    if (kind === "iframe") {
      shown.title = name;
      shown.src = `/camera/${name}?token=${encodeURIComponent(token)}`;
      // A process that did not answer is asked again.
      shown.onload = ({ target }) => target.contentDocument?.getElementById("view") || setTimeout(() => { target.src += ""; }, 2000);
    }
    place.append(shown);
  }
  if (kind === "p") shown.textContent = camera.died || (camera.gone ? "has left" : "is being started");
}

// Say where there is no connection, and let nothing be pressed that would do nothing.
function showStanding() {
  const now = Date.now() / 1000;
  const gone = state.lost !== null ? [state.why, state.lost] : now - state.heard > SILENCE ? ["no word from the recorder", state.heard] : null;
  document.body.classList.toggle("disconnected", gone !== null);
  $("banner").className = gone ? "disconnected" : "";
  $("banner").textContent = gone ? `${gone[0]} (since ${clock(gone[1])})` : "";
  const { running, saving, cameras } = state.status, isAlone = gone !== null || !cameras;
  for (const id of ["stop", "next", "mark", "label"]) $(id).disabled = isAlone || !running;
  $("start").disabled = isAlone || running;
  $("quit").disabled = isAlone;
  document.title = `${gone ? "disconnected" : running ? saving.length ? "recording" : "running" : "stopped"} – ${state.status.name || "recorder"}`;
}
setInterval(showStanding, 1000);

function mark() {
  const text = $("label").value.trim();
  $("label").value = "";
  return text ? run(`mark ${text}`) : order({ mark: true }, "mark");
}

const actions = {
  start: () => run("start"),
  stop: () => (state.status.saving.length ? question(`${state.status.saving.join(", ")}: frames are being saved. Stop, and close the files?`, "stop", () => run("stop")) : run("stop")),
  next: () => run("save new"),
  mark,
  help: showKeys,
  quit: () => (state.status.saving.length ? run("quit") : question("Nothing is being saved. Leave the recorder?", "leave", () => run("quit"))),
};
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("label").addEventListener("keydown", (event) => event.key === "Enter" && mark());

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.tagName === "INPUT";
  if (isTyping && event.key === "Escape") return event.target.blur();
  if (isTyping || document.querySelector("dialog[open]") || event.altKey || event.metaKey || event.ctrlKey) return;
  if (takeKey(event.key.toLowerCase(), event.repeat)) event.preventDefault();
});

// A key of this page, or one of a camera's page that is for all; returns whether it is one.
function takeKey(key, repeats) {
  const box = { l: "label", "/": "command" }[key];
  if (box) $(box).focus();
  else if (key === "m") $("mark").disabled || repeats || mark();
  else if (key === "?") showKeys();
  else return false;
  return true;
}

connect();
