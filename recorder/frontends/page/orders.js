// Orders to the recorder, and its answers.

const run = (line) => order({ command: line }, line);

// Give an order to the recorder, called `name` in the log, show the answer, and put its question, if it is one.
async function order(message, name) {
  log(`> ${name}`);
  const outcome = await ask(message), kind = outcome.status === "ok" ? "" : outcome.status;
  if (outcome.message) outcome.message.split("\n").forEach((text) => log(text, kind));
  if (!outcome.asks) tell(outcome.message || name, kind);
  else question(outcome.message.replace(/ y\/N( \([^)]*\))?/g, ""), name.startsWith("quit") ? "leave" : "yes", () => run("y"), () => run("n"));
  return outcome;
}

// The answer over the picture, where the log is far away.
let telling = 0;
function tell(text, kind) {
  $("told").textContent = text;
  $("told").className = kind;
  clearTimeout(telling);
  telling = setTimeout(() => ($("told").textContent = ""), 6000);
}
