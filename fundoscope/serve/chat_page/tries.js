element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-question]");
  if (button) trigger("select", { question: button.dataset.question });
});
