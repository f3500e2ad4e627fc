import { randomHex } from "./api.js";
import { byId, setText } from "./dom.js";
import { Orders } from "./orders.js";
import { orderOne, Products } from "./products.js";
import { Sale } from "./sale.js";
import { System } from "./system.js";

// A reconnection that is quicker is not worth a word.
const lostMilliseconds = 1500;
// A page that nobody sees keeps no connection: a browser has six to a host, for all its tabs.
const hiddenMilliseconds = 30_000;

const customer = (() => {
  const name = "shop-customer";
  let userId;
  try {
    userId = localStorage.getItem(name) ?? "";
    if (!/^guest-[0-9a-f]{8}$/.test(userId)) localStorage.setItem(name, userId = `guest-${randomHex(4)}`);
  } catch {
    userId = `guest-${randomHex(4)}`;
  }
  return { userId, email: `${userId}@example.org` };
})();

const orders = new Orders();
let sale = null;
const products = new Products({
  order: async (product, onWait) => {
    const { orderId, total } = await orderOne(product, customer, onWait);
    orders.add({ orderId, total, what: product.name });
  },
  onChange: () => sale?.update(),
});
sale = new Sale(products, orders);

const states = {};
let isRedisReached = true;
let lost = 0;

function show() {
  const isLive = states.products === "live" && states.system === "live";
  const isLost = states.products === "lost" || states.system === "lost";
  if (isLost) {
    lost ||= setTimeout(() => draw("lost"), lostMilliseconds);
  } else {
    clearTimeout(lost);
    lost = 0;
    if (isLive) draw("live");
  }
}

function draw(state) {
  const pill = byId("connection");
  pill.dataset.state = state;
  setText(pill, state === "live" ? "Live" : "Connection lost, trying again");
  document.querySelector("main").classList.toggle("stale", state === "lost");
  const notice = byId("notice");
  const text = state === "lost" ? "The connection is lost and is tried again. What is below may be old."
    : isRedisReached ? "" : "Redis does not answer; a failover may be under way. Orders wait for the next primary.";
  notice.hidden = text === "";
  setText(notice, text);
}

const system = new System({
  onReached: reached => {
    isRedisReached = reached;
    show();
  },
});

let leave = null;

function connect() {
  leave ??= [
    products.follow(state => { states.products = state; show(); }),
    system.follow(state => { states.system = state; show(); }),
  ];
}

let hiding = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      leave?.forEach(end => end());
      leave = null;
    }, hiddenMilliseconds);
  } else {
    connect();
  }
});

setText(byId("customer"), `You are ${customer.userId}.`);
void products.load();
connect();
void orders.restore(customer.userId);
