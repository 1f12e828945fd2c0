// The API explorer: follows links, sends requests, and shows what comes back. It asks this broker and no one else, and
// takes every answer for hostile: what was answered becomes text, and a link only where it leads back to this broker.

const MOST_ROWS = 40;
const LONGEST_TEXT = 500_000;
const MOST_OPENED = 2000;
const MOST_REMEMBERED = 30;
const WITH_BODY = ["POST", "PUT", "PATCH"];
const ACCEPT = "application/hal+json, application/json;q=0.9, */*;q=0.5";

const page = document.getElementById("explorer");
const part = (name) => document.getElementById(`explorer-${name}`);
const home = new URL(page.dataset.home, location.href);

// Elements

const make = (name, properties = {}, ...children) => {
  const one = Object.assign(document.createElement(name), properties);
  one.append(...children);
  return one;
};
const named = (label, element) => {
  element.setAttribute("aria-label", label);
  return element;
};
const pressed = (text, act, properties = {}) => {
  const button = make("button", { type: "button", className: "small", ...properties }, text);
  button.addEventListener("click", act);
  return button;
};
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const listed = (value) => (Array.isArray(value) ? value : [value]);
const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

// Where requests may go

class Refusal extends Error {}

const VARIABLE = /\{([^{}]*)\}/g;
const isTemplate = (path) => path.includes("{");

// The path of what is named, by an URL or a path, if it is this broker's. Throws Refusal.
const pathOf = (text) => {
  if (typeof text !== "string") throw new Refusal("This link holds no address.");
  let url;
  try {
    url = new URL(text.trim().replace(VARIABLE, "x"), home);
  } catch {
    throw new Refusal(`This is no address: ${text}`);
  }
  if (url.protocol !== home.protocol || url.origin !== home.origin || url.username) {
    throw new Refusal(`This leads to another host, and the explorer asks ${home.host} only: ${text}`);
  }
  if (isTemplate(text)) return below(text.trim().replace(/^[a-z]+:\/\/[^/]*/i, ""));
  return below(url.pathname + url.search);
};
// Links of other pages name what is below the base URL, with or without the base URL's path.
const below = (path) => (path.startsWith(home.pathname) || path === home.pathname.slice(0, -1) ? path : home.pathname + path.replace(/^\//, ""));
const inner = (path) => `/${path.slice(home.pathname.length)}`;
// The form shows paths below the base URL. One that begins like the base URL's own path is below it, too.
const typedPath = (text) => pathOf(text.trim().startsWith("/") ? home.pathname + text.trim().slice(1) : text);
const pathOrNone = (text) => {
  try {
    return pathOf(text);
  } catch {
    return null;
  }
};

// Asking

const token = () => document.querySelector('meta[name="csrf-token"]')?.content;

const ask = async ({ method, path, accept = ACCEPT, contentType, body }) => {
  const headers = { accept };
  if (body !== undefined) headers["content-type"] = contentType;
  if (method !== "GET" && token()) headers["x-csrf-token"] = token();
  const started = performance.now();
  let answer;
  try {
    answer = await fetch(new URL(pathOf(path), home), { method, headers, body, cache: "no-store" });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("No answer: the broker cannot be reached, or it led to another host.");
  }
  const text = await answer.text();
  return {
    method,
    path,
    text,
    status: answer.status,
    isGood: answer.ok,
    said: `${answer.status} ${answer.statusText}`.trim(),
    headers: [...answer.headers],
    location: answer.headers.get("location"),
    milliseconds: Math.round(performance.now() - started),
    json: parsed(text, answer.headers.get("content-type") ?? ""),
  };
};

const parsed = (text, kind) => {
  if (!kind.includes("json")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

// What the OpenAPI document says

let described;
const description = () => {
  described ??= ask({ method: "GET", path: page.dataset.openapi, accept: "application/json" })
    .then((answer) => (isObject(answer.json) ? answer.json : {}))
    .catch(() => ({}));
  return described;
};

const segments = (path) => path.split("?")[0].split("/").filter(Boolean);
const isVariable = (segment) => segment.startsWith("{");

// The path in the document that a path fits, the one with the most fixed words.
const templateOf = (api, path) => {
  const wanted = segments(inner(path));
  const fits = (template) => {
    const given = segments(template);
    const matches = (one, at) => isVariable(one) || one === wanted[at];
    return given.length === wanted.length && given.every(matches) ? given.filter((one) => !isVariable(one)).length : -1;
  };
  const ranked = Object.keys(api.paths ?? {}).map((template) => [fits(template), template]);
  const [best, template] = ranked.reduce((one, other) => (other[0] > one[0] ? other : one), [-1, null]);
  return best < 0 ? null : template;
};

const operationsAt = async (path) => {
  const api = await description();
  const template = templateOf(api, path);
  const { parameters = [], ...methods } = template ? api.paths[template] : {};
  return { api, methods, parameters };
};

const followed = (api, value) => {
  const name = isObject(value) && typeof value.$ref === "string" ? value.$ref.split("/").slice(1) : [];
  return name.length ? name.reduce((at, step) => at?.[step], api) : value;
};

const exampleOf = (api, media, depth = 0) => {
  const schema = followed(api, media?.schema ?? media);
  if (!isObject(schema) || depth > 4) return undefined;
  if (schema.examples) return schema.examples[0];
  const kind = listed(schema.type)[0];
  if (kind === "object") {
    const wanted = Object.entries(schema.properties ?? {}).filter(([name]) => (schema.required ?? []).includes(name));
    return Object.fromEntries(wanted.map(([name, one]) => [name, exampleOf(api, { schema: one }, depth + 1) ?? null]));
  }
  if (kind === "array") return [exampleOf(api, { schema: schema.items ?? {} }, depth + 1)].filter((one) => one !== undefined);
  return { string: schema.enum?.[0] ?? schema.format ?? "", boolean: true, integer: 1, number: 1 }[kind];
};

// Documents

const links = (hal) =>
  Object.entries(isObject(hal) && isObject(hal._links) ? hal._links : {})
    .filter(([relation]) => relation !== "curies")
    .flatMap(([relation, given]) => listed(given).filter(isObject).map((link) => ({ relation, link })));

const curiesOf = (hal) => listed(hal?._links?.curies ?? []).filter((one) => isObject(one) && typeof one.href === "string");

// Where a relation is explained: where the document says, or else where this broker explains them all.
const explanationOf = (relation, curies) => {
  const [prefix, ...rest] = relation.split(":");
  const curie = rest.length ? curies.find((one) => one.name === prefix) : undefined;
  const name = encodeURIComponent(rest.length ? rest.join(":") : relation);
  return curie ? curie.href.replace("{rel}", () => name) : `${page.dataset.doc}${name}`;
};

const hashOf = (path) => `#${path}`;
// A path that breaks between its words.
const broken = (path) => path.split(/(?<=[/&=?])/).flatMap((word) => [make("wbr"), word]).slice(1);
const linkTo = (path, relation, curies) => {
  const one = make("a", { href: hashOf(path), className: "plain-url" }, ...broken(inner(path)));
  one.addEventListener("click", () => { relationFollowed = { relation, curies }; });
  return one;
};

let relationFollowed = null;

const linkRow = ({ relation, link }, curies) => {
  const path = pathOrNone(link.href);
  const shown = path === null ? String(link.href ?? "no address") : inner(path);
  const address = path === null || isTemplate(path) ? make("span", { className: "plain-url" }, ...broken(shown)) : linkTo(path, relation, curies);
  const about = pressed("About", () => explain(relation, curies, row));
  const requests = path === null
    ? make("span", { className: "soft" }, "not of this broker")
    : pressed(isTemplate(path) ? "Fill in" : "Request", () => { explain(relation, curies); compose(path, null, true); });
  const row = make(
    "tr", {},
    named(relation, make("th", { scope: "row" }, make("code", {}, relation))),
    make("td", {}, ...titled(link), address),
    make("td", { className: "more" }, named(`About ${relation}`, about), " ", path === null ? requests : named(`Request: ${relation} ${shown}`, requests)),
  );
  return row;
};
const titled = (link) => {
  const words = [link.title, link.name].filter((one) => typeof one === "string" && one);
  if (words.length > 1 && words[0].includes(words[1])) words.pop();
  return words.length ? [make("span", { className: "title" }, words.join(": "))] : [];
};

// Adds rows up to a number, and a button for those that are left.
const added = (place, rows, draw, wrap) => {
  const shown = rows.splice(0, MOST_ROWS);
  place.append(...shown.map(draw));
  if (!rows.length) return;
  const more = wrap(pressed(`Show more (${rows.length.toLocaleString("en")} left)`, () => {
    more.remove();
    added(place, rows, draw, wrap);
  }));
  place.append(more);
};

const linkTable = (found, curies) => {
  const body = make("tbody");
  added(body, [...found], (one) => linkRow(one, curies), (button) => make("tr", {}, make("td", { colSpan: 3 }, button)));
  const head = make("tr", {}, ...["Relation", "Target", ""].map((text) => make("th", { scope: "col" }, text || make("span", { className: "unseen" }, "More"))));
  return scrolled("Links", make("table", { className: "links" }, make("thead", {}, head), body));
};
const scrolled = (name, table) => {
  const place = named(name, make("div", { className: "scroll", tabIndex: 0 }, table));
  place.setAttribute("role", "region");
  return place;
};

const NAMES = ["title", "name", "displayName", "number", "description", "uuid", "event"];
const nameOf = (hal, at) => {
  const found = isObject(hal) ? NAMES.map((name) => hal[name]).find((one) => typeof one === "string" && one) : undefined;
  return found ?? `${at + 1}`;
};

const embedded = (relation, resources, curies) => {
  const place = make("div");
  const all = resources.map((hal, at) => ({ hal, at }));
  added(place, all, ({ hal, at }) => resource(hal, nameOf(hal, at), curies), (button) => make("p", {}, button));
  return make("section", {}, make("h4", {}, make("code", {}, relation), " ", make("span", { className: "soft" }, plural(resources.length, "resource"))), place);
};
const resource = (hal, name, curies) => {
  const self = pathOrNone(listed(hal?._links?.self)[0]?.href);
  const place = make("details", { className: "resource" }, make("summary", {}, name));
  place.addEventListener("toggle", () => {
    if (!place.open || place.dataset.full) return;
    place.dataset.full = "yes";
    if (self) place.append(make("p", {}, linkTo(self, "self", curies)));
    place.append(...contents(hal, curies));
  });
  return place;
};

const contents = (hal, curies, level = "h4") => {
  if (!isObject(hal)) return [tree(hal)];
  const { _links, _embedded, ...properties } = hal;
  const found = links(hal);
  const inside = isObject(_embedded) ? Object.entries(_embedded) : [];
  return [
    ...(Object.keys(properties).length ? [make(level, {}, "Properties"), tree(properties)] : []),
    ...(found.length ? [make(level, {}, "Links"), linkTable(found, curies)] : []),
    ...(inside.length ? [make(level, {}, "Embedded")] : []),
    ...inside.map(([relation, given]) => embedded(relation, listed(given), curies)),
  ];
};

// JSON that folds

// Lines end after slashes and the like, and not within words, as on pages (`_breakable`).
const breakable = (text) => text.split(/(?<=[-/_@=&?])/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));

const leaf = (value) => {
  const path = typeof value === "string" && /^https?:\/\//.test(value) ? pathOrNone(value) : null;
  const text = JSON.stringify(value) ?? "";
  const kind = value === null ? "null" : typeof value;
  if (path !== null && !isTemplate(path)) return make("a", { href: hashOf(path), className: "leaf string" }, ...breakable(text));
  return make("span", { className: `leaf ${kind}` }, ...(kind === "string" ? breakable(text) : [text]));
};

const tree = (value) => make("div", { className: "tree" }, node(null, value, 0));
const node = (name, value, depth) => {
  const label = name === null ? [] : [make("span", { className: "key" }, name), ": "];
  if (value === null || typeof value !== "object") return make("div", { className: "line" }, ...label, leaf(value));
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (!entries.length) return make("div", { className: "line" }, ...label, open + close);
  const place = make("details", { className: "node" });
  place.append(make("summary", {}, ...label, open, make("span", { className: "count" }, `${entries.length}`), close));
  const fill = () => {
    if (!place.open || place.dataset.full) return;
    place.dataset.full = "yes";
    const inside = make("div", { className: "inner" });
    added(inside, entries, ([key, one]) => node(Array.isArray(value) ? null : key, one, depth + 1), (button) => make("p", {}, button));
    place.append(inside);
  };
  place.addEventListener("toggle", fill);
  fills.set(place, fill);
  place.open = depth < 2;
  fill();
  return place;
};
const fills = new WeakMap();

const fold = (place) => {
  for (const one of place.querySelectorAll("details.node")) one.open = false;
};
// What is opened holds more that is closed, so it goes level by level, up to a number.
const unfold = (place, left = MOST_OPENED) => {
  const closed = [...place.querySelectorAll("details.node:not([open])")].slice(0, left);
  for (const one of closed) {
    one.open = true;
    fills.get(one)();
  }
  if (closed.length && left > closed.length) unfold(place, left - closed.length);
};

// An answer

const size = (text) => {
  const bytes = new Blob([text]).size;
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KB`;
};

const statusOf = (answer) => make(
  "p", { className: "asked" },
  make("span", { className: `state ${answer.isGood ? "verified" : "failed"}` }, make("span", { ariaHidden: "true" }, answer.isGood ? "✓ " : "✕ "), answer.said), " ",
  make("span", { className: "soft" }, `${answer.milliseconds} ms, ${size(answer.text)}`),
);

const headersOf = (answer) => make(
  "details", { className: "resource" },
  make("summary", {}, `Headers (${answer.headers.length})`),
  make("dl", { className: "pairs" }, ...answer.headers.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
);

const copied = async (button, text) => {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
};

const asText = (text) => {
  const shown = make("pre", { className: "json wrap", tabIndex: 0 }, text.slice(0, LONGEST_TEXT));
  return text.length > LONGEST_TEXT ? [shown, make("p", { className: "soft" }, "Truncated. Copy it to get the complete text.")] : [shown];
};

const bodyOf = (answer) => {
  const tools = make("div", { className: "tools" });
  const place = make("div");
  const copy = pressed("Copy", () => copied(copy, answer.text));
  if (answer.json === undefined) {
    place.append(...asText(answer.text));
    tools.append(copy);
    return [tools, place];
  }
  const folded = () => place.replaceChildren(tree(answer.json));
  const asSent = pressed("As sent", () => {
    const isSent = asSent.getAttribute("aria-pressed") === "true";
    asSent.setAttribute("aria-pressed", String(!isSent));
    if (isSent) folded();
    else place.replaceChildren(...asText(answer.text));
  });
  asSent.setAttribute("aria-pressed", "false");
  folded();
  tools.append(copy, pressed("Fold", () => fold(place)), pressed("Unfold", () => unfold(place)), asSent);
  return [tools, place];
};

const answerCard = (answer) => [
  make("h2", {}, "Response"),
  headersOf(answer),
  ...(answer.text ? bodyOf(answer) : [make("p", { className: "soft" }, "The answer has no body.")]),
];

const headingOf = (text) => make("h2", { tabIndex: -1 }, ...broken(text));
const show = (answer) => {
  const curies = isObject(answer.json) ? curiesOf(answer.json) : [];
  const heading = headingOf(inner(answer.path));
  if (answer.method !== "GET") heading.prepend(make("span", { className: "method" }, answer.method), " ");
  const made = answer.location && pathOrNone(answer.location);
  draw(
    heading,
    statusOf(answer),
    ...(made ? [make("p", { className: "notice good" }, "It is found here: ", linkTo(made, "self", curies))] : []),
    ...(answer.json === undefined ? nothing(answer) : contents(answer.json, curies, "h3")),
  );
  part("answer").replaceChildren(...answerCard(answer));
  tell(`${answer.method} ${inner(answer.path)}: ${answer.said}`);
  remember(answer);
  return heading;
};
const draw = (...children) => {
  aside.prepend(about);
  part("document").replaceChildren(...children);
};
const nothing = (answer) => (answer.text ? asText(answer.text) : [make("p", { className: "empty" }, "The answer has no body.")]);

const refuse = (text) => {
  const notice = make("p", { className: "notice bad" }, text);
  draw(headingOf("Not asked"), notice);
  part("answer").replaceChildren(make("h2", {}, "Response"), make("p", { className: "soft" }, "None."));
  tell(text);
};
const tell = (text) => { part("status").textContent = text; };

const remember = (answer) => {
  const again = pressed(`${answer.method} ${inner(answer.path)}`, () => compose(answer.path, answer.method, true), { className: "small plain-url" });
  const entry = make("li", {}, again, " ", make("span", { className: answer.isGood ? "soft" : "soft failed" }, answer.said));
  part("history").prepend(entry);
  while (part("history").children.length > MOST_REMEMBERED) part("history").lastChild.remove();
};

// What a relation means

const TELLS = { h1: "h3", h2: "h4", h3: "h4", p: "p", ul: "ul", ol: "ol", li: "li", code: "code" };
const retold = (element) => [...element.childNodes].flatMap((one) => {
  if (one.nodeType === Node.TEXT_NODE) return [one.data];
  if (one.nodeType !== Node.ELEMENT_NODE || ["script", "style", "template"].includes(one.localName)) return [];
  const inside = retold(one);
  if (one.localName === "a") return [linkToPage(one.getAttribute("href"), inside)];
  return TELLS[one.localName] ? [make(TELLS[one.localName], {}, ...inside)] : inside;
});
const linkToPage = (href, inside) => {
  const path = pathOrNone(href ?? "");
  return path === null ? make("span", {}, ...inside) : make("a", { href: path + (new URL(href, home).hash || "") }, ...inside);
};

// Beside the document; or where there is no room, below the link.
const about = part("about");
const aside = about.parentElement;
const isNarrow = matchMedia("(max-width: 64rem)");
isNarrow.addEventListener("change", () => aside.prepend(about));
const place = (row) => {
  if (row && isNarrow.matches) row.after(make("tr", {}, make("td", { colSpan: 3 }, about)));
  for (const one of page.querySelectorAll(".links td:empty")) one.parentElement.remove();
};

const explain = async (relation, curies, row) => {
  place(row);
  const head = make("h2", {}, "About ", make("code", {}, relation));
  try {
    const path = pathOf(explanationOf(relation, curies));
    const answer = await ask({ method: "GET", path, accept: "text/html" });
    const main = new DOMParser().parseFromString(answer.text, "text/html").querySelector("main");
    main?.querySelector("h1")?.remove();
    const said = main ? retold(main).filter((one) => typeof one !== "string" || one.trim()) : ["Nothing is said about it."];
    about.replaceChildren(head, ...said, make("p", { className: "soft" }, make("a", { href: path }, "Open its page")));
  } catch (error) {
    about.replaceChildren(head, make("p", { className: "notice bad" }, error instanceof Refusal ? error.message : "It cannot be shown."));
  }
};

// A request that is put together

const form = part("form");
let sample = "";

// Puts an address into the form, and what can be said about it around it.
const compose = async (path, method, isWanted = false) => {
  form.elements.path.value = inner(path);
  if (method) form.elements.method.value = method;
  await describe();
  if (!isWanted) return;
  form.scrollIntoView({ block: "nearest" });
  (part("fields").querySelector("input") ?? form.elements.method).focus();
};

let describing = 0;
const describe = async () => {
  const mine = (describing += 1);
  let path;
  try {
    path = typedPath(form.elements.path.value);
  } catch (error) {
    return refuseInForm(error);
  }
  const { api, methods, parameters } = await operationsAt(path);
  if (mine !== describing) return undefined;
  const known = Object.keys(methods).map((name) => name.toUpperCase());
  for (const option of form.elements.method.options) option.disabled = known.length > 0 && !known.includes(option.value);
  if (form.elements.method.selectedOptions[0]?.disabled) form.elements.method.value = known[0];
  const operation = methods[form.elements.method.value.toLowerCase()];
  sayOperation(operation);
  drawFields(path, [...parameters, ...(operation?.parameters ?? [])].map((one) => followed(api, one)));
  drawBody(api, operation);
  drawAccept(api, operation);
  return undefined;
};
const refuseInForm = (error) => {
  part("operation").textContent = error.message;
  part("fields").replaceChildren();
};

const sayOperation = (operation) => {
  const more = operation ? [make("a", { href: `${page.dataset.docs}#${encodeURIComponent(operation.operationId)}` }, "Documentation")] : [];
  part("operation").replaceChildren(operation ? `${operation.summary} ` : "Nothing is documented at this address.", ...more);
};

const fieldFor = (name, place, text, value) => {
  const id = `explorer-field-${place}-${name}`;
  const input = make("input", { id, value, autocomplete: "off", spellcheck: false });
  input.dataset.place = place;
  input.dataset.name = name;
  const said = text ? [make("span", { className: "soft", id: `${id}-said` }, text)] : [];
  if (text) input.setAttribute("aria-describedby", `${id}-said`);
  return make("div", { className: "field" }, make("label", { htmlFor: id }, name), input, ...said);
};

// {name} stands for one value; {?one,two} and {&one,two} stand for parameters of the query.
const variablesOf = (path) => [...path.matchAll(VARIABLE)].flatMap(([, text]) => text.replace(/^[?&/+#.;]/, "").split(",")).map((one) => one.replace(/(\*|:\d+)$/, "").trim()).filter(Boolean);

const drawFields = (path, parameters) => {
  const before = Object.fromEntries([...part("fields").querySelectorAll("input")].map((one) => [one.id, one.value]));
  const said = Object.fromEntries(parameters.map((one) => [one.name, one.description]));
  const variables = [...new Set(variablesOf(path))];
  const given = new URLSearchParams(path.split("?")[1] ?? "");
  const queries = parameters.filter((one) => one.in === "query" && !given.has(one.name) && !variables.includes(one.name));
  const keep = (name, place) => before[`explorer-field-${place}-${name}`] ?? "";
  const needed = variables.map((name) => fieldFor(name, "path", said[name], keep(name, "path")));
  const optional = queries.map((one) => fieldFor(one.name, "query", one.description, keep(one.name, "query")));
  part("fields").replaceChildren(
    ...(needed.length ? [make("div", { className: "grid-fields" }, ...needed)] : []),
    ...(optional.length ? [make("details", { className: "resource" }, make("summary", {}, `Parameters (${optional.length})`), make("div", { className: "grid-fields" }, ...optional))] : []),
  );
  preview();
};

const drawBody = (api, operation) => {
  const content = operation?.requestBody?.content ?? {};
  const takes = WITH_BODY.includes(form.elements.method.value);
  part("body").hidden = !takes;
  if (!takes) return;
  const kinds = Object.keys(content);
  const kind = form.elements.kind;
  const before = kind.value;
  kind.replaceChildren(...(kinds.length ? kinds : ["application/json", "application/merge-patch+json"]).map((one) => make("option", {}, one)));
  if ([...kind.options].some((one) => one.value === before)) kind.value = before;
  const example = exampleOf(api, content[kind.value]);
  const written = example === undefined ? "" : JSON.stringify(example, null, 2);
  if (form.elements.body.value === sample) form.elements.body.value = written;
  sample = written;
};

const drawAccept = (api, operation) => {
  const answers = Object.entries(operation?.responses ?? {}).filter(([status]) => status.startsWith("2"));
  const kinds = [...new Set(answers.flatMap(([, one]) => Object.keys(followed(api, one)?.content ?? {})))].filter((one) => one !== "*/*");
  const before = form.elements.accept.value;
  const preferred = kinds.includes("application/hal+json") ? "application/hal+json" : kinds[0];
  form.elements.accept.replaceChildren(...(kinds.length ? kinds : [ACCEPT]).map((one) => make("option", {}, one)));
  form.elements.accept.value = kinds.includes(before) ? before : preferred ?? ACCEPT;
  part("accept").hidden = kinds.length < 2;
};

const filled = () => {
  const values = {};
  for (const one of part("fields").querySelectorAll("input")) values[`${one.dataset.place} ${one.dataset.name}`] = one.value;
  const expanded = typedPath(form.elements.path.value).replace(VARIABLE, (_, text) => expandedPart(text, values));
  const more = Object.entries(values).filter(([key, value]) => key.startsWith("query ") && value).map(([key, value]) => pair(key.slice(6), value));
  return more.length ? expanded + (expanded.includes("?") ? "&" : "?") + more.join("&") : expanded;
};
const pair = (name, value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
const expandedPart = (text, values) => {
  const names = variablesOf(`{${text}}`);
  if (!/^[?&]/.test(text)) return names.map((name) => encodeURIComponent(values[`path ${name}`] ?? "")).join(",");
  const pairs = names.filter((name) => values[`path ${name}`]).map((name) => pair(name, values[`path ${name}`]));
  return pairs.length ? text[0] + pairs.join("&") : "";
};
const missing = () => [...part("fields").querySelectorAll('input[data-place="path"]')].find((one) => !one.value && !isOptional(one.dataset.name));
const isOptional = (name) => [...form.elements.path.value.matchAll(VARIABLE)].some(([, text]) => /^[?&]/.test(text) && variablesOf(`{${text}}`).includes(name));

const preview = () => {
  try {
    part("preview").textContent = isTemplate(form.elements.path.value) || filled() !== typedPath(form.elements.path.value) ? inner(filled()) : "";
  } catch {
    part("preview").textContent = "";
  }
};

const submit = async () => {
  const absent = missing();
  if (absent) {
    absent.focus();
    tell(`Fill in ${absent.dataset.name} first.`);
    part("preview").textContent = `Fill in ${absent.dataset.name} first.`;
    return;
  }
  const method = form.elements.method.value;
  let path;
  try {
    path = filled();
  } catch (error) {
    refuse(error.message);
    return;
  }
  const accept = form.elements.accept.value || ACCEPT;
  if (method === "GET" && (part("accept").hidden || accept === "application/hal+json")) go(path);
  else if (method !== "DELETE" || confirm(`DELETE ${inner(path)}? This cannot be undone.`)) await carryOut({ method, path, accept, ...sentBody(method) });
};
const sentBody = (method) => {
  const text = form.elements.body.value;
  return WITH_BODY.includes(method) && text.trim() ? { body: text, contentType: form.elements.kind.value } : {};
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
form.elements.body.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
form.elements.method.addEventListener("change", describe);
form.elements.kind.addEventListener("change", describe);
form.elements.path.addEventListener("change", describe);
part("fields").addEventListener("input", preview);

// Going somewhere: an address behind the # is what is shown, so that links, back and forward work as everywhere.

const go = (path) => {
  if (hashOf(path) === location.hash) arrive();
  else location.hash = hashOf(path);
};

let arrivals = 0;
const carryOut = async (request) => {
  const mine = (arrivals += 1);
  page.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(request);
    if (mine !== arrivals) return null;
    return show(answer);
  } catch (error) {
    if (mine === arrivals) refuse(error instanceof Refusal ? error.message : "The answer cannot be shown.");
    return null;
  } finally {
    if (mine === arrivals) page.removeAttribute("aria-busy");
  }
};

// What stands behind the #: an address, maybe with a method before it, which is then only put into the form.
const wanted = () => {
  const text = location.hash.slice(1).replace(/^NON-GET:/, "PUT ");
  const [, method, address] = /^(GET|POST|PUT|PATCH|DELETE)(?:%20|\+| )+(.*)$/s.exec(text) ?? [null, null, text];
  return { method, address: address || home.pathname };
};

// What GET does not reach is only put into the form, as is what has something to fill in.
const isWrite = (method) => Boolean(method) && method !== "GET";
const wait = (path) => {
  const text = "Nothing is sent yet: fill in the request, and send it.";
  draw(headingOf(inner(path)), make("p", { className: "empty" }, text));
  tell(text);
};

const arrive = async () => {
  const { method, address } = wanted();
  const came = relationFollowed;
  relationFollowed = null;
  let path;
  try {
    path = pathOf(address);
  } catch (error) {
    refuse(error.message);
    return;
  }
  document.title = `${inner(path)} · API explorer · Treaty`;
  part("home").setAttribute("href", hashOf(home.pathname));
  const mine = (arrivals += 1);
  for (const option of form.elements.method.options) option.disabled = false;
  form.elements.method.value = method ?? "GET";
  await compose(path, null, isTemplate(path) || isWrite(method));
  if (mine !== arrivals) return;
  if (isTemplate(path) || form.elements.method.value !== "GET") {
    wait(path);
    return;
  }
  const heading = await carryOut({ method: "GET", path });
  if (came && heading) {
    heading.focus();
    explain(came.relation, came.curies);
  }
};

part("back").addEventListener("click", () => history.back());
part("forward").addEventListener("click", () => history.forward());
addEventListener("hashchange", arrive);
// Shown once it is complete, so that nothing moves while documents are loading.
arrive().finally(() => { page.hidden = false; });
