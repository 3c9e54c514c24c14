"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = id => document.getElementById(id);
  const H = data.horizon, K = data.at.length, ALL = "all";
  const inputs = { series: byId("series"), model: byId("model"), cutoff: byId("cutoff"), step: byId("step") };

  // Plotly reads its text as HTML, and as TeX between dollars; names are plain text.
  const plain = text => text.replace(/\s+/g, " ").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/[$]/g, "&#36;");
  const short = text => text.length > 26 ? text.slice(0, 25) + "…" : text;
  const faded = colour => colour + "2b";
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = x => x === null ? "unknown" : x.toLocaleString("en", { maximumSignificantDigits: 4 });

  function fill(select, labels, values) {
    labels.forEach((label, i) => select.add(new Option(label, values ? values[i] : i)));
  }

  // A model's forecasts of a series with their interval: from one cutoff, starting at the last price, or one step at all cutoffs.
  function path(m, s, k, step) {
    const p = data.paths[m][s], selected = [], x = [], y = [], low = [], high = [];
    if (k === ALL) for (let i = 0; i < K; i++) selected.push([i * H + step - 1, data.at[i] + step]);
    else for (let h = 1; h <= H; h++) selected.push([k * H + h - 1, data.at[k] + h]);
    const available = selected.filter(([j]) => p.y[j] !== null);
    if (k !== ALL && available.length) {
      const start = data.truth[s][data.at[k]];
      x.push(data.time[data.at[k]]); y.push(start); low.push(start); high.push(start);
    }
    for (const [j, t] of k === ALL ? selected : available) {
      x.push(data.time[t]); y.push(p.y[j]);
      if (p.low) { low.push(p.low[j]); high.push(p.high[j]); }
    }
    const pairs = available.map(([j, t]) => [p.y[j], data.truth[s][t]]).filter(([, y]) => y !== null);
    const mae = pairs.length ? pairs.reduce((sum, [f, y]) => sum + Math.abs(f - y), 0) / pairs.length : null;
    const banded = p.low && available.length && available.every(([j]) => p.low[j] !== null);
    return { x, y, low: banded ? low : null, high, mae, n: pairs.length };
  }

  function line(name, x, y, colour, extra) {
    return { type: "scatter", mode: "lines", name: plain(short(name)), x, y, line: { color: colour, width: 2, ...extra },
      hovertemplate: "%{y:,.6~g}", showlegend: true };
  }

  function traces(choice) {
    const { s, chosen, k, step } = choice, drawn = [], paths = new Map();
    for (const m of new Set([data.reference, ...chosen])) if (m >= 0) paths.set(m, path(m, s, k, step));
    const band = chosen.length === 1 ? paths.get(chosen[0]) : null;
    if (band && band.low) {
      const edge = { type: "scatter", mode: "lines", x: band.x, line: { width: 0 }, hovertemplate: "%{y:,.6~g}",
        showlegend: false };
      const [low, high] = data.band;
      drawn.push({ ...edge, y: band.low, name: low + " quantile" });
      drawn.push({ ...edge, y: band.high, name: low + " to " + high, fill: "tonexty", showlegend: true,
        fillcolor: faded(data.models[chosen[0]].colour) });
    }
    let from = 0, to = data.time.length;
    if (k !== ALL) { from = Math.max(0, data.at[k] - Math.max(30, 5 * H)); to = data.at[k] + H + 1; }
    drawn.push(line("truth", data.time.slice(from, to), data.truth[s].slice(from, to), colour("--ink"), { width: 1.5 }));
    for (const [m, p] of paths) {
      const look = m === data.reference ? { dash: "dot", width: 1.75 } : {};
      drawn.push(line(data.models[m].name, p.x, p.y, data.models[m].colour, look));
    }
    return { drawn, paths };
  }

  function describe(choice, paths) {
    const { s, chosen, k, step } = choice;
    const when = k === ALL ? step + (step === 1 ? " step" : " steps") + " ahead, all cutoffs"
      : (data.dated ? "cutoff " : "cutoff at row ") + data.time[data.at[k]];
    const errors = [...paths].filter(([, p]) => p.mae !== null)
      .map(([m, p]) => data.models[m].name + " " + number(p.mae));
    const missing = chosen.filter(m => !paths.get(m).n).map(m => data.models[m].name);
    byId("caption").textContent = data.series[s] + ", " + when + ". "
      + (errors.length ? "Mean absolute error: " + errors.join(", ") + ". " : "")
      + (missing.length ? "No forecast here by " + missing.join(", ") + "." : "");
  }

  function layout(choice) {
    const soft = colour("--soft"), rule = colour("--rule");
    const axis = { gridcolor: rule, zeroline: false, linecolor: rule, automargin: true };
    const cut = choice.k === ALL ? [] : [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: data.time[data.at[choice.k]],
      x1: data.time[data.at[choice.k]], line: { color: soft, width: 1, dash: "dash" } }];
    return {
      autosize: true, margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft },
      xaxis: { ...axis, type: data.dated ? "date" : "linear", showgrid: false, ticks: "outside", tickcolor: rule,
        hoverformat: data.dated ? undefined : "d" },
      yaxis: { ...axis, tickformat: ",.6~g" }, shapes: cut,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", itemclick: false, itemdoubleclick: false },
      hovermode: "x unified", hoverlabel: { bgcolor: colour("--wash"), bordercolor: rule, font: { color: colour("--ink") } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",  // a finger scrolls the page
    };
  }

  function draw() {
    const m = inputs.model.value, k = inputs.cutoff.value === ALL ? ALL : +inputs.cutoff.value;
    const choice = { s: +inputs.series.value, k, step: +inputs.step.value,
      chosen: m === ALL ? data.models.map((_, i) => i) : [+m] };
    byId("step-choice").hidden = k !== ALL;
    byId("neighbours").hidden = k === ALL;
    byId("earlier").disabled = k === 0;
    byId("later").disabled = k === K - 1;
    const { drawn, paths } = traces(choice);
    describe(choice, paths);
    return Plotly.react("chart", drawn, layout(choice), { displayModeBar: false, responsive: true, doubleClick: "reset" });
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, i) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(head, i));
    });
    function sort(head, i) {
      const now = head.getAttribute("aria-sort");
      const up = now ? now === "descending" : !/^(Skill|In |Direction|Wins)/.test(head.textContent);  // best first
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[i].dataset.value;
      const compare = (a, b) => i === 0 ? a.localeCompare(b) : +a - +b;
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");  // missing values are last in both orders
        return up ? compare(x, y) : compare(y, x);
      });
      body.append(...rows);
    }
  }

  fill(inputs.series, data.series);
  fill(inputs.model, data.models.map(model => model.name));
  if (data.models.length > 2) inputs.model.add(new Option("all models", ALL));
  fill(inputs.cutoff, ["all cutoffs"], [ALL]);
  for (let k = K - 1; k >= 0; k--) inputs.cutoff.add(new Option(data.time[data.at[k]], k));
  fill(inputs.step, Array.from({ length: H }, (_, h) => h + 1), Array.from({ length: H }, (_, h) => h + 1));
  inputs.model.value = String(data.first);
  inputs.cutoff.value = String(K - 1);
  Object.values(inputs).forEach(input => input.addEventListener("change", draw));
  const move = by => () => { inputs.cutoff.value = String(+inputs.cutoff.value + by); draw(); };
  byId("earlier").addEventListener("click", move(-1));
  byId("later").addEventListener("click", move(1));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  sortable(byId("leaderboard"));
  byId("choices").hidden = false;
  draw().then(() => { document.body.dataset.ready = "true"; });
})();
