ALTER TABLE "job" ADD COLUMN "retry" jsonb;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "retries_used" integer DEFAULT 0 NOT NULL;