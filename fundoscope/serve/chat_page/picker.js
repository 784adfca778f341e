// Photographs go from the browser to the server in the request itself: no file is written there.
const read = (file) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(String(reader.result).split(",")[1] || "");
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(file);
});

function say(words, problem) {
  const status = element.querySelector(".status");
  status.textContent = words;
  status.classList.toggle("problem", Boolean(problem));
}

async function show(files) {
  const drop = element.querySelector(".drop");
  const chosen = [...files];
  if (!chosen.length) return;
  if (chosen.some((file) => file.size > Number(drop.dataset.bytes))) {
    say(drop.dataset.large, true);
    return;
  }
  say(drop.dataset.busy);
  trigger("upload", { photographs: await Promise.all(chosen.slice(0, 4).map(read)) });
}

element.addEventListener("change", (event) => {
  if (!event.target.matches(".file")) return;
  show(event.target.files);
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sample]");
  if (!button) return;
  say(element.querySelector(".drop").dataset.busy);
  trigger("select", { sample: button.dataset.sample });
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  element.addEventListener(kind, (event) => {
    const drop = element.querySelector(".drop");
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") show(event.dataTransfer.files);
  });
}
