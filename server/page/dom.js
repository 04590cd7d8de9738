// Elements, and numbers as people read them.

/** An element: `h("a", {href: "/"}, "home")`. Properties in camel case are set, others are attributes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Six digits, as the daemon's tables have them. */
export function number(x) {
  if (typeof x !== "number" || Number.isInteger(x)) return String(x ?? "");
  return String(Number(x.toPrecision(6)));
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${unit ? n.toPrecision(3) : n} ${units[unit]}`;
}

export function seconds(s) {
  if (s < 1) return `${Math.max(1, Math.round(1e3 * s))} ms`;
  if (s < 60) return `${s.toPrecision(3)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** Seconds between two times of a job; up to now if it has not come to the second. */
export function between(from, to) {
  return ((to ? new Date(to) : new Date()) - new Date(from)) / 1e3;
}

export function time(when) {
  return h("time", { dateTime: when, title: when }, new Date(when).toLocaleString());
}

/** The head of a table: texts or elements. */
export function head(columns, classes = []) {
  return h("thead", {}, h("tr", {}, columns.map((column, i) => h("th", { scope: "col", className: classes[i] }, column))));
}

/** A table of objects. `show` may give a cell another face: (row, column) -> node or undefined. */
export function table(caption, columns, rows, show = () => undefined) {
  const isNumber = (column) => rows.some((row) => typeof row[column] === "number");
  const align = columns.map((column) => (isNumber(column) ? "number" : ""));
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      head(columns, align),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column, i) =>
        h("td", { className: align[i] }, show(row, column) ?? number(row[column]))))))));
}

/** Copies a text, and says so on the button. */
export function copyButton(label, text) {
  const button = h("button", { type: "button", onclick: async () => {
    await copy(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  } }, label);
  return button;
}

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = h("textarea", { value: text }); // plain http from another machine has no clipboard
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
