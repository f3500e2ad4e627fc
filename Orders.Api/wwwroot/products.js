import { announce } from "./announce.js";
import { placeOrder, request } from "./api.js";
import { byId, copyOf, isEnabled, mark, setEnabled, setText } from "./dom.js";
import { asCount, asMoney } from "./format.js";
import { follow } from "./stream.js";

const pageSize = 20;
const retryMilliseconds = 5000;
// A snapshot is there by then; what was not in it is no product any more.
const snapshotMilliseconds = 5000;

/** The products, with the stock that they have now. */
export class Products {
  #bySku = new Map();
  #shown = pageSize;
  #next = null;
  #snapshot = 0;
  #pruning = 0;
  #order;
  #onChange;

  /** order: called with what was ordered. onChange: called when there are other products, or other stocks. */
  constructor({ order, onChange }) {
    this.#order = order;
    this.#onChange = onChange;
    byId("products-more").addEventListener("click", () => this.#showMore());
  }

  get all() {
    return [...this.#bySku.values()].map(known => known.product);
  }

  /** Loads the first page, again and again until it is there. */
  async load() {
    try {
      const page = await request(`/products?limit=${pageSize}`);
      this.#next = page.next;
      for (const product of page.products) this.#list(product);
      this.#arrange();
    } catch (problem) {
      if (this.#bySku.size === 0) {
        setText(byId("products-state"), `The products cannot be loaded: ${problem.message} Trying again.`);
      }
      setTimeout(() => this.load(), retryMilliseconds);
    }
  }

  follow(onState) {
    return follow("/products/stream", {
      onState,
      on: {
        product: product => {
          this.#put(product);
          this.#arrange();
        },
        reset: ({ complete }) => this.#beginSnapshot(complete),
      },
    });
  }

  /** All that is not told again is gone. It stays until then: whoever reads a product or is about to buy it is not disturbed. */
  #beginSnapshot(isComplete) {
    this.#snapshot++;
    clearTimeout(this.#pruning);
    // There are too many to tell them all.
    if (isComplete === false) return;
    const mine = this.#snapshot;
    this.#pruning = setTimeout(() => {
      for (const [sku, known] of this.#bySku) {
        if (known.snapshot < mine) {
          known.node.remove();
          this.#bySku.delete(sku);
        }
      }
      this.#arrange();
    }, snapshotMilliseconds);
  }

  /** The list is read from a cache: what the stream has told is newer. */
  #list(product) {
    if (!this.#bySku.has(product.sku)) this.#put(product);
  }

  #put(product) {
    if (typeof product?.sku !== "string") return;
    let known = this.#bySku.get(product.sku);
    if (!known) {
      known = { ...copyOf("product-template"), product: {}, busy: false };
      known.refs.buy.addEventListener("click", () => this.#buy(known));
      this.#bySku.set(product.sku, known);
    }
    const before = known.product;
    known.product = { ...before, ...product };
    known.snapshot = this.#snapshot;
    this.#draw(known, before);
    this.#onChange();
  }

  #draw(known, before) {
    const { product, refs, node } = known;
    setText(refs.name, product.name);
    setText(refs.price, asMoney(product.price));
    setText(refs.sku, product.sku);
    const isOther = setText(refs.stock, asCount(product.stock));
    if (isOther && before.stock !== undefined) {
      mark(refs.stock);
      if (product.stock === 0) announce(product.sku, `${product.name} is sold out.`);
    }
    node.dataset.stock = product.stock > 0 ? "some" : "none";
    known.most = Math.max(known.most ?? 0, product.stock);
    refs.level.style.setProperty("--level", String(known.most > 0 ? product.stock / known.most : 0));
    this.#drawButton(known);
  }

  #drawButton({ product, refs, busy }) {
    setText(refs.buy, busy ? "Ordering…" : product.stock > 0 ? "Buy one" : "Sold out");
    refs.buy.setAttribute("aria-label", busy ? `Ordering ${product.name}` : product.stock > 0 ? `Buy one: ${product.name}`
      : `Sold out: ${product.name}`);
    setEnabled(refs.buy, !busy && product.stock > 0);
  }

  /** In the order of their SKUs, as the catalogue has them; without moving what is in its place. */
  #arrange() {
    const list = byId("product-list");
    const sorted = [...this.#bySku.values()].sort((a, b) => a.product.sku < b.product.sku ? -1 : 1);
    sorted.forEach((known, i) => {
      if (list.children[i] !== known.node) list.insertBefore(known.node, list.children[i] ?? null);
      known.node.hidden = i >= this.#shown;
    });
    byId("products-more").hidden = sorted.length <= this.#shown && this.#next === null;
    const state = byId("products-state");
    state.hidden = sorted.length > 0;
    setText(state, "There are no products yet. The dashboard has “Seed products” in the menu of inventory-api.");
    byId("products").setAttribute("aria-busy", "false");
    this.#onChange();
  }

  async #showMore() {
    this.#shown += pageSize;
    if (this.#bySku.size < this.#shown && this.#next !== null) {
      try {
        const page = await request(`/products?limit=${pageSize}&cursor=${encodeURIComponent(this.#next)}`);
        this.#next = page.next;
        for (const product of page.products) this.#list(product);
      } catch (problem) {
        this.#shown -= pageSize;
        announce("products", `More products cannot be loaded: ${problem.message}`);
      }
    }
    this.#arrange();
  }

  async #buy(known) {
    if (!isEnabled(known.refs.buy)) return;
    const { product } = known;
    known.busy = true;
    this.#drawButton(known);
    this.#answer(known, "");
    let countdown = 0;
    try {
      await this.#order(product, (problem, seconds) => {
        clearInterval(countdown);
        countdown = this.#countDown(known, problem, seconds);
      });
      this.#answer(known, "Ordered. It is on its way below.", "good");
    } catch (problem) {
      this.#answer(known, problem.status === 409 ? "Somebody else was faster: sold out."
        : problem.status === 429 ? "Still too many orders. Please try again later." : problem.message,
      problem.status === 409 || problem.status === 429 ? "warn" : "bad");
    } finally {
      clearInterval(countdown);
      known.busy = false;
      this.#drawButton(known);
    }
  }

  #countDown(known, problem, seconds) {
    const why = problem.status === 429 ? "Too many orders at the moment" : problem.status === 0 ? "No answer" : "Not safely stored yet";
    let left = seconds;
    const show = () => this.#answer(
      known, left > 0 ? `${why}: trying again in ${left} s.` : `${why}: trying again.`, "warn", left === seconds);
    show();
    return setInterval(() => {
      left = Math.max(0, left - 1);
      show();
    }, 1000);
  }

  #answer(known, text, kind = "", isSaid = true) {
    setText(known.refs.answer, text);
    known.refs.answer.dataset.kind = kind;
    if (text && isSaid) announce(known.product.sku, `${known.product.name}: ${text}`);
  }
}

/** Orders one item of a product. */
export const orderOne = (product, customer, onWait) => placeOrder(
  { userId: customer.userId, email: customer.email, lines: [{ sku: product.sku, quantity: 1 }] }, onWait);
