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

// "/" goes to the search box, as long as nobody is typing.
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    document.getElementById("find")?.focus();
  }
});

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
