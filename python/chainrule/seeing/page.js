// The drawing of an explained step. State: sample, stage, colours, scale and what is looked at;
// it stands in the fragment of the address, and every change draws from it anew.
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const columns = page.columns, last = columns.length - 1;
  if (!columns.length) return;
  const $ = (id) => document.getElementById(id);
  const DIGITS = 4, DECADES = 4, MOST_TERMS = 16, RADIUS = 8, ROW = 22, TOP = 34;

  // --- numbers ---------------------------------------------------------------------------------

  const unpack = (text) => {
    if (text == null) return null;
    const bytes = Uint8Array.from(atob(text.slice(1)), (letter) => letter.charCodeAt(0));
    return text[0] === "f" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
  };
  // As Python's format(v, ".4g"): exact ties go to the even digit, and no zeros at the end.
  const number = (v) => {
    if (v === undefined || v === null) return "";
    if (!Number.isFinite(v)) return Number.isNaN(v) ? "nan" : v > 0 ? "inf" : "-inf";
    if (v === 0) return Object.is(v, -0) ? "-0" : "0";
    let [mantissa, power] = Math.abs(v).toExponential(DIGITS - 1).split("e");
    const [exact] = Math.abs(v).toExponential(60).split("e");
    const digits = exact.replace(".", "");
    if (/^50*$/.test(digits.slice(DIGITS)) && "02468".includes(digits[DIGITS - 1]))
      mantissa = digits[0] + "." + digits.slice(1, DIGITS);
    power = Number(power);
    const sign = v < 0 ? "-" : "", plain = (text) => text.replace(/\.?0+$/, "");
    if (power < -4 || power >= DIGITS) {
      const size = String(Math.abs(power)).padStart(2, "0");
      return sign + plain(mantissa) + "e" + (power < 0 ? "-" : "+") + size;
    }
    const fixed = Number(mantissa + "e" + power).toFixed(DIGITS - 1 - power);
    return sign + (fixed.includes(".") ? plain(fixed) : fixed);
  };
  const count = (n) => n.toLocaleString("en-US");

  for (const name of ["losses", "loss", "lossAfter", "predicted", "targets"]) page[name] = unpack(page[name]);
  for (const column of columns) {
    for (const layer of column.layers) {
      layer.output = unpack(layer.output);
      layer.dvalues = unpack(layer.dvalues);
    }
    for (const held of [column.edges, column.biases])
      for (const name in held) if (typeof held[name] === "string") held[name] = unpack(held[name]);
    column.placeOf = new Map(column.kept.map((unit, place) => [unit, place]));
    column.isDead = new Set(column.dead);
  }

  const STAGES = 2 * columns.length + 2, LOSS = columns.length, UPDATE = STAGES - 1;
  const START = { sample: 0, stage: LOSS, colour: "stage", scale: "linear", look: null };
  const state = { ...START };
  const at = (array, column, unit, sample = state.sample) =>
    array ? array[sample * column.kept.length + column.placeOf.get(unit)] : undefined;
  const output = (column, unit, sample) => at(column.layers[column.layers.length - 1].output, column, unit, sample);
  const gradient = (column, unit, sample) => at(column.layers[0].dvalues, column, unit, sample);
  const bias = (column, unit, name) => {
    const held = column.biases && column.biases[name];
    return held ? held[column.placeOf.get(unit)] : undefined;
  };
  const edge = (k, i, j, name) => {
    const held = columns[k].edges && columns[k].edges[name];
    return held ? held[i * columns[k].drawn.length + j] : undefined;
  };
  const layerNames = (column) => column.layers.map((layer) => layer.name).join(", ");

  // --- stages: forward through the columns, the loss, back through them, the update -------------

  const stageColumn = () => state.stage < LOSS ? state.stage
    : state.stage > LOSS && state.stage < UPDATE ? UPDATE - 1 - state.stage : -1;
  const quantity = () => state.colour !== "stage" ? state.colour
    : state.stage <= LOSS ? "value" : state.stage < UPDATE ? "gradient" : "step";
  const reached = (k) => state.colour !== "stage" || stageColumn() < 0
    || (state.stage < LOSS ? k <= stageColumn() : k >= stageColumn());
  const OF_EDGES = { value: "weights", gradient: "dweights", step: "step_weights" };
  const unitValue = (column, unit) => quantity() === "value" ? output(column, unit)
    : quantity() === "gradient" ? gradient(column, unit) : bias(column, unit, "step_biases");

  const story = () => {
    const k = stageColumn(), column = columns[k];
    const which = `sample ${page.samples[state.sample]}`;
    const loss = page.losses ? `, its loss ${number(page.losses[state.sample])}` : "";
    const samples = page.n === 1 ? "one sample" : `all ${count(page.n)} samples`;
    if (state.stage === LOSS)
      return `Loss: of ${which}${target() ? `, ${target()}` : ""}${loss}; of ${samples}, penalties included, ${number(page.loss[0])}.`;
    if (state.stage === UPDATE) {
      if (Number.isNaN(page.lossAfter[0])) return "Update: there is no optimizer, and so no step.";
      return `Update: the loss goes from ${number(page.loss[0])} to ${number(page.lossAfter[0])}; first order predicts that it falls by ${number(page.predicted[0])}.`;
    }
    const name = layerNames(column), formula = column.layers.map((layer) => layer.formula).filter(Boolean).join("; then ");
    if (state.stage < LOSS)
      return `Forward, ${which}: ${name}${formula ? ": " + formula : ""}.`;
    const back = column.edges ? " dweights = inputs.T @ dvalues; dinputs = dvalues @ weights.T." : "";
    return `Backward, ${which}: ${name}: the gradient of the loss by ${column.biases ? "the sums before the activation" : "these values"}.${back}`;
  };
  const target = () => {
    if (page.labels) return `label ${page.labels[state.sample]}`;
    if (!page.targets) return "";
    const width = page.targets.length / page.samples.length, from = state.sample * width;
    const shown = Array.from(page.targets.slice(from, from + Math.min(width, 4)), number).join(", ");
    return `target ${shown}${width > 4 ? ", …" : ""}`;
  };

  // --- colours ---------------------------------------------------------------------------------

  const largest = (values) => {
    let found = 0;
    for (const v of values) if (Number.isFinite(v) && Math.abs(v) > found) found = Math.abs(v);
    return found;
  };
  const strength = (v, most) => {
    if (!Number.isFinite(v)) return v === undefined ? 0 : 1;
    if (v === 0 || most === 0) return 0;
    const share = Math.abs(v) / most;
    return state.scale === "linear" ? share : Math.max(0, 1 + Math.log10(share) / DECADES);
  };
  const paint = (v) => Number.isFinite(v) ? (v > 0 ? "var(--red)" : "var(--blue)") : "#c77f1a";

  // --- elements --------------------------------------------------------------------------------

  const make = (name, attributes = {}, ...children) => {
    const svg = ["svg", "g", "circle", "line", "text"].includes(name);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    node.append(...children);
    return node;
  };
  const cells = (tag, texts, row = {}) => make("tr", row, ...texts.map((text) => make(tag, {}, text)));

  let units = [], edges = [], svg = null, places = [], gap = 0;
  const LEFT = 40, RIGHT = 92;

  const layOut = () => {
    const most = Math.max(...columns.map((column) => column.drawn.length));
    const height = TOP + ROW * Math.max(most, 3) + 4;
    const width = Math.max($("drawing").clientWidth, LEFT + RIGHT + 64 * last, 280);
    gap = last ? (width - LEFT - RIGHT) / last : 0;
    const top = (column) => TOP + ROW * (Math.max(most, 3) - column.drawn.length) / 2 + ROW / 2;
    places = columns.map((column, k) => column.drawn.map((_, j) => [LEFT + gap * k, top(column) + ROW * j]));
    svg = make("svg", { width, height, role: "group", "aria-label": "the net: units and weights" });
    edges = [];
    columns.forEach((column, k) => {
      if (!column.edges) return;
      places[k - 1].forEach(([x, y], i) => places[k].forEach(([to, down], j) => {
        const line = make("line", { class: "edge", x1: x, y1: y, x2: to, y2: down });
        edges.push({ k, i, j, line });
        svg.append(line);
      }));
    });
    units = columns.map((column, k) => column.drawn.map((unit, j) => {
      const [x, y] = places[k][j];
      const face = make("circle", { class: "face", cx: x, cy: y, r: RADIUS });
      const text = make("text", { x: k === last ? x + 14 : x - 14, y: y + 4, "text-anchor": k === last ? "start" : "end" });
      const node = make("g", { class: "unit", role: "button", tabindex: -1 }, make("circle", { class: "ground", cx: x, cy: y, r: RADIUS }), face);
      if (k === last || k === 0) svg.append(text);
      node.addEventListener("click", (event) => { event.stopPropagation(); look({ k, unit }); });
      node.addEventListener("keydown", (event) => go(event, k, j));
      svg.append(node);
      return { node, face, text };
    }));
    columns.forEach((column, k) => {
      const x = LEFT + gap * k, fits = Math.max(5, Math.floor(gap / 6.6));
      const short = column.name.length > fits ? column.name.slice(0, fits - 1) + "…" : column.name;
      const size = column.drawn.length < column.size ? `${column.drawn.length} of ${count(column.size)}` : count(column.size);
      svg.append(make("text", { class: "title", x, y: 12, "text-anchor": "middle" }, short),
        make("text", { x, y: 26, "text-anchor": "middle" }, size));
      if (k && column.position > columns[k - 1].position + 1)
        svg.append(make("text", { x: x - gap / 2, y: height / 2, "text-anchor": "middle" }, "…"));
    });
    svg.addEventListener("click", chooseEdge);
    const first = units.flat()[0];
    if (first) first.node.setAttribute("tabindex", 0);
    $("drawing").replaceChildren(svg);
  };

  // Lines lie close: the nearest one within 8 pixels is meant.
  const chooseEdge = (event) => {
    const box = svg.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 8;
    for (const each of edges) {
      const [x1, y1] = places[each.k - 1][each.i], [x2, y2] = places[each.k][each.j];
      if (x < x1 || x > x2) continue;
      const slope = (y2 - y1) / (x2 - x1), away = Math.abs(y1 + slope * (x - x1) - y) / Math.hypot(1, slope);
      if (away < least) { least = away; best = each; }
    }
    if (best) look({ k: best.k, i: columns[best.k - 1].drawn[best.i], unit: columns[best.k].drawn[best.j] });
  };

  const go = (event, k, j) => {
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") look({ k, unit: columns[k].drawn[j] });
    else if (step) {
      const to = Math.min(Math.max(k + step[0], 0), last);
      const next = units[to][Math.min(Math.max(j + step[1], 0), units[to].length - 1)];
      if (!next) return;
      units.flat().forEach(({ node }) => node.setAttribute("tabindex", -1));
      next.node.setAttribute("tabindex", 0);
      next.node.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  // --- what is drawn from the state --------------------------------------------------------------

  const drawNet = () => {
    const kind = OF_EDGES[quantity()];
    const all = columns.flatMap((column) => column.kept.map((unit) => unitValue(column, unit)));
    const most = largest(all), mostOfEdges = largest(edges.map(({ k, i, j }) => edge(k, i, j, kind)));
    const chosen = state.look || {};
    for (const { k, i, j, line } of edges) {
      const v = edge(k, i, j, kind), t = reached(k) ? strength(v, mostOfEdges) : 0;
      line.style.stroke = t ? paint(v) : "var(--line)";
      line.style.strokeOpacity = t ? 0.1 + 0.75 * t * t : 0.25;
      line.style.strokeWidth = 0.5 + 2 * t * t;
      line.classList.toggle("chosen", chosen.k === k && chosen.i === columns[k - 1].drawn[i] && chosen.unit === columns[k].drawn[j]);
    }
    columns.forEach((column, k) => column.drawn.forEach((unit, j) => {
      const { node, face, text } = units[k][j], v = unitValue(column, unit);
      const shown = reached(k) ? v : undefined;
      face.style.fill = shown === undefined ? "var(--ground)" : paint(v);
      face.style.fillOpacity = shown === undefined ? 1 : strength(v, most);
      const dead = column.isDead.has(unit);
      node.classList.toggle("dead", dead);
      node.classList.toggle("target", k === last && !!page.labels && page.labels[state.sample] === unit && state.stage >= LOSS);
      node.classList.toggle("chosen", chosen.k === k && chosen.i === undefined && chosen.unit === unit);
      text.textContent = k === last && shown !== undefined ? `${unit}: ${number(v)}` : unit;
      node.setAttribute("aria-label", `${column.name} ${unit}${dead ? ", dead" : ""}: ${shown === undefined ? "not yet" : `${quantity()} ${number(v)}`}`);
    }));
    const scale = state.scale === "linear" ? "linear" : `logarithmic over ${DECADES} decades`;
    const names = { value: "output", gradient: "gradient", step: "step of the bias" };
    $("legend").replaceChildren("below 0", make("span", { class: "swatch" }),
      `above 0, ${scale}. Circles: ${names[quantity()]}, up to ${number(most)}. Lines: ${kind}, up to ${number(mostOfEdges)}. Dashed: dead.`);
    drawStrips(most);
  };

  const strips = [];
  const makeStrips = () => columns.forEach((column, k) => {
    if (column.kept.length <= column.drawn.length) return;
    const canvas = make("canvas", { width: column.kept.length, height: 5 });
    const label = `${column.name}, ${column.kept.length < column.size ? `${column.kept.length} of ` : ""}${count(column.size)} units`;
    const bar = make("div", { role: "slider", tabindex: 0, "data-arrows": "", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": column.kept.length - 1 }, canvas);
    const chosen = () => state.look && state.look.k === k && state.look.i === undefined ? column.placeOf.get(state.look.unit) : 0;
    const choose = (place) => look({ k, unit: column.kept[Math.min(Math.max(place, 0), column.kept.length - 1)] });
    bar.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      choose(Math.floor((event.clientX - box.left) / box.width * column.kept.length));
    });
    bar.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      choose(chosen() + move);
    });
    $("strips").append(make("div", { class: "strip" }, make("span", {}, label), bar));
    strips.push({ column, k, canvas, bar, chosen });
  });
  const drawStrips = (most) => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    for (const { column, k, canvas, bar, chosen } of strips) {
      const context = canvas.getContext("2d"), drawn = new Set(column.drawn);
      context.clearRect(0, 0, canvas.width, canvas.height);
      column.kept.forEach((unit, place) => {
        const v = unitValue(column, unit);
        context.globalAlpha = reached(k) ? strength(v, most) : 0;
        context.fillStyle = Number.isFinite(v) ? colour(v > 0 ? "--red" : "--blue") : "#c77f1a";
        context.fillRect(place, 0, 1, 4);
        context.globalAlpha = 1;
        context.fillStyle = colour("--text");
        if (drawn.has(unit)) context.fillRect(place, 4, 1, 1);
      });
      const unit = column.kept[chosen()], v = unitValue(column, unit);
      bar.setAttribute("aria-valuenow", chosen());
      bar.setAttribute("aria-valuetext", `unit ${unit}: ${number(v) || "none"}`);
    }
  };

  // --- one unit, one weight ----------------------------------------------------------------------

  const drawDetail = () => {
    const chosen = state.look;
    $("detail").replaceChildren(...(!chosen
      ? [make("h3", {}, "Nothing chosen"), make("p", {}, "A circle shows its formula with this sample's numbers, a line the sum over samples that is its gradient.")]
      : chosen.i === undefined ? unitDetail(chosen) : weightDetail(chosen)));
  };
  const table = (head, rows) => make("table", {}, make("thead", {}, cells("th", head)), make("tbody", {}, ...rows));

  const unitDetail = ({ k, unit }) => {
    const column = columns[k], found = [make("h3", {}, `${layerNames(column)}: unit ${unit}, sample ${page.samples[state.sample]}`)];
    for (const layer of column.layers) if (layer.formula) found.push(make("p", {}, make("code", {}, `${layer.name}: ${layer.formula}`)));
    if (column.isDead.has(unit)) found.push(make("p", {}, "Dead: its slope is 0 for every sample."));
    found.push(table(["", "output", "dvalues"], column.layers.map((layer) =>
      cells("td", [layer.name, number(at(layer.output, column, unit)), number(at(layer.dvalues, column, unit)) || "-"], { "data-layer": layer.name }))));
    const j = column.drawn.indexOf(unit);
    if (bias(column, unit, "biases") !== undefined)
      found.push(parameterTable("bias", (name) => bias(column, unit, name.replace("weights", "biases"))));
    if (column.edges && j < 0) return [...found, make("p", {}, `Its weights are not on this page: ${column.drawn.length} of ${count(column.size)} units are drawn.`)];
    return [...found, ...termsOfUnit(k, unit, j)];
  };

  const termsOfUnit = (k, unit, j) => {
    const column = columns[k], before = columns[k - 1];
    if (!column.edges) return [];
    const sum = at(column.layers[0].output, column, unit), b = bias(column, unit, "biases") || 0;
    const terms = before.drawn.map((input, i) => {
      const x = output(before, input), w = edge(k, i, j, "weights");
      return { input, x, w, value: x * w };
    });
    const rest = terms.reduce((left, term) => left - term.value, sum - b);
    terms.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
    const rows = terms.map(({ input, x, w, value }) => {
      const button = make("button", { type: "button", "aria-label": `weight from input ${input}` }, `input ${input}`);
      button.addEventListener("click", () => look({ k, i: input, unit }, true));
      const row = cells("td", ["", number(x), number(w), number(value)], { "data-input": input });
      row.firstChild.append(button);
      return row;
    });
    if (before.drawn.length < before.size)
      rows.push(cells("td", [`other ${count(before.size - before.drawn.length)}`, "", "", number(rest)]));
    if (bias(column, unit, "biases") !== undefined) rows.push(cells("td", ["bias", "", "", number(b)]));
    rows.push(cells("td", ["sum", "", "", number(sum)], { class: "total" }));
    return [make("p", {}, "The sum, its largest terms first:"), table(["", "input", "weight", "product"], rows)];
  };

  const parameterTable = (name, get) => table(["", "before", "gradient", "step", "after"], [cells("td",
    [name, ...["weights", "dweights", "step_weights", "weights_after"].map((each) => number(get(each)) || "-")], { "data-parameter": name })]);

  const weightDetail = ({ k, i: input, unit }) => {
    const column = columns[k], before = columns[k - 1], i = before.drawn.indexOf(input), j = column.drawn.indexOf(unit);
    const back = make("button", { type: "button", id: "back" }, `back to unit ${unit}`);
    back.addEventListener("click", () => look({ k, unit }, true));
    const found = [make("h3", {}, `${column.layers[0].name}: weight from input ${input} to unit ${unit}`), back,
      parameterTable("weight", (name) => edge(k, i, j, name))];
    const total = edge(k, i, j, "dweights");
    if (!column.layers[0].dvalues) return [...found, make("p", {}, "No gradient reaches it.")];
    const terms = page.samples.map((sample, s) => {
      const x = output(before, input, s), d = at(column.layers[0].dvalues, column, unit, s);
      return { sample, s, x, d, value: x * d };
    });
    const here = terms.reduce((sum, term) => sum + term.value, 0);
    const sum = column.edges.sums ? edge(k, i, j, "sums") : here;
    terms.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
    const shown = terms.slice(0, MOST_TERMS), others = page.n - shown.length;
    const rows = shown.map(({ sample, s, x, d, value }) => cells("td",
      [`sample ${sample}`, number(x), number(d), number(value)], { "data-sample": sample, class: s === state.sample ? "now" : "" }));
    if (others > 0)
      rows.push(cells("td", [`other ${count(others)}`, "", "", number(shown.reduce((left, term) => left - term.value, sum))]));
    rows.push(cells("td", ["sum", "", "", number(sum)], { class: "total" }));
    if (column.edges.penalised && total !== undefined) rows.push(cells("td", ["penalties", "", "", number(total - sum)]));
    return [...found, make("p", {}, `Its gradient is the sum over ${page.n === 1 ? "one sample" : `${count(page.n)} samples`} of input times dvalues; the largest terms${page.samples.length < page.n ? " of the samples that are here" : ""} first:`),
      table(["", "input", "dvalues", "product"], rows)];
  };

  // --- state, and the address that holds it ------------------------------------------------------

  const look = (chosen, focus = false) => {
    state.look = chosen;
    draw();
    const first = focus && $("detail").querySelector("button");
    if (first) first.focus();
  };

  const draw = () => {
    $("sample").value = state.sample;
    $("stage").value = state.stage;
    $("colour").value = state.colour;
    $("scale").value = state.scale;
    const text = story();
    $("stage").setAttribute("aria-valuetext", text.split(":")[0]);
    $("story").textContent = text;
    drawNet();
    drawDetail();
    const chosen = state.look;
    const parts = [`sample=${page.samples[state.sample]}`, `stage=${state.stage}`, `colour=${state.colour}`, `scale=${state.scale}`];
    if (chosen) parts.push(chosen.i === undefined ? `unit=${chosen.k}.${chosen.unit}` : `weight=${chosen.k}.${chosen.i}.${chosen.unit}`);
    const fragment = "#" + parts.join("&");
    $("link").setAttribute("href", fragment);
    clearTimeout(waiting);  // a browser refuses hundreds of addresses within seconds
    waiting = setTimeout(() => history.replaceState(null, "", fragment), 100);
  };
  let waiting = 0;

  // What a fragment says and this page does not have is passed over.
  const read = (address) => {
    Object.assign(state, START);
    const said = new URLSearchParams(new URL(address).hash.slice(1)), place = page.samples.indexOf(Number(said.get("sample") ?? NaN));
    if (place >= 0) state.sample = place;
    const stage = Number(said.get("stage") ?? NaN);
    if (Number.isInteger(stage) && stage >= 0 && stage < STAGES) state.stage = stage;
    if (["stage", "value", "gradient", "step"].includes(said.get("colour"))) state.colour = said.get("colour");
    if (["linear", "log"].includes(said.get("scale"))) state.scale = said.get("scale");
    const [k, unit] = (said.get("unit") || "").split(".").map(Number);
    if (columns[k] && columns[k].placeOf.has(unit)) state.look = { k, unit };
    const [to, from, end] = (said.get("weight") || "").split(".").map(Number);
    if (columns[to] && columns[to].edges && columns[to - 1].drawn.includes(from) && columns[to].drawn.includes(end))
      state.look = { k: to, i: from, unit: end };
  };

  page.samples.forEach((sample, place) => {
    const loss = page.losses ? `: loss ${number(page.losses[place])}` : "";
    $("sample").append(make("option", { value: place }, `${sample}${page.labels ? ` (label ${page.labels[place]})` : ""}${loss}`));
  });
  $("stage").max = STAGES - 1;
  $("stage").addEventListener("input", (event) => { state.stage = Number(event.target.value); draw(); });
  $("sample").addEventListener("change", (event) => { state.sample = Number(event.target.value); draw(); });
  for (const name of ["colour", "scale"])
    $(name).addEventListener("change", (event) => { state[name] = event.target.value; draw(); });
  document.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, [data-arrows], .scroll[tabindex]")) return;
    state.stage = Math.min(Math.max(state.stage + move, 0), STAGES - 1);
    event.preventDefault();
    draw();
  });
  // The event's own address: what draw() has put off may already stand in the other's place.
  addEventListener("hashchange", (event) => { read(event.newURL); draw(); });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    layOut();
    draw();
  });

  read(location.href);
  $("view").hidden = false;
  makeStrips();
  layOut();
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
