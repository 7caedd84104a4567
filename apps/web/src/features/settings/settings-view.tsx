"use client";
import { parseAsStringLiteral, useQueryState } from "nuqs";
import { Column, Page } from "../../ui/page.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { AccountSection } from "./account-section.tsx";
import { ApiKeysSection } from "./api-keys-section.tsx";
import { AuditSection } from "./audit-section.tsx";
import { TeamSection } from "./team-section.tsx";

const TABS = ["account", "team", "audit"] as const;

export function SettingsView() {
  const [tab, setTab] = useQueryState("tab", parseAsStringLiteral(TABS).withDefault("account"));
  return (
    <Page
      title="Settings"
      actions={
        <Segmented
          label="Part"
          value={tab}
          onChange={(next) => void setTab(next)}
          options={[
            { value: "account", label: "Account" },
            { value: "team", label: "Team" },
            { value: "audit", label: "Audit" },
          ]}
        />
      }
    >
      <Column>
        <div className="flex flex-col gap-6">
          {tab === "account" && (
            <>
              <AccountSection />
              <ApiKeysSection />
            </>
          )}
          {tab === "team" && <TeamSection />}
          {tab === "audit" && <AuditSection />}
        </div>
      </Column>
    </Page>
  );
}
