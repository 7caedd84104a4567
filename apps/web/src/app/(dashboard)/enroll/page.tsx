import type { Metadata } from "next";
import { EnrollView } from "../../../features/enroll/enroll-view.tsx";

export const metadata: Metadata = { title: "Enrol a machine" };

export default function EnrollPage() {
  return <EnrollView />;
}
