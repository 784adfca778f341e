// A piece of evidence that is clicked tells the photographs where to look.
element.addEventListener("click", (event) => {
  const where = event.target.closest("button.where");
  if (!where) return;
  const { photograph, layer, box, words } = where.dataset;
  const detail = { photograph: Number(photograph), layer, box, words };
  document.dispatchEvent(new CustomEvent("fundoscope:where", { detail }));
});
watch("value", () => {
  const talk = element.querySelector(".talk");
  if (!talk) return;
  const last = talk.lastElementChild, tall = last.offsetHeight > talk.clientHeight - 40;
  talk.scrollTop = tall ? last.offsetTop - 8 : talk.scrollHeight;
});
