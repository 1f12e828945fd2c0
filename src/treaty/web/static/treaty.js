// What makes pages handier. They can be read without it.

// Copying: buttons of macros (hidden without scripts), of commands, and of fields with code.
const copy = async (button) => {
  const label = button.dataset.label ??= button.textContent;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    said = "Press Ctrl+C";
  }
  // The icon has no text of its own.
  if (!label && said === "Copied") button.classList.add("done");
  else button.textContent = said;
  setTimeout(() => { button.textContent = label; button.classList.remove("done"); }, 1500);
};
addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("button[data-copy]");
  if (button) copy(button);
});
const copyButton = (text, label, name) => {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  button.dataset.copy = text;
  if (name) button.setAttribute("aria-label", name);
  return button;
};
const addCopyButtons = (root) => {
  for (const button of root.querySelectorAll("button.copy")) button.hidden = false;
  for (const block of root.querySelectorAll("pre.command")) {
    block.append(copyButton(block.textContent, block.dataset.copy ?? "Copy"));
  }
  for (const field of root.querySelectorAll("input.badgecode[id]")) {
    const label = root.querySelector(`label[for="${CSS.escape(field.id)}"]`)?.textContent;
    field.after(copyButton(field.value, "Copy", label && `Copy: ${label}`));
  }
};
addCopyButtons(document);

// Versions in tables share one button, which stands beside the version with the pointer or the focus: rows need no room
// for it, and it is the next stop of the Tab key.
const versionButton = Object.assign(copyButton("", ""), { className: "copy over" });
const offerVersion = ({ target }) => {
  if (!(target instanceof Element) || target === versionButton) return;
  const place = target.closest("a, .number");
  const number = place?.matches(".number") ? place : place?.querySelector(".number");
  if (number && place.closest("td, th[scope=row]")) {
    versionButton.dataset.copy = number.title || number.textContent;
    versionButton.title = versionButton.ariaLabel = `Copy version ${versionButton.dataset.copy}`;
    if (place.nextSibling !== versionButton) (number.closest("a") ?? number).after(versionButton);
  } else if (document.activeElement !== versionButton) {
    versionButton.remove();
  }
};
addEventListener("mouseover", offerVersion);
addEventListener("focusin", offerVersion);

// The secret of the set-up link goes into the form, and out of the address, so that it is in no history.
for (const area of document.querySelectorAll("[data-fragment-field]")) {
  const field = area.querySelector("input");
  const secret = location.hash.slice(1);
  if (secret.length > 20) {
    field.value = secret;
    history.replaceState(null, "", location.pathname + location.search);
  }
  area.hidden = field.value !== "" && !area.querySelector(".wrong");
}

// A link to one interaction opens it.
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  } else if (location.hash && !target) {
    // It may be on another page of the pact: the list of all knows which.
    const listed = [...document.querySelectorAll(".contents a")].find((one) => one.hash === location.hash);
    if (listed && listed.search !== location.search) location.replace(listed.href);
  }
};
addEventListener("hashchange", open);
open();

// On narrow screens, rows of links scroll: the link to this page has to be in sight, without moving the page.
for (const row of document.querySelectorAll(".bar nav, .tabs")) {
  const current = row.querySelector("[aria-current]");
  if (!current || row.scrollWidth <= row.clientWidth) continue;
  const [room, link] = [row.getBoundingClientRect(), current.getBoundingClientRect()];
  // Part of the next link remains in sight, so that there are visibly more.
  const margin = Math.min(48, Math.max(0, (room.width - link.width) / 2));
  row.scrollLeft += Math.max(0, link.right + margin - room.right);
}

// Keys: "/" goes to the search box, "g" and a letter to a page of the main navigation, and "?" lists them all. They do
// nothing while somebody is typing, or once they were switched off.
const keysAreOff = () => { try { return localStorage.getItem("treaty-keys") === "off"; } catch { return false; } };
const destinations = new Map();
for (const link of document.querySelectorAll(".bar nav a")) {
  const letter = link.textContent.trim()[0]?.toLowerCase();
  if (letter && !destinations.has(letter)) destinations.set(letter, link);
}
const listKeys = () => [
  ["/", "Search for an application or a version"],
  ...[...destinations].map(([letter, link]) => [`g ${letter}`, `Go to ${link.textContent.trim()}`]),
  ...(document.querySelector(".canvas .view.live")
    ? [["← → ↑ ↓", "Move the graph, once it has the focus"], ["+ − 0", "Zoom in, zoom out, show everything"]] : []),
  ["?", "Show this list"],
  ["Esc", "Close this list"],
];
const showKeys = () => {
  document.getElementById("keys")?.remove();
  const dialog = Object.assign(document.createElement("dialog"), { id: "keys", className: "keys" });
  dialog.setAttribute("aria-labelledby", "keys-title");
  const list = document.createElement("dl");
  for (const [keys, meaning] of listKeys()) {
    const row = document.createElement("div"), term = document.createElement("dt");
    term.append(...keys.split(" ").map((key) => Object.assign(document.createElement("kbd"), { textContent: key })));
    row.append(term, Object.assign(document.createElement("dd"), { textContent: meaning }));
    list.append(row);
  }
  const off = Object.assign(document.createElement("input"), { type: "checkbox", id: "keys-off", checked: !keysAreOff() });
  off.addEventListener("change", () => {
    try { localStorage.setItem("treaty-keys", off.checked ? "on" : "off"); } catch { /* it lasts for this page only */ }
  });
  const label = Object.assign(document.createElement("label"), { htmlFor: off.id, textContent: "Keys are on in this browser" });
  const tick = Object.assign(document.createElement("p"), { className: "tick" });
  tick.append(off, label);
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close", className: "primary" });
  close.addEventListener("click", () => dialog.close());
  dialog.append(
    Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keyboard" }), list, tick, close,
  );
  // The browser gives the focus back to where it was.
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
};
{
  const button = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "Keyboard" });
  button.addEventListener("click", showKeys);
  document.querySelector(".foot nav")?.append(button);
}
let lastG = -Infinity;
// Escape goes from the search box back to where the focus was.
let beforeSearch = null;
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement
    && (event.target.matches("input, select, textarea") || event.target.isContentEditable);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || keysAreOff()) return;
  if (document.querySelector("dialog[open]")) return;
  const follows = event.timeStamp - lastG < 1500;
  lastG = event.key === "g" ? event.timeStamp : -Infinity;
  if (follows && destinations.has(event.key)) destinations.get(event.key).click();
  else if (event.key === "/") {
    beforeSearch = document.activeElement;
    document.getElementById("find")?.focus();
  }
  else if (event.key === "?") showKeys();
  else return;
  event.preventDefault();
});

// The search box suggests what it finds, for the arrows, Enter and Escape. Enter alone searches, as it does without this.
const MOST_SUGGESTIONS = 8;
const suggest = (field) => {
  const list = Object.assign(document.createElement("ul"), { id: "suggestions", className: "suggestions", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  field.form.append(list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id]]) {
    field.setAttribute(name, value);
  }
  let timer = 0, asked = null, chosen = -1;

  const choose = (index) => {
    chosen = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    if (index < 0) field.removeAttribute("aria-activedescendant");
    else {
      field.setAttribute("aria-activedescendant", list.children[index].id);
      list.children[index].scrollIntoView({ block: "nearest" });
    }
  };
  const show = (links) => {
    list.replaceChildren(...links.map((link, at) => {
      const option = Object.assign(document.createElement("li"), { id: `suggestion-${at}`, textContent: link.text });
      const kind = Object.assign(document.createElement("span"), { className: "soft", textContent: ` ${link.kind}` });
      option.setAttribute("role", "option");
      option.append(kind);
      option.addEventListener("pointerdown", (event) => event.preventDefault());
      option.addEventListener("click", () => { location.href = link.href; });
      option.dataset.href = link.href;
      return option;
    }));
    list.hidden = links.length === 0;
    field.setAttribute("aria-expanded", String(!list.hidden));
    choose(-1);
  };
  const kinds = { Applications: "application", Environments: "environment", Versions: "version" };
  const found = (page) => [...page.querySelectorAll("main .found a")].map((link) => ({
    text: link.textContent.trim(),
    href: new URL(link.getAttribute("href"), location.href).href,
    kind: kinds[link.closest(".found").previousElementSibling?.textContent] ?? "",
  })).filter((link) => link.href.startsWith("http")).slice(0, MOST_SUGGESTIONS);
  const ask = async () => {
    asked?.abort();
    const wanted = field.value.trim();
    if (!wanted) return show([]);
    asked = new AbortController();
    try {
      const query = new URLSearchParams({ q: wanted, suggest: "yes" });
      const answer = await fetch(`${field.form.action}?${query}`, { headers: { accept: "text/html" }, signal: asked.signal });
      if (answer.ok) show(found(new DOMParser().parseFromString(await answer.text(), "text/html")));
    } catch { /* asked anew meanwhile, or not to be reached: searching says so */ }
  };
  const close = () => { clearTimeout(timer); asked?.abort(); show([]); };

  field.setAttribute("aria-expanded", "false");
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  field.addEventListener("blur", close);
  field.form.addEventListener("submit", () => { clearTimeout(timer); asked?.abort(); });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const count = list.children.length;
    if (event.key === "ArrowDown" && list.hidden) ask();
    else if (event.key === "ArrowDown" && count) choose(chosen + 1 === count ? -1 : chosen + 1);
    else if (event.key === "ArrowUp" && count) choose(chosen === -1 ? count - 1 : chosen - 1);
    else if (event.key === "Enter" && chosen >= 0) location.href = list.children[chosen].dataset.href;
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "Escape") {
      const before = beforeSearch?.isConnected && beforeSearch !== document.body ? beforeSearch : null;
      (before ?? document.getElementById("main")).focus({ preventScroll: true });
    }
    else return;
    event.preventDefault();
  });
};
if (document.getElementById("find")) suggest(document.getElementById("find"));

const addFoldingButtons = (root) => {
  for (const button of root.querySelectorAll("[data-open-all]")) button.hidden = false;
};
addFoldingButtons(document);
addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-open-all]")) return;
  const all = [...document.querySelectorAll("details.interaction")];
  const opens = all.some((one) => !one.open);
  for (const one of all) one.open = opens;
});

// What changes something is a request to the API, after a question.
const enableApiForms = (root) => { for (const form of root.querySelectorAll("form[data-api]")) {
  const button = form.querySelector("button");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.ask && !confirm(form.dataset.ask)) return;
    button.disabled = true;
    const said = document.createElement("p");
    said.setAttribute("role", "status");
    try {
      const answer = await fetch(form.dataset.api, {
        method: form.dataset.method,
        headers: {
          accept: "application/hal+json",
          "content-type": "application/json",
          "x-csrf-token": document.querySelector("meta[name=csrf-token]")?.content ?? "",
        },
        body: form.dataset.method === "POST" ? "{}" : undefined,
      });
      said.className = answer.ok ? "notice good" : "notice bad";
      said.textContent = answer.ok ? form.dataset.done : `That did not work (${answer.status}).`;
      if (answer.ok && form.dataset.next) location.href = form.dataset.next;
    } catch {
      said.className = "notice bad";
      said.textContent = "The broker cannot be reached.";
    }
    button.disabled = false;
    form.after(said);
  });
} };
enableApiForms(document);

// Fields left blank need not stand in the address.
for (const form of document.querySelectorAll("form:not([data-api], [method=post])")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
}
// Whoever comes back finds them as they were.
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form:not([data-api]) :is(input, select)")) field.disabled = false;
});

// A page that comes back from the browser's memory is older than what was done since.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// A preview comes beside the form, so that what was typed stays, secrets too.
for (const form of document.querySelectorAll("form:has(#preview)")) {
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.name !== "preview") return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    let shown = null;
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "text/html" } });
      shown = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
    } catch { /* the browser says so itself when it sends the form */ }
    if (!shown?.firstElementChild) {
      const pressed = Object.assign(document.createElement("input"), { type: "hidden", name: "preview", value: "yes" });
      form.append(pressed);
      form.submit();
      return;
    }
    form.querySelector("#preview").replaceWith(document.adoptNode(shown));
    shown.scrollIntoView({ block: "nearest" });
    shown.focus();
  });
}

// What is looked for is shown while somebody types or chooses, and stands in the address.
for (const form of document.querySelectorAll("form[data-live]")) {
  let waiting;
  let asked;
  const said = document.createElement("p");
  said.className = "unseen";
  said.setAttribute("role", "status");
  form.after(said);
  const show = async () => {
    asked?.abort();
    asked = new AbortController();
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const address = `${form.action}${wanted.size ? `?${wanted}` : ""}`;
    try {
      const answer = await fetch(address, { signal: asked.signal, headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(form.dataset.live);
      if (!found) return;
      document.getElementById(form.dataset.live).replaceWith(found);
      const filters = [...wanted.keys()].some((name) => name !== "sort");
      document.querySelector(".attention")?.toggleAttribute("hidden", filters);
      said.textContent = found.querySelector(".pager p")?.textContent ?? "";
      history.replaceState(null, "", address);
    } catch {
      // A later letter was typed, or the broker cannot be reached: the button still works.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 200);
  });
}

// Versions, branches and tags of the application that is named come up for choosing.
const read = async (address) => {
  const answer = await fetch(address, { headers: { accept: "application/hal+json" } });
  return answer.ok ? (await answer.json())._embedded : {};
};
for (const fields of document.querySelectorAll("[data-completes]")) {
  const named = fields.querySelector("[name='q[][pacticipant]']");
  let known = "";
  const complete = async () => {
    const name = named.value.trim();
    if (!name || name === known) return;
    known = name;
    const at = `${fields.dataset.completes}/${encodeURIComponent(name)}`;
    try {
      const [{ versions = [] }, { branches = [] }] = await Promise.all(
        [read(`${at}/versions?page=1&size=50`), read(`${at}/branches?page=1&size=50`)],
      );
      const offered = {
        version: versions.map((one) => one.number),
        branch: branches.map((one) => one.name),
        tag: versions.flatMap((one) => (one._embedded?.tags ?? []).map((tag) => tag.name)),
      };
      for (const list of fields.querySelectorAll("datalist")) {
        list.replaceChildren(...[...new Set(offered[list.dataset.kind])].map((text) => {
          const option = document.createElement("option");
          option.value = text;
          return option;
        }));
      }
    } catch {
      known = ""; // It is only a help.
    }
  };
  named.addEventListener("change", complete);
  fields.addEventListener("focusin", complete);
}

// Ages of times grow while a page is open, in the same words as those of the server (format_duration).
const AGES = [
  [1, () => "just now"], [2, () => "1 minute"], [45, (minutes) => `${minutes} minutes`], [90, () => "1 hour"],
  [1440, (minutes) => `${Math.round(minutes / 60)} hours`], [2520, () => "1 day"],
  [43200, (minutes) => `${Math.round(minutes / 1440)} days`],
];
const age = (seconds) => {
  const minutes = Math.round(seconds / 60);
  const [, words] = AGES.find(([limit]) => minutes < limit) ?? [];
  return words && (seconds < 60 ? "just now" : `${words(minutes)} ago`);
};
// The clock of this machine may be wrong, so time is counted from when the server rendered the page.
let renderedAt = Date.parse(document.documentElement.dataset.rendered);
let receivedAt = performance.now();
const updateAges = (root) => {
  const now = renderedAt + performance.now() - receivedAt;
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (!/ago$|^just now$/.test(time.textContent)) continue;
    const words = age((now - Date.parse(time.dateTime)) / 1000);
    if (words && words !== time.textContent) time.textContent = words;
  }
};

// An open page updates itself: it asks for the revision of all data, and if that has changed, it loads itself in the
// background and replaces what differs. Nothing else is touched, so focus, scroll position and opened parts stay.
const POLL = 10_000;
const MOST_POLL = 300_000;
const AUTOMATIC = { "x-treaty-automatic": "yes" };
const KEPT = "form, dialog, .canvas, .suggestions";

const keyOf = (node) => {
  if (!(node instanceof Element)) return node.nodeName;
  if (node.id) return `#${node.id}`;
  const links = node.matches("li, tr") ? [...node.querySelectorAll("a[href]")].slice(0, 2) : [];
  return [node.nodeName, node.matches("details") ? "" : node.className, ...links.map((link) => link.getAttribute("href"))].join(" ");
};
const updateAttributes = (old, fresh) => {
  // Whether a part is open is for the reader to decide.
  const isOwn = (name) => name === "open" && old.matches("details");
  for (const { name } of [...old.attributes]) if (!isOwn(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (!isOwn(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
};
const update = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (!(old instanceof Element)) { old.data = fresh.data; return; }
  if (old.matches(KEPT)) return;
  updateAttributes(old, fresh);
  const byKey = new Map();
  for (const child of old.childNodes) byKey.set(keyOf(child), [...(byKey.get(keyOf(child)) ?? []), child]);
  const pairs = [...fresh.childNodes].map((child) => [child, byKey.get(keyOf(child))?.shift()]);
  const kept = new Set(pairs.map(([, match]) => match));
  for (const child of [...old.childNodes]) if (!kept.has(child)) child.remove();
  let next = old.firstChild;
  for (const [child, match] of pairs) {
    if (match && match === next) next = next.nextSibling;
    else old.insertBefore(match ?? child, next);
    if (match) update(match, child);
  }
};

// What is at the top of the window stays there, whatever is added above it.
const keepingPlace = (change) => {
  // Beside a table, or between two, there is only what contains them, which grows downwards.
  const points = [40, 90, 140, 240].flatMap((y) => [0.2, 0.5, 0.8].map((x) => document.elementFromPoint(x * innerWidth, y)));
  const isSmall = (element) => element?.closest("main") && element.offsetHeight < innerHeight / 3;
  let anchor = scrollY > 0 ? points.find(isSmall) : null;
  const tops = [];
  for (; anchor && anchor.id !== "main"; anchor = anchor.parentElement) tops.push([anchor, anchor.getBoundingClientRect().top]);
  const focused = document.activeElement;
  const root = document.documentElement;
  root.style.overflowAnchor = "none";
  change();
  const [still, top] = tops.find(([element]) => element.isConnected) ?? [];
  if (still) scrollBy({ top: still.getBoundingClientRect().top - top, behavior: "instant" });
  root.style.overflowAnchor = "";
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
};

const isBusy = () => {
  const selection = getSelection();
  return Boolean(document.querySelector("dialog[open]")) || !selection.isCollapsed
    || Boolean(document.activeElement?.closest("main")?.contains(document.activeElement)
      && document.activeElement.matches("input, select, textarea"));
};

const follow = (main) => {
  let tag = "", wait = POLL, timer = 0, outdated = false, settles = false, stopped = false, running = false;
  const headers = (accept) => ({ ...AUTOMATIC, accept });

  const isChanged = async () => {
    const answer = await fetch(document.documentElement.dataset.revision, {
      headers: { ...headers("application/hal+json"), ...(tag && { "if-none-match": tag }) }, cache: "no-store",
    });
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) stopped = true;
    if (!answer.ok) return false;
    const isFirst = !tag;
    tag = answer.headers.get("etag") ?? "";
    // Two seconds for a change that was committed while the page was being rendered.
    return isFirst ? Date.parse((await answer.json()).changedAt) > renderedAt - 2000 : true;
  };
  const load = async () => {
    const answer = await fetch(location.href, { headers: headers("text/html"), cache: "no-store" });
    if (answer.redirected || answer.status === 401 || answer.status === 403) stopped = true;
    if (!answer.ok || stopped) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh || isBusy()) return;
    enhance(fresh);
    keepingPlace(() => update(main, fresh));
    renderedAt = Date.parse(page.documentElement.dataset.rendered);
    receivedAt = performance.now();
    document.title = page.title;
    const icon = page.querySelector("link[rel=icon]")?.getAttribute("href");
    const own = document.querySelector("link[rel=icon]");
    if (icon && own.getAttribute("href") !== icon) own.setAttribute("href", icon);
    outdated = settles;
    settles = false;
  };
  const poll = async () => {
    if (running || stopped || document.hidden) return;
    running = true;
    clearTimeout(timer);
    try {
      if (await isChanged()) outdated = settles = true; // a write that ends a moment later is not a change of the revision
      if (outdated && !stopped && !isBusy()) await load();
      wait = POLL;
    } catch {
      wait = Math.min(wait * 2, MOST_POLL);
    }
    running = false;
    updateAges(main);
    if (!stopped && !document.hidden) timer = setTimeout(poll, wait);
  };
  addEventListener("visibilitychange", () => { clearTimeout(timer); poll(); });
  timer = setTimeout(poll, POLL);
};
const enhance = (root) => { addCopyButtons(root); addFoldingButtons(root); enableApiForms(root); };
{
  const main = document.getElementById("main");
  // A page with fields that change something is left alone: it may have been filled in, or be the response to that.
  const isForm = main?.querySelector("form[method=post] :is(input:not([type=hidden]), textarea, select)");
  if (main && !isForm && document.documentElement.dataset.revision) follow(main);
}
