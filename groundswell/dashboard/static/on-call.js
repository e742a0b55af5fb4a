"use strict";
// The page works without this: it puts the cursor where one types next, says what a button will do, and sends once.
(() => {
  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector("input[name=reason]")?.focus();
  }, true);

  const tell = (form) => {
    const button = form.querySelector("[data-all]");
    if (!button) return;
    const checked = document.querySelectorAll(`input[name=failure][form="${form.id}"]:checked`).length;
    const { all, begin } = button.dataset;
    button.textContent = checked ? `Replay ${checked} checked ${begin}` : `Replay all ${all} ${begin}`;
  };
  document.querySelectorAll("form.bulk").forEach(tell);
  document.addEventListener("change", (event) => { if (event.target.form?.matches(".bulk")) tell(event.target.form); });

  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "true";
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));
})();
