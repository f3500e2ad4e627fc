import { byId } from "./dom.js";

// Read out at most so often, the newest of each subject: a flash sale changes more than anybody can listen to.
const pauseMilliseconds = 1500;
const waiting = new Map();
let timer = null;

/** Has a screen reader say something when it has come to rest. What is said later about the same subject replaces it. */
export function announce(subject, text) {
  waiting.set(subject, text);
  timer ??= setTimeout(() => {
    timer = null;
    byId("said").textContent = [...waiting.values()].join(" ");
    waiting.clear();
  }, pauseMilliseconds);
}
