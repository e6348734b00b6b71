const tip = document.getElementById("tip"), figure = tip.parentElement;
const show = (event) => {
  const point = event.currentTarget, box = point.getBoundingClientRect(), frame = figure.getBoundingClientRect();
  tip.textContent = point.getAttribute("aria-label");
  tip.style.visibility = "visible";
  const left = Math.min(Math.max(0, box.left - frame.left - tip.offsetWidth / 2), frame.width - tip.offsetWidth);
  tip.style.left = left + "px";
  tip.style.top = box.bottom - frame.top + 6 + "px";
};
const hide = () => { tip.style.visibility = "hidden"; };
for (const point of document.querySelectorAll("g.point")) {
  point.querySelector("title").remove();
  for (const name of ["mouseenter", "focus"]) point.addEventListener(name, show);
  for (const name of ["mouseleave", "blur"]) point.addEventListener(name, hide);
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
