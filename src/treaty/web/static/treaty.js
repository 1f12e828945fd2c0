// What makes pages handier. They can be read without it.

const copy = async (button, text) => {
  const label = button.dataset.label;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
};

for (const block of document.querySelectorAll("pre.command")) {
  const text = block.textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.label = block.dataset.copy ?? "Copy";
  button.textContent = button.dataset.label;
  button.addEventListener("click", () => copy(button, text));
  block.append(button);
}

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

// "/" goes to the search box, as long as nobody is typing. Escape goes back to where the focus was.
let beforeSearch = null;
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    beforeSearch = document.activeElement;
    document.getElementById("find")?.focus();
  }
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

for (const button of document.querySelectorAll("[data-open-all]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = [...document.querySelectorAll("details.interaction")];
    const opens = all.some((one) => !one.open);
    for (const one of all) one.open = opens;
  });
}

// What changes something is a request to the API, after a question.
for (const form of document.querySelectorAll("form[data-api]")) {
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
}

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
