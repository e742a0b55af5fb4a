"use strict";
// Pages work without this: it keeps hidden pages from asking, and says when a refresh did not work.
(() => {
  const trouble = () => document.getElementById("trouble");

  document.addEventListener("htmx:beforeRequest", (event) => {
    const region = event.detail.elt;
    if (!region.hasAttribute("data-poll")) return;
    // Whoever has opened something in it, or is choosing text, is not disturbed.
    if (document.hidden || region.querySelector("details[open]") || String(getSelection())) event.preventDefault();
  });
  for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failed, () => { trouble().hidden = false; });
  }
  document.addEventListener("htmx:afterSwap", () => { trouble().hidden = true; });
})();
