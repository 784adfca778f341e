element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-form]");
  if (button) trigger("select", { form: button.dataset.form });
});
