// What makes the pages more comfortable. Everything works without it.
"use strict";

// A password can be looked at while it is typed.
for (const box of document.querySelectorAll(".reveal")) {
  const field = box.querySelector("input");
  const button = document.createElement("button");
  const label = document.querySelector(`label[for="${field.id}"]`).textContent.toLowerCase();
  const show = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${button.textContent} ${label}`);
  };
  button.type = "button";
  button.addEventListener("click", () => show(field.type === "password"));
  field.form.addEventListener("submit", () => show(false));
  box.append(button);
  show(false);
}

// A form is sent once, however often its button is pressed.
for (const form of document.forms) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (form.method !== "post") return;
    if (sent) event.preventDefault();
    sent = true;
    event.submitter?.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    sent = false;
    form.querySelector("[aria-disabled]")?.removeAttribute("aria-disabled");
  });
}

// Moments in the reader's own time; what the server wrote stays as the title.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (isNaN(at)) continue;
  time.title = time.textContent;
  time.textContent = at.toLocaleString("en-GB", {
    day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
}

// A new password's strength as it is typed. The server decides; this only helps to get there.
const strength = document.querySelector("[data-strength-for]");
if (strength) {
  const field = document.getElementById(strength.dataset.strengthFor);
  const meter = document.createElement("meter");
  const words = document.createElement("p");
  meter.max = 4;
  meter.low = 1.5;
  meter.high = 2.5;
  meter.optimum = 4;
  meter.setAttribute("aria-label", "Strength of the password");
  words.className = "strength";
  words.setAttribute("aria-live", "polite");
  strength.append(meter, words);
  const shortest = Number(strength.dataset.shortest);
  // Characters that follow from the ones before them (aaaa, abcd, 4321, abcabc) add next to nothing.
  const surprising = (text) => {
    const points = [...text.toLowerCase()].map((one) => one.codePointAt(0));
    let count = 0;
    points.forEach((point, at) => {
      const step = point - points[at - 1];
      const repeated = at > 3 && text.toLowerCase().slice(0, at).includes(text.toLowerCase().slice(at - 2, at + 1));
      count += Math.abs(step) <= 1 || repeated ? 0.2 : 1;
    });
    return count;
  };
  const judge = () => {
    const length = [...field.value.normalize("NFC")].length;
    const missing = shortest - length;
    const worth = surprising(field.value);
    let level = 0;
    let text = "";
    if (length === 0) {
      text = "";
    } else if (missing > 0) {
      level = Math.min(1, length / shortest);
      text = `${missing} more ${missing === 1 ? "character" : "characters"} needed.`;
    } else if (worth < 10) {
      level = 1;
      text = "Long enough, but easy to guess: it repeats itself.";
    } else {
      level = worth < 14 ? 2 : worth < 20 ? 3 : 4;
      text = ["", "", "Fair.", "Good.", "Very good."][level];
    }
    meter.hidden = length === 0;
    meter.value = level;
    words.textContent = text;
  };
  field.addEventListener("input", judge);
  judge();
}

// What is still being carried out is asked for again until it is done.
const pending = document.querySelector("[data-pending]");
if (pending) setTimeout(() => location.reload(), 1000);

// An open menu closes with Escape, and when something else is pressed.
for (const menu of document.querySelectorAll("details.menu")) {
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}
