/// <reference lib="dom" />
/**
 * Runs in the page: texts whose colour stands out less from what is behind them than WCAG AA asks for (4.5, large text 3). Colours are
 * painted on a canvas and read back, so that every notation counts as what the browser makes of it. Controls that are off are exempt.
 */
export function faintTexts(): string[] {
  type Rgba = [number, number, number, number];
  const canvas = document.createElement("canvas");
  canvas.width = 1;
  canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("no canvas");
  const known = new Map<string, Rgba>();

  function rgba(css: string): Rgba {
    const found = known.get(css);
    if (found) return found;
    pen?.clearRect(0, 0, 1, 1);
    if (pen) pen.fillStyle = css;
    pen?.fillRect(0, 0, 1, 1);
    const [r = 0, g = 0, b = 0, a = 0] = pen?.getImageData(0, 0, 1, 1).data ?? [];
    const colour: Rgba = [r, g, b, a / 255];
    known.set(css, colour);
    return colour;
  }

  const over = ([r, g, b, a]: Rgba, [R, G, B]: Rgba): Rgba => [
    r * a + R * (1 - a),
    g * a + G * (1 - a),
    b * a + B * (1 - a),
    1,
  ];

  function luminance([r, g, b]: Rgba): number {
    const [x = 0, y = 0, z = 0] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }

  /** What is painted behind an element, and how much of its own colour is left after the opacity of all around it. */
  function ground(element: Element): { behind: Rgba; opacity: number } {
    const layers: Rgba[] = [];
    let opacity = 1;
    for (let at: Element | null = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      layers.push(rgba(style.backgroundColor));
      opacity *= Number(style.opacity);
    }
    const behind = layers.reduceRight(
      (below, layer) => over(layer, below),
      rgba(getComputedStyle(document.body).backgroundColor),
    );
    return { behind, opacity };
  }

  const faint: string[] = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim() ?? "";
    if (
      !element ||
      text === "" ||
      element.closest("script,style,[aria-disabled=true],[data-disabled=true],[hidden]")
    )
      continue;
    const box = element.getBoundingClientRect();
    if (
      box.width < 2 ||
      box.height < 2 ||
      !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    )
      continue;
    const style = getComputedStyle(element);
    const { behind, opacity } = ground(element);
    const [r, g, b, a] = rgba(style.color);
    const shown = over([r, g, b, a * opacity], behind);
    const [dark, light] = [luminance(shown), luminance(behind)].sort((x, y) => x - y) as [number, number];
    const ratio = (light + 0.05) / (dark + 0.05);
    const sizePx = Number.parseFloat(style.fontSize);
    const isLarge = sizePx >= 24 || (sizePx >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5))
      faint.push(`${ratio.toFixed(2)} ${text.slice(0, 40)} (${element.className})`);
  }
  return [...new Set(faint)];
}
