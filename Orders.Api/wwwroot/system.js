import { announce } from "./announce.js";
import { byId, element, mark, setText } from "./dom.js";
import { asBytes, asCount, asDuration, asTime } from "./format.js";
import { follow } from "./stream.js";

// The same snapshot comes again each ten seconds when nothing has changed.
const silenceMilliseconds = 25_000;

/** The inside: leases, consumer groups, servers, regions. */
export class System {
  #onReached;
  #tokens = new Map();
  #said = {};

  /** onReached: called with whether Redis answers. */
  constructor({ onReached }) {
    this.#onReached = onReached;
  }

  follow(onState) {
    return follow("/system/stream", { onState, silence: silenceMilliseconds, on: { system: snapshot => this.#draw(snapshot) } });
  }

  #draw(snapshot) {
    byId("inside").setAttribute("aria-busy", "false");
    this.#onReached(snapshot.isRedisReached);
    this.#drawLeases(snapshot.leases);
    this.#drawGroups(snapshot.groups);
    this.#drawServers(snapshot.servers, snapshot.sentinels);
    this.#drawFailover(snapshot.failover);
    this.#drawRegion(snapshot.region);
  }

  #drawLeases(leases) {
    table("leases", leases, lease => lease.sku, "No product is sold under a lease.", (row, lease) => {
      const isHeld = lease.holder !== null;
      row.dataset.state = isHeld || lease.waiting > 0 ? "busy" : "";
      cell(row, 0, lease.lease);
      cell(row, 1, isHeld ? lease.holder : "free", isHeld && lease.fencingToken !== null ? `token ${lease.fencingToken}` : "");
      cell(row, 2, asCount(lease.waiting), lease.mostWaiting > lease.waiting ? `${asCount(lease.mostWaiting)} of late` : "");
      const last = this.#tokens.get(lease.sku);
      if (last !== undefined && last !== lease.lastFencingToken) mark(row);
      this.#tokens.set(lease.sku, lease.lastFencingToken);
    });
  }

  #drawGroups(groups) {
    table("groups", groups, group => `${group.stream} ${group.group}`, "There are no consumer groups yet.", (row, group) => {
      cell(row, 0, group.group, group.stream);
      cell(row, 1, group.lag === null ? "?" : asCount(group.lag));
      cell(row, 2, asCount(group.pending));
      cell(row, 3, asCount(group.consumers), group.deadLetters > 0 ? `${asCount(group.deadLetters)} dead letters` : "");
    });
  }

  #drawServers(servers, sentinels) {
    table("servers", servers, server => server.address, "No server has answered yet.", (row, server) => {
      row.dataset.state = server.state;
      cell(row, 0, server.address,
        server.shard == null ? "" : server.slots == null ? `shard ${server.shard}` : `shard ${server.shard}, slots ${server.slots}`);
      const isGone = server.state === "gone";
      const role = server.state === "up" ? server.role : server.state;
      if (row.cells[1].childElementCount === 0) row.cells[1].append(element("span", "", { class: "tag" }), element("small"));
      const [tag, before] = row.cells[1].children;
      if (setText(tag, role)) announce(server.address, `${server.address}: ${role}.`);
      setText(before, isGone ? `was ${server.role}` : "");
      tag.dataset.role = role;
      cell(row, 2, server.lagBytes === null ? "–" : asBytes(server.lagBytes));
    });
    setText(byId("sentinels"), sentinels === null ? "" : sentinels === 1 ? "1 Sentinel answers." : `${sentinels} Sentinels answer.`);
  }

  #drawFailover(failover) {
    let text = "None since this instance was started.";
    if (failover !== null) {
      const cost = !failover.isOver ? "Being measured…" : failover.blackoutMilliseconds === null ? "It held nothing up."
        : `It held this instance up for ${asDuration(failover.blackoutMilliseconds)}.`;
      text = `${failover.kind === "switchover" ? "Planned switchover" : "Failover"} at ${asTime(failover.at)}, `
        + `from ${failover.from} to ${failover.to}. ${cost}`;
    }
    setText(byId("failover"), text);
  }

  #drawRegion(region) {
    byId("region").hidden = region === null;
    if (region === null) return;
    const text = region.isActive ? `${region.name} is the active region (epoch ${region.epoch}): orders are accepted here.`
      : `${region.name} is a standby and refuses orders. Active: ${region.activeRegion ?? "not known"} (epoch ${region.epoch}).`;
    if (setText(byId("region-text"), text) && this.#said.region !== undefined) announce("region", text);
    this.#said.region = text;
  }
}

/** Draws rows by their keys; what stays is not touched, so that no selection is lost and nothing is read out again. */
function table(id, items, keyOf, emptyText, draw) {
  const node = byId(id);
  const state = byId(`${id}-state`);
  node.hidden = items.length === 0;
  state.hidden = items.length > 0;
  setText(state, emptyText);
  const body = node.tBodies[0];
  const rows = new Map([...body.rows].map(row => [row.dataset.key, row]));
  items.forEach((item, i) => {
    const key = keyOf(item);
    let row = rows.get(key);
    rows.delete(key);
    if (!row) {
      row = element("tr", "", { "data-key": key });
      [...node.tHead.rows[0].cells].forEach((head, column) => {
        row.append(element(column === 0 ? "th" : "td", "", column === 0 ? { scope: "row" } : { class: head.className }));
      });
    }
    if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] ?? null);
    draw(row, item);
  });
  for (const row of rows.values()) row.remove();
}

/** A cell with a text and a smaller one below. */
function cell(row, column, text, below = "") {
  const node = row.cells[column];
  if (!node.firstElementChild) node.append(element("span"), element("small"));
  setText(node.children[0], text);
  setText(node.children[1], below);
}
