"use strict";
// Reads values back from the curves under the pointer and marks the same moment in every chart; opens details for print.
(() => {
  const svgs = [...document.querySelectorAll(".frame > svg")];
  const tip = document.body.appendChild(document.createElement("div"));
  tip.id = "tip";
  const three = v => { const d = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(v) || 1))); return Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : String(+v.toFixed(Math.min(d, 6))); };
  const scaled = (v, units, by) => { let i = 0; while (v >= by && i < units.length - 1) { v /= by; i++; } return three(v) + " " + units[i]; };
  const write = (v, unit) => unit === "s" ? (v >= 120 ? three(v / 60) + " min" : v >= 1 ? three(v) + " s" : v >= 1e-3 ? three(v * 1e3) + " ms" : three(v * 1e6) + " µs")
    : unit[0] === "B" ? scaled(v, ["B", "KiB", "MiB", "GiB", "TiB"], 1024) + unit.slice(1) : unit === "%" ? three(v * 100) + " %" : three(v) + unit;
  const clock = t => { const s = Math.round(Math.abs(t)), p = n => String(n).padStart(2, "0"); return (t < -.5 ? "−" : "") + (s >= 3600 ? Math.floor(s / 3600) + ":" + p(Math.floor(s % 3600 / 60)) : Math.floor(s / 60)) + ":" + p(s % 60); };
  const points = path => path.points ??= (path.getAttribute("d").match(/-?[\d.]+/g) || []).map(Number);
  const hide = () => { tip.style.display = "none"; svgs.forEach(s => s.parentNode.style.removeProperty("--at")); };
  svgs.forEach(svg => {
    const d = svg.dataset, from = +d.from, to = +d.to, low = +d.low, high = +d.high, height = svg.viewBox.baseVal.height;
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", e => {
      const box = svg.getBoundingClientRect(), x = (e.clientX - box.left) / box.width * 1000;
      const rows = [clock(from + x / 1000 * (to - from))];
      svg.querySelectorAll(".line").forEach(path => {
        const p = points(path); let best = -1;
        for (let i = 0; i < p.length; i += 2) if (best < 0 || Math.abs(p[i] - x) < Math.abs(p[best] - x)) best = i;
        if (best < 0 || Math.abs(p[best] - x) > Math.max(3, path.dataset.step * .75)) return;
        const share = 1 - p[best + 1] / height;
        rows.push(path.dataset.name + "  " + write(d.log === "true" ? low * Math.pow(high / low, share) : low + share * (high - low), d.unit));
      });
      if (rows.length === 1) { const y = 1 - (e.clientY - box.top) / box.height; rows.push("≈ " + write(low * Math.pow(high / low, y), d.unit)); }
      tip.textContent = rows.join("\n");
      tip.style.display = "block";
      tip.style.left = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
      tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
      svgs.forEach(s => s.parentNode.style.setProperty("--at", x / 1000));
    });
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => d.open = true));
})();
