// Airflow shows the page in a frame of the same origin, which may neither navigate its parent nor open windows.
"use strict";

const framed = window.parent !== window;

// Light or dark as Airflow is, also when that is switched; by itself as the browser is.
if (framed) {
  const airflow = window.parent.document.documentElement;
  const follow = () => {
    document.documentElement.style.colorScheme = airflow.classList.contains("dark") ? "dark" : "light";
  };
  follow();
  new MutationObserver(follow).observe(airflow, { attributeFilter: ["class"] });
}

// Times as Airflow's own pages show them: in the zone that its user has chosen, else in the browser's.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function chosenZone() {
  try {
    const kept = window.localStorage.getItem("timezone");
    const zone = kept && kept.startsWith('"') ? JSON.parse(kept) : kept;
    return new Intl.DateTimeFormat("en", { timeZone: zone || undefined }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

function showTimes() {
  const zone = chosenZone();
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });
  for (const time of document.querySelectorAll("time[data-moment]")) {
    const moment = new Date(time.dateTime);
    // Of a day alone nobody knows the hour.
    if (!time.dateTime.includes("T") || Number.isNaN(moment.getTime())) continue;
    const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
    time.textContent = `${Number(part.day)} ${MONTHS[part.month - 1]} ${part.year}, ${part.hour}:${part.minute}`;
  }
  for (const name of document.querySelectorAll("[data-zone]")) name.textContent = zone;
}
document.addEventListener("DOMContentLoaded", showTimes);
window.addEventListener("storage", showTimes);

// The tab is named by what is shown.
if (framed) {
  const airflow = window.parent.document;
  const before = airflow.title;
  document.addEventListener("DOMContentLoaded", () => (airflow.title = `${document.title} - Airflow`));
  window.addEventListener("pagehide", () => (airflow.title = before));
}

// A link into Airflow is followed by Airflow's own window.
function followInAirflow(event) {
  const link = event.target.closest("a[data-airflow]");
  if (!framed || !link || event.button > 1) return;
  event.preventDefault();
  const twin = window.parent.document.createElement("a");
  twin.href = link.href;
  if (link.target || event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) {
    twin.target = "_blank";
    twin.rel = "noopener";
  }
  window.parent.document.body.append(twin);
  twin.click();
  twin.remove();
}
document.addEventListener("click", followInAirflow);
document.addEventListener("auxclick", followInAirflow);

// Hold, release, send again, close: a reason is asked for, then sent as JSON, which no other site can have sent.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("decision");
  if (!dialog) return;
  const form = dialog.querySelector("form");
  const [submit, failure] = [form.querySelector("[type=submit]"), form.querySelector(".failure")];
  let decision = "";
  let about = {};

  for (const button of document.querySelectorAll("[data-decision]")) {
    button.addEventListener("click", () => {
      const { decision: chosen, folder, file, line, seen } = button.dataset;
      decision = chosen;
      about = file ? { folder, file, line: line ? Number(line) : null } : { request_id: form.dataset.request };
      about.seen = Number(seen ?? form.dataset.seen);
      dialog.querySelector("h2").textContent = submit.textContent = button.textContent;
      for (const text of form.querySelectorAll("[data-for]")) text.hidden = text.dataset.for !== decision;
      failure.textContent = "";
      dialog.showModal();
      form.elements.reason.focus();
    });
  }
  form.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const answer = await fetch(`api/${decision}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...about, reason: form.elements.reason.value }),
      });
      const { detail, too_late: late, changed, inbox_file: erased } = await answer.json();
      if (answer.ok && !late && changed) return void window.location.reload();
      if (answer.ok) {
        failure.textContent = late
          ? `The hold is placed. It comes too late: ${late.join("; ")}.`
          : `Nothing was changed: ${erased ?? "this page was out of date, or somebody else decided first"}.`;
        return void dialog.addEventListener("close", () => window.location.reload());
      }
      failure.textContent = typeof detail === "string" ? detail : "The reason must have 3 to 400 characters.";
    } catch {
      failure.textContent = "Airflow does not answer. Nothing was changed, as far as this page knows.";
    }
    submit.disabled = false;
  });
});
