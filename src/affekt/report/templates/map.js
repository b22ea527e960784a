// Draws the map from the data block: colour by, hide and show categories, find a word.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("map-data").textContent);
  var plot = document.getElementById("plot");
  var key = document.getElementById("key");
  var count = data.x.length;
  var size = count > 8000 ? 4 : count > 1500 ? 5.5 : count > 300 ? 7 : 10;
  var SHAPES = {
    "circle": "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
    "diamond": "M8 2l6 6l-6 6l-6-6z",
    "square": "M3.5 3.5h9v9h-9z",
    "triangle-up": "M8 2.5l6 11h-12z",
    "x": "M4.6 2.5L8 5.9l3.4-3.4l2.1 2.1L10.1 8l3.4 3.4l-2.1 2.1L8 10.1l-3.4 3.4l-2.1-2.1L5.9 8L2.5 4.6z",
    "cross": "M6.4 2h3.2v4.4h4.4v3.2h-4.4v4.4h-3.2v-4.4h-4.4v-3.2h4.4z"
  };
  function webgl() {
    try { return !!document.createElement("canvas").getContext("webgl"); } catch (error) { return false; }
  }
  var kind = webgl() ? "scattergl" : "scatter";
  var plain = null;  // the texts as they are searched: lower case, on one line
  var current = 0;
  var hidden = [];  // by category of the current colouring
  var wanted = "";

  function escaped(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;").replace(/'/g, "&#x27;");
  }
  function matches(row) { return plain[row].indexOf(wanted) >= 0; }

  function traces() {
    var colouring = data.colourings[current];
    var made = colouring.categories.map(function (category, at) {
      return {
        type: kind, mode: "markers", x: [], y: [], text: [], hoverinfo: "text", name: escaped(category.name),
        visible: !hidden[at],
        marker: { color: category.colour, symbol: category.symbol, size: size, opacity: 0.75 },
        selected: { marker: { opacity: 0.95, size: size + 3 } }, unselected: { marker: { opacity: 0.07 } }
      };
    });
    for (var row = 0; row < count; row++) {
      var trace = made[colouring.codes[row]];
      if (wanted && matches(row)) (trace.selectedpoints = trace.selectedpoints || []).push(trace.x.length);
      trace.x.push(data.x[row]);
      trace.y.push(data.y[row]);
      trace.text.push(data.texts[row]);
    }
    if (wanted) made.forEach(function (trace) { trace.selectedpoints = trace.selectedpoints || []; });
    return made;
  }
  var narrow = plot.clientWidth < 600;
  var named = document.getElementById("names");
  function annotations() {
    if (named && !named.checked) return [];
    return data.names.map(function (one) {
      return {
        x: one.x, y: one.y, text: narrow ? one.text.split("<br>")[0] : one.text, showarrow: false, captureevents: false,
        bgcolor: "rgba(255,255,255,.72)", borderpad: 2, font: { size: narrow ? 11 : 12, color: "#1c2430" }
      };
    });
  }
  var axis = { visible: false, zeroline: false, showgrid: false };
  var layout = {
    margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, hovermode: "closest", dragmode: "pan",
    paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", uirevision: "same", hoverdistance: 12,
    // on a narrow screen the map fills its height: axes have no meaning, and equal steps leave half of it empty
    xaxis: axis, yaxis: narrow ? axis : Object.assign({ scaleanchor: "x" }, axis),
    hoverlabel: { bgcolor: "#ffffff", bordercolor: "#8a8f96", align: "left", font: { size: 13, color: "#1c2430" } }
  };
  var config = {
    responsive: true, scrollZoom: true, displaylogo: false,
    // the texts are the reader's own: plotly's button that shares a chart on its server must not be there
    showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"]
  };
  function draw() {
    layout.annotations = annotations();
    Plotly.react(plot, traces(), layout, config);
  }

  function entry(category, at, size) {
    var button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", hidden[at] ? "false" : "true");
    button.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path/></svg><span></span><small></small>';
    var path = button.querySelector("path");
    path.setAttribute("d", SHAPES[category.symbol]);
    path.setAttribute("fill", category.colour);
    button.querySelector("span").textContent = category.name;
    button.querySelector("small").textContent = size.toLocaleString("en") + " · " + (100 * size / count).toFixed(0) + " %";
    button.addEventListener("click", function () {
      hidden[at] = !hidden[at];
      button.setAttribute("aria-pressed", hidden[at] ? "false" : "true");
      Plotly.restyle(plot, { visible: !hidden[at] }, [at]);
    });
    return button;
  }
  function all(label, hide) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "all";
    button.textContent = label;
    button.addEventListener("click", function () {
      hidden = hidden.map(function () { return hide; });
      legend();
      draw();
    });
    return button;
  }
  function legend() {
    var colouring = data.colourings[current];
    var sizes = colouring.categories.map(function () { return 0; });
    colouring.codes.forEach(function (code) { sizes[code]++; });
    key.textContent = "";
    key.appendChild(all("Show all", false));
    key.appendChild(all("Hide all", true));
    colouring.categories.forEach(function (category, at) {
      key.appendChild(entry(category, at, sizes[at]));
    });
  }
  function colour(at) {
    current = at;
    hidden = data.colourings[at].categories.map(function () { return false; });
    legend();
    draw();
  }
  var choices = document.querySelectorAll("[data-colouring]");
  choices.forEach(function (button) {
    button.addEventListener("click", function () {
      choices.forEach(function (other) { other.setAttribute("aria-pressed", other === button ? "true" : "false"); });
      colour(Number(button.dataset.colouring));
    });
  });
  var waiting = null;
  document.getElementById("find").addEventListener("input", function (event) {
    clearTimeout(waiting);
    waiting = setTimeout(function () {
      plain = plain || data.texts.map(function (text) { return text.replace(/<br>/g, " ").toLowerCase(); });
      wanted = escaped(event.target.value.trim().replace(/\s+/g, " ").toLowerCase());
      var found = 0;
      for (var row = 0; wanted && row < count; row++) if (matches(row)) found++;
      document.getElementById("found").textContent = wanted ? " " + found.toLocaleString("en") + " texts" : "";
      draw();
    }, 200);
  });
  if (named) named.addEventListener("change", draw);
  colour(0);
})();
