// The peer: npm redlock on one server, with its defaults. Prints contender, time acquired and time released (ns of the
// machine's monotonic clock) of each turn.
//   node redlock.mjs PORT CONTENDERS START SECONDS
import Redis from 'ioredis';
import redlockModule from 'redlock';

const Redlock = redlockModule.default ?? redlockModule;
const [port, contenders] = process.argv.slice(2, 4).map(Number);
const start = BigInt(process.argv[4]);
const end = start + BigInt(Math.round(Number(process.argv[5]) * 1e9));
const client = new Redis({ host: '127.0.0.1', port });
const redlock = new Redlock([client]);
redlock.on('error', () => { /* Each attempt that finds it held. */ });
const now = () => process.hrtime.bigint();
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

async function contend(contender) {
  const turns = [];
  while (now() < end) {
    let lock;
    try {
      lock = await redlock.acquire(['peer-contended'], 10000);
    } catch {
      continue; // It gives up after ten attempts.
    }
    const acquired = now();
    await sleep(5);
    turns.push(`${contender} ${acquired} ${now()}`);
    await lock.release();
    await sleep(100);
  }
  return turns;
}

await client.ping();
await sleep(Math.max(0, Number(start - now()) / 1e6));
const turns = await Promise.all(Array.from({ length: contenders }, (_, i) => contend(i)));
console.log(turns.flat().join('\n'));
process.exit(0);
