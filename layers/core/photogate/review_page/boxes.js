// Boxes on the photo: the part that stopped it, and faces.
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Draws them over a picture of this size; laid out as the picture is, so they fit it. */
export function drawBoxes(boxes, width, height) {
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "boxes", role: "img" });
  svg.setAttribute("aria-label", boxes.map((box) => box.words).join("; "));
  const size = Math.max(width, height) / 36;
  for (const box of boxes) {
    const [x, y] = [box.x0 * width, box.y0 * height];
    const wide = (box.x1 - box.x0) * width;
    const high = (box.y1 - box.y0) * height;
    svg.append(shape("rect", { x, y, width: wide, height: high, class: `box ${box.kind}` }));
    // Above the box, or inside where there is no room.
    const above = y > size * 1.4;
    const label = shape("text", { x: x + size / 4, y: above ? y - size / 3 : y + size, "font-size": size, class: box.kind });
    label.textContent = box.words;
    svg.append(label);
  }
  return svg;
}
