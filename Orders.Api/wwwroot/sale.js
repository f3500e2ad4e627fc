import { randomHex } from "./api.js";
import { byId, element, isEnabled, setEnabled, setText } from "./dom.js";
import { asCount, asDuration } from "./format.js";
import { orderOne } from "./products.js";

// So many of those who got one are shown on their way.
const mostShown = 6;

/** Many buyers at once for the last items of one product. */
export class Sale {
  #products;
  #orders;
  #options = "";
  #runs = false;

  constructor(products, orders) {
    this.#products = products;
    this.#orders = orders;
    byId("sale").addEventListener("submit", event => {
      event.preventDefault();
      if (isEnabled(byId("sale-start"))) void this.#run();
    });
  }

  /** The products that can be sold. Nothing is touched while they are the same: the list may be open. */
  update() {
    const select = byId("sale-product");
    const products = this.#products.all.filter(p => p.name !== undefined).sort((a, b) => a.sku < b.sku ? -1 : 1);
    const options = JSON.stringify(products.map(p => [p.sku, p.name]));
    if (options !== this.#options) {
      this.#options = options;
      const chosen = select.value;
      select.replaceChildren(...products.map(p => element("option", p.name, { value: p.sku })));
      // The one of which there are fewest, unless somebody has chosen another.
      const scarce = products.filter(p => p.stock > 0).sort((a, b) => a.stock - b.stock)[0];
      select.value = products.some(p => p.sku === chosen) && select.dataset.touched ? chosen : scarce?.sku ?? products[0]?.sku ?? "";
      select.onchange = () => select.dataset.touched = "yes";
    }
    setEnabled(byId("sale-start"), products.length > 0 && !this.#runs);
  }

  async #run() {
    const product = this.#products.all.find(p => p.sku === byId("sale-product").value);
    const count = Number.parseInt(byId("sale-buyers").value, 10);
    if (!product || !(count >= 2 && count <= 200)) return;
    this.#runs = true;
    setEnabled(byId("sale-start"), false);
    this.#orders.hold(true);
    const result = byId("sale-result");
    const cells = Array.from({ length: count }, (_, i) => buyer(i + 1));
    byId("sale-buyers-list").replaceChildren(...cells.map(cell => cell.node));
    setText(result, `${count} buyers want ${product.name}; ${asCount(product.stock)} in stock.`);
    const sale = randomHex(3);
    const began = performance.now();
    const winners = [];
    const tally = { got: 0, late: 0, failed: 0 };
    let reason = "";
    await Promise.all(cells.map(async cell => {
      const userId = `sale-${sale}-${cell.number}`;
      try {
        const order = await orderOne(product, { userId, email: `${userId}@example.org` }, () => cell.show("waits", "is asked to wait"));
        cell.show("got", "got one");
        winners.push({ ...order, number: cell.number });
        tally.got++;
      } catch (problem) {
        const isLate = problem.status === 409;
        cell.show(isLate ? "late" : "failed", isLate ? "came too late" : problem.message);
        reason = isLate ? reason : problem.message;
        tally[isLate ? "late" : "failed"]++;
      }
    }));
    const failed = tally.failed > 0 ? ` ${tally.failed} were not served: ${reason}` : "";
    setText(result, `${tally.got} of ${count} buyers got ${product.name}, ${tally.late} came too late.${failed} `
      + `It took ${asDuration(performance.now() - began)}.`);
    this.#orders.hold(false);
    for (const { orderId, total, number } of winners.slice(0, mostShown)) {
      this.#orders.add({ orderId, total, what: product.name, by: `Buyer ${number}` });
    }
    this.#runs = false;
    this.update();
  }
}

function buyer(number) {
  const node = element("li");
  const shown = element("span", String(number), { "aria-hidden": "true" });
  const said = element("span", `Buyer ${number} is under way`, { class: "visually-hidden" });
  node.append(shown, said);
  return {
    node,
    number,
    show(outcome, words) {
      node.dataset.outcome = outcome;
      node.title = `Buyer ${number} ${words}`;
      setText(shown, outcome === "got" ? "✓" : outcome === "late" ? "–" : outcome === "waits" ? "…" : "!");
      setText(said, `Buyer ${number} ${words}`);
    },
  };
}
