// Server-sent events that come back. The browser reconnects by itself when a connection ends, with the id of the last event; when it is
// refused, it gives up, and we begin anew.

const longestPauseMilliseconds = 10_000;

/**
 * Follows a stream until the returned function is called. on: a handler for each kind of event, with its data. onState hears "live" and
 * "lost". With a silence, a connection on which nothing comes for so many ms counts as lost.
 */
export function follow(path, { on, onState = () => {}, silence = 0 }) {
  let source = null;
  let refusals = 0;
  let again = 0;
  let watch = 0;
  let state = "";

  const tell = next => {
    if (next !== state) {
      state = next;
      onState(next);
    }
  };

  const heard = () => {
    clearTimeout(watch);
    if (silence > 0) {
      watch = setTimeout(() => {
        tell("lost");
        open();
      }, silence);
    }
  };

  function open() {
    source?.close();
    clearTimeout(again);
    const opened = source = new EventSource(path);
    heard();
    opened.addEventListener("open", () => {
      refusals = 0;
      tell("live");
      heard();
    });
    opened.addEventListener("error", () => {
      if (source !== opened) return;
      tell("lost");
      if (opened.readyState === EventSource.CLOSED) {
        // Not all at once: a service that comes back has many to serve.
        const pause = Math.min(longestPauseMilliseconds, 1000 * 2 ** refusals++) * (0.75 + Math.random() / 2);
        clearTimeout(watch);
        again = setTimeout(open, pause);
      }
    });
    for (const [kind, handle] of Object.entries(on)) {
      opened.addEventListener(kind, event => {
        heard();
        handle(dataOf(event));
      });
    }
  }

  open();
  return () => {
    source.close();
    source = null;
    clearTimeout(again);
    clearTimeout(watch);
  };
}

function dataOf(event) {
  try {
    return JSON.parse(event.data);
  } catch {
    return event.data;
  }
}
