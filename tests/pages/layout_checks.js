// Finds faults of a page's layout at its present width. Returns a description of each.
() => {
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const describe = (element) => {
    const text = (element.textContent || element.name || "").trim().slice(0, 30);
    return `${element.tagName.toLowerCase()}.${element.className} "${text}"`;
  };

  const listOverflow = () => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const isClipped = (element) => element && element !== document.body
      && (getComputedStyle(element).overflowX !== "visible" || isClipped(element.parentElement));
    const wide = [...document.body.querySelectorAll("*")].filter((element) =>
      element.getBoundingClientRect().right > clientWidth + 1 && !isClipped(element.parentElement));
    return [`${scrollWidth - clientWidth} pixels too wide: ${wide.slice(0, 3).map(describe).join(", ")}`];
  };

  // Words of up to 20 characters fit on every screen: lines end only at spaces, hyphens, slashes and the like.
  const listBrokenWords = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!node.data.trim() || !isShown(parent) || parent.closest("svg, script, .unseen")) continue;
      range.selectNodeContents(node);
      if (range.getClientRects().length < 2) continue;
      for (const word of node.data.matchAll(/(?<![\p{L}\p{N}])[\p{L}\p{N}]{2,20}(?![\p{L}\p{N}])/gu)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const rects = [...range.getClientRects()].filter((rect) => rect.width);
        if (rects.some((rect) => rect.top > rects[0].bottom - 2)) found.push(`"${word[0]}" is broken in ${describe(parent)}`);
      }
    }
    return found;
  };

  // Where an element is seen: its boxes, within the boxes of its ancestors that clip it.
  const listBoxes = (element) => {
    let [left, top, right, bottom] = [-Infinity, -Infinity, Infinity, Infinity];
    for (let parent = element.parentElement; parent && parent !== document.body; parent = parent.parentElement) {
      if (getComputedStyle(parent).overflow === "visible") continue;
      const box = parent.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return [...element.getClientRects()].map((box) => ({
      element,
      left: Math.max(left, box.left),
      top: Math.max(top, box.top),
      right: Math.min(right, box.right),
      bottom: Math.min(bottom, box.bottom),
    })).filter((box) => box.right - box.left > 2 && box.bottom - box.top > 2);
  };

  const listOverlaps = () => {
    const elements = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")];
    const boxes = elements
      .filter((element) => isShown(element) && !element.closest("svg, .unseen, .skip"))
      .flatMap(listBoxes)
      .sort((one, other) => one.top - other.top);
    const found = [];
    boxes.forEach((one, at) => {
      for (let next = at + 1; next < boxes.length && boxes[next].top < one.bottom; next++) {
        const other = boxes[next];
        if (one.element.contains(other.element) || other.element.contains(one.element)) continue;
        // The boxes of links in neighbouring lines of a text touch each other by a few pixels.
        const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (width > 3 && height > 4) found.push(`${describe(one.element)} overlaps ${describe(other.element)}`);
      }
    });
    return found;
  };

  return [...listOverflow(), ...listBrokenWords().slice(0, 5), ...listOverlaps().slice(0, 5)];
}
