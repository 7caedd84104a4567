import type { Metadata } from "next";
import { SubmitView } from "../../../features/submit/submit-view.tsx";

export const metadata: Metadata = { title: "Submit a job" };

export default function SubmitPage() {
  return <SubmitView />;
}
