// Points of a plane on a canvas: written pixel by pixel, so that 200,000 take some milliseconds.

const NEAREST = 1 / 64; // of the whole plane: no closer than that
const MARGIN = 0.94; // of the canvas that the whole plane takes

/** The colour of a pixel from #rgb or #rrggbb, in the order of its bytes in memory. */
export function pixel(colour) {
  const hex = colour.trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Float32Array} x to the right, in [-1, 1]
   * @param {Float32Array} y upwards, in [-1, 1]
   */
  constructor(canvas, x, y) {
    Object.assign(this, { canvas, x, y, zoomed: 1, middle: [0, 0] });
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** Fit the canvas to its place on the screen. */
  resize() {
    const [wide, high] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.ratio = globalThis.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.max(1, Math.round(wide * this.ratio)), height: Math.max(1, Math.round(high * this.ratio)) });
    Object.assign(this, { wide, high, image: this.context.createImageData(this.canvas.width, this.canvas.height) });
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** Pixels of the screen for one unit of the plane. */
  get scale() { return (Math.min(this.wide, this.high) / 2) * MARGIN * this.zoomed; }

  /** Show everything. */
  fit() { Object.assign(this, { zoomed: 1, middle: [0, 0] }); }

  /** Zoom, with what is at a place of the canvas staying there. */
  zoom(factor, left = this.wide / 2, top = this.high / 2) {
    const [x, y] = this.at(left, top);
    this.zoomed = Math.min(1 / NEAREST, Math.max(0.5, this.zoomed * factor));
    const [newX, newY] = this.at(left, top);
    this.middle = [this.middle[0] + x - newX, this.middle[1] + y - newY];
  }

  /** Move what is shown by pixels of the screen. */
  pan(right, down) {
    const inside = (value) => Math.min(1.2, Math.max(-1.2, value));
    this.middle = [inside(this.middle[0] - right / this.scale), inside(this.middle[1] + down / this.scale)];
  }

  /** Where a place of the canvas is in the plane. */
  at(left, top) {
    return [this.middle[0] + (left - this.wide / 2) / this.scale, this.middle[1] - (top - this.high / 2) / this.scale];
  }

  /** Where a point is on the canvas. */
  spot(place) {
    return [(this.x[place] - this.middle[0]) * this.scale + this.wide / 2, (this.middle[1] - this.y[place]) * this.scale + this.high / 2];
  }

  /** The side of a point, in pixels of the canvas. */
  get side() {
    const some = this.x.length > 60_000 ? 1.6 : this.x.length > 8000 ? 2.2 : this.x.length > 1500 ? 3.5 : 5;
    return Math.round(Math.min(10, some * this.zoomed ** 0.35) * this.ratio);
  }

  /**
   * Draw all points: the faint ones below.
   * @param {Uint32Array} colours of each point
   * @param {Uint8Array} faint which points are
   * @param {{background: number, faint: number}} others colours
   */
  draw(colours, faint, others) {
    this.pixels.fill(others.background);
    if (faint.includes(1)) this.#dots(colours, faint, 1, others.faint);
    this.#dots(colours, faint, 0, others.faint);
    this.context.putImageData(this.image, 0, 0);
  }

  #dots(colours, faint, level, faintColour) {
    const { x, y, pixels, side, ratio } = this;
    const [wide, high, scale] = [this.canvas.width, this.canvas.height, this.scale * ratio];
    const left = wide / 2 - this.middle[0] * scale - side / 2;
    const top = high / 2 + this.middle[1] * scale - side / 2;
    const [lastColumn, lastRow] = [wide - side, high - side];
    const cut = side > 3 ? 1 : 0; // without its corners
    for (let at = 0; at < x.length; at++) {
      if (faint[at] !== level) continue;
      const column = Math.round(left + x[at] * scale);
      const row = Math.round(top - y[at] * scale);
      if (column < 0 || row < 0 || column > lastColumn || row > lastRow) continue;
      const colour = level ? faintColour : colours[at];
      let from = row * wide + column;
      if (side === 2) { // of most points where there are many
        pixels[from] = colour;
        pixels[from + 1] = colour;
        pixels[from + wide] = colour;
        pixels[from + wide + 1] = colour;
        continue;
      }
      for (let line = 0; line < side; line++, from += wide) {
        const less = line === 0 || line === side - 1 ? cut : 0;
        for (let dot = from + less; dot < from + side - less; dot++) pixels[dot] = colour;
      }
    }
  }

  /** The point nearest to a place of the canvas, at most so many pixels away; -1 if none is. */
  nearest(left, top, within) {
    const [x, y] = this.at(left, top);
    let [best, least] = [-1, (within / this.scale) ** 2];
    for (let at = 0; at < this.x.length; at++) {
      const distance = (this.x[at] - x) ** 2 + (this.y[at] - y) ** 2;
      if (distance < least) [best, least] = [at, distance];
    }
    return best;
  }

  /** The points in a circle around a place of the canvas. */
  inCircle(left, top, radius) {
    const [x, y] = this.at(left, top);
    const most = (radius / this.scale) ** 2;
    return this.#all((at) => (this.x[at] - x) ** 2 + (this.y[at] - y) ** 2 <= most);
  }

  /** The points inside a polygon of places of the canvas: those from which a ray crosses it oddly often. */
  inPolygon(places) {
    const corners = places.map(([left, top]) => this.at(left, top));
    const [xs, ys] = [0, 1].map((axis) => Float64Array.from(corners, (corner) => corner[axis]));
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    return this.#all((at) => {
      const x = this.x[at];
      const y = this.y[at];
      if (x < left || x > right || y < low || y > high) return false;
      let inside = false;
      for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
        if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
      }
      return inside;
    });
  }

  #all(wanted) {
    const found = [];
    for (let at = 0; at < this.x.length; at++) if (wanted(at)) found.push(at);
    return found;
  }
}
