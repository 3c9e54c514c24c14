"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = id => document.getElementById(id);
  const H = data.horizon, K = data.at.length, ALL = "all", NEWEST = 12;
  const inputs = { series: byId("series"), model: byId("model"), cutoff: byId("cutoff"), step: byId("step") };

  // The page contains plotly compressed, which makes it a third as large.
  async function loadPlotly() {
    const packed = Uint8Array.from(atob(byId("plotly").textContent), char => char.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }
  const plotly = loadPlotly();

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

  // The positions of the forecasts that are shown: in the model's numbers, and in time. A path starts at its cutoff.
  const PATHS = 0;  // in place of a step: each path complete
  const shown = (k, step) => {
    const cutoffs = k === ALL ? data.at.map((_, i) => i) : [k];
    if (k === ALL && step !== PATHS) return [cutoffs.map(i => [i * H + step - 1, data.at[i] + step])];
    return cutoffs.map(i => Array.from({ length: H }, (_, h) => [i * H + h, data.at[i] + h + 1]));
  };

  // A model's forecasts of a series with their interval: from one cutoff or from all, or one step at all cutoffs.
  function path(m, s, k, step) {
    const p = data.paths[m][s], x = [], y = [], band = { x: [], y: [] }, low = [], high = [];
    const isStep = k === ALL && step !== PATHS;
    let total = 0, n = 0, banded = Boolean(p.low), count = 0;
    for (const rows of shown(k, step)) {
      const available = rows.filter(([j]) => p.y[j] !== null);
      count += available.length;
      if (available.length) {
        const from = isStep ? [] : [[data.time[data.at[Math.floor(rows[0][0] / H)]], data.truth[s][data.at[Math.floor(rows[0][0] / H)]]]];
        const used = isStep ? rows : available;
        const times = [...from.map(([t]) => t), ...used.map(([, t]) => data.time[t])];
        x.push(...times, null); y.push(...from.map(([, v]) => v), ...used.map(([j]) => p.y[j]), null);
        banded = banded && available.every(([j]) => p.low[j] !== null);
        if (banded) {
          const ends = which => [...from.map(([, v]) => v), ...used.map(([j]) => which[j])];
          low.push(...ends(p.low), null); high.push(...ends(p.high), null);
          const lower = ends(p.low), upper = ends(p.high);
          band.x.push(...times, ...times.slice().reverse(), null); band.y.push(...lower, ...upper.slice().reverse(), null);
        }
      }
      for (const [j, t] of available) {
        const outcome = data.truth[s][t];
        if (outcome !== null) { total += Math.abs(p.y[j] - outcome); n++; }
      }
    }
    for (const each of [x, y, low, high]) each.pop();  // the gap after the last path
    return { x, y, low, high, band: banded && count ? band : null, mae: n ? total / n : null, n: count };
  }

  function line(name, x, y, colour, extra) {
    return { type: "scatter", mode: "lines", name: plain(short(name)), x, y, line: { color: colour, width: 2, ...extra },
      hovertemplate: "%{y:,.6~g}", showlegend: true };
  }

  function traces(choice) {
    const { s, chosen, k, step } = choice, drawn = [], paths = new Map();
    for (const m of new Set([data.reference, ...chosen])) if (m >= 0) paths.set(m, path(m, s, k, step));
    const band = chosen.length === 1 ? paths.get(chosen[0]) : null;
    if (band && band.band) {
      const hidden = { type: "scatter", mode: "lines", x: band.x, line: { width: 0 }, hovertemplate: "%{y:,.6~g}", showlegend: false };
      const [low, high] = data.band, fill = faded(data.models[chosen[0]].colour);
      if (k === ALL && step === PATHS) {  // each path has a band of its own
        drawn.push({ ...hidden, x: band.band.x, y: band.band.y, name: low + " to " + high, fill: "toself", fillcolor: fill,
          hoverinfo: "skip", hovertemplate: undefined, showlegend: true });
      } else {
        drawn.push({ ...hidden, y: band.low, name: low + " quantile" });
        drawn.push({ ...hidden, y: band.high, name: low + " to " + high, fill: "tonexty", fillcolor: fill, showlegend: true });
      }
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
    const when = k === ALL ? (step === PATHS ? "all steps" : step + (step === 1 ? " step" : " steps") + " ahead") + ", all cutoffs"
      : (data.dated ? "cutoff " : "cutoff at row ") + data.time[data.at[k]];
    const errors = [...paths].filter(([, p]) => p.mae !== null)
      .map(([m, p]) => data.models[m].name + " " + number(p.mae));
    const missing = chosen.filter(m => !paths.get(m).n).map(m => data.models[m].name);
    byId("caption").textContent = data.series[s] + ", " + when + ". "
      + (errors.length ? "Mean absolute error: " + errors.join(", ") + ". " : "")
      + (missing.length ? "No forecast here by " + missing.join(", ") + "." : "");
  }

  // The range of prices and forecasts at the newest cutoffs, with a margin.
  function visible({ s, chosen }) {
    const values = data.truth[s].slice(data.at[K - NEWEST]).filter(v => v !== null), rows = (K - NEWEST) * H;
    for (const m of chosen) for (const name of ["y", "low", "high"])
      if (data.paths[m][s][name] && (name === "y" || chosen.length === 1)) for (const v of data.paths[m][s][name].slice(rows)) if (v !== null) values.push(v);
    if (!values.length) return undefined;
    const low = Math.min(...values), high = Math.max(...values), margin = .05 * (high - low) || 1;
    return [low - margin, high + margin];
  }

  function layout(choice) {
    const soft = colour("--soft"), rule = colour("--rule");
    const axis = { gridcolor: rule, zeroline: false, linecolor: rule, automargin: true };
    // The newest paths at first: of a long period, paths of a few steps are hard to distinguish from the outcomes.
    const first = data.time[data.at[Math.max(0, K - NEWEST)]], last = data.time[Math.min(data.at[K - 1] + H, data.time.length - 1)];
    const range = choice.k === ALL && choice.step === PATHS && K > NEWEST ? [first, last] : undefined;
    const cut = choice.k === ALL ? [] : [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: data.time[data.at[choice.k]],
      x1: data.time[data.at[choice.k]], line: { color: soft, width: 1, dash: "dash" } }];
    return {
      autosize: true, margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft },
      xaxis: { ...axis, type: data.dated ? "date" : "linear", showgrid: false, ticks: "outside", tickcolor: rule,
        range, autorange: range === undefined, hoverformat: data.dated ? undefined : "d" },
      yaxis: { ...axis, tickformat: ",.6~g", range: range && visible(choice), autorange: range === undefined }, shapes: cut,
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
    const options = { displayModeBar: false, responsive: true, doubleClick: "reset+autosize" };
    return plotly.then(() => Plotly.react("chart", drawn, layout(choice), options));
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
      const up = now ? now === "descending" : !/^(Skill|Spread|Coverage|Direction|Wins)/.test(head.textContent);  // best first
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
  fill(inputs.step, ["all steps"], [PATHS]);
  fill(inputs.step, Array.from({ length: H }, (_, h) => h + 1), Array.from({ length: H }, (_, h) => h + 1));
  inputs.model.value = String(data.first);
  inputs.cutoff.value = String(K - 1);
  Object.values(inputs).forEach(input => input.addEventListener("change", draw));
  const move = by => () => { inputs.cutoff.value = String(+inputs.cutoff.value + by); draw(); };
  byId("earlier").addEventListener("click", move(-1));
  byId("later").addEventListener("click", move(1));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  sortable(byId("leaderboard"));
  const hint = () => document.querySelectorAll(".scroll").forEach(box => {
    const isWide = box.scrollWidth > box.clientWidth + 1;
    box.previousElementSibling.classList.toggle("shown", isWide);
    box.tabIndex = isWide ? 0 : -1;  // the arrow keys scroll it
  });
  document.querySelectorAll("details").forEach(each => each.addEventListener("toggle", hint));
  addEventListener("resize", hint);
  hint();
  byId("choices").hidden = false;
  plotly.catch(() => { byId("caption").textContent = "This browser is too old for the explorer (DecompressionStream, 2023)."; });
  draw().then(() => { document.body.dataset.ready = "true"; });
})();
