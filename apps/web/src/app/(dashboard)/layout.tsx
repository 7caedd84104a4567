import type { ReactNode } from "react";
import { Shell } from "../../features/shell/shell.tsx";
import { Providers } from "../providers.tsx";

export default function DashboardLayout({ children }: { children: ReactNode }) {
  return (
    <Providers>
      <Shell>{children}</Shell>
    </Providers>
  );
}
