// Buttons and boxes.

const press = (id, on) => $(id).setAttribute("aria-pressed", String(on));

// Mark the frame being exposed now: with what is typed, else with the recorder's next label.
function mark() {
  const text = $("label").value.trim();
  $("label").value = "";
  return text ? run(`mark ${text}`) : order({ mark: true }, "mark");
}

// What was set is in the empty box, as the recorder says it.
async function expose() {
  const text = $("exposure").value.trim();
  if (text && (await run(`exposure ${text}`)).status === "ok") $("exposure").value = "";
}

const levels = () => (state.status.view.mode === "raw" ? "levels" : "range");

const actions = {
  start: () => run("start"),
  stop: () => (state.status.saving ? question(`${state.status.saving} is being saved. Stop, and close the file?`, "stop", () => run("stop")) : run("stop")),
  save: () => (state.status.saving ? question(`Close ${state.status.saving}, and go on without saving?`, "save off", () => run("save off")) : run("save on")),
  next: () => run("save new"),
  preview: () => run("preview toggle"),
  mark,
  snapshot: () => run("snapshot"),
  profiles: () => {
    state.profiles = !state.profiles;
    press("profiles", state.profiles);
    send({ profiles: state.profiles });
    if (state.profiles && state.head && !state.head.probe) moveProbe(0, 0);
  },
  // A key begins with a rectangle that keys move; a finger or the mouse draws its own.
  draw: (event) => setDrawing(!state.drawing, !event || event.detail === 0),
  nearer: () => zoom([picture.width / 2, picture.height / 2], 0.8),
  farther: () => zoom([picture.width / 2, picture.height / 2], 1.25),
  auto: () => run(`preview ${levels()} auto`),
  full: () => run(`preview ${levels()} full`),
  scale: () => { logarithmic = !logarithmic; $("scale").textContent = logarithmic ? "log" : "linear"; drawHistogram(); },
  take: () => $("baseline").value.trim() && run(`baseline ${$("baseline").value.trim()}`),
  whole: () => state.head && showRegion(null),
  expose,
  help: showKeys,
  // While frames are saved the recorder asks; else the page does, for a finger slips.
  quit: () => (state.status.saving ? run("quit") : question("Nothing is being saved. Leave the recorder?", "leave", () => run("quit"))),
};
$("mode").addEventListener("change", () => run(`preview mode ${$("mode").value}`));
$("back").addEventListener("change", drawTraces);
$("colours").addEventListener("change", () => run(`preview colours ${$("colours").value}`));
$("gamma").addEventListener("change", () => run(`preview gamma ${$("gamma").value}`));

// Have the controls show what the recorder says, but for what is being typed.
function showControls(s) {
  for (const [id, value] of ["colours", "gamma", "mode"].map((id) => [id, s.view[id]])) {
    if (document.activeElement !== $(id)) $(id).value = value;
  }
  $("against").textContent = s.view.mode === "raw" ? "" : `against a baseline: ${s.view.baseline}`;
  if (isFile) return showPosition(s);
  const gone = document.body.classList.contains("disconnected"), running = s.state === "running";
  for (const control of $("recording").querySelectorAll("button, input")) control.disabled = gone;
  $("quit").disabled = gone;
  $("start").disabled = gone || running || s.state === "opening" || s.state === "draining";
  $("stop").disabled = gone || !running;
  $("save").textContent = s.saving ? "save off" : "save on";
  showLabels(s.labels);
  for (const control of [$("mark"), $("snapshot"), ...$("labels").children]) control.disabled = gone || !running;
  $("exposure").placeholder = s.exposure;
}

// A button for each of the last labels: another frame of the same kind is marked by one touch.
function showLabels(labels) {
  if ($("labels").dataset.labels === labels.join("\n")) return;
  $("labels").dataset.labels = labels.join("\n");
  $("labels").replaceChildren(...labels.slice(0, 5).map((label) => {
    const button = document.createElement("button");
    button.textContent = label;
    button.ariaLabel = `mark ${label}`;
    button.onclick = () => run(`mark ${JSON.stringify(label)}`);
    return button;
  }));
}

for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
for (const [id, action] of [["label", mark], ["exposure", expose], ["baseline", actions.take]]) {
  $(id).addEventListener("keydown", (event) => event.key === "Enter" && action());
}
addEventListener("resize", () => { drawPicture(); drawHistogram(); drawTraces(); drawChart(); });
