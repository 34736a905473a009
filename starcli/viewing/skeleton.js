"use strict";
// Moving skeletons: everything in an element `.skeletons` with its controls and its data.
(() => {
  const MARGIN = 26, REACH = 14;

  /** Joints of a clip in metres [frames, people, joints, 3]; NaN where not seen. */
  function unpacked(clip) {
    const bytes = Uint8Array.from(atob(clip.joints), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer), out = new Float32Array(bytes.length / 2);
    for (let i = 0; i < out.length; i++) {
      const whole = view.getInt16(2 * i, true);
      out[i] = whole === -32768 ? NaN : clip.middle[i % 3] + whole * clip.step;
    }
    return out;
  }

  /** Where people are in each frame, and the lowest point of all: what following holds still. */
  function middles(joints, shape) {
    const [frames, people, count] = shape, size = people * count * 3;
    const out = [];
    let floor = Infinity;
    for (let i = 1; i < joints.length; i += 3) if (joints[i] < floor) floor = joints[i];
    for (let frame = 0, last = [0, floor, 0]; frame < frames; frame++) {
      const sum = [0, 0];
      let seen = 0;
      for (let i = frame * size; i < (frame + 1) * size; i += 3) {
        if (Number.isNaN(joints[i])) continue;
        sum[0] += joints[i];
        sum[1] += joints[i + 2];
        seen++;
      }
      if (seen) last = [sum[0] / seen, floor, sum[1] / seen];
      out.push(last);
    }
    return out;
  }

  /** How much joints are attended to [steps][joints], as multiples of the mean; null without. */
  function attended(clip) {
    if (!clip.attention) return null;
    const { steps, most, bytes } = clip.attention, count = clip.shape[2];
    const all = Array.from(atob(bytes), (c) => (c.charCodeAt(0) / 255) * most);
    return Array.from({ length: steps }, (_, step) => all.slice(step * count, (step + 1) * count));
  }

  /** From 0, for the mean and what is below it, to 1. */
  const brightness = (multiple, most) => Math.max(0, (multiple - 1) / Math.max(most - 1, 1e-9));

  function mount(root) {
    const part = Object.fromEntries(
      [...root.querySelectorAll("[data-is]")].map((each) => [each.dataset.is, each]));
    const data = JSON.parse(part.data.textContent);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let clip, skeleton, joints, middle, panels = [], frame = 0, playing = false, before = null;
    let pointed = null, attention = null;

    const frames = () => clip.shape[0];
    const rate = () => (clip.fps || 30) / clip.every;

    function add(parent, tag, text, ns) {
      const made = ns ? document.createElementNS(ns, tag) : document.createElement(tag);
      if (text !== undefined) made.textContent = text;
      parent.append(made);
      return made;
    }

    function choose(number) {
      clip = data.clips[number];
      skeleton = data.skeletons[clip.skeleton];
      joints = unpacked(clip);
      middle = middles(joints, clip.shape);
      attention = attended(clip);
      pointed = null;
      part.clip.value = String(number);
      part.frame.max = String(frames() - 1);
      part.facts.replaceChildren();
      for (const fact of clip.facts) add(part.facts, "li", fact);
      legend();
      strip();
      table();
      part.views.replaceChildren();
      panels = clip.views.map(panel);
      measure();
      show(0);
    }

    function panel(view) {
      const figure = add(part.views, "figure"), canvas = add(figure, "canvas");
      const caption = add(figure, "figcaption");
      add(caption, "b", view.name);
      caption.append(`: ${view.caption}`);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${view.name}: ${view.caption}`);
      const own = { view, canvas, points: [] };
      canvas.addEventListener("pointermove", (event) => point(own, event));
      canvas.addEventListener("pointerdown", (event) => point(own, event));
      canvas.addEventListener("pointerleave", () => { pointed = null; draw(); });
      watcher.observe(canvas);
      return own;
    }

    function legend() {
      const svg = "http://www.w3.org/2000/svg";
      const entry = (text, kind, shape = "line") => {
        const item = add(part.legend, "li"), picture = add(item, "svg", undefined, svg);
        picture.setAttribute("viewBox", "0 0 30 10");
        picture.setAttribute("aria-hidden", "true");
        const line = add(picture, shape, undefined, svg), halo = shape === "circle";
        const place = halo ? { cx: 15, cy: 5, r: 5 } : { x1: 2, x2: 28, y1: 5, y2: 5 };
        for (const [key, value] of Object.entries({ ...place, class: kind }))
          line.setAttribute(key, value);
        item.append(text);
      };
      part.legend.replaceChildren();
      entry("L, solid: the person's left", "ink left");
      entry("R, dashed: the person's right", "ink right");
      skeleton.parts.forEach((name, n) => entry(name, `part-${n % 6}`));
      if (attention) {
        entry("attended to more than a joint of the part on average, the larger the more: up to "
          + `${clip.attention.most.toFixed(1)} times; below the frames, all joints`, "halo", "circle");
      }
    }

    /** Below the frames: how much is attended to in each stretch of time. */
    function strip() {
      part.strip.hidden = part.light.hidden = part.hint.hidden = !attention;
      part.strip.replaceChildren();
      const means = (attention || []).map((own) => own.reduce((a, b) => a + b, 0) / own.length);
      for (const mean of means)
        add(part.strip, "i").style.opacity = brightness(mean, Math.max(...means));
    }

    /** What each part is like; the class that it is most like is set off. */
    function table() {
      const [head, ...rows] = clip.table;
      part.scores.hidden = !rows.length;
      part.head.replaceChildren();
      part.rows.replaceChildren();
      if (!rows.length) return;
      const columns = add(part.head, "tr");
      for (const name of head) add(columns, "th", name).scope = "col";
      for (const [name, ...cells] of rows) {
        const row = add(part.rows, "tr"), known = cells.map(Number).filter(Number.isFinite);
        const most = known.length > 1 ? Math.max(...known) : NaN;
        add(row, "th", name).scope = "row";
        for (const cell of cells) add(row, "td", cell).className = Number(cell) === most ? "most" : "";
      }
    }

    /** What each view has to hold: all frames, or those around the body that is followed. */
    function measure() {
      const size = clip.shape[1] * clip.shape[2] * 3;
      const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
      for (let i = 0; i < joints.length; i++) {
        const value = joints[i] - shift(Math.floor(i / size))[i % 3];
        if (value < low[i % 3]) low[i % 3] = value;
        if (value > high[i % 3]) high[i % 3] = value;
      }
      for (const own of panels) {
        own.box = [own.view.right, own.view.up].map(([axis, sign]) =>
          sign > 0 ? [low[axis], high[axis]] : [-high[axis], -low[axis]]);
      }
    }

    const shift = (number) => (part.follow.checked ? middle[number] : [0, 0, 0]);

    /** Pixels for a metre: the same in all views, so that they can be compared. */
    function scale() {
      return Math.min(...panels.map(({ box, canvas }) => Math.min(
        (canvas.clientWidth - 2 * MARGIN) / Math.max(box[0][1] - box[0][0], 0.1),
        (canvas.clientHeight - 2 * MARGIN) / Math.max(box[1][1] - box[1][0], 0.1))));
    }

    function placed(own, metre) {
      const [, people, count] = clip.shape, [right, up] = [own.view.right, own.view.up];
      const moved = shift(frame), start = frame * people * count * 3;
      const x0 = (own.box[0][0] + own.box[0][1]) / 2, y0 = (own.box[1][0] + own.box[1][1]) / 2;
      const points = [];
      for (let i = 0; i < people * count; i++) {
        const at = (axis) => joints[start + 3 * i + axis] - moved[axis];
        points.push([own.canvas.clientWidth / 2 + (right[1] * at(right[0]) - x0) * metre,
          own.canvas.clientHeight / 2 - (up[1] * at(up[0]) - y0) * metre]);
      }
      return points;
    }

    function draw() {
      const style = getComputedStyle(root), ink = style.getPropertyValue("--ink");
      const lit = style.getPropertyValue("--lit");
      const quiet = style.getPropertyValue("--quiet"), metre = scale();
      const colours = skeleton.part.map((n) => style.getPropertyValue(`--part-${n}`));
      for (const own of panels) {
        const { canvas } = own, ratio = devicePixelRatio || 1, context = canvas.getContext("2d");
        const width = Math.round(canvas.clientWidth * ratio);
        const height = Math.round(canvas.clientHeight * ratio);
        if (canvas.width !== width || canvas.height !== height) {
          canvas.width = width;
          canvas.height = height;
        }
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
        own.points = placed(own, metre);
        body(context, own, colours, ink, lit);
        ruler(context, canvas, metre, quiet);
      }
    }

    function body(context, own, colours, ink, lit) {
      const [, people, count] = clip.shape, seen = (p) => p && !Number.isNaN(p[0] + p[1]);
      context.lineCap = "round";
      for (let person = 0; person < people; person++) {
        const at = (joint) => own.points[person * count + joint];
        halos(context, (joint) => seen(at(joint)) && at(joint), lit);
        for (const [child, parent] of skeleton.bones) {
          if (!seen(at(child)) || !seen(at(parent))) continue;
          context.strokeStyle = colours[child];
          context.lineWidth = 3;
          context.setLineDash(skeleton.sides[child] === "right" ? [4, 5] : []);
          context.beginPath();
          context.moveTo(...at(child));
          context.lineTo(...at(parent));
          context.stroke();
        }
        context.setLineDash([]);
        for (let joint = 0; joint < count; joint++) {
          if (!seen(at(joint))) continue;
          context.fillStyle = colours[joint];
          context.beginPath();
          context.arc(...at(joint), 3, 0, 7);
          context.fill();
        }
        context.fillStyle = ink;
        letters(context, own, at, seen, people > 1 ? ` ${person + 1}` : "");
        for (let joint = 0; joint < count; joint++) {
          const near = pointed && pointed[0] === person && pointed[1] === joint;
          if (seen(at(joint)) && (near || part.names.checked)) {
            context.font = near ? "bold 13px system-ui, sans-serif" : "10px system-ui, sans-serif";
            text(context, own, skeleton.joints[joint], at(joint)[0] + 6, at(joint)[1] - 4);
          }
        }
      }
    }

    /** A disc behind each joint that is attended to in this stretch of time. */
    function halos(context, at, colour) {
      if (!attention || !part.lit.checked) return;
      context.fillStyle = colour;
      const step = Math.floor((frame * attention.length) / frames());
      attention[step].forEach((multiple, joint) => {
        const bright = brightness(multiple, clip.attention.most);
        if (!bright || !at(joint)) return;
        context.beginPath();
        context.arc(...at(joint), 3 + 13 * bright, 0, 7);
        context.fill();
      });
    }

    /** L and R beside the hands, outside of the body. */
    function letters(context, own, at, seen, number) {
      context.font = "bold 14px system-ui, sans-serif";
      const known = Object.values(skeleton.marked).map(at).filter(seen);
      const centre = known.reduce((sum, p) => sum + p[0], 0) / known.length;
      for (const [letter, joint] of Object.entries(skeleton.marked)) {
        if (!seen(at(joint))) continue;
        const [x, y] = at(joint), label = letter + number;
        const room = x < centre ? -8 - context.measureText(label).width : 8;
        text(context, own, label, x + room, y + 5);
      }
    }

    /** A text that stays inside of the view. */
    function text(context, own, label, x, y) {
      const most = own.canvas.clientWidth - context.measureText(label).width - 2;
      context.fillText(label, Math.max(2, Math.min(x, most)), Math.max(12, y));
    }

    function ruler(context, canvas, metre, colour) {
      const length = [5, 2, 1, 0.5, 0.2, 0.1, 0.05].find(
        (each) => each * metre < canvas.clientWidth / 3) || 0.02;
      const y = canvas.clientHeight - 10;
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(10, y);
      context.lineTo(10 + length * metre, y);
      context.stroke();
      context.font = "12px system-ui, sans-serif";
      context.fillText(`${length} m`, 14 + length * metre, y + 4);
    }

    function point(own, event) {
      const box = own.canvas.getBoundingClientRect(), count = clip.shape[2];
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      let best = REACH, found = null;
      own.points.forEach(([u, v], i) => {
        const away = Math.hypot(u - x, v - y);
        if (away < best) [best, found] = [away, [Math.floor(i / count), i % count]];
      });
      pointed = found;
      part.joint.textContent = found
        ? skeleton.joints[found[1]] + (clip.shape[1] > 1 ? `, person ${found[0] + 1}` : "") : "";
      draw();
    }

    function show(number) {
      frame = Math.max(0, Math.min(number, frames() - 1));
      part.frame.value = String(frame);
      const seconds = clip.fps ? `, ${((frame * clip.every) / clip.fps).toFixed(2)} s` : "";
      const told = `${frame * clip.every + 1} of ${(frames() - 1) * clip.every + 1}${seconds}`;
      part.time.textContent = told;
      part.frame.setAttribute("aria-valuetext", `frame ${told}`);
      draw();
    }

    function play(on) {
      playing = on;
      before = null;
      part.play.textContent = on ? "Pause" : "Play";
      if (on) requestAnimationFrame(tick);
    }

    function tick(now) {
      if (!playing) return;
      if (before === null) before = now;
      const every = 1000 / rate() / Number(part.speed.value);
      const steps = Math.floor((now - before) / every);
      if (steps > 0) {
        before += steps * every;
        show((frame + steps) % frames());
      }
      requestAnimationFrame(tick);
    }

    function step(by) {
      play(false);
      show(frame + by);
    }

    function turn(by) {
      const count = data.clips.length;
      choose((Number(part.clip.value) + by + count) % count);
    }

    const keys = {
      " ": () => play(!playing),
      ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      Home: () => step(-frames()), End: () => step(frames()),
      ArrowUp: () => turn(-1), ArrowDown: () => turn(1),
      n: () => part.names.click(), f: () => part.follow.click(), a: () => part.lit.click(),
    };

    const watcher = new ResizeObserver(() => { if (clip) draw(); });
    data.clips.forEach((each, n) => { add(part.clip, "option", each.caption).value = String(n); });
    part.clip.disabled = data.clips.length === 1;
    part.clip.addEventListener("change", () => choose(Number(part.clip.value)));
    part.play.addEventListener("click", () => play(!playing));
    part.frame.addEventListener("input", () => { play(false); show(Number(part.frame.value)); });
    part.names.addEventListener("change", draw);
    part.lit.addEventListener("change", draw);
    // Of a page that shows more than this: `detail` is the name of a clip to be shown.
    root.addEventListener("show-clip", ({ detail }) => {
      const number = data.clips.findIndex((each) => each.name === detail);
      if (number >= 0) choose(number);
    });
    part.follow.addEventListener("change", () => { measure(); draw(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    // In a page with more than this, keys are its own only where the focus is inside.
    (root.dataset.keys === "page" ? document : root).addEventListener("keydown", (event) => {
      const busy = event.target.closest("select, button, [type=checkbox]");
      if (!keys[event.key] || busy || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    root.hidden = false;
    choose(0);
    play(!still && frames() > 1);
  }

  for (const root of document.querySelectorAll(".skeletons")) mount(root);
})();
