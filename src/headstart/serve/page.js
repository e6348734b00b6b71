// The page to try a run: asks /about what goes in, builds the way to ask, shows what /explain says.
"use strict";

const at = (id) => document.getElementById(id);
let about = null;
let asked = 0;

// Elements: make("p", {class: "quiet"}, "text", child); texts are never read as HTML.
function make(tag, attributes = {}, ...children) {
  const space = ["svg", "polyline", "rect", "title"].includes(tag) ? "http://www.w3.org/2000/svg" : null;
  const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

async function call(path, body, type) {
  const headers = {};
  if (type) headers["Content-Type"] = type;
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, body === undefined ? { headers } : { method: "POST", headers, body });
  const said = await answer.json().catch(() => ({ error: `status ${answer.status}`, hints: [] }));
  if (answer.status === 401) at("token-form").hidden = false;
  if (!answer.ok) throw new Error([said.error, ...(said.hints || [])].join("\n"));
  return said;
}

async function ask(body, type) {
  const mine = ++asked;
  const place = at("answer");
  at("problem").hidden = true;
  place.classList.add("busy");
  place.setAttribute("aria-busy", "true");
  try {
    const said = await call("explain", body, type);
    if (mine !== asked) return;
    place.replaceChildren(...answered(said));
    // On a phone the answer lies beneath; whoever draws is left where the strokes are.
    if (!at("pad") && place.getBoundingClientRect().top > innerHeight) at("answer-title").scrollIntoView();
  } catch (error) {
    if (mine === asked) problem(error);
  } finally {
    if (mine === asked) {
      place.classList.remove("busy");
      place.setAttribute("aria-busy", "false");
    }
  }
}

const askJson = (input) => ask(JSON.stringify({ inputs: [input] }), "application/json");

function askFile(file, name) {
  const form = new FormData();
  form.append("files", file, name || file.name || "sample");
  return ask(form);
}

function problem(error) {
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}

// ---- answers

function answered(said) {
  return [...predicted(said.prediction), ...drove(said), ...nearest(said.nearest)];
}

const percent = (share) => `${(100 * share).toFixed(share > 0.999 || share < 0.001 ? 2 : 1)} %`;
const figure = (value) => (typeof value === "number" ? String(+value.toPrecision(5)) : String(value));

function predicted(prediction) {
  if (!prediction) return [make("p", { class: "quiet" }, "A pre-training run: it has learned no labels. What it holds to be alike is below.")];
  const { probabilities, ...rest } = prediction;
  const names = Object.keys(rest);
  const best = names.length ? figure(rest[names[0]]) : "";
  const made = [make("p", { class: "best", id: "best" }, best)];
  const more = names.slice(1).map((name) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, figure(rest[name]))));
  if (more.length) made.push(make("table", {}, make("tbody", {}, ...more)));
  if (probabilities) {
    const order = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 10);
    const rows = order.map(([name, share]) =>
      make("tr", {}, make("th", { scope: "row" }, name),
        make("td", { class: "bar" }, make("meter", { min: 0, max: 1, value: share, "aria-label": name })),
        make("td", { class: "number" }, percent(share))));
    made.push(make("table", { "aria-label": "probabilities" }, make("tbody", {}, ...rows)));
  }
  return made;
}

function drove(said) {
  const made = [make("h3", {}, said.drove ? "What drove it" : "What the network sees")];
  const why = said.drove;
  if (said.seen.picture) made.push(pictures(said.seen.picture, why));
  else if (said.seen.course) made.push(course(said.seen.course, why ? why.values : []));
  else if (why && why.kind === "words" && why.words.length) made.push(words(why.words));
  else if (why && why.kind === "columns") made.push(columns(why.columns));
  else if (said.seen.text) made.push(make("p", {}, said.seen.text));
  else return [];
  return made;
}

function pictures(source, why) {
  const seen = make("figure", {}, make("img", { src: source, alt: "the picture as the network sees it" }), make("figcaption", {}, "as the network sees it"));
  if (!why || why.kind !== "places") return make("div", { class: "seen" }, seen);
  const over = make("canvas", { width: why.values[0].length, height: why.values.length, "aria-hidden": "true" });
  const pen = over.getContext("2d");
  why.values.forEach((row, i) => row.forEach((value, j) => {
    pen.fillStyle = shade(value, 0.75);
    pen.fillRect(j, i, 1, 1);
  }));
  const where = make("figure", {}, make("div", { class: "stack" }, make("img", { src: source, alt: "the same picture; what spoke for the answer is orange, what spoke against it blue" }), over),
    make("figcaption", {}, "orange spoke for the answer, blue against"));
  return make("div", { class: "seen" }, seen, where);
}

function shade(value, most = 0.6) {
  const style = getComputedStyle(document.documentElement);
  return `rgba(${style.getPropertyValue(value < 0 ? "--against" : "--for")}, ${Math.abs(value) * most})`;
}

function words(list) {
  const spans = list.map(({ text, weight }) => {
    const span = make("span", {}, text);
    span.style.background = shade(weight);
    return span;
  });
  return make("div", {}, make("p", { class: "words" }, ...spans), make("small", {}, "the darker a word, the more the answer hung on it"));
}

function columns(list) {
  const rows = list.slice(0, 12).map(({ name, weight }) =>
    make("tr", {}, make("th", { scope: "row" }, name),
      make("td", { class: "bar" }, make("meter", { min: 0, max: 1, value: Math.abs(weight), "aria-label": name })),
      make("td", { class: "number" }, weight < 0 ? "against" : weight > 0 ? "for" : "–")));
  return make("table", { "aria-label": "what each column counted" }, make("tbody", {}, ...rows));
}

function course(values, weights) {
  const known = values.filter((v) => v !== null);
  const low = Math.min(...known), high = Math.max(...known), span = high - low || 1;
  const points = values.map((v, i) => (v === null ? null : `${(100 * i) / (values.length - 1 || 1)},${40 - (38 * (v - low)) / span - 1}`)).filter((p) => p);
  const bars = (weights || []).map((w, i) => make("rect", { x: (100 * i) / weights.length, y: 0, width: 100 / weights.length, height: 40, "fill-opacity": Math.max(0, w) * 0.6 }));
  return make("div", {}, make("svg", { class: "course", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": "its course; coloured where the answer hung on it" }, ...bars, make("polyline", { points: points.join(" ") })));
}

function nearest(list) {
  if (!list || !list.length) return about.no_neighbours ? [make("p", { class: "quiet" }, `No training samples are shown: ${about.no_neighbours}`)] : [];
  return [make("h3", {}, "Nearest training samples"),
    make("ul", { class: tiles(list[0]) }, ...list.map((one) => make("li", {}, make("div", { class: "tile" }, ...tile(one, true)))))];
}

const tiles = (one) => (one.picture ? "tiles" : one.course ? "tiles courses" : "tiles wide");

function tile(one, told) {
  const said = [one.target === null || one.target === undefined ? null : figure(one.target), told ? `${Math.round(100 * one.likeness)} % alike` : null].filter((x) => x !== null).join(", ");
  const made = [];
  if (one.picture) made.push(make("img", { src: one.picture, alt: "" }));
  else if (one.course) {
    const end = about.modality === "audio" ? one.course.findLastIndex((v) => v) + 1 : one.course.length; // a window is filled up
    made.push(course(one.course.slice(0, Math.max(2, end)), []));
  }
  else if (one.text) made.push(make("div", {}, one.text.slice(0, 200)));
  else if (one.row) made.push(make("div", {}, Object.entries(one.row).filter(([, v]) => v !== null).map(([k, v]) => `${k} ${figure(v)}`).join(", ")));
  made.push(make("small", {}, said || one.name));
  return made;
}

// ---- ways to ask

function dropped(accept, take, sentence) {
  const input = make("input", { type: "file", accept, id: "file", onchange: () => input.files.length && take(input.files[0]) });
  const zone = make("div", { class: "drop" }, make("label", { for: "file" }, sentence), input);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  return zone;
}

function forImages(input) {
  const made = [];
  if (input.channels === 1 || (input.ink && input.ink.dark)) made.push(...drawing(input));
  made.push(dropped("image/*", (file) => askFile(file), made.length ? "Or choose or drop a picture" : "Choose or drop a picture"));
  return made;
}

const PAD = 280;

function drawing(input) {
  const dark = !input.ink || input.ink.dark;
  const pad = make("canvas", { class: "pad", id: "pad", width: PAD, height: PAD, role: "img", tabindex: 0, "aria-label": "Draw here with a mouse, a pen or a finger" });
  const pen = pad.getContext("2d", { willReadFrequently: true });
  const clear = () => { pen.fillStyle = dark ? "#000" : "#fff"; pen.fillRect(0, 0, PAD, PAD); };
  clear();
  pen.lineWidth = PAD / 12; pen.lineCap = pen.lineJoin = "round";
  let last = null, later = null;
  const place = (event) => { const box = pad.getBoundingClientRect(); return [((event.clientX - box.left) * PAD) / box.width, ((event.clientY - box.top) * PAD) / box.height]; };
  const stroke = (event) => {
    const here = place(event);
    pen.strokeStyle = dark ? "#fff" : "#000";
    pen.beginPath(); pen.moveTo(...(last || here)); pen.lineTo(here[0] + 0.01, here[1]); pen.stroke();
    last = here;
  };
  pad.addEventListener("pointerdown", (event) => { clearTimeout(later); pad.setPointerCapture(event.pointerId); last = null; stroke(event); });
  pad.addEventListener("pointermove", (event) => { if (last) stroke(event); });
  const done = () => { if (last) { last = null; later = setTimeout(() => drawn(pad, input), 350); } };
  pad.addEventListener("pointerup", done);
  pad.addEventListener("pointercancel", done);
  return [make("p", {}, "Draw with the mouse, a pen or a finger."), pad,
    make("div", { class: "row" }, make("button", { type: "button", onclick: () => drawn(pad, input) }, "Ask"),
      make("button", { type: "button", class: "plain", onclick: () => { asked++; clear(); } }, "Clear"))];
}

// A drawing as the training pictures have theirs: as large, centred by its mass, on the same ground.
function drawn(pad, input) {
  const dark = !input.ink || input.ink.dark, share = input.ink ? input.ink.share : 0.7;
  const pixels = pad.getContext("2d").getImageData(0, 0, PAD, PAD).data;
  let left = PAD, right = -1, top = PAD, bottom = -1, mass = 0, mx = 0, my = 0;
  for (let y = 0; y < PAD; y++) for (let x = 0; x < PAD; x++) {
    const value = dark ? pixels[4 * (y * PAD + x)] : 255 - pixels[4 * (y * PAD + x)];
    if (value < 32) continue;
    left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    mass += value; mx += value * x; my += value * y;
  }
  if (!mass) return problem(new Error("Nothing is drawn yet."));
  const { width, height } = input;
  const scale = (share * Math.min(width, height)) / Math.max(right - left + 1, bottom - top + 1);
  const centred = !input.ink || input.ink.centred;
  const cx = centred ? mx / mass : (left + right) / 2, cy = centred ? my / mass : (top + bottom) / 2;
  // Reduced by halves: a single step would miss thin strokes.
  let source = pad, factor = 1;
  while (scale / factor < 0.5) {
    const half = make("canvas", { width: Math.ceil(source.width / 2), height: Math.ceil(source.height / 2) });
    half.getContext("2d").drawImage(source, 0, 0, half.width, half.height);
    source = half; factor /= 2;
  }
  const small = make("canvas", { width, height });
  const pen = small.getContext("2d");
  pen.fillStyle = dark ? "#000" : "#fff"; pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, width / 2 - cx * scale, height / 2 - cy * scale, PAD * scale, PAD * scale);
  small.toBlob((blob) => askFile(blob, "drawing.png"), "image/png");
}

function forTexts() {
  const area = make("textarea", { id: "text", rows: 6 });
  const form = make("form", {}, make("label", { for: "text" }, "A text"), area, make("div", { class: "row" }, make("button", {}, "Ask")));
  form.addEventListener("submit", (event) => { event.preventDefault(); askJson(area.value); });
  area.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  return [form];
}

function forRows(input) {
  const fields = input.columns.map((column, i) => {
    const id = `field-${i}`;
    let control;
    if (column.values) {
      control = make("select", { id }, make("option", { value: "" }, "–"), ...column.values.map((value) => make("option", { value }, value)));
    } else {
      const number = column.kind === "number";
      control = make("input", { id, type: number ? "number" : "text", step: "any", placeholder: number ? `${figure(column.low)} to ${figure(column.high)}` : column.form || "" });
    }
    return { column, control, shown: make("div", {}, make("label", { for: id }, column.name), control) };
  });
  const form = make("form", {}, make("p", {}, "Leave empty what is not known."), make("div", { class: "fields" }, ...fields.map((field) => field.shown)), make("div", { class: "row" }, make("button", {}, "Ask")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const row = {};
    for (const { column, control } of fields) {
      if (control.value === "") continue;
      row[column.name] = column.kind === "number" ? Number(control.value) : control.value;
    }
    askJson(row);
  });
  form.fill = (row) => {
    for (const { column, control } of fields) {
      const value = row[column.name];
      control.value = value === null || value === undefined ? "" : value;
    }
    form.requestSubmit();
  };
  form.id = "row-form";
  return [form];
}

function forNumbers(input, series) {
  const many = input.channels > 1 ? `${input.channels} lines, a channel each, of at most ${input.length} numbers` : `At most ${input.length} numbers`;
  const hint = `${series ? many : `${input.count} numbers`}, between commas or spaces`;
  const area = make("textarea", { id: "numbers", rows: series ? 6 : 3 });
  const form = make("form", {}, make("label", { for: "numbers" }, hint), area, make("div", { class: "row" }, make("button", {}, "Ask")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const lines = area.value.trim().split(/\n+/).map((line) => line.trim().split(/[\s,;]+/).map((word) => (series && word.toLowerCase() === "nan" ? null : Number(word))));
    if (lines.flat().some((v) => Number.isNaN(v))) return problem(new Error("One of these is no number."));
    askJson(series ? lines : lines.flat());
  });
  form.fill = (row) => {
    area.value = series ? row.map((channel) => channel.map((v) => (v === null ? "nan" : v)).join(", ")).join("\n") : Object.values(row).join(", ");
    form.requestSubmit();
  };
  return [form];
}

// Sound is recorded as plain samples and sent as a WAV file, which every decoder reads.
function forSounds(input) {
  const button = make("button", { type: "button", id: "record", "aria-pressed": "false" }, "Record");
  const told = make("span", { class: "quiet", role: "status" });
  let stop = null;
  button.addEventListener("click", async () => {
    if (stop) return stop();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const context = new AudioContext();
      await context.audioWorklet.addModule("recorder.js");
      const source = context.createMediaStreamSource(stream), tap = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
      const parts = [];
      tap.port.onmessage = (event) => parts.push(event.data);
      source.connect(tap);
      button.textContent = "Stop"; button.setAttribute("aria-pressed", "true"); told.textContent = "recording …";
      const timer = setTimeout(() => stop && stop(), 1000 * Math.max(2, 2 * (input.seconds || 5)));
      stop = () => {
        clearTimeout(timer); stop = null;
        tap.port.onmessage = null; source.disconnect(); stream.getTracks().forEach((track) => track.stop());
        const rate = context.sampleRate; context.close();
        button.textContent = "Record"; button.setAttribute("aria-pressed", "false"); told.textContent = "";
        askFile(wav(parts, rate), "recording.wav");
      };
    } catch (error) {
      problem(new Error(`There is no microphone to record with (${error.message}). Choose a file instead.`));
    }
  });
  return [make("div", { class: "row" }, button, told), dropped("audio/*", (file) => askFile(file), "Or choose or drop a recording")];
}

function wav(parts, rate) {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const word = (place, text) => [...text].forEach((letter, i) => view.setUint8(place + i, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); word(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  word(36, "data"); view.setUint32(40, 2 * count, true);
  let place = 44;
  for (const part of parts) for (const value of part) { view.setInt16(place, 32767 * Math.max(-1, Math.min(1, value)), true); place += 2; }
  return new Blob([view.buffer], { type: "audio/wav" });
}

// ---- the page

function examples(form) {
  const usable = about.examples.filter((one) => one.picture || one.text || one.sound || ((one.row || one.series) && form && form.fill));
  if (!usable.length) return;
  at("examples").className = tiles(usable[0]);
  for (const one of usable) {
    const take = () => {
      if (one.picture) return askJson(one.picture);
      if (one.text) { at("text").value = one.text; return askJson(one.text); }
      if (one.sound) return askJson(one.sound);
      return form.fill(one.series || one.row);
    };
    const play = () => new Audio(`data:audio/wav;base64,${one.sound}`).play().catch(problem);
    const heard = one.sound ? make("button", { type: "button", class: "plain", onclick: play, "aria-label": `listen to ${one.name}` }, "Listen") : null;
    at("examples").append(make("li", {}, make("button", { type: "button", class: "tile", onclick: take }, ...tile(one, false)), heard));
  }
  at("examples-box").hidden = false;
}

function build() {
  at("name").textContent = about.name;
  document.title = `${about.name} · headstart`;
  const figures = Object.entries(about.figures).map(([name, value]) => `${name.replace("_", " ")} ${value.toFixed(4)} on test`);
  const target = about.target ? ` of ${about.target}` : "";
  at("summary").textContent = [`${about.modality}: ${about.task ? about.task + target : "features"}`, about.classes.length ? `${about.classes.length} classes` : null, ...figures].filter((x) => x).join(" · ");
  const input = about.input;
  let ways;
  if (about.modality === "image") ways = forImages(input);
  else if (about.modality === "text") ways = forTexts();
  else if (about.modality === "audio") ways = forSounds(input);
  else if (about.modality === "series") ways = forNumbers(input, true);
  else ways = input.columns ? forRows(input) : forNumbers(input, false);
  at("ask").replaceChildren(...ways);
  examples(ways.find((way) => way.fill));
}

async function begin() {
  try {
    about = await call("about");
    at("token-form").hidden = true;
    at("problem").hidden = true;
    build();
  } catch (error) { problem(error); }
}

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", at("token").value);
  begin();
});
begin();
