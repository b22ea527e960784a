// Many points on a canvas: drawn by the graphics card, moved, zoomed, and chosen by a lasso.

const VERTEX = `
attribute vec2 place; attribute vec4 colour; uniform vec2 scale; uniform vec2 shift; uniform float size; varying vec4 shown;
void main() { gl_Position = vec4(place * scale + shift, 0.0, 1.0); gl_PointSize = size; shown = colour; }`;
const FRAGMENT = `
precision mediump float; varying vec4 shown;
void main() {
  float there = shown.a * (1.0 - smoothstep(0.4, 0.5, length(gl_PointCoord - 0.5)));
  if (there == 0.0) discard;
  gl_FragColor = vec4(shown.rgb * there, there);
}`;
const NEAR = 10; // pixels from a point that count as on it
const ABOVE = 48; // pixels that buttons take above the points

export class Points {
  /** Draw on a canvas; `chosen(indices)` is called with what a lasso encloses, `pointed(index or -1, x, y)` with what is under the pointer. */
  constructor(canvas, overlay, chosen, pointed = () => {}) {
    Object.assign(this, { canvas, overlay, chosen, pointed, zoom: 1, middle: [0, 0], count: 0, lasso: false, names: [], outlined: [] });
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
    const [[x0, x1], [y0, y1]] = [x, y].map((values) => {
      let low = Infinity, high = -Infinity;
      for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
      return [low, high];
    });
    const half = Math.max(x1 - x0, y1 - y0) / 2 || 1;
    this.reach = [Math.max((x1 - x0) / 2 / half, 0.1), Math.max((y1 - y0) / 2 / half, 0.1)];
    this.at = new Float32Array(x.length * 2);
    for (let i = 0; i < x.length; i++) {
      this.at[2 * i] = (x[i] - (x0 + x1) / 2) / half;
      this.at[2 * i + 1] = (y[i] - (y0 + y1) / 2) / half;
    }
    this.count = x.length;
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.places);
    gl.bufferData(gl.ARRAY_BUFFER, this.at, gl.STATIC_DRAW);
    this.home();
  }

  /**
   * Colour points: each has the place of its colour in `colours`, "#rrggbb". Those of `hidden` places are not there;
   * those that `bright`, a byte for each, does not mark are faint.
   */
  paint(places, colours, hidden, bright = null) {
    const values = colours.map((colour) => Number.parseInt(colour.slice(1), 16)), usual = this.count > 20_000 ? 150 : 200;
    const bytes = new Uint8Array(this.count * 4);
    this.shown = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const value = values[places[i]];
      this.shown[i] = hidden.has(places[i]) ? 0 : 1;
      bytes[4 * i] = value >> 16;
      bytes[4 * i + 1] = (value >> 8) & 255;
      bytes[4 * i + 2] = value & 255;
      bytes[4 * i + 3] = this.shown[i] * (bright ? (bright[i] ? 255 : 26) : usual);
    }
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.colours);
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    this.draw();
  }

  /** Show all of it. */
  home() {
    this.zoom = 1;
    this.middle = [0, ABOVE / (this.scale()[1] * (this.canvas.clientHeight || 1))];
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
    const wide = this.canvas.clientWidth || 1, high = this.canvas.clientHeight || 1, [x, y] = this.reach ?? [1, 1];
    const pixels = this.zoom * 0.94 * Math.min(wide / x, Math.max(high - ABOVE, 1) / y);
    return [pixels / wide, pixels / high];
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
    this.written();
  }

  /** Write the lasso's outline and the names of places over the points, a name only where no larger one stands. */
  written() {
    const pen = this.overlay.getContext("2d"), { width, height } = this.overlay, ratio = devicePixelRatio || 1;
    const style = getComputedStyle(this.overlay), ink = style.color, paper = style.getPropertyValue("--paper");
    pen.clearRect(0, 0, width, height);
    pen.font = `600 ${12.5 * ratio}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.lineJoin = "round";
    const [sx, sy] = this.scale(), taken = [];
    for (const { text, point } of this.names) {
      const wide = pen.measureText(text).width / 2 + 4 * ratio, high = 9 * ratio;
      const x = (((this.at[2 * point] - this.middle[0]) * sx + 1) / 2) * width;
      const y = ((1 - (this.at[2 * point + 1] - this.middle[1]) * sy) / 2) * height;
      if (x < 0 || x > width || y < 0 || y > height) continue;
      if (taken.some(([a, b, reach]) => Math.abs(a - x) < reach + wide && Math.abs(b - y) < 2 * high)) continue;
      taken.push([x, y, wide]);
      pen.strokeStyle = paper;
      pen.lineWidth = 4 * ratio;
      const inside = Math.min(Math.max(x, wide), width - wide);
      pen.strokeText(text, inside, y);
      pen.fillStyle = ink;
      pen.fillText(text, inside, y);
    }
    if (this.outlined.length < 2) return;
    pen.beginPath();
    for (const [x, y] of this.outlined) pen.lineTo(((x + 1) / 2) * width, ((1 - y) / 2) * height);
    pen.closePath();
    pen.strokeStyle = ink;
    pen.lineWidth = 2 * ratio;
    pen.setLineDash([6 * ratio, 4 * ratio]);
    pen.stroke();
    pen.setLineDash([]);
  }

  /** Return the nearest point that is shown within some pixels of a place of the view, or -1. */
  nearest([x, y]) {
    const [sx, sy] = this.scale(), { clientWidth: wide, clientHeight: high } = this.canvas;
    let found = -1, least = NEAR ** 2;
    for (let i = 0; i < this.count; i++) {
      const dx = (((this.at[2 * i] - this.middle[0]) * sx - x) * wide) / 2, dy = (((this.at[2 * i + 1] - this.middle[1]) * sy - y) * high) / 2;
      const apart = dx * dx + dy * dy;
      if (apart < least && this.shown[i]) [found, least] = [i, apart];
    }
    return found;
  }

  listen() {
    let last = null, path = null;
    const fingers = new Map(); // where each is, in pixels
    const place = (event) => {
      const box = this.overlay.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2];
    };
    this.overlay.addEventListener("wheel", (event) => { event.preventDefault(); this.closer(Math.exp(-event.deltaY / 400), place(event)); }, { passive: false });
    this.overlay.addEventListener("pointerdown", (event) => {
      this.overlay.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      last = place(event);
      path = this.lasso || event.shiftKey ? [last] : null;
      this.pointed(-1);
    });
    this.overlay.addEventListener("pointermove", (event) => {
      const now = place(event);
      if (fingers.size === 2 && fingers.has(event.pointerId)) {
        const apart = () => { const [[ax, ay], [bx, by]] = fingers.values(); return Math.hypot(ax - bx, ay - by) || 1; };
        const before = apart();
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
        this.closer(apart() / before, now);
        path = null;
        return;
      }
      if (!last) {
        cancelAnimationFrame(this.look);
        this.look = requestAnimationFrame(() => this.pointed(this.nearest(now), ((now[0] + 1) / 2) * this.overlay.clientWidth, ((1 - now[1]) / 2) * this.overlay.clientHeight));
        return;
      }
      if (path) this.outline(path.push(now) && path);
      else this.move(now[0] - last[0], now[1] - last[1]);
      last = now;
    });
    const ended = (event) => {
      fingers.delete(event.pointerId);
      if (path?.length > 2) this.chosen(this.enclosed(path));
      if (path) this.outline([]);
      last = path = null;
    };
    this.overlay.addEventListener("pointerup", ended);
    this.overlay.addEventListener("pointercancel", ended);
    this.overlay.addEventListener("pointerleave", () => { cancelAnimationFrame(this.look); this.pointed(-1); });
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
    this.outlined = path;
    this.draw();
  }

  /** Return the points that are shown within a path of the view. */
  enclosed(path) {
    const [sx, sy] = this.scale(), found = [], xs = Float64Array.from(path, ([x]) => x), ys = Float64Array.from(path, ([, y]) => y);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    for (let i = 0; i < this.count; i++) {
      const x = (this.at[2 * i] - this.middle[0]) * sx, y = (this.at[2 * i + 1] - this.middle[1]) * sy;
      if (this.shown[i] && x >= left && x <= right && y >= low && y <= high && within(xs, ys, x, y)) found.push(i);
    }
    return found;
  }
}

/** Whether a place is within a closed path, by how often a line from it crosses the path. */
function within(xs, ys, x, y) {
  let inside = false;
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
    if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
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
