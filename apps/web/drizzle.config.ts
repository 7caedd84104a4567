import { defineConfig } from "drizzle-kit";

/** `npm run migration -w @nexus/web -- --name <what>` writes the next file; `src/server/db/migrate.ts` applies it. */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/server/db/schema/*.ts",
  out: "./drizzle",
});
