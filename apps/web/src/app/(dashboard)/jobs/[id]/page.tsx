import type { Metadata } from "next";
import { JobView } from "../../../../features/jobs/job-view.tsx";

type JobPageProps = { params: Promise<{ id: string }> };

export async function generateMetadata({ params }: JobPageProps): Promise<Metadata> {
  return { title: (await params).id };
}

export default async function JobPage({ params }: JobPageProps) {
  const { id } = await params;
  return <JobView key={id} id={id} />;
}
