// The few things that the page does to its document. Text goes in as text, never as HTML: the policy of the page forbids the other way.

export const byId = id => document.getElementById(id);

/** A copy of a template and what it has by data-ref. */
export function copyOf(templateId) {
  const node = byId(templateId).content.firstElementChild.cloneNode(true);
  const refs = {};
  for (const part of node.querySelectorAll("[data-ref]")) refs[part.dataset.ref] = part;
  return { node, refs };
}

/** An element with a text and attributes. */
export function element(name, text = "", attributes = {}) {
  const node = document.createElement(name);
  node.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, value);
  return node;
}

/** Whether the text is another one now: what stays as it is, is not touched, and not read out again. */
export function setText(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

/** Marks for a moment that something has changed. */
export function mark(node) {
  node.classList.remove("changed");
  // The style must be computed in between, or the animation does not begin again.
  void node.offsetWidth;
  node.classList.add("changed");
}

/** A button that cannot be used now, and keeps the focus that it has. */
export function setEnabled(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}

export const isEnabled = button => button.getAttribute("aria-disabled") !== "true";
