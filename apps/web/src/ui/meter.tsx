import { cx } from "./cx.ts";
import { HUE_FILL, type Hue } from "./hue.ts";

export type MeterPart = { part: number; hue: Hue; hatched?: boolean };

/** A bar of one or more parts of a whole (0..1 each). */
export function Meter({
  parts,
  label,
  className,
}: {
  parts: MeterPart[];
  label: string;
  className?: string;
}) {
  return (
    <div
      title={label}
      className={cx("flex h-1.5 gap-px overflow-hidden rounded-full bg-meter-track", className)}
    >
      <span className="sr-only">{label}</span>
      {parts.map((part, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place only.
          key={index}
          className={cx("h-full transition-[width]", HUE_FILL[part.hue], part.hatched && "hatch")}
          style={{ width: `${Math.max(0, Math.min(1, part.part)) * 100}%` }}
        />
      ))}
    </div>
  );
}
