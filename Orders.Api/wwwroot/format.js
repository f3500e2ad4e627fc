const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const asMoney = value => money.format(value);
export const asCount = value => whole.format(value);
export const asTime = value => time.format(new Date(value));

/** 38 ms, 0.21 s, 3.6 s. */
export function asDuration(milliseconds) {
  if (milliseconds < 100) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

export function asBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const kibibytes = bytes / 1024;
  return kibibytes < 1024 ? `${whole.format(kibibytes)} KiB` : `${whole.format(kibibytes / 1024)} MiB`;
}
