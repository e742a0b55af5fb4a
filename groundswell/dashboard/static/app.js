"use strict";
// Pages work without this: it keeps hidden pages from asking, and says when a refresh did not work.
(() => {
  const OPEN = "details[open]:not([data-open]), :is(input, select, textarea):focus";
  const trouble = () => document.getElementById("trouble");

  document.addEventListener("htmx:beforeRequest", (event) => {
    const region = event.detail.elt;
    if (!region.hasAttribute("data-poll")) return;
    // Whoever has opened something in it, fills in a form, or is choosing text, is not disturbed.
    if (document.hidden || region.hasAttribute("data-touched") || region.querySelector(OPEN) || String(getSelection())) event.preventDefault();
  });
  document.addEventListener("input", (event) => {
    event.target.closest("[data-poll]")?.setAttribute("data-touched", "");
  });
  for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failed, () => { trouble().hidden = false; });
  }
  document.addEventListener("htmx:afterSwap", () => { trouble().hidden = true; });
})();
