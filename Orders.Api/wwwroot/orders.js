import { announce } from "./announce.js";
import { request } from "./api.js";
import { byId, copyOf, setText } from "./dom.js";
import { asDuration, asMoney, asTime } from "./format.js";
import { follow } from "./stream.js";

const most = 12;
// A browser opens six connections to a host at a time, and two of them are taken by the products and the inside.
const mostStreams = 2;
// What became of an order that was placed so long ago is not news any more.
const newsMilliseconds = 10 * 60_000;
// An order from which nothing is heard for so long lets others pass.
const patienceMilliseconds = 10_000;

const steps = ["placed", "paid", "mailed"];

/** The orders of this browser on their way. */
export class Orders {
  #known = new Map();
  #waiting = [];
  #followed = new Map();
  #held = false;

  /** Adds an order that was placed just now. */
  add({ orderId, total, what, by }) {
    if (this.#known.has(orderId)) return;
    this.#advance(this.#show({ orderId, what, total, isOld: false }, `${by ? `${by} · ` : ""}${orderId}`), "placed");
  }

  /** Adds those that the customer has placed before. */
  async restore(userId) {
    try {
      const answer = await request(`/orders?userId=${encodeURIComponent(userId)}&limit=${most}`);
      // The newest are added last, for they stand first.
      const orders = [...answer.orders].sort((a, b) => Date.parse(a.placedAt) - Date.parse(b.placedAt));
      for (const { orderId, total, status, lines, placedAt } of orders) {
        if (this.#known.has(orderId)) continue;
        const what = (lines ?? []).map(line => `${line.quantity} × ${line.sku}`).join(", ") || "An order";
        const isOld = Date.now() - Date.parse(placedAt) > newsMilliseconds;
        this.#advance(this.#show({ orderId, what, total, isOld }, orderId), status);
      }
    } catch {
      // They are not worth an error: whoever buys something sees that.
    }
  }

  /** Leaves the connections to others for a while, as for those who buy in a flash sale. */
  hold(isHeld) {
    this.#held = isHeld;
    if (isHeld) {
      for (const [order, leave] of this.#followed) {
        leave();
        this.#waiting.push(order);
      }
      this.#followed.clear();
    }
    this.#next();
  }

  #show(placed, about) {
    const order = { ...copyOf("order-template"), ...placed, placedAt: null, step: -1, isRejected: false };
    this.#known.set(order.orderId, order);
    setText(order.refs.what, order.what);
    setText(order.refs.total, asMoney(order.total));
    setText(order.refs.about, about);
    byId("orders-state").hidden = true;
    byId("order-list").prepend(order.node);
    for (const [orderId, oldest] of this.#known) {
      if (this.#known.size <= most) break;
      this.#forget(orderId, oldest);
    }
    if (!order.isOld) this.#waiting.push(order);
    this.#next();
    return order;
  }

  #forget(orderId, order) {
    this.#known.delete(orderId);
    order.node.remove();
    this.#leave(order);
    this.#waiting = this.#waiting.filter(o => o !== order);
  }

  #leave(order) {
    this.#followed.get(order)?.();
    this.#followed.delete(order);
  }

  #next() {
    while (!this.#held && this.#followed.size < mostStreams && this.#waiting.length > 0) this.#follow(this.#waiting.shift());
  }

  #follow(order) {
    let patience = 0;
    const rest = () => {
      clearTimeout(patience);
      patience = setTimeout(() => {
        if (this.#waiting.length === 0) return rest();
        this.#leave(order);
        this.#waiting.push(order);
        this.#next();
      }, patienceMilliseconds);
    };
    const end = () => {
      this.#leave(order);
      this.#next();
    };
    const leave = follow(`/orders/${encodeURIComponent(order.orderId)}/stream`, {
      on: {
        order: state => {
          rest();
          this.#advance(order, state.status, Date.parse(state.at));
          if (order.step === steps.length - 1) end();
        },
        // Anything else ends for a while.
        end: ({ reason }) => reason === "complete" || reason === "gone" ? end() : undefined,
      },
    });
    this.#followed.set(order, () => {
      clearTimeout(patience);
      leave();
    });
    rest();
  }

  /** at: when, in ms, if that is known. */
  #advance(order, status, at = Number.NaN) {
    const isRejected = status === "rejected";
    const name = status === "confirmed" || isRejected ? "paid" : status;
    const step = steps.indexOf(name);
    if (step < 0) return;
    if (!Number.isNaN(at)) {
      if (step === 0) order.placedAt = at;
      setText(order.refs[`${name}-time`], step === 0 ? asTime(at)
        : order.placedAt !== null ? `after ${asDuration(Math.max(0, at - order.placedAt))}` : "");
    }
    if (step <= order.step && (!isRejected || order.isRejected)) return;
    order.isRejected ||= isRejected;
    order.step = Math.max(order.step, step);
    this.#draw(order);
    if (step > 0) announce(order.orderId, `${order.what}: ${isRejected ? "the payment was declined" : name}.`);
  }

  #draw(order) {
    steps.forEach((name, i) => {
      const node = order.refs[name];
      const isDone = i <= order.step;
      node.dataset.state = i === 1 && order.isRejected ? "bad" : isDone ? "done" : i === order.step + 1 && !order.isOld ? "next" : "";
      if (isDone) node.removeAttribute("aria-current");
      else if (i === order.step + 1) node.setAttribute("aria-current", "step");
    });
    setText(order.refs["paid-name"], order.isRejected ? "Declined" : "Paid");
    order.node.dataset.status = order.isRejected ? "rejected" : steps[order.step];
  }
}
