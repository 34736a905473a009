"use strict";
// Figures that can be touched, in the place of the static ones; and clips of what is chosen there.
(() => {
  const add = (parent, tag, text, kind) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    parent.append(made);
    return made;
  };

  /** The moving skeletons of the run that an element is of, with the names of their clips. */
  function moving(element) {
    const root = element.closest("article").querySelector(".skeletons");
    if (!root) return { root, names: new Set() };
    const data = JSON.parse(root.querySelector("[data-is=data]").textContent);
    return { root, names: new Set(data.clips.map((clip) => clip.name)) };
  }

  /** What is chosen, with a button for each clip that moves, and how to see the others. */
  function tell(place, title, clips, all) {
    const { root, names } = moving(place), run = place.closest("article").dataset.run;
    place.replaceChildren();
    add(place, "p", title, "chosen");
    const list = add(place, "ul"), others = clips.filter((name) => !names.has(name));
    for (const name of clips) {
      const item = add(list, "li");
      if (!names.has(name)) {
        item.textContent = name;
        continue;
      }
      const button = add(item, "button", `▶ ${name}`);
      button.type = "button";
      button.addEventListener("click", () => {
        root.dispatchEvent(new CustomEvent("show-clip", { detail: name }));
        root.scrollIntoView();
        root.focus({ preventScroll: true });
      });
    }
    if (all > clips.length) add(list, "li", `and ${all - clips.length} more`);
    if (!others.length) return;
    const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const note = add(place, "p", "To see the others move: ", "quiet");
    add(note, "code", `starcli view ${quoted(run)} ${others.slice(0, 3).map((name) => `--clip ${quoted(name)}`).join(" ")}`);
  }

  /** A confusion matrix: cells by pointer and keys. */
  function matrix(chart, tools, view, meta, place) {
    const cells = new Map(view.data("source_0").map((cell) => [`${cell.true} ${cell.named}`, cell]));
    const order = () => meta.orders[view.signal("by")], count = meta.classes.length;
    let at = null;

    function go(row, column, told) {
      const inside = (n) => Math.max(0, Math.min(n, count - 1));
      at = [inside(row), inside(column)];
      const [wanted, named] = at.map((n) => order()[n]), cell = cells.get(`${wanted} ${named}`);
      view.signal("here", { true: wanted, named }).run();
      const verb = `${meta.classes[wanted]} named as ${meta.classes[named]}`;
      const title = cell ? `${verb}: ${cell.clips} of ${cell.of} clips` : `${verb}: no clip`;
      if (told) tell(place, title, cell ? cell.names : [], cell ? cell.clips : 0);
      else place.replaceChildren(Object.assign(document.createElement("p"), { textContent: title }));
    }

    function zoom(factor) {
      for (const axis of ["column", "row"]) {
        const ends = factor && (view.signal(`grid_${axis}`) || [0, count]);
        const middle = at ? at[axis === "row" ? 0 : 1] + 0.5 : ends && (ends[0] + ends[1]) / 2;
        const half = ends && (Math.abs(ends[1] - ends[0]) / 2) * factor;
        view.signal(`grid_${axis}`, ends && half < count / 2 ? [middle - half, middle + half] : null);
      }
      view.run();
    }

    const step = (down, right) => () => (at ? go(at[0] + down, at[1] + right, false) : go(0, 0, false));
    const keys = {
      ArrowUp: step(-1, 0), ArrowDown: step(1, 0), ArrowLeft: step(0, -1), ArrowRight: step(0, 1),
      Enter: () => at && go(...at, true), " ": () => at && go(...at, true),
      "+": () => zoom(0.5), "-": () => zoom(2), 0: () => zoom(0),
    };
    chart.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    view.addEventListener("click", (_, item) => {
      if (item?.datum?.named === undefined) return;
      go(order().indexOf(item.datum.true), order().indexOf(item.datum.named), true);
    });
    for (const [text, factor] of [["Zoom in", 0.5], ["Zoom out", 2], ["All", 0]]) {
      const button = add(tools, "button", text);
      button.type = "button";
      button.addEventListener("click", () => zoom(factor));
    }
  }

  /** Points: a class that is chosen in one chart of a figure, also by a click, is in all of them. */
  function link(views, place) {
    const choose = (value) => views.forEach((view) => view.signal("chosen", value).run());
    views[0].addSignalListener("chosen", (_, value) => views.slice(1).forEach(
      (view) => view.signal("chosen", value).run()));
    for (const view of views) {
      view.addEventListener("click", (_, item) => {
        const datum = item?.datum;
        if (datum?.clip) tell(place, `${datum.class}, named as ${datum["named as"]}`, [datum.clip], 1);
        choose(datum?.class ?? datum?.value ?? null);
      });
    }
  }

  async function mount(figure) {
    const charts = JSON.parse(figure.querySelector("script").textContent), views = [];
    const place = add(figure, "div", undefined, "told");
    place.setAttribute("aria-live", "polite");
    const touched = add(figure, "div", undefined, "touched");
    const shared = add(figure, "div", undefined, "tools");
    for (const each of [shared, touched]) figure.insertBefore(each, figure.querySelector("figcaption"));
    figure.insertBefore(place, figure.querySelector("figcaption"));
    // All frames first: how wide each is depends on how many there are.
    const frames = charts.map(() => add(touched, "div", undefined, "frame"));
    for (const [number, spec] of charts.entries()) {
      const kind = spec.usermeta?.kind, frame = frames[number];
      const tools = kind === "points" && !number ? shared : add(frame, "div", undefined, "tools");
      const chart = add(frame, "div", undefined, "chart");
      const { view } = await vegaEmbed(chart, spec, {
        mode: "vega-lite", renderer: "svg", actions: false, ast: true, bind: tools,
        tooltip: { theme: "custom" },
        config: { background: null, aria: false, font: "system-ui, sans-serif", view: { stroke: "#bbb" },
          axis: { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal" },
          legend: { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal" },
          title: { fontSize: 13 } },
      });
      views.push(view);
      chart.querySelector("svg").setAttribute("aria-hidden", "true");
      chart.setAttribute("role", kind === "confusion" ? "application" : "img");
      chart.setAttribute("aria-label", figure.dataset.words);
      if (kind === "confusion") {
        chart.tabIndex = 0;
        matrix(chart, tools, view, spec.usermeta, place);
      }
    }
    if (charts[0].usermeta?.kind === "points") link(views, place);
    figure.classList.add("alive");
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      // The static figure stays where a chart cannot be drawn.
      mount(target).catch((error) => {
        for (const each of target.querySelectorAll(".touched, .tools, .told")) each.remove();
        throw error;
      });
    }
  }, { rootMargin: "600px" });
  for (const figure of document.querySelectorAll("figure[data-words]")) seen.observe(figure);
})();
