"use strict";
// Copy, local time and the live preview. Every page works without it.

const pad = (number) => String(number).padStart(2, "0");
const said = document.createElement("p");
said.className = "unseen";
said.setAttribute("role", "status");
document.body.append(said);

// Local time; UTC stays in the title.
function showLocal(root) {
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
    const local = `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
    if (!("local" in time.dataset)) {
      time.title = local;
    } else if (!time.title) {
      time.title = time.textContent;
      time.textContent = time.textContent.includes(":") ? local : day;
    }
  }
}
showLocal(document);

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  const word = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
      said.textContent = "Copied to the clipboard";
    } catch {
      source.select?.();
      button.textContent = "Press Ctrl+C";
      said.textContent = "Copying failed. The text is selected: press Ctrl+C.";
    }
    setTimeout(() => {
      button.textContent = word;
      said.textContent = "";
    }, 3000);
  });
}

// The preview: what the form would make, without making it.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let timer;
  let running;
  const ask = async () => {
    running?.abort();
    running = new AbortController();
    try {
      const response = await fetch(form.dataset.preview, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        signal: running.signal,
        redirect: "error",
      });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("preview");
      const shown = document.getElementById("preview");
      if (!fresh || !shown || fresh.innerHTML === shown.innerHTML) return;
      shown.replaceChildren(...fresh.childNodes);
      showLocal(shown);
    } catch {
      // The button of the form shows the same.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 400);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    running?.abort();
  });
}

// A page that a browser keeps for "back" never shows a secret again.
function forget() {
  for (const part of document.querySelectorAll("[data-secret]")) {
    part.replaceChildren("It was shown once, and is not kept here.");
  }
}
addEventListener("pagehide", forget);
addEventListener("pageshow", (event) => {
  if (event.persisted) forget();
});
