// Drag and drop, and a word while the server works. Without this file the form works all the same.
"use strict";

const form = document.getElementById("ask");
const drop = document.getElementById("drop");
const file = document.getElementById("file");
const status = document.getElementById("status");

document.documentElement.classList.add("scripted");

for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}

drop.addEventListener("dragleave", () => drop.classList.remove("over"));

// A picture that misses the field must not replace the page.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => event.preventDefault());
}

drop.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (event.dataTransfer.files.length > 0) {
    file.files = event.dataTransfer.files;
    form.requestSubmit();
  }
});

form.addEventListener("submit", (event) => {
  const button = form.querySelector("button");
  const most = Number(file.dataset.most);
  if (file.files.length > 0 && file.files[0].size > most * 1024 * 1024) {
    event.preventDefault();
    status.textContent = `This file has more than ${most} MB. Choose a smaller one.`;
    return;
  }
  if (button.getAttribute("aria-disabled") === "true") {
    event.preventDefault();
    return;
  }
  button.setAttribute("aria-disabled", "true");
  status.textContent = "Examining the picture. This takes a moment.";
});

// Coming back with the back button: the form is to be used again.
window.addEventListener("pageshow", () => {
  form.querySelector("button").removeAttribute("aria-disabled");
  status.textContent = "";
});
