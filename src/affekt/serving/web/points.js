// Many points on a canvas: drawn by the graphics card, moved, zoomed, and chosen by a lasso.

const VERTEX = `
attribute vec2 place; attribute vec4 colour; uniform vec2 scale; uniform vec2 shift; uniform float size; varying vec4 shown;
void main() { gl_Position = vec4(place * scale + shift, 0.0, 1.0); gl_PointSize = size; shown = colour; }`;
const FRAGMENT = `
precision mediump float; varying vec4 shown;
void main() { if (length(gl_PointCoord - 0.5) > 0.5) discard; gl_FragColor = vec4(shown.rgb * shown.a, shown.a); }`;

export class Points {
  /** Draw on a canvas; `chosen(indices)` is called with what a lasso encloses. */
  constructor(canvas, overlay, chosen) {
    Object.assign(this, { canvas, overlay, chosen, zoom: 1, middle: [0, 0], count: 0, lasso: false });
    const gl = (this.gl = canvas.getContext("webgl", { antialias: true, premultipliedAlpha: true }));
    if (!gl) throw new Error("This browser draws no WebGL, which the map needs.");
    this.program = program(gl);
    this.places = gl.createBuffer();
    this.colours = gl.createBuffer();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Show points: `x` and `y` of any scale. */
  set(x, y) {
    const reach = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const [[x0, x1], [y0, y1]] = [reach(x), reach(y)];
    const wide = Math.max(x1 - x0, y1 - y0) / 1.9 || 1;
    this.at = new Float32Array(x.length * 2);
    for (let i = 0; i < x.length; i++) {
      this.at[2 * i] = (x[i] - (x0 + x1) / 2) / wide;
      this.at[2 * i + 1] = (y[i] - (y0 + y1) / 2) / wide;
    }
    this.count = x.length;
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.places);
    gl.bufferData(gl.ARRAY_BUFFER, this.at, gl.STATIC_DRAW);
    this.home();
  }

  /** Colour points by "#rrggbb"; those that `bright` does not hold are faint. */
  paint(colourOf, bright = null) {
    const bytes = new Uint8Array(this.count * 4);
    for (let i = 0; i < this.count; i++) {
      const value = Number.parseInt(colourOf(i).slice(1), 16);
      bytes.set([value >> 16, (value >> 8) & 255, value & 255, bright ? (bright.has(i) ? 255 : 28) : 190], 4 * i);
    }
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.colours);
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    this.draw();
  }

  /** Show all of it. */
  home() {
    this.zoom = 1;
    this.middle = [0, 0];
    this.draw();
  }

  /** Zoom about a place of the view, in -1 … 1. */
  closer(by, [x, y] = [0, 0]) {
    const [sx, sy] = this.scale();
    const before = [this.middle[0] + x / sx, this.middle[1] + y / sy];
    this.zoom = Math.min(Math.max(this.zoom * by, 0.5), 500);
    const [nx, ny] = this.scale();
    this.middle = [before[0] - x / nx, before[1] - y / ny];
    this.draw();
  }

  move(x, y) {
    const [sx, sy] = this.scale();
    this.middle = [this.middle[0] - x / sx, this.middle[1] - y / sy];
    this.draw();
  }

  scale() {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const least = Math.min(wide, high) || 1;
    return [(this.zoom * least) / (wide || 1), (this.zoom * least) / (high || 1)];
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawn());
  }

  drawn() {
    const { gl, canvas, program: own } = this;
    const ratio = devicePixelRatio || 1;
    for (const one of [canvas, this.overlay]) {
      const [wide, high] = [Math.round(one.clientWidth * ratio), Math.round(one.clientHeight * ratio)];
      if (one.width !== wide || one.height !== high) Object.assign(one, { width: wide, height: high });
    }
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.count) return;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(own);
    const [sx, sy] = this.scale();
    gl.uniform2f(gl.getUniformLocation(own, "scale"), sx, sy);
    gl.uniform2f(gl.getUniformLocation(own, "shift"), -this.middle[0] * sx, -this.middle[1] * sy);
    const size = Math.min(Math.max((9 - Math.log10(this.count) * 1.5) * Math.sqrt(this.zoom), 2), 14);
    gl.uniform1f(gl.getUniformLocation(own, "size"), size * ratio);
    for (const [name, buffer, width, kind, unit] of [["place", this.places, 2, gl.FLOAT, false], ["colour", this.colours, 4, gl.UNSIGNED_BYTE, true]]) {
      const place = gl.getAttribLocation(own, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, kind, unit, 0, 0);
    }
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  listen() {
    let last = null, path = null;
    const place = (event) => {
      const box = this.overlay.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2];
    };
    this.overlay.addEventListener("wheel", (event) => { event.preventDefault(); this.closer(Math.exp(-event.deltaY / 400), place(event)); }, { passive: false });
    this.overlay.addEventListener("pointerdown", (event) => {
      this.overlay.setPointerCapture(event.pointerId);
      last = place(event);
      path = this.lasso || event.shiftKey ? [last] : null;
    });
    this.overlay.addEventListener("pointermove", (event) => {
      if (!last) return;
      const now = place(event);
      if (path) this.outline(path.push(now) && path);
      else this.move(now[0] - last[0], now[1] - last[1]);
      last = now;
    });
    const ended = () => {
      if (path?.length > 2) this.chosen(this.enclosed(path));
      if (path) this.outline([]);
      last = path = null;
    };
    this.overlay.addEventListener("pointerup", ended);
    this.overlay.addEventListener("pointercancel", ended);
    this.overlay.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
      if (moves[event.key]) this.move(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.closer(1.3);
      else if (event.key === "-") this.closer(1 / 1.3);
      else if (event.key === "0") this.home();
      else if (event.key === "Enter") this.chosen(this.enclosed([[-1, -1], [1, -1], [1, 1], [-1, 1]]));
      else return;
      event.preventDefault();
    });
  }

  outline(path) {
    const pen = this.overlay.getContext("2d"), { width, height } = this.overlay;
    pen.clearRect(0, 0, width, height);
    if (path.length < 2) return;
    pen.beginPath();
    for (const [x, y] of path) pen.lineTo(((x + 1) / 2) * width, ((1 - y) / 2) * height);
    pen.strokeStyle = getComputedStyle(this.overlay).color;
    pen.lineWidth = 2 * (devicePixelRatio || 1);
    pen.stroke();
  }

  /** Return the points within a path of the view. */
  enclosed(path) {
    const [sx, sy] = this.scale(), found = [];
    for (let i = 0; i < this.count; i++) {
      const x = (this.at[2 * i] - this.middle[0]) * sx, y = (this.at[2 * i + 1] - this.middle[1]) * sy;
      if (within(path, x, y)) found.push(i);
    }
    return found;
  }
}

/** Whether a place is within a closed path, by how often a line from it crosses the path. */
export function within(path, x, y) {
  let inside = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [[ax, ay], [bx, by]] = [path[i], path[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  return made;
}

/** Return {x, y}: vectors along their two directions of largest spread, by power iteration. */
export function projected(vectors) {
  const wide = vectors[0].length, middle = new Float64Array(wide);
  for (const vector of vectors) for (let d = 0; d < wide; d++) middle[d] += vector[d] / vectors.length;
  const found = [];
  for (let axis = 0; axis < 2; axis++) {
    let direction = Float64Array.from({ length: wide }, (_, d) => Math.sin(d * 12.9898 + axis * 78.233 + 1));
    for (let round = 0; round < 12; round++) {
      const next = new Float64Array(wide);
      for (const vector of vectors) {
        let dot = 0;
        for (let d = 0; d < wide; d++) dot += (vector[d] - middle[d]) * direction[d];
        for (let d = 0; d < wide; d++) next[d] += dot * (vector[d] - middle[d]);
      }
      for (const other of found) {
        const dot = next.reduce((sum, value, d) => sum + value * other[d], 0);
        for (let d = 0; d < wide; d++) next[d] -= dot * other[d];
      }
      const length = Math.hypot(...next) || 1;
      direction = next.map((value) => value / length);
    }
    found.push(direction);
  }
  const along = (direction) => vectors.map((vector) => vector.reduce((sum, value, d) => sum + (value - middle[d]) * direction[d], 0));
  return { x: along(found[0]), y: along(found[1]) };
}
