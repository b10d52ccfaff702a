// Finding, handing in, and deciding on many. What a person types goes into a body, never into an address.
"use strict";

async function call(path, options) {
  const answer = await fetch(`api/${path}`, { method: "POST", ...options });
  const told = await answer.json().catch(() => ({}));
  // An answer about requests tells of each, also where nothing was kept.
  if (answer.ok || told.requests) return told;
  throw new Error(typeof told.detail === "string" ? told.detail : "Something in the form cannot be used.");
}

const json = (value) => ({ headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const linkTo = (id) => element("a", id, { href: `request?id=${encodeURIComponent(id)}` });

// Runs what was asked for; says what went wrong where a person looks.
function asked(work, failure, button) {
  return async (event) => {
    event?.preventDefault();
    failure.textContent = "";
    if (button) button.disabled = true;
    try {
      await work(event);
    } catch (error) {
      failure.textContent = error instanceof TypeError ? "Airflow does not answer." : error.message;
    }
    if (button) button.disabled = false;
  };
}

function findForms() {
  const found = document.getElementById("found");
  if (!found) return;
  const [list, failure] = [found.querySelector("ul"), found.querySelector(".failure")];
  for (const form of document.querySelectorAll("form[data-find]")) {
    form.addEventListener("submit", asked(async () => {
      list.replaceChildren();
      found.hidden = false;
      const given = Object.fromEntries(new FormData(form));
      const { request_ids: ids, more } = await call(form.dataset.find, json(given));
      if (ids.length === 1) return void window.location.assign(linkTo(ids[0]).href);
      found.querySelector("h2").textContent = more ? `The first ${ids.length} requests found; there are more`
        : ids.length ? `${ids.length} requests found` : "No request found";
      for (const id of ids) list.append(element("li", ""));
      ids.forEach((id, at) => list.children[at].append(linkTo(id)));
      found.focus();
    }, failure));
  }
}

function manyDialog() {
  const dialog = document.getElementById("many");
  if (!dialog) return;
  const form = dialog.querySelector("form");
  const [submit, failure] = [form.querySelector("[type=submit]"), form.querySelector(".failure")];
  const all = document.getElementById("pick-all");
  const picks = () => [...document.querySelectorAll("input[name=pick]")];
  all?.addEventListener("change", () => picks().forEach((pick) => (pick.checked = all.checked)));
  const open = (decision) => {
    let chosen = picks().filter((pick) => pick.checked);
    // A button that says what is to be done is about all that are shown, where none is picked.
    if (decision && !chosen.length) chosen = picks();
    const ids = chosen.map((pick) => pick.value);
    if (decision) form.elements.decision.value = decision;
    form.elements.ids.value = [...new Set(ids)].join("\n");
    failure.textContent = "";
    dialog.showModal();
    (ids.length ? form.elements.reason : form.elements.ids).focus();
  };
  document.getElementById("open-many").addEventListener("click", () => open());
  for (const button of document.querySelectorAll("[data-many]")) {
    button.addEventListener("click", () => open(button.dataset.many));
  }
  form.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", asked(async () => {
    const ids = form.elements.ids.value.split(/[\s,;]+/).filter(Boolean);
    const told = await call("decide", json({
      decision: form.elements.decision.value, request_ids: ids, reason: form.elements.reason.value,
      seen: Number(dialog.dataset.seen),
    }));
    const late = Object.entries(told.too_late ?? {}).map(([id, lines]) => `${id}: ${lines.join(", ")}`);
    // Where others are held now, one that was on hold before is as it was asked to be.
    const held = form.elements.decision.value === "hold" && told.changed;
    const same = held ? [] : Object.keys(told.requests).filter((id) => !told.requests[id]);
    const stale = told.stale ?? [];
    if (!told.unknown.length && !late.length && !same.length && !stale.length) return void window.location.reload();
    // What is shown behind the dialog is out of date now.
    dialog.addEventListener("close", () => window.location.reload());
    form.elements.ids.value = told.unknown.join("\n");
    failure.textContent = [
      `${told.changed} jobs changed.`,
      ...(told.unknown.length ? ["The ledger does not have the ids that are left above."] : []),
      ...(same.length ? [`Nothing was changed for ${same.join(", ")}.`] : []),
      ...(stale.length ? [`Not decided, since they have changed since this page was loaded: ${stale.join(", ")}. Load it again.`] : []),
      ...(late.length ? [`The hold comes too late. ${late.join("; ")}.`] : []),
    ].join(" ");
  }, failure, submit));
}

function handIn() {
  const form = document.getElementById("new");
  if (!form) return;
  const failure = document.querySelector("main > .failure");
  const told = document.getElementById("told");
  const upload = document.getElementById("upload");
  const keep = document.getElementById("keep");
  const identities = document.getElementById("identities");

  const values = (name) => [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value);
  const request = () => {
    const received = form.elements.received_at.value;
    return {
      request_id: form.elements.request_id.value.trim(),
      regulation: form.elements.regulation.value,
      actions: values("actions"),
      identities: [...identities.querySelectorAll(".identity")].map((row) => ({
        namespace: row.querySelector("[name=namespace]").value.trim(),
        type: row.querySelector("[name=type]").value,
        value: row.querySelector("[name=value]").value.trim(),
      })),
      ...(values("products").length ? { products: values("products") } : {}),
      ...(received ? { received_at: `${received}Z` } : {}),
    };
  };

  function show(answer) {
    const { counts } = answer;
    const parts = [];
    if (counts.new) parts.push(`${counts.new} ${answer.file ? "handed in" : "can be handed in"}`);
    if (counts.known) parts.push(`${counts.known} known already`);
    if (counts.conflict) parts.push(`${counts.conflict} known with other content`);
    if (counts.refused) parts.push(`${counts.refused} refused`);
    told.hidden = false;
    told.querySelector("h2").textContent = answer.file ? "Handed in" : "Not handed in yet";
    told.querySelector(".what").textContent = `${parts.join(", ") || "No request"}. Read as: ${answer.taken_for}.`;
    told.querySelector(".next").hidden = !answer.file;
    const rows = answer.requests.map((one) => {
      const row = document.createElement("tr");
      const remarks = [one.reason, ...one.warnings].filter(Boolean).join("; ");
      const kinds = (one.identities ?? []).map((each) =>
        each.type === "standard" ? each.namespace : `${each.namespace}:${each.type}`);
      for (const text of [one.line, one.request_id ?? "–", one.answer, one.regulation ?? "–",
        one.actions?.join(", ") ?? "–", kinds.join(", ") || "–",
        one.products ? one.products.join(", ") || "the connection's" : "–", remarks]) {
        row.append(element("td", text));
      }
      row.className = `answer-${one.answer}`;
      return row;
    });
    told.querySelector("tbody").replaceChildren(...rows);
    told.focus();
    return answer;
  }

  document.getElementById("next-id").addEventListener("click", asked(async () => {
    form.elements.request_id.value = (await call("requests/next-id", json({}))).request_id;
  }, failure));
  document.getElementById("add-identity").addEventListener("click", (event) => {
    const row = identities.querySelector(".identity").cloneNode(true);
    row.querySelector("[name=value]").value = "";
    event.target.before(row);
    row.querySelector("[name=namespace]").focus();
  });
  identities.addEventListener("click", (event) => {
    if (!event.target.matches("[data-remove]")) return;
    if (identities.querySelectorAll(".identity").length > 1) event.target.closest(".identity").remove();
  });
  document.getElementById("check").addEventListener("click", asked(async () => {
    show(await call("requests/check", json(request())));
  }, failure));
  form.addEventListener("submit", asked(async () => {
    show(await call("requests", json(request())));
  }, failure, form.querySelector("[type=submit]")));

  const sent = (file, more = {}) => ({
    headers: {
      "Content-Type": "application/octet-stream",
      "X-File-Kind": file.name.split(".").pop(),
      ...more,
    },
    body: file,
  });
  const chosen = () => upload.elements.file.files[0];
  upload.addEventListener("change", () => (keep.hidden = true));
  upload.addEventListener("dragover", (event) => event.preventDefault());
  upload.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) upload.elements.file.files = event.dataTransfer.files;
    keep.hidden = true;
  });
  upload.addEventListener("submit", asked(async () => {
    const answer = show(await call("upload/check", sent(chosen())));
    const { counts } = answer;
    keep.hidden = !counts.new || counts.conflict > 0;
    const all = counts.new + counts.known + counts.refused;
    keep.textContent = `Hand in ${counts.new} of ${all} request${all === 1 ? "" : "s"}`;
  }, failure));
  keep.addEventListener("click", asked(async () => {
    show(await call("upload", sent(chosen(), { "X-Accept-Refused": "true" })));
    keep.hidden = true;
  }, failure, keep));

  const now = document.getElementById("send-now");
  now?.addEventListener("click", asked(async () => {
    const day = new Date().toISOString().slice(0, 10);
    const started = await startRun(document.body.dataset.dag, { inbox_day: day }, told.querySelector(".run"));
    if (!started) throw new Error("Airflow did not start a run. The next scheduled run takes the request in.");
    now.hidden = true;
  }, failure, now));
}

// Starts a run and shows its link in `place`; false where Airflow did not start one. A run of a paused DAG waits: the
// page says so, and a person can unpause it.
async function startRun(dag, conf, place) {
  const { root } = document.body.dataset;
  const answer = await fetch(`${root}api/v2/dags/${dag}/dagRuns`, {
    method: "POST", ...json({ logical_date: null, conf }),
  });
  if (!answer.ok) return false;
  const { dag_run_id: run } = await answer.json();
  place.replaceChildren(element("a", "Open the run", {
    href: `${root}dags/${dag}/runs/${encodeURIComponent(run)}`, "data-airflow": "",
  }));
  const found = await fetch(`${root}api/v2/dags/${dag}`);
  if (found.ok && (await found.json()).is_paused) {
    const told = element("span", "");
    told.append(` The DAG ${dag} is paused. Its runs wait until it is unpaused. `, unpauseButton(dag, told));
    place.append(told);
  }
  return true;
}

function unpauseButton(dag, told) {
  const button = element("button", "Unpause the DAG", { type: "button" });
  button.addEventListener("click", async () => {
    const answer = await fetch(`${document.body.dataset.root}api/v2/dags/${dag}`, {
      method: "PATCH", ...json({ is_paused: false }),
    }).catch(() => ({ ok: false }));
    told.textContent = answer.ok
      ? ` The DAG ${dag} is no longer paused. The run begins.`
      : ` Airflow did not unpause the DAG ${dag}. Ask somebody with the permission to edit it.`;
  });
  return button;
}

function runButtons() {
  for (const button of document.querySelectorAll("[data-run]")) {
    const ran = button.parentElement.querySelector(".ran");
    button.addEventListener("click", asked(async () => {
      if (!(await startRun(button.dataset.run, {}, ran))) throw new Error("Airflow did not start a run.");
    }, ran, button));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  findForms();
  manyDialog();
  handIn();
  runButtons();
});
