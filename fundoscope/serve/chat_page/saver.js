// A report comes as text and is saved by the browser: it is never a file on the server.
watch("value", () => {
  if (!props.value) return;
  const { name, type, content } = JSON.parse(props.value);
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
