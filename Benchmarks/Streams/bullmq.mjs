// The peer: BullMQ, the work queue on Redis that most Node services use. Prints one line of JSON.
//   node bullmq.mjs drain PORT JOBS       jobs a second of one process with a worker that does nothing
//   node bullmq.mjs work PORT JOBS        milliseconds from add to handler; says "ready" first
//   node bullmq.mjs add PORT JOBS RATE    adds jobs at a rate a second, for the above
import { Queue, Worker } from 'bullmq';

const [mode, port, jobs, rate] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const options = { removeOnComplete: true, removeOnFail: true };
// The monotonic clock of the machine, so that times of different processes compare.
const event = n => ({ order_id: `order-${n}`, user_id: '88', total_cost: 49.9, at: process.hrtime.bigint().toString() });

function handled(name, concurrency, onJob) {
  let seen = 0;
  let done;
  const all = new Promise(resolve => { done = resolve; });
  const worker = new Worker(name, async job => onJob(job), { connection, concurrency, autorun: false });
  worker.on('completed', () => { if (++seen === jobs) done(); });
  worker.on('error', error => { console.error(error); process.exit(1); });
  return { worker, all };
}

if (mode === 'drain') {
  const queue = new Queue('drain', { connection });
  for (let n = 0; n < jobs; n += 1000) {
    await queue.addBulk(Array.from({ length: Math.min(1000, jobs - n) }, (_, i) => ({ name: 'e', data: event(n + i), opts: options })));
  }
  const { worker, all } = handled('drain', 100, () => {});
  await worker.waitUntilReady();
  const start = process.hrtime.bigint();
  worker.run();
  await all;
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  console.log(JSON.stringify(jobs / seconds));
  await worker.close();
  await queue.close();
} else if (mode === 'work') {
  const times = [];
  const { worker, all } = handled('delivery', 8, job => {
    times.push(Number(process.hrtime.bigint() - BigInt(job.data.at)) / 1e6);
  });
  await worker.waitUntilReady();
  worker.run();
  console.log('ready');
  await all;
  // Longer than a pipe holds, and the end does not wait for it.
  await new Promise(resolve => process.stdout.write(JSON.stringify(times), resolve));
  await worker.close();
} else {
  const queue = new Queue('delivery', { connection });
  await queue.waitUntilReady();
  const start = process.hrtime.bigint();
  const adding = [];
  await new Promise(resolve => {
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.min(jobs, Math.floor(Number(process.hrtime.bigint() - start) / 1e9 * rate));
      for (; sent < due; sent++) adding.push(queue.add('e', event(sent), options));
      if (sent === jobs) { clearInterval(timer); resolve(); }
    }, 1);
  });
  await Promise.all(adding);
  await queue.close();
}
process.exit(0);
