import type { Metadata } from "next";
import { FleetView } from "../../features/fleet/fleet-view.tsx";

export const metadata: Metadata = { title: "Fleet" };

export default function FleetPage() {
  return <FleetView />;
}
